"""ROC curves: Pd against Pf, and Pf against the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lren_tf.evaluation.metrics import RocCurve
from lren_tf.plots.style import LABEL, TICK, TITLE, line_styles, need_some, new_figure

PF_FLOOR = 1e-4
"""Left end of the logarithmic Pf axis: one false alarm in a 100 x 100 scene."""


def roc_curves(curves: Mapping[str, RocCurve]) -> Figure:
    """Pd against Pf for every label, Pf logarithmic from 1e-4 to 1, with the area in the legend.

    Points at Pf < 1e-4 lie on the left edge; the grey dotted line is chance, Pd = Pf.

    Args:
        curves: label -> curve, from `metrics.roc_curve`.

    Raises:
        InputError: there is no curve.
    """
    need_some(curves, "curves")
    figure = new_figure(5.2, 4.0 + _legend_height(len(curves) + 1))
    axes = figure.add_subplot()
    _draw_roc(axes, curves, line_styles(curves))
    _legend_with_areas(axes, {label: curve.auc_pd_pf for label, curve in curves.items()})
    return figure


def roc_grid(scenes: Mapping[str, Mapping[str, RocCurve]]) -> Figure:
    """`roc_curves` for several scenes, one panel each, under one legend without areas.

    A label has one colour and line style throughout, whichever scenes it is in.

    Args:
        scenes: title -> label -> curve; a scene may lack a label.

    Raises:
        InputError: there is no scene, or one without a curve.
    """
    return _grid(scenes, _draw_roc)


def pf_tau_curves(curves: Mapping[str, RocCurve]) -> Figure:
    """Pf against the threshold tau on the normalised scores; the area is AUC(Pf,tau).

    Args:
        curves: label -> curve, from `metrics.roc_curve`.

    Raises:
        InputError: there is no curve.
    """
    need_some(curves, "curves")
    figure = new_figure(5.2, 4.0 + _legend_height(len(curves)))
    axes = figure.add_subplot()
    _draw_pf_tau(axes, curves, line_styles(curves))
    _legend_with_areas(axes, {label: curve.auc_pf_tau for label, curve in curves.items()})
    return figure


def pf_tau_grid(scenes: Mapping[str, Mapping[str, RocCurve]]) -> Figure:
    """`pf_tau_curves` for several scenes, one panel each, under one legend without areas.

    Here Pf is logarithmic from 1e-4 to 1: on a linear axis a dozen good detectors overlap in the
    same corner.

    Args:
        scenes: title -> label -> curve; a scene may lack a label.

    Raises:
        InputError: there is no scene, or one without a curve.
    """
    return _grid(scenes, _draw_log_pf_tau)


def _grid(
    scenes: Mapping[str, Mapping[str, RocCurve]],
    draw: Callable[[Axes, Mapping[str, RocCurve], Mapping[str, dict[str, Any]]], None],
) -> Figure:
    need_some(scenes, "scenes")
    for name, curves in scenes.items():
        need_some(curves, f"scenes[{name!r}]")
    styles = line_styles(dict.fromkeys(label for curves in scenes.values() for label in curves))
    columns = math.ceil(math.sqrt(len(scenes)))
    rows = math.ceil(len(scenes) / columns)
    width = columns * 4.6
    across = max(1, int(width / (0.8 + 0.07 * max(len(label) for label in styles))))
    lines = math.ceil((len(styles) + 1) / across)
    figure = new_figure(width, rows * 3.6 + 0.2 + 0.18 * lines)
    grid = figure.subplots(rows, columns, squeeze=False)
    entries: dict[str, Artist] = {}
    for axes, (name, curves) in zip(grid.flat, scenes.items(), strict=False):
        draw(axes, curves, styles)
        axes.set_title(name, fontsize=TITLE)
        entries |= {str(line.get_label()): line for line in axes.lines}
    for axes in grid.flat[len(scenes) :]:
        axes.remove()
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower center",
        ncols=across, fontsize=TICK, frameon=False, handlelength=3.2,
    )  # fmt: skip
    return figure


def _draw_roc(
    axes: Axes, curves: Mapping[str, RocCurve], styles: Mapping[str, dict[str, Any]]
) -> None:
    chance = np.geomspace(PF_FLOOR, 1, 200)
    axes.plot(chance, chance, color="0.6", linestyle=":", linewidth=1.0, label="chance")
    for label, curve in curves.items():
        axes.plot(*_log_ready(curve), linewidth=1.6, **styles[label], label=label)
    axes.set_xscale("log")
    axes.set_xlim(PF_FLOOR, 1)
    axes.set_ylim(0, 1.005)
    axes.set_xlabel("false-alarm probability Pf", fontsize=LABEL)
    axes.set_ylabel("detection probability Pd", fontsize=LABEL)
    _finish(axes)


def _draw_pf_tau(
    axes: Axes, curves: Mapping[str, RocCurve], styles: Mapping[str, dict[str, Any]]
) -> None:
    for label, curve in curves.items():
        # Pf holds from just above the next lower score up to the score itself.
        axes.step(
            curve.tau[::-1], curve.pf[::-1], where="pre", linewidth=1.6, **styles[label],
            label=label,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("threshold τ on the normalised score", fontsize=LABEL)
    axes.set_ylabel("false-alarm probability Pf", fontsize=LABEL)
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


def _draw_log_pf_tau(
    axes: Axes, curves: Mapping[str, RocCurve], styles: Mapping[str, dict[str, Any]]
) -> None:
    _draw_pf_tau(axes, curves, styles)
    # Pf = 0 has no logarithm; clipping puts it below the visible range.
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(PF_FLOOR, 1)


def _finish(axes: Axes) -> None:
    axes.tick_params(labelsize=TICK)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def _legend_with_areas(axes: Axes, areas: Mapping[str, float]) -> None:
    for line in axes.lines:
        label = str(line.get_label())
        if label in areas:
            line.set_label(f"{label} (AUC {areas[label]:.4f})")
    # Below the axes: good detectors fill one corner and poor ones another, so none is free.
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=TICK - 1, frameon=False
    )
