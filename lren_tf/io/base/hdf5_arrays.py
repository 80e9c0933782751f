"""Values of an HDF5 array as they are meant, and what its attributes say of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np

from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.hdf5_evidence import attributes, fill_values, scaling_of
from lren_tf.io.base.hdf5_nodes import values
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling

_START = "time_coverage_start"
"""Attribute of a file by the conventions for data discovery (ACDD), which EMIT follows."""


def array_of(node: h5py.Dataset, how: Reading = AS_MEANT) -> np.ndarray:
    """All values of an array in its stored order, scaled as its attributes say.

    Raises:
        ValueError, InputError, OSError, RuntimeError: as `hdf5_nodes.values`.
    """
    array = values(node).view(_unsigned(node))
    scaling = Scaling() if how.raw else scaling_of(node)
    if not scaling:
        return array
    return scaling.applied(array, fill_values(node) if how.fill else ())


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
    return Details(
        no_data=() if scaled else fills,
        filled=scaled and bool(fills),
        reading=(text,) if text else (),
        acquired=iso_time(dict(attributes(node.file)).get(_START)),
    )


def _unsigned(node: h5py.Dataset) -> np.dtype:
    """The type of the values: netCDF marks unsigned integers that are stored as signed ones."""
    said = str(dict(attributes(node)).get("_Unsigned", "")).lower()
    if "true" not in said or node.dtype.kind != "i":
        return node.dtype
    return np.dtype(node.dtype.str.replace("i", "u"))
