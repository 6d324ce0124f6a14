"""The plots of compare: latency against size, unsized messages, percentiles.

Each returns the names of the pictures that it drew; without results it draws none.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import matplotlib.pyplot as plt

from plots_heap import draw_heap
from plots_scale import draw_scale
from results import LIMITS, OURS, name_of, number_text, size_text, time_text
from style import colour, label_ends, line_style, save, size_axis, time_axis

FULL = (8.6, 4.6)


def draw_all(run, folder):
    drawn = []
    for mode, title in (("poll", "both sides polling"), ("block", "the receiver asleep")):
        drawn += draw_latency(run, folder, mode, f"One-way latency against size of message, {title} (p50)")
    drawn += draw_unsized(run, folder)
    drawn += draw_percentiles(run, folder)
    drawn += draw_scale(run, folder)
    drawn += draw_heap(run, folder)
    return drawn


def draw_latency(run, folder, mode, title):
    figure, axes = plt.subplots(figsize=FULL)
    ends, sizes = [], set()
    for system in run.systems("compare"):
        results = run.find("compare", system=system, mode=mode, content="flat", touched=False, same_core=False)
        if not results:
            continue
        results.sort(key=lambda result: result["size_bytes"])
        xs = [result["size_bytes"] for result in results]
        ys = [result["p50_ns"] for result in results]
        axes.plot(xs, ys, **line_style(system))
        ends.append((system, xs[-1], ys[-1]))
        sizes.update(xs)
    if not ends:
        plt.close(figure)
        return []
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    size_axis(axes.xaxis, sorted(sizes))
    time_axis(axes.yaxis)
    axes.set_title(title)
    axes.set_xlabel("size of the message, written before the clock starts")
    figure.subplots_adjust(left=0.09, right=0.85, top=0.90, bottom=0.12)
    label_ends(axes, ends)
    return [save(figure, folder, f"latency-{mode}")]


def draw_unsized(run, folder):
    """Bars by size: the whole way from writing the message to having read it."""
    results = run.find("compare", mode="poll", content="unsized", touched=True)
    sizes = sorted({result["size_bytes"] for result in results})
    if not sizes:
        return []
    figure, row = plt.subplots(1, len(sizes), figsize=(8.6, 3.0), squeeze=False)
    for axes, size in zip(row[0], sizes):
        chosen = sorted((r for r in results if r["size_bytes"] == size), key=lambda result: -result["p50_ns"])
        ours = next((result["p50_ns"] for result in chosen if result["system"] == OURS), None)
        longest = chosen[0]["p50_ns"]
        for y, result in enumerate(chosen):
            system = result["system"]
            axes.barh(y, result["p50_ns"], height=0.66, color=colour(system), alpha=1 if system == OURS else 0.75)
            text = time_text(result["p50_ns"])
            if ours and system != OURS:
                text += f"   {number_text(result['p50_ns'] / ours)} ×"
            axes.text(result["p50_ns"] + longest * 0.03, y, text, va="center", fontsize=8,
                      fontweight="bold" if system == OURS else "normal")
        axes.set_yticks(range(len(chosen)), [name_of(result["system"]) for result in chosen], fontsize=8.5)
        axes.set_xlim(0, longest * 2.1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(size_text(size), fontsize=10, pad=4)
    figure.suptitle("Unsized message, written and read: one way (p50), and times Agnocast's", x=0.02, ha="left",
                    fontsize=11, fontweight="bold")
    figure.subplots_adjust(left=0.105, right=0.995, top=0.80, bottom=0.03, wspace=0.5)
    return [save(figure, folder, "unsized")]


PERCENTILES = [("p50_ns", "p50"), ("p90_ns", "p90"), ("p99_ns", "p99"), ("p999_ns", "p99.9")]


def draw_percentiles(run, folder):
    sizes = [size for size in (64, 1 << 20) if run.find("compare", size_bytes=size, content="flat")]
    if not sizes:
        return []
    figure, grid = plt.subplots(2, len(sizes), figsize=(8.6, 6.6), squeeze=False, sharey="row")
    for axes_row, mode in zip(grid, ("poll", "block")):
        for axes, size in zip(axes_row, sizes):
            draw_percentile_lines(axes, run, mode, size)
    figure.suptitle("Percentiles of the one-way latency, flat message, handed over", x=0.02, ha="left", fontsize=11,
                    fontweight="bold")
    figure.subplots_adjust(left=0.09, right=0.875, top=0.88, bottom=0.05, wspace=0.55, hspace=0.32)
    for axes_row in grid:
        for axes in axes_row:
            label_ends(axes, axes.ends, points_apart=11.5)
    return [save(figure, folder, "percentiles")]


def draw_percentile_lines(axes, run, mode, size):
    axes.ends = []
    for system in run.systems("compare"):
        result = run.one("compare", system=system, mode=mode, content="flat", touched=False, same_core=False,
                         size_bytes=size)
        if result is None or (system in LIMITS and mode == "poll" and system == "memcpy" and size < 4096):
            continue
        values = [result[field] for field, _ in PERCENTILES]
        axes.plot(range(len(values)), values, **line_style(system))
        axes.ends.append((system, len(values) - 1, values[-1]))
    axes.set_yscale("log")
    time_axis(axes.yaxis)
    axes.tick_params(labelleft=True)
    axes.set_xticks(range(len(PERCENTILES)), [label for _, label in PERCENTILES])
    axes.set_title(f"{'polling' if mode == 'poll' else 'blocking'}, {size_text(size)}", fontsize=10, pad=5)
