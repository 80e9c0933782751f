"""Smoothing of latent samples over the image: the Gaussian mean around every pixel."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from scipy import ndimage

from lren_tf.runtime.threads import map_in_threads

_TRUNCATED = 4.0
"""Standard deviations at which the neighbourhood's Gaussian ends, as in SciPy."""
_MANY = 65536
"""Pixels above which SciPy takes the means outside graphs: equal to rounding, and faster."""
_ROWS = 32
"""Rows of a strip."""


def with_neighbourhood(
    z: tf.Tensor, grid: tuple[int, ...], sigma: float, valid: np.ndarray | None = None
) -> tf.Tensor:
    """Latent samples with the Gaussian mean around each as further columns.

    Args:
        z: ``[n, l]``, the pixels of an image row after row, or samples without a grid.
        grid: (H, W) of the image, which in a graph may be tensors; (N,) for samples without one.
        sigma: standard deviation of the Gaussian, in pixels; 0 for no neighbourhood.
        valid: ``[H, W]`` bool, True on the n pixels that hold data; the means leave the others
            out. None where all do.

    Returns:
        ``[n, 2·l]``; without a grid the second half is 0 and changes no distance. ``[n, l]``
        where `sigma` is 0.
    """
    if sigma == 0:
        return tf.convert_to_tensor(z)
    if len(grid) != 2:
        return tf.concat([z, tf.zeros_like(z)], axis=1)
    if tf.executing_eagerly() and math.prod(grid) > _MANY:
        return tf.constant(_with_means(np.asarray(z), grid, sigma, valid))
    if valid is None:
        return tf.concat([z, _mean_around(z, grid, sigma)], axis=1)
    pixels = np.flatnonzero(valid)[:, None]
    ones = tf.ones([len(pixels), 1], z.dtype)
    filled = tf.scatter_nd(pixels, tf.concat([z, ones], axis=1), [valid.size, z.shape[1] + 1])
    around = tf.gather(_mean_around(filled, grid, sigma), pixels[:, 0])
    return tf.concat([z, around[:, :-1] / around[:, -1:]], axis=1)


def _with_means(
    z: np.ndarray, grid: tuple[int, ...], sigma: float, valid: np.ndarray | None
) -> np.ndarray:
    """The same of a large image, outside of TensorFlow, whose allocator keeps what steps take."""
    l = z.shape[1]
    out = np.empty((len(z), 2 * l), z.dtype)
    out[:, :l] = z
    if valid is None:
        out[:, l:] = _mean_by_strips(z, grid, sigma)
        return out
    pixels = np.flatnonzero(valid)
    filled = np.zeros((valid.size, l + 1), z.dtype)
    filled[pixels, :l], filled[pixels, l] = z, 1.0
    around = _mean_by_strips(filled, grid, sigma)[pixels]
    np.divide(around[:, :l], around[:, l:], out=out[:, l:])
    return out


def _mean_around(z: tf.Tensor, grid: tuple[int, ...], sigma: float) -> tf.Tensor:
    """Gaussian means ``[H·W, l]`` of samples ``[H·W, l]`` over the image."""
    image = tf.reshape(z, [*grid, z.shape[1]])
    for axis in range(2):
        image = _smooth(image, axis, sigma)
    return tf.reshape(image, [-1, z.shape[1]])


def _mean_by_strips(z: np.ndarray, grid: tuple[int, ...], sigma: float) -> np.ndarray:
    """Gaussian means of a large image by SciPy, strips of rows side by side."""
    image = z.reshape(*grid, z.shape[1])
    out = np.empty_like(image)
    height = grid[0]
    down, along = (np.array(_weights(length, sigma)) for length in grid)
    down, along = down / down.sum(), along / along.sum()
    radius = len(down) // 2

    def strip(top: int) -> None:
        bottom = min(top + _ROWS, height)
        first, last = max(top - radius, 0), min(bottom + radius, height)
        # SciPy mirrors a strip where it ends; only the mirror of the image's own edge is kept.
        part = ndimage.correlate1d(image[first:last], down, axis=0, mode="reflect")
        part = part[top - first : bottom - first]
        ndimage.correlate1d(part, along, axis=1, mode="reflect", output=out[top:bottom])

    for _ in map_in_threads(strip, range(0, height, _ROWS)):
        pass
    return out.reshape(z.shape)


def _weights(length: int, sigma: float) -> list[float]:
    """Gaussian along an axis; the mirror of a short image ends before the Gaussian does."""
    radius = min(int(_TRUNCATED * sigma + 0.5), length)
    return [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]


def _smooth(image: tf.Tensor, axis: int, sigma: float) -> tf.Tensor:
    """Gaussian mean along an axis, mirrored at the edges."""
    length = image.shape[axis]
    if length is None:
        return _smooth_in_graph(image, axis, sigma)
    weights = _weights(length, sigma)
    radius = len(weights) // 2
    margins = [[radius, radius] if a == axis else [0, 0] for a in range(3)]
    padded = tf.pad(image, margins, mode="SYMMETRIC")
    total = sum(weights)
    out = tf.zeros([], image.dtype)
    for step, weight in enumerate(weights):  # one after the other: they are as large as the image
        part = padded[step : step + length] if axis == 0 else padded[:, step : step + length]
        out = out + weight / total * part
    return out


def _smooth_in_graph(image: tf.Tensor, axis: int, sigma: float) -> tf.Tensor:
    """Gaussian mean along an axis whose length is unknown when the graph is made."""
    length = tf.shape(image)[axis]
    radius = int(_TRUNCATED * sigma + 0.5)
    steps = range(-radius, radius + 1)
    weights = tf.constant([math.exp(-0.5 * (step / sigma) ** 2) for step in steps], image.dtype)
    weights = tf.where(tf.abs(tf.range(-radius, radius + 1)) <= length, weights, 0.0)
    weights /= tf.reduce_sum(weights)
    parts = []
    for number, step in enumerate(steps):
        # The mirror has the edge twice: −1 is 0, and the length is the length − 1.
        index = tf.range(step, length + step)
        index = tf.where(index < 0, -1 - index, index)
        index = tf.where(index >= length, 2 * length - 1 - index, index)
        # Beyond what is mirrored the weight is 0.
        index = tf.clip_by_value(index, 0, length - 1)
        parts.append(weights[number] * tf.gather(image, index, axis=axis))
    return tf.add_n(parts)
