"""One training of LREN for each scene, preset and seed, and everything that is asked of it.

Its record holds the score at the published λ, the areas at every λ of Figure 3, and those
scenarios of Table 1 that need no other training. So the study of seeds, Figure 3 and Table 1
share their trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import published
from experiments.runs import scenarios
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace
from lren_tf import Scene, metrics
from lren_tf.runtime.files import atomic_path

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "trainings"
SEEDS = (published.AUTHORS_SEED, 1, 2, 3, 4, 5, 6, 7, 8, 9)
PRESETS = ("release", "paper")
LAMBDAS = tuple(float(f"{10 ** (-4 + i / 3):.3g}") for i in range(13))
"""1e-4 to 1, three a decade: the range of the paper's Figure 3, finer; every published λ is
among them."""


@dataclass(frozen=True)
class TrainingRun(LrenRun):
    """A training with its λ path and its scenarios."""

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """Areas along λ, and of every scenario on this network."""
        return {
            "lambda_path": lambda_path(model, scene),
            "scenarios": scenarios.measure(model, scene, "joint"),
        }

    def model_path(self, space: Workspace) -> Path:
        """The fitted model, beside the map and like it not committed."""
        return self.map_path(space).with_suffix(".keras")

    def keep_model(self, model: LREN, space: Workspace) -> None:
        """Save it: the study of failures asks it what it cannot know yet."""
        with atomic_path(self.model_path(space)) as temporary:
            model.save(temporary)


def lambda_path(model: LREN, scene: Scene) -> dict[str, list[Any]]:
    """Areas at every λ of :data:`LAMBDAS`, on one trained network.

    `represented` is the share of pixels that the dictionary represents without a residual; at
    1 the map is 0 everywhere.
    """
    path: dict[str, list[Any]] = {"lam": list(LAMBDAS)}
    for lam in LAMBDAS:
        solution = model.decompose(scene, lam=lam)
        score = model.score_of(solution).reshape(scene.shape[:2])
        values = {
            "auc_pd_pf": metrics.auc_pd_pf(score, scene.truth),
            "auc_pf_tau": metrics.auc_pf_tau(score, scene.truth),
            "represented": float((score == 0).mean()),
            "iterations": solution.iterations,
            "converged": solution.converged,
        }
        for name, value in values.items():
            path.setdefault(name, []).append(value)
    return path


def planned(
    scenes: Sequence[str] = tuple(published.SCENES), seeds: Sequence[int] = SEEDS
) -> list[TrainingRun]:
    """Both presets with every seed on every scene; seed by seed, so that a study that is cut
    short has whole seeds."""
    return [
        TrainingRun(STUDY, scene, preset, seed)
        for seed in seeds
        for preset in PRESETS
        for scene in scenes
    ]
