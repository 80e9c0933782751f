"""Georeference of an array of an HDF5 file, in whichever way the file stores it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.cf_grid import Place, cf_place
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_evidence import fill_values
from lren_tf.io.base.hdf5_nodes import values
from lren_tf.io.base.hdfeos_grid import hdfeos_place

_LATITUDES = re.compile(
    r"(geo_?|pixel_?)?(lats?|latitudes?)(_?(deg|data|pixels?))?$", re.IGNORECASE
)
_LONGITUDES = re.compile(
    r"(geo_?|pixel_?)?(lons?|longs?|longitudes?)(_?(deg|data|pixels?))?$", re.IGNORECASE
)
# Texts of other programs about a place, which nothing here reads.
_OTHER_SIGNS = re.compile(r"map_?info|coordinate_?system(_?string)?|geotransform", re.IGNORECASE)
_MOST_POSITIONS = 1 << 26


def place_of(hdf: h5py.File, node: h5py.Dataset) -> Place:
    """The place of an array of at least two axes, or why none is claimed.

    By the structure of HDF-EOS5, by the conventions of netCDF (`lren_tf.io.base.cf_grid`), or by
    a latitude and a longitude of every pixel.
    """
    problem = ""
    for found_by in (hdfeos_place, lambda _, array: cf_place(array), _layers):
        try:
            place = found_by(hdf, node)
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            place = Place(problem=f"coordinates that cannot be read ({reason[:100]})")
        if place.georeference is not None:
            return place
        problem = problem or place.problem
    if not problem:
        sign = next(_signs(hdf), None)
        problem = "" if sign is None else f"'{sign}', which is not read"
    return Place(problem=problem)


def _layers(hdf: h5py.File, node: h5py.Dataset) -> Place:
    """Positions from two-dimensional latitudes and longitudes of the rows and columns."""
    pairs = _pairs(hdf)
    if not pairs:
        return Place()
    fitting = [(pair, axes) for pair in pairs for axes in _fitting(pair[0].shape, node)]
    if len({pair[0].name for pair, _ in fitting}) != 1:
        kind = "several" if fitting else "no"
        return Place(problem=f"{kind} latitudes and longitudes of its rows and columns")
    if len(fitting) > 1:
        # A square image, whose rows and columns the order of its layers tells.
        fitting = [one for one in fitting if one[1][0] < one[1][1]][:1]
    (latitude, longitude), axes = fitting[0]
    if latitude.size > _MOST_POSITIONS:
        return Place(axes=axes, problem="more latitudes and longitudes than are read")
    positions = np.stack([_measured(longitude), _measured(latitude)], axis=-1)
    x, y = positions[..., 0], positions[..., 1]
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any() or (np.abs(y[known]) > 90).any() or (np.abs(x[known]) > 360).any():
        return Place(axes=axes, problem="latitudes and longitudes that are none")
    positions[~known] = np.nan
    name = latitude.name.lstrip("/"), longitude.name.rsplit("/", 1)[-1]
    return Place(
        Georeference(wkt_of_epsg(4326), positions=positions),
        axes,
        reading=f"positions of its pixels from '{name[0]}' and '{name[1]}'",
    )


def _pairs(hdf: h5py.File) -> list[tuple[h5py.Dataset, h5py.Dataset]]:
    """Arrays of latitudes and longitudes that lie in one group and have one shape."""
    found: dict[str, dict[str, h5py.Dataset]] = {}

    def visit(name: str | bytes, node: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(name, str) or not isinstance(node, h5py.Dataset):
            return
        if node.shape is None or node.ndim != 2 or node.dtype.kind != "f":
            return
        group, _, last = name.rpartition("/")
        for role, names in (("y", _LATITUDES), ("x", _LONGITUDES)):
            if names.match(last):
                found.setdefault(group, {})[role] = node

    hdf.visititems(visit)
    return [
        (pair["y"], pair["x"])
        for pair in found.values()
        if len(pair) == 2 and pair["x"].shape == pair["y"].shape
    ]


def _fitting(shape: tuple[int, ...], node: h5py.Dataset) -> list[tuple[int, int]]:
    """Pairs of axes of an array that have the shape of a layer."""
    axes = range(node.ndim)
    return [
        (row, column)
        for row in axes
        for column in axes
        if row != column and (node.shape[row], node.shape[column]) == shape
    ]


def _measured(node: h5py.Dataset) -> np.ndarray:
    """The values of a layer in double precision, NaN where there is no data."""
    numbers = values(node).astype(np.float64)
    for fill in fill_values(node):
        numbers[numbers == fill] = np.nan
    return numbers


def _signs(hdf: h5py.File) -> Iterator[str]:
    """Names of arrays and attributes that say something of a place."""
    found: list[str] = [key for key in hdf.attrs if _OTHER_SIGNS.fullmatch(key)]

    def visit(name: str | bytes, node: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(name, str) or not isinstance(node, h5py.Dataset):
            return
        if _OTHER_SIGNS.fullmatch(name.rsplit("/", 1)[-1]):
            found.append(name)

    hdf.visititems(visit)
    yield from sorted(found, key=lambda name: "info" not in name.lower())
