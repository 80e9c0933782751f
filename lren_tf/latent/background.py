"""Mixture of the background in latent space, and the distance of a pixel from it.

The preset ``robust`` scores by the energy of eq. (8) instead of the residual of eq. (1).
Anomalies influence the mixture with which the training ends: they may fill a component, and they
pull on the others. The background mixture is fitted without likely anomalies:

* *support*: a component with less than ``component_share`` of the pixels is not background;
* *trimming*: statistics, energies, and statistics again without the ``trimmed_share`` of the
  pixels with the highest energies, for a few rounds;
* *ridge*: ``ridge`` times the variance of every feature over the scene is added to the
  diagonal of every covariance, so that a component of few pixels does not become singular;
* *neighbourhood*: the features of a pixel are its latent sample and the Gaussian mean of those
  around it (:mod:`lren_tf.latent.neighbourhood`).

Nothing here uses ground truth. Samples are rows, as everywhere; all of it is float64.
"""

from __future__ import annotations

import math

import tensorflow as tf

from lren_tf.latent.mixture import Mixture, mixture_energy, mixture_statistics

_ROUNDS = 4
"""Trimming settles after two or three rounds on every scene that was tried."""


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
        beta: responsibilities ``[N, k]``, rows sum to one.
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
