"""Scores with what they were computed from, and types that the scorings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.evidence.fusion import TOTAL, WEIGHTS, Reference
from lren_tf.low_rank.solve import LowRankResult
from lren_tf.training.pixel_reader import StandardisedPixels

Pixels = np.ndarray | StandardisedPixels
"""Standardised pixels ``[n, U]``."""
GraphScore = Callable[[tf.Tensor, tuple[Any, ...]], tf.Tensor]
"""Maps pixels ``[N, L]`` in the sensor's units, and their grid, to scores ``[N]`` of float32 or
float64. The grid is (H, W), numbers or scalar tensors, of an image; (N,) of a table."""


class Scored(NamedTuple):
    """Scores of a scene."""

    values: np.ndarray
    """float32 ``[H, W]`` of a cube, ``[N]`` of a table; NaN in pixels without data."""
    details: LowRankResult | EvidenceDetails | None
    """Source of the scores: low-rank step or evidence; None for an energy."""


class EvidenceDetails(NamedTuple):
    """Evidence that scores were computed from."""

    evidence: dict[str, np.ndarray]
    """Maps by name, float32 as the scores: −log₁₀ of the share of the background that has more."""
    reference: Reference
    """Background that it was compared with."""
    recalibrated: bool
    """True if that is the background of the scored scene instead of the training's."""

    def record(self) -> dict[str, Any]:
        """Return the part of a report: weights, calibrations, and of which scene they are."""
        return {
            "calibrated_on": "scored scene" if self.recalibrated else "scene of the training",
            "weights": {name: WEIGHTS[name] for name in self.evidence},
            "calibrations": {
                name: {
                    "tail_share": float(each.share),
                    "tail_start": float(each.knots[-1]),
                    "scale": float(each.scale),
                    "shape": float(each.shape),
                }
                for name, each in self.reference.calibrations.items()
                if name in (*self.evidence, TOTAL)
            },
        }


def refuse_calibration(recalibrate: bool) -> None:
    """Refuse to recalibrate scores that have no calibration."""
    if recalibrate:
        raise InputError(
            "recalibrate is True, but the scores of this model are not calibrated; expected "
            "False: leave it out, or choose the preset robust with its evidence."
        )
