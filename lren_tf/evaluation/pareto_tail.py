"""The upper tail of scores: a generalised Pareto background with a few anomalies in it.

Anomalies are part of the fitted model. Leaving the highest scores out instead (censoring or
truncation at a quantile), or giving them little weight (density power divergence), was tried and
is worse: any fixed share is wrong for most scenes, and the shape of the background remains too
uncertain. See `threshold` for the measurements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lren_tf.runtime.threads import one_blas_thread

Vector = npt.NDArray[np.float64]

# A tail is described by this many evenly spaced order statistics at most: more of them take
# longer and change nothing.
_MOST_VALUES = 2000
# Normal penalty on the shape ξ: its centre and spread. Without one, a few hundred exceedances
# allow shapes that move a threshold at 1e-3 by more than a factor of two in rate. In logarithms
# every power law has the shape 0 (t backgrounds with 2 degrees of freedom -0.07) and a Gaussian
# background about -0.3, so that the penalty spans light and heavy tails alike.
LOGARITHMIC = (-0.15, 0.06)
# On the scores themselves it lies between the exponential tail (0) and those of RX on real
# scenes (up to 0.4), and heavy tails beyond are taken for anomalies.
PLAIN = (0.1, 0.1)
_SHAPE_LIMITS = (-0.5, 1.0)
# The unit of exceedances in a fit is the scale of an exponential tail with their median.
_LOG_SCALE_LIMITS = (-4.0, 4.0)
_MOST_ANOMALOUS = 0.35
_FEWEST_ANOMALOUS = 8
# Shares of all pixels above the place where a flat anomalous part begins.
_EDGES = tuple(0.0005 * 1.25**step for step in range(20))
# Largest over smallest exceedance of a flat part, at least.
_NARROWEST = 1.02
# A lognormal group: its median in units, from where about 8 % of an exponential tail lie
# above it, and its standard deviation in the logarithm.
_LOWEST_MEDIAN = 2.5
_SPREAD_LIMITS = (0.05, 0.7)
# Shares of the exceedances from which the search for groups starts.
_GROUP_STARTS = (0.01, 0.03, 0.08, 0.2, 0.35)
# What the logarithm of the likelihood must gain before anomalies are believed, and for every
# parameter that they take.
GAINS = (5.0, 2.0)
# The optimiser wants a number where the likelihood is 0.
_IMPOSSIBLE, _LEAST_DENSITY = 1e12, 1e-250


@dataclass(frozen=True)
class Tail:
    """The distribution of exceedances: background with weight 1 − w, anomalies with weight w.

    Attributes:
        shape, scale: ξ and σ of the background, P(Y > y) = (1 + ξ y/σ)^(−1/ξ).
        flat: weight of a part that is flat from `low` to `high`, or in the logarithm.
        low, high: where it is.
        logarithmic: whether it is flat in the logarithm of the exceedance.
        groups: (weight, median, standard deviation of the logarithm) of lognormal groups.
    """

    shape: float
    scale: float
    flat: float = 0.0
    low: float = 0.0
    high: float = math.inf
    logarithmic: bool = False
    groups: tuple[tuple[float, float, float], ...] = ()

    @property
    def anomalous(self) -> float:
        """w, the share of the exceedances that is not of the background."""
        return self.flat + sum(weight for weight, _, _ in self.groups)

    def cdf(self, y: Vector) -> Vector:
        """Distribution function of all exceedances, background and anomalies."""
        from scipy.special import ndtr
        from scipy.stats import genpareto

        below = (1 - self.anomalous) * genpareto.cdf(y, self.shape, 0, self.scale)
        if self.flat > 0:
            low, high, at = self.low, self.high, y
            if self.logarithmic:
                low, high, at = math.log(low), math.log(high), np.log(y)
            below += self.flat * np.clip((at - low) / (high - low), 0.0, 1.0)
        for weight, median, spread in self.groups:
            below += weight * ndtr(np.log(y / median) / spread)
        return below

    def background_above(self, share: float) -> float:
        """The exceedance that `share` of the background's exceedances lie above."""
        from scipy.stats import genpareto

        return float(genpareto.isf(share, self.shape, 0, self.scale))

    def log_share_above(self, y: Vector) -> Vector:
        """Logarithm of the share of the background's exceedances above y; −inf past its end."""
        z = y / self.scale
        if abs(self.shape) < 1e-9:
            return -z
        with np.errstate(divide="ignore"):
            return -np.log1p(np.maximum(self.shape * z, -1.0)) / self.shape

    def times(self, unit: float) -> Tail:
        """The same with exceedances in another unit."""
        return replace(
            self, scale=self.scale * unit, low=self.low * unit, high=self.high * unit,
            groups=tuple((weight, median * unit, spread) for weight, median, spread in self.groups),
        )  # fmt: skip


