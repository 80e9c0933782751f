"""Names of axes, units and tables of bands that an HDF5 file attaches to its arrays.

Whatever cannot be read here is taken as not said: an attribute that is damaged, or of a type that
h5py does not know, must not cost the array that it belongs to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import h5py
import numpy as np

from lren_tf.io.base.band_tables import BandTable, is_table_of_bands
from lren_tf.io.base.scaling import Scaling

# Attributes that list the names of axes, in lower case without underscores.
_AXIS_LISTS = ("arraydimensions", "dimensionlabels", "dimensionnames", "dimnames", "dims", "axes")
_BY_INTERLEAVE = {
    "bsq": ("band", "row", "column"),
    "bil": ("row", "band", "column"),
    "bip": ("row", "column", "band"),
}
# Attributes with what marks missing data, as above.
_NO_DATA = frozenset({
    "fillvalue", "missingvalue", "dataignorevalue", "ignorevalue", "nodata", "nodatavalue",
})  # fmt: skip
_MOST_NO_DATA = 16
# What an attribute may hold at most: a table of bands, or a line of text.
_LARGEST_ATTRIBUTE = 1 << 20


def dimension_names(node: h5py.Dataset) -> tuple[str, ...]:
    """The name of every axis, empty where none is said; an empty tuple where none has one.

    From the dimension scales of netCDF-4, labels of dimensions, attributes that list names
    (`_ARRAY_DIMENSIONS`, `Dimension_Labels`, ...) and an `interleave` of ENVI.
    """
    names = []
    for axis in range(node.ndim):
        try:
            dimension = node.dims[axis]
            name = dimension.label
            if not name and len(dimension):
                name = str(dimension[0].name or "").rsplit("/", 1)[-1]
        except Exception:  # h5py raises nearly anything on a damaged reference
            name = ""
        names.append(name if isinstance(name, str) else "")
    if any(names):
        return tuple(names)
    for key, value in attributes(node):
        plain = _plain(key)
        if plain in _AXIS_LISTS:
            parts = _words(value)
            if len(parts) == node.ndim:
                return tuple(parts)
        elif plain == "interleave" and node.ndim == 3:
            parts = _words(value)
            if len(parts) == 1 and parts[0].lower() in _BY_INTERLEAVE:
                return _BY_INTERLEAVE[parts[0].lower()]
    return ()


def unit_of(node: h5py.Dataset) -> str | None:
    """The text of the attribute `units` or `unit`, or None."""
    for key, value in attributes(node):
        if key.lower() in ("units", "unit"):
            parts = _words(value, split=False)
            return parts[0] if len(parts) == 1 else None
    return None


def fill_values(node: h5py.Dataset) -> tuple[float, ...]:
    """The stored values that mark missing data, by any of the usual attributes."""
    found: set[float] = set()
    for key, value in attributes(node):
        if _plain(key) in _NO_DATA:
            numbers = _numbers(value)
            if numbers is not None and numbers.size <= _MOST_NO_DATA:
                found.update(float(number) for number in numbers if np.isfinite(number))
    return tuple(sorted(found))


def scaling_of(node: h5py.Dataset) -> Scaling:
    """What the attributes of an array make of its stored values.

    `scale_factor` and `add_offset` as netCDF's conventions (CF) say: stored · factor + offset. A
    `Scale_Factor` of NEON's is what to divide by. A list is one number for each band, along the
    axis that is as long, the last of several; one that fits no axis is the `problem` of what is
    returned.
    """
    said: dict[str, object] = {}
    problem = ""
    for key, value in attributes(node):
        numbers = _numbers(value)
        if key.lower() in ("scale_factor", "add_offset") and numbers is not None and numbers.size:
            if not np.isfinite(numbers).all():
                continue
            if key == "Scale_Factor":
                if numbers.size == 1 and numbers[0] > 0:
                    said["divisor"] = float(numbers[0])
                continue
            if numbers.size == 1:
                said[key.lower()] = float(numbers[0])
                continue
            axes = [axis for axis in range(node.ndim) if node.shape[axis] == numbers.size]
            if axes:
                shape = [1] * node.ndim
                shape[axes[-1]] = numbers.size
                said[key.lower()] = numbers.reshape(shape)
            else:
                problem = (
                    f"'{node.name.lstrip('/')}': its attribute '{key}' has {numbers.size} entries, "
                    f"which fit no axis of {node.shape}: it is not applied."
                )
    if "scale_factor" in said or "add_offset" in said:
        said.pop("divisor", None)
    return Scaling(
        said.get("scale_factor", 1.0),
        said.get("add_offset", 0.0),
        said.get("divisor", 1.0),
        problem,
    )  # type: ignore[arg-type]


def attribute_tables(node: h5py.Dataset) -> tuple[BandTable, ...]:
    """Tables of bands among the attributes of an array and of the groups that it lies in."""
    found: list[BandTable] = []
    here: h5py.Dataset | h5py.Group = node
    while True:
        said = list(attributes(here))
        units = {key.lower(): _words(value, split=False) for key, value in said}
        for key, value in said:
            if not is_table_of_bands(key):
                continue
            numbers = _numbers(value)
            if numbers is not None and numbers.size > 1:
                unit = next(
                    (units[name][0] for name in _unit_names(key) if len(units.get(name, ())) == 1),
                    None,
                )
                found.append(BandTable(key, (numbers.size,), numbers, unit, attribute=True))
        if here.name in (None, "/"):
            return tuple(found)
        here = here.parent


def attributes(node: h5py.Dataset | h5py.Group) -> Iterator[tuple[str, object]]:
    """Names and values of the attributes that can be read and are of a moderate size."""
    try:
        keys = list(node.attrs)
    except Exception:  # as above
        return
    for key in keys:
        if not isinstance(key, str) or key in ("DIMENSION_LIST", "REFERENCE_LIST"):
            continue
        try:
            shape = node.attrs.get_id(key).shape
            if shape is None or math.prod(shape) > _LARGEST_ATTRIBUTE:
                continue
            value = node.attrs[key]
        except Exception:  # as above
            continue
        yield key, value


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _unit_names(key: str) -> tuple[str, ...]:
    key = key.lower()
    single = key.removesuffix("s")
    return (f"{key}_units", f"{key}_unit", f"{single}_units", f"{single}_unit",
            f"{key} units", f"{single} units")  # fmt: skip


def _words(value: object, split: bool = True) -> list[str]:
    """The texts of an attribute; one text that lists several is parted at commas."""
    parts = np.asarray(value).ravel().tolist() if not isinstance(value, (str, bytes)) else [value]
    texts = [p.decode("utf-8", "replace") if isinstance(p, bytes) else p for p in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        return []
    if split and len(texts) == 1:
        texts = re.split(r"[,;|]", texts[0].strip(" {}[]()"))
    return [text.strip(" '\"\0") for text in texts]


def _numbers(value: object) -> np.ndarray | None:
    """The numbers [B] of an attribute, stored as numbers or as text."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            return array.astype(np.float64).ravel()
        return np.array([float(re.sub(r"[^0-9.eE+-]+$", "", t)) for t in _words(value)])
    except (ValueError, TypeError):
        return None
