"""A threshold on a score map for a false-alarm rate, without truth: peaks over threshold."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.pareto_tail import LOGARITHMIC, PLAIN, Tail, fit_tail
from lren_tf.evaluation.score_array import score_array

PARETO, EMPIRICAL, CALIBRATED = "pareto", "empirical", "calibrated"
TEST = "Kolmogorov-Smirnov"

TAIL_QUANTILES = (0.9, 0.95, 0.975)
"""Quantiles at which the tail begins, tried in this order until the fit is good."""

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
        tail_start: the score u at which it begins.
        tail_centre: the median m of the scores, from which a score s in the tail is measured;
            None where u is not above it, as in a map that is zero nearly everywhere.
        exceedances: how many scores lie above u.
        shape: ξ of the generalised Pareto distribution of the background's exceedances
            y = log((s − m) / (u − m)); 0 is a power law, −0.3 about a Gaussian background.
            Without a median, of y = s − u.
        scale: its σ; where ξ = 0, P(S > s) falls as (s − m)^(−1/σ).
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
    tail_centre: float | None = None
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
class FittedTail:
    """A tail where it was found, and how well it fits."""

    tail: Tail
    quantile: float
    centre: float | None
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
        """The score that this share of the background exceeds, a rate below that of the tail."""
        y = self.tail.background_above(rate / self.background_share)
        with np.errstate(over="ignore"):
            if self.centre is None:
                score = self.start + y
            else:
                score = self.centre + (self.start - self.centre) * np.exp(y)
        return float(np.clip(score, self.start, np.finfo(np.float64).max))

    def log_rate(self, score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Logarithm of the share of the background above scores that exceed the start."""
        if self.centre is None:
            y = score - self.start
        else:
            y = np.log((score - self.centre) / (self.start - self.centre))
        return math.log(self.background_share) + self.tail.log_share_above(y)

    def figures(self) -> dict[str, Any]:
        """Fields of a `Threshold` that describe the fit."""
        return {
            "tail_quantile": self.quantile,
            "tail_start": self.start,
            "tail_centre": self.centre,
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

    It is fitted to the logarithm of the scores' distance to their median. A power law, the tail
    of spectra from a t distribution, is exponential there (ξ = 0), and a Gaussian background
    has ξ of about −0.3. On the scores themselves the shapes run from 0 to 1 and more, and no
    penalty on ξ that tells few anomalies from a heavy tail allows for both.

    The scores include the anomalies, and 1 % of anomalies is ten times a rate of 1e-3. So anomalies
    are part of the model: the exceedances are a mixture of a generalised Pareto background and of
    an anomalous part, which is kept only if the likelihood needs it (`tail.fit_tail`).

    Measured with RX on 200 × 200 simulated spectra of 10 bands, six seeds each: the realised rate
    divided by the requested one at 1e-3, lowest to highest. "Far" anomalies each point in a
    different direction; "mixed" ones have one spectrum and fill 20 to 100 % of their pixels, so
    that they reach from inside the background upwards.

    ==========  ============  ============  ============  ============
    background  none          1 % far       2 % far       1 % mixed
    ==========  ============  ============  ============  ============
    Gaussian    0.70 to 1.30  0.61 to 0.98  0.59 to 1.07  1.11 to 1.74
    K           0.62 to 1.08  0.73 to 0.93  0.61 to 1.02  0.53 to 1.54
    t, 5 d.f.   0.82 to 1.60  0.96 to 2.07  1.05 to 1.20  0.53 to 0.81
    t, 3 d.f.   0.90 to 1.12  0.96 to 1.82  1.35 to 1.81  0.71 to 1.44
    t, 2 d.f.   0.90 to 1.18  0.81 to 1.11  0.79 to 1.12
    ==========  ============  ============  ============  ============

    At 1e-2 all entries of the table are within 0.51 to 1.13. With 2 % of mixed anomalies the
    background has no separate visible tail: rates at 1e-3 were 0.2 to 6 times the requested one.

    On five laws of scores (gamma, chi-square with 80 degrees of freedom, lognormal, F with 12 and
    with 2) and 10000 scores without anomalies, the medians of six seeds are 0.92 to 0.96 times
    the rate at 1e-2, 0.7 to 1.1 at 1e-3, 1.2 to 2 at 1e-4, and 3 to 6 at 1e-5, a tenth of a
    pixel, with single seeds up to 35: far beyond what is counted, the fit ends too early.

    Where anomalies overlap with the background's tail, the fit cannot separate them. The plain
    quantile at 1e-3 realises less than a tenth of the rate with any anomalies at all. A
    background that contains a rare group, such as another material, is treated as anomalous.

    Of one map, a lower rate never has a lower threshold: one fit serves all rates below the
    share of background pixels in the tail, and above that share the threshold is not above the
    start of the tail.

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
    return _threshold(_values(score), checked_rate(false_alarm_rate), [])


def thresholds_at(score: npt.ArrayLike, false_alarm_rates: Iterable[float]) -> list[Threshold]:
    """Return the result of `threshold_at` for each of several rates, with one fit for all.

    Args:
        score: as for `threshold_at`.
        false_alarm_rates: as for `threshold_at`, each of them.

    Raises:
        InputError: as `threshold_at`.
    """
    values = _values(score)
    fits: list[Any] = []
    return [_threshold(values, checked_rate(rate), fits) for rate in false_alarm_rates]


def _threshold(values: npt.NDArray[np.float64], rate: float, fits: list[Any]) -> Threshold:
    """The threshold of scores [N]; `fits` holds the result of `tail_of` once it is needed."""
    reason = _not_in_the_tail(rate, 1 - TAIL_QUANTILES[0])
    if reason is not None:
        return _empirical(values, rate, None, reason, warned=False)
    if not fits:
        fits.append(tail_of(values))
    tail, problem = fits[0]
    if tail is None or problem is not None:
        return _empirical(values, rate, tail, str(problem), warned=True)
    reason = _not_in_the_tail(rate, tail.background_share)
    if reason is not None:
        return _empirical(values, rate, tail, reason, warned=False)
    if rate * values.size < 1:
        warnings.warn(
            f"a false-alarm rate of {rate:g} is {rate * values.size:.2g} of {values.size} pixels: "
            "the threshold is an extrapolation of the fitted tail.",
            stacklevel=3,
        )
    return Threshold(tail.score_at(rate), rate, PARETO, values.size, **tail.figures())


def _empirical(
    values: npt.NDArray[np.float64],
    rate: float,
    tail: FittedTail | None,
    reason: str,
    *,
    warned: bool,
) -> Threshold:
    # The smallest score that no more than this share of the scores exceed.
    threshold = float(np.quantile(values, 1 - rate, method="inverted_cdf"))
    if tail is not None and not warned:
        # Some of the scores above the start are anomalies, so that this quantile may lie above
        # it, and then above the threshold of a lower rate that the fit gives.
        threshold = min(threshold, tail.start)
    if warned:
        outcome = (
            "it is the largest score, so nothing is detected"
            if threshold == values.max()
            else "it counts anomalies as false alarms"
        )
        warnings.warn(
            f"the threshold is the empirical quantile of the scores, since {reason}; {outcome}.",
            stacklevel=4,
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


def tail_of(
    values: npt.NDArray[np.float64],
) -> tuple[FittedTail | None, str | None]:
    """The tail of finite scores [N], and what is wrong with it or why there is none, or None.

    The first good one of those that begin at `TAIL_QUANTILES`, else the first of the bad ones.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return None, "all scores are equal"
    if not math.isfinite(high - low):
        return None, "the scores span more than double precision can hold"
    centre = float(np.quantile(values, 0.5, method="inverted_cdf"))
    outcomes: list[tuple[FittedTail | None, str | None]] = []
    for quantile in TAIL_QUANTILES:
        start = float(np.quantile(values, quantile, method="inverted_cdf"))
        outcome = _fitted(values, quantile, centre, start)
        if outcome[1] is None:
            return outcome
        outcomes.append(outcome)
    return next((outcome for outcome in outcomes if outcome[0] is not None), outcomes[0])


def _fitted(
    values: npt.NDArray[np.float64], quantile: float, centre: float, start: float
) -> tuple[FittedTail | None, str | None]:
    """The tail of scores [N] above `start`, and what is wrong with it."""
    from scipy.stats import kstest

    above = np.sort(values[values > start])
    if above.size < _FEWEST_EXCEEDANCES:
        return None, (
            f"{above.size} scores above the tail's start are fewer than {_FEWEST_EXCEEDANCES}"
        )
    # Where more than half of the scores are equal, a logarithm has nothing to start from.
    middle = centre if centre < start else None
    if middle is None:
        y = above - start
    else:
        with np.errstate(over="ignore"):
            y = np.log((above - middle) / (start - middle))
    if not np.isfinite(y[-1]):
        return None, "the scores span more than double precision can hold"
    y = y[y > 0]  # a neighbour of the start may be equal to it after rounding
    different = np.unique(y).size
    if different < _FEWEST_VALUES:
        return None, f"the tail has {different} different scores only"
    tail = fit_tail(y, values.size, PLAIN if middle is None else LOGARITHMIC)
    if tail is None:
        return None, "the optimiser found no fit of the tail"
    test = kstest(y, tail.cdf)
    distance, p_value = float(test.statistic), float(test.pvalue)
    judged = FittedTail(
        tail, quantile, middle, start, y.size, values.size, distance, p_value
    )
    if judged.p_value < _LEVEL and judged.statistic > _DISTANCE:
        return judged, (
            f"the fitted tail differs from the scores ({TEST} distance {test.statistic:.3f}, "
            f"p = {test.pvalue:.1g})"
        )
    return judged, None
