"""A simulated scene: smooth spectra, correlated abundances, sensor noise, implanted targets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import ndimage

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.validators import whole

# Multi-pixel targets, one row of text per image row.
_SHAPES = tuple(
    np.array([[mark == "#" for mark in row] for row in rows])
    for rows in (
        ("####",),
        ("##", "##", "##"),
        (".#.", "###", ".#."),
        ("..#..", "#####", "..#..", ".###."),
    )
)
# Standard deviation of the abundances before the softmax: regions with a dominant material.
_CONTRAST = 3.0
# Amplitude, in decibels, of the slow change of the noise over the bands.
_NOISE_SWING_DB = 3.0
_CANDIDATE_TARGETS = 32
_ELEMENTS_AT_A_TIME = 1 << 21
"""Elements of the cube filled at a time: 8 MiB of noise. Another number rounds differently."""


def simulate(
    height: int = 64,
    width: int = 64,
    bands: int = 80,
    *,
    seed: int = 0,
    endmembers: int = 5,
    anomalies: int | None = None,
    fill: tuple[float, float] = (0.3, 1.0),
    noise_snr_db: float = 30.0,
    smoothness: float = 4.0,
) -> Scene:
    """A simulated scene with known truth; the same arguments give the same scene.

    1. Spectra: every material is a floor plus a sum of Gaussian bumps over the band axis,
       positive and below 1, like a reflectance.
    2. Background: abundances are the softmax of Gaussian-filtered white noise, one field per
       endmember, so they are spatially correlated and sum to one; each background pixel is
       its abundances times the endmember spectra (linear mixing).
    3. Anomalies, in turn of two kinds with one spectrum each: sub-pixel targets, one pixel
       of which the target fills a fraction drawn uniformly from `fill` and the background
       the rest; and structural targets, bars, crosses and an aircraft of 4 to 10 full
       pixels. Where a shape has no room, a sub-pixel target takes its place. Each target
       spectrum is, of 32 random ones, the one farthest from all other spectra.
    4. Noise: white Gaussian, in band b with standard deviation rms(background in b) /
       10^(snr_b / 20), where snr_b swings slowly by 3 dB around `noise_snr_db`.

    Args:
        height, width, bands: H, W, B, each at least 1.
        seed: not negative; seeds NumPy's PCG64, with separate streams for spectra,
            abundances, anomalies and noise.
        endmembers: number of background materials, at least 1.
        anomalies: number of targets, from 0 to half the pixels; about one per 400 pixels
            when None.
        fill: lowest and highest fill fraction of a sub-pixel target, 0 < low <= high <= 1.
        noise_snr_db: signal-to-noise ratio in decibels, -100 to 300; infinity for no noise.
        smoothness: standard deviation in pixels of the abundances' Gaussian filter, from 0 to
            the image's longer side.

    Returns:
        `Scene` named "simulated", `simulated=True`: cube [H, W, B] float32, in about [0, 1]
        (noise is not clipped), truth True on every pixel that holds a target. The memory
        needed beyond the cube is about (endmembers + 4)·H·W float32 values.

    Raises:
        InputError: an argument outside its range.
    """
    height, width = whole("height", height, 1), whole("width", width, 1)
    bands, endmembers = whole("bands", bands, 1), whole("endmembers", endmembers, 1)
    seed = whole("seed", seed, 0)
    count = height * width
    if anomalies is None:
        anomalies = min(max(1, count // 400), count // 2)
    anomalies = whole("anomalies", anomalies, 0, count // 2)
    low, high = _checked_fill(fill)
    snr = _number(noise_snr_db)
    if snr != math.inf and not -100 <= snr <= 300:
        raise InputError(
            f"noise_snr_db is {noise_snr_db!r}; expected decibels from -100 to 300 or infinity, "
            "such as 30."
        )
    smooth = _number(smoothness)
    if not 0 <= smooth <= max(height, width, 4):
        raise InputError(
            f"smoothness is {smoothness!r}; expected pixels from 0 to the image's longer side, "
            "such as 4."
        )

    streams = np.random.SeedSequence(seed).spawn(4)
    spectra_rng, abundance_rng, target_rng, noise_rng = map(np.random.default_rng, streams)
    spectra = _spectra(spectra_rng, endmembers, bands)
    targets = np.empty((2, bands), dtype=np.float32)
    for kind in range(2):
        others = np.concatenate([spectra, targets[:kind]])
        targets[kind] = _farthest(_spectra(spectra_rng, _CANDIDATE_TARGETS, bands), others)
    abundances = _abundances(abundance_rng, endmembers, height, width, smooth)
    kinds, fills = _implant(target_rng, height, width, anomalies, low, high)
    sigma = _noise_sigma(noise_rng, spectra, abundances, snr)

    cube = np.empty((height, width, bands), dtype=np.float32)
    rows = max(1, _ELEMENTS_AT_A_TIME // (width * bands))
    for start in range(0, height, rows):
        part = slice(start, start + rows)
        chunk = cube[part]
        np.matmul(abundances[part], spectra, out=chunk)
        hit = fills[part] > 0
        fraction = fills[part][hit][:, None]
        chunk[hit] = (1 - fraction) * chunk[hit] + fraction * targets[kinds[part][hit]]
        if sigma is not None:
            _add_noise(noise_rng, chunk, sigma)
    return Scene(cube, fills > 0, name="simulated", simulated=True)


def _number(value: Any) -> float:
    """`value` as a float; NaN, which no range holds, when it is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _checked_fill(fill: Any) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in fill)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low <= high <= 1:
        raise InputError(
            f"fill is {fill!r}; expected two fractions with 0 < low <= high <= 1, such as "
            "(0.3, 1.0)."
        )
    return low, high


