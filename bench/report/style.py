"""How the plots look: colours that the colour-blind can tell apart, names beside the lines.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import math

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from results import LIMITS, OURS, name_of, size_text, time_text

COLOURS = {
    OURS: "#d1450b",
    "iceoryx": "#0072b2",
    "iceoryx2": "#3fa7dc",
    "cyclonedds": "#00795a",
    "fastdds": "#b5559a",
    "zeromq": "#9a7400",
    "glibc": "#0072b2",
    "mimalloc": "#00795a",
    "jemalloc": "#b5559a",
}
LIMIT = "#8a8f98"
INK = "#22262d"
FAINT = "#e4e7ec"
MARKERS = {OURS: "o", "iceoryx": "s", "iceoryx2": "D", "cyclonedds": "^", "fastdds": "v", "zeromq": "P"}

plt.rcParams.update({
    "svg.hashsalt": "agnocast",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b9bec7",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "white",
    "figure.dpi": 100,
})


def line_style(system):
    if system in LIMITS:
        return {"color": LIMIT, "linestyle": (0, (4, 3)), "linewidth": 1.3, "zorder": 2}
    style = {"color": COLOURS.get(system, INK), "marker": MARKERS.get(system, "o"), "zorder": 3,
             "linewidth": 1.6, "markersize": 4.5}
    if system == OURS:
        style.update(linewidth=3, markersize=6.5, zorder=5)
    return style


def colour(system):
    return LIMIT if system in LIMITS else COLOURS.get(system, INK)


def time_axis(axis):
    """Logarithmic, in units that people use; call it when the lines are drawn."""
    low, high = axis.get_view_interval()
    if high / low < 12:  # less than a decade would make mountains of small differences
        widen = (12 * low / high) ** 0.5
        low, high = low / widen, high * widen
        axis.axes.set_ylim(low, high)
    subs = (1,) if high / low > 120 else (1, 2, 5)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda ns, _: plain_time(ns)))
    axis.set_minor_locator(NullLocator())
    axis.axes.grid(axis=axis.axis_name, color=FAINT, linewidth=0.8)


def plain_time(ns):
    """Like time_text, without digits that say nothing: 10 µs."""
    return time_text(ns).replace(".00 ", " ").replace(".0 ", " ").replace("0.10 ", "0.1 ")


def category_axis(axis, values, text, apart=0.0):
    """Logarithmic, with marks at values only; of neighbours nearer than that part of the axis, the bigger stays."""
    shown = []
    for value in reversed(values):
        span = math.log(values[-1] / values[0]) or 1
        if not shown or math.log(shown[-1] / value) >= apart * span:
            shown.append(value)
    axis.set_major_locator(FixedLocator(shown))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def size_axis(axis, sizes):
    category_axis(axis, sizes, lambda value: size_text(int(value)))


def label_ends(axes, ends, points_apart=13):
    """Writes each name beside the end of its line, and moves names apart that would meet.

    `ends` are (system, x, y) in data; call it when the limits of the axes stand.
    """
    figure = axes.figure
    scale = 72 / figure.dpi
    placed = []
    for system, x, y in sorted(ends, key=lambda end: end[2]):
        at = axes.transData.transform((x, y))[1] * scale
        placed.append([at, at, system, x, y])
    for _ in range(200):
        moved = False
        for low, high in zip(placed, placed[1:]):
            overlap = points_apart - (high[0] - low[0])
            if overlap > 0.1:
                low[0] -= overlap / 2
                high[0] += overlap / 2
                moved = True
        if not moved:
            break
    for at, wanted, system, x, y in placed:
        shift = at - wanted
        line = {"arrowstyle": "-", "color": colour(system), "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(name_of(system), (x, y), xytext=(16, shift), textcoords="offset points", va="center",
                      color=colour(system), fontsize=9.5, annotation_clip=False,
                      fontweight="bold" if system == OURS else "normal",
                      arrowprops=line if abs(shift) > 3 else None)


def save(figure, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.svg"
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return name
