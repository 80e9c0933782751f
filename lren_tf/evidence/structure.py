"""Structure: what of an image stands out as a small object.

A map less its opening keeps what is bright and too narrow for a square of the opening. The
opening is one *by reconstruction* (Vincent, 1993): the erosion is grown back within the map until
nothing changes, so every object that the square fits into at one place is removed from the result
whole, and what remains are objects that it fits into nowhere. The mean over :data:`SIZES` of

    map − reconstruction of (erosion of the map by a square of that size) under the map

is what :func:`standing_out` returns.

The evidence of a scene sums it over the leading principal components of the standardised spectra,
scaled to unit variance, each as it is and negated: objects that are brighter or darker than what
is around them in one of the components.

Windows are clipped at the border. Pixels without data take no part in any window and stop the
reconstruction. All of it is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

SIZES = (9, 13)
"""Sides of the squares of the openings, in pixels."""
COMPONENTS = 3
"""Number of principal components."""

# A component with less than this share of the first one's variance is rounding.
_SMALLEST_VARIANCE = 1e-10
_CHUNK = 65536
_INFINITY = np.float64(np.inf)
_ANY_MAPS = tf.TensorSpec([None, None, None], tf.float64)


def component_count(bands: int) -> int:
    """Return the number of principal components of spectra of so many bands."""
    return min(COMPONENTS, bands)


def principal_components(pixels: Sequence[Any]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the leading principal components of pixels.

    Args:
        pixels: standardised ``[n, U]``, an array or something else that slices to one; read a
            chunk at a time.

    Returns:
        Mean ``[U]`` and directions ``[U, c]``, divided by the standard deviation along them, so
        that ``(x − mean) @ directions`` has unit variance. c is :func:`component_count`. A
        direction without variance is 0.
    """
    total: Any = 0.0
    products: Any = 0.0
    for start in range(0, len(pixels), _CHUNK):
        x = tf.cast(pixels[start : start + _CHUNK], tf.float64)
        total += tf.reduce_sum(x, axis=0)
        products += tf.matmul(x, x, transpose_a=True)
    mean = total / len(pixels)
    variances, vectors = tf.linalg.eigh(products / len(pixels) - mean[:, None] * mean)
    count = component_count(len(mean))
    variances, vectors = variances[::-1][:count], vectors[:, ::-1][:, :count]
    real = variances > variances[0] * _SMALLEST_VARIANCE
    spread = tf.sqrt(tf.where(real, variances, tf.ones_like(variances)))
    return mean, tf.where(real, vectors / spread, tf.zeros_like(vectors))


