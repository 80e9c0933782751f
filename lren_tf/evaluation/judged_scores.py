"""Scores with their truth: checked, pixels without data left out, scaled to [0, 1]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.score_array import real_scores, refuse_non_finite


def judged(
    scores: npt.ArrayLike, truth: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The one place where scores and truth are checked; returns both flat: [N], [N]."""
    s, t = real_scores(scores, "scores"), real_scores(truth, "truth")
    refuse_other_shape(s, "scores", t, "truth")
    if np.isinf(s).any() or np.isnan(s).all():
        refuse_non_finite(s, "scores")
    data = ~(np.isnan(s) | _hidden(truth))
    s, t = s[data], t[data]
    refuse_non_finite(t, "truth")
    anomaly = t != 0
    count = int(anomaly.sum())
    if count == 0:
        raise InputError(
            f"truth has no anomalous pixel (0 of {anomaly.size} values{_but(data)} differ from "
            "zero); "
            "expected both classes; pass a truth map that marks at least one anomaly."
        )
    if count == anomaly.size:
        raise InputError(
            f"truth has no background pixel (all {anomaly.size} values{_but(data)} differ from "
            "zero); "
            "expected both classes; mark the background with 0."
        )
    return s, anomaly


def _but(data: npt.NDArray[np.bool_]) -> str:
    return "" if data.all() else " where scores and truth hold data"


def _hidden(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mask of a masked array, in its shape; False for anything else."""
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.getmaskarray(values)
    return np.zeros((), np.bool_)


def refuse_other_shape(
    first: np.ndarray, first_name: str, second: np.ndarray, second_name: str
) -> None:
    """Refuse two arrays of different shapes, by the names of their arguments."""
    if first.shape != second.shape:
        raise InputError(
            f"{first_name} has shape {first.shape} and {second_name} has shape {second.shape}; "
            "expected equal shapes; reshape or crop one to match the other."
        )


def min_max(s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Global min-max of checked scores; zeros where they are constant."""
    low, high = float(s.min()), float(s.max())
    if low == high:
        return np.zeros_like(s)
    if np.isinf(high - low):  # halves keep a range wider than float64 finite
        s, low, high = s / 2, low / 2, high / 2
    return (s - low) / (high - low)
