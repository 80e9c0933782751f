"""Dual windows: scaling, checks of the windows, rings of pixels.

The ring of a pixel holds the pixels of the outer square window around it that are not in
the inner one, the guard that keeps a target out of its own background. Both widths are odd.
Past the border the image is mirrored at its edge, the border pixels repeated (NumPy's
"symmetric"), so that every ring has the same number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf import validators
from lren_tf.errors import InputError
from lren_tf.runtime.threads import one_blas_thread

BLOCK_ELEMENTS = 1 << 18
"""float64 numbers that a block of pixels may hold in its rings and matrices, 2 MiB (or one
pixel's): larger blocks are slower, since they leave the processor's cache between two steps."""


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


def unit_range(cube: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cube, overwritten, with its smallest value at 0 and its largest at 1.

    All bands share one offset and one factor, so the shape of the spectra stays.

    Raises:
        InputError: the range is beyond float64.
    """
    low, high = cube.min(), cube.max()
    with np.errstate(over="ignore"):
        span = high - low
    if not np.isfinite(span):
        raise InputError(
            f"the values range from {low:.3g} to {high:.3g}, too far to scale in float64; "
            "expected smaller ones, look for fill values."
        )
    cube -= low
    cube /= span
    return cube


def with_background_only(
    cube: npt.NDArray[np.float64], background: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Spectra for rings, and spectra to be scored, both [N, L] on the scale of the background.

    In rings the pixels outside of the background have its mean, which is the least remarkable
    spectrum there is. The scale is that of `unit_range` for the background, so that no pixel
    outside of it changes another's score.

    Args:
        cube: [H, W, L], overwritten.
        background: [H, W].

    Raises:
        InputError: as `unit_range`, or the background has one value only.
    """
    known = cube[background]
    low, high = known.min(), known.max()
    with np.errstate(over="ignore"):
        span = high - low
    if not 0 < span < np.inf:
        raise InputError(
            f"the values of the background region range from {low:.3g} to {high:.3g}; expected "
            "values that differ and can be scaled in float64, mark another region."
        )
    cube -= low
    cube /= span
    filled = cube.copy()
    filled[~background] = cube[background].mean(axis=0)
    bands = cube.shape[2]
    return filled.reshape(-1, bands), cube.reshape(-1, bands)


def ring_offsets(inner: int, outer: int) -> npt.NDArray[np.intp]:
    """Rows and columns [n, 2] of a ring's pixels relative to its centre, row after row."""
    reach = outer // 2
    steps = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return offsets[np.abs(offsets).max(axis=1) > inner // 2]


def ring_size(inner: int, outer: int) -> int:
    """Number of pixels n in a ring."""
    return outer**2 - inner**2


class Rings:
    """Which pixels are in the ring of each pixel of an image."""

    def __init__(self, height: int, width: int, inner: int, outer: int) -> None:
        check_fits(outer, height, width)
        reach = outer // 2
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
        self, function: Callable[[slice], npt.NDArray[np.float64]], elements: int
    ) -> npt.NDArray[np.float64]:
        """A map [H, W] from a function of a block of pixels that gives their values [b].

        Blocks run side by side in as many threads as the linear algebra library would take,
        which is held to one thread in each: its matrices are too small to be shared out.

        Args:
            function: called from several threads.
            elements: numbers it needs for one pixel, at most `BLOCK_ELEMENTS` in a block.
        """
        count = self._centres.size
        size = max(1, BLOCK_ELEMENTS // elements)
        blocks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
        with one_blas_thread() as threads, ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(function, blocks))).reshape(self.shape)
