"""Mean, covariance and Mahalanobis distances of pixels that are read a chunk at a time.

Chunks are read in the dtype they are stored in; all arithmetic is float64. Several chunks are
processed in parallel, and their sums added in the order of the pixels, so that the same pixels
give the same bits however many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf.runtime.progress import tracked
from lren_tf.runtime.threads import map_in_threads

CHUNK_ELEMENTS = 1 << 17
"""float64 numbers of a chunk, 1 MiB: it stays in a core's cache from one step to the next."""

_PILOT_PIXELS = 1024
_SMALLEST_VARIANCE = 1e-200
_FARTHEST = 100.0
"""Squared distance of a pilot to the mean, in variances, up to which few digits cancel."""
_WELL_CONDITIONED = 1e-7
"""Smallest over largest eigenvalue of correlations, above which their rounding is negligible."""
_EPS = float(np.finfo(np.float64).eps)

Array = npt.NDArray[np.float64]
Result = TypeVar("Result")


class Pixels(Protocol):
    """Pixels [N, L] of which slices can be read; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, L)."""
        ...

    def __getitem__(self, pixels: slice | np.ndarray, /) -> np.ndarray:
        """Some of them, [n, L], in any real dtype."""
        ...


class Moments(NamedTuple):
    """Mean and covariance of pixels; L bands."""

    number: int
    """N, number of pixels."""
    varying: npt.NDArray[np.bool_]
    """[L], False on bands that are constant but for a few units in the last place."""
    mean: Array
    """[L]."""
    scale: Array
    """[L], factors of the bands, powers of two, with which their squares are far from the ends
    of float64; mostly 1."""
    covariance: Array
    """[L, L], of the bands times their factors, divisor N."""


