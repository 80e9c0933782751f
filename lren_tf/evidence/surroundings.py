"""Surroundings: the distance of a pixel's features to the pixels around it.

The features of a pixel are compared with mean m and covariance C of the pixels in a window
around it, all of which are weighted 0 or 1:

    (z − m)ᵀ (C + RIDGE · I)⁻¹ (z − m),

z standardised over the scene. Pixels that a first guess takes for anomalies have weight 0, even in
the middle of the window, so no inner window is needed: a small object does not enter its own
statistics, while common material does. The scene as a whole counts as :data:`SCENE_PIXELS` further
pixels of every window. So even a window with few pixels (at a border, next to missing data or
within a large target) has a covariance.

The sums of weights, features and products of features over all windows are box sums: differences
of cumulative sums along both axes, whose cost does not depend on the size of the window. They are
held for a strip of rows at a time. Windows are clipped at the border. All of it is float64.

Outside graphs :mod:`lren_tf.evidence.running_windows` computes the same, faster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.evidence.running_windows import window_distances

RADIUS = 12
"""Pixels from the middle of the window to its edge: windows are 25 × 25 pixels."""
SCENE_PIXELS = 5.0
"""Number of pixels of a window that the whole scene counts as."""
RIDGE = 1e-4
"""Share of a feature's variance over the scene that is added to its variance in a window."""

_MANY, _CHUNK = 65536, 8192
"""Pixels above which moments are taken outside graphs in NumPy, and how many at a time."""
_STRIP = 32768
"""Pixels whose sums are held at a time, at least a row: half a GB in all with 18 features."""


class SceneMoments(NamedTuple):
    """Scale and statistics of the features of a scene."""

    mean: tf.Tensor
    """``[d]``, over all pixels."""
    spread: tf.Tensor
    """``[d]``, standard deviation over all pixels; 1 for a feature that does not vary."""
    moments: tf.Tensor
    """``[moment_count(d)]``, over the pixels with weight 1: 1, means of the standardised
    features, and of their products, the upper triangle row after row."""


def moment_count(features: int) -> int:
    """Return the length of the moments of so many features."""
    return 1 + features + features * (features + 1) // 2


def scene_moments(features: tf.Tensor, weights: tf.Tensor) -> SceneMoments:
    """Return scale and moments of a scene.

    Args:
        features: float64 ``[n, d]``.
        weights: float64 ``[n]``, 0 or 1, not all of them 0.
    """
    if tf.executing_eagerly() and features.shape[0] > _MANY:
        return _moments_by_chunks(features.numpy(), weights.numpy())
    mean = tf.reduce_mean(features, axis=0)
    spread = tf.math.reduce_std(features, axis=0)
    spread = tf.where(spread > 0, spread, tf.ones_like(spread))
    z = (features - mean) / spread
    # By a product of matrices: the products of every pixel would take n · d² numbers.
    products = tf.matmul(z * weights[:, None], z, transpose_a=True)
    upper = _upper_triangle(z.shape[-1])
    sums = tf.concat(
        [
            tf.reduce_sum(weights)[None],
            tf.linalg.matvec(z, weights, transpose_a=True),
            tf.gather_nd(products, np.stack(upper, axis=1)),
        ],
        axis=0,
    )
    return SceneMoments(mean, spread, sums / sums[0])


def _moments_by_chunks(features: np.ndarray, weights: np.ndarray) -> SceneMoments:
    """Return the moments of many pixels, equal to rounding, without copies of all features."""
    starts = range(0, len(features), _CHUNK)
    mean = features.mean(axis=0)
    squares = sum(np.square(features[at : at + _CHUNK] - mean).sum(axis=0) for at in starts)
    spread = np.sqrt(squares / len(features))
    spread = np.where(spread > 0, spread, 1.0)
    d = features.shape[1]
    sums, products = np.zeros(d), np.zeros((d, d))
    for at in starts:
        z = (features[at : at + _CHUNK] - mean) / spread
        weighted = z * weights[at : at + _CHUNK, None]
        sums += weighted.sum(axis=0)
        products += weighted.T @ z
    moments = np.concatenate([[weights.sum()], sums, products[_upper_triangle(d)]])
    return SceneMoments(*map(tf.constant, (mean, spread, moments / moments[0])))


