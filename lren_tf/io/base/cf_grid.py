"""Georeference of an array by the conventions of netCDF (CF): coordinates and grid mapping.

Coordinate variables lie on the axes of an array and give the centres of its pixels; a grid
mapping names their coordinate reference system. What GDAL adds, the attributes `spatial_ref` and
`GeoTransform`, is read too. Source: CF conventions 1.11, chapters 4 and 5 and appendix F.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference, Transform
from lren_tf.io.base.attributes import words
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_attributes import attributes
from lren_tf.io.base.hdf5_evidence import attached_scales, dimension_names
from lren_tf.io.base.hdf5_nodes import node_at, values

_X_NAMES = frozenset({"x", "lon", "long", "lons", "longitude", "easting", "eastings", "xc", "xdim"})
_Y_NAMES = frozenset({"y", "lat", "lats", "latitude", "northing", "northings", "yc", "ydim"})
_X_STANDARD = frozenset({"projection_x_coordinate", "longitude", "grid_longitude"})
_Y_STANDARD = frozenset({"projection_y_coordinate", "latitude", "grid_latitude"})
_DEGREES = re.compile(r"degrees?([_ ]?(east|north|e|n))?$", re.IGNORECASE)
# Those of the coordinate reference system itself; feet are usual among them.
_METRES = re.compile(
    r"(m|met(er|re)s?|1|us[-_ ]survey[-_ ]f(ee|oo)t|f(ee|oo)t|ft)?$", re.IGNORECASE
)
_KILOMETRES = re.compile(r"(km|kilomet(er|re)s?)$", re.IGNORECASE)
# Of the size of a pixel: by this much coordinates may lie beside a regular grid.
_OFF_GRID = 0.01
# Of what a coordinate's own precision rounds away: single precision is usual.
_ROUNDINGS = 4
_LONGEST_AXIS = 1 << 20
_MOST_POSITIONS = 1 << 26


@dataclass(frozen=True)
class Place:
    """Georeference of a stored array, or why none is claimed.

    Attributes:
        georeference: of the pixels; None where nothing is claimed.
        axes: the axes of the stored array that are its rows and its columns.
        problem: why nothing is claimed though the file says something, as part of a sentence.
        reading: what a place was made of, as a sentence; empty where that is the usual way.
    """

    georeference: Georeference | None = None
    axes: tuple[int, int] = (0, 1)
    problem: str = ""
    reading: str = ""


@dataclass(frozen=True)
class _Axis:
    """A coordinate variable: the axis it lies on, its numbers [n], and what they are."""

    axis: int
    numbers: np.ndarray
    degrees: bool
    problem: str = ""


def cf_place(node: h5py.Dataset) -> Place:
    """The place of an array by its coordinate variables and its grid mapping.

    Raises:
        ValueError, InputError: an array of coordinates is damaged or far too large.
    """
    x, y = _coordinates(node)
    mapping = _grid_mapping(node)
    said = {} if mapping is None else {key.lower(): value for key, value in attributes(mapping)}
    stated = _geotransform(said)
    if x is None or y is None:
        if stated is None:
            named = mapping is not None and "a grid mapping and no coordinates on its axes"
            return Place(problem=named or "")
        # Which way up such an array lies is nowhere said, and writers differ.
        return Place(problem="a GeoTransform and no coordinates on its axes")
    axes = (y.axis, x.axis)
    if problem := x.problem or y.problem:
        return Place(axes=axes, problem=problem)
    crs, problem = _system(said, x.degrees and y.degrees)
    if problem:
        return Place(axes=axes, problem=problem)
    if stated is not None and (stated[1] or stated[3]):
        return Place(axes=axes, problem="a grid that is turned, of which readers disagree")
    across, down = _grid(_unwrapped(x)), _grid(y.numbers)
    if across is None or down is None:
        return _positions(x, y, crs)
    transform = (across[1], 0.0, across[0], 0.0, down[1], down[0])
    if stated is not None:
        if (exact := _agreeing(stated, transform, y.numbers.size)) is None:
            return Place(axes=axes, problem="a GeoTransform that its coordinates contradict")
        transform = exact
    return Place(Georeference(crs, transform), axes)


def _coordinates(node: h5py.Dataset) -> tuple[_Axis | None, _Axis | None]:
    """The coordinate variables of x and of y, None where an array has none or several."""
    found: dict[str, list[_Axis]] = {"x": [], "y": []}
    for axis, scale in _scales(node):
        role = _role(scale)
        if role is not None:
            found[role].append(_axis(axis, scale))
    x, y = (one[0] if len(one) == 1 else None for one in found.values())
    return x, y


def _scales(node: h5py.Dataset) -> Iterator[tuple[int, h5py.Dataset]]:
    """The one-dimensional numeric arrays that are as long as an axis and belong to it."""
    names = dimension_names(node) or ("",) * node.ndim
    for axis, (name, scales) in enumerate(zip(names, attached_scales(node), strict=True)):
        found = next((scale for scale in scales if scale.ndim == 1), None)
        if found is None and name:
            found = _near(node, name)
        if found is None or found.shape != (node.shape[axis],) or found.size > _LONGEST_AXIS:
            continue
        # The mark of an axis that has a name and no coordinates.
        label = " ".join(words(dict(attributes(found)).get("NAME", ()), split=False))
        if "This is a netCDF dimension but not" in label:
            continue
        if found.dtype.kind in "iuf":
            yield axis, found


def _near(node: h5py.Dataset, name: str) -> h5py.Dataset | None:
    """The array of a name in the group of another, or in one of those around it."""
    group = node.parent
    while True:
        if isinstance(found := node_at(group, name), h5py.Dataset):
            return found
        if group.name in (None, "/"):
            return None
        group = group.parent


def _role(scale: h5py.Dataset) -> str | None:
    """`x` or `y`, by what a coordinate variable says of itself, else by its name."""
    said = {key.lower(): _text(value) for key, value in attributes(scale)}
    standard, units = said.get("standard_name", ""), said.get("units", "").lower()
    name = str(scale.name or "").rsplit("/", 1)[-1].lower()
    for role, standards, names, ends in (
        ("x", _X_STANDARD, _X_NAMES, ("east", "_e")),
        ("y", _Y_STANDARD, _Y_NAMES, ("north", "_n")),
    ):
        of_degrees = units.startswith("degree") and units.endswith(ends)
        if standard in standards or said.get("axis", "").lower() == role or of_degrees:
            return role
        if not standard and name in names:
            return role
    return None


def _axis(axis: int, scale: h5py.Dataset) -> _Axis:
    said = {key.lower(): value for key, value in attributes(scale)}
    units = _text(said.get("units", "")).strip()
    numbers = values(scale).astype(np.float64)
    factor, offset = (_number(said.get(key)) for key in ("scale_factor", "add_offset"))
    numbers = numbers * (1.0 if factor is None else factor) + (0.0 if offset is None else offset)
    problem = ""
    degrees = bool(_DEGREES.match(units))
    if _KILOMETRES.match(units):
        numbers = numbers * 1e3
    elif not degrees and not _METRES.match(units):
        problem = f"coordinates in '{units[:40]}'"
    if not np.isfinite(numbers).all():
        problem = "coordinates that are not all numbers"
    return _Axis(axis, numbers, degrees, problem)


def _unwrapped(x: _Axis) -> np.ndarray:
    """Longitudes that cross 180° without the jump there; other numbers as they are."""
    return np.unwrap(x.numbers, period=360.0) if x.degrees else x.numbers


def _grid(centres: np.ndarray) -> tuple[float, float] | None:
    """Outer edge of the first pixel and step of regular centres; None where they are not so."""
    if centres.size < 2:
        return None
    step = float((centres[-1] - centres[0]) / (centres.size - 1))
    regular = centres[0] + step * np.arange(centres.size)
    rounded = _ROUNDINGS * float(np.spacing(np.float32(np.abs(centres).max())))
    # Not more than a tenth of a pixel, or rounding would make any numbers a grid.
    allowed = max(_OFF_GRID * abs(step), min(rounded, 0.1 * abs(step)))
    if step == 0 or np.abs(centres - regular).max() > allowed:
        return None
    return float(centres[0]) - step / 2, step


def _agreeing(stated: Transform, found: Transform, rows: int) -> Transform | None:
    """A stated transform that says what coordinates say, for they may be rounded.

    GDAL writes arrays with the southernmost row first beside the transform of the image that has
    the northernmost first. None where the two contradict each other.
    """
    a, _, c, _, e, f = stated
    for candidate in (stated, (a, 0.0, c, 0.0, -e, f + e * rows)):
        step = min(abs(candidate[0]), abs(candidate[4]))
        if np.allclose(candidate, found, rtol=0, atol=0.1 * step) and np.allclose(
            [candidate[0], candidate[4]], [found[0], found[4]], rtol=1e-3
        ):
            return candidate
    return None


def _positions(x: _Axis, y: _Axis, crs: str | None) -> Place:
    """A position for each pixel, from coordinates that are not regular."""
    axes = (y.axis, x.axis)
    if x.numbers.size * y.numbers.size > _MOST_POSITIONS:
        return Place(axes=axes, problem="coordinates that form no regular grid")
    positions = np.stack(np.meshgrid(x.numbers, y.numbers), axis=-1)
    text = "its coordinates form no regular grid: a position for each pixel"
    return Place(Georeference(crs, positions=positions), axes, reading=text)


def _grid_mapping(node: h5py.Dataset) -> h5py.Dataset | h5py.Group | None:
    """The variable that describes the coordinate reference system of an array."""
    said = _text(dict(attributes(node)).get("grid_mapping", ""))
    # Also the extended form `crs: x y`.
    names = [said.split(":")[0].strip()] if said else ["spatial_ref", "crs"]
    for name in names:
        if name and (found := _near(node, name)) is not None:
            return found
    return None


def _geotransform(said: dict[str, object]) -> Transform | None:
    """GDAL's attribute as the numbers of a `Georeference`."""
    text = _text(said.get("geotransform", ""))
    try:
        x, a, b, y, d, e = (float(part) for part in text.split())
    except ValueError:
        return None
    return (a, b, x, d, e, y) if np.isfinite([x, a, b, y, d, e]).all() else None


