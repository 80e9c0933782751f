"""Box-and-whisker plots: how far the anomalies' scores lie above the background's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lren_tf import metrics
from lren_tf.metrics import BoxWhisker
from lren_tf.plots.style import (
    ANOMALY_COLOUR,
    BACKGROUND_COLOUR,
    LABEL,
    TICK,
    UNIT_SCORE_LABEL,
    need_some,
    new_figure,
)


def separability(boxes: Mapping[str, BoxWhisker]) -> Figure:
    """Background (blue) beside anomaly (red) for every label, from `metrics.box_whisker`.

    Boxes span the quartiles with the median marked, whiskers the 10th to the 90th percentile.
    """
    need_some(boxes, "boxes")
    figure = new_figure(max(4.2, 1.2 + 0.75 * len(boxes)), 4.2)
    axes = figure.add_subplot()
    centres = np.arange(len(boxes), dtype=float)
    low, _, _, _, high = metrics.BOX_PERCENTILES
    classes = (("background", BACKGROUND_COLOUR, -0.18), ("anomaly", ANOMALY_COLOUR, 0.18))
    for kind, colour, shift in classes:
        stats = []
        for box in boxes.values():
            five = getattr(box, kind)
            stats.append(
                {"med": five.median, "q1": five.q1, "q3": five.q3,
                 "whislo": five.low, "whishi": five.high}
            )  # fmt: skip
        drawn = axes.bxp(
            stats, positions=centres + shift, widths=0.3, patch_artist=True, showfliers=False,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.55},
            medianprops={"color": "black", "linewidth": 1.4},
            whiskerprops={"color": colour, "linewidth": 1.4},
            capprops={"color": colour, "linewidth": 1.4},
        )  # fmt: skip
        drawn["boxes"][0].set_label(kind)
    axes.set_xlim(-0.6, len(boxes) - 0.4)
    axes.set_ylim(-0.02, 1.02)
    long = max(len(label) for label in boxes) > 9
    axes.set_xticks(
        centres, list(boxes), rotation=35 if long else 0, ha="right" if long else "center"
    )
    axes.set_ylabel(UNIT_SCORE_LABEL, fontsize=LABEL)
    axes.set_title(
        f"boxes: quartiles and median; whiskers: {low:g}th to {high:g}th percentile",
        fontsize=TICK, color="0.3",
    )  # fmt: skip
    axes.tick_params(labelsize=TICK)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    # Above the axes: inside, some box would always be under it.
    figure.legend(loc="outside upper center", ncols=2, fontsize=TICK, frameon=False)
    return figure

