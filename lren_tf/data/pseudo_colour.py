"""Pseudo-colour picture of a scene: three bands, natural colours where wavelengths are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import Scene

# Red, green and blue as fractions of the band range. On a visible-to-near-infrared sensor
# this is close to natural colour; on a 400-2500 nm sensor it is the short-wave infrared,
# near infrared, red composite in which man-made objects stand out.
PSEUDO_COLOUR_FRACTIONS = (0.5, 0.25, 0.1)
PSEUDO_COLOUR_PERCENTILES = (2.0, 98.0)

NATURAL_WAVELENGTHS = (650.0, 550.0, 450.0)
"""Red, green and blue in nanometres."""
_NEAR = 30.0
"""Nanometres from one of these at which a band still shows it."""


def picture_bands(scene: Scene) -> tuple[int, int, int]:
    """The bands drawn as red, green and blue, counted from 0.

    The good bands nearest to `NATURAL_WAVELENGTHS`, if each of these has one within 30 nm;
    else those nearest to `PSEUDO_COLOUR_FRACTIONS` of the range of good bands.
    """
    index = np.arange(scene.bands) if scene.good_bands is None else scene.good_bands.nonzero()[0]
    if scene.wavelengths is not None:
        distance = np.abs(scene.wavelengths[index][:, None] - NATURAL_WAVELENGTHS)
        nearest = distance.argmin(axis=0)
        if (distance[nearest, range(3)] <= _NEAR).all():
            red, green, blue = (int(band) for band in index[nearest])
            return red, green, blue
    last = len(index) - 1
    red, green, blue = (int(index[round(f * last)]) for f in PSEUDO_COLOUR_FRACTIONS)
    return red, green, blue


def pseudo_colour(cube: Scene | npt.ArrayLike) -> np.ndarray:
    """Three bands of a cube as a displayable picture.

    Red, green and blue are those of `picture_bands`. Each is stretched from its 2nd to its
    98th percentile and clipped; a band whose percentiles coincide is stretched from its
    minimum to its maximum, and a constant one is black. Values which are not finite are left
    out of the percentiles and drawn black; so are pixels that a scene says hold no data, which
    are NaN in the picture.

    Args:
        cube: a scene, or [H, W, B] real numbers.

    Returns:
        [H, W, 3] float32 in [0, 1], NaN where the scene holds no data.

    Raises:
        InputError: the cube is not a real 3-D array with every axis at least 1.
    """
    scene = cube if isinstance(cube, Scene) else Scene(cube)  # type: ignore[arg-type]
    picture = np.zeros((*scene.shape[:2], 3), dtype=np.float32)
    for channel, index in enumerate(picture_bands(scene)):
        # float64 first: the difference of two int16 values does not fit an int16.
        band = scene.cube[:, :, index].astype(np.float64)
        finite = np.isfinite(band)
        if scene.valid is not None:
            finite &= scene.valid
        if not finite.any():
            continue
        low, high = np.percentile(band[finite], PSEUDO_COLOUR_PERCENTILES)
        if low == high:
            low, high = band[finite].min(), band[finite].max()
        if low == high:
            continue
        stretched = (np.clip(np.where(finite, band, low), low, high) - low) / (high - low)
        picture[:, :, channel] = stretched
    if scene.valid is not None:
        picture[~scene.valid] = np.nan
    return picture
