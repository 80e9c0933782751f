"""Every figure, from plain arrays: score maps, detection panels, ROC curves, separability.

Higher score = more anomalous, everywhere. Each function returns a matplotlib ``Figure`` on the
Agg canvas: no display is needed, nothing global is touched, and the caller decides whether to
`save` it, show it in a notebook or add to it.

In maps [H, W] a NaN means "no data here" and is drawn grey; scores are normalised over the
remaining pixels. Infinities are refused. Maps of the same scene have the same [H, W].
"""

from __future__ import annotations

import math
import os
import secrets
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from lren_tf import metrics
from lren_tf.errors import InputError
from lren_tf.metrics import BoxWhisker, RocCurve

__all__ = [
    "detection_grid",
    "detection_panel",
    "pf_tau_curves",
    "roc_curves",
    "roc_grid",
    "save",
    "score_map",
    "separability",
]

DPI = 150

SCORE_LABEL = "score (higher = more anomalous)"
UNIT_SCORE_LABEL = "normalised score (higher = more anomalous)"

PF_FLOOR = 1e-4
"""Left end of the logarithmic Pf axis: one false alarm in a 100 x 100 scene."""

# Okabe and Ito's palette, told apart under every common colour vision; its yellow and black are
# left out (too faint on white; reads as an axis). Line styles change along with the colour, so that
# curves lying on each other all show and grey prints can be read.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINE_STYLES = ("-", "--", "-.", ":")
ANOMALY_COLOUR = "#CC3311"  # a red and a blue that differ in lightness too
BACKGROUND_COLOUR = "#0077BB"
NO_DATA_COLOUR = "#9E9E9E"

_TITLE, _LABEL, _TICK = 10, 9, 8  # points

# A scene longer than this many times its width is drawn with stretched pixels: at true
# proportions a strip would be a line too thin to see.
_LONGEST_BOX = 6.0

# What a stretch in float32 may overshoot by.
_RGB_SLACK = 1e-6

_SCORES = colormaps["viridis"].with_extremes(bad=NO_DATA_COLOUR)
_TRUTH = ListedColormap(["black", "white"]).with_extremes(bad=NO_DATA_COLOUR)


# --- maps -----------------------------------------------------------------------------------


def score_map(score: npt.ArrayLike, title: str | None = None) -> Figure:
    """One score map [H, W] with its own scale, axes in pixels and a colour bar."""
    values = _map(score, "score")
    box = _box_aspect(values.shape)
    width, height = _panel_size(box, area=16.0)
    figure = _figure(width + 1.6, height + 1.0, "compressed")
    axes = figure.add_subplot()
    picture = _draw(axes, values, cmap=_SCORES)
    stretched = _stretched(values.shape)
    axes.set_xlabel(f"column (pixels{', not to scale' if stretched else ''})", fontsize=_LABEL)
    axes.set_ylabel("row (pixels)", fontsize=_LABEL)
    axes.tick_params(labelsize=_TICK)
    # Whole numbers only: there is no pixel 0.5.
    most = max(1, min(8, int(height / 0.3)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=max(1, min(8, int(width / 0.5))), integer=True, min_n_ticks=1)
    )
    if title is not None:
        axes.set_title(_wrapped(title, width + 1.0), fontsize=_TITLE)
    _colour_bar(figure, picture, axes, SCORE_LABEL, under=box < 0.5)
    return figure


