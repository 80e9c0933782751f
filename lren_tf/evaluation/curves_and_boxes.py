"""ROC curves and boxes of scores as values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BOX_PERCENTILES: tuple[float, ...] = (10.0, 25.0, 50.0, 75.0, 90.0)
"""Percentiles of lower whisker, lower quartile, median, upper quartile and upper whisker."""


class RocCurve(NamedTuple):
    """Pd and Pf at every distinct score, the threshold falling. Three arrays of one length.

    The first point is the empty detection: Pd = Pf = 0 at the smallest number above 1, a
    threshold that no normalised score reaches (the usual +inf cannot be drawn or integrated).
    The last point is Pd = Pf = 1 at the smallest score.
    """

    tau: npt.NDArray[np.float64]
    """Thresholds on the normalised scores, falling; distinct raw scores closer than float64
    can tell apart after the min-max share a value here but keep their own points."""
    pd: npt.NDArray[np.float64]
    """Detection probability, rising from 0 to 1."""
    pf: npt.NDArray[np.float64]
    """False-alarm probability, rising from 0 to 1."""

    @property
    def auc_pd_pf(self) -> float:
        """Area under Pd against Pf (trapezoids: a tie counts one half)."""
        from scipy.integrate import trapezoid  # slow to import, and not every command's

        return float(trapezoid(self.pd, self.pf))

    @property
    def auc_pf_tau(self) -> float:
        """Area under the staircase Pf against tau."""
        return float(np.sum(self.pf[:-1] * -np.diff(self.tau)))


class ClassBox(NamedTuple):
    """Percentiles of the normalised scores of one class; see `BOX_PERCENTILES`."""

    low: float
    """10th percentile, the lower whisker."""
    q1: float
    """25th percentile."""
    median: float
    """50th percentile."""
    q3: float
    """75th percentile."""
    high: float
    """90th percentile, the upper whisker."""


class BoxWhisker(NamedTuple):
    """The box-and-whisker statistics of background and anomaly on the normalised scores."""

    background: ClassBox
    """Percentiles of the background pixels."""
    anomaly: ClassBox
    """Percentiles of the anomalous pixels."""

    @property
    def separability(self) -> float:
        """Anomaly lower whisker minus background upper whisker, in [-1, 1].

        The gap that Figure 1 of the paper is read by; the paper leaves the percentiles open.
        Positive: the upper 90 % of the anomalies lie above the lower 90 % of the background.
        """
        return self.anomaly.low - self.background.high
