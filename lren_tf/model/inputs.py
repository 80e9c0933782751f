"""Pixels of an array, a scene or a file, as `fit` and `score` of a model take them."""

from __future__ import annotations

import os
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import check_finite_pixels
from lren_tf.data.masked_arrays import unmask
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.same_sensor import refuse_other_wavelengths, warn_of_bands_left_out
from lren_tf.data.scene import Scene
from lren_tf.data.standardisation import Scaler
from lren_tf.errors import InputError
from lren_tf.io import load_scene, scene_of


class ModelInput(NamedTuple):
    """Pixels that hold data, and their positions in the scene."""

    pixels: PixelMatrix
    """``[n, L]`` in the sensor's units; :meth:`check_finite` has not been called."""
    grid: tuple[int, ...]
    """Shape of their scores: ``(H, W)`` of a cube, ``(N,)`` of a table."""
    name: str
    """Name of the data in messages."""
    valid: np.ndarray | None
    """bool, True n times, in the shape of `grid`; None where all pixels hold data."""
    good_bands: np.ndarray | None
    """``[L]`` bool, or None where all bands are good."""
    wavelengths: tuple[float, ...] | None = None
    """Wavelengths of all bands in nanometres, or None if they are not known."""
    counted: np.ndarray | None = None
    """``[n]`` bool, pixels of the background region; None where it is all of them."""

    def check_finite(self) -> None:
        """Refuse NaN and infinity in good bands, naming the first position.

        Raises:
            InputError: as :func:`lren_tf.data.array_checks.check_finite_pixels`.
        """
        # Pixels with holes between them have numbers, but neither rows nor columns.
        grid_width = self.grid[1] if len(self.grid) == 2 and self.valid is None else None
        check_finite_pixels(self.pixels, grid_width, self.name, bands=self.good_bands)

    def on_grid(self, index: np.ndarray) -> np.ndarray:
        """Convert indices of pixels to indices of the whole grid, row after row; -1 stays."""
        if self.valid is None:
            return index
        return np.where(index < 0, -1, np.flatnonzero(self.valid)[index])

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """Spread rows ``[n, ...]`` of floats over ``[N, ...]``, NaN where there is no data."""
        if self.valid is None:
            return rows
        out = np.full((self.valid.size, *rows.shape[1:]), np.nan, rows.dtype)
        out[self.valid.reshape(-1)] = rows
        return out


def background_of(x: Any) -> Any:
    """Return the part of data that a model learns of.

    Args:
        x: data as of ``fit``.

    Returns:
        Of a scene with a background region the scene with data there only, else `x`.
    """
    return x.of_background() if isinstance(x, Scene) else x


def as_model_input(x: Any, key: str | None = None) -> ModelInput:
    """Read or convert the pixels of an array, a scene or a file.

    Args:
        x: ``[N, L]`` or ``[H, W, L]`` array, a :class:`Scene`, an xarray object, or the path of a
            file that :func:`lren_tf.load_scene` reads. The mask of a masked array says which values
            hold no data.
        key: variable of the cube in a file with several.

    Raises:
        InputError: it is none of these, or the file cannot be used.
    """
    if isinstance(x, (str, os.PathLike)):
        x = load_scene(x, key=key)
    elif (labelled := scene_of(x, key=key)) is not None:
        x = labelled
    elif key is not None:
        raise InputError(f"key={key!r} was given with an array; expected a path with it.")
    if isinstance(x, Scene):
        scene = x
    else:
        values, valid, good_bands = unmask(x)
        try:
            array: npt.NDArray[Any] = np.asarray(values)
        except Exception as error:  # whatever an array-like's own conversion raises
            raise InputError(
                f"the data is of type {type(x).__name__} and cannot be read as an array "
                f"({type(error).__name__}); expected numbers as samples × bands or rows × columns "
                "× bands, convert it first."
            ) from error
        if array.ndim == 2 and array.dtype.kind in "iuf" and 0 not in array.shape:
            if valid is not None and not valid.any():
                raise InputError(
                    f"the mask of the table hides a value in each of its {len(array)} samples; "
                    "expected at least one complete sample, unmask some."
                )
            return ModelInput(
                PixelMatrix(array, valid), array.shape[:1], "cube", valid, good_bands
            )
        if array.dtype.kind == "O" and array.ndim == 0:
            raise InputError(
                f"the data is of type {type(x).__name__}; expected numbers as samples × bands or "
                "rows × columns × bands, pass them as one array: batches are drawn from it."
            )
        if array.ndim != 3:
            raise InputError(
                f"the data has shape {array.shape} and dtype {array.dtype}; expected numbers as "
                "samples × bands or rows × columns × bands."
            )
        scene = Scene(array, valid=valid, good_bands=good_bands)
    known, counted = scene.wavelengths, scene.background
    if counted is not None:
        counted = counted.reshape(-1) if scene.valid is None else counted[scene.valid]
    return ModelInput(
        scene.rows, scene.shape[:2], scene.name, scene.valid, scene.good_bands,
        None if known is None else tuple(np.asarray(known, np.float64).tolist()), counted,
    )  # fmt: skip


def input_of_sensor(
    x: Any,
    key: str | None,
    bands: int,
    used: np.ndarray | None,
    wavelengths: tuple[float, ...] | None = None,
) -> ModelInput:
    """Return finite pixels of the sensor that a model was fitted on.

    Warns of bands that the network uses and the scene leaves out.

    Args:
        x, key: as for :func:`as_model_input`.
        bands: L, number of bands of the sensor.
        used: ``[L]`` bool, bands that enter the network, whatever the scene marks as good; None
            for all.
        wavelengths: of the bands in nanometres; None where they are not known.

    Raises:
        InputError: as :func:`as_model_input`; another number of bands, bands of other
            wavelengths, or NaN or infinity.
    """
    data = as_model_input(x, key)
    if data.pixels.shape[1] != bands:
        raise InputError(
            f"the data has {data.pixels.shape[1]} bands; the model was fitted on "
            f"{bands}: pass a scene of the same sensor, or fit a new model."
        )
    found = None if data.wavelengths is None else np.array(data.wavelengths)
    refuse_other_wavelengths(data.name, found, wavelengths)
    left_out = data.good_bands
    data = data._replace(good_bands=used)
    data.check_finite()
    warn_of_bands_left_out(data.name, left_out, used)
    return data


def warn_of_constant_bands(scaler: Scaler, good_bands: np.ndarray | None) -> None:
    """Warn the caller of `fit` of constant bands that the scene does not mark as bad."""
    dropped = np.flatnonzero(~scaler.used & (True if good_bands is None else good_bands))
    if dropped.size:
        warnings.warn(
            f"{len(dropped)} constant bands are dropped: "
            f"{', '.join(map(str, dropped[:10]))}{' …' if len(dropped) > 10 else ''}.",
            stacklevel=3,
        )
