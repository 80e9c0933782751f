"""Box-and-whisker plots: how far the anomalies' scores lie above the background's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lren_tf.evaluation import metrics
from lren_tf.evaluation.metrics import BoxWhisker
from lren_tf.plots.style import (
    ANOMALY_COLOUR,
    BACKGROUND_COLOUR,
    LABEL,
    TICK,
    TITLE,
    UNIT_SCORE_LABEL,
    need_some,
    new_figure,
)


def separability(boxes: Mapping[str, BoxWhisker]) -> Figure:
    """Background (blue) next to anomaly (red) for every label, from `metrics.box_whisker`.

    Boxes span the quartiles with the median marked, whiskers the 10th to the 90th percentile.

    Args:
        boxes: label -> statistics of the normalised scores.

    Raises:
        InputError: there is no box.
    """
    need_some(boxes, "boxes")
    labels = list(boxes)
    figure = new_figure(max(4.2, 1.2 + 0.75 * len(boxes)), 4.2)
    axes = figure.add_subplot()
    _draw_boxes(axes, boxes, labels)
    _name_ticks(axes, labels, long=9)
    axes.set_ylabel(UNIT_SCORE_LABEL, fontsize=LABEL)
    axes.set_title(_key(), fontsize=TICK, color="0.3")
    # Above the axes: inside, some box would always be under it.
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper center", ncols=2, fontsize=TICK, frameon=False,
    )  # fmt: skip
    return figure


def separability_grid(scenes: Mapping[str, Mapping[str, BoxWhisker]]) -> Figure:
    """`separability` for several scenes, one panel each, under one legend.

    Every panel has the same labels at the same places; one that a scene lacks leaves a gap.

    Args:
        scenes: title -> label -> statistics.

    Raises:
        InputError: there is no scene, or one without a box.
    """
    need_some(scenes, "scenes")
    for name, boxes in scenes.items():
        need_some(boxes, f"scenes[{name!r}]")
    labels = list(dict.fromkeys(label for boxes in scenes.values() for label in boxes))
    columns = math.ceil(math.sqrt(len(scenes)))
    rows = math.ceil(len(scenes) / columns)
    names = 0.06 * max(len(label) for label in labels)  # what slanted labels take below
    figure = new_figure(
        columns * max(2.6, 0.5 + 0.38 * len(labels)) + 0.4, rows * 2.7 + names + 0.6
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for index, (axes, (name, boxes)) in enumerate(zip(grid.flat, scenes.items(), strict=False)):
        _draw_boxes(axes, boxes, labels)
        axes.set_title(name, fontsize=TITLE)
        if index + columns < len(scenes):  # another panel below says which label is where
            axes.set_xticks(np.arange(len(labels)), [""] * len(labels))
        else:
            _name_ticks(axes, labels, long=3)
    for axes in grid.flat[len(scenes) :]:
        axes.remove()
    figure.supylabel(UNIT_SCORE_LABEL, fontsize=LABEL)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside upper center", ncols=2, fontsize=TICK, frameon=False,
        title=_key(), title_fontsize=TICK,
    )  # fmt: skip
    return figure


def _draw_boxes(axes: Axes, boxes: Mapping[str, BoxWhisker], labels: Sequence[str]) -> None:
    """Draw the boxes at the places of their labels, 0 to len(labels) - 1."""
    centres = np.array([labels.index(label) for label in boxes], dtype=float)
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
            boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.45},
            # Not black: where all scores are nearly 0 the median is all that is seen of a box.
            medianprops={"color": colour, "linewidth": 2.2},
            whiskerprops={"color": colour, "linewidth": 1.4},
            capprops={"color": colour, "linewidth": 1.4},
        )  # fmt: skip
        drawn["boxes"][0].set_label(kind)
    for place, label in enumerate(labels):
        if label not in boxes:
            axes.text(place, 0.5, "none", ha="center", va="center", fontsize=TICK, color="0.4")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_ylim(-0.02, 1.02)
    axes.tick_params(labelsize=TICK)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def _name_ticks(axes: Axes, labels: Sequence[str], *, long: int) -> None:
    """Write the labels under their boxes, slanted when one has more letters than ``long``."""
    slanted = max(len(label) for label in labels) > long
    axes.set_xticks(
        np.arange(len(labels)), list(labels), rotation=35 if slanted else 0,
        ha="right" if slanted else "center", rotation_mode="anchor" if slanted else "default",
    )  # fmt: skip


def _key() -> str:
    low, _, _, _, high = metrics.BOX_PERCENTILES
    return f"boxes: quartiles and median; whiskers: {low:g}th to {high:g}th percentile"
