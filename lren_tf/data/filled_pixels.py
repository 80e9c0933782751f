"""The good bands of a scene with a spectrum in every pixel, read on access.

Detectors work on these. The cube stays where it is: only the requested pixels are read, converted
and filled.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import iter_chunks
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.scene import Scene


class FilledPixels:
    """Pixels [N, L] of the good bands of a scene, row after row of its image.

    Pixels without data get the mean of those with data, which is the least remarkable spectrum
    there is: nothing they could add to a neighbour's background makes it stand out.

    Args:
        scene: checked (see `Scene.check_usable`).
        alone: leave pixels without data out, the others being an image of one column.
    """

    def __init__(self, scene: Scene, *, alone: bool = False) -> None:
        alone = alone and scene.valid is not None
        self._pixels = PixelMatrix(scene.cube, scene.valid if alone else None, scene.good_bands)
        self._valid = None if alone or scene.valid is None else scene.valid.reshape(-1)
        self._measured = PixelMatrix(scene.cube, scene.valid, scene.good_bands)
        self.shape = self._pixels.shape
        self.grid = (self.shape[0], 1) if alone else scene.shape[:2]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, pixels: slice | np.ndarray) -> np.ndarray:
        """Spectra [n, L] of a slice without a step or of an array of indices.

        They have the dtype of the cube where none is filled, and may be a view of it; else they
        are float64.
        """
        found = self._pixels[pixels]
        if self._valid is None:
            return found
        missing = ~self._valid[pixels]
        if not missing.any():
            return found
        found = found.astype(np.float64)
        found[missing] = self._mean
        return found

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.float64]:
        """A copy [bottom − top, W, L] of some rows of the image, which may be overwritten."""
        width = self.grid[1]
        rows = self[top * width : bottom * width].astype(np.float64)
        return rows.reshape(-1, width, self.shape[1])

    def cube(self) -> npt.NDArray[np.float64]:
        """A copy [H, W, L] of all, which may be overwritten."""
        return self.rows(0, self.grid[0])

    def extremes(self) -> tuple[float, float]:
        """Smallest and largest value."""
        # The mean of those with data lies between them.
        found = [(chunk.min(), chunk.max()) for _, chunk in iter_chunks(self._measured)]
        return float(min(low for low, _ in found)), float(max(high for _, high in found))

    @cached_property
    def _mean(self) -> npt.NDArray[np.float64]:
        chunks = iter_chunks(self._measured)
        with np.errstate(over="ignore"):
            total = sum(chunk.sum(axis=0, dtype=np.float64) for _, chunk in chunks)
        return total / len(self._measured)
