"""Statistics and energies of a mixture for many samples, outside graphs, in NumPy.

The formulas are those of :mod:`lren_tf.latent.mixture`, in float64 and without gradients. A chunk
of samples stays in a core's cache from the first operation to the last, chunks are processed in
parallel, and components without weight are left out. Sums of chunks are added in their order, so
the result does not depend on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.latent.mixture import Mixture, Moments, mixture_of
from lren_tf.runtime.threads import map_in_threads

_CHUNK = 4096
"""Samples of a chunk: 4 MB of whitened samples with 7 components of 18 features."""

Array = npt.NDArray[np.float64]


def statistics(z: Array, beta: Array, *, empty_mass: float) -> Mixture:
    """Return weights, means and covariances of a mixture, eqs. (9)-(11).

    Args:
        z: ``[N, d]``.
        beta: responsibilities times the weights of the samples, ``[N, k]``.
        empty_mass: as for :func:`lren_tf.latent.mixture.mixture_statistics`.
    """
    centre = z.mean(axis=0)
    k, d = beta.shape[1], z.shape[1]
    used = np.flatnonzero(beta.any(axis=0))

    def sums(start: int) -> tuple[Array, Array, Array]:
        zc = z[start : start + _CHUNK] - centre
        b = beta[start : start + _CHUNK]
        second = np.zeros((k, d, d))
        for i in used:
            second[i] = (zc * b[:, i, None]).T @ zc
        return b.sum(axis=0), b.T @ zc, second

    totals = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    for of_chunk in map_in_threads(sums, range(0, len(z), _CHUNK)):
        for total, part in zip(totals, of_chunk, strict=True):
            total += part
    moments = Moments(*map(tf.constant, totals))
    return mixture_of(moments, tf.constant(centre), len(z), empty_mass=empty_mass)


def energies(z: Array, mixture: Mixture) -> Array:
    """Return the energy of every sample, eq. (8), ``[N]``.

    Args:
        z: ``[N, d]``.
        mixture: of k components, float64; those with weight 0 have no share in an energy.
    """
    alive = tf.where(mixture.phi > 0)[:, 0]
    phi, mu, Gamma = (tf.gather(part, alive) for part in mixture[:3])
    k, d = mu.shape
    factor = tf.linalg.cholesky(Gamma)
    identity = tf.eye(d, batch_shape=[k], dtype=tf.float64)
    whitening = tf.linalg.triangular_solve(factor, identity)
    offset = tf.linalg.matvec(whitening, mu).numpy().reshape(-1, 1)
    flat = whitening.numpy().reshape(k * d, d)
    half_log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)
    constant = (tf.math.log(phi) - half_log_det).numpy() - 0.5 * d * math.log(2.0 * math.pi)
    out = np.empty(len(z))

    def chunk(start: int) -> None:
        y = flat @ z[start : start + _CHUNK].T
        y -= offset
        np.square(y, out=y)
        exponent = y.reshape(k, d, -1).sum(axis=1)
        exponent *= -0.5
        exponent += constant[:, None]
        largest = exponent.max(axis=0)
        exponent -= largest
        np.exp(exponent, out=exponent)
        out[start : start + _CHUNK] = -(largest + np.log(exponent.sum(axis=0)))

    for _ in map_in_threads(chunk, range(0, len(z), _CHUNK)):
        pass
    return out
