"""Metrics of a score map given the truth: AUC(Pd,Pf), the 3-D ROC family, separability.

Higher score = more anomalous, everywhere. Every function takes ``scores`` and ``truth`` of one
common shape (a map [H, W], a table [N], anything: both are flattened), works in float64 and
refuses what it cannot evaluate with :class:`~lren_tf.errors.InputError`. In ``truth`` every finite
value other than zero marks an anomaly. A score that is NaN means "no data here": that pixel is
left out, whatever its truth is, even NaN. So is a pixel that is masked in a masked array of scores
or of truth.

Notation: s are the scores after a global min-max to [0, 1], T the anomalous pixels, B the
background, and for a threshold tau

    Pd(tau) = mean over T of [s >= tau],    Pf(tau) = mean over B of [s >= tau].

The areas under Pd and Pf against tau need no grid of thresholds: the integral over [0, 1] of
[s >= tau] is s itself, so AUC(Pd,tau) is the mean of s over T and AUC(Pf,tau) its mean over B.

An operator asks for the share of targets found at a bearable number of false alarms: `pd_at_pf`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.curves_and_boxes import BOX_PERCENTILES, BoxWhisker, ClassBox, RocCurve
from lren_tf.evaluation.judged_scores import judged, min_max, refuse_other_shape
from lren_tf.evaluation.score_array import judged_array

__all__ = [
    "BOX_PERCENTILES",
    "FORMULAS",
    "BoxWhisker",
    "ClassBox",
    "RocCurve",
    "auc_pd_pf",
    "auc_pd_tau",
    "auc_pf_tau",
    "average_precision",
    "box_whisker",
    "evaluate",
    "normalise",
    "paper_grid_auc_pf_tau",
    "pd_at_pf",
    "pearson",
    "roc_curve",
]

# Public codes disagree on which sum is called "ODP" and which "OA"/"OD", so each name is given
# with its formula. Those built on other entries are expressions in the keys of `evaluate`.
FORMULAS: dict[str, str] = {
    # The three areas.
    "auc_pd_pf": "P(s_T > s_B) + P(s_T = s_B) / 2",
    "auc_pf_tau": "mean of s over B",
    "auc_pd_tau": "mean of s over T",
    # 3-D ROC: C.-I Chang, IEEE TGRS 59(6), 2021, doi:10.1109/TGRS.2020.3021671.
    "auc_td": "auc_pd_pf + auc_pd_tau",
    "auc_bs": "auc_pd_pf - auc_pf_tau",
    "auc_tdbs": "auc_pd_tau - auc_pf_tau",
    "auc_odp": "auc_pd_tau + (1 - auc_pf_tau)",
    "auc_od": "auc_pd_pf + auc_pd_tau - auc_pf_tau",  # often printed as AUC_OA
    "auc_snpr": "auc_pd_tau / auc_pf_tau",
    # The variant for anomalies: C.-I Chang, IEEE TGRS 60, 2022.
    "adp": "auc_pd_tau",
    "bdp": "1 - auc_pf_tau",
    "jad": "auc_pd_pf + adp",
    "jbs": "auc_pd_pf + bdp",
    "adbs": "adp + bdp",
    "oadp": "auc_pd_pf + adp + bdp",
    # Operating points of the ROC curve; see `pd_at_pf`.
    "pd_at_1_percent": "P(s_T > q), q the lowest s_B that at most 1 % of B exceed",
    "pd_at_1_permille": "P(s_T > q), q the lowest s_B that at most 0.1 % of B exceed",
    "average_precision": "mean over T of P(T | s >= s_t)",
}
"""Formula of each measure of `evaluate`, in the notation of this module."""

_PAPER_GRID_STEPS = 1000


def normalise(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Global min-max of ``scores`` (any shape) to [0, 1]; the shape is kept.

    A constant map has no contrast and becomes all zeros: nothing in it is anomalous.

    Args:
        scores: finite real numbers.

    Returns:
        float64 of the same shape.

    Raises:
        InputError: a score is NaN or infinite, no number, or there is none.
    """
    return min_max(judged_array(scores, "scores"))


