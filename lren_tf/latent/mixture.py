"""The Gaussian mixture in latent space: weights, means, covariances (9)-(11), energy (8).

The mixture has no trainable parameters: its statistics are functions of the latent
samples ``z`` and the responsibilities ``beta`` that the estimator gives them, and gradients
flow through them.

Two rules keep the arithmetic finite without touching a sound mixture:

* *empty*: a component whose soft count Σᵢ βᵢₖ is below ``empty_mass`` has no mean. It
  leaves the energy and the penalty; its weight is 0, its mean 0, its covariance I.
* *collapsed*: εI (``covariance_floor``) is added to Γₖ before it is factored, and the
  penalty sums 1/max(Γₖ,dd, ε).

Samples are rows in every signature (the TensorFlow habit). Inside, pixels are the last
axis, as in the paper: elementwise work and reductions then run along contiguous memory,
and the large products are [k·l × l]·[l × N] instead of N products of l × l.

Every array may have further axes in front, "…" in the shapes: the mixtures of several members
are then computed at once.

Only two steps touch arrays as long as the scene: the moments and the Mahalanobis distances.
Both have their adjoints written out. Statistics and energy are in the mixture's precision
(float64); the adjoints of the long arrays are in the precision of ``z``, in which they
are returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

_Adjoints: TypeAlias = tuple["tf.Tensor | None", ...]
_WithAdjoint: TypeAlias = tuple[tuple[tf.Tensor, ...], Callable[..., _Adjoints]]
"""Values, and the function from their adjoints to those of the arguments."""

PIXELS_AT_A_TIME = 65536
"""Samples whose temporaries, k·l numbers each and several times, are held at once."""


class Mixture(NamedTuple):
    """Statistics of the k components of a mixture in l dimensions."""

    phi: tf.Tensor
    """Weights ``[…, k]``, eq. (9)."""
    mu: tf.Tensor
    """Means ``[…, k, l]``, eq. (10)."""
    Gamma: tf.Tensor
    """Covariances ``[…, k, l, l]``, eq. (11), without the floor."""
    alive: tf.Tensor
    """Components that are not empty, bool ``[…, k]``."""


class Moments(NamedTuple):
    """Sums over pixels that determine a mixture; sums of parts of the pixels add up."""

    mass: tf.Tensor
    """Σβ ``[…, k]``."""
    first: tf.Tensor
    """Σβ(z−c) ``[…, k, l]``."""
    second: tf.Tensor
    """Σβ(z−c)(z−c)ᵀ ``[…, k, l, l]``."""


class MixtureLoss(NamedTuple):
    """The mixture's share of the training loss, ``[…]`` in the mixture's precision."""

    energy: tf.Tensor
    """Mean over pixels of −ln Σₖ φₖ N(z; μₖ, Γₖ + εI), eq. (8)."""
    penalty: tf.Tensor
    """Σₖ Σ_d 1/max(Γₖ,dd, ε) over the components that are not empty (release)."""


def mixture_statistics(z: tf.Tensor, beta: tf.Tensor, *, empty_mass: float) -> Mixture:
    """Weights, means and covariances of the mixture, eqs. (9)-(11).

    Where the number of samples is known, temporaries are those of one chunk.

    Args:
        z: latent samples ``[…, N, l]``, float32 or float64.
        beta: responsibilities ``[…, N, k]``, same dtype, rows sum to one.
        empty_mass: soft count, in pixels, below which a component is empty.
    """
    chunks = _slices(z)
    if len(chunks) == 1:
        return _statistics(_columns(z), _columns(beta), empty_mass, z.dtype)
    centre = tf.reduce_mean(z, axis=-2)
    parts = [mixture_moments(z[..., rows, :], beta[..., rows, :], centre) for rows in chunks]
    moments = Moments(*(tf.add_n(list(sums)) for sums in zip(*parts, strict=True)))
    return mixture_of(moments, centre, tf.shape(z)[-2], empty_mass=empty_mass)


def mixture_moments(z: tf.Tensor, beta: tf.Tensor, centre: tf.Tensor) -> Moments:
    """The sums behind eqs. (9)-(11), about a centre, in the precision of the centre.

    Args:
        z: latent samples ``[…, N, l]``.
        beta: responsibilities ``[…, N, k]``.
        centre: c ``[…, l]``. It changes no statistic; near the mean it costs them no digits.
    """
    return Moments(*_moments(_columns(z), _columns(beta), centre))


def mixture_of(
    moments: Moments, centre: tf.Tensor, count: tf.Tensor, *, empty_mass: float
) -> Mixture:
    """The mixture of `count` pixels with these moments about a centre."""
    mass, first, second = moments
    dtype = mass.dtype
    alive = mass >= tf.constant(empty_mass, dtype)
    # A division by a mass of zero would send NaN back through tf.where.
    safe_mass = tf.where(alive, mass, tf.ones_like(mass))
    mean = first / safe_mass[..., None]
    Gamma = second / safe_mass[..., None, None] - mean[..., :, None] * mean[..., None, :]
    return Mixture(
        phi=tf.where(alive, safe_mass / tf.cast(count, dtype), tf.zeros_like(mass)),
        mu=tf.where(alive[..., None], mean + centre[..., None, :], tf.zeros_like(mean)),
        Gamma=tf.where(
            alive[..., None, None], Gamma, tf.eye(first.shape[-1], dtype=dtype)
        ),
        alive=alive,
    )


def mixture_energy(z: tf.Tensor, mixture: Mixture, *, covariance_floor: float) -> tf.Tensor:
    """Energy of every sample, −ln Σₖ φₖ N(z; μₖ, Γₖ + εI), eq. (8), ``[…, N]``.

    Args:
        z: latent samples ``[…, N, l]``; the energies are in the precision of the mixture.
        mixture: statistics of the mixture.
        covariance_floor: ε.
    """
    chunks = _slices(z)
    if len(chunks) == 1:
        return _energy(_columns(z), mixture, covariance_floor)
    parts = [_energy(_columns(z[..., rows, :]), mixture, covariance_floor) for rows in chunks]
    return tf.concat(parts, axis=-1)


def _slices(z: tf.Tensor) -> list[slice]:
    """Rows of z in chunks; one of all where their number is not known."""
    n = z.shape[-2]
    if n is None or n <= PIXELS_AT_A_TIME:
        return [slice(None)]
    starts = range(0, n, PIXELS_AT_A_TIME)
    return [slice(start, min(start + PIXELS_AT_A_TIME, n)) for start in starts]


def _columns(rows: tf.Tensor) -> tf.Tensor:
    """Samples as columns: the last two axes exchanged."""
    return tf.linalg.matrix_transpose(rows)


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
        z: latent samples ``[…, N, l]``.
        beta: responsibilities ``[…, N, k]``.
        dtype: precision of everything here; ``z`` and ``beta`` are cast to it.
        empty_mass, covariance_floor: see the module.
        with_penalty: False gives a penalty of 0 without computing it.
    """
    zt, bt = _columns(z), _columns(beta)
    mixture = _statistics(zt, bt, empty_mass, dtype)
    energy = tf.reduce_mean(_energy(zt, mixture, covariance_floor), axis=-1)
    penalty = tf.zeros(z.shape[:-2], dtype)
    if with_penalty:
        penalty = covariance_penalty(mixture, covariance_floor)
    return MixtureLoss(energy, penalty), mixture