def by_chunks(
    function: Callable[[slice], Result], pixels: Pixels, what: str
) -> Iterator[Result]:
    """Yield the results of a function of slices of the pixels, in order.

    Args:
        function: called from several threads, with slices of about :data:`CHUNK_ELEMENTS`.
        pixels: [N, L].
        what: name of the pass, for its progress.
    """
    count, bands = pixels.shape
    size = max(1, CHUNK_ELEMENTS // bands)
    slices = [slice(first, min(first + size, count)) for first in range(0, count, size)]
    yield from tracked(map_in_threads(function, slices), what, len(slices), unit="chunk")


def moments(pixels: Pixels) -> Moments:
    """Return mean and covariance of pixels [N, L], finite, in one pass.

    Sums are taken about a pilot, the mean of some of the pixels, since squares about zero would
    cancel in bands far from it. Where the pilot turns out to be far from the mean beside the
    spread, or squares to overflow or underflow, another pass follows with what is known by then.
    """
    count, bands = pixels.shape
    sample = pixels[np.linspace(0, count - 1, min(count, _PILOT_PIXELS)).astype(np.intp)]
    pilot, scale = sample.mean(axis=0, dtype=np.float64), np.ones(bands)
    known = None
    while True:
        total, gram = _sums_about(pilot, scale, pixels)
        with np.errstate(over="ignore", invalid="ignore"):
            off = total / count
            mean = pilot + off / scale
            covariance = gram / count - np.outer(off, off)
            variance = covariance.diagonal()
            sound = np.isfinite(covariance).all(axis=0) & (variance > _SMALLEST_VARIANCE)
            near = off**2 <= _FARTHEST * variance
            # Of a single pixel that differs by a few units in the last place.
            clear = variance * count > (16 * _EPS * scale * mean) ** 2
        if (sound & near & clear).all():
            return Moments(count, np.ones(bands, bool), mean, scale, covariance)
        low, high = known = extremes(pixels) if known is None else known
        half = high / 2 - low / 2
        varying = half > 2 * _EPS * np.maximum(np.abs(low), np.abs(high))
        if (sound & near | ~varying).all():
            return Moments(count, varying, mean, scale, covariance)
        pilot = np.where(np.isfinite(mean) & sound, mean, low / 2 + high / 2)
        factor = np.ldexp(1.0, -np.frexp(np.where(varying, half, 1.0))[1])
        scale = np.where(sound | ~varying, scale, factor)


def _sums_about(pilot: Array, scale: Array, pixels: Pixels) -> tuple[Array, Array]:
    """Sums [L] and products [L, L] over the pixels of z = (x − pilot)·scale."""

    def sums(chunk: slice) -> tuple[Array, Array]:
        with np.errstate(over="ignore", invalid="ignore"):
            z = _scaled(pixels[chunk], pilot, scale)
            return z.sum(axis=0), z.T @ z

    bands = pixels.shape[1]
    total, gram = np.zeros(bands), np.zeros((bands, bands))
    for z_sum, products in by_chunks(sums, pixels, "mean and covariance"):
        with np.errstate(over="ignore", invalid="ignore"):
            total += z_sum
            gram += products
    return total, gram


def extremes(pixels: Pixels) -> tuple[Array, Array]:
    """Smallest and largest values [L] of the bands of pixels [N, L], in one pass."""

    def of_chunk(chunk: slice) -> tuple[np.ndarray, np.ndarray]:
        x = pixels[chunk]
        return x.min(axis=0), x.max(axis=0)

    found = list(by_chunks(of_chunk, pixels, "extremes"))
    low, high = (np.array(values, np.float64) for values in zip(*found, strict=True))
    return low.min(axis=0), high.max(axis=0)


def _scaled(x: np.ndarray, mean: Array, scale: Array) -> Array:
    z = x.astype(np.float64)
    z -= mean
    if (scale != 1).any():
        z *= scale
    return z


def projected(pixels: Pixels, of: Moments, matrix: Array, what: str) -> Iterator[Array]:
    """Yield z·matrix [n, r] of consecutive chunks, z = (x − mean)·scale, for a matrix [L, r]."""
    return by_chunks(
        lambda chunk: _scaled(pixels[chunk], of.mean, of.scale) @ matrix, pixels, what
    )


def squared_lengths(pixels: Pixels, of: Moments, matrix: Array) -> Array:
    """Return ‖z·matrix‖² [N], z as in :func:`projected`."""

    def lengths(chunk: slice) -> Array:
        turned = _scaled(pixels[chunk], of.mean, of.scale) @ matrix
        return np.einsum("ij,ij->i", turned, turned)

    return np.concatenate(list(by_chunks(lengths, pixels, "distances")))


def whitening(pixels: Pixels, of: Moments, ridge: float = 0.0) -> Array:
    """Return a matrix [L, r] with which :func:`squared_lengths` are Mahalanobis distances.

    With unit variances of all bands, their covariance (divisor N − 1) is R, the correlations.
    The distances are zᵀ R⁺ z, or zᵀ (R + ridge·I)⁻¹ z with a ridge above 0. A singular R, as
    constant or repeated bands make it, is inverted on its range (pseudo-inverse).

    The distance is invariant under affine changes of single bands; a covariance as it stands is
    not well enough conditioned for that: a band in a small unit, or every band next to one pixel
    of 1e7, would be rounding in it. Hence unit variances. Where R itself is nearly singular,
    another pass turns the pixels to its principal axes and takes their covariance there, which
    is scaled to unit variances again before it is inverted. What is rounding (not a direction of
    the range) is judged on the deviations along these axes, not on squares.

    Args:
        pixels: [N, L], those of the moments.
        of: their moments; at least one band varies.
        ridge: 0 or more.
    """
    varying = of.varying
    deviations = np.sqrt(of.covariance.diagonal()[varying])
    R = of.covariance[np.ix_(varying, varying)] / np.outer(deviations, deviations)
    divisor = max(of.number - 1, 1) / of.number
    values, axes = linalg.eigh(R)
    matrix = np.zeros((len(varying), len(values)))
    matrix[varying] = axes / deviations[:, None]
    if ridge > 0:
        return matrix / np.sqrt(np.maximum(values, 0) / divisor + ridge)
    if values[0] > _WELL_CONDITIONED * values[-1]:
        return matrix / np.sqrt(values / divisor)
    gram = np.zeros((len(values), len(values)))

    def products(chunk: slice) -> Array:
        turned = _scaled(pixels[chunk], of.mean, of.scale) @ matrix
        return turned.T @ turned

    for part in by_chunks(products, pixels, "covariance along principal axes"):
        gram += part
    deviations = np.sqrt(gram.diagonal() / of.number)
    kept = deviations > max(of.number, len(values)) * _EPS * deviations.max()
    deviations = deviations[kept]
    C = gram[np.ix_(kept, kept)] / np.outer(deviations, deviations) / (of.number * divisor)
    values, axes = linalg.eigh(C)
    real = values > len(values) * _EPS * values[-1]
    return matrix[:, kept] / deviations @ (axes[:, real] / np.sqrt(values[real]))
