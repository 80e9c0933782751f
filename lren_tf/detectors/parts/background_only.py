"""An image whose rings hold background only: the region that statistics come from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import iter_chunks
from lren_tf.detectors.parts.dual_window import Block, Image, checked_range
from lren_tf.errors import InputError

Own = Callable[[Block], npt.NDArray[np.float64]]
"""Maps a block of pixels to their spectra [b, L], scaled as those of their rings."""


def own_spectra(block: Block) -> npt.NDArray[np.float64]:
    """Spectra [b, L] of the pixels of a block, as they are in rings too."""
    return block.spectra


class BackgroundOnly:
    """An image in whose rings the pixels outside of the background have its mean.

    It is the least remarkable spectrum there is. The image's range is that of the background, so
    that no pixel outside of it changes the score of another one.

    Args:
        image: that pixels [n, L] can be read of too, such as `FilledPixels`.
        background: [H, W] bool.
        limits: range that counts instead of that of the background; None for that.

    Raises:
        InputError: the background has one value only.
    """

    def __init__(
        self,
        image: Image,
        background: npt.NDArray[np.bool_],
        limits: tuple[float, float] | None = None,
    ) -> None:
        self._image = image
        self._outside = ~background.reshape(-1)
        self.shape, self.grid = image.shape, image.grid
        places = np.flatnonzero(background)
        total = np.zeros(self.shape[1])
        low, high = np.inf, -np.inf
        for _, chunk in iter_chunks(places):
            spectra = image[chunk]  # type: ignore[index]
            total += spectra.sum(axis=0, dtype=np.float64)
            low, high = min(low, float(spectra.min())), max(high, float(spectra.max()))
        if low == high:
            raise InputError(
                f"all values of the background region are {low:.6g}; expected values that differ, "
                "mark another region."
            )
        self._mean = total / places.size
        self._range = (low, high) if limits is None else limits

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.float64]:
        """A copy [bottom − top, W, L] of some rows, which may be overwritten."""
        rows = self._image.rows(top, bottom)
        width = self.grid[1]
        rows[self._outside[top * width : bottom * width].reshape(-1, width)] = self._mean
        return rows

    def extremes(self) -> tuple[float, float]:
        """Smallest and largest value of the background, or the limits."""
        return self._range

    def own_spectra(self, block: Block) -> npt.NDArray[np.float64]:
        """Spectra [b, L] of the pixels of a block as they are, on the scale of the rings."""
        low, span = checked_range(*self._range)
        return (self._image[block.own].astype(np.float64) - low) / span  # type: ignore[index]

