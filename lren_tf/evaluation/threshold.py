"""A threshold on a score map for a false-alarm rate, without truth: peaks over threshold."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.pareto_tail import Tail, fit_tail
from lren_tf.evaluation.score_array import score_array

PARETO, EMPIRICAL, CALIBRATED = "pareto", "empirical", "calibrated"
TEST = "Kolmogorov-Smirnov"

TAIL_QUANTILES = (0.9, 0.95, 0.975)
"""Where the tail begins, tried in this order until the fit is good."""

HIGHEST_RATE = 0.5

# Fewer exceedances say too little about a shape.
_FEWEST_EXCEEDANCES = 50
# Score maps of counts or classes have no tail that a continuous law could follow.
_FEWEST_VALUES = 20
# A fit is bad when the test rejects it at this level and the distance is large enough to
# matter. With many pixels a test rejects every law.
_LEVEL, _DISTANCE = 0.01, 0.05


@dataclass(frozen=True)
class Threshold:
    """A threshold and how it was found. A pixel is a detection if its score is larger.

    Attributes:
        threshold: in the units of the scores.
        false_alarm_rate: the requested rate: the share of background pixels that score higher.
        method: ``"pareto"``, from the fitted tail; ``"empirical"``, the quantile of the scores;
            ``"calibrated"``, −log₁₀ of the rate, since the scores are calibrated.
        pixels: how many scores there were, those without data left out.
        tail_quantile: of all scores, at which the tail begins; None without a fit, as all
            below are.
        tail_start: the score at which it begins.
        exceedances: how many scores lie above it.
        shape: ξ of the generalised Pareto distribution of the background's exceedances.
        scale: its σ, in the units of the scores.
        anomalous_share: share of all pixels that the fit set apart as not of the background.
        test: name of the goodness-of-fit test.
        statistic: of the test: largest distance between the distribution functions of the
            exceedances and of the fit.
        p_value: of the statistic; too high, since the parameters come from the same scores.
        reason: why the method is empirical, or None.
    """

    threshold: float
    false_alarm_rate: float
    method: str
    pixels: int
    tail_quantile: float | None = None
    tail_start: float | None = None
    exceedances: int | None = None
    shape: float | None = None
    scale: float | None = None
    anomalous_share: float | None = None
    test: str | None = None
    statistic: float | None = None
    p_value: float | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Every attribute by name, for a report."""
        return asdict(self)


@dataclass(frozen=True)
class _Judged:
    """A tail where it was found, and how well it fits."""

    tail: Tail
    quantile: float
    start: float
    exceedances: int
    pixels: int
    statistic: float
    p_value: float

    @property
    def background_share(self) -> float:
        """Share of all pixels that are background and lie in the tail."""
        return (1 - self.tail.anomalous) * self.exceedances / self.pixels

    def score_at(self, rate: float) -> float:
        return self.start + self.tail.background_above(rate / self.background_share)

    def figures(self) -> dict[str, Any]:
        """What a `Threshold` says about it."""
        return {
            "tail_quantile": self.quantile,
            "tail_start": self.start,
            "exceedances": self.exceedances,
            "shape": self.tail.shape,
            "scale": self.tail.scale,
            "anomalous_share": self.tail.anomalous * self.exceedances / self.pixels,
            "test": TEST,
            "statistic": self.statistic,
            "p_value": self.p_value,
        }


def checked_rate(value: Any, what: str = "false_alarm_rate") -> float:
    """A false-alarm rate as a float.

    Args:
        value: what was passed.
        what: how the message calls it.

    Raises:
        InputError: it is not a number above 0 and at most 0.5.
    """
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not 0 < value <= HIGHEST_RATE:
        raise InputError(
            f"{what} is {value!r}; expected a share of the background pixels above 0 and at most "
            f"{HIGHEST_RATE:g}, such as 0.001."
        )
    return float(value)


