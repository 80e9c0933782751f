"""One training and scoring of LREN with a preset and a seed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments import published
from experiments.reporting.provenance import provenance
from experiments.runs.run import Run, Workspace, keep_failure, keep_score
from lren_tf import Scene, datasets, metrics, presets
from lren_tf.records import run_record
from lren_tf.runtime.startup import quiet_start

if TYPE_CHECKING:
    from lren_tf import LREN


@dataclass(frozen=True)
class PresetRun(Run):
    """A run about a preset and a seed."""

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


@dataclass(frozen=True)
class LrenRun(PresetRun):
    """LREN with a preset, λ as its source has it, and a seed."""

    @property
    def lam(self) -> float | None:
        """λ that the preset's source uses on this scene, its first value elsewhere; None for a
        preset of this project, which has none by scene."""
        by_scene = published.LAMBDA.get(self.preset)
        if by_scene is None:
            return None
        return by_scene.get(self.scene, next(iter(by_scene.values())))

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else differs from the preset: nothing."""
        return {}

    @property
    def replaced(self) -> dict[str, Any]:
        """What replaces settings of the preset: λ where the source has it by scene, and others."""
        return {**({} if self.lam is None else {"lam": self.lam}), **self.settings}

    @property
    def resolved_settings(self) -> Mapping[str, Any]:
        """Every setting of the model."""
        return presets.resolve(self.preset, seed=self.seed, **self.replaced).as_dict()

    def data(self, scene: Scene) -> Any:
        """What the model is given of the scene: all of it."""
        return scene

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """What else the trained model is asked for, as parts of the record: nothing."""
        return {}

    def keep_model(self, model: LREN, space: Workspace) -> None:
        """Keep the fitted model, if other studies look into it: they do not."""

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Train, score, and write map and JSON; a divergence is a result, not an error."""
        with quiet_start():  # TensorFlow only when something has to run
            from lren_tf import LREN, TrainingDiverged

            model = LREN(self.preset, seed=self.seed, **self.replaced)
        benchmark = self.scene in published.SCENES and not scene.simulated
        published_lam = benchmark and self.lam is not None
        data = self.data(scene)
        # Taken before training: an hour later the tree may be another one.
        record: dict[str, Any] = {
            "study": self.study,
            "detector": "lren",
            "seed": self.seed,
            "lambda_from": (
                "published, chosen on ground truth" if published_lam else "the preset"
            ),
            **provenance(),
        }
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                history = model.fit(data)
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
        score, solution = model.scored(data)
        score = score.reshape(scene.shape[:2])
        scored = time.perf_counter()
        further = self.further(model, scene)
        self.keep_model(model, space)
        released = datasets.published_map(self.scene) if published_lam else None
        record |= {
            "notices": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
            "seconds": {
                "train": trained - started,
                "score": scored - trained,
                **({"further": time.perf_counter() - scored} if further else {}),
            },
            **run_record(model, scene, history, solution),
            **further,
            "pearson_with_released_map": None
            if released is None
            else metrics.pearson(metrics.normalise(score), released),
        }
        return keep_score(self, scene, space, record, score)