def _spectra(rng: np.random.Generator, count: int, bands: int) -> np.ndarray:
    """[count, B] float32, positive and below 1."""
    at = (np.arange(bands) + 0.5) / bands
    spectra = np.empty((count, bands), dtype=np.float32)
    for row in range(count):
        bumps = int(rng.integers(3, 7))
        centre = rng.uniform(-0.1, 1.1, bumps)
        spread = rng.uniform(0.04, 0.25, bumps)
        height = rng.uniform(0.2, 1.0, bumps)
        floor, gain = rng.uniform(0.05, 0.25), rng.uniform(0.4, 0.7)
        curve = height @ np.exp(-0.5 * ((at - centre[:, None]) / spread[:, None]) ** 2)
        spectra[row] = floor + gain * curve / height.sum()
    return spectra


def _farthest(candidates: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The row of `candidates` [C, B] whose nearest row of `others` [M, B] is farthest."""
    distances = np.linalg.norm(candidates[:, None] - others[None], axis=2)
    return candidates[np.argmax(distances.min(axis=1))]


def _abundances(
    rng: np.random.Generator, count: int, height: int, width: int, smoothness: float
) -> np.ndarray:
    """[H, W, count] float32, not negative, summing to one over the last axis."""
    fields = np.empty((height, width, count), dtype=np.float32)
    for index in range(count):
        noise = rng.standard_normal((height, width), dtype=np.float32)
        # Wrapping keeps the variance the same up to the border.
        field = ndimage.gaussian_filter(noise, smoothness, mode="wrap")
        spread = float(field.std())
        fields[:, :, index] = _CONTRAST * (field / spread if spread > 0 else noise)
    fields -= fields.max(axis=2, keepdims=True)
    np.exp(fields, out=fields)
    fields /= fields.sum(axis=2, keepdims=True)
    return fields


def _implant(
    rng: np.random.Generator, height: int, width: int, count: int, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Kind [H, W] (0 sub-pixel, 1 structural) and fill fraction [H, W] float32 (0: no target).

    Targets do not overlap, and no more than half the pixels hold one.
    """
    kinds = np.zeros((height, width), dtype=np.int8)
    fills = np.zeros((height, width), dtype=np.float32)
    free = height * width // 2
    order = rng.permutation(height * width) if count else np.empty(0, dtype=np.int64)
    cursor = 0
    for index in range(count):
        waiting = count - index - 1
        if index % 2 == 1:
            shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
            shape = np.rot90(shape, int(rng.integers(4)))
            size = int(shape.sum())
            if free - size >= waiting and _place(rng, shape, kinds, fills):
                free -= size
                continue
        while fills.flat[order[cursor]] > 0:
            cursor += 1
        fills.flat[order[cursor]] = rng.uniform(low, high)
        free -= 1
    return kinds, fills


def _place(
    rng: np.random.Generator, shape: np.ndarray, kinds: np.ndarray, fills: np.ndarray
) -> bool:
    """Put a structural target somewhere with a free margin around it, if there is room."""
    rows, columns = (size - part for size, part in zip(fills.shape, shape.shape, strict=True))
    if rows < 0 or columns < 0:
        return False
    for _ in range(20):  # crowded scenes fall back to sub-pixel targets
        top, left = int(rng.integers(rows + 1)), int(rng.integers(columns + 1))
        bottom, right = top + shape.shape[0], left + shape.shape[1]
        if fills[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1].any():
            continue
        fills[top:bottom, left:right][shape] = 1.0
        kinds[top:bottom, left:right][shape] = 1
        return True
    return False


def _add_noise(rng: np.random.Generator, chunk: np.ndarray, sigma: np.ndarray) -> None:
    # A separate function, so that only one chunk of noise is alive at any time.
    noise = rng.standard_normal(chunk.shape, dtype=np.float32)
    noise *= sigma
    chunk += noise


def _noise_sigma(
    rng: np.random.Generator, spectra: np.ndarray, abundances: np.ndarray, snr_db: float
) -> np.ndarray | None:
    """[B] float32 standard deviations of the noise, or None for no noise."""
    phase = rng.uniform(0, 2 * np.pi)
    if snr_db == math.inf:
        return None
    bands = spectra.shape[1]
    snr = snr_db + _NOISE_SWING_DB * np.sin(2 * np.pi * np.arange(bands) / bands + phase)
    # The mean square of a band follows from the abundances' second moments, without a cube.
    flat = abundances.reshape(-1, abundances.shape[2])
    moments = (flat.T @ flat).astype(np.float64) / flat.shape[0]
    power = np.einsum("kb,kl,lb->b", spectra, moments, spectra)
    return (np.sqrt(power) / 10 ** (snr / 20)).astype(np.float32)
