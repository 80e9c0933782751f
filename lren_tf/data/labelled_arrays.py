"""xarray's arrays with named dimensions: recognised here, read in `lren_tf.io.labelled`.

`Scene` accepts them too, but must not import a reader: `lren_tf.io` registers its own here when it
is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lren_tf.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

READERS: dict[str, Callable[[Any], Any]] = {}
"""`scene` makes a `Scene` of a labelled cube, `map` an array [H, W] of a labelled layer."""


def as_labelled(data: object) -> xr.DataArray | xr.Dataset | None:
    """`data` if it is a `DataArray` or `Dataset` of xarray, else None; imports nothing."""
    xarray = sys.modules.get("xarray")
    if xarray is None or not isinstance(data, (xarray.DataArray, xarray.Dataset)):
        return None
    return data


def read_labelled(kind: str, data: object, **options: Any) -> Any:
    """Read xarray's data with the reader of `kind` in `READERS`.

    Args:
        kind: `scene` or `map`.
        data: from `as_labelled`.
        **options: of the reader.

    Raises:
        InputError: it cannot be read, or `lren_tf.io` was never imported.
    """
    if kind not in READERS:
        raise InputError(
            received=f"the {kind} is an xarray object",
            expected="a plain array",
            remedy="pass it to lren_tf.load_scene",
        )
    return READERS[kind](data, **options)


class GridLabels(NamedTuple):
    """Names and coordinates of the rows and columns of a scene that came from xarray."""

    dimensions: tuple[str, str]
    coordinates: Mapping[str, xr.DataArray]
    """Coordinates along these dimensions alone, and that of the coordinate reference system."""
    grid_mapping: str | None
    """Name of the coordinate that holds the coordinate reference system."""

    def array(self, values: np.ndarray, name: str = "score") -> xr.DataArray:
        """Values [H, W] on the same coordinates."""
        import xarray as xr

        made = xr.DataArray(values, self.coordinates, self.dimensions, name)
        if self.grid_mapping in self.coordinates:
            made.encoding["grid_mapping"] = self.grid_mapping
        return made
