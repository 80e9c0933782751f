"""Georeference of an xarray array: its coordinates, and a GeoTransform that agrees."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from lren_tf.data.georeference import Georeference, Transform
from lren_tf.io.base.axis_names import role_of
from lren_tf.io.base.place_checks import checked_place

if TYPE_CHECKING:
    import xarray as xr

_USUAL = "spatial_ref"
# Of a pixel: how far coordinates may lie beside a grid, which they are rounded to.
_TOLERANCE = 1e-4


def grid_mapping_of(array: xr.DataArray) -> str | None:
    """The coordinate with the coordinate reference system, as CF names it or rioxarray calls it."""
    for name in (array.encoding.get("grid_mapping"), array.attrs.get("grid_mapping"), _USUAL):
        if isinstance(name, str) and name in array.coords:
            return name
    return None


def place_of(name: str, array: xr.DataArray) -> Georeference | None:
    """The georeference of an image, or None; a `UserWarning` tells of what is not claimed.

    The coordinates of rows and columns count: a `GeoTransform` stays what it was when an array is
    cut or turned, and is used only where it says the same, and more exactly.

    Args:
        name: for messages.
    """
    mapping = grid_mapping_of(array)
    said = {} if mapping is None else array.coords[mapping].attrs
    crs = next((said[key] for key in ("crs_wkt", "spatial_ref") if said.get(key)), None)
    crs = None if crs is None else str(crs)
    roles = {role_of(str(dimension)): str(dimension) for dimension in array.dims}
    if "row" not in roles or "column" not in roles:
        return None
    height, width = (array.sizes[roles[role]] for role in ("row", "column"))
    stored = _stored_transform(said.get("GeoTransform"))
    y, x = (_coordinate(array, roles[role]) for role in ("row", "column"))
    if x is not None and y is not None:
        found = _of_grid(x, y, stored)
        if found is not None:
            return checked_place(name, Georeference(crs, found), height, width)
        if len(x) > 1 and len(y) > 1:
            return Georeference(crs, positions=np.stack(np.meshgrid(x, y), axis=-1))
    positions = _positions(array, (roles["row"], roles["column"]))
    if positions is not None:
        if stored is not None and _agrees(stored, positions):
            return checked_place(name, Georeference(crs, stored), height, width)
        return Georeference(crs, positions=positions)
    if stored is not None or crs is not None:
        warnings.warn(
            f"{name}: it has no coordinates of rows and columns that its place could be checked "
            "by: the scene has no coordinates.",
            stacklevel=3,
        )
    return None


def _coordinate(array: xr.DataArray, dimension: str) -> np.ndarray | None:
    """The numbers along a dimension, or None."""
    if dimension not in array.coords or array.coords[dimension].dtype.kind not in "iuf":
        return None
    values = np.asarray(array.coords[dimension].values, np.float64)
    return values if values.ndim == 1 and np.isfinite(values).all() else None


def _stored_transform(text: object) -> Transform | None:
    """The affine numbers of a GeoTransform, which GDAL orders otherwise."""
    try:
        c, a, b, f, d, e = (float(number) for number in str(text).split())
    except ValueError:
        return None
    return (a, b, c, d, e, f) if np.isfinite([a, b, c, d, e, f]).all() else None


def _of_grid(x: np.ndarray, y: np.ndarray, stored: Transform | None) -> Transform | None:
    """The transform of evenly spaced centres; None where they are not."""
    if stored is not None:
        across, down = np.arange(len(x)) + 0.5, np.arange(len(y)) + 0.5
        a, b, c, d, e, f = stored
        straight = b == d == 0 and a and e
        if straight and _close(a * across + c, x, a) and _close(e * down + f, y, e):
            return stored
    steps = []
    for values in (x, y):
        if len(values) < 2:
            return None
        step = (values[-1] - values[0]) / (len(values) - 1)
        even = values[0] + step * np.arange(len(values))
        if not step or not _close(even, values, step):
            return None
        steps.append(float(step))
    wide, high = steps
    return (wide, 0.0, float(x[0]) - wide / 2, 0.0, high, float(y[0]) - high / 2)


def _close(numbers: np.ndarray, expected: np.ndarray, step: float) -> bool:
    # What a coordinate itself is rounded to, beside the share of a pixel.
    rounding = 4 * np.spacing(np.abs(expected).max())
    return bool(np.abs(numbers - expected).max() <= max(_TOLERANCE * abs(step), rounding))


def _positions(array: xr.DataArray, grid: tuple[str, str]) -> np.ndarray | None:
    """x and y [H, W, 2] from two coordinates of two dimensions, such as longitude, latitude."""
    found = {}
    for name, coordinate in array.coords.items():
        dims = tuple(map(str, coordinate.dims))
        role = {"xc": "column", "yc": "row"}.get(str(name), role_of(str(name)))
        if sorted(dims) == sorted(grid) and role in ("row", "column"):
            found[role] = np.asarray(coordinate.transpose(*grid).values, np.float64)
    return np.stack([found["column"], found["row"]], axis=-1) if len(found) == 2 else None


def _agrees(transform: Transform, positions: np.ndarray) -> bool:
    a, b, c, d, e, f = transform
    down, across = (index + 0.5 for index in np.indices(positions.shape[:2]))
    there = np.stack([a * across + b * down + c, d * across + e * down + f], axis=-1)
    step = max(np.hypot(a, d), np.hypot(b, e))
    return bool(np.nanmax(np.abs(there - positions)) <= _TOLERANCE * step)