def fit_tail(
    y: Vector,
    pixels: int,
    penalty: tuple[float, float] = LOGARITHMIC,
    gains: tuple[float, float] = GAINS,
) -> Tail | None:
    """The tail with the largest penalised likelihood, or None if the optimiser finds none.

    Candidates are a tail of background only; one with an anomalous part that is flat, in the
    exceedance or in its logarithm, from one of 20 places up to the largest exceedance; and
    one with one or two lognormal groups. Each is fitted by maximum likelihood with a normal
    penalty on ξ. Anomalies have to be worth `gains[0]` of log-likelihood, and `gains[1]` more
    for each of their parameters, and are at most 35 % of the exceedances.

    Args:
        y: exceedances [n] above 0, rising, at least 2 different ones.
        pixels: number of scores they come from.
        penalty: centre and spread of ξ, `LOGARITHMIC` or `PLAIN` as the exceedances are.
        gains: log-likelihood that anomalies have to be worth, and for each parameter.
    """
    per_value = max(1.0, y.size / _MOST_VALUES)
    count = int(y.size / per_value)
    y = y[((np.arange(count) + 0.5) * per_value).astype(np.int64)]
    unit = float(np.median(y)) / math.log(2)
    y = y / unit
    # SciPy's optimiser solves systems of a few unknowns by LAPACK, whose threads wait for each
    # other hundreds of times as long where other programs run.
    with one_blas_thread():
        found = _maximised(y, Tail(0, 1), penalty)
        if found is None:
            return None
        best, tail = found
        gain, gain_per_parameter = gains
        best -= gain
        for parameters, candidate in _candidates(y, pixels / per_value, penalty):
            if candidate is not None and candidate[0] + gain_per_parameter * parameters < best:
                best, tail = candidate[0] + gain_per_parameter * parameters, candidate[1]
    return tail.times(unit)


def _candidates(
    y: Vector, pixels: float, penalty: tuple[float, float]
) -> Iterator[tuple[int, tuple[float, Tail] | None]]:
    """Yield the number of parameters that the anomalies of a fit take, and the fit."""
    for share in _EDGES:
        above = round(share * pixels)
        if not _FEWEST_ANOMALOUS <= above <= _MOST_ANOMALOUS * y.size:
            continue
        low = float(y[-above])
        part = Tail(0, 1, 0.7 * above / y.size, low, max(float(y[-1]), low * _NARROWEST))
        for logarithmic in (False, True):
            yield 2, _maximised(y, replace(part, logarithmic=logarithmic), penalty)
    for share in _GROUP_STARTS:
        yield 3, _maximised(y, Tail(0, 1, groups=(_group(y, 0.0, share),)), penalty)
        third = 0.3 * share
        groups = (_group(y, third, share), _group(y, 0.0, third))
        yield 6, _maximised(y, Tail(0, 1, groups=groups), penalty)


def _group(y: Vector, first: float, last: float) -> tuple[float, float, float]:
    """A group as it would be if these shares of the exceedances, from the top, were one."""
    start = int(y.size * (1 - last))
    part = y[start : max(int(y.size * (1 - first)), start + 3)]
    median = max(float(np.median(part)), _LOWEST_MEDIAN)
    spread = float(np.clip(np.log(part).std(), 0.1, _SPREAD_LIMITS[1]))
    return 0.8 * (last - first), median, spread