def detection_panel(
    rgb: npt.ArrayLike, truth: npt.ArrayLike | None, maps: Mapping[str, npt.ArrayLike]
) -> Figure:
    """One scene: pseudo-colour, truth, then every map on one shared normalised scale.

    :param rgb: [H, W, 3], unsigned 8-bit, or fractions in [0, 1].
    :param truth: [H, W], non-zero marks an anomaly; None where there is none.
    :param maps: label -> score map [H, W], in the order they are drawn.
    """
    panels = _panels(rgb, truth, maps, "the scene")
    box = _box_aspect(panels["pseudo-colour"].shape[:2])
    # Long scenes lie under each other, tall ones stand side by side.
    most = int(np.clip(round(5 * box), 1, 12))
    rows = math.ceil(len(panels) / most)
    columns = math.ceil(len(panels) / rows)
    width, height = _panel_size(box, area=4.4)
    figure = _figure(columns * (width + 0.1) + 0.9, rows * (height + 0.3) + 0.2, "compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    picture = None
    for axes, (label, values) in zip(grid.flat, panels.items(), strict=False):
        drawn = _draw_panel(axes, label, values)
        axes.set_title(_wrapped(label, width), fontsize=_LABEL)
        picture = drawn if label in maps else picture
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    _colour_bar(figure, picture, grid.ravel()[: len(panels)].tolist(), UNIT_SCORE_LABEL)
    if _stretched(panels["pseudo-colour"].shape):
        figure.supxlabel("pixels not to scale", fontsize=_TICK)
    return figure


def detection_grid(
    rows: Sequence[tuple[str, npt.ArrayLike, npt.ArrayLike | None, Mapping[str, npt.ArrayLike]]],
) -> Figure:
    """Several scenes, one row each, one column for each label, one shared normalised scale.

    :param rows: (name, rgb [H, W, 3], truth [H, W] or None, label -> map [H, W]) for each
        scene; the scenes may differ in size, and a label that a scene lacks leaves a gap.
    """
    if not rows:
        raise InputError("rows is empty; expected at least one scene; pass a (name, rgb, ...) row.")
    scenes = [(name, _panels(rgb, truth, maps, name)) for name, rgb, truth, maps in rows]
    labels = list(dict.fromkeys(label for _, panels in scenes for label in panels))
    # A scene without truth must not push the truth column behind the maps.
    labels.sort(key=lambda label: _FIXED_ORDER.get(label, len(_FIXED_ORDER)))
    boxes = [_box_aspect(panels["pseudo-colour"].shape[:2]) for _, panels in scenes]
    # Every column has one width, so the heights carry the shapes; strips bound both ways.
    width = float(np.clip(10.0 / len(labels), 1.2, 2.0))
    heights = [width * min(box, 2.5) for box in boxes]
    height = max(2.4, sum(heights) + 0.12 * len(rows) + 0.5)  # room for the colour bar's label
    figure = _figure(len(labels) * (width + 0.1) + 1.4, height, "compressed")
    grid = figure.subplots(
        len(scenes), len(labels), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    picture = None
    for row, height, (name, panels) in zip(grid, heights, scenes, strict=True):
        for axes, label in zip(row, labels, strict=True):
            if label in panels:
                drawn = _draw_panel(axes, label, panels[label])
                picture = picture if label in _FIXED_ORDER else drawn
            else:
                axes.set_axis_off()
                axes.text(
                    0.5, 0.5, "none", ha="center", va="center", fontsize=_TICK, color="0.4",
                    transform=axes.transAxes,
                )  # fmt: skip
        note = "\n(not to scale)" if _stretched(panels["pseudo-colour"].shape) else ""
        if height < 0.8:  # too low for a name that reads upwards
            row[0].set_ylabel(
                _wrapped(name, 0.8) + note, fontsize=_LABEL, rotation=0, ha="right", va="center"
            )
        else:
            row[0].set_ylabel(_wrapped(name, height) + note, fontsize=_LABEL)
    for axes, label in zip(grid[0], labels, strict=True):
        axes.set_title(_wrapped(label, width), fontsize=_LABEL)
    _colour_bar(figure, picture, grid.ravel().tolist(), UNIT_SCORE_LABEL)
    return figure


# --- curves ---------------------------------------------------------------------------------


def roc_curves(curves: Mapping[str, RocCurve]) -> Figure:
    """Pd against Pf for every label, Pf logarithmic from 1e-4 to 1, with the area in the legend.

    Points at Pf < 1e-4 lie on the left edge; the grey dotted line is chance, Pd = Pf.
    """
    _some(curves, "curves")
    figure = _figure(5.2, 4.0 + _legend_height(len(curves) + 1))
    _draw_roc(figure.add_subplot(), curves, _styles(curves))
    return figure


def roc_grid(scenes: Mapping[str, Mapping[str, RocCurve]]) -> Figure:
    """`roc_curves` for several scenes, one panel each; a label keeps its colour throughout."""
    _some(scenes, "scenes")
    for name, curves in scenes.items():
        _some(curves, f"scenes[{name!r}]")
    styles = _styles(dict.fromkeys(label for curves in scenes.values() for label in curves))
    columns = math.ceil(math.sqrt(len(scenes)))
    rows = math.ceil(len(scenes) / columns)
    longest = max(len(curves) for curves in scenes.values())
    figure = _figure(columns * 4.6, rows * (3.6 + _legend_height(longest + 1)))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, curves) in zip(grid.flat, scenes.items(), strict=False):
        _draw_roc(axes, curves, styles)
        axes.set_title(name, fontsize=_TITLE)
    for axes in grid.flat[len(scenes) :]:
        axes.remove()
    return figure


def pf_tau_curves(curves: Mapping[str, RocCurve]) -> Figure:
    """Pf against the threshold tau on the normalised scores; the area is AUC(Pf,tau)."""
    _some(curves, "curves")
    figure = _figure(5.2, 4.0 + _legend_height(len(curves)))
    axes = figure.add_subplot()
    styles = _styles(curves)
    for label, curve in curves.items():
        # Pf holds from just above the next lower score up to the score itself.
        axes.step(
            curve.tau[::-1], curve.pf[::-1], where="pre", linewidth=1.6, **styles[label],
            label=f"{label} (AUC {curve.auc_pf_tau:.4f})",
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("threshold τ on the normalised score", fontsize=_LABEL)
    axes.set_ylabel("false-alarm probability Pf", fontsize=_LABEL)
    _finish(axes)
    return figure


def separability(boxes: Mapping[str, BoxWhisker]) -> Figure:
    """Background (blue) beside anomaly (red) for every label, from `metrics.box_whisker`.

    Boxes span the quartiles with the median marked, whiskers the 10th to the 90th percentile.
    """
    _some(boxes, "boxes")
    figure = _figure(max(4.2, 1.2 + 0.75 * len(boxes)), 4.2)
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
    axes.set_ylabel(UNIT_SCORE_LABEL, fontsize=_LABEL)
    axes.set_title(
        f"boxes: quartiles and median; whiskers: {low:g}th to {high:g}th percentile",
        fontsize=_TICK, color="0.3",
    )  # fmt: skip
    axes.tick_params(labelsize=_TICK)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    # Above the axes: inside, some box would always be under it.
    figure.legend(loc="outside upper center", ncols=2, fontsize=_TICK, frameon=False)
    return figure


# --- files ----------------------------------------------------------------------------------


def save(
    figure: Figure, path: str | os.PathLike[str], formats: Iterable[str] = ("png",)
) -> list[Path]:
    """Write ``figure`` once for each format and return the paths, in that order.

    ``path`` may carry one of the formats as its suffix; every file is that stem plus its own
    suffix. All files are first written whole under temporary names in the same folder and only
    then renamed, so an interrupted or failed call leaves earlier files as they were.
    """
    known = figure.canvas.get_supported_filetypes()
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [f for f in formats if f not in known]
    if unknown or not formats:
        raise InputError(
            f"formats is {formats!r}; expected one or more of {', '.join(sorted(known))}; "
            "name them without a dot."
        )
    path = Path(path)
    suffix = path.suffix[1:].lower()
    if suffix in formats:
        path = path.with_suffix("")
    elif suffix in known:
        raise InputError(
            f"{path} ends in .{suffix} but formats is {formats!r}; expected them to agree; "
            f"pass formats=({suffix!r},) or leave the suffix out."
        )
    if not path.name or not path.parent.is_dir():
        raise InputError(
            f"{str(path)!r} was given to write to; expected a file name in an existing folder; "
            "create the folder first."
        )
    targets = [path.with_name(f"{path.name}.{f}") for f in formats]
    # Not tempfile: its files are private to their owner, and a rename keeps that.
    token = secrets.token_hex(4)
    temporary = [t.with_name(f".{t.name}.{token}.tmp") for t in targets]
    try:
        for name, kind in zip(temporary, formats, strict=True):
            with open(name, "xb") as stream:
                figure.savefig(stream, format=kind, dpi=DPI, metadata=_UNDATED.get(kind))
        for name, target in zip(temporary, targets, strict=True):
            os.replace(name, target)
    finally:
        for name in temporary:
            name.unlink(missing_ok=True)
    return targets


# Without a date the same figure gives the same bytes, and a committed one no false difference.
_UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


# --- helpers --------------------------------------------------------------------------------

_FIXED_ORDER = {"pseudo-colour": 0, "truth": 1}


def _figure(width: float, height: float, layout: str = "constrained") -> Figure:
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _map(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """``values`` as [H, W] float64 with NaN where there is no data, or a refusal."""
    try:
        array = np.ma.asarray(values)
    except ValueError as error:
        raise InputError(
            f"{name} does not form one array ({error}); expected rows of equal length; "
            "pass a numeric map."
        ) from error
    if array.dtype.kind not in "buif":
        raise InputError(
            f"{name} has dtype {array.dtype}; expected real numbers; pass a numeric map."
        )
    if array.ndim != 2 or array.size == 0:
        raise InputError(
            f"{name} has shape {array.shape}; expected rows × columns, both at least 1; "
            "reshape the scores to the scene before drawing them."
        )
    array = array.astype(np.float64).filled(np.nan)
    infinite = int(np.count_nonzero(np.isinf(array)))
    if infinite or np.isnan(array).all():
        raise InputError(
            f"{name} holds {infinite} infinite and {int(np.isnan(array).sum())} NaN values of "
            f"{array.size}; expected finite scores, NaN only where there is no data; "
            "replace the others."
        )
    return array


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[H, W] normalised over the pixels that hold data."""
    unit = np.full_like(values, np.nan)
    data = ~np.isnan(values)
    unit[data] = metrics.normalise(values[data])
    return unit


def _truth(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """[H, W] with 0, 1, or NaN where there is no data."""
    array = _map(values, name)
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
) -> dict[str, np.ndarray]:
    """The checked pictures of one scene by label: pseudo-colour, truth, normalised maps."""
    _some(maps, f"maps of {name}")
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
        panels[label] = _unit(_map(values, f"map {label!r} of {name}"))
    size = panels["pseudo-colour"].shape[:2]
    for label, values in panels.items():
        if values.shape[:2] != size:
            raise InputError(
                f"{label!r} of {name} has {values.shape[0]} × {values.shape[1]} pixels and its "
                f"rgb {size[0]} × {size[1]}; expected one size for a scene; crop them alike."
            )
    return panels


def _box_aspect(shape: tuple[int, ...]) -> float:
    """Height over width that a picture of this [H, W] is drawn with."""
    return float(np.clip(shape[0] / shape[1], 1 / _LONGEST_BOX, _LONGEST_BOX))


def _stretched(shape: tuple[int, ...]) -> bool:
    """Whether `_box_aspect` drew the pixels of this [H, W] other than square."""
    return not math.isclose(_box_aspect(shape), shape[0] / shape[1])


def _wrapped(label: str, width: float) -> str:
    """``label`` broken at blanks to fit ``width`` inches of `_LABEL`-sized type."""
    return textwrap.fill(label, max(6, int(width / 0.08)), break_long_words=False)


def _panel_size(box: float, area: float) -> tuple[float, float]:
    """Width and height in inches of a picture with this aspect and area."""
    width = math.sqrt(area / box)
    return width, width * box


def _draw(axes: Axes, values: np.ndarray, **style: object) -> AxesImage:
    box = _box_aspect(values.shape[:2])
    # "antialiased" blends pixels when the picture is smaller than the map, where "nearest"
    # would drop single anomalous pixels.
    return axes.imshow(
        values,
        aspect=box * values.shape[1] / values.shape[0],
        interpolation="antialiased",
        **style,
    )


def _draw_panel(axes: Axes, label: str, values: np.ndarray) -> AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    if label == "pseudo-colour":
        return _draw(axes, values)
    return _draw(axes, values, cmap=_TRUTH if label == "truth" else _SCORES, vmin=0.0, vmax=1.0)


def _colour_bar(
    figure: Figure, picture: AxesImage, axes: Axes | list[Axes], label: str, *, under: bool = False
) -> None:
    height = figure.get_size_inches()[1]
    if not under and height < 3.6:
        label = label.replace(" (", "\n(")  # on one line it would be longer than the bar
    bar = figure.colorbar(
        picture,
        ax=axes,
        location="bottom" if under else "right",
        fraction=0.06,
        pad=0.02,
        aspect=30,
    )
    bar.set_label(label, fontsize=_LABEL)
    bar.ax.tick_params(labelsize=_TICK)


def _some(items: Mapping[str, object], name: str) -> None:
    if not items:
        raise InputError(f"{name} is empty; expected at least one labelled entry; pass one.")


def _styles(labels: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour and line style of each label, different for the first 24."""
    colours, lines = len(COLOURS), len(LINE_STYLES)
    # The two cycles meet after 12 labels; one step aside gives 12 further pairs.
    return {
        label: {
            "color": COLOURS[i % colours],
            "linestyle": LINE_STYLES[(i + i // math.lcm(colours, lines)) % lines],
        }
        for i, label in enumerate(labels)
    }


def _draw_roc(
    axes: Axes, curves: Mapping[str, RocCurve], styles: Mapping[str, dict[str, str]]
) -> None:
    chance = np.geomspace(PF_FLOOR, 1, 200)
    axes.plot(chance, chance, color="0.6", linestyle=":", linewidth=1.0, label="chance")
    for label, curve in curves.items():
        pf, pd = _log_ready(curve)
        axes.plot(
            pf, pd, linewidth=1.6, **styles[label],
            label=f"{label} (AUC {curve.auc_pd_pf:.4f})",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(PF_FLOOR, 1)
    axes.set_ylim(0, 1.005)
    axes.set_xlabel("false-alarm probability Pf", fontsize=_LABEL)
    axes.set_ylabel("detection probability Pd", fontsize=_LABEL)
    _finish(axes)


def _log_ready(curve: RocCurve) -> tuple[np.ndarray, np.ndarray]:
    """Pf and Pd of the curve, ready for a logarithmic Pf axis.

    A tie across the classes is a straight chord in Pf, hence a bend on a logarithmic axis: points
    on the chords keep its shape. Pf = 0 has no logarithm and is put left of the visible range.
    """
    grid = np.geomspace(PF_FLOOR, 1, 400)[1:-1]
    after = np.searchsorted(curve.pf, grid, side="right")
    before = after - 1
    share = (grid - curve.pf[before]) / (curve.pf[after] - curve.pf[before])
    chord = curve.pd[before] + share * (curve.pd[after] - curve.pd[before])
    pf = np.insert(curve.pf, after, grid)
    pd = np.insert(curve.pd, after, chord)
    return np.maximum(pf, PF_FLOOR / 10), pd


def _legend_height(entries: int) -> float:
    """Inches that a legend of two columns takes."""
    return 0.3 + 0.18 * math.ceil(entries / 2)


def _finish(axes: Axes) -> None:
    axes.tick_params(labelsize=_TICK)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    # Below the axes: good detectors fill one corner and poor ones another, so none is free.
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=_TICK - 1, frameon=False
    )
