"""Low-rank background, sparse anomaly and noise over two dictionaries, by ADMM.

Samples are rows in every signature, columns in the mathematics::

    min ‖Z‖_* + β ‖S‖₁ + λ ‖E‖₂,₁   s.t.  X = D_b Z + D_a S + E

with copies J = Z and Q = S, scaled multipliers U1, U2, U3 of the three constraints and, from
zeros and in this order::

    J = argmin ‖J‖_* + μ/2 ‖J − (Z + U2)‖²
    E = argmin λ ‖E‖₂,₁ + μ/2 ‖E − (X − D_b Z − D_a S + U1)‖²
    Q = argmin β ‖Q‖₁ + μ/2 ‖Q − (S + U3)‖²
    Z = (D_bᵀ D_b + I)⁻¹ (D_bᵀ (X − D_a S − E + U1) + J − U2)
    S = (D_aᵀ D_a + I)⁻¹ (D_aᵀ (X − D_b Z − E + U1) + Q − U3)
    U1 += X − D_b Z − D_a S − E,   U2 += Z − J,   U3 += S − Q,   μ = min(ρ μ, μ_max)

Two substitutions leave the iterates as they are and most of the work out. First, Z never
leaves the row space of D_b = V diag(s) Bᵀ, so Z̃ = Bᵀ Z with at most L rows is iterated, and with
X̃ = Vᵀ X, D̃_a = Vᵀ D_a, Ẽ = Vᵀ E every product with D_b is a scaling by s. Second, the normal
equations of S say that S − Q + U3 = D_aᵀ (U1 after its update), and that holds for U3 alone
from the iteration before, whence ::

    r = (I + D_a D_aᵀ)⁻¹ (X − D_b Z − E − D_a Q),   S = Q + D_aᵀ r

where r is the new X − D_b Z − D_a S − E, by which U1 moves, and D_aᵀ r is that of U3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import linalg

from lren_tf.low_rank.proximal import residual_shrinkage, shrinkage_matrix

_MU, _RHO, _MU_MAX = 1e-4, 1.1, 1e10  # as released
# Pixels are iterated in blocks, so that a block's arrays stay in the cache of one core.
_BLOCK_ELEMENTS = 250_000


class Decomposition(NamedTuple):
    """Result of :func:`decompose`; background + anomaly + residual is X up to the tolerance."""

    background: np.ndarray
    """D_b Z, ``[N, L]``."""
    anomaly: np.ndarray
    """D_a S, ``[N, L]``."""
    residual: np.ndarray
    """E, ``[N, L]``."""
    iterations: int
    """Iterations made."""
    converged: bool
    """False if the largest number of iterations ended the run."""


def decompose(
    X: npt.NDArray[np.floating],
    D_b: npt.NDArray[np.floating],
    D_a: npt.NDArray[np.floating],
    beta: float,
    lam: float,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 500,
    dtype: str = "float32",
) -> Decomposition:
    """Split samples X ``[N, L]`` over the atoms (rows) of D_b ``[m_b, L]`` and D_a ``[m_a, L]``.

    Stops when no entry of X − D_b Z − D_a S − E, Z − J or S − Q is as large as `tolerance`.
    On San Diego the parts in float32 differ from those in float64 by 2e-6, at norms of
    about 1, after as many iterations and half the time.
    """
    V, s, Bt = linalg.svd(D_b.T.astype(np.float64))
    bands, rank = len(V), len(s)
    # Fewer atoms than bands: directions of V without a singular value are inert in Z̃.
    s = np.pad(s, (0, bands - rank))[:, None]
    B = np.zeros((len(D_b), bands))
    B[:, :rank] = Bt[:rank].T
    rotated = V.T @ D_a.T
    solve = linalg.inv(np.eye(bands) + rotated @ rotated.T)

    def constant(value: npt.ArrayLike) -> tf.Tensor:
        return tf.constant(value, dtype)

    model = _Model(*map(constant, (s, 1 / (np.square(s) + 1), rotated, solve, V, B)))
    count = max(1, X.size // _BLOCK_ELEMENTS)
    blocks = [constant(part) for part in np.array_split(V.T @ X.T, count, axis=1)]
    states = [_start(block, len(D_a)) for block in blocks]
    mu, converged = _MU, False
    for iteration in range(1, max_iterations + 1):
        mu_next = min(_RHO * mu, _MU_MAX)
        numbers = map(constant, (1 / mu, beta / mu, lam / mu, mu / mu_next))
        states, gaps, norms = _iterate(blocks, states, model, *numbers)
        mu = mu_next
        # An entry is no larger than its column, and a column no larger than its length allows:
        # turning the gaps back to where the rule looks at them waits until it can be met.
        longest = np.sqrt([bands, len(D_b), len(D_a)])
        if (norms.numpy() < tolerance * longest).all():
            converged = bool(_largest_entry(gaps, model) < tolerance)
        if converged:
            break
    Z, A, E = (np.concatenate([s[i].numpy() for s in states], axis=1) for i in (0, 2, 6))
    return Decomposition((V @ (s * Z)).T, (V @ A).T, (V @ E).T, iteration, converged)


class _Model(NamedTuple):
    s: tf.Tensor  # singular values of D_b [L, 1]
    inverse: tf.Tensor  # 1 / (s² + 1)
    D_a: tf.Tensor  # rotated, [L, m_a]
    solve: tf.Tensor  # (I + D_a D_aᵀ)⁻¹, rotated
    V: tf.Tensor  # [L, L]
    B: tf.Tensor  # [m_b, L]


class _State(NamedTuple):
    """State of one block, rotated, multipliers scaled by the μ of the coming iteration."""

    Z: tf.Tensor
    S: tf.Tensor
    A: tf.Tensor  # D_a S
    U1: tf.Tensor
    U2: tf.Tensor
    U3: tf.Tensor
    E: tf.Tensor


def _start(block: tf.Tensor, atoms: int) -> _State:
    zero, S = tf.zeros_like(block), tf.zeros([atoms, block.shape[1]], block.dtype)
    return _State(zero, S, zero, zero, zero, S, zero)


@tf.function
def _iterate(
    blocks: list[tf.Tensor],
    states: list[_State],
    model: _Model,
    per_mu: tf.Tensor,
    beta_per_mu: tf.Tensor,
    lam_per_mu: tf.Tensor,
    rescale: tf.Tensor,
) -> tuple[list[_State], list[tuple[tf.Tensor, ...]], tf.Tensor]:
    """One iteration: states, gaps (r, Z − J, S − Q) per block, their largest column norms."""
    sums = [state.Z + state.U2 for state in states]
    gram = tf.add_n([tf.matmul(T, T, transpose_b=True) for T in sums])
    P, _ = shrinkage_matrix(gram, per_mu)
    moved, gaps, peaks = [], [], []
    for X, T, (Z, S, A, U1, U2, U3, E) in zip(blocks, sums, states, strict=True):
        J = tf.matmul(P, T)
        E = residual_shrinkage(X - model.s * Z - A + U1, lam_per_mu, "l21")
        Q = residual_shrinkage(S + U3, beta_per_mu, "l1")
        Z = model.inverse * (model.s * (X - A - E + U1) + J - U2)
        unexplained = X - model.s * Z - E
        r = tf.matmul(model.solve, unexplained - tf.matmul(model.D_a, Q))
        step = tf.matmul(model.D_a, r, transpose_a=True)
        gap = (r, Z - J, step)
        U1, U2, U3 = (
            rescale * (U + by) for U, by in zip((U1, U2, U3), gap, strict=True)
        )
        moved.append(_State(Z, Q + step, unexplained - r, U1, U2, U3, E))
        gaps.append(gap)
        peaks.append([tf.reduce_max(tf.reduce_sum(tf.square(by), axis=0)) for by in gap])
    return moved, gaps, tf.sqrt(tf.reduce_max(tf.stack(peaks), axis=0))


@tf.function
def _largest_entry(gaps: list[tuple[tf.Tensor, ...]], model: _Model) -> tf.Tensor:
    """Largest absolute entry of all gaps in the original coordinates."""
    turned = [
        tf.reduce_max(tf.abs(part))
        for r, z, step in gaps
        for part in (tf.matmul(model.V, r), tf.matmul(model.B, z), step)
    ]
    return tf.reduce_max(tf.stack(turned))