def auc_pd_pf(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """AUC(Pd,Pf): the probability that an anomaly outscores the background, ties one half.

    Computed on the ranks of the scores as given, so exact whatever their scale.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Share from 0 to 1; 0.5 is chance.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    return _auc_pd_pf(*judged(scores, truth))


def auc_pf_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """AUC(Pf,tau), lower is better: the mean normalised score of the background.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Number from 0 to 1.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    return float(min_max(s)[~anomaly].mean())


def auc_pd_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """AUC(Pd,tau), higher is better: the mean normalised score of the anomalies.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Number from 0 to 1.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    return float(min_max(s)[anomaly].mean())


def average_precision(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Average precision: of the pixels that score at least what an anomaly does, the share of
    anomalies, averaged over the anomalies. It falls as anomalies become rarer; chance gives their
    share of all pixels.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Share from 0 to 1.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    return _average_precision(*judged(scores, truth))


def pd_at_pf(scores: npt.ArrayLike, truth: npt.ArrayLike, pf: float) -> float:
    """Pd at a false-alarm rate: the highest Pd of the ROC curve at which Pf is at most `pf`.

    The share of the anomalous pixels that score above the lowest background score that at most
    ``pf * background pixels`` background pixels exceed, rounded down. Only pixels above it are
    detections: an anomaly that ties with it is missed, and background pixels that tie with each
    other are all detected or all not, so that the realised rate may be lower than `pf`. With
    fewer background pixels than 1 / pf none may be detected: the cut is the highest of them.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.
        pf: share of the background pixels, from 0 to 1 (excluded).

    Returns:
        Share of the anomalous pixels, from 0 to 1.

    Raises:
        InputError: `pf` is out of its range, or scores and truth cannot be evaluated.
    """
    if isinstance(pf, bool) or not isinstance(pf, (int, float, np.number)) or not 0 <= pf < 1:
        raise InputError(
            f"pf is {pf!r}; expected a share of the background pixels from 0 to below 1, such as "
            "0.01."
        )
    return _pd_at_pf(*judged(scores, truth), float(pf))


def evaluate(scores: npt.ArrayLike, truth: npt.ArrayLike) -> dict[str, float | None]:
    """Every measure of `FORMULAS`, under the same names and in the same order.

    ``auc_snpr`` is None where AUC(Pf,tau) is zero (every background pixel holds the smallest
    score): the ratio has no value there, and JSON has no infinity. No other value is None.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Measure by its name.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    unit = min_max(s)
    df = _auc_pd_pf(s, anomaly)
    ft = float(unit[~anomaly].mean())
    dt = float(unit[anomaly].mean())
    adp, bdp = dt, 1.0 - ft
    return {
        "auc_pd_pf": df,
        "auc_pf_tau": ft,
        "auc_pd_tau": dt,
        "auc_td": df + dt,
        "auc_bs": df - ft,
        "auc_tdbs": dt - ft,
        "auc_odp": dt + (1.0 - ft),
        "auc_od": df + dt - ft,
        "auc_snpr": _ratio(dt, ft),
        "adp": adp,
        "bdp": bdp,
        "jad": df + adp,
        "jbs": df + bdp,
        "adbs": adp + bdp,
        "oadp": df + adp + bdp,
        "pd_at_1_percent": _pd_at_pf(s, anomaly, 0.01),
        "pd_at_1_permille": _pd_at_pf(s, anomaly, 0.001),
        "average_precision": _average_precision(s, anomaly),
    }


def paper_grid_auc_pf_tau(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """AUC(Pf,tau) on the threshold grid that the paper's comparator rows carry.

    A MATLAB helper in circulation (Zou and Shi, 2015) puts thresholds at a step h = 1/1000 from
    min - h to max + h, counts strictly larger scores, and integrates by trapezoids. The step
    below the minimum, where Pf = 1, adds h: the result is the exact `auc_pf_tau` + 0.001 up to
    the grid error. Use it only to compare with published values, never to rank detectors.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Number from 0.001 to 1.001.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    background = np.sort(min_max(s)[~anomaly])
    tau = np.arange(-1, _PAPER_GRID_STEPS + 2) / _PAPER_GRID_STEPS
    pf = 1.0 - np.searchsorted(background, tau, side="right") / background.size
    from scipy.integrate import trapezoid  # slow to import, and not every command's

    return float(trapezoid(pf, tau))


def roc_curve(scores: npt.ArrayLike, truth: npt.ArrayLike) -> RocCurve:
    """The exact ROC curve: one point for each distinct score, none dropped, none interpolated.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Thresholds and rates, float64.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    order = np.argsort(-s, kind="stable")
    falling = s[order]
    # Pixels with one score pass the threshold together: only the last of a run is a point.
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), s.size - 1)
    detected = np.cumsum(anomaly[order])[last]
    false_alarms = last + 1 - detected
    return RocCurve(
        tau=np.concatenate(([np.nextafter(1.0, 2.0)], min_max(s)[order][last])),
        pd=np.concatenate(([0.0], detected / detected[-1])),
        pf=np.concatenate(([0.0], false_alarms / false_alarms[-1])),
    )


