"""Columns and rows of a map that stand out from their neighbours over their whole length.

A pushbroom sensor measures every column of an image with a separate detector element: one that is
miscalibrated or dead leaves a stripe. Natural features rarely follow the pixels of a sensor from
one edge of an image to the other, so a line that lies above (or below) its neighbours almost
everywhere is an artefact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# A line is compared with the median of so many around it, itself among them.
_NEIGHBOURS = 5
# Shorter lines tell nothing.
_SHORTEST = 16
# Of its pixels: so many lie on one side of their neighbours; by chance a third of them do, and in
# eleven real scenes without stripes two thirds in one line of a thousand.
_ON_ONE_SIDE = 0.75
# Of the usual distance of a pixel from its neighbours: a line lies at least so far from its own.
_DISTANCE = 0.5
# Rows that are looked at: more tell nothing new.
_MOST_ROWS = 512


class Stripes(NamedTuple):
    """Result of `stripes`."""

    columns: npt.NDArray[np.bool_]
    """[W]"""
    rows: npt.NDArray[np.bool_]
    """[H]"""

    @property
    def any(self) -> bool:
        """True if there is one."""
        return bool(self.columns.any() or self.rows.any())


def stripes(values: npt.NDArray[np.floating]) -> Stripes:
    """Striped columns and rows of a map.

    Args:
        values: [H, W] real numbers, NaN where there is no data.
    """
    numbers: npt.NDArray[np.float64] = np.asarray(values, np.float64)
    return Stripes(striped_columns(numbers), striped_columns(numbers.T))


def striped_columns(
    values: npt.NDArray[np.float64], most_rows: int = _MOST_ROWS
) -> npt.NDArray[np.bool_]:
    """Find columns [W] of a map [H, W] that stand out from their neighbours along all rows.

    So does a column of one value among others that vary. A constant map, one narrower than five
    columns, and one of fewer than 16 rows have none.

    Args:
        values: real numbers, NaN where there is no data.
        most_rows: how many rows are looked at.
    """
    height, width = values.shape
    if width < _NEIGHBOURS or height < _SHORTEST:
        return np.zeros(width, bool)
    from scipy import ndimage

    values = values[:: max(1, height // most_rows)]
    height = len(values)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0) if known.any() else np.zeros(values.shape)
    if not known.all():
        # Nearest known values, so that an edge of the data is no line.
        nearest = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )
        filled = filled[tuple(nearest)] if known.any() else filled
    largest = np.abs(filled).max()
    filled = filled / largest if largest > 0 else filled
    around = ndimage.median_filter(filled, size=(1, _NEIGHBOURS), mode="nearest")
    away = filled - around
    away[:, 0], away[:, -1] = _away_at_edge(filled), _away_at_edge(filled[:, ::-1])
    away = np.where(known, away, 0.0)
    counted = known.sum(axis=0)
    enough = counted >= max(_SHORTEST, height // 2)
    usual = np.median(np.abs(_steps(filled)))
    with np.errstate(invalid="ignore", divide="ignore"):
        above = (away > 0).sum(axis=0) / counted
        below = (away < 0).sum(axis=0) / counted
    dead = _constant(filled, known) & (usual > 0)
    one_sided = np.maximum(above, below) >= _ON_ONE_SIDE
    far = np.abs(np.median(away, axis=0)) > _DISTANCE * usual
    return enough & (one_sided & far | dead)


def _away_at_edge(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance [H] of the first column from both of the next two, beyond their own slope."""
    first, second = values[:, 0] - values[:, 1], values[:, 0] - values[:, 2]
    nearer = np.where(np.abs(first) < np.abs(second), first, second)
    slope = 1.5 * np.abs(np.median(values[:, 1] - values[:, 3]))
    beyond = np.maximum(np.abs(nearer) - slope, 0.0)
    return np.where(first * second > 0, np.sign(nearer) * beyond, 0.0)


def _constant(values: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> np.ndarray:
    """Find columns that hold one value, as those of a dead element do."""
    low = np.where(known, values, np.inf).min(axis=0)
    return low == np.where(known, values, -np.inf).max(axis=0)


def _steps(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Differences along columns, which stripes leave alone."""
    return np.diff(values, axis=0)
