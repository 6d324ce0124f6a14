"""The tables of the report, in Markdown.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

from bars_load import with_unit
from behind import RATE, unfavourable
from points import heap_text
from results import ALLOCATORS, OURS, factor_text, limit_of, name_of, number_text, size_text, time_text


def table(head, rows, right_from=1):
    """Columns from `right_from` on are numbers."""
    ruler = ["---" if index < right_from else "--:" for index in range(len(head))]
    lines = [head, ruler, *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def details(summary, text):
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>\n"


def bars_table(bars):
    rows = [[bar.area, bar.text, bar.measured, f"**{bar.verdict}**"] for bar in bars]
    return table(["", "bar", "measured", "verdict"], rows, right_from=4)


def strong(name, system):
    return f"**{name}**" if system == OURS else name


def of_same_kind(run):
    """Results of compare by mode, content, touched and same_core, in the order of measuring."""
    kinds = {}
    for result in run.results["compare"]:
        key = tuple(result[field] for field in ("mode", "content", "touched", "same_core"))
        kinds.setdefault(key, []).append(result)
    return kinds


MODES = {"poll": "polling", "block": "blocking", "spin": "spinning, then blocking"}


def kind_text(mode, content, touched, same_core):
    text = f"{MODES[mode]}, {content} message, {'written and read' if touched else 'handed over'}"
    return text + (", both on one core" if same_core else "")


def overview(results, run):
    """p50 by system and size."""
    sizes = sorted({result["size_bytes"] for result in results})
    by = {(result["system"], result["size_bytes"]): result for result in results}
    rows = []
    for system in run.systems("compare"):
        cells = [time_text(by[system, size]["p50_ns"]) if (system, size) in by else "" for size in sizes]
        if any(cells):
            label = name_of(system) + (" (limit)" if any(
                result["is_limit"] for result in results if result["system"] == system) else "")
            rows.append([strong(label, system), *(strong(cell, system) if cell else "" for cell in cells)])
    return table(["p50", *(size_text(size) for size in sizes)], rows)


def case_rows(run, results):
    """Each result beside ours and beside the limit of its case."""
    for size in sorted({result["size_bytes"] for result in results}):
        case = {result["system"]: result for result in results if result["size_bytes"] == size}
        ours = case.get(OURS)
        for system in [name for name in run.systems("compare") if name in case]:
            result = case[system]
            limit = case.get(limit_of(result["mode"], result["touched"]))
            against = []
            for other in (ours, limit):
                known = other is not None and other is not result and other["p50_ns"] > 0
                against.append(factor_text(result["p50_ns"] / other["p50_ns"]) if known else "")
            times = [time_text(result[field]) for field in ("p50_ns", "p99_ns", "p999_ns")]
            yield [size_text(size), strong(name_of(system), system), *times, *against, f"{result['n']:,}"]


def compare_tables(run):
    parts = []
    for kind, results in of_same_kind(run).items():
        limit = limit_of(kind[0], kind[2])
        head = ["size", "system", "p50", "p99", "p99.9", "p50 / Agnocast", f"p50 / {name_of(limit)}", "n"]
        title = kind_text(*kind)
        full = details("All percentiles", table(head, case_rows(run, results), right_from=2))
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{overview(results, run)}\n{full}")
    return "\n".join(parts)


SCALE_COLUMNS = {
    "publish_p50_ns": ("publish p50", time_text),
    "publish_p99_ns": ("publish p99", time_text),
    "latency_p50_ns": ("latency p50", time_text),
    "latency_p99_ns": ("latency p99", time_text),
    "latency_p999_ns": ("latency p99.9", time_text),
    "last_p50_ns": ("last reached p50", time_text),
    "cpu_ns_per_message": ("CPU / message", time_text),
    "syscalls_per_message": ("calls / message", number_text),
    "messages_per_s": ("messages/s", number_text),
    "bytes_per_s": ("GB/s", lambda value: number_text(value / 1e9)),
    "lost": ("lost", lambda value: f"{value:,}"),
}


def scale_tables(run):
    parts = []
    for sweep in ("subscribers", "topics", "publishers", "rate"):
        results = run.find("scale", sweep=sweep)
        if not results:
            continue
        columns = [field for field in SCALE_COLUMNS if any(field in result for result in results)]
        rows = []
        for result in sorted(results, key=scale_order(run)):
            state = {True: "awake", False: "asleep"}.get(result.get("awake"), "")
            cells = [SCALE_COLUMNS[field][1](result.get(field)) if field in result else "" for field in columns]
            rows.append([size_text(result["size_bytes"]) if "size_bytes" in result else "", state,
                         number_text(result["x"]) if isinstance(result["x"], float) else result["x"],
                         strong(name_of(result["system"]), result["system"]), *cells])
        head = ["size", "subscribers", sweep, "system", *(SCALE_COLUMNS[field][0] for field in columns)]
        parts.append(details(f"All figures by {sweep}", table(head, rows, right_from=4)))
    return "\n".join(parts)


def scale_order(run):
    order = run.systems("scale")
    return lambda r: (r.get("size_bytes", 0), not r.get("awake", True), r["x"], order.index(r["system"]))


def heap_table(run):
    fields = [("p50_ns", time_text), ("p99_ns", time_text), ("p999_ns", time_text), ("p99999_ns", time_text),
              ("max_ns", time_text), ("slow_calls", lambda value: f"{value:,.0f}"), ("busy_ns", time_text),
              ("page_faults", lambda value: f"{value:,}"),
              ("resident_bytes", mebibytes), ("used_bytes", mebibytes)]
    rows = []
    for result in run.results["heap"]:
        cells = [show(result[field]) if field in result else "" for field, show in fields]
        rows.append([heap_text(result), strong(result["allocator"], result["allocator"]), *cells])
    head = ["work", "allocator", "p50", "p99", "p99.9", "p99.999", "max", "above 50 µs", "time in calls",
            "page faults", "resident", "in use"]
    return table(head, rows, right_from=2)


def mebibytes(count):
    return f"{number_text(count / (1 << 20))} MiB"


def hook_table(run):
    rows = []
    for result in run.results["hook"]:
        plain = result["plain_ns"]
        rows.append([result["process"], f"{result['live']:,}", *(number_text(result[f"{name}_ns"]) for name in
                    ("plain", "jump", "hook")), number_text(result["jump_ns"] / plain),
                    number_text(result["hook_ns"] / plain)])
    return table(["process", "live", "glibc, ns", "only a jump, ns", "our hook, ns", "jump / glibc", "hook / glibc"],
                 rows)


def audit_table(run):
    fields = ("audit_ns", "publish_ns", "publish_without_ns")
    rows = [[result["message"], *(time_text(result[field]) for field in fields)] for result in run.results["audit"]]
    return table(["16 containers, 64 MB", "audit, in the cache", "publish() after filling", "the same without audit"],
                 rows)


def load_table(run):
    rows = []
    for result in run.results["load"]:
        without = result.get("without")
        rows.append([result["text"], with_unit(result["with"], result["unit"]),
                     "" if without is None else with_unit(without, result["unit"])])
    return table(["", "measured", "without"], rows)


def tools_table(run):
    rows = [[result["beside"], time_text(result["p50_ns"]), time_text(result["p99_ns"]), f"{result['used_bytes']:,.0f}"]
            for result in run.results["tools"]]
    return table(["beside", "publish(), p50", "p99", "bytes in use afterwards"], rows)


def unfavourable_tables(run):
    """What behind.py found, or that there is nothing."""
    titles = {"compare": "Latency", "scale": "Scaling", "heap": "Heap"}
    parts = []
    for command, found in unfavourable(run).items():
        if not run.has(command):
            continue
        if not found:
            parts.append(f"{titles[command]}: nobody is ahead of Agnocast in any case.\n")
            continue
        rows = []
        for where, what, who, theirs, ours in found:
            show = number_text if what == RATE else time_text
            rows.append([where, what, who, show(theirs), show(ours), factor_text(ours / theirs if theirs else None)])
        head = ["case", "figure", "ahead", "theirs", "ours", "ours / theirs"]
        parts.append(details(f"{titles[command]}: {len(found)} figures", table(head, rows, right_from=3)))
    return "\n".join(parts)
