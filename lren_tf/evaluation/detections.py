"""From a score map and a threshold to a list of detections, and to CSV and GeoJSON files."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.evaluation.threshold import score_array
from lren_tf.runtime.files import atomic_path
from lren_tf.validators import real, whole

BACKGROUND, DETECTED, NO_DATA = 0, 1, 255
"""Values of a mask."""

Transform = Sequence[float]
"""Six numbers a, b, c, d, e, f: x = a·column + b·row + c, y = d·column + e·row + f, where
(column, row) = (0, 0) is the outer corner of the first pixel and (0.5, 0.5) its centre."""

_WGS84 = "EPSG:4326"
# How coordinates are described in every feature.
_LONGITUDE = "longitude, latitude (WGS 84)"
_SCENE_CRS = "x, y in the scene's coordinate reference system"
_UNKNOWN_CRS = "x, y of the scene's map transform, coordinate reference system unknown"
_PIXELS = "column, row (pixels, the centre of the first one is 0, 0)"


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
        x, y: the centroid in the scene's coordinate reference system, or None without one.
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
    x: float | None = None
    y: float | None = None


class Detections(NamedTuple):
    """What is above a threshold, as a picture and as a list that agree."""

    mask: npt.NDArray[np.uint8]
    """[H, W]: `DETECTED`, `BACKGROUND`, or `NO_DATA`."""
    listed: list[Detection]
    """The highest peak first."""


def find_detections(
    score: npt.ArrayLike,
    threshold: float,
    *,
    min_size: int = 1,
    transform: Transform | None = None,
) -> Detections:
    """Groups of pixels that score above a threshold; pixels touch at sides and corners.

    Args:
        score: [H, W], higher = more anomalous, NaN where there is no data, or a masked array.
        threshold: a detected pixel scores higher than this.
        min_size: smaller groups are left out, of the mask too; at least 1 pixel.
        transform: see `Transform`; None for a scene without georeference.

    Raises:
        InputError: the scores are no map of real numbers, the threshold is not finite,
            min_size is below 1, or the transform is not six finite numbers that map pixels
            to different places.
    """
    values = score_array(score)
    if values.ndim != 2:
        raise InputError(
            f"the score map has shape {values.shape}; expected rows × columns, reshape it first."
        )
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
    transform = _checked_transform(transform)

    from scipy import ndimage

    labels, count = ndimage.label(values > threshold, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    labels = np.where(sizes[labels] >= min_size, labels, 0)
    boxes = ndimage.find_objects(labels)
    listed = [
        _described(values, labels, number, box, threshold)
        for number, box in enumerate(boxes, 1)
        if box is not None
    ]
    # Of equal peaks the one that comes first in the image is first.
    listed.sort(key=lambda found: (-found["peak_score"], found["peak_row"], found["peak_column"]))
    mask = np.where(np.isnan(values), NO_DATA, np.where(labels > 0, DETECTED, BACKGROUND))
    return Detections(
        mask.astype(np.uint8),
        [
            Detection(label, **found, x=x, y=y)
            for label, found in enumerate(listed, 1)
            for x, y in (_place(found, transform),)
        ],
    )


def write_csv(path: str | os.PathLike[str], listed: Sequence[Detection]) -> None:
    """Write detections as a table, one column for each attribute of `Detection`.

    Raises:
        InputError: the file cannot be written.
    """
    names = [field.name for field in fields(Detection)]
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        # A coordinate that there is not is an empty cell.
        writer.writerows([getattr(found, name) for name in names] for found in listed)


def write_geojson(
    path: str | os.PathLike[str], listed: Sequence[Detection], crs: str | None = None
) -> None:
    """Write detections as GeoJSON points at their centroids (RFC 7946).

    With a coordinate reference system the points are longitude and latitude on WGS 84, if
    rasterio is installed or the system is that one. Else they stay in the scene's system, which
    a ``crs`` member names as GeoJSON of 2008 did, and a `UserWarning` says so. Without x and y
    they are column and row. The property ``coordinates`` of every point says which it is.

    Args:
        path: the file.
        listed: from `find_detections`.
        crs: WKT of the system of x and y, or None where it is not known.

    Raises:
        InputError: the file cannot be written.
    """
    points, kind = [(found.column, found.row) for found in listed], _PIXELS
    member: dict[str, Any] = {}
    if all(found.x is not None for found in listed):
        places = [(float(found.x), float(found.y)) for found in listed]  # type: ignore[arg-type]
        if crs is not None:
            points, kind, member = _on_the_globe(places, crs)
        elif listed:
            points, kind = places, _UNKNOWN_CRS
    text = json.dumps(
        {
            "type": "FeatureCollection",
            **member,
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": point},
                    "properties": {**asdict(found), "coordinates": kind},
                }
                for found, point in zip(listed, points, strict=True)
            ],
        },
        indent=1,
        allow_nan=False,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="ascii")


def _checked_transform(transform: Transform | None) -> tuple[float, ...] | None:
    if transform is None:
        return None
    try:
        numbers = tuple(float(number) for number in transform)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"transform is {transform!r}; expected six finite numbers a, b, c, d, e, f with "
            "x = a·column + b·row + c and y = d·column + e·row + f."
        )
    a, b, _, d, e, _ = numbers
    if a * e == b * d:
        raise InputError(
            f"transform is {transform!r}, which puts different pixels at one place; expected "
            "a·e − b·d other than 0."
        )
    return numbers


def _described(
    values: npt.NDArray[np.float64],
    labels: npt.NDArray[np.integer],
    number: int,
    box: tuple[slice, slice],
    threshold: float,
) -> dict[str, Any]:
    """Everything about one group but its label and its place on the map."""
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
    }


def _centroid(at: npt.NDArray[np.intp], weights: npt.NDArray[np.float64]) -> float:
    """Weighted mean of rows or columns; rounding may carry a mean past the last of them."""
    return float(np.clip(np.average(at, weights=weights), at.min(), at.max()))


def _place(
    found: dict[str, Any], transform: tuple[float, ...] | None
) -> tuple[float | None, float | None]:
    if transform is None:
        return None, None
    a, b, c, d, e, f = transform
    column, row = found["column"] + 0.5, found["row"] + 0.5
    return a * column + b * row + c, d * column + e * row + f


def _on_the_globe(
    places: list[tuple[float, float]], crs: str
) -> tuple[list[tuple[float, float]], str, dict[str, Any]]:
    """Points, what they are, and the members of the collection that say so."""
    code = _epsg(crs)
    if code == "4326":
        return places, _LONGITUDE, {}
    try:
        return _longitudes(places, crs), _LONGITUDE, {}
    except ImportError:
        problem = "rasterio is not installed (pip install 'lren-tf[geo]')"
    except ValueError as error:
        problem = str(error)
    warnings.warn(
        f"the detections in GeoJSON are in the scene's coordinate reference system: {problem}.",
        stacklevel=4,
    )
    name = crs if code is None else f"urn:ogc:def:crs:EPSG::{code}"
    return places, _SCENE_CRS, {"crs": {"type": "name", "properties": {"name": name}}}


def _longitudes(places: list[tuple[float, float]], crs: str) -> list[tuple[float, float]]:
    """Longitude and latitude on WGS 84; a ValueError says why there are none."""
    import rasterio
    import rasterio.warp

    # Without an environment GDAL writes to stderr what the exception says.
    with rasterio.Env():
        try:
            longitudes, latitudes = rasterio.warp.transform(
                rasterio.crs.CRS.from_wkt(crs), _WGS84,
                [x for x, _ in places], [y for _, y in places],
            )  # fmt: skip
        except Exception as error:  # GDAL's own errors have no public class in common
            reason = str(error).strip().rstrip(".")
            raise ValueError(f"it cannot be transformed ({reason})") from error
    points = list(zip(longitudes, latitudes, strict=True))
    if not all(math.isfinite(number) for point in points for number in point):
        raise ValueError("some lie where it has no longitude and latitude")
    return points


def _epsg(wkt: str) -> str | None:
    """The EPSG code of a whole WKT (1 or 2), not of a part; None where it has none."""
    found = re.search(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\s*\]\s*$', wkt)
    return None if found is None else found[1]
