"""Scores in decades of the estimated false-alarm rate: −log10 of the share that scores higher.

A decade is a tenth of the false alarms: at 3, one background pixel in a thousand scores higher.
The scale is the same for every detector, and `threshold_at` cuts it at −log10 of its rate.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lren_tf.evaluation.score_array import score_array
from lren_tf.evaluation.threshold import FittedTail, tail_of

MOST_DECADES = 15.0
"""Highest value, since a fitted tail that ends somewhere has no background above its end."""


def false_alarm_decades(score: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """−log10 of the estimated share of background pixels that score higher, for every pixel.

    In the upper tail it is the share of the background that `threshold_at` fits, which does not
    count anomalies and goes on beyond what counting supports. Below it, scores are counted: the
    share of the pixels that score higher, scaled to meet the fit at the start of the tail. Where
    no tail can be fitted, every score is counted, anomalies among them, and the highest of N has
    log10 N.

    Args:
        score: scores of any shape, higher = more anomalous; NaN where there is no data.

    Returns:
        In the shape of `score`, from 0 to `MOST_DECADES`, NaN where the score is NaN. A higher
        score never has fewer decades.

    Raises:
        InputError: scores that are not real numbers, are infinite, or all NaN.
    """
    array = score_array(score)
    data = ~np.isnan(array)
    values = array[data]
    decades = np.full(array.shape, np.nan)
    if values.size:
        tail, problem = tail_of(values)
        rates = _log_rates(values, tail if problem is None else None)
        decades[data] = np.clip(-rates / math.log(10), 0.0, MOST_DECADES)
    return decades


def _log_rates(
    values: npt.NDArray[np.float64], tail: FittedTail | None
) -> npt.NDArray[np.float64]:
    """Logarithm of the estimated share of background pixels above each score [N]."""
    ordered = np.sort(values)
    if tail is None:
        # At or above, since nothing is above the highest, and a share of 0 has no logarithm.
        return np.log((values.size - np.searchsorted(ordered, values, "left")) / values.size)
    body = int(np.searchsorted(ordered, tail.start, "right"))
    below = np.searchsorted(ordered, values, "right") / body
    rates = np.log1p(-(1 - tail.background_share) * np.minimum(below, 1.0))
    above = values > tail.start
    rates[above] = tail.log_rate(values[above])
    return rates
