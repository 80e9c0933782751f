"""The background as a mixture in latent space, and how far a pixel lies from it.

The preset ``robust`` scores by the energy of eq. (8) instead of the residual of eq. (1). In
the mixture that the training ends with, anomalies have a say: they may fill a component of
their own, and they pull on the others. Here they have none:

* *support*: a component with less than ``component_share`` of the pixels is no background;
* *trimming*: statistics, energies, and statistics again without the ``trimmed_share`` of the
  pixels whose energy is highest, a few rounds long;
* *ridge*: ``ridge`` times the variance of every feature over the scene is added to the
  diagonal of every covariance, so that a component of few pixels is no needle;
* *neighbourhood*: beside a pixel's latent sample stands the Gaussian mean of those around it.

Nothing here looks at a truth. Samples are rows, as everywhere; all of it is float64.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from lren_tf.latent.mixture import Mixture, mixture_energy, mixture_statistics

_ROUNDS = 4
"""Trimming settles after two or three rounds on every scene that was tried."""
_TRUNCATED = 4.0
"""Standard deviations at which the neighbourhood's Gaussian ends, as in SciPy."""


def with_neighbourhood(
    z: tf.Tensor, grid: tuple[int, ...], sigma: float, valid: np.ndarray | None = None
) -> tf.Tensor:
    """Latent samples and, beside them, their Gaussian means over the image.

    Args:
        z: ``[n, l]``, the pixels of an image row after row, or samples without a grid.
        grid: (H, W) of the image, which in a graph may be tensors; (N,) for samples without one.
        sigma: standard deviation of the Gaussian, in pixels; 0 for no neighbourhood.
        valid: ``[H, W]`` bool, True on the n pixels that hold data; the others have no part in
            the means. None where all do.

    Returns:
        ``[n, 2·l]``; without a grid the second half is 0 and changes no distance. ``[n, l]``
        where `sigma` is 0.
    """
    if sigma == 0:
        return z
    if len(grid) != 2:
        return tf.concat([z, tf.zeros_like(z)], axis=1)
    if valid is None:
        return tf.concat([z, _mean_around(z, grid, sigma)], axis=1)
    places = np.flatnonzero(valid)[:, None]
    ones = tf.ones([len(places), 1], z.dtype)
    held = tf.scatter_nd(places, tf.concat([z, ones], axis=1), [valid.size, z.shape[1] + 1])
    around = tf.gather(_mean_around(held, grid, sigma), places[:, 0])
    return tf.concat([z, around[:, :-1] / around[:, -1:]], axis=1)


def _mean_around(z: tf.Tensor, grid: tuple[int, ...], sigma: float) -> tf.Tensor:
    image = tf.reshape(z, [*grid, z.shape[1]])
    for axis in range(2):
        image = _smooth(image, axis, sigma)
    return tf.reshape(image, [-1, z.shape[1]])


def _smooth(image: tf.Tensor, axis: int, sigma: float) -> tf.Tensor:
    """Gaussian mean along an axis, mirrored at the edges."""
    length = image.shape[axis]
    if length is None:
        return _smooth_in_graph(image, axis, sigma)
    # The mirror of a short image ends before the Gaussian does.
    radius = min(int(_TRUNCATED * sigma + 0.5), length)
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    margins = [[radius, radius] if a == axis else [0, 0] for a in range(3)]
    padded = tf.pad(image, margins, mode="SYMMETRIC")
    total = sum(weights)
    parts = []
    for step, weight in enumerate(weights):
        part = padded[step : step + length] if axis == 0 else padded[:, step : step + length]
        parts.append(weight / total * part)
    return tf.add_n(parts)


def _smooth_in_graph(image: tf.Tensor, axis: int, sigma: float) -> tf.Tensor:
    """As `_smooth`, of an axis whose length the graph does not know."""
    length = tf.shape(image)[axis]
    radius = int(_TRUNCATED * sigma + 0.5)
    steps = range(-radius, radius + 1)
    weights = tf.constant([math.exp(-0.5 * (step / sigma) ** 2) for step in steps], image.dtype)
    weights = tf.where(tf.abs(tf.range(-radius, radius + 1)) <= length, weights, 0.0)
    weights /= tf.reduce_sum(weights)
    parts = []
    for number, step in enumerate(steps):
        # The mirror has the edge twice: −1 is 0, and the length is the length − 1.
        place = tf.range(step, length + step)
        place = tf.where(place < 0, -1 - place, place)
        place = tf.where(place >= length, 2 * length - 1 - place, place)
        # Beyond what is mirrored the weight is 0.
        place = tf.clip_by_value(place, 0, length - 1)
        parts.append(weights[number] * tf.gather(image, place, axis=axis))
    return tf.add_n(parts)


def background_mixture(
    features: tf.Tensor,
    beta: tf.Tensor,
    *,
    component_share: float,
    trimmed_share: float,
    ridge: float,
) -> Mixture:
    """Mixture of the background of a scene.

    Args:
        features: ``[N, d]``.
        beta: assignments ``[N, k]``, rows sum to one.
        component_share: smallest share of the pixels, in soft counts, that a component needs;
            the largest component always stays.
        trimmed_share: share of the pixels with the highest energies that is left out.
        ridge: see the module.
    """
    features, beta = tf.cast(features, tf.float64), tf.cast(beta, tf.float64)
    n = tf.shape(features)[0]
    share = tf.reduce_mean(beta, axis=0)
    threshold = tf.minimum(tf.constant(component_share, tf.float64), tf.reduce_max(share))
    beta = tf.where(share >= threshold, beta, tf.zeros_like(beta))
    variance = tf.math.reduce_variance(features, axis=0)
    # A feature that does not vary has no distances to divide by.
    variance = tf.where(variance > 0, variance, tf.ones_like(variance))
    kept = n - tf.cast(tf.math.floor(trimmed_share * tf.cast(n, tf.float64)), tf.int32)
    weights = tf.ones([n], tf.float64)
    for _ in range(_ROUNDS):
        # Half a pixel: a component that trimming has emptied has no statistics.
        mixture = mixture_statistics(features, beta * weights[:, None], empty_mass=0.5)
        mixture = mixture._replace(Gamma=mixture.Gamma + tf.linalg.diag(ridge * variance))
        energy = background_energy(features, mixture)
        limit = tf.sort(energy)[kept - 1]
        weights = tf.cast(energy <= limit, tf.float64)
    return mixture


def background_energy(features: tf.Tensor, background: Mixture) -> tf.Tensor:
    """Energy of eq. (8) under the background, float64 ``[N]``."""
    return mixture_energy(tf.cast(features, tf.float64), background, covariance_floor=0.0)


def level_and_spread(energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Median of the energies of a scene, and how far the highest tenth begins above it.

    (energy − level) / spread is on a scale that several networks share. The spread of a scene
    whose upper half is all the same is 1.
    """
    ordered = tf.sort(energy)
    n = ordered.shape[0]
    level = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
    spread = ordered[min(n - 1, math.floor(0.9 * n))] - level
    return level, tf.where(spread > 0, spread, tf.ones_like(spread))
