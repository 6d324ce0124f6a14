"""Comparisons that a bar consists of, and their verdict.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import dataclasses

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"


@dataclasses.dataclass
class Bar:
    """A promise, what was measured of it, and the verdict."""

    area: str
    text: str
    verdict: str = NOT_MEASURED
    measured: str = ""


class Check:
    """Collects comparisons of two numbers, of which none may fail."""

    def __init__(self):
        self.ratios = []  # (measured / allowed, what it says)
        self.missing = []

    def at_most(self, value, allowed, text):
        """Value and allowed are numbers; text describes both."""
        self.ratios.append((value / allowed if allowed else float("inf") if value else 0.0, text, value <= allowed))

    def less(self, value, other, text):
        self.ratios.append((value / other if other else float("inf"), text, value < other))

    def lacks(self, what):
        if what not in self.missing:
            self.missing.append(what)

    def bar(self, area, text):
        """The verdict, with the violations, or else the case that came nearest to one."""
        failed = [entry for entry in self.ratios if not entry[2]]
        shown = sorted(failed or self.ratios, key=lambda entry: -entry[0])
        measured = ("; " if failed else "at worst ") + shown[0][1] if shown else ""
        measured = measured.removeprefix("; ")
        if len(failed) > 1:
            measured += f" (and {len(failed) - 1} more of {len(self.ratios)})"
        if self.missing:
            measured += ("; " if measured else "") + "no figures: " + ", ".join(self.missing)
        if failed:
            verdict = NOT_MET
        else:
            verdict = MET if self.ratios and not self.missing else NOT_MEASURED
        return Bar(area, text, verdict, measured)
