"""Georeference: the position of the pixels of a scene on a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from lren_tf.errors import InputError

Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Row and column that each cell of a map grid takes its value from (sensor geometry).

    Attributes:
        rows, columns: [R, C] integers, the pixel of the scene that a cell shows, from 0; -1 in
            cells that show none.
        transform: the affine numbers of the map grid, as `Georeference.transform`.

    Raises:
        InputError: the arrays are not two integer arrays of one shape, or `transform` is not
            six finite numbers.
    """

    rows: np.ndarray
    columns: np.ndarray
    transform: Transform

    def __post_init__(self) -> None:
        rows, columns = np.asarray(self.rows), np.asarray(self.columns)
        integers = rows.dtype.kind in "iu" and columns.dtype.kind in "iu"
        if not integers or rows.ndim != 2 or rows.shape != columns.shape:
            raise InputError(
                f"the lookup table has rows {rows.shape} {rows.dtype} and columns {columns.shape} "
                f"{columns.dtype}; expected two integer arrays of one shape, pass those."
            )
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "transform", checked_transform(self.transform))

    def orthorectified(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """A map [H, W] of the scene on the map grid, [R, C].

        Args:
            values: real numbers.
            fill: what empty cells hold. Integers become floats for NaN, and keep their type
                otherwise.
        """
        values = np.asarray(values)
        inside = (self.rows >= 0) & (self.columns >= 0)
        inside &= (self.rows < values.shape[0]) & (self.columns < values.shape[1])
        dtype = np.result_type(values.dtype, np.float32) if math.isnan(fill) else values.dtype
        out = np.full(self.rows.shape, fill, dtype)
        out[inside] = values[self.rows[inside], self.columns[inside]]
        return out


@dataclass(frozen=True)
class Georeference:
    """Coordinate system and pixel grid of a scene.

    Attributes:
        crs: coordinate reference system as well-known text (WKT), or None.
        transform: (a, b, c, d, e, f) with x = a·column + b·row + c and
            y = d·column + e·row + f, where (0, 0) is the outer corner of the first pixel and
            (0.5, 0.5) its centre, as in GDAL and rasterio; None where pixels form no grid on
            the map, as in sensor geometry.
        envi: entries of an ENVI header that say the same (`map info`,
            `coordinate system string`, ...) as they were read, to be written back, or None.
        positions: [H, W, 2] x and y of every pixel centre, for a scene in sensor geometry.
        lookup: how such a scene is laid out on a map grid.

    Raises:
        InputError: `transform` is not six finite numbers, or `positions` no [H, W, 2] array.
    """

    crs: str | None = None
    transform: Transform | None = None
    envi: Mapping[str, str | list[str]] | None = None
    positions: np.ndarray | None = field(default=None, compare=False, repr=False)
    lookup: LookupTable | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.transform is not None:
            object.__setattr__(self, "transform", checked_transform(self.transform))
        if self.envi is not None:
            object.__setattr__(self, "envi", MappingProxyType(dict(self.envi)))
        if self.positions is not None:
            positions = np.asarray(self.positions)
            if positions.ndim != 3 or positions.shape[2] != 2 or positions.dtype.kind not in "iuf":
                raise InputError(
                    f"the positions have shape {positions.shape} and dtype {positions.dtype}; "
                    "expected numbers as rows × columns × 2, x and y of every pixel."
                )
            object.__setattr__(self, "positions", positions)

    def transposed(self) -> Georeference:
        """Return the georeference of the image with rows and columns exchanged.

        Entries of an ENVI header are left out: they cannot say how such an image lies.
        """
        transform = self.transform
        if transform is not None:
            a, b, c, d, e, f = transform
            transform = (b, a, c, e, d, f)
        positions = None if self.positions is None else self.positions.swapaxes(0, 1)
        return Georeference(
            self.crs, transform, None, positions, _transposed_lookup(self.lookup)
        )

    def coordinates(self, row: float, column: float) -> tuple[float, float] | None:
        """Map coordinates (x, y) of the centre of a pixel; None where nothing says them.

        Args:
            row, column: counted from 0; without a `transform` they are rounded to a pixel.

        Raises:
            InputError: there are only `positions`, and the pixel is not among them.
        """
        if self.transform is not None:
            a, b, c, d, e, f = self.transform
            right, down = column + 0.5, row + 0.5
            return a * right + b * down + c, d * right + e * down + f
        if self.positions is None:
            return None
        height, width = self.positions.shape[:2]
        at = round(row), round(column)
        if not (0 <= at[0] < height and 0 <= at[1] < width):
            raise InputError(
                f"row {row}, column {column} is outside the image of {height} × {width} pixels; "
                "expected a pixel of it, counted from 0."
            )
        x, y = self.positions[at]
        return float(x), float(y)


def _transposed_lookup(lookup: LookupTable | None) -> LookupTable | None:
    return None if lookup is None else LookupTable(lookup.columns, lookup.rows, lookup.transform)


def checked_transform(values: object, *, invertible: bool = False) -> Transform:
    """Affine numbers of a map grid as floats.

    Args:
        values: (a, b, c, d, e, f) with x = a·column + b·row + c and y = d·column + e·row + f.
        invertible: refuse numbers that put different pixels at one point.

    Raises:
        InputError: they are not six finite numbers, or are not invertible.
    """
    try:
        numbers = tuple(float(value) for value in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"the transform is {values!r}; expected six finite numbers (a, b, c, d, e, f) with "
            "x = a·column + b·row + c and y = d·column + e·row + f."
        )
    a, b, _, d, e, _ = numbers
    if invertible and a * e == b * d:
        raise InputError(
            f"the transform is {values!r}, which puts different pixels at one place; expected "
            "a·e − b·d other than 0."
        )
    return numbers
