"""Pixels of a cube as the rows of a matrix, read on access.

A cube that is mapped from a file can be larger than memory, and its bands need not be contiguous
there (ENVI's BIL and BSQ). Code that works on pixels a chunk at a time accepts a `PixelMatrix`
where it accepts an array [n, L]: only the rows requested are read, and only those are copied.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


class PixelMatrix:
    """Pixels [n, L] of a cube or a table, row after row.

    Args:
        source: [H, W, B] or [N, B] real numbers in any layout and byte order, in memory or
            mapped from a file.
        valid: bool, True on the n pixels that are rows, in the shape of the source without its
            bands; None for all.
        bands: bool [B], True on the L bands that are columns; None for all.
    """

    ndim = 2

    def __init__(
        self,
        source: np.ndarray,
        valid: np.ndarray | None = None,
        bands: np.ndarray | None = None,
    ) -> None:
        self._source = source
        self._places = None if valid is None else np.flatnonzero(valid)
        self._bands = bands
        self._valid = valid
        self.dtype = source.dtype.newbyteorder("=")
        total = int(np.prod(source.shape[:-1], dtype=np.int64))
        self.shape = (
            total if self._places is None else len(self._places),
            source.shape[-1] if bands is None else int(np.count_nonzero(bands)),
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray | int) -> np.ndarray:
        """The rows of a slice, of an array of indices, or of one index."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                return self[np.arange(start, stop, step)]
            found = self._slice(start, stop)
        elif isinstance(rows, np.ndarray):
            found = self._taken(rows if self._places is None else self._places[rows])
        else:
            return self[np.array([rows])][0]
        if self._bands is not None:
            # Selecting columns would leave them in an order in memory that rounds sums otherwise.
            found = np.ascontiguousarray(found[:, self._bands])
        return np.ascontiguousarray(found, dtype=self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def of_bands(self, bands: np.ndarray) -> PixelMatrix:
        """The same pixels, of them the bands marked in a bool [L]."""
        if self._bands is not None:
            marked = self._bands.copy()
            marked[marked] = bands
            bands = marked
        return PixelMatrix(self._source, self._valid, bands)

    def of_rows(self, rows: np.ndarray) -> PixelMatrix:
        """Return a matrix of the pixels with these rising indices [m]."""
        marked = np.zeros(int(np.prod(self._source.shape[:-1], dtype=np.int64)), bool)
        marked[rows if self._places is None else self._places[rows]] = True
        return PixelMatrix(self._source, marked.reshape(self._source.shape[:-1]), self._bands)

    @property
    def on_disk(self) -> bool:
        """True if the values are mapped from a file."""
        return is_mapped(self._source)

    def _slice(self, start: int, stop: int) -> np.ndarray:
        if self._places is not None:
            return self._taken(self._places[start:stop])
        if self._source.ndim == 2:
            return self._source[start:stop]
        # Whole rows of the image: a view where the layout allows one, else a copy of just these.
        width, bands = self._source.shape[1:]
        first = start // width
        lines = self._source[first : -(-stop // width)].reshape(-1, bands)
        return lines[start - first * width : stop - first * width]

    def _taken(self, places: np.ndarray) -> np.ndarray:
        if self._source.ndim == 2:
            return self._source[places]
        return self._source[np.divmod(places, self._source.shape[1])]


def as_pixel_matrix(pixels: np.ndarray | PixelMatrix) -> PixelMatrix:
    """Pixels [n, L] as `PixelMatrix`, whichever they are."""
    return pixels if isinstance(pixels, PixelMatrix) else PixelMatrix(pixels)


def is_mapped(array: Any) -> bool:
    """Return whether the values of an array lie in a file that is mapped into memory."""
    return lies_in(array, np.memmap, mmap.mmap)


def lies_in(array: Any, *kinds: type) -> bool:
    """Return whether an array, or what it is a view of, is of one of these classes."""
    while array is not None:
        if isinstance(array, kinds):
            return True
        array = getattr(array, "base", None)
    return False
