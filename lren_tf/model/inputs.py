"""The pixels that a model is fitted on or scores, whatever they were passed as."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import check_finite_pixels
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io import load_scene


class Samples(NamedTuple):
    """Pixels that hold data, and where they belong."""

    pixels: PixelMatrix
    """``[n, L]``, not yet checked to be finite."""
    grid: tuple[int, ...]
    """Shape of their scores: ``(H, W)`` of a cube, ``(N,)`` of a table."""
    name: str
    """What messages call the data."""
    valid: np.ndarray | None
    """``[H, W]`` bool, True n times; None where all pixels hold data."""
    good_bands: np.ndarray | None
    """``[L]`` bool, or None where all bands are good."""

    def check_finite(self) -> None:
        """Refuse NaN and infinity in good bands, with their place.

        Raises:
            InputError: as :func:`lren_tf.data.array_checks.check_finite_pixels`.
        """
        # Pixels with holes between them have numbers, but neither rows nor columns.
        grid_width = self.grid[1] if len(self.grid) == 2 and self.valid is None else None
        check_finite_pixels(self.pixels, grid_width, self.name, bands=self.good_bands)

    def on_grid(self, index: np.ndarray) -> np.ndarray:
        """Indices of pixels as indices of the whole grid, row after row; -1 stays."""
        if self.valid is None:
            return index
        return np.where(index < 0, -1, np.flatnonzero(self.valid)[index])

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """Rows ``[n, ...]`` of floats as ``[N, ...]``, NaN where there is no data."""
        if self.valid is None:
            return rows
        out = np.full((self.valid.size, *rows.shape[1:]), np.nan, rows.dtype)
        out[self.valid.reshape(-1)] = rows
        return out


def samples_of(x: Any, key: str | None = None) -> Samples:
    """Pixels of an array, a scene or a file.

    Args:
        x: ``[N, L]`` or ``[H, W, L]`` array, a :class:`Scene`, or the path of a file that
            :func:`lren_tf.load_scene` reads.
        key: variable of the cube in a file with several.

    Raises:
        InputError: it is none of these, or the file cannot be used.
    """
    if isinstance(x, (str, os.PathLike)):
        x = load_scene(x, key=key)
    elif key is not None:
        raise InputError(f"key={key!r} was given with an array; expected a path with it.")
    if isinstance(x, Scene):
        scene = x
    else:
        array: npt.NDArray[Any] = np.asarray(x)
        if array.ndim == 2 and array.dtype.kind in "iuf" and 0 not in array.shape:
            return Samples(PixelMatrix(array), array.shape[:1], "cube", None, None)
        if array.ndim != 3:
            raise InputError(
                f"the data has shape {array.shape} and dtype {array.dtype}; expected numbers as "
                "samples × bands or rows × columns × bands."
            )
        scene = Scene(array)
    return Samples(scene.rows, scene.shape[:2], scene.name, scene.valid, scene.good_bands)
