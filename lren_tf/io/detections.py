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
_EVIDENCE = "evidence_"
_BANDS = "strongest_bands"
STATUS = "status"
# How coordinates are described in every feature.
_LONGITUDE = "longitude, latitude (WGS 84)"
_SCENE_CRS = "x, y in the scene's coordinate reference system"
_UNKNOWN_CRS = "x, y of the scene's map transform, coordinate reference system unknown"
_PIXELS = "column, row (pixels, the centre of the first one is 0, 0)"


def write_csv(
    path: str | os.PathLike[str], listed: Sequence[Detection], evidence: Sequence[str] = ()
) -> None:
    """Write detections as a table, one column for each attribute of `Detection`.

    The strongest bands of a detection have a column where one has them, with spaces between. The
    last column, `STATUS`, is empty: a person may fill it (:mod:`lren_tf.io.review`).

    Args:
        path: the file.
        listed: from `find_detections`.
        evidence: names of the evidence, whose shares get a column each.

    Raises:
        InputError: the file cannot be written.
    """
    names = attribute_names(listed, evidence)
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, STATUS])
        # A coordinate that is None becomes an empty cell.
        for attributes in map(attributes_of, listed):
            writer.writerow([*(attributes.get(name) for name in names), ""])


def write_geojson(
    path: str | os.PathLike[str], listed: Sequence[Detection], crs: str | None = None
) -> None:
    """Write detections as GeoJSON points at their centroids (RFC 7946).

    Points are longitude and latitude on WGS 84, longitudes from -180 to 180. A detection of which
    they are not known has no geometry, as RFC 7946 says of features without a location, and a
    `UserWarning` tells why: without a coordinate reference system, or where it cannot be
    transformed, say because rasterio is not installed. The property ``coordinates`` says what the
    properties of every point locate it by.

    Args:
        path: the file.
        listed: from `find_detections`.
        crs: WKT of the system of x and y, or None where it is not known.

    Raises:
        InputError: the file cannot be written.
    """
    points, kind = _points(listed, crs)
    text = json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": None if point is None else {"type": "Point", "coordinates": point},
                    "properties": {
                        **attributes_of(detection),
                        "coordinates": kind if point is not None or kind != _LONGITUDE else _PIXELS,
                    },
                }
                for detection, point in zip(listed, points, strict=True)
            ],
        },
        indent=1,
        allow_nan=False,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="ascii")


def attribute_names(listed: Sequence[Detection], evidence: Sequence[str] = ()) -> list[str]:
    """Names of the attributes that detections have in files, in their order.

    Args:
        listed: from `find_detections`.
        evidence: names of the evidence.
    """
    names = [field.name for field in fields(Detection) if field.name not in ("evidence", "bands")]
    names += [f"{_EVIDENCE}{name}" for name in evidence]
    return names + ([_BANDS] if any(each.bands is not None for each in listed) else [])


def attributes_of(detection: Detection) -> dict[str, Any]:
    """Attributes by name, the share of each evidence as one of them, bands as text."""
    attributes = asdict(detection)
    shares, bands = attributes.pop("evidence") or {}, attributes.pop("bands")
    attributes |= {f"{_EVIDENCE}{name}": share for name, share in shares.items()}
    return attributes if bands is None else {**attributes, _BANDS: " ".join(map(str, bands))}


def _points(
    listed: Sequence[Detection], crs: str | None
) -> tuple[list[tuple[float, float] | None], str]:
    """Longitude and latitude of each detection, None where not known, and what locates them."""
    nowhere: list[tuple[float, float] | None] = [None] * len(listed)
    known = [index for index, detection in enumerate(listed) if detection.x is not None]
    if not known:
        return nowhere, _PIXELS
    if crs is None:
        _note("the system of their x and y is not known")
        return nowhere, _UNKNOWN_CRS
    coordinates = [(float(listed[i].x), float(listed[i].y)) for i in known]  # type: ignore[arg-type]
    try:
        if _epsg(crs) != "4326":
            coordinates = _longitudes(coordinates, crs)
        if any(abs(latitude) > 90 for _, latitude in coordinates):
            raise ValueError("some have latitudes beyond the poles")
    except ImportError:
        _note("rasterio, which finds longitude and latitude, is not installed (pip install "
              "'lren-tf[geo]')")  # fmt: skip
        return nowhere, _SCENE_CRS
    except ValueError as error:
        _note(str(error))
        return nowhere, _SCENE_CRS
    for index, (longitude, latitude) in zip(known, coordinates, strict=True):
        nowhere[index] = _wrapped(longitude), latitude
    return nowhere, _LONGITUDE


def _wrapped(longitude: float) -> float:
    """A longitude from -180 to 180; what lies there is left bit by bit."""
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def _note(problem: str) -> None:
    warnings.warn(
        "the detections in GeoJSON have no points, only x and y among their properties: "
        f"{problem}.",
        stacklevel=5,
    )


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
