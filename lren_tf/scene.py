"""A hyperspectral scene: the cube, its optional truth, and the checks every user of one needs.

Shapes: a cube is [H, W, B] (rows, columns, bands); its pixels are [N, B] with N = H·W,
row after row, so that any per-pixel vector [N] becomes a map with `reshape(H, W)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lren_tf.errors import InputError

# Red, green and blue as fractions of the band range. On a visible-to-near-infrared sensor
# this is close to natural colour; on a 400-2500 nm sensor it is the short-wave infrared,
# near infrared, red composite in which man-made objects stand out.
PSEUDO_COLOUR_FRACTIONS = (0.5, 0.25, 0.1)
PSEUDO_COLOUR_PERCENTILES = (2.0, 98.0)

# Elements looked at in one go by the chunked checks: a few MiB of temporaries.
_CHUNK_ELEMENTS = 1 << 20


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One hyperspectral image and what is known about it.

    Attributes:
        cube: [H, W, B] real numbers, dtype as stored (integers or floats), C order and
            native byte order; an array in another layout is copied once, here.
        truth: [H, W] bool, True on anomalous pixels, or None. Any real array is accepted
            and turned into bool by `!= 0`.
        name: what messages, tables and figures call the scene.
        source: path of the file it came from, or None.
        simulated: whether the scene was made by a program.

    Raises:
        InputError: the cube is not a real 3-D array with every axis at least 1, or the
            truth is not a finite real array of the cube's rows × columns.
    """

    cube: np.ndarray
    truth: np.ndarray | None = None
    name: str = "scene"
    source: str | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        cube = _real_array(self.cube, f"{self.name}: the cube")
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
        # TensorFlow refuses foreign byte order, and `pixels` is a view only in C order.
        native = cube.dtype.newbyteorder("=")
        object.__setattr__(self, "cube", np.ascontiguousarray(cube, dtype=native))
        if self.truth is not None:
            object.__setattr__(self, "truth", self._checked_truth(cube.shape[:2]))

    def _checked_truth(self, expected: tuple[int, ...]) -> np.ndarray:
        truth = _real_array(self.truth, f"{self.name}: the truth")
        if truth.shape != expected:
            raise InputError(
                f"{self.name}: the truth has shape {truth.shape}; expected {expected}, the "
                "cube's rows × columns, pass the truth that belongs to this cube."
            )
        bad = int(truth.size - np.count_nonzero(np.isfinite(truth)))
        if bad:
            raise InputError(
                f"{self.name}: the truth holds {bad} NaN or infinite values; expected 0 on "
                "background and any other finite number on anomalies, mark every pixel."
            )
        return np.ascontiguousarray(truth != 0)

    def __repr__(self) -> str:
        truth = (
            "no truth" if self.truth is None else f"{np.count_nonzero(self.truth)} anomalous pixels"
        )
        simulated = ", simulated" if self.simulated else ""
        size = f"{self.height} × {self.width} × {self.bands} {self.cube.dtype}"
        return f"Scene({self.name!r}, {size}, {truth}{simulated})"

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

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, B)."""
        return self.cube.shape  # type: ignore[return-value]

    @property
    def pixels(self) -> np.ndarray:
        """View [N, B] of the cube, row after row; no copy."""
        return self.cube.reshape(-1, self.bands)

    @property
    def truth_vector(self) -> np.ndarray | None:
        """View [N] bool of the truth in the order of `pixels`, or None."""
        return None if self.truth is None else self.truth.reshape(-1)


def check_finite_pixels(
    pixels: np.ndarray, grid_width: int | None = None, what: str = "cube"
) -> None:
    """Refuse NaN and infinity, saying how many there are and where the first one is.

    Args:
        pixels: [N, L] real numbers of any dtype; looked at in chunks of bounded size.
        grid_width: W of the image the pixels come from; None for samples without a grid.
        what: how the message calls the data.

    Raises:
        InputError: a value is not finite; the message gives the count, the first bad pixel
            (row and column with a `grid_width`, else sample index) and its band, from 0.
            Also when `pixels` is not a real 2-D array or `grid_width` is below 1.
    """
    pixels = _pixel_table(pixels, what)
    if grid_width is not None and grid_width < 1:
        raise InputError(
            f"{what}: grid_width is {grid_width}; expected at least 1, pass the image's columns."
        )
    if pixels.dtype.kind != "f":
        return
    bad, first = 0, None
    for start, chunk in _row_chunks(pixels):
        finite = np.isfinite(chunk)
        if finite.all():
            continue
        bad += int(finite.size - np.count_nonzero(finite))
        if first is None:
            row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
            first = start + int(row), int(column)
    if first is None:
        return
    index, band = first
    where = (
        f"sample {index}"
        if grid_width is None
        else f"row {index // grid_width}, column {index % grid_width}"
    )
    values = "1 value is" if bad == 1 else f"{bad} values are"
    raise InputError(
        f"{what}: {values} NaN or infinite, the first at {where}, band {band} (counted from 0); "
        "expected finite numbers, remove those bands or fill those pixels."
    )


def varying_bands(pixels: np.ndarray, what: str = "cube") -> np.ndarray:
    """Which bands are not constant, and so can be standardised.

    Args:
        pixels: [N, L] finite real numbers (see `check_finite_pixels`).
        what: how the message calls the data.

    Returns:
        [L] bool.

    Raises:
        InputError: every band is constant, or `pixels` is not a real 2-D array with at
            least one sample and one band.
    """
    pixels = _pixel_table(pixels, what)
    if pixels.size == 0:
        raise InputError(
            f"{what}: the pixels have shape {pixels.shape}; expected at least one sample and "
            "one band, check how they were selected."
        )
    varying = pixels.max(axis=0) != pixels.min(axis=0)
    if not varying.any():
        raise InputError(
            f"{what}: all {pixels.shape[1]} bands are constant over the {pixels.shape[0]} pixels; "
            "expected at least one band that varies, check that this is the image and not a "
            "filled or cropped copy."
        )
    return varying


def data_sha256(array: np.ndarray) -> str:
    """SHA-256 of an array's dtype, shape and values, as 64 hexadecimal digits.

    The layout in memory and the byte order do not matter: the values are hashed in C order
    and little-endian, in chunks.

    Args:
        array: any shape; bool, integer, real or complex dtype.

    Raises:
        InputError: the dtype is none of these, so the values have no bytes of their own.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "biufc":
        raise InputError(
            f"cannot hash an array of dtype {array.dtype}; expected numbers, convert it first."
        )
    dtype = array.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{dtype.str} {array.shape} ".encode())
    rows = array.reshape(1) if array.ndim == 0 else array
    for _, chunk in _row_chunks(rows):
        digest.update(np.ascontiguousarray(chunk, dtype=dtype).data)
    return digest.hexdigest()


