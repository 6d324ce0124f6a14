"""The results of a run, as the commands of agnocast-bench wrote them.

A folder holds a file of each command, such as compare.json, and machine.json; what is not there
was not measured. A result is a dictionary; fields that do not apply are left out.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import json
import pathlib

OURS = "agnocast"
PEERS = ["iceoryx", "iceoryx2", "cyclonedds", "fastdds", "zeromq"]
LIMITS = ["cacheline", "memcpy", "inplace", "futex", "eventfd"]
ALLOCATORS = [OURS, "glibc", "mimalloc", "jemalloc"]
COMMANDS = ["compare", "scale", "heap", "hook", "audit", "load", "tools"]

NAMES = {
    OURS: "Agnocast",
    "iceoryx": "iceoryx",
    "iceoryx2": "iceoryx2",
    "cyclonedds": "Cyclone DDS",
    "fastdds": "Fast DDS",
    "zeromq": "ZeroMQ",
    "cacheline": "cache line",
    "memcpy": "memcpy",
    "inplace": "in place",
    "futex": "futex",
    "eventfd": "eventfd",
}

CASE = ("mode", "content", "touched", "same_core", "size_bytes")


class Run:
    """All that one run measured."""

    def __init__(self, results=None, machine=None):
        self.results = {command: [] for command in COMMANDS}
        self.results.update(results or {})
        self.machine = machine or {}

    @classmethod
    def load(cls, folder):
        folder = pathlib.Path(folder)
        results = {}
        for command in COMMANDS:
            path = folder / f"{command}.json"
            if path.exists():
                results[command] = json.loads(path.read_text(encoding="utf-8"))["results"]
        machine = folder / "machine.json"
        return cls(results, json.loads(machine.read_text(encoding="utf-8")) if machine.exists() else {})

    def has(self, command):
        return bool(self.results[command])

    def find(self, command, **wanted):
        """The results whose fields are as wanted; of a tuple or list, any value will do."""

        def fits(result):
            for field, value in wanted.items():
                choices = value if isinstance(value, (tuple, list, set)) else (value,)
                if result.get(field) not in choices:
                    return False
            return True

        return [result for result in self.results[command] if fits(result)]

    def one(self, command, **wanted):
        found = self.find(command, **wanted)
        return found[0] if found else None

    def values(self, command, field):
        return sorted({result[field] for result in self.results[command] if field in result})

    def systems(self, command):
        """Limits first, then ourselves, then the peers, then whatever else is there."""
        found = {result["system"] for result in self.results[command]}
        order = [*LIMITS, OURS, *PEERS]
        return [name for name in order if name in found] + sorted(found - set(order))

    def cases(self):
        """The cases of compare in the order in which they were measured."""
        seen = {}
        for result in self.results["compare"]:
            seen.setdefault(tuple(result[field] for field in CASE), []).append(result)
        return seen


def limit_of(mode, touched):
    """The bare limit that a case is held against."""
    if mode == "block":
        return "futex"
    return "inplace" if touched else "cacheline"


def name_of(system):
    return NAMES.get(system, system)


def size_text(size_bytes):
    """64 B, 1 MiB."""
    size, unit = size_bytes, 0
    units = ["B", "KiB", "MiB", "GiB"]
    while unit + 1 < len(units) and size >= 1024 and size % 1024 == 0:
        size //= 1024
        unit += 1
    return f"{size} {units[unit]}"


def time_text(ns):
    """Three digits that count, in a unit that fits."""
    if ns is None:
        return ""
    for divisor, unit in ((1, "ns"), (1e3, "µs"), (1e6, "ms")):
        value = ns / divisor
        if value < 999.5 or unit == "ms":
            return f"{number_text(value)} {unit}"


def number_text(value):
    """Three digits that count."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def factor_text(value):
    return "" if value is None else f"{number_text(value)} ×"
