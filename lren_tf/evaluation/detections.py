"""Detections: groups of touching pixels that score above a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.georeference import Transform, checked_transform
from lren_tf.data.stripes import stripes
from lren_tf.errors import InputError
from lren_tf.evaluation.score_array import score_map
from lren_tf.validators import real, whole

BACKGROUND, DETECTED, NO_DATA = 0, 1, 255
"""Values of a mask."""


@dataclass(frozen=True)
class Detection:
    """One group of touching pixels above a threshold; rows and columns count from 0.

    Attributes:
        label: 1 for the detection with the highest peak, 2 for the next, …
        pixels: how many there are.
        row, column: centroid of the pixels' centres, each with the weight score − threshold,
            so that a halo of weak pixels does not pull it off the target.
        first_row, first_column, last_row, last_column: bounding box, all inside.
        peak_score: the highest score.
        peak_row, peak_column: the pixel that has it.
        mean_score: of its pixels.
        stripe: whether most of its pixels lie in columns or rows whose scores stand out from
            their neighbours from one edge of the image to the other
            (`lren_tf.data.stripes`): more likely an artefact of the sensor than an object.
        x, y: the centroid in the scene's coordinate reference system, or None without one.
        evidence: share of each evidence in the sum at the peak, by name; None for scores that
            are not made of evidence.
        bands: the bands that contribute most to the score at the peak, from 0, the strongest
            first; None where nobody has asked for them.
    """

    label: int
    pixels: int
    row: float
    column: float
    first_row: int
    first_column: int
    last_row: int
    last_column: int
    peak_score: float
    peak_row: int
    peak_column: int
    mean_score: float
    stripe: bool = False
    x: float | None = None
    y: float | None = None
    evidence: Mapping[str, float] | None = None
    bands: Sequence[int] | None = None


class Detections(NamedTuple):
    """Detections as a mask and as a list, which agree."""

    mask: npt.NDArray[np.uint8]
    """[H, W]: `DETECTED`, `BACKGROUND`, or `NO_DATA`."""
    listed: list[Detection]
    """The highest peak first."""


def find_detections(
    score: npt.ArrayLike,
    threshold: float,
    *,
    min_size: int = 1,
    transform: Sequence[float] | None = None,
) -> Detections:
    """Groups of pixels that score above a threshold; pixels touch at sides and corners.

    Args:
        score: [H, W], higher = more anomalous, NaN where there is no data, or a masked array.
        threshold: a detected pixel scores higher than this.
        min_size: smaller groups are left out, of the mask too; at least 1 pixel.
        transform: the six numbers of `Georeference.transform`; None for a scene without one.

    Raises:
        InputError: the scores are not a map of real numbers, the threshold is not finite,
            min_size is below 1, or the transform is not six finite numbers that map pixels
            to different points.
    """
    values = score_map(score)
    try:
        threshold = real("threshold", threshold)
    except InputError:
        raise InputError(f"threshold is {threshold!r}; expected a finite number.") from None
    try:
        min_size = whole("min_size", min_size, 1)
    except InputError:
        raise InputError(
            f"min_size is {min_size!r}; expected a whole number of 1 pixel or more."
        ) from None
    numbers = None if transform is None else checked_transform(transform, invertible=True)

    from scipy import ndimage

    labels, count = ndimage.label(values > threshold, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    labels = np.where(sizes[labels] >= min_size, labels, 0)
    boxes = ndimage.find_objects(labels)
    lines = stripes(values)
    in_line = lines.columns | lines.rows[:, None]
    listed = [
        _described(values, labels, number, box, threshold, in_line)
        for number, box in enumerate(boxes, 1)
        if box is not None
    ]
    # Of equal peaks the one that comes first in the image is first.
    listed.sort(key=lambda group: (-group["peak_score"], group["peak_row"], group["peak_column"]))
    mask = np.where(np.isnan(values), NO_DATA, np.where(labels > 0, DETECTED, BACKGROUND))
    return Detections(
        mask.astype(np.uint8),
        [
            Detection(label, **group, x=x, y=y)
            for label, group in enumerate(listed, 1)
            for x, y in (_coordinates(group, numbers),)
        ],
    )


def detection_labels(detections: Detections) -> npt.NDArray[np.int32]:
    """The label of the detection that each pixel belongs to, int32 [H, W], 0 for none.

    Args:
        detections: from `find_detections`.
    """
    from scipy import ndimage

    groups, count = ndimage.label(detections.mask == DETECTED, structure=np.ones((3, 3)))
    label_of_group = np.zeros(count + 1, np.int32)
    for detection in detections.listed:
        label_of_group[groups[detection.peak_row, detection.peak_column]] = detection.label
    return label_of_group[groups]


def _described(
    values: npt.NDArray[np.float64],
    labels: npt.NDArray[np.integer],
    number: int,
    box: tuple[slice, slice],
    threshold: float,
    in_line: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    """Attributes of one group, without its label and its map coordinates."""
    rows, columns = np.nonzero(labels[box] == number)
    rows, columns = rows + box[0].start, columns + box[1].start
    scores = values[rows, columns]
    peak = int(np.argmax(scores))
    # Halves, since a difference of two numbers may exceed what double precision holds.
    weights = scores / 2 - threshold / 2
    weights = weights / weights.max() if weights.max() > 0 else np.ones_like(weights)
    return {
        "pixels": int(rows.size),
        "row": _centroid(rows, weights),
        "column": _centroid(columns, weights),
        "first_row": box[0].start,
        "first_column": box[1].start,
        "last_row": box[0].stop - 1,
        "last_column": box[1].stop - 1,
        "peak_score": float(scores[peak]),
        "peak_row": int(rows[peak]),
        "peak_column": int(columns[peak]),
        "mean_score": float(np.sum(scores / scores.size)),
        "stripe": bool(in_line[rows, columns].mean() > 0.5),
    }


def _centroid(at: npt.NDArray[np.intp], weights: npt.NDArray[np.float64]) -> float:
    """Weighted mean of rows or columns; rounding may carry a mean past the last of them."""
    return float(np.clip(np.average(at, weights=weights), at.min(), at.max()))


def _coordinates(
    group: dict[str, Any], transform: Transform | None
) -> tuple[float | None, float | None]:
    """Map coordinates of the centroid of a group."""
    if transform is None:
        return None, None
    a, b, c, d, e, f = transform
    column, row = group["column"] + 0.5, group["row"] + 0.5
    return a * column + b * row + c, d * column + e * row + f
