"""Values of an HDF5 array as its attributes define them, and its other details."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np

from lren_tf.io.base import large_array
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.hdf5_attributes import attributes
from lren_tf.io.base.hdf5_evidence import fill_values, scaling_of, valid_range
from lren_tf.io.base.hdf5_nodes import values
from lren_tf.io.base.hdf5_stream import path_of
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.valid_range import OutOfRange, unsigned_type

_START = "time_coverage_start"
"""Attribute of a file by the conventions for data discovery (ACDD), which EMIT follows."""


def array_of(node: h5py.Dataset, how: Reading, notes: list[str]) -> np.ndarray:
    """All values of an array in its stored order, scaled as its attributes say.

    Args:
        node: the array.
        how: whether values are scaled, and whether missing ones become NaN.
        notes: gets what a `UserWarning` has to tell, once HDF5 is left, which warns of much.

    Raises:
        ValueError, InputError, OSError, RuntimeError: as `hdf5_nodes.values`.
    """
    array = values(node).view(unsigned_type(attributes(node), node.dtype))
    scaling = Scaling() if how.raw else scaling_of(node)
    fills = fill_values(node) if how.fill else ()
    beyond = _beyond(node, array, fills, notes) if how.fill else None
    if scaling:
        array = scaling.applied(array, fills)
    elif beyond is not None:
        array = large_array.converted(array, np.result_type(array.dtype, np.float32))
    if beyond is not None:
        array[beyond] = np.nan
    return array


def details_of(file: Path, node: h5py.Dataset, how: Reading = AS_MEANT) -> Details:
    """Return no data, scale and time from the attributes of an array and of its file.

    A `UserWarning` tells of a scale that cannot be applied.

    Args:
        file: for the message.
    """
    scaling, fills = scaling_of(node), fill_values(node)
    if scaling.problem:
        warnings.warn(f"{file.name}: {scaling.problem}", stacklevel=3)
    scaled = bool(scaling) and not how.raw
    text = scaling.text(how.raw)
    limits = valid_range(node)
    stated = "" if limits is None else limits.text
    return Details(
        no_data=() if scaled else fills,
        filled=scaled and bool(fills),
        reading=tuple(each for each in (text, stated if how.fill else "") if each),
        acquired=iso_time(dict(attributes(node.file)).get(_START)),
    )


def _beyond(
    node: h5py.Dataset, stored: np.ndarray, fills: tuple[float, ...], notes: list[str]
) -> np.ndarray | None:
    """Places of the values outside of the valid range that attributes say; None for none."""
    limits = valid_range(node)
    if limits is None:
        return None
    outside = OutOfRange(limits, stored.shape, fills)
    for rows in large_array.row_parts(stored.shape):
        outside.look(stored[rows], (rows,))
    places, note = outside.places(
        f"{path_of(node.file.filename).name}: '{node.name.lstrip('/')}'"
    )
    if note is not None:
        notes.append(note)
    return places
