"""The range of values, which can also scale the values of other scenes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class MinMax(NamedTuple):
    """Smallest and largest of some values."""

    low: float
    high: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> MinMax:
        """Find it.

        Args:
            values: of any shape, finite.
        """
        return cls(float(values.min()), float(values.max()))

    def scaled(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return values of any shape with the range as [0, 1]; zeros where it is a single value.

        Those of the range itself come out as :func:`lren_tf.evaluation.metrics.normalise` has
        them, bit for bit; others may lie outside of [0, 1].
        """
        if self.low == self.high:
            return np.zeros_like(values)
        if np.isinf(self.high - self.low):  # halves keep a range wider than float64 finite
            return MinMax(self.low / 2, self.high / 2).scaled(values / 2)
        return (values - self.low) / (self.high - self.low)