def surroundings(features: tf.Tensor, weights: tf.Tensor, scene: SceneMoments) -> tf.Tensor:
    """Return the distance of every pixel to its surroundings, float64 ``[H, W]``.

    Args:
        features: float64 ``[H, W, d]``, finite, in pixels without data too.
        weights: float64 ``[H, W]``: 1, or 0 for pixels that no window counts.
        scene: of this scene, or of the one whose scale is to be used.
    """
    if tf.executing_eagerly():
        mean, spread, moments = (values.numpy() for values in scene)
        found = window_distances(
            features.numpy(), weights.numpy(), (mean, spread), SCENE_PIXELS * moments,
            radius=RADIUS, ridge=RIDGE,
        )  # fmt: skip
        return tf.constant(found)
    return _in_graph(features, weights, scene)


def _in_graph(features: tf.Tensor, weights: tf.Tensor, scene: SceneMoments) -> tf.Tensor:
    """Return the distances by cumulative sums of strips, in operations of TensorFlow."""
    height, width = tf.shape(features)[0], tf.shape(features)[1]
    rows = tf.maximum(_STRIP // width, 1)
    count = -(-height // rows)

    def strip(number: tf.Tensor, out: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        top = number * rows
        bottom = tf.minimum(top + rows, height)
        first, last = tf.maximum(top - RADIUS, 0), tf.minimum(bottom + RADIUS, height)
        # Standardised here: a copy of all features would be as large as they are.
        z = (features[first:last] - scene.mean) / scene.spread
        own = slice(top - first, bottom - first)
        sums = _box_sums(_box_sums(_pixel_moments(z, weights[first:last]), 0)[own], 1)
        return number + 1, out.write(number, _distances(z[own], sums, scene))

    out = tf.TensorArray(tf.float64, size=count, infer_shape=False, element_shape=[None, None])
    _, out = tf.while_loop(
        lambda number, _: number < count, strip, (0, out), parallel_iterations=1
    )
    return out.concat()


def _upper_triangle(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the upper triangle of a d × d matrix."""
    return np.triu_indices(d)


def _pixel_moments(z: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weight times 1, features and products of features, ``[..., moment_count(d)]``."""
    first, second = _upper_triangle(z.shape[-1])
    products = tf.gather(z, first, axis=-1) * tf.gather(z, second, axis=-1)
    return weights[..., None] * tf.concat([tf.ones_like(z[..., :1]), z, products], axis=-1)


def _box_sums(values: tf.Tensor, axis: int) -> tf.Tensor:
    """Sums over the window along an axis of values ``[H, W, c]``."""
    length = tf.shape(values)[axis]
    nothing = tf.zeros_like(values[:1] if axis == 0 else values[:, :1])
    cumulative = tf.concat([nothing, tf.cumsum(values, axis)], axis)
    at = tf.range(length)
    to = tf.gather(cumulative, tf.minimum(at + RADIUS + 1, length), axis=axis)
    return to - tf.gather(cumulative, tf.maximum(at - RADIUS, 0), axis=axis)


def _distances(z: tf.Tensor, sums: tf.Tensor, scene: SceneMoments) -> tf.Tensor:
    """Distances ``[H, W]`` of features ``[H, W, d]`` under sums ``[H, W, moment_count(d)]``."""
    d = z.shape[-1]
    sums += SCENE_PIXELS * scene.moments
    moments = sums[..., 1:] / sums[..., :1]
    mean = moments[..., :d]
    first, second = _upper_triangle(d)
    triangle = moments[..., d:] - tf.gather(mean, first, axis=-1) * tf.gather(mean, second, axis=-1)
    place = np.zeros((d, d), np.int32)
    place[first, second] = place[second, first] = np.arange(len(first))
    covariance = tf.reshape(
        tf.gather(triangle, place.ravel(), axis=-1), tf.concat([tf.shape(z), [d]], axis=0)
    )
    factor = tf.linalg.cholesky(covariance + RIDGE * tf.eye(d, dtype=tf.float64))
    whitened = tf.linalg.triangular_solve(factor, (z - mean)[..., None])[..., 0]
    return tf.reduce_sum(whitened**2, axis=-1)
