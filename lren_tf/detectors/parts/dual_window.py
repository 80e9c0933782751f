"""Dual windows: scaling, checks of the windows, rings of pixels.

The ring of a pixel holds the pixels of the outer square window around it that are not in
the inner one, the guard that keeps a target out of its own background. Both widths are odd.
Past the border the image is mirrored at its edge, the border pixels repeated (NumPy's
"symmetric"), so that every ring has the same number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lren_tf import validators
from lren_tf.errors import InputError
from lren_tf.runtime.progress import bar
from lren_tf.runtime.threads import map_in_threads

BLOCK_ELEMENTS = 1 << 18
"""float64 numbers that a block of pixels may hold in its rings and matrices, 2 MiB (or one
pixel's): larger blocks are slower, since they leave the processor's cache between two steps."""

STRIP_ELEMENTS = 1 << 24
"""float64 numbers of a strip of rows that is held at a time, 128 MiB, its halo not counted."""


class Image(Protocol):
    """Spectra of an image, of which strips of rows can be read."""

    @property
    def shape(self) -> tuple[int, int]:
        """(pixels, bands)."""
        ...

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W)."""
        ...

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.float64]:
        """A copy [bottom − top, W, L] of some rows, which may be overwritten."""
        ...

    def extremes(self) -> tuple[float, float]:
        """Smallest and largest value of the whole image."""
        ...


def checked_windows(inner: Any, outer: Any) -> tuple[int, int]:
    """The settings `inner` and `outer` as odd whole numbers, the inner one smaller.

    Raises:
        InputError: they are not.
    """
    widths = {
        "inner": validators.whole("inner", inner, 1),
        "outer": validators.whole("outer", outer, 3),
    }
    for name, width in widths.items():
        if width % 2 == 0:
            raise InputError(
                f"setting {name!r} is {width}; expected an odd number, so that the window has a "
                f"pixel at its centre, choose {width - 1} or {width + 1}."
            )
    if widths["inner"] >= widths["outer"]:
        raise InputError(
            f"setting 'inner' is {widths['inner']} and 'outer' is {widths['outer']}; expected an "
            "inner window smaller than the outer one, or no pixel is left between them."
        )
    return widths["inner"], widths["outer"]


def check_fits(outer: int, height: int, width: int) -> None:
    """Refuse an outer window that is larger than the image along either axis.

    Raises:
        InputError: it is.
    """
    if outer > min(height, width):
        raise InputError(
            f"setting 'outer' is {outer}, larger than the image of {height} × {width} pixels; "
            f"expected {min(height, width)} or less, choose a smaller window or a larger image."
        )


def checked_range(low: float, high: float) -> tuple[float, float]:
    """Offset and factor's inverse with which values from low to high are scaled to [0, 1].

    Raises:
        InputError: the range is beyond float64.
    """
    with np.errstate(over="ignore"):
        span = np.float64(high) - np.float64(low)
    if not np.isfinite(span):
        raise InputError(
            f"the values range from {low:.3g} to {high:.3g}, too far to scale in float64; "
            "expected smaller ones, look for fill values."
        )
    return low, span


def ring_offsets(inner: int, outer: int) -> npt.NDArray[np.intp]:
    """Rows and columns [n, 2] of a ring's pixels relative to its centre, row after row."""
    reach = outer // 2
    steps = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return offsets[np.abs(offsets).max(axis=1) > inner // 2]


def ring_size(inner: int, outer: int) -> int:
    """Number of pixels n in a ring."""
    return outer**2 - inner**2


class Ranged:
    """An image that is scaled by a range from elsewhere.

    Args:
        image: what is read.
        limits: values that become 0 and 1; others may lie outside.
    """

    def __init__(self, image: Image, limits: tuple[float, float]) -> None:
        self._image, self._limits = image, limits
        self.shape, self.grid = image.shape, image.grid

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.float64]:
        """A copy [bottom − top, W, L] of some rows, which may be overwritten."""
        return self._image.rows(top, bottom)

    def extremes(self) -> tuple[float, float]:
        """The limits."""
        return self._limits


class Rings:
    """Index of the pixels in the ring of each pixel of an image."""

    def __init__(self, height: int, width: int, inner: int, outer: int) -> None:
        check_fits(outer, height, width)
        self._reach = reach = outer // 2
        self.shape = height, width
        # Indices are padded, not spectra: the cube is never copied.
        at = np.pad(np.arange(height * width).reshape(height, width), reach, mode="symmetric")
        down, right = ring_offsets(inner, outer).T
        self._at = at.ravel()
        self._steps = down * at.shape[1] + right
        centres = np.arange(at.size).reshape(at.shape)
        self._centres = centres[reach : reach + height, reach : reach + width].ravel()

    def of(self, pixels: slice) -> npt.NDArray[np.intp]:
        """Indices [b, n] of the rings' pixels, all indices in row-after-row order."""
        return self._at[self._centres[pixels, None] + self._steps]

    def map(
        self,
        image: Image,
        function: Callable[[Block], npt.NDArray[np.float64]],
        elements: int,
        what: str,
    ) -> npt.NDArray[np.float64]:
        """A map [H, W] from a function of a block of pixels that gives their values [b].

        The image is scaled to [0, 1] as a whole: all bands share one offset and one factor, so
        the shape of the spectra stays. It is read in strips of rows with a halo of rows above and
        below, as far as the rings reach. Blocks of a strip run side by side.

        Args:
            image: of the size of these rings.
            function: called from several threads.
            elements: numbers it needs for one pixel, at most `BLOCK_ELEMENTS` in a block.
            what: name of the work, for its progress.

        Raises:
            InputError: the image's range is beyond float64.
        """
        height, width = self.shape
        values = np.empty(height * width)
        size = max(1, BLOCK_ELEMENTS // elements)
        with bar(what, height * width, "pixel") as counter:
            for strip in self._strips(image, size):
                for block, found in zip(strip, map_in_threads(function, strip), strict=True):
                    values[block.own] = found
                    counter.update(len(found))
        return values.reshape(self.shape)

    def _strips(self, image: Image, size: int) -> Iterator[list[Block]]:
        """Blocks of so many pixels, strip after strip."""
        height, width = self.shape
        low, span = checked_range(*image.extremes())
        rows = max(1, STRIP_ELEMENTS // (width * image.shape[1]))
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            # The mirror image of a ring's rows beyond the border lies no farther away than they.
            first = max(0, top - self._reach)
            strip = image.rows(first, min(bottom + self._reach, height))
            strip -= low
            strip /= span
            pixels = strip.reshape(-1, strip.shape[2])
            own = range(top * width, bottom * width)
            yield [
                Block(self, slice(start, min(start + size, own.stop)), pixels, first * width)
                for start in own[::size]
            ]


class Block:
    """Consecutive pixels of an image scaled to [0, 1], with those of their rings.

    Attributes:
        own: which pixels of the image they are, row after row.
    """

    def __init__(
        self, rings: Rings, own: slice, strip: npt.NDArray[np.float64], offset: int
    ) -> None:
        self.own = own
        self._rings, self._strip, self._offset = rings, strip, offset

    @property
    def spectra(self) -> npt.NDArray[np.float64]:
        """Spectra [b, L] of the pixels of the block."""
        return self._strip[self.own.start - self._offset : self.own.stop - self._offset]

    @property
    def rings(self) -> npt.NDArray[np.intp]:
        """Indices [b, n] of the image's pixels in their rings."""
        return self._rings.of(self.own)

    def of(self, pixels: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Spectra [..., L] of pixels of the image that are their own or in their rings."""
        return self._strip[pixels - self._offset]
