"""The plots of heap.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import matplotlib.pyplot as plt

from points import heap_point, heap_text, is_churn, is_growth
from results import ALLOCATORS, OURS, number_text, time_text
from style import colour, label_ends, line_style, save, time_axis

PERCENTILES = [("p50_ns", "p50"), ("p99_ns", "p99"), ("p999_ns", "p99.9"), ("p99999_ns", "p99.999"),
               ("max_ns", "max")]


def draw_heap(run, folder):
    results = run.results["heap"]
    drawn = []
    drawn += draw_bars(folder, "heap-churn", "Small blocks, churn (p50)", list(filter(is_churn, results)),
                       "p50_ns", time_text)
    drawn += draw_bars(folder, "heap-growth", "Growing vectors (p50)", list(filter(is_growth, results)), "p50_ns",
                       time_text)
    rest = [result for result in results if not is_churn(result) and not is_growth(result)]
    drawn += draw_worst(folder, results)
    spare = [dict(result, ratio=result["resident_bytes"] / result["used_bytes"]) for result in rest
             if result.get("used_bytes") and result.get("resident_bytes")]
    drawn += draw_bars(folder, "heap-fragmentation", "Resident memory for each byte in use", spare, "ratio",
                       number_text)
    return drawn


def draw_bars(folder, name, title, results, field, text):
    """A panel for each kind of work, a bar for each allocator."""
    points = list(dict.fromkeys(heap_point(result) for result in results))
    if not points:
        return []
    columns = min(3, len(points))
    rows = -(-len(points) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(8.6, 0.6 + 1.55 * rows), squeeze=False)
    for axes in grid.flat[len(points):]:
        axes.set_visible(False)
    for axes, point in zip(grid.flat, points):
        chosen = {r["allocator"]: r for r in results if heap_point(r) == point}
        order = [allocator for allocator in reversed(ALLOCATORS) if allocator in chosen]
        longest = max(chosen[allocator][field] for allocator in order)
        for y, allocator in enumerate(order):
            value = chosen[allocator][field]
            axes.barh(y, value, height=0.66, color=colour(allocator), alpha=1 if allocator == OURS else 0.75)
            axes.text(value + longest * 0.03, y, text(value), va="center", fontsize=8,
                      fontweight="bold" if allocator == OURS else "normal")
        axes.set_yticks(range(len(order)), order, fontsize=8.5)
        axes.set_xlim(0, longest * 1.4 or 1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(heap_text(next(iter(chosen.values()))), fontsize=9, pad=3)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    figure.subplots_adjust(left=0.085, right=0.99, top=1 - 0.62 / (0.6 + 1.55 * rows), bottom=0.03, wspace=0.35,
                           hspace=0.4)
    return [save(figure, folder, name)]


def draw_worst(folder, results):
    """From the median to the slowest call: at most four kinds of work, with one thread where there is a choice."""
    chosen = {}
    for result in results:
        if "p99999_ns" in result and not is_growth(result):
            chosen.setdefault(result["workload"], heap_point(result))
    points = list(chosen.values())[:4]
    if not points:
        return []
    figure, row = plt.subplots(1, len(points), figsize=(8.6, 3.4), squeeze=False, sharey=True)
    for axes, point in zip(row[0], points):
        axes.ends = []
        for allocator in ALLOCATORS:
            found = [r for r in results if r["allocator"] == allocator and heap_point(r) == point]
            values = [max(found[0][field], 1) for field, _ in PERCENTILES if field in found[0]] if found else []
            if values:
                axes.plot(range(len(values)), values, **line_style(allocator))
                axes.ends.append((allocator, len(values) - 1, values[-1]))
        axes.set_yscale("log")
        time_axis(axes.yaxis)
        axes.set_xticks(range(len(PERCENTILES)), [label for _, label in PERCENTILES], fontsize=7.5, rotation=30)
        axes.set_title(point[0], fontsize=9.5, pad=5)
    figure.suptitle("Time of a single call, to the slowest", x=0.02, ha="left", fontsize=11, fontweight="bold")
    figure.subplots_adjust(left=0.08, right=0.90, top=0.80, bottom=0.14, wspace=0.55)
    for axes in row[0]:
        label_ends(axes, axes.ends, points_apart=11)
    return [save(figure, folder, "heap-worst")]
