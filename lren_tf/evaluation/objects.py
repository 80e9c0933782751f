"""Detection of objects: groups of touching anomalous pixels of the truth, found or missed.

A pixel is detected at a false-alarm rate as for `metrics.pd_at_pf`. An object is found if one
of its pixels is detected. Detected pixels that touch at sides or corners form a group, and a group
without an anomalous pixel is a false alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.judged_scores import judged
from lren_tf.evaluation.metrics import background_cut
from lren_tf.evaluation.score_array import score_map

RATES: Mapping[str, float] = {"1_percent": 0.01, "1_permille": 0.001}
"""False-alarm rates at which objects are counted, by the name that records give them."""
_M2_OF_KM2 = 1e6


class ObjectScores(NamedTuple):
    """Contributions of each of the K objects to the areas; means over its pixels with data.

    The AUC(Pd,Pf) of a map is the mean of `placement` with the weights `pixels`, and its Pd at a
    rate the mean of `detected`.
    """

    pixels: npt.NDArray[np.int64]
    """[K] pixels with data."""
    placement: npt.NDArray[np.float64]
    """[K] share of the background that scores lower, ties one half."""
    detected: Mapping[str, npt.NDArray[np.float64]]
    """[K] share of the pixels that are detected, for each of `RATES`."""


def truth_objects(
    truth: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> npt.NDArray[np.int64]:
    """Labels [H, W] int of the objects of a truth, from 1; 0 on the background.

    Args:
        truth: [H, W], anything but 0 is anomalous.
        valid: [H, W] bool, where there is data; None for everywhere.
    """
    from scipy import ndimage

    anomalous = np.asarray(truth) != 0
    if valid is not None:
        anomalous &= np.asarray(valid, bool)
    return ndimage.label(anomalous, structure=np.ones((3, 3)))[0]


class JudgedObjects(NamedTuple):
    """A score map beside the objects of a truth, which are labelled once."""

    values: npt.NDArray[np.float64]
    """[H, W] scores, NaN where there is no data."""
    labels: npt.NDArray[np.int64]
    """[H, W], as of `truth_objects`."""
    background: npt.NDArray[np.float64]
    """[b] scores of the background."""

    @classmethod
    def of(cls, score: npt.ArrayLike, truth: npt.ArrayLike) -> JudgedObjects:
        """Label the objects, and see that they can be judged.

        Args:
            score: [H, W], higher = more anomalous, NaN where there is no data.
            truth: [H, W].

        Raises:
            InputError: they cannot be judged.
        """
        values = score_map(score)
        judged(score, truth)  # for its refusals
        marked: npt.NDArray[Any] = np.ma.filled(np.ma.asarray(truth), 0)
        if marked.ndim != 2:
            raise InputError(
                f"truth has shape {marked.shape}; expected rows × columns, reshape it."
            )
        hidden = np.ma.getmaskarray(truth) if isinstance(truth, np.ma.MaskedArray) else False
        values = np.where(hidden, np.nan, values)
        data = ~np.isnan(values)
        labels = truth_objects(np.where(data, marked, 0), data)
        return cls(values, labels, values[data & (labels == 0)])

    def scores(self) -> ObjectScores:
        """Scores of each object beside those of the background."""
        low = np.sort(self.background)
        objects = self.labels > 0
        numbers = self.labels[objects] - 1
        pixels = np.bincount(numbers)
        s = self.values[objects]
        below = np.searchsorted(low, s, "left") + np.searchsorted(low, s, "right")
        cuts = {name: background_cut(self.background, pf) for name, pf in RATES.items()}
        return ObjectScores(
            pixels,
            np.bincount(numbers, below / (2 * low.size)) / pixels,
            {name: np.bincount(numbers, s > cut) / pixels for name, cut in cuts.items()},
        )

    def record(self, pixel_area: float | None = None) -> dict[str, Any]:
        """Objects found and false alarms at each of `RATES`, ready for JSON.

        Args:
            pixel_area: of one pixel in square metres, or None where it is not known.

        Returns:
            `count`, the number of objects, `area_km2`, that of the pixels with data, and for each
            rate `found`, the share of the objects, `false_alarms`, and `false_alarms_per_km2`;
            None for what needs an area that is not known.
        """
        from scipy import ndimage

        values, labels, background = self
        count = int(labels.max())
        area = None
        if pixel_area is not None:
            area = float(np.isfinite(values).sum()) * pixel_area / _M2_OF_KM2
        record: dict[str, Any] = {"count": count, "area_km2": area}
        for name, pf in RATES.items():
            detected = values > background_cut(background, pf)
            groups, number = ndimage.label(detected, structure=np.ones((3, 3)))
            hits = np.unique(groups[(groups > 0) & (labels > 0)]).size
            alarms = number - hits
            record[f"at_{name}"] = {
                "found": np.unique(labels[detected & (labels > 0)]).size / count,
                "false_alarms": int(alarms),
                "false_alarms_per_km2": alarms / area if area else None,
            }
        return record
