"""Statistics of a comparison: ranks over scenes and when they differ, intervals over objects.

Ranks, Friedman's test and Nemenyi's critical difference are those of J. Demšar, Statistical
comparisons of classifiers over multiple data sets, JMLR 7, 2006, with scenes as data sets.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.evaluation.objects import ObjectScores

FEWEST_SCENES = 5
"""Scenes below which ranks say too little for a test."""
LEVEL = 0.05
"""Significance level of the critical difference."""
DRAWS = 2000
"""Resamples of the bootstrap."""
SEED = 0
"""Seed of the bootstrap."""
INTERVAL = 0.95
"""Share of the resamples within an interval."""
_COUNTS = 1 << 20

Floats = npt.NDArray[np.float64]


class Friedman(NamedTuple):
    """Friedman's test of the hypothesis that all methods are equally good."""

    statistic: float
    p: float


def ranks(values: npt.ArrayLike) -> Floats:
    """Ranks [N, k] of k methods on each of N scenes, from 1, ties their mean.

    Args:
        values: [N, k], higher = better; NaN for a failure, which ranks worst.
    """
    from scipy import stats

    found = np.asarray(values, np.float64)
    failed_last = np.where(np.isnan(found), -np.inf, found)
    result: Floats = stats.rankdata(-failed_last, axis=1)
    return result


def critical_difference(methods: int, scenes: int) -> float:
    """Difference of mean ranks that two methods need to differ (Nemenyi, `LEVEL`).

    q √(k (k + 1) / 6N), q the quantile of the studentised range of k groups with infinitely many
    degrees of freedom, divided by √2.

    Args:
        methods: k, 2 or more.
        scenes: N, 1 or more.
    """
    from scipy import stats

    q = stats.studentized_range.ppf(1 - LEVEL, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * scenes)))


def friedman(ranked: npt.ArrayLike) -> Friedman | None:
    """Friedman's test, corrected for ties; None for less than three methods, or ties alone.

    Args:
        ranked: [N, k] from `ranks`.
    """
    from scipy import stats

    found = np.asarray(ranked, np.float64)
    if found.shape[1] < 3 or not np.ptp(found, axis=1).any():
        return None
    statistic, p = stats.friedmanchisquare(*found.T)
    return Friedman(float(statistic), float(p))


def resampled(scene: str, objects: ObjectScores) -> dict[str, Floats]:
    """Measures of a map with its objects drawn again, with replacement, `DRAWS` times.

    The background stays what it is. The draws are those of the scene: all methods are judged by
    the same ones.

    Args:
        scene: name, which seeds the draws.
        objects: of the map; the mean over seeds for several.

    Returns:
        [`DRAWS`] values of AUC(Pd,Pf), and of Pd at each rate, by the names of metrics.
    """
    count = objects.pixels.size
    rng = np.random.default_rng([SEED, zlib.crc32(scene.encode())])
    measures = {"auc_pd_pf": objects.placement}
    measures |= {f"pd_at_{rate}": shares for rate, shares in objects.detected.items()}
    found = {name: np.empty(DRAWS) for name in measures}
    # As many at a time as a few megabytes hold.
    step = max(1, _COUNTS // count)
    for first in range(0, DRAWS, step):
        part = slice(first, min(first + step, DRAWS))
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=part.stop - first)
        weights = drawn * objects.pixels
        for name, values in measures.items():
            found[name][part] = weights @ values / weights.sum(axis=1)
    return found


def interval(drawn: Floats) -> list[float]:
    """Lower and upper end of what the middle `INTERVAL` of resamples spans."""
    outside = (1 - INTERVAL) / 2
    return [float(end) for end in np.quantile(drawn, [outside, 1 - outside])]


def mean_objects(scores: Sequence[Mapping[str, Any]]) -> ObjectScores:
    """Mean over the runs of a method on one scene.

    Args:
        scores: `object_scores` of their records.
    """
    placement = np.mean([each["placement"] for each in scores], axis=0)
    detected = {
        rate: np.mean([each["detected"][rate] for each in scores], axis=0)
        for rate in scores[0]["detected"]
    }
    return ObjectScores(np.asarray(scores[0]["pixels"], np.int64), placement, detected)
