"""The generated blocks of README and docs, from the committed results."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from experiments import published
from experiments.reporting.markdown import fill_block, markdown_table
from experiments.reporting.provenance import ROOT
from experiments.runs.run import REFERENCE, Run, Workspace, load_result
from experiments.studies import (
    comparators,
    comparison,
    evidence,
    evidence_choice,
    failures,
    implants,
    leaderboard,
    proposed,
    recent_methods,
    robust,
    seeds,
    sensitivity,
    training_bound,
)

PAGES = {
    "summary": "README.md",
    "proposed": "docs/reproduction.md",
    "agreement": "docs/reproduction.md",
    "seeds": "docs/reproduction.md",
    "failures": "docs/reproduction.md",
    "table2": "docs/detectors.md",
    "table3": "docs/detectors.md",
    "reach": "docs/detectors.md",
    "comparators": "docs/detectors.md",
    "comparators_pab_dc": "docs/detectors.md",
    "recent_methods": "docs/detectors.md",
    "recent_methods_as_long": "docs/detectors.md",
    "recent_methods_costs": "docs/detectors.md",
    "robust": "docs/robust.md",
    "robust_lines": "docs/robust.md",
    "evidence_targets": "docs/robust.md",
    "evidence_scenes": "docs/robust.md",
    "evidence_simulated": "docs/robust.md",
    "implants": "docs/robust.md",
    "implants_targets": "docs/robust.md",
    "evidence_ablation": "docs/robust.md",
    "evidence_rates": "docs/robust.md",
    "evidence_choice": "docs/robust.md",
    "training_bound": "docs/robust.md",
    "leaderboard": "docs/leaderboard.md",
    "leaderboard_held_out": "docs/leaderboard.md",
    "leaderboard_extent": "docs/leaderboard.md",
    "leaderboard_published": "docs/leaderboard.md",
}
"""The page of each block; the benchmarks fill those of ``docs/performance.md``."""
_STUDIES = (
    proposed, robust, evidence, evidence_choice, implants, comparison, seeds, failures,
    sensitivity, comparators, recent_methods, training_bound,
)  # fmt: skip
_PRESETS = {
    "release": "preset `release`: the authors' program",
    "paper": "preset `paper`: the text, read literally",
    "robust": "preset `robust`: this project's default",
}


def blocks(space: Workspace = REFERENCE) -> dict[str, str]:
    """Return the body of every block by its name."""
    bodies = {"summary": summary_table(space), **leaderboard.blocks()}
    for study in _STUDIES:
        bodies |= study.blocks(space)
    return bodies


def fill() -> list[str]:
    """Fill every block of the pages from the committed results; returns the pages."""
    for name, body in blocks().items():
        fill_block(name, body, ROOT / PAGES[name])
    return list(dict.fromkeys(PAGES.values()))


def summary_table(space: Workspace) -> str:
    """Return both areas of LREN, mean over the four scenes, of the paper and each preset.

    `release` and `paper` have the authors' seed, `robust` the median of its seeds.
    """
    scenes = tuple(published.SCENES)
    paper = [
        _mean([getattr(published.PAPER_PROPOSED[scene], area.field) for scene in scenes])
        for area in published.AREAS.values()
    ]
    rows = [["the paper", *paper]]
    for preset, title in _PRESETS.items():
        runs: list[Any] = [*proposed.planned(scenes), *robust.planned(scenes)]
        by_scene = [
            [run for run in runs if (run.preset, run.scene) == (preset, scene)] for scene in scenes
        ]
        rows.append(
            [
                title,
                *(_mean([_median(those, name, space) for those in by_scene])
                  for name in published.AREAS),
            ]
        )  # fmt: skip
    arrows = {"higher": "↑", "lower": "↓"}
    header = [f"{area.symbol} {arrows[area.better]}" for area in published.AREAS.values()]
    return markdown_table(["", *header], rows)


def _median(runs: Sequence[Run], area: str, space: Workspace) -> float | None:
    records = [load_result(run, space) for run in runs]
    values = [r["metrics"][area] for r in records if r is not None and r["metrics"] is not None]
    return median(values) if values else None


def _mean(values: Sequence[float | None]) -> str:
    if None in values:
        return "–"
    return f"{sum(values) / len(values):.4f}"  # type: ignore[arg-type]
