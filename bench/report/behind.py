"""Where we are behind: listed by the run itself, so that nobody chooses what to show.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

from points import compare_text, heap_point, heap_text, same_case, same_point, scale_text
from results import ALLOCATORS, LIMITS, OURS, name_of

TIMES = ("p50_ns", "p99_ns")
SCALE_TIMES = ("publish_p50_ns", "publish_p99_ns", "latency_p50_ns", "latency_p99_ns", "last_p50_ns",
               "cpu_ns_per_message")
RATE = "messages/s"


def faster(ours, other, fields, who, where):
    """Case, figure, who is ahead, their figure and ours."""
    for field in fields:
        if field in ours and field in other and other[field] < ours[field]:
            yield where, field.removesuffix("_ns").replace("_", " "), who, other[field], ours[field]


def unfavourable(run):
    """Every case in which a peer is ahead of us, by command."""
    found = {"compare": [], "scale": [], "heap": []}
    for other in run.results["compare"]:
        if other["system"] == OURS or other["system"] in LIMITS:
            continue
        for ours in same_case(run, other, system=OURS):
            found["compare"] += faster(ours, other, TIMES, name_of(other["system"]), compare_text(other))
    for other in run.results["scale"]:
        if other["system"] == OURS or other["system"] in LIMITS:
            continue
        for ours in same_point(run, other, OURS):
            found["scale"] += faster(ours, other, SCALE_TIMES, name_of(other["system"]), scale_text(other))
            if other["sweep"] == "rate" and other["messages_per_s"] > ours["messages_per_s"]:
                found["scale"].append((scale_text(other), RATE, name_of(other["system"]), other["messages_per_s"],
                                       ours["messages_per_s"]))
    for other in run.results["heap"]:
        if other["allocator"] == OURS or other["allocator"] not in ALLOCATORS:
            continue
        for ours in run.find("heap", allocator=OURS):
            if heap_point(ours) == heap_point(other):
                found["heap"] += faster(ours, other, TIMES, other["allocator"], heap_text(other))
    return found
