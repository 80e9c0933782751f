"""Names of axes, units and tables of bands that an HDF5 file attaches to its arrays.

Whatever cannot be read here is treated as absent: an attribute that is damaged, or of a type that
h5py does not know, must not make its array unreadable.
"""

from __future__ import annotations

import h5py
import numpy as np

from lren_tf.io.base.attributes import (
    fill_values_among,
    plain,
    scaling_among,
    tables_among,
    words,
)
from lren_tf.io.base.axis_names import role_of
from lren_tf.io.base.band_tables import BandTable
from lren_tf.io.base.hdf5_attributes import attribute, attributes
from lren_tf.io.base.scaling import Scaling
from lren_tf.io.base.valid_range import ValidRange, valid_range_among

# Attributes that list the names of axes, in lower case without underscores.
_AXIS_LISTS = ("arraydimensions", "dimensionlabels", "dimensionnames", "dimnames", "dims", "axes")
_BY_INTERLEAVE = {
    "bsq": ("band", "row", "column"),
    "bil": ("row", "band", "column"),
    "bip": ("row", "column", "band"),
}
_SCALES = "DIMENSION_LIST"
_MOST_SCALES = 16


def dimension_names(node: h5py.Dataset) -> tuple[str, ...]:
    """The name of every axis, empty where none is said; an empty tuple where none has one.

    From the dimension scales of netCDF-4, labels of dimensions, attributes that list names
    (`_ARRAY_DIMENSIONS`, `Dimension_Labels`, ...) and an `interleave` of ENVI.
    """
    labels = _labels(node)
    names = [
        label or next((str(scale.name or "").rsplit("/", 1)[-1] for scale in scales), "")
        for label, scales in zip(labels, attached_scales(node), strict=True)
    ]
    if any(names):
        return tuple(names)
    for key, value in attributes(node):
        entry = plain(key)
        if entry in _AXIS_LISTS:
            parts = words(value)
            if len(parts) == node.ndim:
                return tuple(parts)
        elif entry == "interleave" and node.ndim == 3:
            parts = words(value)
            if len(parts) == 1 and parts[0].lower() in _BY_INTERLEAVE:
                return _BY_INTERLEAVE[parts[0].lower()]
    return ()


def attached_scales(node: h5py.Dataset) -> list[list[h5py.Dataset]]:
    """The dimension scales of every axis of an array.

    Read from the attribute that lists them: HDF5's own functions for it end the process where a
    scale is damaged.
    """
    found: list[list[h5py.Dataset]] = [[] for _ in range(node.ndim)]
    try:
        if node.attrs.get_id(_SCALES).shape != (node.ndim,):
            return found
        listed = [list(found)[:_MOST_SCALES] for found in np.asarray(attribute(node, _SCALES))]
    except Exception:  # h5py raises nearly anything on damaged content
        return found
    for scales, references in zip(found, listed, strict=True):
        for reference in references:
            try:
                scale = node.file[reference]
            except Exception:  # as above
                continue
            if isinstance(scale, h5py.Dataset):
                scales.append(scale)
    return found


def _labels(node: h5py.Dataset) -> list[str]:
    """The labels of the axes, empty where there is none."""
    try:
        said = words(attribute(node, "DIMENSION_LABELS"), split=False)
    except Exception:  # as above
        said = []
    return said if len(said) == node.ndim else [""] * node.ndim


def unit_of(node: h5py.Dataset) -> str | None:
    """The text of the attribute `units` or `unit`, or None."""
    for key, value in attributes(node):
        if key.lower() in ("units", "unit"):
            parts = words(value, split=False)
            return parts[0] if len(parts) == 1 else None
    return None


def fill_values(node: h5py.Dataset) -> tuple[float, ...]:
    """The stored values that mark missing data, by any of the usual attributes."""
    return fill_values_among(attributes(node))


def valid_range(node: h5py.Dataset) -> ValidRange | None:
    """The range of stored values that are measurements (`valid_range_among`)."""
    return valid_range_among(attributes(node), node.dtype, node.ndim)


def scaling_of(node: h5py.Dataset) -> Scaling:
    """Return the scaling of stored values by the attributes of an array (`scaling_among`)."""
    roles = [role_of(name) for name in dimension_names(node)]
    bands = roles.index("band") if roles.count("band") == 1 else None
    return scaling_among(attributes(node), node.name.lstrip("/"), node.shape, bands)


def attribute_tables(node: h5py.Dataset) -> tuple[BandTable, ...]:
    """Tables of bands among the attributes of an array and of the groups that it lies in."""
    found: list[BandTable] = []
    here: h5py.Dataset | h5py.Group = node
    while True:
        found += tables_among(list(attributes(here)))
        if here.name in (None, "/"):
            return tuple(found)
        here = here.parent