def pseudo_colour(cube: np.ndarray) -> np.ndarray:
    """Three bands of a cube as a displayable picture.

    Red, green and blue are the bands nearest to `PSEUDO_COLOUR_FRACTIONS` of the band range.
    Each is stretched from its 2nd to its 98th percentile and clipped; a band whose
    percentiles coincide is stretched from its minimum to its maximum, and a constant one is
    black. Values which are not finite are left out of the percentiles and drawn black.

    Args:
        cube: [H, W, B] real numbers.

    Returns:
        [H, W, 3] float32 in [0, 1].

    Raises:
        InputError: the cube is not a real 3-D array with every axis at least 1.
    """
    cube = Scene(cube).cube
    last = cube.shape[2] - 1
    picture = np.zeros((*cube.shape[:2], 3), dtype=np.float32)
    for channel, fraction in enumerate(PSEUDO_COLOUR_FRACTIONS):
        # float64 first: the difference of two int16 values does not fit an int16.
        band = cube[:, :, round(fraction * last)].astype(np.float64)
        finite = np.isfinite(band)
        if not finite.any():
            continue
        low, high = np.percentile(band[finite], PSEUDO_COLOUR_PERCENTILES)
        if low == high:
            low, high = band[finite].min(), band[finite].max()
        if low == high:
            continue
        stretched = (np.clip(np.where(finite, band, low), low, high) - low) / (high - low)
        picture[:, :, channel] = stretched
    return picture


def _real_array(values: object, what: str) -> np.ndarray:
    """`values` as an ndarray of bool, integer or float dtype, or an `InputError`."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(
            f"{what} is a masked array, whose mask would be lost; expected a plain array, fill "
            "the masked values first."
        )
    try:
        array = np.asarray(values)
    except Exception as error:  # whatever an array-like's own conversion raises
        raise InputError(
            f"{what} cannot be read as an array ({type(error).__name__}); expected a NumPy array "
            "of numbers, convert it first."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{what} has dtype {array.dtype}; expected real numbers, convert it first."
        )
    return array


def _pixel_table(pixels: object, what: str) -> np.ndarray:
    array = _real_array(pixels, what)
    if array.ndim != 2:
        raise InputError(
            f"{what}: the pixels have shape {array.shape}; expected samples × bands, reshape "
            "them first."
        )
    return array


def _row_chunks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive slices of the first axis with about `_CHUNK_ELEMENTS` elements each."""
    per_row = max(1, int(np.prod(array.shape[1:], dtype=np.int64)))
    rows = max(1, _CHUNK_ELEMENTS // per_row)
    for start in range(0, array.shape[0], rows):
        yield start, array[start : start + rows]
