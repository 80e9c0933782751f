"""One training and scoring of LREN with a preset and a seed."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

from experiments import published
from experiments.provenance import provenance
from experiments.runs import Run, Workspace, keep_failure, keep_score
from lren_tf import Scene, datasets, metrics
from lren_tf.console import quiet_start
from lren_tf.report import run_record


@dataclass(frozen=True)
class LrenRun(Run):
    """LREN as a preset has it, but for λ and the seed."""

    preset: str
    seed: int

    @property
    def stem(self) -> str:
        """Preset and seed."""
        return f"{self.preset}_seed{self.seed}"

    @property
    def label(self) -> str:
        """How progress lines name the run."""
        return f"{self.study}: {self.scene}, LREN ({self.preset}), seed {self.seed}"

    @property
    def lam(self) -> float:
        """λ that the preset's source uses on this scene; its first value elsewhere."""
        by_scene = published.LAMBDA[self.preset]
        return by_scene.get(self.scene, next(iter(by_scene.values())))

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Train, score, and write map and JSON; a divergence is a result, not an error."""
        with quiet_start():  # TensorFlow only when something has to run
            from lren_tf import LREN, TrainingDiverged

            model = LREN(self.preset, seed=self.seed, lam=self.lam)
        # Taken before training: an hour later the tree may be another one.
        record: dict[str, Any] = {
            "study": self.study,
            "detector": "lren",
            "seed": self.seed,
            "lambda_from": "the preset" if scene.simulated else "published, chosen on ground truth",
            **provenance(),
        }
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                history = model.fit(scene)
            except TrainingDiverged as error:
                record |= {
                    "preset": self.preset,
                    "settings": model.settings.as_dict(),
                    "device": model.device,
                    "seconds": {"train": time.perf_counter() - started},
                    "pearson_with_released_map": None,
                }
                return keep_failure(self, space, record, "diverged", error)
        trained = time.perf_counter()
        solution = model.decompose(scene)
        score = model.score_of(solution).reshape(scene.shape[:2])
        released = None if scene.simulated else datasets.published_map(self.scene)
        record |= {
            "notices": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
            "seconds": {"train": trained - started, "score": time.perf_counter() - trained},
            **run_record(model, scene, history, solution),
            "pearson_with_released_map": None
            if released is None
            else metrics.pearson(metrics.normalise(score), released),
        }
        return keep_score(self, scene, space, record, score)