def covariance_penalty(mixture: Mixture, covariance_floor: float) -> tf.Tensor:
    """Σₖ Σ_d 1/max(Γₖ,dd, ε) over the components that are not empty (release), ``[…]``."""
    dtype = mixture.Gamma.dtype
    variances = tf.maximum(
        tf.linalg.diag_part(mixture.Gamma), tf.constant(covariance_floor, dtype)
    )
    terms = tf.where(mixture.alive[..., None], 1.0 / variances, tf.zeros([], dtype))
    return tf.reduce_sum(terms, axis=[-2, -1])


def first_bad_component(mixture: Mixture, covariance_floor: float) -> tf.Tensor:
    """Index of the first component with a non-finite statistic or factor, −1 if none.

    Components of several mixtures are counted one mixture after the other.

    ``tf.linalg.cholesky`` answers an indefinite matrix with NaN and no error on the CPU,
    so the factor is looked at as well.
    """
    factor = tf.linalg.cholesky(_floored(mixture.Gamma, covariance_floor))
    sound = (
        tf.math.is_finite(mixture.phi)
        & tf.reduce_all(tf.math.is_finite(mixture.mu), axis=-1)
        & tf.reduce_all(tf.math.is_finite(mixture.Gamma), axis=(-2, -1))
        & tf.reduce_all(tf.math.is_finite(factor), axis=(-2, -1))
    )
    sound = tf.reshape(sound, [-1])
    # argmin of a bool taken as a number is the first False; of int32 it has no GPU kernel.
    first = tf.argmin(tf.cast(sound, tf.float32), output_type=tf.int32)
    return tf.where(tf.reduce_all(sound), -1, first)