def projected(pixels: Sequence[Any], mean: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Return the components float64 ``[n, c]`` of pixels, computed a chunk at a time.

    Args:
        pixels: as for :func:`principal_components`.
        mean, directions: from it.
    """
    starts = range(0, len(pixels), _CHUNK)
    parts = [components_of(pixels[start : start + _CHUNK], mean, directions) for start in starts]
    return tf.concat(parts, axis=0)


def components_of(pixels: Any, mean: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Return the components float64 ``[n, c]`` of pixels; in a graph too.

    Args:
        pixels: ``[n, U]``.
        mean, directions: from :func:`principal_components`.
    """
    return tf.matmul(tf.cast(pixels, tf.float64) - mean, directions)


def structure(components: tf.Tensor, valid: Any = None) -> tf.Tensor:
    """Return what stands out in components, bright or dark, float64 ``[H, W]``.

    Args:
        components: ``[H, W, c]``.
        valid: ``[H, W]`` bool, True in pixels that hold data; None where all do.
    """
    both = tf.concat([components, -components], axis=-1)
    return tf.reduce_sum(standing_out(both, valid), axis=-1)


def standing_out(maps: tf.Tensor, valid: Any = None) -> tf.Tensor:
    """Return the mean over :data:`SIZES` of maps less their openings by reconstruction.

    Args:
        maps: ``[H, W, C]``.
        valid: ``[H, W]`` bool, True in pixels that hold data; None where all do.

    Returns:
        Float64 ``[H, W, C]``, not negative; 0 in pixels without data.
    """
    maps = tf.cast(maps, tf.float64)
    if valid is None:
        parts = [maps - opening(maps, size) for size in SIZES]
        return tf.add_n(parts) / len(SIZES)
    hole = ~tf.convert_to_tensor(valid)[..., None]
    parts = [tf.where(hole, tf.zeros_like(maps), maps - opening(maps, size, hole))
             for size in SIZES]  # fmt: skip
    return tf.add_n(parts) / len(SIZES)


def opening(maps: tf.Tensor, size: int, hole: tf.Tensor | None = None) -> tf.Tensor:
    """Return the opening by reconstruction with a square.

    Args:
        maps: float64 ``[H, W, C]``.
        size: side of the square, in pixels, odd.
        hole: ``[H, W, 1]`` bool, True in pixels without data; None where there are none.

    Returns:
        ``[H, W, C]``, nowhere above the maps; −∞ in pixels without data.
    """
    inside, mask = maps, maps
    if hole is not None:
        inside = tf.where(hole, _INFINITY, maps)
        mask = tf.where(hole, -_INFINITY, maps)
    eroded = -largest_around(-inside, size)
    return reconstruction(tf.minimum(eroded, mask), mask)


def largest_around(maps: tf.Tensor, size: int) -> tf.Tensor:
    """Return the largest value in the square around every pixel, clipped to the image.

    Args:
        maps: ``[H, W, C]``.
        size: side of the square, in pixels, odd.
    """
    along_rows = tf.nn.max_pool2d(maps[None], [1, size], 1, "SAME")
    return tf.nn.max_pool2d(along_rows, [size, 1], 1, "SAME")[0]


def reconstruction(marker: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the reconstruction by dilation with a 3 × 3 square, until nothing changes.

    A round sweeps along columns and rows, forwards and backwards, and then dilates once, which
    takes care of the diagonals. Rounds are therefore as many as a path has turns, instead of as
    many as it has pixels.

    Args:
        marker: float64 ``[H, W, C]``, nowhere above the mask.
        mask: ``[H, W, C]``.
    """
    return tf.ensure_shape(_grown(marker, mask), mask.shape)


@tf.function(input_signature=[_ANY_MAPS, _ANY_MAPS])
def _grown(marker: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    def a_round(grown: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        new = grown
        for axis in (0, 1):
            for backwards in (False, True):
                new = _swept(new, mask, axis, backwards)
        new = tf.minimum(largest_around(new, 3), mask)
        return new, tf.reduce_any(new > grown)

    return tf.while_loop(
        lambda _, changing: changing,
        a_round,
        (marker, tf.constant(True)),
        shape_invariants=(marker.shape, tf.TensorShape([])),
    )[0]


def _swept(values: tf.Tensor, mask: tf.Tensor, axis: int, backwards: bool) -> tf.Tensor:
    """Carry every value on along an axis: r[i] = min(mask[i], max(values[i], r[i − 1])).

    The step from r[i − 1] to r[i] is a clamp, and clamps one after the other are a clamp. So
    the sweep is a scan, made by doubling: after k rounds every pixel has the clamp of 2^k steps.
    """
    low, high = values, mask
    if backwards:
        low, high = tf.reverse(low, [axis]), tf.reverse(high, [axis])
    length = tf.shape(low)[axis]

    def moved(x: tf.Tensor, by: tf.Tensor, fill: float) -> tf.Tensor:
        kept = x[:-by] if axis == 0 else x[:, :-by]
        margins = [[by, 0] if a == axis else [0, 0] for a in range(3)]
        return tf.pad(kept, margins, constant_values=tf.constant(fill, x.dtype))

    def double(
        by: tf.Tensor, low: tf.Tensor, high: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        before_low, before_high = moved(low, by, -np.inf), moved(high, by, np.inf)
        return (
            2 * by,
            tf.minimum(high, tf.maximum(low, before_low)),
            tf.minimum(high, tf.maximum(low, before_high)),
        )

    _, low, _ = tf.while_loop(
        lambda by, *_: by < length,
        double,
        (tf.constant(1), low, high),
        shape_invariants=(tf.TensorShape([]), low.shape, high.shape),
    )
    return tf.reverse(low, [axis]) if backwards else low