def box_whisker(scores: npt.ArrayLike, truth: npt.ArrayLike) -> BoxWhisker:
    """Percentiles of the normalised scores of each class, for a separability plot.

    Whiskers at the 10th and 90th percentile rather than at the extremes: the global min-max
    pins one pixel at 0 and one at 1, so the extremes say nothing about separation.

    Args:
        scores: [H, W], [N] or any other shape, real; NaN where there is no data.
        truth: of the same shape, non-zero marks an anomaly.

    Returns:
        Percentiles of background and anomalies, each from 0 to 1.

    Raises:
        InputError: the shapes differ, a score is infinite, or one of the classes has no pixel.
    """
    s, anomaly = judged(scores, truth)
    unit = min_max(s)
    return BoxWhisker(background=_box(unit[~anomaly]), anomaly=_box(unit[anomaly]))


def pearson(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Pearson correlation of two maps of one common shape.

    Args:
        a: finite real numbers of any shape.
        b: of the same shape.

    Returns:
        Number from -1 to 1.

    Raises:
        InputError: the shapes differ, a value is NaN or infinite, or a map holds one value only.
    """
    first, second = judged_array(a, "a"), judged_array(b, "b")
    refuse_other_shape(first, "a", second, "b")
    x, y = _standardised(first, "a"), _standardised(second, "b")
    # Rounding can carry the correlation of a map with itself a few units past 1.
    return float(np.clip(np.dot(x, y), -1.0, 1.0))


def _auc_pd_pf(s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.bool_]) -> float:
    from sklearn.metrics import roc_auc_score  # takes as long as the rest of a command's start

    # Ranks, because scikit-learn takes differences of scores, which can overflow.
    return float(roc_auc_score(anomaly, np.unique(s, return_inverse=True)[1]))


def _average_precision(s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.bool_]) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(anomaly, np.unique(s, return_inverse=True)[1]))


def background_cut(background: npt.NDArray[np.float64], pf: float) -> float:
    """The lowest of the background scores that at most a share `pf` of them exceed.

    Args:
        background: [b] finite scores, at least one.
        pf: from 0 to below 1.
    """
    # Products such as 0.29 * 100 lie a rounding below the whole number that is meant.
    allowed = min(int(pf * background.size + 1e-9), background.size - 1)
    place = background.size - 1 - allowed
    return float(np.partition(background, place)[place])


def _pd_at_pf(s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.bool_], pf: float) -> float:
    return float(np.mean(s[anomaly] > background_cut(s[~anomaly], pf)))


def _ratio(numerator: float, denominator: float) -> float | None:
    return None if denominator == 0.0 else numerator / denominator


def _box(unit: npt.NDArray[np.float64]) -> ClassBox:
    return ClassBox(*(float(p) for p in np.percentile(unit, BOX_PERCENTILES)))


def _standardised(values: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """``values`` flat, centred and of unit length: [N]."""
    if values.min() == values.max():
        raise InputError(
            f"{name} holds one value only ({values.flat[0]:g}, {values.size} times); "
            "expected some contrast, without which a correlation is undefined; "
            "compare maps that vary."
        )
    # Correlation ignores scale, and the unit range keeps the squares from overflowing.
    unit = min_max(values).ravel()
    centred = unit - unit.mean()
    return centred / np.linalg.norm(centred)