def _statistics(zt: tf.Tensor, bt: tf.Tensor, empty_mass: float, dtype: tf.DType) -> Mixture:
    """Statistics in ``dtype`` from ``zt […, l, N]`` and ``bt […, k, N]``."""
    # Γ is a difference of two moments. Taking them about the scene's mean, which cannot
    # change Γ and so needs no gradient, keeps the digits that the difference would lose.
    centre = tf.stop_gradient(tf.reduce_mean(tf.cast(zt, dtype), axis=-1))
    moments = Moments(*_moments(zt, bt, centre))
    return mixture_of(moments, centre, tf.shape(zt)[-1], empty_mass=empty_mass)


@tf.custom_gradient
def _moments(zt: tf.Tensor, bt: tf.Tensor, centre: tf.Tensor) -> _WithAdjoint:
    """Σβ ``[…, k]``, Σβ(z−c) ``[…, k, l]``, Σβ(z−c)(z−c)ᵀ ``[…, k, l, l]``, precision of c.

    With C symmetric, the adjoints of the three sums b, B, C give
    ∂z = Σₖ βₖ (Bₖ + 2 Cₖ z) and ∂βₖ = bₖ + Bₖ·z + zᵀ Cₖ z (z taken about c).
    """
    *several, l, _ = zt.shape
    k = bt.shape[-2]
    wide = centre.dtype
    zc = tf.cast(zt, wide) - centre[..., None]
    beta = tf.cast(bt, wide)
    products = beta[..., :, None, :] * zc[..., None, :, :]
    weighted = tf.reshape(products, [*several, k * l, tf.shape(zt)[-1]])
    sums = (
        tf.reduce_sum(beta, axis=-1),
        tf.matmul(beta, zc, transpose_b=True),
        tf.reshape(tf.matmul(weighted, zc, transpose_b=True), [*several, k, l, l]),
    )

    def adjoint(d_mass: tf.Tensor, d_first: tf.Tensor, d_second: tf.Tensor) -> _Adjoints:
        narrow = zt.dtype
        z = tf.cast(zc, narrow)
        symmetric = 0.5 * (d_second + tf.linalg.matrix_transpose(d_second))
        C = tf.reshape(tf.cast(symmetric, narrow), [*several, k * l, l])
        B = tf.cast(d_first, narrow)
        Cz = tf.reshape(tf.matmul(C, z), tf.shape(products))
        d_z = 2.0 * tf.reduce_sum(bt[..., :, None, :] * Cz, axis=-3)
        d_z += tf.matmul(B, bt, transpose_a=True)
        d_beta = tf.reduce_sum(Cz * z[..., None, :, :], axis=-2)
        d_beta += tf.matmul(B, z) + tf.cast(d_mass, narrow)[..., None]
        return d_z, d_beta, None

    return sums, adjoint


