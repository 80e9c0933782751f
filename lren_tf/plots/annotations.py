"""Marks on pictures of a scene: outlined and numbered detections, north arrow, scale bar."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.crs import metres_of_a_unit
from lren_tf.plots.style import TICK

OUTLINE_COLOUR = "#FF00FF"
"""Seen on the colours of scores, on grey and on pictures, under every common colour vision."""
MOST_NUMBERED = 50
"""Detections with a number; more would hide the picture."""


def outline_detections(
    axes: Axes, labels: np.ndarray, places: Sequence[tuple[float, float]] = ()
) -> None:
    """Draw outlines of detections along the edges of their pixels, and their numbers.

    Args:
        axes: with an image of the scene, pixels centred on whole numbers.
        labels: whole numbers ``[H, W]``, 0 for none.
        places: (row, column) of each detection, in the order of the list, the first of which get
            their numbers; none for outlines only.
    """
    padded = np.pad(labels, 1)
    segments: list[list[tuple[float, float]]] = []
    # An edge between two pixels of different detections, or of one and none.
    rows, columns = np.nonzero(padded[1:, :] != padded[:-1, :])
    segments += [[(c - 1.5, r - 0.5), (c - 0.5, r - 0.5)]
                 for r, c in zip(rows, columns, strict=True)]  # fmt: skip
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    segments += [[(c - 0.5, r - 1.5), (c - 0.5, r - 0.5)]
                 for r, c in zip(rows, columns, strict=True)]  # fmt: skip
    lines = LineCollection(segments, colors=OUTLINE_COLOUR, linewidths=0.8)
    lines.set_label("detections")
    axes.add_collection(lines, autolim=False)
    for number, (row, column) in enumerate(places[:MOST_NUMBERED], 1):
        axes.annotate(
            str(number), (column, row), xytext=(3, 3), textcoords="offset points", fontsize=TICK,
            color="white", path_effects=[patheffects.withStroke(linewidth=1.6, foreground="black")],
            clip_on=True,
        )  # fmt: skip


def draw_place(axes: Axes, georeference: Georeference, shape: tuple[int, ...]) -> None:
    """Draw north arrow and scale bar of a scene whose pixels lie on a grid of the map.

    Args:
        axes: with an image of the scene at true proportions.
        georeference: of the scene.
        shape: (H, W).
    """
    middle = georeference.coordinates(shape[0] / 2, shape[1] / 2)
    if georeference.transform is None or middle is None:
        return
    metres = metres_of_a_unit(georeference.crs, middle[1])
    north_and_scale(axes, georeference.transform, (shape[0], shape[1]), metres, "map units")


def north_and_scale(
    axes: Axes,
    transform: Sequence[float],
    shape: tuple[int, int],
    metres: float | None,
    name: str,
) -> None:
    """Draw an arrow to the north of the map and a scale bar into a picture.

    Args:
        axes: with an image of the scene at true proportions.
        transform: of the pixels, as `Georeference.transform`.
        shape: (H, W).
        metres: of one unit of the map, or None where that is not known.
        name: of the unit, where there are no metres of it.
    """
    a, b, _, d, e, _ = transform
    determinant = a * e - b * d
    if determinant == 0:
        return
    # The step in pixels that leads to the north, (x, y) + (0, 1).
    right, down = -b / determinant, a / determinant
    length = math.hypot(right, down)
    size = min(shape) * 0.12
    start = (shape[1] - 1 - 1.6 * size, 1.6 * size)
    ink: dict[str, Any] = {"color": "white", "path_effects": [
        patheffects.withStroke(linewidth=3, foreground="black")
    ]}  # fmt: skip
    tip = (start[0] + right / length * size, start[1] + down / length * size)
    axes.annotate(
        "", xy=tip, xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.6,
                    "path_effects": ink["path_effects"]},
    )  # fmt: skip
    beyond = (start[0] + right / length * size * 1.5, start[1] + down / length * size * 1.5)
    axes.text(*beyond, "N", fontsize=TICK, ha="center", va="center", gid="north", **ink)
    step = math.hypot(a, d) * (1.0 if metres is None else metres)
    whole = max(_round_lengths(0.3 * shape[1] * step))
    at = (0.06 * shape[1], 0.94 * shape[0])
    axes.plot([at[0], at[0] + whole / step], [at[1], at[1]], lw=2.2, solid_capstyle="butt", **ink)
    axes.text(
        at[0] + whole / step / 2, at[1] - 0.02 * shape[0], _told(whole, metres, name),
        fontsize=TICK, ha="center", va="bottom", gid="scale", **ink,
    )  # fmt: skip


def _round_lengths(most: float) -> Iterator[float]:
    """1, 2 or 5 times a power of ten, up to a length."""
    power = 10.0 ** math.floor(math.log10(most))
    yield from (factor * power for factor in (1, 2, 5) if factor * power <= most)


def _told(length: float, metres: float | None, name: str) -> str:
    if metres is None:
        return f"{length:g} {name}".strip()
    return f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
