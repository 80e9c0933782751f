"""Polygons of a GeoJSON file as a mask of a scene: which pixel centres lie inside.

Coordinates are longitude and latitude on WGS 84 (RFC 7946), or in the coordinate reference system
that the member `crs` of the older specification of 2008 names. The centres of the pixels are taken
to the polygons, not the other way round: an edge is straight in the system of the file.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.io.base.optional import needs
from lren_tf.io.base.source import Source

SUFFIXES = (".geojson", ".json")

_WGS84 = "EPSG:4326"
_LARGEST_FILE = 256 << 20
_PIXELS_AT_A_TIME = 1 << 20
_CONTAINERS = {"FeatureCollection": "features", "GeometryCollection": "geometries"}

Polygon = list[np.ndarray]
"""Rings [n, 2] of x and y, the outer one first."""


def is_polygon_file(path: object) -> bool:
    """Return whether a mask is passed as the path of a GeoJSON file, by its suffix."""
    return isinstance(path, (str, os.PathLike)) and Path(path).suffix.lower() in SUFFIXES


def polygon_mask(
    path: str | os.PathLike[str], place: Georeference | None, height: int, width: int
) -> np.ndarray:
    """Return which pixels [H, W] have their centres inside the polygons of a file.

    A `UserWarning` tells of polygons without one, where others have some.

    Args:
        path: a GeoJSON file with polygons, alone or in features and collections.
        place: of the scene.
        height, width: of the scene.

    Raises:
        InputError: the file is missing or no such one, the scene has no place, or no pixel centre
            lies inside.
    """
    with Source(path) as source:
        file = source.path
        document = _parsed(file, source.start_over())
    polygons = list(_polygons(file, document))
    if not polygons:
        raise _refusal(file, "holds no polygon", "a Polygon or MultiPolygon")
    if place is None or (place.transform is None and place.positions is None):
        raise InputError(
            argument="mask",
            received=f"{file.name} holds polygons, and the scene says no coordinates of its pixels",
            expected="a scene with coordinates",
            remedy="pass a mask that is an image",
        )
    system = _system(file, document)
    _check_range(file, polygons, system)
    inside = np.zeros((height, width), bool)
    seen = np.zeros(len(polygons), bool)
    at_once = max(1, _PIXELS_AT_A_TIME // width)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for start in range(0, height, at_once):
        rows = range(start, min(start + at_once, height))
        points = _in_system(file, place, _centres(place, rows, width), system)
        known = np.isfinite(points).all(axis=1)
        if known.any():
            low = np.minimum(low, points[known].min(axis=0))
            high = np.maximum(high, points[known].max(axis=0))
        for index, polygon in enumerate(polygons):
            found = known & _inside(points, polygon, turns=system == _WGS84)
            seen[index] |= found.any()
            inside[rows.start : rows.stop] |= found.reshape(-1, width)
    if not seen.any():
        edges = np.concatenate([ring for polygon in polygons for ring in polygon])
        raise InputError(
            argument="mask",
            received=f"no pixel of the scene has its centre in the polygons of {file.name}, which "
            f"lie from {_pair(edges.min(axis=0))} to {_pair(edges.max(axis=0))}",
            expected=f"some between {_pair(low)} and {_pair(high)}, where the scene lies",
        )
    if not seen.all():
        warnings.warn(
            f"{file.name}: {np.count_nonzero(~seen)} of {len(seen)} polygons hold the centre of no "
            "pixel of the scene.",
            stacklevel=3,
        )
    return inside


def _parsed(file: Path, stream: IO[bytes]) -> dict[str, Any]:
    content = stream.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise _refusal(file, "is larger than 256 MiB", "fewer polygons")
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refusal(file, f"is no JSON ({reason[:120]})", "GeoJSON with polygons") from error
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise _refusal(file, "is JSON without a 'type'", "GeoJSON with polygons")
    return document


def _polygons(file: Path, member: Any) -> Iterator[Polygon]:
    """The polygons of an object and of all that it contains, from the outside in."""
    waiting: list[Any] = [member]
    while waiting:
        one = waiting.pop(0)
        if one is None:  # a feature without a location
            continue
        kind = one.get("type") if isinstance(one, dict) else None
        if kind == "Feature":
            waiting.append(one.get("geometry"))
        elif kind in _CONTAINERS:
            listed = one.get(_CONTAINERS[kind])
            if not isinstance(listed, list):
                raise _refusal(file, f"has a {kind} without a list", f"'{_CONTAINERS[kind]}'")
            waiting.extend(listed)
        elif kind == "Polygon":
            yield _rings(file, one.get("coordinates"))
        elif kind == "MultiPolygon":
            listed = one.get("coordinates")
            if not isinstance(listed, list):
                raise _refusal(file, "has a MultiPolygon without coordinates", "a list of them")
            for coordinates in listed:
                yield _rings(file, coordinates)
        else:
            raise _refusal(file, f"holds a {str(kind)[:40]}", "polygons alone")


def _rings(file: Path, coordinates: object) -> Polygon:
    if not isinstance(coordinates, list) or not coordinates:
        raise _refusal(file, "has a polygon without rings", "at least one")
    rings = []
    for ring in coordinates:
        try:
            points = np.array([(float(point[0]), float(point[1])) for point in ring])
        except (TypeError, ValueError, IndexError, KeyError, OverflowError):
            raise _refusal(
                file, "has a ring that is not a list of positions", "pairs of numbers"
            ) from None
        if points.ndim != 2 or not np.isfinite(points).all():
            raise _refusal(file, "has a ring without numbers", "pairs of finite numbers")
        if len(points) < 4 or (points[0] != points[-1]).any():
            raise _refusal(
                file, f"has a ring of {len(points)} positions that is not closed",
                "four or more, the last one like the first",
            )  # fmt: skip
        rings.append(points)
    return rings


def _system(file: Path, document: dict[str, Any]) -> str:
    """The coordinate reference system of a file, as text that rasterio reads."""
    member = document.get("crs")
    if member is None:
        return _WGS84
    said = member.get("properties") if isinstance(member, dict) else None
    name = said.get("name") if isinstance(said, dict) else None
    if not isinstance(name, str):
        raise _refusal(file, "has a member 'crs' without a name", "one such as EPSG:32633, or none")
    if re.fullmatch(r"(urn:ogc:def:crs:)?OGC:(1\.3|2)?:?CRS84", name):
        return _WGS84
    code = re.fullmatch(r"(urn:(ogc|x-ogc):def:crs:)?EPSG:([\d.]*:)?(\d+)", name, re.IGNORECASE)
    return f"EPSG:{code[4]}" if code is not None else name


def _check_range(file: Path, polygons: list[Polygon], system: str) -> None:
    if system != _WGS84:
        return
    for polygon in polygons:
        for ring in polygon:
            beyond = (np.abs(ring[:, 0]) > 360) | (np.abs(ring[:, 1]) > 90)
            if beyond.any():
                x, y = ring[np.argmax(beyond)]
                raise _refusal(
                    file, f"has the position {x:.10g}, {y:.10g}",
                    "longitudes and latitudes, or a member 'crs' that names another system",
                )  # fmt: skip


def _centres(place: Georeference, rows: range, width: int) -> np.ndarray:
    """x and y [N, 2] of the centres of the pixels of some rows."""
    if place.transform is None:
        assert place.positions is not None
        return place.positions[rows.start : rows.stop].reshape(-1, 2).astype(np.float64)
    a, b, c, d, e, f = place.transform
    row, column = np.mgrid[rows.start : rows.stop, :width] + 0.5
    return np.stack([a * column + b * row + c, d * column + e * row + f], -1).reshape(-1, 2)


def _in_system(file: Path, place: Georeference, points: np.ndarray, system: str) -> np.ndarray:
    """Points of a scene in the system of a file, NaN where it has no place for them."""
    if place.crs is None:
        raise InputError(
            argument="mask",
            received=f"{file.name} holds polygons, and the scene's coordinate reference system is "
            "not known",
            expected="a scene that says it",
            remedy="pass a mask that is an image",
        )
    with needs("rasterio", "laying polygons over a scene"):
        import rasterio
        import rasterio.warp
        from rasterio.crs import CRS
    with rasterio.Env():
        try:
            theirs, ours = CRS.from_user_input(system), CRS.from_user_input(place.crs)
            if theirs == ours:
                return points
            moved = np.full(points.shape, np.nan)
            known = np.isfinite(points).all(axis=1)
            moved[known] = np.array(rasterio.warp.transform(ours, theirs, *points[known].T)).T
        except Exception as error:  # GDAL's own errors, which have no class in common
            reason = " ".join(str(error).split()).rstrip(".")[:120]
            raise _refusal(
                file, f"cannot be laid over the scene ({reason})",
                "coordinate reference systems that PROJ knows",
            ) from error  # fmt: skip
    moved[~np.isfinite(moved)] = np.nan
    return moved


def _inside(points: np.ndarray, polygon: Polygon, *, turns: bool) -> np.ndarray:
    """Return which points [N] lie inside a polygon, a turn of longitude to either side too."""
    from matplotlib.path import Path as Outline

    found = np.zeros(len(points), bool)
    low, high = polygon[0].min(axis=0), polygon[0].max(axis=0)
    for shift in (0.0, 360.0, -360.0) if turns else (0.0,):
        moved = points + np.array([shift, 0.0])
        near = ((moved >= low) & (moved <= high)).all(axis=1)
        if not near.any():
            continue
        within = np.zeros(int(near.sum()), bool)
        for ring in polygon:  # what lies inside a hole lies inside two rings
            within ^= Outline(ring, closed=True).contains_points(moved[near])
        found[near] |= within
    return found


def _refusal(file: Path, found: str, expected: str) -> InputError:
    return InputError(argument="mask", received=f"{file.name} {found}", expected=expected)


def _pair(point: np.ndarray) -> str:
    return ", ".join("nowhere" if not math.isfinite(one) else f"{one:.7g}" for one in point)
