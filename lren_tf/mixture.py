"""The Gaussian mixture in latent space: weights, means, covariances (9)-(11), energy (8).

The mixture has no parameters of its own: its statistics are functions of the latent
samples ``z`` and the assignments ``beta`` that the estimator gives them, and gradients
flow through them.

Two rules keep the arithmetic finite without touching a sound mixture:

* *empty*: a component whose soft count Σᵢ βᵢₖ is below ``empty_mass`` has no mean. It
  leaves the energy and the penalty; its weight is 0, its mean 0, its covariance I.
* *collapsed*: εI (``covariance_floor``) is added to Γₖ before it is factored, and the
  penalty sums 1/max(Γₖ,dd, ε).

Samples are rows in every signature (the TensorFlow habit). Inside, pixels are the last
axis, as in the paper: elementwise work and reductions then run along contiguous memory,
and the large products are [k·l × l]·[l × N] instead of N products of l × l.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf


class Mixture(NamedTuple):
    """Statistics of the k components of a mixture in l dimensions."""

    phi: tf.Tensor
    """Weights ``[k]``, eq. (9)."""
    mu: tf.Tensor
    """Means ``[k, l]``, eq. (10)."""
    Gamma: tf.Tensor
    """Covariances ``[k, l, l]``, eq. (11), without the floor."""
    alive: tf.Tensor
    """Which components are not empty, bool ``[k]``."""


class MixtureLoss(NamedTuple):
    """The mixture's share of the training loss, scalars in the mixture's precision."""

    energy: tf.Tensor
    """Mean over pixels of −ln Σₖ φₖ N(z; μₖ, Γₖ + εI), eq. (8)."""
    penalty: tf.Tensor
    """Σₖ Σ_d 1/max(Γₖ,dd, ε) over the components that are not empty (release)."""


def mixture_statistics(z: tf.Tensor, beta: tf.Tensor, *, empty_mass: float) -> Mixture:
    """Weights, means and covariances of the mixture, eqs. (9)-(11).

    Args:
        z: latent samples ``[N, l]``, float32 or float64.
        beta: assignments ``[N, k]``, same dtype, rows sum to one.
        empty_mass: soft count, in pixels, below which a component is empty.
    """
    return _statistics(tf.transpose(z), tf.transpose(beta), empty_mass)


def mixture_energy(z: tf.Tensor, mixture: Mixture, *, covariance_floor: float) -> tf.Tensor:
    """Energy of every sample, −ln Σₖ φₖ N(z; μₖ, Γₖ + εI), eq. (8), ``[N]``.

    Args:
        z: latent samples ``[N, l]``, in the precision of the mixture.
        mixture: statistics of the mixture.
        covariance_floor: ε.
    """
    return _energy(tf.transpose(z), mixture, covariance_floor)


def mixture_loss(
    z: tf.Tensor,
    beta: tf.Tensor,
    *,
    dtype: tf.DType,
    empty_mass: float,
    covariance_floor: float,
    with_penalty: bool = True,
) -> tuple[MixtureLoss, Mixture]:
    """Mean energy and covariance penalty of a batch, and the statistics behind them.

    Args:
        z: latent samples ``[N, l]``.
        beta: assignments ``[N, k]``.
        dtype: precision of everything here; ``z`` and ``beta`` are cast to it.
        empty_mass, covariance_floor: see the module.
        with_penalty: False gives a penalty of 0 without computing it.
    """
    # Transposed before the cast: half the bytes to move.
    zt = tf.cast(tf.transpose(z), dtype)
    bt = tf.cast(tf.transpose(beta), dtype)
    mixture = _statistics(zt, bt, empty_mass)
    energy = tf.reduce_mean(_energy(zt, mixture, covariance_floor))
    penalty = tf.zeros([], dtype)
    if with_penalty:
        variances = tf.maximum(
            tf.linalg.diag_part(mixture.Gamma), tf.constant(covariance_floor, dtype)
        )
        terms = tf.where(mixture.alive[:, None], 1.0 / variances, tf.zeros([], dtype))
        penalty = tf.reduce_sum(terms)
    return MixtureLoss(energy, penalty), mixture


def first_bad_component(mixture: Mixture, covariance_floor: float) -> tf.Tensor:
    """Index of the first component with a non-finite statistic or factor, −1 if none.

    ``tf.linalg.cholesky`` answers an indefinite matrix with NaN and no error on the CPU,
    so the factor is looked at as well.
    """
    factor = _factor(mixture.Gamma, covariance_floor)
    sound = (
        tf.math.is_finite(mixture.phi)
        & tf.reduce_all(tf.math.is_finite(mixture.mu), axis=1)
        & tf.reduce_all(tf.math.is_finite(mixture.Gamma), axis=(1, 2))
        & tf.reduce_all(tf.math.is_finite(factor), axis=(1, 2))
    )
    bad = tf.where(~sound)
    return tf.cast(tf.cond(tf.shape(bad)[0] > 0, lambda: bad[0, 0], lambda: tf.constant(-1, tf.int64)), tf.int32)


def _statistics(zt: tf.Tensor, bt: tf.Tensor, empty_mass: float) -> Mixture:
    """Statistics from ``zt [l, N]`` and ``bt [k, N]``."""
    l = zt.shape[0]
    k = bt.shape[0]
    mass = tf.reduce_sum(bt, axis=1)
    alive = mass >= tf.constant(empty_mass, mass.dtype)
    # A division by a mass of zero would send NaN back through tf.where.
    safe_mass = tf.where(alive, mass, tf.ones_like(mass))
    total = tf.cast(tf.shape(zt)[1], zt.dtype)

    # Γ is a difference of two moments. Taking them about the scene's mean, which cannot
    # change Γ and so needs no gradient, keeps the digits that the difference would lose.
    centre = tf.stop_gradient(tf.reduce_mean(zt, axis=1))
    zc = zt - centre[:, None]
    mean = tf.matmul(bt, zc, transpose_b=True) / safe_mass[:, None]
    weighted = tf.reshape(bt[:, None, :] * zc[None, :, :], [k * l, -1])
    second = tf.reshape(tf.matmul(weighted, zc, transpose_b=True), [k, l, l])
    Gamma = second / safe_mass[:, None, None] - mean[:, :, None] * mean[:, None, :]

    identity = tf.eye(l, dtype=zt.dtype)
    return Mixture(
        phi=tf.where(alive, safe_mass / total, tf.zeros_like(mass)),
        mu=tf.where(alive[:, None], mean + centre, tf.zeros_like(mean)),
        Gamma=tf.where(alive[:, None, None], Gamma, identity),
        alive=alive,
    )


def _factor(Gamma: tf.Tensor, covariance_floor: float) -> tf.Tensor:
    """Lower Cholesky factors of Γₖ + εI, ``[k, l, l]``."""
    floor = tf.constant(covariance_floor, Gamma.dtype)
    return tf.linalg.cholesky(Gamma + floor * tf.eye(Gamma.shape[-1], dtype=Gamma.dtype))


def _energy(zt: tf.Tensor, mixture: Mixture, covariance_floor: float) -> tf.Tensor:
    """Energy ``[N]`` of the samples ``zt [l, N]``."""
    k, l = mixture.mu.shape
    factor = _factor(mixture.Gamma, covariance_floor)
    identity = tf.eye(l, batch_shape=[k], dtype=zt.dtype)
    whitening = tf.linalg.triangular_solve(factor, identity)
    offset = tf.reshape(tf.linalg.matvec(whitening, mixture.mu), [k * l, 1])
    whitened = tf.matmul(tf.reshape(whitening, [k * l, l]), zt) - offset
    mahalanobis = tf.reduce_sum(tf.reshape(tf.square(whitened), [k, l, -1]), axis=1)

    half_log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=1)
    phi = tf.where(mixture.alive, mixture.phi, tf.ones_like(mixture.phi))
    constant = tf.math.log(phi) - half_log_det - 0.5 * l * math.log(2.0 * math.pi)
    constant = tf.where(mixture.alive, constant, tf.fill([k], tf.cast(-math.inf, zt.dtype)))
    return -tf.reduce_logsumexp(constant[:, None] - 0.5 * mahalanobis, axis=0)
