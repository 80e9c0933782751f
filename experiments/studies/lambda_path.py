"""`make lambda`: Figure 3, both areas over λ, with the spread over seeds.

Nothing is trained for it alone: every training of :mod:`experiments.runs.training_run` is scored at
every λ. Both areas need the truth, so no λ can be chosen this way on a scene without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs import training_run
from experiments.runs.command import carry_out
from experiments.runs.run import Workspace, load_result
from lren_tf import plots


def paths(scene: str, preset: str, measure: str, space: Workspace) -> np.ndarray:
    """Values ``[seeds, λ]`` of the runs that there are and that did not fail."""
    runs = [run for run in training_run.planned([scene]) if run.preset == preset]
    results = [load_result(run, space) for run in runs]
    found = [r["lambda_path"][measure] for r in results if r is not None and r["metrics"]]
    return np.array(found, np.float64).reshape(-1, len(training_run.LAMBDAS))


def draw(space: Workspace, scenes: Sequence[str]) -> list[Path]:
    """Write the figure of the scenes that have runs, as PNG and PDF; returns the files."""
    rows: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for measure, area in published.AREAS.items():
        panels = {}
        for scene in scenes:
            bands = {p: paths(scene, p, measure, space) for p in training_run.PRESETS}
            bands = {preset: values for preset, values in bands.items() if len(values)}
            if bands:
                panels[scene_title(scene)] = bands
        if panels:
            rows[area.title] = panels
    if not rows:
        return []
    marks: dict[str, dict[str, float]] = {
        scene_title(scene): {
            preset: published.LAMBDA[preset][scene]
            for preset in training_run.PRESETS
            if scene in published.LAMBDA[preset]
        }
        for scene in scenes
    }
    return tables.save_figures(
        {
            "figure3_lambda": lambda: plots.band_grid(
                training_run.LAMBDAS, rows, marks, xlabel="λ", mark_label="λ published"
            )
        },
        space,
    )


def table(space: Workspace, scenes: Sequence[str]) -> str:
    """Median area at the published λ and at the λ where the median is highest."""
    header = [
        "scene", "preset", "runs", "published λ", "median AUC(Pd,Pf) there", "AUC(Pf,τ)",
        "λ of the highest median", "median AUC(Pd,Pf) there", "AUC(Pf,τ)",
    ]  # fmt: skip
    body = []
    for scene in scenes:
        for preset in training_run.PRESETS:
            detection, alarm = (paths(scene, preset, m, space) for m in published.AREAS)
            if not len(detection):
                continue
            detection, alarm = np.median(detection, axis=0), np.median(alarm, axis=0)
            lams: list[Any] = [published.LAMBDA[preset].get(scene), None]
            lams[1] = training_run.LAMBDAS[int(np.argmax(detection))]
            cells = []
            for lam in lams:
                if lam is None:
                    cells += ["–"] * 3
                    continue
                at = training_run.LAMBDAS.index(lam)
                cells += [f"{lam:g}", f"{detection[at]:.4f}", f"{alarm[at]:.4f}"]
            count = str(len(paths(scene, preset, "auc_pd_pf", space)))
            body.append([scene_title(scene), f"`{preset}`", count, *cells])
    return markdown_table(header, body)


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write table and figure; returns the table as Markdown."""
    main = table(space, scenes)
    tables.write_table("figure3", main, space)
    draw(space, scenes)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    return carry_out("lambda_path", __doc__, arguments, training_run.planned, write)


if __name__ == "__main__":
    raise SystemExit(main())
