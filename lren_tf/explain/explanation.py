"""The explanation of a pixel: contributions of the bands to its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MAHALANOBIS, GRADIENTS, RESIDUAL = "mahalanobis", "integrated gradients", "decoded residual"
"""The methods."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Contributions of the bands to the score of one pixel.

    Attributes:
        row, column: of the pixel, from 0.
        method: ``"mahalanobis"``, ``"integrated gradients"`` or ``"decoded residual"``.
        quantity: what the contributions are parts of, with its unit.
        value: that quantity at the pixel.
        baseline: that quantity at the spectrum that the pixel is compared with; 0 for a
            Mahalanobis distance. Of a decoded residual value and baseline are NaN: it is a
            spectrum, not a sum.
        bands: float64 ``[B]``, the contribution of every band; NaN in bands that are not used. A
            negative contribution makes the pixel less anomalous. They add up to value − baseline;
            of a decoded residual they are the residual in the scene's units.
        completeness: how far the sum of the contributions is from value − baseline, as a share of
            it; 0 where they agree to rounding. NaN for a decoded residual.
        evidence: share of each evidence in the score, by name; None for scores without evidence.
            Structure has no bands, so only its share is known.
    """

    row: int
    column: int
    method: str
    quantity: str
    value: float
    baseline: float
    bands: np.ndarray
    completeness: float
    evidence: Mapping[str, float] | None = None

    def strongest(self, count: int = 3) -> list[int]:
        """Return the bands that contribute most, from 0, the strongest first.

        Of a decoded residual those with the largest magnitude, else the largest contributions.
        """
        values = np.abs(self.bands) if self.method == RESIDUAL else self.bands
        return strongest_bands(values, count)


def strongest_bands(contributions: np.ndarray, count: int = 3) -> list[int]:
    """Return the bands with the largest contributions, from 0, the largest first.

    Args:
        contributions: ``[B]``, NaN in bands that are not used.
        count: at most so many; fewer where fewer contributions are above 0.
    """
    order = np.argsort(-np.where(np.isnan(contributions), -np.inf, contributions), kind="stable")
    return [int(band) for band in order[:count] if contributions[band] > 0]
