"""Maps from files of any format: scores, truths, masks."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import real_array
from lren_tf.data.georeference import Georeference
from lren_tf.data.labelled_arrays import READERS, as_labelled
from lren_tf.data.valid_pixels import holds_no_data_value
from lren_tf.io.axes import upright
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.variable import Variable
from lren_tf.io.registry import opened
from lren_tf.io.select_variables import chosen_map

PathLike = Any
"""A path, or an xarray object that is read in its place."""


def load_map(path: PathLike, key: str | None = None) -> np.ndarray:
    """Read a score map, a truth map or a mask from a file of any format of `load_scene`.

    Args:
        path: the file.
        key: the variable that holds the map. Without it, the only 2-D variable; of an ENVI
            image or a GeoTIFF, its only band.

    Returns:
        [H, W] bool, integer or float array in C order, values as stored.

    Raises:
        InputError: the file is missing, damaged or of another format; the map is missing,
            ambiguous, empty, not real numbers, or not 2-D.
    """
    with opened(path) as reader:
        return read_map(reader, chosen_map(reader, key), Reading(fill=False))


class PlacedMap(NamedTuple):
    """A map and the metadata of its file."""

    values: np.ndarray
    """[H, W]; NaN where the file says that there is no data, whatever value stands there."""
    georeference: Georeference | None
    """Georeference of the map, or None."""
    source_format: str
    """Format of the file, as `Scene.source_format`."""
    unit: str
    """Unit of the values as the file calls it, or empty."""


def load_placed_map(path: PathLike, key: str | None = None) -> PlacedMap:
    """Read a map like `load_map`, with its georeference, and NaN where it has no data.

    Integers become floats if a pixel holds no data, and stay as they are otherwise.

    Args:
        path: a file of any format of `load_scene`.
        key: the variable that holds the map; without it, the only one that can be.

    Raises:
        InputError: as `load_map`.
    """
    with opened(path) as reader:
        variable = chosen_map(reader, key)
        details = reader.details(variable.name)
        values = read_map(reader, variable, AS_MEANT)
    missing = missing_pixels(variable, details, values)
    if missing.any():
        values = values.astype(np.result_type(values, np.float32))
        values[missing] = np.nan
    order = (0, 1) if upright(variable) else (1, 0)
    place = checked_place(reader.file.name, details.place_by(order), *values.shape)
    return PlacedMap(values, place, reader.title, details.unit)


def map_or_array(given: PathLike | npt.ArrayLike, what: str, key: str | None = None) -> np.ndarray:
    """A map that was passed as itself or as the path of a file."""
    if isinstance(given, (str, os.PathLike)) or as_labelled(given) is not None:
        return load_map(given, key=key)
    return real_array(given, f"the {what}")


def read_map(reader: Reader, variable: Variable, how: Reading) -> np.ndarray:
    """The values [H, W] of a map of an opened file, in C order and the byte order of the machine.

    Raises:
        InputError: they are damaged.
    """
    values = reader.read(variable.name, how)
    values = values if upright(variable) else values.T
    # A copy: a map is small, and its file may be written again.
    return np.array(values, values.dtype.newbyteorder("="), order="C")


def missing_pixels(
    variable: Variable, details: Details, values: np.ndarray
) -> npt.NDArray[np.bool_]:
    """Return [H, W], True where a file says that its map holds no data.

    Args:
        variable: the map.
        details: what the file says of it.
        values: from `read_map`.
    """
    missing = np.zeros(values.shape, bool)
    if values.dtype.kind != "b":
        missing |= holds_no_data_value(values, details.no_data)
    if details.valid is not None:
        missing |= ~(details.valid if upright(variable) else details.valid.T)
    return missing


READERS["map"] = load_map
