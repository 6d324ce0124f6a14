"""Puts the report together: notes.md, with what the run gave in the place of {{names}}.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import re

import tables
from bars import bars
from check import MET, NOT_MEASURED, NOT_MET
from results import PEERS, name_of, number_text


def machine_table(machine):
    load = machine.get("load", [])
    rows = [
        ["date", machine.get("date", "")],
        ["commit", machine.get("commit", "")],
        ["settings", machine.get("settings", "")],
        ["CPU", machine.get("cpu", "")],
        ["cores", machine.get("cores", "")],
        ["under a hypervisor", "yes" if machine.get("hypervisor") else "no"],
        ["memory", f"{number_text(machine.get('memory_bytes', 0) / 2**30)} GiB"],
        ["frequency governor", machine.get("governor", "")],
        ["huge pages of shared memory", machine.get("huge_pages_of_shared_memory", "")],
        ["kernel", machine.get("kernel", "")],
        ["compiler", machine.get("compiler", "")],
        ["load average at the start (1, 5, 15 minutes)", ", ".join(f"{value:.2f}" for value in load)],
    ]
    rows += [[name, version] for name, version in machine.get("versions", {}).items()]
    return tables.table(["", ""], [row for row in rows if row[1] != ""], right_from=2)


def summary(run, found):
    """One sentence on the bars, one on who took part."""
    count = {verdict: sum(1 for bar in found if bar.verdict == verdict) for verdict in (MET, NOT_MET, NOT_MEASURED)}
    text = "; ".join(f"{verdict}: {number}" for verdict, number in count.items())
    text = f"Of its {len(found)} bars, {text}."
    absent = [name_of(peer) for peer in PEERS if peer not in run.systems("compare")]
    if absent:
        text += f" Not in this run: {', '.join(absent)}."
    return text


def render(notes, run, pictures):
    """The page; `pictures` are the names of the plots that were drawn."""
    found = bars(run)
    parts = {
        "summary": summary(run, found),
        "bars": tables.bars_table(found),
        "machine": machine_table(run.machine),
        "compare": tables.compare_tables(run),
        "scale": tables.scale_tables(run),
        "heap": tables.heap_table(run) if run.has("heap") else "Not measured in this run.\n",
        "hook": tables.hook_table(run) if run.has("hook") else "Not measured in this run.\n",
        "audit": tables.audit_table(run) if run.has("audit") else "Not measured in this run.\n",
        "load": tables.load_table(run) if run.has("load") else "Not measured in this run.\n",
        "tools": tables.tools_table(run) if run.has("tools") else "Not measured in this run.\n",
        "unfavourable": tables.unfavourable_tables(run),
    }

    def part(match):
        name, _, title = match.group(1).partition(": ")
        if name.startswith("plot "):
            picture = name.removeprefix("plot ")
            return f"![{title}](benchmarks/{picture}.svg)" if picture in pictures else ""
        return parts[name].rstrip("\n")

    text = re.sub(r"\{\{(.+?)\}\}", part, notes)
    return re.sub(r"\n{3,}", "\n\n", text)
