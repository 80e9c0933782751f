"""`make sensitivity`: how far a comparator's areas move with settings the paper does not give.

Settings leave the default one at a time, or in the few pairs that belong together. Read beside
the published values the heat maps tell whether a difference in Tables 2 and 3 can be one of
settings. Every cell is judged with the truth of its scene, so nothing here is a choice: the
defaults stay as they are.

``--detectors adlr`` runs one detector alone. A run whose committed record has the settings and the
data of now is finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Workspace, load_result
from experiments.studies import comparison
from lren_tf import detectors, plots

STUDY = "sensitivity"
_WINDOWS = ((5, 9), (7, 9), (7, 15), (11, 13), (11, 25), (15, 17), (23, 25))
GRIDS: dict[str, list[dict[str, Any]]] = {
    "lrx": [
        *({"inner": i, "outer": o} for i, o in _WINDOWS),
        *({"delta": delta} for delta in (1e-6, 1e-4, 1e-3, 1e-2)),
    ],
    "adlr": [
        *({"endmembers": p} for p in (4, 9, 12)),
        *({"bandwidth": b} for b in (0.2, 0.3)),
        *({"lam": lam} for lam in (0.005, 0.02, 0.05)),
        {"endmembers": 12, "lam": 0.005},
        {"endmembers": 9, "bandwidth": 0.3, "lam": 0.02},
        {"signed": False},
        {"endmembers": 12, "signed": False},
    ],
    "pab_dc": [
        *({"beta": beta} for beta in (3e-4, 3e-3, 1e-2)),
        *({"lam": lam} for lam in (3e-3, 3e-2)),
        {"beta": 1e-2, "lam": 1.0},
        *({"anomaly_atoms": atoms} for atoms in (50, 500)),
        *({"clusters": clusters} for clusters in (5, 20)),
        {"score_part": "residual"},
    ],
    "aae_rx": [
        *({"steps": steps} for steps in (250, 1000)),
        {"latent_units": 5},
        {"angle_weight": 0.0},
    ],
}
"""Settings that leave the defaults, by detector; the defaults themselves come first."""
CLOSE = 0.02
"""A difference from the paper's AUC(Pd,Pf) that is taken for the same result."""
SEEDS = {"adlr": 3}
"""How many seeds a cell is the mean of, where it is not one: ADLR's spread is wide, its runs
short."""
COLUMN = {"lrx": "LRX", "adlr": "ADLR", "pab_dc": "PAB_DC", "aae_rx": "AAE", "aae": "AAE"}
"""Column of the paper's tables that a detector stands beside."""


def settings_of(detector: str) -> list[dict[str, Any]]:
    """The default setting and then those of the grid."""
    return [{}, *GRIDS[detector]]


def runs_of(detector: str, settings: dict[str, Any], scene: str) -> list[DetectorRun]:
    """The runs of one cell."""
    settings = {**comparison.SETTINGS.get(detector, {}), **settings}
    seeds = seeds_of(detector, SEEDS.get(detector, 1), **settings)
    pairs = tuple(sorted(settings.items()))
    return [DetectorRun(STUDY, scene, detector, seed, pairs) for seed in seeds]


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[DetectorRun]:
    """Every detector with every setting on every scene."""
    return [
        run
        for detector in GRIDS
        for settings in settings_of(detector)
        for scene in scenes
        for run in runs_of(detector, settings, scene)
    ]


def label(settings: dict[str, Any]) -> str:
    """A setting as rows are named."""
    return ", ".join(f"{k} {v}" for k, v in settings.items()).replace("_", " ") or "default"


def areas(detector: str, area: str, space: Workspace) -> np.ndarray:
    """AUC of every setting and scene, mean over seeds; NaN where a run gave no map."""
    return np.array(
        [
            [_mean(runs_of(detector, settings, scene), area, space) for scene in published.SCENES]
            for settings in settings_of(detector)
        ]
    )


def _mean(runs: Sequence[DetectorRun], area: str, space: Workspace) -> float:
    results = [load_result(run, space) for run in runs]
    values = [
        np.nan if one is None or one["metrics"] is None else one["metrics"][f"auc_{area}"]
        for one in results
    ]
    return float(np.mean(values))


def table(detector: str, space: Workspace) -> str:
    """AUC(Pd,Pf) / AUC(Pf,τ) of every setting and scene under the published ones."""
    both = [areas(detector, area, space) for area in ("pd_pf", "pf_tau")]
    paper = published.PAPER[COLUMN[detector]]
    body = [
        ["paper", *(f"{paper[scene].pd_pf:.4f} / {paper[scene].pf_tau:.4f}" for scene in paper)]
    ]
    for settings, pd_pf, pf_tau in zip(settings_of(detector), *both, strict=True):
        pairs = zip(pd_pf, pf_tau, strict=True)
        body.append(
            [label(settings), *("–" if np.isnan(a) else f"{a:.4f} / {b:.4f}" for a, b in pairs)]
        )
    return markdown_table(["setting", *published.SCENES.values()], body)


def reach_table(space: Workspace) -> str:
    """Where the default is within 0.02 of the paper's AUC(Pd,Pf), and else what settings reach."""
    body = []
    for detector in GRIDS:
        row = next(
            row
            for row in comparison.rows()
            if row.title == detectors.detector_class(detector).title
        )
        values = areas(detector, "pd_pf", space)
        texts = [row.title]
        for column, scene in enumerate(published.SCENES):
            here = comparison.cell(row, scene, "pd_pf", space)
            if here.here is None or here.published is None:
                texts.append("–")
                continue
            difference = here.here - here.published
            text = f"{difference:+.4f}"
            if abs(difference) > CLOSE:
                tried = values[:, column]
                text += f"; settings reach {np.nanmin(tried):.4f} to {np.nanmax(tried):.4f}"
                text += f" of {here.published:.4f}"
            texts.append(text)
        body.append(texts)
    return markdown_table(["− paper", *published.SCENES.values()], body)


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write tables and heat maps of every detector with results; returns what settings reach."""
    for detector in GRIDS:
        values = areas(detector, "pd_pf", space)
        if np.isnan(values).all():
            continue
        tables.write_table(f"sensitivity_{detector}", table(detector, space), space)
        paper = published.PAPER[COLUMN[detector]]
        title = detectors.detector_class(detector).title
        figure = plots.sensitivity_heatmap(
            values,
            [label(settings) for settings in settings_of(detector)],
            list(published.SCENES.values()),
            [paper[scene].pd_pf for scene in published.SCENES],
            title=f"{title}: one setting at a time",
        )
        tables.save_figures({f"sensitivity_{detector}": lambda f=figure: f}, space)
    return reach_table(space)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the block of what the comparators' settings reach for a page."""
    return {"reach": reach_table(space)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    return carry_out(
        "sensitivity", __doc__, arguments, planned, write, detectors=tuple(GRIDS), committed=True
    )


if __name__ == "__main__":
    raise SystemExit(main())
