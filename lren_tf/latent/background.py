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

Nothing here uses ground truth. Samples are rows, as everywhere; all of it is float64. Every array
may have further axes in front, "…" in the shapes, for the backgrounds of several members.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from lren_tf.latent import mixture_by_chunks
from lren_tf.latent.mixture import (
    PIXELS_AT_A_TIME,
    Mixture,
    mixture_energy,
    mixture_statistics,
)

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
        features: ``[…, N, d]``.
        beta: responsibilities ``[…, N, k]``, rows sum to one.
        component_share: smallest share of the pixels, in soft counts, that a component needs;
            the largest component always stays.
        trimmed_share: share of the pixels with the highest energies that is left out.
        ridge: see the module.
    """
    features, beta = tf.cast(features, tf.float64), tf.cast(beta, tf.float64)
    n = features.shape[-2]
    share = tf.reduce_mean(beta, axis=-2, keepdims=True)
    largest = tf.reduce_max(share, axis=-1, keepdims=True)
    threshold = tf.minimum(tf.constant(component_share, tf.float64), largest)
    beta = tf.where(share >= threshold, beta, tf.zeros_like(beta))
    variance = tf.math.reduce_variance(features, axis=-2)
    # A feature that does not vary has no distances to divide by.
    variance = tf.where(variance > 0, variance, tf.ones_like(variance))
    ridges = tf.linalg.diag(ridge * variance)[..., None, :, :]
    kept = n - math.floor(trimmed_share * n)
    weights = tf.ones_like(features[..., 0])
    for _ in range(_ROUNDS):
        mixture = _statistics(features, beta * weights[..., None])
        mixture = mixture._replace(Gamma=mixture.Gamma + ridges)
        energy = background_energy(features, mixture)
        limit = _ordered(energy, kept - 1)
        weights = tf.cast(energy <= limit[..., None], tf.float64)
    return mixture


def _statistics(features: tf.Tensor, beta: tf.Tensor) -> Mixture:
    # Half a pixel: a component that trimming has emptied has no statistics.
    if not _many(features):
        return mixture_statistics(features, beta, empty_mass=0.5)
    members = zip(*(_by_member(part, 2) for part in (features, beta)), strict=True)
    found = [mixture_by_chunks.statistics(z, b, empty_mass=0.5) for z, b in members]
    several = features.shape[:-2]
    parts = (tf.stack(values) for values in zip(*found, strict=True))
    return Mixture(*(tf.reshape(part, [*several, *part.shape[1:]]) for part in parts))


def background_energy(features: tf.Tensor, background: Mixture) -> tf.Tensor:
    """Energy of eq. (8) under the background, float64 ``[…, N]``."""
    if _many(features):
        of_members = zip(
            _by_member(tf.cast(features, tf.float64), 2),
            *(_by_member(part, axes) for part, axes in zip(background, (1, 2, 3, 1), strict=True)),
            strict=True,
        )
        found = [mixture_by_chunks.energies(z, Mixture(*of)) for z, *of in of_members]
        return tf.reshape(tf.constant(np.stack(found)), features.shape[:-1])
    return mixture_energy(tf.cast(features, tf.float64), background, covariance_floor=0.0)


def _many(features: tf.Tensor) -> bool:
    """Return whether the samples are so many that they are worked on by chunks in NumPy."""
    return tf.executing_eagerly() and features.shape[-2] > PIXELS_AT_A_TIME


def _by_member(values: tf.Tensor, axes: int) -> np.ndarray:
    """Return ``[…, *axes]`` as NumPy with one axis of members in front."""
    return np.asarray(values).reshape(-1, *values.shape[len(values.shape) - axes :])


def level_and_spread(energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Median of the energies of a scene, and how far the highest tenth begins above it.

    (energy − level) / spread is on a scale that several networks share. The spread of a scene
    whose upper half is all the same is 1.

    Args:
        energy: ``[…, N]``.

    Returns:
        Both ``[…]``.
    """
    n = energy.shape[-1]
    level = 0.5 * (_ordered(energy, (n - 1) // 2) + _ordered(energy, n // 2))
    spread = _ordered(energy, min(n - 1, math.floor(0.9 * n))) - level
    return level, tf.where(spread > 0, spread, tf.ones_like(spread))


def _ordered(energy: tf.Tensor, number: int) -> tf.Tensor:
    """Return the energy ``[…]`` with this number in ascending order, from 0."""
    return tf.constant(np.partition(energy, number, axis=-1)[..., number])
