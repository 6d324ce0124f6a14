"""The plots of scale.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import matplotlib.pyplot as plt

from results import OURS, name_of, number_text, size_text
from style import category_axis, colour, label_ends, line_style, save, time_axis

TIME = {"publish_p50_ns": "publish(), p50", "latency_p50_ns": "publish to callback, p50",
        "latency_p999_ns": "publish to callback, p99.9", "last_p50_ns": "the last one reached, p50",
        "cpu_ns_per_message": "CPU time per message"}
PLAIN = {"syscalls_per_message": "system calls per message", "messages_per_s": "messages/s", "bytes_per_s": "GB/s"}


def draw_scale(run, folder):
    drawn = []
    for awake, name in ((True, "awake"), (False, "asleep")):
        fields = ["publish_p50_ns", "latency_p50_ns", "last_p50_ns"]
        drawn += draw_curves(run, folder, f"subscribers-{name}", f"Subscribers on a topic, {name}", fields,
                             sweep="subscribers", awake=awake)
    drawn += draw_curves(run, folder, "topics", "Topics, two subscribers each, 100 Hz",
                         ["latency_p50_ns", "latency_p999_ns", "cpu_ns_per_message"], sweep="topics")
    drawn += draw_curves(run, folder, "publishers", "Publishers on a topic",
                         ["publish_p50_ns", "latency_p50_ns", "latency_p999_ns"], sweep="publishers")
    drawn += draw_curves(run, folder, "cost", "What a message costs, by subscribers",
                         ["cpu_ns_per_message", "syscalls_per_message"], sweep="subscribers", awake=False)
    drawn += draw_rate(run, folder)
    return drawn


def smallest(results):
    """Those of the smallest message: the others stand in the tables."""
    sizes = [result.get("size_bytes", 0) for result in results]
    return [result for result in results if result.get("size_bytes", 0) == min(sizes)] if results else []


def draw_curves(run, folder, name, title, fields, **wanted):
    results = smallest(run.find("scale", **wanted))
    fields = [field for field in fields if any(field in result for result in results)]
    if not fields:
        return []
    figure, row = plt.subplots(1, len(fields), figsize=(8.6, 3.4), squeeze=False)
    for axes, field in zip(row[0], fields):
        draw_lines(axes, run, results, field, wanted["sweep"])
    size = results[0].get("size_bytes")
    figure.suptitle(title + (f", {size_text(size)}" if size else ""), x=0.02, ha="left", fontsize=11,
                    fontweight="bold")
    figure.subplots_adjust(left=0.075, right=0.895, top=0.80, bottom=0.13, wspace=0.95)
    for axes in row[0]:
        label_ends(axes, axes.ends, points_apart=11)
    return [save(figure, folder, name)]


def draw_lines(axes, run, results, field, x_label):
    axes.ends = []
    xs_all = set()
    for system in run.systems("scale"):
        points = sorted((r["x"], r[field]) for r in results if r["system"] == system and field in r)
        if not points:
            continue
        xs, ys = zip(*points)
        axes.plot(xs, ys, **line_style(system))
        axes.ends.append((system, xs[-1], ys[-1]))
        xs_all.update(xs)
    axes.set_xscale("log", base=2)
    category_axis(axes.xaxis, sorted(xs_all), lambda value: f"{value:g}", apart=0.16)
    axes.set_xlabel(x_label)
    axes.set_title(TIME.get(field) or PLAIN[field], fontsize=9.5, pad=5)
    if field in TIME:
        axes.set_yscale("log")
        time_axis(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)


def draw_rate(run, folder):
    """What comes through at most: messages of 64 B, gigabytes of 1 MiB."""
    results = run.find("scale", sweep="rate")
    sizes = sorted({result["size_bytes"] for result in results})
    if not sizes:
        return []
    figure, row = plt.subplots(1, len(sizes), figsize=(8.6, 2.8), squeeze=False)
    for axes, size in zip(row[0], sizes):
        field, unit, divisor = ("messages_per_s", "million messages/s", 1e6) if size < 65_536 else (
            "bytes_per_s", "GB/s handed over", 1e9)
        best = {}
        for result in results:
            if result["size_bytes"] == size and field in result:
                best[result["system"]] = max(best.get(result["system"], 0), result[field] / divisor)
        draw_best(axes, best, f"{size_text(size)}: {unit}")
    figure.suptitle("Highest rate that comes through", x=0.02, ha="left", fontsize=11, fontweight="bold")
    figure.subplots_adjust(left=0.10, right=0.97, top=0.78, bottom=0.04, wspace=0.35)
    return [save(figure, folder, "rate")]


def draw_best(axes, best, title):
    order = sorted(best, key=best.get)
    for y, system in enumerate(order):
        axes.barh(y, best[system], height=0.66, color=colour(system), alpha=1 if system == OURS else 0.75)
        axes.text(best[system] * 1.02, y, " " + number_text(best[system]), va="center", fontsize=8.5,
                  fontweight="bold" if system == OURS else "normal")
    axes.set_yticks(range(len(order)), [name_of(system) for system in order])
    axes.set_xlim(0, max(best.values(), default=1) * 1.2)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title, fontsize=9.5, pad=5)
