"""Integrated gradients along straight lines, with points where they are needed.

Sundararajan, Taly and Yan (ICML 2017): the contribution of a feature to f(x) − f(x₀) is the
integral of its share of df/dα along x₀ + α (x − x₀). The contributions add up to the difference
as far as the integral is exact. Each interval of α has its own error, since f is known at both of
its ends, so intervals are halved where that error is largest until the sum is close enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import trapezoid

FIRST_INTERVALS = 16
ROUNDS = 8
"""Most halvings of an interval."""
TOLERANCE = 2e-3
"""Error of the sum, as a share of the difference, at which halving ends."""
_MOST_AT_A_TIME = 64
"""Intervals of one line that a round halves."""

Path = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Maps numbers of lines ``[p]`` and positions α ``[p]`` to f ``[p]`` and to the parts of df/dα
``[p, B]``."""


class Integral(NamedTuple):
    """Contributions along one line."""

    parts: np.ndarray
    """``[B]``."""
    start: float
    """f at α = 0."""
    end: float
    """f at α = 1."""

    @property
    def completeness(self) -> float:
        """Distance of the sum of the parts from the difference, as a share of the difference."""
        difference = self.end - self.start
        distance = abs(float(self.parts.sum()) - difference)
        return distance / abs(difference) if difference else distance


def integrated(path: Path, lines: int) -> list[Integral]:
    """Integrate along each of several lines from α = 0 to 1.

    Args:
        path: the function and the parts of its derivative.
        lines: how many.
    """
    alpha = np.linspace(0.0, 1.0, FIRST_INTERVALS + 1)
    values, parts = path(np.repeat(np.arange(lines), alpha.size), np.tile(alpha, lines))
    known = [
        (alpha, value, part)
        for value, part in zip(
            values.reshape(lines, -1), parts.reshape(lines, alpha.size, -1), strict=True
        )
    ]
    for _ in range(ROUNDS):
        halved = [_worst(*each) for each in known]
        numbers = np.repeat(np.arange(lines), [each.size for each in halved])
        if not numbers.size:
            break
        middles = np.concatenate(halved)
        values, parts = path(numbers, middles)
        for line in range(lines):
            own = numbers == line
            if own.any():
                known[line] = _merged(known[line], (middles[own], values[own], parts[own]))
    return [
        Integral(trapezoid(part, at, axis=0), float(value[0]), float(value[-1]))
        for at, value, part in known
    ]


def _worst(alpha: np.ndarray, values: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """The middles of the intervals to halve; none where the sum is close enough."""
    slopes = parts.sum(axis=1)
    found = 0.5 * (slopes[1:] + slopes[:-1]) * np.diff(alpha)
    errors = np.abs(found - np.diff(values))
    limit = TOLERANCE * abs(values[-1] - values[0])
    # All errors, not their sum: errors that cancel would hide where the line bends.
    if not np.isfinite(errors).all() or errors.sum() <= limit:
        return np.zeros(0)
    chosen = np.argsort(-errors, kind="stable")[:_MOST_AT_A_TIME]
    chosen = np.sort(chosen[errors[chosen] > limit / (2 * errors.size)])
    return 0.5 * (alpha[chosen] + alpha[chosen + 1])


def _merged(
    first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joined = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    alpha, values, parts = (each[order] for each in joined)
    return alpha, values, parts
