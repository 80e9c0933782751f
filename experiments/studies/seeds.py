"""`make seeds`: both presets with ten seeds on every scene, none left out.

Runs are those of :mod:`experiments.runs.training_run`, with those of
:mod:`experiments.studies.robust` where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import published
from experiments.rendering import tables
from experiments.reporting.names import scene_title
from experiments.runs import training_run
from experiments.runs.command import carry_out
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, load_result
from experiments.studies import robust
from lren_tf import plots


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[training_run.TrainingRun]:
    """The trainings."""
    return training_run.planned(scenes)


def shown(space: Workspace, scenes: Sequence[str] = tuple(published.SCENES)) -> list[LrenRun]:
    """The trainings that there are, and the runs of the preset ``robust`` beside them."""
    runs: list[LrenRun] = [*planned(scenes), *robust.planned(scenes)]
    runs.sort(key=lambda run: scenes.index(run.scene))
    return [run for run in runs if run.result_path(space).is_file()]


def table(space: Workspace, scenes: Sequence[str] = tuple(published.SCENES)) -> str:
    """Median, range and failures of every scene and preset."""
    return tables.spread_table(shown(space, scenes), space)


def draw(space: Workspace, scenes: Sequence[str]) -> list[Path]:
    """Write a strip plot of each area, as PNG and PDF; returns the files."""
    runs = shown(space, scenes)
    drawings = {}
    for area, (field, title, *_) in published.AREAS.items():
        values: dict[str, dict[str, list[float]]] = {}
        reference = {}
        for run in runs:
            name = scene_title(run.scene)
            result = load_result(run, space)
            there = result is not None and result["metrics"] is not None
            one = result["metrics"][area] if there else np.nan
            values.setdefault(name, {}).setdefault(run.preset, []).append(one)
            if run.scene in published.SCENES:
                reference[name] = getattr(published.PAPER_PROPOSED[run.scene], field)
        if values:
            groups = {(run.scene, run.preset): run.seed for run in reversed(runs)}
            # The authors' seed is the first of the study.
            first = 0 if set(groups.values()) == {published.AUTHORS_SEED} else None
            drawings[f"seeds_{field}"] = (
                lambda v=values, r=reference, t=title, f=first: plots.strip_plot(
                    v, r, measure=t, marked=f, marked_label="the authors' seed, 123"
                )
            )
    return tables.save_figures(drawings, space)


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write table and figures; returns the table as Markdown."""
    main = table(space, scenes)
    tables.write_table("seeds", main, space)
    draw(space, scenes)
    return main


def blocks(space: Workspace) -> dict[str, str]:
    """Return the block of the spread over seeds for a page."""
    return {"seeds": table(space)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    return carry_out("seeds", __doc__, arguments, planned, write)


if __name__ == "__main__":
    raise SystemExit(main())
