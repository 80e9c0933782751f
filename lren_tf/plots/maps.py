"""Pictures of scenes: score maps, pseudo-colour and truth, one scale for many detectors.

In maps [H, W] a NaN means "no data here" and is drawn grey; scores are normalised over the
remaining pixels. Infinities are refused. Maps of the same scene have the same [H, W].

Maps are drawn on one of two scales. In decades of the estimated false-alarm rate (`DECADES`),
the colour says what share of the background scores higher, one in 10, 100, 1000, whatever the
distribution of the scores: a bright target does not turn the rest of the picture black, and maps
of different detectors and scenes can be compared. On a `LINEAR` scale the colour is the score.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.evaluation import metrics
from lren_tf.evaluation.decades import false_alarm_decades
from lren_tf.evaluation.score_array import drawn_map
from lren_tf.plots.annotations import draw_place, outline_detections
from lren_tf.plots.colour_bar import LAST_DECADE, colour_bar
from lren_tf.plots.style import (
    LABEL,
    NO_DATA_COLOUR,
    SCORE_LABEL,
    TICK,
    TITLE,
    UNIT_SCORE_LABEL,
    need_some,
    new_figure,
    wrapped,
)

DECADES = "decades"
"""The scale of a map in decades of the estimated false-alarm rate."""
LINEAR = "linear"
"""The scale of a map from its lowest to its highest score."""

# A scene longer than this many times its width is drawn with stretched pixels: at true
# proportions a strip would be a line too thin to see.
_LONGEST_BOX = 6.0

# More panels side by side are too small, and their titles with them, on a page or a screen.
_MOST_COLUMNS = 8

# What a stretch in float32 may overshoot by.
_RGB_SLACK = 1e-6

_SCORES = colormaps["viridis"].with_extremes(bad=NO_DATA_COLOUR)
_TRUTH = ListedColormap(["black", "white"]).with_extremes(bad=NO_DATA_COLOUR)

_FIXED_ORDER = {"pseudo-colour": 0, "truth": 1}


def score_map(
    score: npt.ArrayLike,
    title: str | None = None,
    *,
    scale: str = DECADES,
    calibrated: bool = False,
) -> Figure:
    """One score map, axes in pixels and a colour bar.

    Args:
        score: [H, W]; NaN where there is no data.
        title: of the figure.
        scale: `DECADES`, or `LINEAR`, from the lowest to the highest score.
        calibrated: whether the scores are decades, −log10 of a false-alarm rate, already.

    Raises:
        InputError: the scores are no map of real numbers, or hold an infinity; an unknown scale.
    """
    _check_scale(scale)
    values = drawn_map(score, "score")
    if scale == DECADES and not calibrated:
        values = false_alarm_decades(values)
    box = _box_aspect(values.shape)
    width, height = _panel_size(box, area=16.0)
    figure = new_figure(width + 1.6, height + 1.0, "compressed")
    axes = figure.add_subplot()
    limits = {"vmin": 0.0, "vmax": LAST_DECADE} if scale == DECADES else {}
    picture = _draw(axes, values, cmap=_SCORES, **limits)
    stretched = _stretched(values.shape)
    axes.set_xlabel(f"column (pixels{', not to scale' if stretched else ''})", fontsize=LABEL)
    axes.set_ylabel("row (pixels)", fontsize=LABEL)
    axes.tick_params(labelsize=TICK)
    # Whole numbers only: there is no pixel 0.5.
    most = max(1, min(8, int(height / 0.3)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=max(1, min(8, int(width / 0.5))), integer=True, min_n_ticks=1)
    )
    if title is not None:
        axes.set_title(wrapped(title, width + 1.0), fontsize=TITLE)
    colour_bar(
        figure, picture, axes, SCORE_LABEL, decades=scale == DECADES, under=box < 0.5
    )
    return figure


def detection_panel(
    rgb: npt.ArrayLike,
    truth: npt.ArrayLike | None,
    maps: Mapping[str, npt.ArrayLike],
    *,
    masks: Mapping[str, npt.ArrayLike] | None = None,
    scale: str = DECADES,
    calibrated: Collection[str] = (),
    detected: npt.ArrayLike | None = None,
    numbered: Sequence[tuple[float, float]] = (),
    georeference: Georeference | None = None,
) -> Figure:
    """One scene: pseudo-colour, truth, every map on one shared scale, then the masks.

    Args:
        rgb: [H, W, 3], unsigned 8-bit, or fractions in [0, 1].
        truth: [H, W], non-zero marks an anomaly; None where there is none.
        maps: label -> score map [H, W], in the order they are drawn.
        masks: label -> map [H, W] drawn as the truth is: non-zero marks a detection.
        scale: `DECADES`, or `LINEAR`: every map from its lowest to its highest score.
        calibrated: labels of maps whose scores are decades, −log10 of a false-alarm rate,
            already.
        detected: labels of detections [H, W], 0 for none, outlined in the pseudo-colour picture
            and the maps.
        numbered: (row, column) of the detections that get a number in the picture, in the
            order of the list.
        georeference: of the scene, for a north arrow and a scale bar where its pixels lie on a
            grid of the map and are drawn at true proportions.

    Raises:
        InputError: maps that are no maps of real numbers, or of different shapes; a picture
            outside its range; an unknown scale.
    """
    _check_scale(scale)
    panels = _panels(rgb, truth, maps, "the scene", scale, calibrated)
    for label, values in (masks or {}).items():
        panels[label] = _truth(values, f"mask {label!r}")
    _check_sizes(panels, "the scene")
    box = _box_aspect(panels["pseudo-colour"].shape[:2])
    # Long scenes lie under each other, tall ones stand side by side.
    most = int(np.clip(round(5 * box), 1, 12))
    rows = math.ceil(len(panels) / most)
    columns = math.ceil(len(panels) / rows)
    width, height = _panel_size(box, area=4.4)
    figure = new_figure(columns * (width + 0.1) + 0.9, rows * (height + 0.3) + 0.2, "compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    picture: Any = None
    for axes, (label, values) in zip(grid.flat, panels.items(), strict=False):
        drawn = _draw_panel(axes, label, values, scale, mask=label not in maps)
        axes.set_title(wrapped(label, width), fontsize=LABEL)
        picture = drawn if label in maps else picture
        first = label == "pseudo-colour"
        if detected is not None and (first or label in maps):
            outline_detections(axes, np.asarray(detected), numbered if first else ())
        if first and georeference is not None and not _stretched(panels[label].shape[:2]):
            draw_place(axes, georeference, panels[label].shape[:2])
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    shown = grid.ravel()[: len(panels)].tolist()
    colour_bar(figure, picture, shown, UNIT_SCORE_LABEL, decades=scale == DECADES)
    if _stretched(panels["pseudo-colour"].shape):
        figure.supxlabel("pixels not to scale", fontsize=TICK)
    return figure


def detection_grid(
    rows: Sequence[tuple[str, npt.ArrayLike, npt.ArrayLike | None, Mapping[str, npt.ArrayLike]]],
    *,
    scale: str = DECADES,
    calibrated: Collection[str] = (),
) -> Figure:
    """Several scenes, one row each, one column for each label, one shared scale.

    With more than eight columns every scene takes several lines, and every panel has its title: on
    one line the panels would be too small to read.

    Args:
        rows: (name, rgb [H, W, 3], truth [H, W] or None, label -> map [H, W]) for each
            scene; the scenes may differ in size, and a label that a scene lacks leaves a gap.
        scale: `DECADES`, or `LINEAR`: every map from its lowest to its highest score.
        calibrated: labels of maps whose scores are decades already.

    Raises:
        InputError: no scene; maps of one that are no maps of real numbers, or of different
            shapes; an unknown scale.
    """
    _check_scale(scale)
    if not rows:
        raise InputError("rows is empty; expected at least one scene; pass a (name, rgb, ...) row.")
    scenes = [
        (name, _panels(rgb, truth, maps, name, scale, calibrated))
        for name, rgb, truth, maps in rows
    ]
    for name, panels in scenes:
        _check_sizes(panels, name)
    labels = list(dict.fromkeys(label for _, panels in scenes for label in panels))
    # A scene without truth must not push the truth column behind the maps.
    labels.sort(key=lambda label: _FIXED_ORDER.get(label, len(_FIXED_ORDER)))
    lines = math.ceil(len(labels) / _MOST_COLUMNS)
    columns = math.ceil(len(labels) / lines)
    # Every column has one width, so the heights carry the shapes; strips bound both ways.
    width = float(np.clip(10.0 / columns, 1.2, 2.0))
    boxes = [_box_aspect(panels["pseudo-colour"].shape[:2]) for _, panels in scenes]
    heights = [width * min(box, 2.5) for box in boxes for _ in range(lines)]
    titles = 0.3 * (len(heights) if lines > 1 else 1)
    # At least as high as the colour bar's label is long.
    total = max(2.4, sum(heights) + 0.12 * len(heights) + 0.2 + titles)
    figure = new_figure(columns * (width + 0.1) + 1.4, total, "compressed")
    grid = figure.subplots(
        len(heights), columns, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    if lines > 1:  # so that a title is nearer to its own panel than to the one above
        figure.set_layout_engine("compressed", h_pad=0.08)
    picture: Any = None
    for index, (name, panels) in enumerate(scenes):
        block = grid[index * lines : (index + 1) * lines]
        picture = _draw_scene(block.ravel(), labels, panels, scale) or picture
        for line in block:
            _name_row(line[0], name, heights[index * lines], panels["pseudo-colour"].shape)
    for axes, label in _titled(grid, labels, lines):
        axes.set_title(wrapped(label, width), fontsize=LABEL)
    kept = [axes for block in np.split(grid.ravel(), len(scenes)) for axes in block[: len(labels)]]
    colour_bar(figure, picture, kept, UNIT_SCORE_LABEL, decades=scale == DECADES)
    return figure


def _draw_scene(
    block: np.ndarray, labels: Sequence[str], panels: Mapping[str, np.ndarray], scale: str
) -> AxesImage | None:
    """Draw the panels of one scene; returns the last map."""
    picture = None
    for axes, label in zip(block, labels, strict=False):
        if label in panels:
            drawn = _draw_panel(axes, label, panels[label], scale, mask=label == "truth")
            picture = picture if label in _FIXED_ORDER else drawn
        else:
            axes.set_axis_off()
            axes.text(
                0.5, 0.5, "none", ha="center", va="center", fontsize=TICK, color="0.4",
                transform=axes.transAxes,
            )  # fmt: skip
    for axes in block[len(labels) :]:
        axes.remove()
    return picture


def _name_row(axes: Axes, name: str, height: float, shape: tuple[int, ...]) -> None:
    """Write the scene's name beside the first panel of a line of this height in inches."""
    note = "\n(not to scale)" if _stretched(shape) else ""
    if height < 0.8:  # too low for a name that reads upwards
        axes.set_ylabel(
            wrapped(name, 0.8) + note, fontsize=LABEL, rotation=0, ha="right", va="center"
        )
    else:
        axes.set_ylabel(wrapped(name, height) + note, fontsize=LABEL)