def _system(said: dict[str, object], degrees: bool) -> tuple[str | None, str]:
    """WKT of a grid mapping, and why it cannot be had."""
    for key in ("crs_wkt", "spatial_ref"):
        if text := _text(said.get(key, "")).strip():
            return text, ""
    if "grid_mapping_name" not in said:
        # CF leaves the datum of longitudes open; GDAL and others take WGS 84.
        return (wkt_of_epsg(4326) if degrees else None), ""
    try:
        from pyproj import CRS
    except ImportError:
        return None, (
            "a grid mapping that pyproj, which is not installed, reads (pip install 'lren-tf[geo]')"
        )
    described = {key: _plain(value) for key, value in said.items()}
    try:
        return CRS.from_cf(described).to_wkt("WKT2_2019"), ""
    except Exception as error:  # pyproj raises several kinds on numbers that make no system
        reason = " ".join(str(error).split()).rstrip(".")[:100] or type(error).__name__
        return None, f"a grid mapping that is not understood ({reason})"


def _text(value: object) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    try:
        number = float(np.asarray(value, np.float64).ravel()[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def _plain(value: object) -> object:
    """An attribute as numbers and texts of Python."""
    if isinstance(value, (bytes, str)):
        return _text(value)
    listed = np.asarray(value).ravel().tolist()
    return listed[0] if len(listed) == 1 else listed


