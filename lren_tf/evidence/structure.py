"""Structure: the small objects that stand out of an image.

A map minus its opening keeps what is bright and too narrow for a square of the opening. The
opening is one *by reconstruction* (Vincent, 1993): the erosion is grown back within the map until
nothing changes, so every object that the square fits into at one place is removed from the result
whole, and what remains are objects that it fits into nowhere. The mean over :data:`SIZES` of

    map − reconstruction of (erosion of the map by a square of that size) under the map

is what :func:`standing_out` returns.

The evidence of a scene sums it over the leading principal components of the standardised spectra,
scaled to unit variance, each as it is and negated: objects that are brighter or darker than
their surroundings in one of the components.

Windows are clipped at the border. Pixels without data take no part in any window and stop the
reconstruction. All of it is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from lren_tf.evidence.hybrid_reconstruction import reconstructed
from lren_tf.runtime.threads import usable_cores

SIZES = (9, 13)
"""Sides of the squares of the openings, in pixels."""
COMPONENTS = 3
"""Number of principal components."""

# A component with less than this share of the first one's variance is rounding.
_SMALLEST_VARIANCE = 1e-10
_CHUNK, _CHUNK_OF_MANY = 65536, 16384
"""Pixels worked on at a time; of more than the first number fewer, which TensorFlow's allocator
keeps memory for ever after. Another number rounds sums over pixels differently."""
_LARGE_MAP = 1 << 18
"""Pixels of a map of which few are opened at a time."""
_INFINITY = np.float64(np.inf)
_ANY_MAPS = tf.TensorSpec([None, None, None], tf.float64)


class Rows(Protocol):
    """Standardised pixels [n, U] of which slices can be read; an array is one."""

    def __len__(self) -> int:
        """Return n."""
        ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Some of them, [k, U]."""
        ...


def component_count(bands: int) -> int:
    """Return the number of principal components of spectra of so many bands."""
    return min(COMPONENTS, bands)


def principal_components(pixels: Rows) -> tuple[tf.Tensor, tf.Tensor]:
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
    for rows in _chunks(len(pixels)):
        x = tf.cast(pixels[rows], tf.float64)
        total += tf.reduce_sum(x, axis=0)
        products += tf.matmul(x, x, transpose_a=True)
        del x  # before the next is made
    mean = total / len(pixels)
    variances, vectors = tf.linalg.eigh(products / len(pixels) - mean[:, None] * mean)
    count = component_count(len(mean))
    variances, vectors = variances[::-1][:count], vectors[:, ::-1][:, :count]
    real = variances > variances[0] * _SMALLEST_VARIANCE
    spread = tf.sqrt(tf.where(real, variances, tf.ones_like(variances)))
    return mean, tf.where(real, vectors / spread, tf.zeros_like(vectors))


