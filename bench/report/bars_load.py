"""The bars of `load`: what may be the cost of what others do.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

from check import Check
from results import number_text

AREA = "load"

# Measure, kind, most, what the bar says. Kinds: "value" is the figure under load; "factor" is that
# over the figure without; "more" is that less the figure without.
LOAD_BARS = [
    ("held", "factor", 3, "borrow and publish beside a reader that holds 4,000: p50 at most 3 × beside one of none"),
    ("newcomers", "factor", 2, "borrow and publish at 1.5 kHz, new processes subscribe: p99 at most 2 × undisturbed"),
    ("idle_100", "value", 1, "100 idle processes on one topic: under 1 % of a core, all together"),
    ("idle_200", "value", 2, "200 idle processes on one topic: under 2 % of a core, all together"),
    ("wake_ups", "value", 1, "an idle process that retains messages: at most 1 wake-up in a second"),
    ("joiner", "more", 20, "joining with 10 MB beside one who joins with 2 GB: at most 20 ms later than alone"),
    ("deep_reader", "value", 32, "publisher beside a reader of depth 1,000 that keeps up, 1 MB each: at most 32 MB"),
    ("end", "value", 200, "end of a process with 200 publishers beside a stopped subscriber: at most 0.2 s"),
    ("members", "more", 2, "publish to callback asleep, node with 1,000 subscriptions: at most 2 µs over one with 1"),
    ("snapshots", "value", 0, "3 processes that come, go and look at the domain: every end sees the other"),
]


def with_unit(value, unit):
    # The programs write in ASCII.
    return f"{number_text(value)} {unit.replace('us', 'µs')}".rstrip()


def load_bars(run):
    for measure, kind, most, text in LOAD_BARS:
        check = Check()
        result = run.one("load", measure=measure)
        if result is None or (kind != "value" and not result.get("without")):
            check.lacks(measure)
        else:
            value, unit = result["with"], result["unit"]
            words = with_unit(value, unit)
            if kind == "factor":
                words += f", without {with_unit(result['without'], unit)} ({number_text(value / result['without'])} ×)"
                value /= result["without"]
            elif kind == "more":
                words += f", without {with_unit(result['without'], unit)}"
                value -= result["without"]
            check.at_most(value, most, words)
        yield check.bar(AREA, text)