def _titled(grid: np.ndarray, labels: Sequence[str], lines: int) -> list[tuple[Axes, str]]:
    """The panels that carry a title: the top row, or all where a scene takes several lines."""
    if lines == 1:
        return list(zip(grid[0], labels, strict=True))
    blocks = np.split(grid.ravel(), len(grid) // lines)
    return [pair for block in blocks for pair in zip(block, labels, strict=False)]


def _check_scale(scale: str) -> None:
    if scale not in (DECADES, LINEAR):
        raise InputError(f"scale is {scale!r}; expected {DECADES!r} or {LINEAR!r}.")


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[H, W] normalised over the pixels that hold data."""
    unit = np.full_like(values, np.nan)
    data = ~np.isnan(values)
    unit[data] = metrics.normalise(values[data])
    return unit


def _truth(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """[H, W] with 0, 1, or NaN where there is no data."""
    array = drawn_map(values, name)
    return np.where(np.isnan(array), np.nan, array != 0)


def _rgb(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """[H, W, 3] as fractions, grey where there is no data, or a refusal."""
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0 or array.dtype.kind not in "uif":
        raise InputError(
            f"rgb of {name} has shape {array.shape} and dtype {array.dtype}; "
            "expected rows × columns × 3 numbers; choose three bands of the cube."
        )
    fractions = array / 255.0 if array.dtype == np.uint8 else array.astype(np.float64)
    gaps = np.isnan(fractions).any(axis=2)
    low, high = np.min(fractions[~gaps], initial=0.0), np.max(fractions[~gaps], initial=0.0)
    if low < -_RGB_SLACK or high > 1 + _RGB_SLACK:
        raise InputError(
            f"rgb of {name} spans {low:g} to {high:g}; expected fractions in [0, 1] or unsigned "
            "8-bit values; stretch the bands before drawing them."
        )
    fractions = np.clip(fractions, 0.0, 1.0)
    fractions[gaps] = int(NO_DATA_COLOUR[1:3], 16) / 255
    return fractions


def _panels(
    rgb: npt.ArrayLike,
    truth: npt.ArrayLike | None,
    maps: Mapping[str, npt.ArrayLike],
    name: str,
    scale: str,
    calibrated: Collection[str],
) -> dict[str, np.ndarray]:
    """The checked pictures of one scene by label: pseudo-colour, truth, maps to be drawn."""
    need_some(maps, f"maps of {name}")
    taken = [label for label in maps if label in _FIXED_ORDER]
    if taken:
        raise InputError(
            f"maps of {name} has a map called {taken[0]!r}; expected another label, "
            "as that panel exists already; rename it."
        )
    panels: dict[str, np.ndarray] = {"pseudo-colour": _rgb(rgb, name)}
    if truth is not None:
        panels["truth"] = _truth(truth, f"truth of {name}")
    for label, values in maps.items():
        values = drawn_map(values, f"map {label!r} of {name}")
        if scale == LINEAR:
            values = _unit(values)
        elif label not in calibrated:
            values = false_alarm_decades(values)
        panels[label] = values
    return panels


def _check_sizes(panels: Mapping[str, np.ndarray], name: str) -> None:
    size = panels["pseudo-colour"].shape[:2]
    for label, values in panels.items():
        if values.shape[:2] != size:
            raise InputError(
                f"{label!r} of {name} has {values.shape[0]} × {values.shape[1]} pixels and its "
                f"rgb {size[0]} × {size[1]}; expected one size for a scene; crop them alike."
            )


def _box_aspect(shape: tuple[int, ...]) -> float:
    """Height over width that a picture of this [H, W] is drawn with."""
    return float(np.clip(shape[0] / shape[1], 1 / _LONGEST_BOX, _LONGEST_BOX))


def _stretched(shape: tuple[int, ...]) -> bool:
    """Return whether `_box_aspect` drew the pixels of this [H, W] other than square."""
    return not math.isclose(_box_aspect(shape), shape[0] / shape[1])


def _panel_size(box: float, area: float) -> tuple[float, float]:
    """Width and height in inches of a picture with this aspect and area."""
    width = math.sqrt(area / box)
    return width, width * box


def _draw(axes: Axes, values: np.ndarray, **style: Any) -> AxesImage:
    box = _box_aspect(values.shape[:2])
    # "antialiased" blends pixels when the picture is smaller than the map, where "nearest"
    # would drop single anomalous pixels.
    return axes.imshow(
        values,
        aspect=box * values.shape[1] / values.shape[0],
        interpolation="antialiased",
        **style,
    )


def _draw_panel(
    axes: Axes, label: str, values: np.ndarray, scale: str, *, mask: bool
) -> AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    if label == "pseudo-colour":
        return _draw(axes, values)
    if mask:
        return _draw(axes, values, cmap=_TRUTH, vmin=0.0, vmax=1.0)
    highest = LAST_DECADE if scale == DECADES else 1.0
    return _draw(axes, values, cmap=_SCORES, vmin=0.0, vmax=highest)
