"""AUC(Pd,Pf) against the time that a detector takes."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from lren_tf.plots.style import COLOURS, LABEL, TICK, need_some, new_figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def auc_against_seconds(points: Mapping[str, tuple[float, float]]) -> Figure:
    """AUC(Pd,Pf) against seconds, which are logarithmic: one mark for every label.

    Args:
        points: seconds, above 0, and area by label.

    Raises:
        InputError: there is no point.
    """
    need_some(points, "points")
    figure = new_figure(6.4, max(3.2, 0.9 + 0.2 * len(points)))
    axes = figure.add_subplot()
    for number, (label, (seconds, area)) in enumerate(points.items()):
        # 7 colours and 8 marks have no common divisor, so every pair comes up.
        axes.plot(
            seconds, area, marker=_MARKERS[number % len(_MARKERS)], markersize=7, linestyle="",
            color=COLOURS[number % len(COLOURS)], label=label,
        )  # fmt: skip
    axes.set_xscale("log")
    # Plain numbers at 1, 2 and 5: by default powers of ten stand on top of each other.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("seconds", fontsize=LABEL)
    axes.set_ylabel("AUC(Pd,Pf)", fontsize=LABEL)
    axes.tick_params(labelsize=TICK)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside right upper", fontsize=TICK, frameon=False)
    return figure
