"""Writes the report of a run: a page with tables, and plots beside it.

    python3 bench/report describe FOLDER SETTINGS    before the run: writes FOLDER/machine.json
    python3 bench/report write FOLDER DOCS           after it: writes DOCS/benchmarks.md and plots
    python3 bench/report bars FOLDER                 prints the bars only; needs no matplotlib

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import pathlib
import sys

from bars import bars
from machine import describe
from page import render
from results import Run

NOTES = pathlib.Path(__file__).with_name("notes.md")
BUSY_LOAD = 0.5


def write_description(folder, settings):
    machine = describe(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps(machine, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if machine["load"][0] > BUSY_LOAD:
        print(f"bench: the machine is busy (load average {machine['load'][0]:.2f}): the figures will suffer",
              file=sys.stderr)


def write_report(folder, docs):
    from plots import draw_all  # matplotlib is needed for nothing else

    run = Run.load(folder)
    pictures = draw_all(run, docs / "benchmarks")
    page = render(NOTES.read_text(encoding="utf-8"), run, pictures)
    (docs / "benchmarks.md").write_text(page, encoding="utf-8")
    print(f"bench: {docs}/benchmarks.md and {len(pictures)} plots are written")


def print_bars(folder):
    for bar in bars(Run.load(folder)):
        print(f"{bar.verdict:13}{bar.area}: {bar.text}\n             {bar.measured}")


def main():
    arguments = argparse.ArgumentParser(description="The report of a run of scripts/bench")
    arguments.add_argument("what", choices=["describe", "write", "bars"])
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("rest", nargs="?", default="")
    options = arguments.parse_args()
    if options.what == "describe":
        write_description(options.folder, options.rest)
    elif options.what == "write":
        write_report(options.folder, pathlib.Path(options.rest or "docs"))
    else:
        print_bars(options.folder)


if __name__ == "__main__":
    main()