def calibrated_threshold(score: npt.ArrayLike, false_alarm_rate: float) -> Threshold:
    """Return the threshold of calibrated scores: −log₁₀ of the false-alarm rate.

    Args:
        score: −log₁₀ of the estimated share of the background that scores higher, as the preset
            ``robust`` gives them; NaN where there is no data.
        false_alarm_rate: share of the background pixels that may score above the threshold,
            above 0, at most 0.5.

    Raises:
        InputError: the rate is not such a share, or the scores are none.
    """
    rate = checked_rate(false_alarm_rate)
    return Threshold(-math.log10(rate), rate, CALIBRATED, _values(score).size)


def threshold_at(score: npt.ArrayLike, false_alarm_rate: float) -> Threshold:
    """The score that a background pixel exceeds with a given probability, without truth.

    Peaks over threshold (Pickands, 1975; Davison and Smith, 1990): what scores exceed a high
    quantile by follows a generalised Pareto distribution, P(Y > y) = (1 + ξ y/σ)^(−1/ξ),
    whatever the distribution of the scores is. It gives the threshold, so the rate may be far
    below what counting supports.

    The scores hold the anomalies too, and 1 % of anomalies is ten times a rate of 1e-3. They
    are part of the model: the exceedances are a mixture of a generalised Pareto background and
    of an anomalous part, which is kept only if the likelihood needs it (`tail.fit_tail`).

    Measured on 10000 scores from each of eight laws (gamma, chi-square with 80 degrees of
    freedom, two lognormal, F, with 60 % and 93 % zeros, a mixture of three chi-squares), ten
    seeds each. Share of the thresholds whose true rate on the background is within a factor of
    two of the requested one, with 0.5 / 1 / 2 % of anomalies:

    =============================================  ==================  ==================
    anomalies                                      at 1e-2             at 1e-3
    =============================================  ==================  ==================
    none                                           1.00                1.00
    1.5 to 6 times the background's 1e-5 quantile  1.00 / 1.00 / 0.99  0.97 / 0.97 / 0.93
    a narrow group at 1.2 times its 1e-4 quantile  1.00 / 1.00 / 0.96  0.94 / 0.97 / 0.95
    partly filled pixels, from inside it upwards   1.00 / 1.00 / 0.96  0.84 / 0.57 / 0.53
    log-uniform from its 1e-2 quantile upwards     1.00 / 0.96 / 0.78  0.80 / 0.70 / 0.51
    =============================================  ==================  ==================

    Where anomalies overlap with the background's tail, the fit cannot separate them, and more
    often than not the threshold is too high. The plain quantile at 1e-3 realises less than a
    tenth of the rate with any anomalies at all. On RX maps of simulated scenes both rates hold
    up to 1 % of anomalies; at 2 % they have entered RX's own covariance and score no higher
    than its tail (0.3 to 0.8 times the rate at 1e-2, 0 to 0.3 times at 1e-3). A background that
    contains a rare group, such as another material, is treated as anomalous.

    Args:
        score: scores of any shape, higher = more anomalous; NaN where there is no data, or a
            masked array.
        false_alarm_rate: share of the background pixels that may score above the threshold,
            above 0, at most 0.5.

    Returns:
        A `Threshold`. Where no tail can be fitted (too few pixels, too few different scores,
        a fit that the Kolmogorov-Smirnov test rejects by a distance that matters), it is the
        empirical quantile of all scores, which counts anomalies as false alarms and so lies
        too high; the reason is in the result and in a `UserWarning`. For rates that do not
        reach the tail (0.1 and more) the empirical quantile is the method, without a warning.
        A rate below one pixel of the scene is extrapolated, with a `UserWarning`.

    Raises:
        InputError: a rate out of its range; scores that are not real numbers, are infinite, or
            all NaN or masked.
    """
    rate = checked_rate(false_alarm_rate)
    values = _values(score)
    reason = _not_in_the_tail(rate, 1 - TAIL_QUANTILES[0])
    if reason is not None:
        return _empirical(values, rate, None, reason, warned=False)
    tail, problem = _tail(values)
    if tail is None or problem is not None:
        return _empirical(values, rate, tail, str(problem), warned=True)
    reason = _not_in_the_tail(rate, tail.background_share)
    if reason is not None:
        return _empirical(values, rate, tail, reason, warned=False)
    if rate * values.size < 1:
        warnings.warn(
            f"a false-alarm rate of {rate:g} is {rate * values.size:.2g} of {values.size} pixels: "
            "the threshold is an extrapolation of the fitted tail.",
            stacklevel=2,
        )
    return Threshold(tail.score_at(rate), rate, PARETO, values.size, **tail.figures())


