"""Figures 1, 4, 5 and 6 of the paper, and LREN's maps by themselves, from the maps of finished
runs; nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.rendering import tables
from experiments.reporting.names import scene_title
from experiments.runs.run import Run, Workspace, load_map, load_scene
from experiments.studies import comparison, proposed, robust
from lren_tf import metrics, plots
from lren_tf.data.pseudo_colour import pseudo_colour

NEED_SCENES = (
    "detection_maps", "roc_curves", "figure1_separability", "figure4_maps", "figure5_roc",
    "figure6_pf_tau",
)  # fmt: skip
"""Figures that need ground truth or bands of the scenes, not only records."""


def shown_runs(scene: str) -> list[Run]:
    """Return the runs whose maps the figures of a scene show: of every method its first seed."""
    return [row.runs[scene][0] for row in comparison.rows([scene])]


def maps_of(scene: str, space: Workspace) -> dict[str, np.ndarray]:
    """Score map of every method on a scene; of a stochastic one that of its first seed."""
    maps = {}
    for row in comparison.rows([scene]):
        score = load_map(row.runs[scene][0], space)
        if score is not None:
            maps[row.title] = score
    return maps


def draw_lren(space: Workspace, scenes: Sequence[str]) -> list[Path]:
    """Write maps and ROC curves of LREN's presets with the authors' seed; returns the files."""
    runs = [*proposed.planned(scenes), *robust.planned(scenes, seeds=robust.SEEDS[:1])]
    return tables.draw_figures(runs, space, {**proposed.TITLES, "robust": robust.TITLE})


def draw(space: Workspace, scenes: Sequence[str]) -> list[Path]:
    """Write the figures of the scenes that have maps, as PNG and PDF; returns the files."""
    grid, boxes, curves = [], {}, {}
    for name in scenes:
        maps = maps_of(name, space)
        if not maps:
            continue
        scene, title = load_scene(name), scene_title(name)
        grid.append((title, pseudo_colour(scene.cube), scene.truth, maps))
        boxes[title] = {label: metrics.box_whisker(m, scene.truth) for label, m in maps.items()}
        curves[title] = {label: metrics.roc_curve(m, scene.truth) for label, m in maps.items()}
    if not grid:
        return []
    drawings: dict[str, Callable[[], Any]] = {
        "figure1_separability": lambda: plots.separability_grid(boxes),
        "figure4_maps": lambda: plots.detection_grid(grid, scale=plots.LINEAR),
        "figure5_roc": lambda: plots.roc_grid(curves),
        "figure6_pf_tau": lambda: plots.pf_tau_grid(curves),
    }
    return tables.save_figures(drawings, space)
