"""One detector of the registry on one scene, with its defaults but for named settings."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

from experiments.reporting.provenance import provenance
from experiments.runs.run import Run, Workspace, keep_failure, keep_score
from lren_tf import InputError, Scene, detectors
from lren_tf.errors import TrainingDiverged
from lren_tf.records import scene_record


@dataclass(frozen=True)
class DetectorRun(Run):
    """A detector by its name in the registry."""

    detector: str
    seed: int | None = None
    """None for a detector without one."""
    settings: tuple[tuple[str, Any], ...] = ()
    """What differs from the detector's defaults."""

    @property
    def stem(self) -> str:
        """Detector, settings that differ, seed."""
        parts = [self.detector, *(f"{name}-{value}" for name, value in self.settings)]
        if self.seed is not None:
            parts.append(f"seed{self.seed}")
        return "_".join(parts)

    def make(self) -> detectors.Detector:
        """The detector with these settings."""
        settings = dict(self.settings)
        if self.seed is not None:
            settings["seed"] = self.seed
        return detectors.create(self.detector, **settings)

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Score and write map and JSON; a refusal or divergence is a result, not an error."""
        detector = self.make()
        record: dict[str, Any] = {
            "study": self.study,
            "detector": self.detector,
            "seed": self.seed,
            "settings": detector.get_config(),
            "scene": scene_record(scene),
            **provenance(),
        }
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                score = detector.score(scene)
            except (InputError, TrainingDiverged) as error:
                record["seconds"] = {"score": time.perf_counter() - started}
                return keep_failure(self, space, record, "failed", error)
        record |= {
            "notices": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
            "seconds": {"score": time.perf_counter() - started},
        }
        return keep_score(self, scene, space, record, score)


def seeds_of(detector: str, count: int) -> tuple[int | None, ...]:
    """Seeds 0, 1, … of a stochastic detector; (None,) of any other."""
    return tuple(range(count)) if detectors.detector_class(detector).stochastic else (None,)