def _empirical(
    values: npt.NDArray[np.float64], rate: float, tail: _Judged | None, reason: str, *, warned: bool
) -> Threshold:
    # The smallest score that no more than this share of the scores exceed.
    threshold = float(np.quantile(values, 1 - rate, method="inverted_cdf"))
    if warned:
        outcome = (
            "it is the largest score, so nothing is detected"
            if threshold == values.max()
            else "it counts anomalies as false alarms"
        )
        warnings.warn(
            f"the threshold is the empirical quantile of the scores, since {reason}; {outcome}.",
            stacklevel=3,
        )
    figures = {} if tail is None else tail.figures()
    return Threshold(threshold, rate, EMPIRICAL, values.size, **figures, reason=reason)


def _not_in_the_tail(rate: float, share: float) -> str | None:
    if rate < share:
        return None
    return f"a rate of {rate:g} is not below the tail's share of the pixels, {share:.3g}"


def _values(score: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The scores [N] float64 without NaN; refuses values that are not scores."""
    array = score_array(score)
    values = array[~np.isnan(array)]
    if values.size == 0:
        raise InputError(
            f"the score map has no data in any of its {array.size} pixels; expected scores, NaN "
            "only where there is no data."
        )
    return values


def _tail(values: npt.NDArray[np.float64]) -> tuple[_Judged | None, str | None]:
    """The first good tail; else the first of the bad ones, if any, and what is wrong with it."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return None, "all scores are equal"
    if not math.isfinite(high - low):
        return None, "the scores span more than double precision can hold"
    outcomes: list[tuple[_Judged | None, str | None]] = []
    for quantile in TAIL_QUANTILES:
        start = float(np.quantile(values, quantile, method="inverted_cdf"))
        y = np.sort(values[values > start]) - start
        outcome = _judged_tail(y, quantile, start, values.size)
        if outcome[1] is None:
            return outcome
        outcomes.append(outcome)
    return next((outcome for outcome in outcomes if outcome[0] is not None), outcomes[0])


def _judged_tail(
    y: npt.NDArray[np.float64], quantile: float, start: float, pixels: int
) -> tuple[_Judged | None, str | None]:
    """The tail fitted to the sorted exceedances `y`, and what is wrong with it."""
    from scipy.stats import kstest

    if y.size < _FEWEST_EXCEEDANCES:
        return None, f"{y.size} scores above the tail's start are fewer than {_FEWEST_EXCEEDANCES}"
    different = np.unique(y).size
    if different < _FEWEST_VALUES:
        return None, f"the tail has {different} different scores only"
    tail = fit_tail(y, pixels)
    if tail is None:
        return None, "the optimiser found no fit of the tail"
    test = kstest(y, tail.cdf)
    judged = _Judged(
        tail, quantile, start, y.size, pixels, float(test.statistic), float(test.pvalue)
    )
    if judged.p_value < _LEVEL and judged.statistic > _DISTANCE:
        return judged, (
            f"the fitted tail differs from the scores ({TEST} distance {test.statistic:.3f}, "
            f"p = {test.pvalue:.1g})"
        )
    return judged, None
