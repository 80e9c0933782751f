"""A hyperspectral scene: the cube, its optional ground truth, and checks of both.

Shapes: a cube is [H, W, B] (rows, columns, bands); its pixels are [N, B] with N = H·W,
row after row, so that any per-pixel vector [N] becomes a map with `reshape(H, W)`.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from lren_tf.data.array_checks import check_finite_pixels, iter_chunks, real_array, varying_bands
from lren_tf.data.georeference import Georeference
from lren_tf.data.labelled_arrays import GridLabels, as_labelled, read_labelled
from lren_tf.data.masked_arrays import unmask
from lren_tf.data.pixel_matrix import PixelMatrix, is_mapped
from lren_tf.errors import InputError

FEWEST_BACKGROUND_PIXELS = 10
"""Fewest pixels of a background region; fewer have no statistics to speak of."""

_SHORTEST = 50.0
"""Nanometres: no image has all its bands below, and no list in micrometres reaches it."""


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One hyperspectral image and what is known about it.

    Attributes:
        cube: [H, W, B] real numbers, dtype as stored (integers or floats). An array in memory is
            brought to C order and native byte order, with one copy if necessary; one that is mapped
            from a file stays as it is. Types beyond double precision become float64. The mask of a
            masked array goes into `valid` and `good_bands` (see `data.masked_arrays.unmask`).
        truth: [H, W] bool, True on anomalous pixels, or None. Any real array is accepted
            and turned into bool by `!= 0`.
        name: of the scene in messages, tables and figures.
        source: path of the file it came from, or None.
        simulated: whether the scene was made by a program.
        valid: [H, W] bool, False on pixels that hold no data; None if all do. Any finite real array
            is accepted and turned into bool by `!= 0`; masked entries are False.
        good_bands: [B] bool or 0 and 1, False on bands that are not to be used (listed as bad, or
            left out on request); None if all are used. Their values may be anything, even NaN.
        wavelengths: [B] float64, the centre of each band in nanometres, or None.
        georeference: where the pixels lie on the map, or None.
        source_format: what `source` was read as (`"ENVI"`, `"GeoTIFF"`, ...), or None.
        background: [H, W] bool, True on the pixels that statistics of the background come from;
            None for all. Other pixels are scored, but do not enter the statistics. Any finite real
            array is accepted and turned into bool by `!= 0`.
        reading: what was done to the stored values, such as axes that were reordered.
        acquired: when it was measured, a day or a time of ISO 8601, or None.
        labels: names and coordinates of rows and columns, of a scene that came from xarray.

    `cube` may be a `DataArray` or `Dataset` of xarray, as for `load_scene`: it provides the other
    attributes that are left at their defaults.

    Raises:
        InputError: the cube is not a real 3-D array with every axis at least 1; the truth or
            `valid` is not a finite real array of the cube's rows × columns; no pixel is valid
            or no band good; `good_bands` or `wavelengths` does not have one entry for each
            band, or a wavelength is not a positive number.
    """

    cube: np.ndarray
    truth: np.ndarray | None = None
    name: str = "scene"
    source: str | None = None
    simulated: bool = False
    valid: np.ndarray | None = None
    good_bands: np.ndarray | None = None
    wavelengths: np.ndarray | None = None
    georeference: Georeference | None = None
    source_format: str | None = None
    reading: tuple[str, ...] = ()
    background: np.ndarray | None = None
    labels: GridLabels | None = None
    acquired: str | None = None

    def __post_init__(self) -> None:
        if as_labelled(self.cube) is not None:
            self._take_over(read_labelled("scene", self.cube))
        cube = real_array(unmask(self.cube).values, f"{self.name}: the cube")
        if cube.dtype.kind == "b":
            raise InputError(
                f"{self.name}: the cube has dtype bool; expected integers or floats, "
                "pass the measured values rather than a mask."
            )
        if cube.ndim != 3 or min(cube.shape) < 1:
            raise InputError(
                f"{self.name}: the cube has shape {cube.shape}; expected rows × columns × bands "
                "with every axis at least 1, reshape it first."
            )
        if cube.dtype.kind == "f" and cube.dtype.itemsize > 8:
            # Beyond double precision nothing computes, and such numbers have no bytes of their own.
            cube = cube.astype(np.float64)
        masked = self.cube
        # TensorFlow refuses foreign byte order, and `pixels` is a view only in C order.
        object.__setattr__(self, "cube", cube if is_mapped(cube) else _native(cube))
        grid = cube.shape[:2]
        if self.truth is not None:
            truth = self._checked_layer(self.truth, "truth", "background", "anomalies")
            object.__setattr__(self, "truth", truth)
        if self.valid is not None:
            layer = self.valid.filled(0) if np.ma.isMaskedArray(self.valid) else self.valid
            checked = self._checked_layer(layer, "mask", "pixels without data", "valid pixels")
            object.__setattr__(self, "valid", checked)
        if self.good_bands is not None:
            object.__setattr__(self, "good_bands", self._checked_good_bands())
        _, valid, good_bands = unmask(masked, self.valid, self.good_bands)
        object.__setattr__(self, "good_bands", good_bands)
        if valid is not None:
            if not valid.any():
                raise InputError(
                    f"{self.name}: none of the {grid[0]} × {grid[1]} pixels holds data; expected "
                    "at least one valid pixel, check the mask and the no-data value."
                )
            # All of them is the same as no mask, whoever made it.
            object.__setattr__(self, "valid", None if valid.all() else valid)
        if self.background is not None:
            object.__setattr__(self, "background", self._checked_background())
        if self.wavelengths is not None:
            object.__setattr__(self, "wavelengths", self._checked_wavelengths())
        if self.georeference is not None:
            self._check_georeference(grid)

    def _take_over(self, scene: Scene) -> None:
        """Take what was left at its default from another scene, and the cube."""
        for field in fields(self):
            if field.name == "cube" or getattr(self, field.name) is field.default:
                object.__setattr__(self, field.name, getattr(scene, field.name))

    def _checked_layer(self, values: object, what: str, zero: str, other: str) -> np.ndarray:
        """[H, W] bool of any real array, by `!= 0`."""
        if as_labelled(values) is not None:
            values = read_labelled("map", values)
        layer = real_array(values, f"{self.name}: the {what}")
        expected = self.cube.shape[:2]
        if layer.shape != expected:
            raise InputError(
                f"{self.name}: the {what} has shape {layer.shape}; expected {expected}, the "
                f"cube's rows × columns, pass the {what} that belongs to this cube."
            )
        bad = int(layer.size - np.count_nonzero(np.isfinite(layer)))
        if bad:
            raise InputError(
                f"{self.name}: the {what} holds {bad} NaN or infinite values; expected 0 on "
                f"{zero} and any other finite number on {other}, mark every pixel."
            )
        return np.ascontiguousarray(layer != 0)

    def _checked_background(self) -> np.ndarray | None:
        """The background among the pixels that hold data; None where it is all of them."""
        region = self._checked_layer(
            self.background, "background region", "pixels outside", "background pixels"
        )
        seen = region if self.valid is None else region & self.valid
        count = int(np.count_nonzero(seen))
        if count < FEWEST_BACKGROUND_PIXELS:
            raise InputError(
                f"{self.name}: the background region has {count} pixels with data; expected at "
                f"least {FEWEST_BACKGROUND_PIXELS}, mark a larger region."
            )
        return None if count == self.valid_count else seen

    def _checked_good_bands(self) -> np.ndarray | None:
        given = real_array(self.good_bands, f"{self.name}: good_bands")
        if given.shape != (self.bands,):
            raise InputError(
                f"{self.name}: good_bands has shape {given.shape}; expected ({self.bands},), one "
                "entry for each band, pass such a list."
            )
        good = given != 0
        # Numbers of bands would leave out band 0 alone.
        if not np.array_equal(given, good):
            raise InputError(
                f"{self.name}: good_bands holds {given[given != good][0]}; expected True or False "
                "for each band, pass np.isin(np.arange(bands), numbers) of numbers of bands."
            )
        if not good.any():
            raise InputError(
                f"{self.name}: all {self.bands} bands are marked as not to be used; expected at "
                "least one that is, check the list of bad bands and what was left out."
            )
        return None if good.all() else good

    def _checked_wavelengths(self) -> np.ndarray:
        wavelengths = real_array(self.wavelengths, f"{self.name}: the wavelengths")
        if wavelengths.shape != (self.bands,):
            raise InputError(
                f"{self.name}: the wavelengths have shape {wavelengths.shape}; expected "
                f"({self.bands},), one for each band, correct the list or leave it out."
            )
        wavelengths = wavelengths.astype(np.float64)
        wrong = ~(np.isfinite(wavelengths) & (wavelengths > 0))
        if wrong.any():
            band = int(np.argmax(wrong))
            raise InputError(
                f"{self.name}: the wavelength of band {band} (counted from 0) is "
                f"{wavelengths[band]}; expected positive numbers in nanometres, correct the list "
                "or leave it out."
            )
        if wavelengths.max() < _SHORTEST:
            warnings.warn(
                f"{self.name}: the wavelengths end at {wavelengths.max():g} nanometres; if they "
                "are micrometres, multiply them by 1000.",
                stacklevel=4,
            )
        return wavelengths

    def _check_georeference(self, grid: tuple[int, ...]) -> None:
        if not isinstance(self.georeference, Georeference):
            raise InputError(
                f"{self.name}: the georeference is a {type(self.georeference).__name__}; expected "
                "a lren_tf.data.georeference.Georeference, make one."
            )
        positions = self.georeference.positions
        if positions is not None and positions.shape[:2] != grid:
            raise InputError(
                f"{self.name}: the positions have shape {positions.shape}; expected one for each "
                f"of {grid[0]} × {grid[1]} pixels, pass those of this cube."
            )

    def __repr__(self) -> str:
        truth = (
            "no truth" if self.truth is None else f"{np.count_nonzero(self.truth)} anomalous pixels"
        )
        size = f"{self.height} × {self.width} × {self.bands} {self.rows.dtype}"
        valid = "" if self.valid is None else f", {self.valid_count} valid pixels"
        simulated = ", simulated" if self.simulated else ""
        return f"Scene({self.name!r}, {size}, {truth}{valid}{simulated})"

    @property
    def height(self) -> int:
        """Rows H."""
        return self.cube.shape[0]

    @property
    def width(self) -> int:
        """Columns W."""
        return self.cube.shape[1]

    @property
    def bands(self) -> int:
        """Bands B."""
        return self.cube.shape[2]

    def on_labels(self, values: np.ndarray, name: str = "score") -> Any:
        """Return values [H, W] on the coordinates of an xarray scene; of any other as they are."""
        return values if self.labels is None else self.labels.array(values, name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, B)."""
        return self.cube.shape

    @cached_property
    def pixels(self) -> np.ndarray:
        """The cube as [N, B], row after row, in C order and native byte order.

        A view, except of a cube that lies otherwise in its file: of that a copy in memory, made
        on first access. `rows` needs none.
        """
        return _native(self.cube).reshape(-1, self.bands)

    @property
    def rows(self) -> PixelMatrix:
        """The pixels [n, B] that hold data, row after row, read on access."""
        return PixelMatrix(self.cube, self.valid)

    @property
    def valid_count(self) -> int:
        """Number of pixels that hold data, n."""
        return self.height * self.width if self.valid is None else int(self.valid.sum())

    @property
    def valid_pixels(self) -> np.ndarray:
        """The pixels [n, B] that hold data, row after row; `pixels` itself where all do."""
        return self.pixels if self.valid is None else self.rows[:]

    def of_background(self) -> Scene:
        """The scene with data in the pixels of the background only; itself where that is all."""
        if self.background is None:
            return self
        return replace(self, valid=self.background, background=None)

    def spread(self, scores: np.ndarray) -> np.ndarray:
        """Values [n] of `valid_pixels` as a map [H, W] float32, NaN where there is no data.

        Raises:
            InputError: there is not one value for each valid pixel.
        """
        scores = real_array(scores, f"{self.name}: the scores")
        if scores.shape != (self.valid_count,):
            raise InputError(
                f"{self.name}: the scores have shape {scores.shape}; expected "
                f"({self.valid_count},), one for each pixel that holds data, pass those."
            )
        if self.valid is None:
            return scores.astype(np.float32).reshape(self.shape[:2])
        out = np.full(self.shape[:2], np.nan, np.float32)
        out[self.valid] = scores
        return out

    def check_usable(self) -> None:
        """Refuse what no detector can work on, among valid pixels and good bands.

        Raises:
            InputError: a value is NaN or infinite, or every band is constant.
        """
        valid = None if self.valid is None else self.valid.reshape(-1)
        chosen = {"valid": valid, "bands": self.good_bands}
        pixels = PixelMatrix(self.cube)
        check_finite_pixels(pixels, grid_width=self.width, what=self.name, **chosen)
        varying_bands(pixels, what=self.name, **chosen)

    @property
    def truth_vector(self) -> np.ndarray | None:
        """View [N] bool of the truth in the order of `pixels`, or None."""
        return None if self.truth is None else self.truth.reshape(-1)


def _native(cube: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(cube, dtype=cube.dtype.newbyteorder("="))


def data_sha256(array: np.ndarray | PixelMatrix) -> str:
    """SHA-256 of an array's dtype, shape and values, as 64 hexadecimal digits.

    The layout in memory and the byte order do not matter: the values are hashed in C order
    and little-endian, in chunks.

    Args:
        array: any shape; bool, integer, real or complex dtype.

    Raises:
        InputError: the dtype is none of these, so its values are not plain bytes.
    """
    if not isinstance(array, PixelMatrix):
        array = np.asarray(array)
    if array.dtype.kind not in "biufc":
        raise InputError(
            f"cannot hash an array of dtype {array.dtype}; expected numbers, convert it first."
        )
    dtype = array.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{dtype.str} {array.shape} ".encode())
    rows = array.reshape(1) if isinstance(array, np.ndarray) and array.ndim == 0 else array
    for _, chunk in iter_chunks(rows):
        digest.update(np.ascontiguousarray(chunk, dtype=dtype).data)
    return digest.hexdigest()
