"""Spread over seeds: one dot for each run, or a band along a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lren_tf.errors import InputError
from lren_tf.plots.style import LABEL, TICK, TITLE, line_styles, need_some, new_figure

# Half the width that dots of one label are spread over.
_STRIP = 0.22


def strip_plot(
    scenes: Mapping[str, Mapping[str, npt.ArrayLike]],
    reference: Mapping[str, float],
    *,
    measure: str = "AUC(Pd,Pf)",
    marked: int | None = None,
    marked_label: str = "marked",
    reference_label: str = "published",
) -> Figure:
    """A dot for every run, a bar at the median, a dashed line at the published value.

    One panel for each scene, all on one scale. Dots of a label lie next to each other in the order
    of their runs, so that none hides another; NaN is a failed run, which is counted under its label
    instead of drawn.

    Args:
        scenes: values of the runs by scene and label.
        reference: the published value by scene; a scene without one gets no line.
        measure: what the values are.
        marked: index of the run of each label that is drawn as a diamond.
        marked_label: what the diamond is, for the legend.
        reference_label: what the dashed line is, for the legend.

    Raises:
        InputError: there is nothing to draw, or a value is infinite.
    """
    need_some(scenes, "scenes")
    checked: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    for scene, values in scenes.items():
        need_some(values, f"scenes[{scene!r}]")
        checked[scene] = {
            label: _numbers(runs, f"values of {scene}, {label!r}", 1)
            for label, runs in values.items()
        }
    labels = list(dict.fromkeys(label for values in checked.values() for label in values))
    styles = line_styles(labels)
    wide = max(1.5, 0.5 * len(labels) + 0.5)
    figure = new_figure(0.9 + wide * len(checked), 3.6)
    grid = figure.subplots(1, len(checked), squeeze=False, sharey=True)[0]
    for axes, (scene, values) in zip(grid, checked.items(), strict=True):
        for label, runs in values.items():
            _strip(axes, labels.index(label), runs, str(styles[label]["color"]), marked)
        if np.isfinite(reference.get(scene, np.nan)):
            axes.axhline(reference[scene], color="0.25", linestyle="--", linewidth=1.0)
        names = []
        for label in labels:
            failed = int(np.isnan(values[label]).sum()) if label in values else 0
            names.append(f"{label}\n{failed} failed" if failed else label)
        axes.set_xticks(np.arange(len(labels)), names)
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.set_title(scene, fontsize=TITLE)
        _finish(axes)
    grid[0].set_ylabel(measure, fontsize=LABEL)
    keys = [
        _dot("o", "one run"),
        *([] if marked is None else [_dot("D", marked_label)]),
        Line2D([], [], color="0.25", linewidth=2.2, label="median"),
        Line2D([], [], color="0.25", linewidth=1.0, linestyle="--", label=reference_label),
    ]
    _legend(figure, keys)
    return figure


def _strip(
    axes: Axes, place: int, runs: npt.NDArray[np.float64], colour: str, marked: int | None
) -> None:
    shift = np.linspace(-_STRIP, _STRIP, len(runs)) if len(runs) > 1 else np.zeros(1)
    special = np.arange(len(runs)) == (-1 if marked is None else marked)
    for chosen, marker, size in ((~special, "o", 16), (special, "D", 34)):
        axes.scatter(
            place + shift[chosen], runs[chosen], s=size, marker=marker, color=colour, alpha=0.75,
            linewidths=0.6, edgecolors="black" if marker == "D" else "none", zorder=3,
        )  # fmt: skip
    if not np.isnan(runs).all():
        axes.hlines(
            np.nanmedian(runs), place - 0.34, place + 0.34, color=colour, linewidth=2.2, zorder=2
        )


def _dot(marker: str, label: str) -> Line2D:
    edge = "black" if marker == "D" else "0.4"
    return Line2D(
        [], [], linestyle="none", marker=marker, color="0.4", markeredgecolor=edge, label=label
    )


def band_grid(
    parameter: Sequence[float],
    rows: Mapping[str, Mapping[str, Mapping[str, npt.ArrayLike]]],
    marks: Mapping[str, Mapping[str, float]],
    *,
    xlabel: str = "parameter",
    mark_label: str = "published",
) -> Figure:
    """Median, lowest and highest of several runs along a parameter, on a logarithmic axis.

    One row for each measure, one column for each scene; each row has one scale.

    Args:
        parameter: values of the parameter, rising, above 0.
        rows: values ``[runs, parameter]`` by measure, scene and label.
        marks: a value of the parameter to mark by scene and label.
        xlabel: what the parameter is.
        mark_label: what the marks are, for the legend.

    Raises:
        InputError: the parameter does not rise from above 0, or values do not fit it.
    """
    x = _numbers(parameter, "parameter", 1)
    if not (np.all(x > 0) and np.all(np.diff(x) > 0)):
        raise InputError("parameter is not rising from above 0; expected such values, sort them.")
    need_some(rows, "rows")
    scenes = list(dict.fromkeys(scene for panels in rows.values() for scene in panels))
    labels = list(
        dict.fromkeys(
            label for panels in rows.values() for bands in panels.values() for label in bands
        )
    )
    need_some(dict.fromkeys(scenes), "a row of rows")
    need_some(dict.fromkeys(labels), "a panel of rows")
    styles = line_styles(labels)
    figure = new_figure(0.9 + 2.2 * len(scenes), 0.7 + 2.0 * len(rows))
    grid = figure.subplots(len(rows), len(scenes), squeeze=False, sharex=True, sharey="row")
    for line, (measure, panels) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(measure, fontsize=LABEL)
        for axes, scene in zip(line, scenes, strict=True):
            for label, values in panels.get(scene, {}).items():
                runs = _numbers(values, f"values of {scene}, {label!r}", 2)
                if runs.shape[1] != len(x) or not len(runs):
                    raise InputError(
                        f"values of {scene}, {label!r} have shape {runs.shape}; expected runs × "
                        f"{len(x)}, the number of parameters."
                    )
                _band(axes, x, runs, styles[label], marks.get(scene, {}).get(label))
            axes.set_xscale("log")
            _finish(axes)
    for axes, scene in zip(grid[0], scenes, strict=True):
        axes.set_title(scene, fontsize=TITLE)
    for axes in grid[-1]:
        axes.set_xlabel(xlabel, fontsize=LABEL)
    keys = [
        *(Line2D([], [], **styles[label], label=f"{label}: median, range") for label in labels),
        Line2D([], [], color="0.25", linestyle="none", marker="v", label=mark_label),
    ]
    _legend(figure, keys)
    return figure


def _band(
    axes: Axes,
    x: npt.NDArray[np.float64],
    runs: npt.NDArray[np.float64],
    style: Mapping[str, str],
    mark: float | None,
) -> None:
    middle = np.median(runs, axis=0)
    axes.fill_between(
        x, runs.min(axis=0), runs.max(axis=0), color=style["color"], alpha=0.18, linewidth=0
    )
    axes.plot(x, middle, linewidth=1.6, color=style["color"], linestyle=style["linestyle"])
    if mark is not None:
        at = float(np.interp(np.log(mark), np.log(x), middle))
        axes.axvline(mark, color=style["color"], linewidth=0.8, alpha=0.6)
        axes.plot(mark, at, marker="v", markersize=7, color=style["color"], linestyle="none")


def _legend(figure: Figure, keys: Sequence[Line2D]) -> None:
    """Below all panels, in as many columns as fit."""
    width = max(0.5 + 0.075 * len(str(key.get_label())) for key in keys)
    columns = max(1, min(len(keys), int(figure.get_figwidth() / width)))
    figure.legend(
        handles=keys, loc="outside lower center", ncols=columns, fontsize=TICK, frameon=False
    )


def _finish(axes: Axes) -> None:
    axes.tick_params(labelsize=TICK)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def _numbers(values: npt.ArrayLike, name: str, ndim: int) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} do not form one array of numbers ({error}); expected one, pass numbers."
        ) from error
    finite = np.isfinite(array) | (np.isnan(array) if ndim == 1 else False)
    if array.ndim != ndim or array.size == 0 or not finite.all():
        raise InputError(
            f"{name} have shape {array.shape} or hold an infinity; expected {ndim} "
            f"dimension{'s' if ndim > 1 else ''} of finite numbers, at least one."
        )
    return array
