"""The grid of a page: the scene itself, or square blocks of its pixels where it is large."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Blocks(NamedTuple):
    """Square blocks of pixels that cover an image; those at its right and lower ends are cut."""

    height: int
    width: int
    size: int
    """Pixels along each side of a block."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-self.height // self.size), -(-self.width // self.size)

    def highest(self, score: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        """Return the number of the pixel with the highest score in every block.

        Args:
            score: ``[H, W]``, NaN where there is no data.

        Returns:
            ``[rows · columns]``, numbers of pixels row after row; of a block without data its
            first pixel.
        """
        padded = np.full(self._padded, -np.inf)
        padded[: self.height, : self.width] = np.where(np.isnan(score), -np.inf, score)
        best = self._cut(padded).argmax(axis=1)
        rows, columns = np.divmod(np.arange(math.prod(self.shape)), self.shape[1])
        return (rows * self.size + best // self.size) * self.width + (
            columns * self.size + best % self.size
        )

    def largest(self, values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Return the largest of whole numbers ``[H, W]`` in every block, in the blocks' shape."""
        padded = np.zeros(self._padded, values.dtype)
        padded[: self.height, : self.width] = values
        return self._cut(padded).max(axis=1).reshape(self.shape)

    @property
    def _padded(self) -> tuple[int, int]:
        return self.shape[0] * self.size, self.shape[1] * self.size

    def _cut(self, padded: np.ndarray) -> np.ndarray:
        """``[rows · columns, size²]``."""
        rows, columns = self.shape
        blocks = padded.reshape(rows, self.size, columns, self.size).swapaxes(1, 2)
        return blocks.reshape(rows * columns, self.size**2)


def blocks_of(height: int, width: int, most: int) -> Blocks:
    """Return the smallest blocks of which an image has at most so many."""
    size = max(1, math.isqrt(max(height * width // most, 1)))
    while math.prod(Blocks(height, width, size).shape) > most:
        size += 1
    return Blocks(height, width, size)