def projected(pixels: Rows, mean: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Return the components float64 ``[n, c]`` of pixels, computed a chunk at a time.

    Args:
        pixels: as for :func:`principal_components`.
        mean, directions: from it.
    """
    parts = [components_of(pixels[rows], mean, directions) for rows in _chunks(len(pixels))]
    return tf.concat(parts, axis=0)


def _chunks(count: int) -> list[slice]:
    size = _CHUNK if count <= _CHUNK else _CHUNK_OF_MANY
    return [slice(start, start + size) for start in range(0, count, size)]


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
    return tf.reduce_sum(_in_groups(both, valid), axis=-1)


def _in_groups(maps: tf.Tensor, valid: Any) -> tf.Tensor:
    """Return :func:`standing_out` of maps; outside graphs of few large ones at a time."""
    height, width, count = maps.shape
    if not tf.executing_eagerly() or height * width < _LARGE_MAP:
        return standing_out(maps, valid)
    # As many as have their openings made side by side.
    together = max(1, usable_cores() // len(SIZES))
    out = np.empty(maps.shape)
    for first in range(0, count, together):
        some = np.s_[..., first : first + together]
        out[some] = standing_out(maps[some], valid).numpy()
    return tf.constant(out)


def standing_out(maps: tf.Tensor, valid: Any = None) -> tf.Tensor:
    """Return the mean over :data:`SIZES` of maps less their openings by reconstruction.

    The openings of all sizes are made at once, as further maps: a sweep takes a line at a time,
    and its time is that of its operations, hardly that of their work.

    Args:
        maps: ``[H, W, C]``.
        valid: ``[H, W]`` bool, True in pixels that hold data; None where all do.

    Returns:
        Float64 ``[H, W, C]``, not negative; 0 in pixels without data.
    """
    maps = tf.cast(maps, tf.float64)
    hole = None if valid is None else ~tf.convert_to_tensor(valid)[..., None]
    parts = [maps - opened for opened in openings(maps, SIZES, hole)]
    if hole is not None:
        parts = [tf.where(hole, tf.zeros_like(maps), part) for part in parts]
    return tf.add_n(parts) / len(SIZES)


def openings(
    maps: tf.Tensor, sizes: Sequence[int], hole: tf.Tensor | None = None
) -> list[tf.Tensor]:
    """Return the openings by reconstruction with squares.

    Args:
        maps: float64 ``[H, W, C]``.
        sizes: sides of the squares, in pixels, odd.
        hole: ``[H, W, 1]`` bool, True in pixels without data; None where there are none.

    Returns:
        For each size ``[H, W, C]``, nowhere above the maps; −∞ in pixels without data.
    """
    inside, mask = maps, maps
    if hole is not None:
        inside = tf.where(hole, _INFINITY, maps)
        mask = tf.where(hole, -_INFINITY, maps)
    markers = [tf.minimum(-largest_around(-inside, size), mask) for size in sizes]
    masks = tf.concat([mask] * len(sizes), axis=-1)
    return tf.split(reconstruction(tf.concat(markers, axis=-1), masks), len(sizes), axis=-1)


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

    Outside graphs :mod:`lren_tf.evidence.hybrid_reconstruction` computes the same, faster.
    In a graph a round sweeps down, up, to the right and to the left, a line of the image at a
    time, as Vincent's (1993) raster scans do: each line takes what the three neighbours in the
    line before carry on. So the number of rounds is that of the turns of the longest path instead
    of that of its pixels. Minima and maxima do not round: the result is that of repeated dilation
    to the bit.

    Args:
        marker: float64 ``[H, W, C]``, nowhere above the mask.
        mask: ``[H, W, C]``.
    """
    if tf.executing_eagerly():
        return tf.constant(reconstructed(marker.numpy(), mask.numpy()))
    return tf.ensure_shape(_grown(marker, mask), mask.shape)


@tf.function(input_signature=[_ANY_MAPS, _ANY_MAPS], autograph=False)
def _grown(marker: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    masks = (mask, _turned(mask))

    def a_round(grown: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        new = grown
        for within in masks:
            for backwards in (False, True):
                new = _swept(new, within, backwards)
            new = _turned(new)
        return new, tf.reduce_any(new > grown)

    return tf.while_loop(
        lambda _, changing: changing,
        a_round,
        (marker, tf.constant(True)),
        shape_invariants=(marker.shape, tf.TensorShape([])),
    )[0]


def _turned(maps: tf.Tensor) -> tf.Tensor:
    return tf.transpose(maps, [1, 0, 2])


def _swept(values: tf.Tensor, mask: tf.Tensor, backwards: bool) -> tf.Tensor:
    """Carry values from row to row, within the mask, to the next pixel and its two neighbours."""
    height = tf.shape(values)[0]
    line_of = {"size": height, "element_shape": [None, None]}
    held = tf.TensorArray(values.dtype, **line_of).unstack(values)
    within = tf.TensorArray(values.dtype, **line_of).unstack(mask)

    def carry(
        number: tf.Tensor, line: tf.Tensor, out: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        row = height - 1 - number if backwards else number
        margins = tf.pad(line, [[1, 1], [0, 0]], constant_values=-_INFINITY)
        carried = tf.maximum(tf.maximum(margins[:-2], line), margins[2:])
        line = tf.minimum(within.read(row), tf.maximum(held.read(row), carried))
        return number + 1, line, out.write(row, line)

    nothing = tf.fill(tf.shape(values)[1:], -_INFINITY)
    _, _, out = tf.while_loop(
        lambda number, *_: number < height,
        carry,
        (0, nothing, tf.TensorArray(values.dtype, **line_of)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape(None)),
        parallel_iterations=1,
    )
    return out.stack()