def _maximised(
    y: Vector, start: Tail, penalty: tuple[float, float] = LOGARITHMIC
) -> tuple[float, Tail] | None:
    """Penalised negative log-likelihood and tail, from the weights and groups of `start`."""
    from scipy.optimize import minimize

    centre, spread_of_shape = penalty
    logarithm = np.log(y)
    flat = _flat_density(y, start) if start.flat > 0 else np.empty((0, y.size))
    weights = [*([start.flat] if start.flat > 0 else []), *(group[0] for group in start.groups)]
    others = 2 + len(weights)

    def loss(parameters: Vector) -> tuple[float, Vector]:
        shape, log_scale, weight = parameters[0], parameters[1], parameters[2:others]
        medians, log_spreads = parameters[others:].reshape(-1, 2, 1).swapaxes(0, 1)
        log_density, slopes = _log_density(y, shape, math.exp(log_scale))
        background = np.exp(log_density)
        z = (logarithm - medians) * np.exp(-log_spreads)
        groups = np.exp(-0.5 * z**2 - log_spreads - logarithm) / math.sqrt(2 * math.pi)
        anomalous = np.concatenate((flat, groups))
        rest = 1 - weight.sum()
        density = rest * background + weight @ anomalous
        if rest <= 0 or not density.min() > _LEAST_DENSITY:
            return _IMPOSSIBLE, np.zeros_like(parameters)
        off = (shape - centre) / spread_of_shape
        shares = weight[len(flat) :, None] * groups / density
        of_groups = np.stack(((shares * z * np.exp(-log_spreads)), shares * (z**2 - 1)), axis=1)
        gradient = -np.concatenate(
            (
                slopes @ (rest * background / density),
                (anomalous - background) @ (1 / density),
                of_groups.sum(axis=2).ravel(),
            )
        )
        gradient[0] += off / spread_of_shape
        return 0.5 * off**2 - float(np.log(density).sum()), gradient

    # A heavy tail: one of negative shape ends, and exceedances beyond its end are impossible.
    first = [0.1, 0.0, *weights]
    limits = [_SHAPE_LIMITS, _LOG_SCALE_LIMITS, *[(0.0, _MOST_ANOMALOUS)] * len(weights)]
    for _, median, spread in start.groups:
        first += [math.log(median), math.log(spread)]
        highest = max(float(logarithm[-1]), math.log(_LOWEST_MEDIAN)) + 0.5
        limits += [(math.log(_LOWEST_MEDIAN), highest)]
        limits += [(math.log(_SPREAD_LIMITS[0]), math.log(_SPREAD_LIMITS[1]))]
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=limits)
    if not found.fun < _IMPOSSIBLE or found.x[2:others].sum() > _MOST_ANOMALOUS:
        return None
    values = [float(value) for value in found.x]
    groups = tuple(
        (weight, math.exp(median), math.exp(spread))
        for weight, median, spread in zip(
            values[others - len(start.groups) : others],
            values[others::2],
            values[others + 1 :: 2],
            strict=True,
        )
    )
    tail = replace(
        start, shape=values[0], scale=math.exp(values[1]), groups=groups,
        flat=values[2] if start.flat > 0 else 0.0,
    )  # fmt: skip
    return float(found.fun), tail


def _flat_density(y: Vector, tail: Tail) -> Vector:
    """[1, n] density of the flat part."""
    if tail.logarithmic:
        inside = 1 / (y * math.log(tail.high / tail.low))
    else:
        inside = np.full(y.shape, 1 / (tail.high - tail.low))
    return np.where(y >= tail.low, inside, 0.0)[None]


def _log_density(y: Vector, shape: float, scale: float) -> tuple[Vector, Vector]:
    """Log density [n] of the generalised Pareto distribution, slopes in ξ and log σ [2, n].

    `scipy.stats.genpareto` has no slopes, without which the fits take several times as long.
    """
    z = y / scale
    if abs(shape) < 1e-5:
        slope = z * (z / 2 - 1)
        return -math.log(scale) - z + shape * slope, np.stack((slope, z - 1))
    # Beyond the end of a short tail the density is 0.
    within = 1 + shape * z > 0
    z = np.where(within, z, 0.0)
    t = np.log1p(shape * z)
    ratio = z / (1 + shape * z)
    slopes = np.stack((t / shape**2 - (1 + 1 / shape) * ratio, (1 + shape) * ratio - 1))
    logarithm = -math.log(scale) - (1 + 1 / shape) * t
    return np.where(within, logarithm, -np.inf), np.where(within, slopes, 0.0)
