"""xarray's labelled arrays: read by the names of their dimensions, and maps given back as such.

What xarray has decoded already (`mask_and_scale`) stands in an array's `encoding` and is not done
again; a `_FillValue`, `scale_factor` or `add_offset` among its attributes is still to be applied.
Values are read in chunks: those of dask, one after the other, else slabs of the first axis. A valid
range counts as in a file; values that are decoded are compared with the decoded range.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lren_tf.data.labelled_arrays import GridLabels, as_labelled, read_labelled
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io.base import large_array
from lren_tf.io.base.attributes import fill_values_among, scaling_among, tables_among
from lren_tf.io.base.axis_names import role_of
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.valid_range import (
    OutOfRange,
    ValidRange,
    unsigned_type,
    valid_range_among,
)
from lren_tf.io.base.variable import Variable, no_variable
from lren_tf.io.labelled_place import grid_mapping_of, place_of

if TYPE_CHECKING:
    import xarray as xr

_SLAB_ELEMENTS = 1 << 24
_UNNAMED = "scene"


def scene_of(data: object, **options: Any) -> Scene | None:
    """The scene of xarray's data, read as `load_scene` does; None for any other data.

    A table [N, B] is not a scene.

    Args:
        data: anything.
        **options: of `load_scene`.

    Raises:
        InputError: as `load_scene`.
    """
    found = as_labelled(data)
    if found is None or (not hasattr(found, "data_vars") and found.ndim == 2):
        return None
    return read_labelled("scene", found, **options)


def check_aligned(what: str, layer: object, labels: GridLabels | None) -> None:
    """Refuse a layer of xarray's with other coordinates than the cube's: it lies elsewhere.

    Args:
        what: `mask` or `truth`.
        layer: anything.
        labels: of the cube, or None.

    Raises:
        InputError: a coordinate of both has different values.
    """
    found = as_labelled(layer)
    if found is None or labels is None:
        return
    for dimension in labels.dimensions:
        if dimension not in found.coords or dimension not in labels.coordinates:
            continue
        own, other = found.coords[dimension].values, labels.coordinates[dimension].values
        if not np.array_equal(own, other):
            raise InputError(
                argument=what,
                received=f"the coordinates '{dimension}' of the {what} are not those of the cube",
                expected="one grid",
                remedy="bring it onto that of the cube first, with reindex_like or "
                "rio.reproject_match",
            )


class LabelledReader(Reader):
    """A `DataArray` with its coordinates, or the variables of a `Dataset`.

    Args:
        data: from `as_labelled`.
    """

    title = "xarray"
    what = "xarray object"

    def __init__(self, data: xr.DataArray | xr.Dataset) -> None:
        # No file: nothing is opened, and nothing is closed.
        self.file = Path(str(getattr(data, "name", None) or _UNNAMED))
        self.origin = None
        self._arrays: dict[str, xr.DataArray] = {}
        if hasattr(data, "data_vars"):
            self._arrays |= {str(name): array for name, array in data.data_vars.items()}
        else:
            self._arrays[str(data.name or "")] = cast("xr.DataArray", data)
        self._arrays = {name: _without_single(array) for name, array in self._arrays.items()}
        cubes = set(self._arrays)
        for name, array in data.coords.items():
            self._arrays.setdefault(str(name), array)
        self.variables = [
            self._variable(name, array, name in cubes) for name, array in self._arrays.items()
        ]

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """One array, chunk after chunk, so that no more than one of them is computed at a time."""
        array = self._array(name)
        scaling = Scaling() if how.raw else _scaling(name, array)
        fills = fill_values_among(array.attrs.items()) if how.fill else ()
        limits = _valid_range(array) if how.fill else None
        outside = None if limits is None else OutOfRange(limits, array.shape, fills)
        stored = unsigned_type(array.attrs.items(), array.dtype)
        dtype = np.result_type(stored, np.float32) if scaling else stored
        # Laid out as rows, columns, bands, so that nothing is copied when it is turned.
        order = _order(array)
        out = large_array.empty([array.shape[axis] for axis in order], dtype)
        out = out.transpose(np.argsort(order))
        with self.library():
            for place in _chunks(array):
                values = np.asarray(array[place].values).view(stored)
                out[place] = _of_chunk(scaling, place).applied(values, fills) if scaling else values
                if outside is not None:
                    outside.look(values, place)
        return out if outside is None else _without(out, outside, f"{self.file.name}: '{name}'")

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """No-data values, scale, wavelengths in names of bands, and place."""
        array = self._array(name)
        scaling = _scaling(name, array)
        scaled = bool(scaling) and not how.raw
        fills = fill_values_among(array.attrs.items())
        rows, columns = _order(array)[:2] if array.ndim in (2, 3) else (0, 1)
        limits = _valid_range(array) if how.fill else None
        texts = scaling.text(how.raw), "" if limits is None else limits.text
        return Details(
            no_data=() if scaled else fills,
            filled=scaled and bool(fills),
            wavelengths=_named_wavelengths(array),
            georeference=place_of(self.file.name, array),
            grid_axes=(rows, columns),
            reading=tuple(text for text in texts if text),
        )

    def labels(self, name: str, order: tuple[int, int, int]) -> GridLabels:
        """Names and coordinates of the rows and columns of a cube.

        Args:
            name: of the cube.
            order: its axes of rows, columns and bands.
        """
        array = self._array(name)
        rows, columns = (str(array.dims[axis]) for axis in order[:2])
        kept = {
            str(key): coordinate for key, coordinate in array.coords.items()
            if set(map(str, coordinate.dims)) <= {rows, columns}
        }  # fmt: skip
        mapping = grid_mapping_of(array)
        return GridLabels((rows, columns), kept, mapping)

    def _array(self, name: str) -> xr.DataArray:
        if name not in self._arrays:
            raise no_variable(self.file, name, self.variables)
        return self._arrays[name]

    def _variable(self, name: str, array: xr.DataArray, may_be_cube: bool) -> Variable:
        readable = array.dtype.kind in "biuf"
        unit = array.attrs.get("units")
        return Variable(
            name, array.shape, str(array.dtype), readable,
            tuple(str(dimension) for dimension in array.dims) if array.ndim in (2, 3) else (),
            unit if isinstance(unit, str) and array.ndim == 1 else None,
            tuple(tables_among(list(array.attrs.items()))) if may_be_cube else (),
        )  # fmt: skip


def _without_single(array: xr.DataArray) -> xr.DataArray:
    """A cube without further axes of length 1, such as a single time."""
    extra = [d for d in array.dims if array.sizes[d] == 1 and role_of(str(d)) is None]
    return array.squeeze(extra[: array.ndim - 3], drop=True) if array.ndim > 3 else array


def _order(array: xr.DataArray) -> tuple[int, ...]:
    """The axes as rows, columns, bands, as far as their names say."""
    roles = [role_of(str(dimension)) for dimension in array.dims]
    known = ("row", "column", "band")
    return tuple(
        sorted(range(array.ndim), key=lambda axis: (
            known.index(roles[axis]) if roles[axis] in known and roles.count(roles[axis]) == 1
            else len(known)
        ))
    )  # fmt: skip


def _bands(array: xr.DataArray) -> int | None:
    """The axis of the bands, by its name or as the one that is left; None if neither says."""
    roles = [role_of(str(dimension)) for dimension in array.dims]
    if roles.count("band") == 1:
        return roles.index("band")
    left = [axis for axis, role in enumerate(roles) if role not in ("row", "column")]
    return left[0] if len(left) == 1 and len(roles) == 3 else None


def _scaling(name: str, array: xr.DataArray) -> Scaling:
    return scaling_among(array.attrs.items(), name, array.shape, _bands(array))


def _valid_range(array: xr.DataArray) -> ValidRange | None:
    """The valid range of a cube, as its values are: xarray leaves it as it is when it decodes."""
    decoded, said = array.encoding, array.attrs
    if any(key in said for key in ("scale_factor", "add_offset")):
        decoded = {}
    gain, offset = (
        float(np.ravel(decoded.get(key, default))[0]) if np.size(decoded.get(key, default)) == 1
        else default for key, default in (("scale_factor", 1.0), ("add_offset", 0.0))
    )  # fmt: skip
    stored = np.dtype(decoded.get("dtype", array.dtype))
    if "_Unsigned" in decoded:
        said = {**said, "_Unsigned": decoded["_Unsigned"]}
    return valid_range_among(said.items(), stored, array.ndim, gain=gain, offset=offset)


def _without(values: np.ndarray, outside: OutOfRange, name: str) -> np.ndarray:
    """The values with NaN outside of their valid range."""
    places, note = outside.places(name)
    if note is not None:
        warnings.warn(note, stacklevel=3)
    if places is None:
        return values
    if values.dtype.kind != "f":
        values = large_array.converted(values, np.result_type(values.dtype, np.float32))
    values[places] = np.nan
    return values


def _of_chunk(scaling: Scaling, place: tuple[slice, ...]) -> Scaling:
    """The part of gains and offsets that belongs to a part of the array."""

    def part(numbers: float | np.ndarray) -> float | np.ndarray:
        if np.ndim(numbers) == 0:
            return numbers
        lengths = np.shape(numbers)
        return np.asarray(numbers)[
            tuple(slice(None) if n == 1 else s for n, s in zip(lengths, place, strict=True))
        ]

    return replace(scaling, gain=part(scaling.gain), offset=part(scaling.offset))


def _chunks(array: xr.DataArray) -> Iterator[tuple[slice, ...]]:
    """Places of the chunks of an array: those of dask, or slabs of the first axis."""
    if not array.ndim:
        yield ()
        return
    lengths: list[tuple[int, ...]] = [(n,) for n in array.shape]
    if array.chunks is not None:
        lengths = list(array.chunks)
    else:
        rows = max(1, _SLAB_ELEMENTS // max(1, math.prod(array.shape[1:])))
        count = array.shape[0]
        lengths[0] = tuple(min(rows, count - at) for at in range(0, count, rows))
    slices = []
    for parts in lengths:
        ends = np.cumsum(parts).tolist()
        slices.append([slice(end - n, end) for end, n in zip(ends, parts, strict=True)])
    yield from product(*slices)


def _named_wavelengths(array: xr.DataArray) -> np.ndarray | None:
    """Wavelengths in the names of bands, as rioxarray lists them in `long_name`."""
    names, bands = array.attrs.get("long_name"), _bands(array)
    if bands is None or not isinstance(names, (tuple, list)) or len(names) != array.shape[bands]:
        return None
    found = [wavelength_in(str(name)) for name in names]
    units = {pair[1] for pair in found if pair is not None}
    if None in found or len(units) != 1:
        return None
    return in_nanometres([pair[0] for pair in found if pair is not None], units.pop())
