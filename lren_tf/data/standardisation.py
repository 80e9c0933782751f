"""Standardisation of pixels: parameters learned from a scene, and their application.

Everything is float64 until the last cast: a band of large numbers with a small spread
loses its digits in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lren_tf.data.array_checks import varying_bands
from lren_tf.data.pixel_matrix import PixelMatrix, as_pixel_matrix
from lren_tf.errors import InputError

PIXELS_AT_A_TIME = 65536
"""Pixels standardised at a time, so that float64 temporaries stay small. Another number rounds
the sums over pixels differently."""


class Scaler(NamedTuple):
    """Per-band standardisation x → ((x − low) / span − mean) / std, float64."""

    low: np.ndarray
    """Global minimum, scalar; 0 when only the z-score is taken."""
    span: np.ndarray
    """Global range, scalar; 1 when only the z-score is taken."""
    mean: np.ndarray
    """Mean of each band after low and span, ``[L]``; that of 0 for bands that were no use."""
    std: np.ndarray
    """Population standard deviation of each band after low and span, ``[L]``; 1 for
    bands that are not used."""
    used: np.ndarray
    """Which bands are good and vary, bool ``[L]``; the others do not enter the network."""


def fit_scaler(
    pixels: np.ndarray | PixelMatrix,
    scaling: str,
    what: str = "cube",
    *,
    good_bands: np.ndarray | None = None,
) -> Scaler:
    """Learn the standardisation of a scene.

    Args:
        pixels: ``[N, L]``, any real dtype, finite in its good bands; read in chunks.
        scaling: ``"zscore"`` or ``"minmax_zscore"`` (see ``Settings.scaling``).
        what: how messages call the data.
        good_bands: bool ``[L]``, False on bands whose values must not matter; None for none.

    Raises:
        InputError: all bands are constant, or their variances are beyond float64.
    """
    if good_bands is not None:
        chosen = as_pixel_matrix(pixels).of_bands(good_bands)
        return _among_all(fit_scaler(chosen, scaling, what), good_bands)
    used = varying_bands(pixels, what)
    low, span = np.float64(0.0), np.float64(1.0)
    n = len(pixels)
    with np.errstate(over="ignore", invalid="ignore"):
        if scaling == "minmax_zscore":
            low, high = extremes(pixels)
            span = high - low
        mean = sum(_unit(chunk, low, span).sum(axis=0) for chunk in _parts(pixels)) / n
        # Two passes: the one-pass formula cancels for bands far from zero.
        squares = (np.square(_unit(chunk, low, span) - mean) for chunk in _parts(pixels))
        variance = sum(square.sum(axis=0) for square in squares) / n
    if not (np.isfinite(span) and np.isfinite(variance).all()):
        raise InputError(
            f"{what}: the values, up to {np.abs(extremes(pixels)).max():.3g}, are too "
            "large to take their variance in float64; expected smaller ones, look for fill values."
        )
    std = np.where(used, np.sqrt(variance), 1.0)
    # A band whose spread underflows in float64 varies by less than arithmetic can use.
    used = used & (std > 0)
    if not used.any():
        raise InputError(
            f"{what}: all {len(used)} bands vary by too little to take their variance in float64; "
            "expected at least one band that varies, rescale the values."
        )
    return Scaler(low, span, mean, np.where(used, std, 1.0), used)


def _among_all(scaler: Scaler, good_bands: np.ndarray) -> Scaler:
    """A scaler of the good bands as one of all; the others stand at 0 in the data's units."""
    mean = np.full(len(good_bands), -scaler.low / scaler.span)
    std = np.ones(len(good_bands))
    used = np.zeros(len(good_bands), bool)
    mean[good_bands], std[good_bands], used[good_bands] = scaler.mean, scaler.std, scaler.used
    return Scaler(scaler.low, scaler.span, mean, std, used)


def standardise(pixels: np.ndarray | PixelMatrix, scaler: Scaler) -> np.ndarray:
    """Standardised pixels of the bands that are used, float32 ``[N, U]``."""
    out = np.empty((len(pixels), int(scaler.used.sum())), np.float32)
    mean, std = scaler.mean[scaler.used], scaler.std[scaler.used]
    start = 0
    for chunk in _parts(pixels):
        unit = _unit(chunk[:, scaler.used], scaler.low, scaler.span)
        out[start : start + len(chunk)] = (unit - mean) / std
        start += len(chunk)
    return out


def extremes(pixels: np.ndarray | PixelMatrix) -> tuple[np.float64, np.float64]:
    """Smallest and largest value of pixels ``[N, L]``."""
    found = [(chunk.min(), chunk.max()) for chunk in _parts(pixels)]
    return np.float64(min(low for low, _ in found)), np.float64(max(high for _, high in found))


def _unit(chunk: np.ndarray, low: np.float64, span: np.float64) -> np.ndarray:
    return (chunk.astype(np.float64) - low) / span


def _parts(pixels: np.ndarray | PixelMatrix) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), PIXELS_AT_A_TIME):
        yield pixels[start : start + PIXELS_AT_A_TIME]
