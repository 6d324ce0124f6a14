"""Which results are of the same work, and what that work is called.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

from results import number_text, size_text, time_text


def case_text(result):
    """What distinguishes a case of compare from others of its bar."""
    words = [size_text(result["size_bytes"])]
    if result["content"] == "unsized":
        words.append("unsized")
    if result["touched"]:
        words.append("written and read")
    return ", ".join(words)


def pair_text(ours_ns, other, other_ns, where):
    factor = number_text(ours_ns / other_ns) if other_ns else "?"
    return f"{where}: {time_text(ours_ns)}, {other} {time_text(other_ns)} ({factor} ×)"


def same_case(run, result, **changed):
    wanted = {field: result[field] for field in ("mode", "content", "touched", "same_core", "size_bytes")}
    wanted.update(changed)
    return run.find("compare", **wanted)


def compare_text(result):
    words = [result["mode"] + (", both on one core" if result["same_core"] else ""), case_text(result)]
    return ", ".join(words)


def scale_text(result):
    flood = result["sweep"] == "rate"
    words = ["as fast as it goes" if flood else f"{result['x']} {result['sweep']}", size_text(result["size_bytes"])]
    if "awake" in result:
        words.append("awake" if result["awake"] else "asleep")
    return ", ".join(words)


def same_point(run, result, system):
    """What a system did in the same point of a sweep."""
    same = {key: result.get(key) for key in ("sweep", "x", "size_bytes", "awake")}
    return run.find("scale", system=system, **same)


def heap_point(result):
    """Which results of heap are of the same work."""
    return tuple(result.get(field) for field in ("workload", "threads", "live", "bytes"))


def heap_text(result):
    words = [result["workload"]]
    if result.get("bytes"):
        words.append(size_text(result["bytes"]))
    if result.get("live"):
        words.append(f"{result['live']:,} live")
    if result.get("threads", 1) > 1:
        words.append(f"{result['threads']} threads")
    return ", ".join(words)


def is_churn(result):
    return "churn" in result["workload"]


def is_growth(result):
    return "vector" in result["workload"]
