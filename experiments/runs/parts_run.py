"""PAB_DC on one scene, with every way to score one decomposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.runs.detector_run import DetectorRun
from lren_tf import Scene, detectors, metrics


@dataclass(frozen=True)
class PartsRun(DetectorRun):
    """A run of PAB_DC whose record has the figures of all of its `SCORE_PARTS`."""

    def scored(
        self, detector: detectors.Detector, scene: Scene, record: dict[str, Any]
    ) -> np.ndarray:
        """Return the detector's own map; adds the figures of every other score."""
        from lren_tf.detectors.pab_dc import PABDC, SCORE_PARTS

        assert isinstance(detector, PABDC)
        parts = detector.decompose(scene)
        maps = {name: parts.score(name).astype(np.float32) for name in SCORE_PARTS}
        record["parts"] = {
            name: metrics.evaluate(score, scene.truth) for name, score in maps.items()
        }
        return maps[detector.resolved("score_part")]