@tf.custom_gradient
def _mahalanobis(zt: tf.Tensor, mu: tf.Tensor, Gamma: tf.Tensor) -> _WithAdjoint:
    """(z−μₖ)ᵀ Γₖ⁻¹ (z−μₖ) ``[…, k, N]`` and ½ ln det Γₖ ``[…, k]``, in the precision of Γ.

    With y = L⁻¹(z−μ), Γ = L Lᵀ, and adjoints g ``[…, k, N]`` and h ``[…, k]``:
    ∂z = Σₖ 2gₖ L⁻ᵀy, ∂μ = −Σᵢ 2gᵢ L⁻ᵀyᵢ, ∂Γ = L⁻ᵀ(½hI − Σᵢ gᵢ yᵢyᵢᵀ)L⁻¹.
    """
    *several, k, l = mu.shape
    n = tf.shape(zt)[-1]
    wide = Gamma.dtype
    factor = tf.linalg.cholesky(Gamma)
    identity = tf.eye(l, batch_shape=[*several, k], dtype=wide)
    whitening = tf.linalg.triangular_solve(factor, identity)
    flat = tf.reshape(whitening, [*several, k * l, l])
    offset = tf.reshape(tf.linalg.matvec(whitening, mu), [*several, k * l, 1])
    y = tf.reshape(tf.matmul(flat, tf.cast(zt, wide)) - offset, [*several, k, l, n])
    distances = tf.reduce_sum(tf.square(y), axis=-2)
    half_log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)

    def adjoint(g: tf.Tensor, h: tf.Tensor) -> _Adjoints:
        narrow = zt.dtype
        short = tf.cast(y, narrow)
        weighted = tf.cast(g, narrow)[..., None, :] * short
        outer = tf.cast(tf.matmul(weighted, short, transpose_b=True), wide)
        inner = 0.5 * h[..., None, None] * identity - outer
        d_Gamma = tf.matmul(whitening, tf.matmul(inner, whitening), transpose_a=True)
        total = tf.cast(tf.reduce_sum(weighted, axis=-1), wide)
        d_mu = -2.0 * tf.linalg.matvec(whitening, total, transpose_a=True)
        weighted = tf.reshape(weighted, [*several, k * l, n])
        d_z = 2.0 * tf.matmul(tf.cast(flat, narrow), weighted, transpose_a=True)
        return d_z, d_mu, d_Gamma

    return (distances, half_log_det), adjoint


def _floored(Gamma: tf.Tensor, covariance_floor: float) -> tf.Tensor:
    """Γₖ + εI, ``[…, k, l, l]``."""
    floor = tf.constant(covariance_floor, Gamma.dtype)
    return Gamma + floor * tf.eye(Gamma.shape[-1], dtype=Gamma.dtype)


def _energy(zt: tf.Tensor, mixture: Mixture, covariance_floor: float) -> tf.Tensor:
    """Energy ``[…, N]`` of the samples ``zt […, l, N]``, in the precision of the mixture."""
    l = mixture.mu.shape[-1]
    Gamma = _floored(mixture.Gamma, covariance_floor)
    distances, half_log_det = _mahalanobis(zt, mixture.mu, Gamma)
    phi = tf.where(mixture.alive, mixture.phi, tf.ones_like(mixture.phi))
    constant = tf.math.log(phi) - half_log_det - 0.5 * l * math.log(2.0 * math.pi)
    constant = tf.where(mixture.alive, constant, tf.constant(-math.inf, phi.dtype))
    return -tf.reduce_logsumexp(constant[..., None] - 0.5 * distances, axis=-2)
