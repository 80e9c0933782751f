"""Lists of detections as CSV and GeoJSON files."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from lren_tf.evaluation.detections import Detection
from lren_tf.runtime.files import atomic_path

_WGS84 = "EPSG:4326"
# How coordinates are described in every feature.
_LONGITUDE = "longitude, latitude (WGS 84)"
_SCENE_CRS = "x, y in the scene's coordinate reference system"
_UNKNOWN_CRS = "x, y of the scene's map transform, coordinate reference system unknown"
_PIXELS = "column, row (pixels, the centre of the first one is 0, 0)"


def write_csv(path: str | os.PathLike[str], listed: Sequence[Detection]) -> None:
    """Write detections as a table, one column for each attribute of `Detection`.

    Raises:
        InputError: the file cannot be written.
    """
    names = [field.name for field in fields(Detection)]
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        # A coordinate that is None becomes an empty cell.
        writer.writerows([getattr(detection, name) for name in names] for detection in listed)


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
    points, kind = [(detection.column, detection.row) for detection in listed], _PIXELS
    member: dict[str, Any] = {}
    if all(detection.x is not None for detection in listed):
        coordinates = [
            (float(detection.x), float(detection.y))  # type: ignore[arg-type]
            for detection in listed
        ]
        if crs is not None:
            points, kind, member = _on_the_globe(coordinates, crs)
        elif listed:
            points, kind = coordinates, _UNKNOWN_CRS
    text = json.dumps(
        {
            "type": "FeatureCollection",
            **member,
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": point},
                    "properties": {**asdict(detection), "coordinates": kind},
                }
                for detection, point in zip(listed, points, strict=True)
            ],
        },
        indent=1,
        allow_nan=False,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="ascii")


def _on_the_globe(
    coordinates: list[tuple[float, float]], crs: str
) -> tuple[list[tuple[float, float]], str, dict[str, Any]]:
    """Points, a description of their coordinates, and further members of the collection."""
    code = _epsg(crs)
    if code == "4326":
        return coordinates, _LONGITUDE, {}
    try:
        return _longitudes(coordinates, crs), _LONGITUDE, {}
    except ImportError:
        problem = "rasterio is not installed (pip install 'lren-tf[geo]')"
    except ValueError as error:
        problem = str(error)
    warnings.warn(
        f"the detections in GeoJSON are in the scene's coordinate reference system: {problem}.",
        stacklevel=4,
    )
    name = crs if code is None else f"urn:ogc:def:crs:EPSG::{code}"
    return coordinates, _SCENE_CRS, {"crs": {"type": "name", "properties": {"name": name}}}


def _longitudes(coordinates: list[tuple[float, float]], crs: str) -> list[tuple[float, float]]:
    """Longitude and latitude on WGS 84.

    Raises:
        ValueError: the coordinates cannot be transformed; the message gives the reason.
    """
    import rasterio
    import rasterio.warp

    # Without an environment GDAL also writes the text of the exception to stderr.
    with rasterio.Env():
        try:
            longitudes, latitudes = rasterio.warp.transform(
                rasterio.crs.CRS.from_wkt(crs), _WGS84,
                [x for x, _ in coordinates], [y for _, y in coordinates],
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
    code = re.search(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\s*\]\s*$', wkt)
    return None if code is None else code[1]
