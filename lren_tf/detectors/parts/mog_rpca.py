"""Low rank plus mixture-of-Gaussians noise by variational Bayes (MoG-RPCA).

Source: Q. Zhao, D. Meng, Z. Xu, W. Zuo and L. Zhang, "Robust principal component analysis
with complex noise", ICML 2014.

Pixels are rows here: Y [N, L] with entries y_ij, pixel i and band j (the sources write the
transpose). The model, all Gammas in shape and rate::

    y_ij = v_iᵀ u_j + e_ij
    v_ir ~ N(0, 1/γ_r),  u_jr ~ N(0, 1/γ_r),  γ_r ~ Gamma(a0, b0)
    e_ij ~ Σ_k π_k N(μ_k, 1/τ_k),  π ~ Dirichlet(α0)
    μ_k | τ_k ~ N(0, 1/(β0 τ_k)),  τ_k ~ Gamma(c0, d0)

Every column of U and V shares one precision γ_r, which grows without bound for a column
that the data do not need (automatic relevance determination); such columns are pruned.
The posterior is taken as a product of q(u_j), q(v_i), q(γ_r), q(z_ij), q(π), q(μ_k, τ_k),
and each factor in turn is set to its optimum, which never lowers the evidence lower bound::

    q(u_j) = N(ū_j, Σ_j):   Σ_j = (Σ_i w_ij ⟨v_i v_iᵀ⟩ + diag γ)⁻¹,   ū_j = Σ_j Σ_i t_ij v̄_i
             w_ij = Σ_k r_ijk τ̄_k,   t_ij = w_ij y_ij − Σ_k r_ijk τ̄_k m_k,   τ̄_k = c_k/d_k
    q(v_i)   the same with the parts exchanged
    γ̄_r    = (a0 + (L + N)/2) / (b0 + (Σ_j ⟨u_jr²⟩ + Σ_i ⟨v_ir²⟩)/2)
    q(π) = Dirichlet(α),   α_k = α0 + n_k,   n_k = Σ_ij r_ijk
    q(μ_k | τ_k) = N(m_k, 1/(β_k τ_k)),   β_k = β0 + n_k,   m_k = Σ_ij r_ijk ⟨e_ij⟩ / β_k
    q(τ_k) = Gamma(c_k, d_k),   c_k = c0 + n_k/2,   d_k = d0 + (Σ_ij r_ijk ⟨e_ij²⟩ − β_k m_k²)/2
    r_ijk  ∝ exp{ψ(α_k) + (ψ(c_k) − ln d_k)/2
                  − (1/β_k + τ̄_k (⟨e_ij²⟩ − 2 m_k ⟨e_ij⟩ + m_k²))/2}

with ⟨e_ij⟩ = y_ij − v̄_iᵀ ū_j and ⟨e_ij²⟩ = ⟨e_ij⟩² + tr(⟨v_i v_iᵀ⟩⟨u_j u_jᵀ⟩) − (v̄_iᵀ ū_j)².

In addition to Y, memory holds k + 3 arrays of its size and the N covariances of r × r; everything
else is computed for a block of pixels at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.special import psi, softmax

from lren_tf.errors import InputError
from lren_tf.runtime.progress import tracked

Array = npt.NDArray[np.float64]

# Pixels per block: the temporaries of one block stay within a core's cache.
_BLOCK = 512
# Draws of the first noise centres before the residual counts as having too few values.
_DRAWS = 100


class Factor(NamedTuple):
    """Gaussian posterior of the rows of U or V, which are independent of each other."""

    mean: Array
    """[n, r]."""
    covariance: Array
    """[n, r, r]."""

    def moments(self, rows: slice = slice(None)) -> Array:
        """⟨x xᵀ⟩ of some rows x, each flat: [n, r²]."""
        mean = self.mean[rows]
        outer = self.covariance[rows] + mean[:, :, None] * mean[:, None, :]
        return outer.reshape(len(mean), -1)

    def squares(self) -> Array:
        """Σ over rows of ⟨x_r²⟩, [r]."""
        variances = np.einsum("nrr->r", self.covariance)
        return variances + np.einsum("nr,nr->r", self.mean, self.mean)

    def columns(self, kept: npt.NDArray[np.bool_]) -> Factor:
        """The posterior without the columns that are not `kept`."""
        return Factor(self.mean[:, kept], self.covariance[:, kept][:, :, kept])


class Noise(NamedTuple):
    """Posterior of the mixture: Dirichlet(alpha), N(mean, 1/(beta τ)), Gamma(c, d); all [k]."""

    alpha: Array
    beta: Array
    mean: Array
    c: Array
    d: Array

    @property
    def precision(self) -> Array:
        """τ̄ = ⟨τ⟩, [k]."""
        return self.c / self.d


@dataclass
class Factorisation:
    """Result of :func:`factorise`."""

    V: Factor
    """Posterior of the pixels' coefficients, [N, r]."""
    U: Factor
    """Posterior of the basis, [L, r]."""
    precisions: Array
    """γ̄ of the columns left, [r]."""
    noise: Noise
    """Posterior of the mixture."""
    responsibilities: Array
    """r_ijk, [k, N, L]."""
    residual: Array
    """⟨e_ij⟩ = Y − V̄ Ūᵀ, [N, L]."""
    iterations: int
    """Iterations made."""
    converged: bool
    """False if the largest number of iterations ended the run."""


def factorise(
    Y: Array,
    rank: int,
    components: int,
    rng: np.random.Generator,
    *,
    prior: float = 1e-6,
    prune_ratio: float = 100.0,
    iterations: int = 300,
    tolerance: float = 1e-3,
) -> Factorisation:
    """Fit the model, columns that the data do not need pruned on the way.

    Args:
        Y: [N, L].
        rank: columns of U and V at the start, less than N and L.
        components: k.
        rng: draws the first centres of the noise.
        prior: a0 = b0 = c0 = d0 = α0 = β0.
        prune_ratio: a column is pruned when its γ̄ exceeds this many times the smallest.
        iterations: largest number of iterations.
        tolerance: stop when V̄ Ūᵀ changes by less than this, relative to its norm.

    Raises:
        InputError: the residual of the start has fewer than `components` distinct values.
    """
    V, U, precisions = start(Y, rank)
    residual = Y - V.mean @ U.mean.T
    R = first_responsibilities(residual, components, rng)
    noise = noise_posterior(R, residual, residual**2, prior)
    converged = False
    for iteration in tracked(range(1, iterations + 1), "iterations at most", unit="iteration"):
        U = band_posterior(Y, R, noise, V, precisions)
        V = pixel_posterior(Y, R, noise, U, precisions)
        precisions = column_precisions(U, V, prior)
        kept = precisions <= prune_ratio * precisions.min()
        if not kept.all():
            U, V, precisions = U.columns(kept), V.columns(kept), precisions[kept]
        before = residual
        residual, square = residual_moments(Y, U, V)
        noise = noise_posterior(R, residual, square, prior)
        responsibilities(noise, residual, square, out=R)
        converged = linalg.norm(residual - before) < tolerance * linalg.norm(Y - before)
        if converged:
            break
    return Factorisation(V, U, precisions, noise, R, residual, iteration, bool(converged))


class Background(NamedTuple):
    """Low-rank part and noise of a factorisation, without its pixels."""

    U: Factor
    """Posterior of the basis, [L, r]."""
    precisions: Array
    """γ̄ of the columns, [r]."""
    noise: Noise
    """Posterior of the mixture."""

    def explain(
        self, Y: Array, *, iterations: int = 300, tolerance: float = 1e-3
    ) -> tuple[Array, Array]:
        """Residual ⟨e_ij⟩ [N, L] and responsibilities [k, N, L] of other pixels.

        q(v_i) and q(z_ij) are set to their optima in turn, the rest is held: first with the
        shares of the mixture for responsibilities. No pixel depends on another.

        Args:
            Y: [N, L].
            iterations: largest number of iterations.
            tolerance: a pixel is done when its residual changes by less than this, relative to
                the norm of its low-rank part.
        """
        shares = self.noise.alpha / self.noise.alpha.sum()
        R = np.broadcast_to(shares[:, None, None], (len(shares), *Y.shape)).copy()
        residual = Y.copy()
        left = np.arange(len(Y))
        for _ in tracked(range(iterations), "iterations at most", unit="iteration"):
            own, before = R[:, left], residual[left]
            V = pixel_posterior(Y[left], own, self.noise, self.U, self.precisions)
            after, square = residual_moments(Y[left], self.U, V)
            responsibilities(self.noise, after, square, out=own)
            residual[left], R[:, left] = after, own
            change = linalg.norm(after - before, axis=1)
            left = left[change >= tolerance * linalg.norm(Y[left] - before, axis=1)]
            if not left.size:
                break
        return residual, R


def start(Y: Array, rank: int) -> tuple[Factor, Factor, Array]:
    """V, U and γ̄ to begin with: the truncated SVD, its singular values shared equally.

    Covariances are the identity times the root mean square of Y, and γ̄ is that number.
    """
    left, singular, right = linalg.svd(Y, full_matrices=False)
    root = np.sqrt(singular[:rank])
    scale = float(np.sqrt(np.mean(Y**2)))

    def factor(mean: Array) -> Factor:
        return Factor(mean, np.tile(scale * np.eye(rank), (len(mean), 1, 1)))

    V, U = factor(left[:, :rank] * root), factor(right[:rank].T * root)
    return V, U, np.full(rank, scale)


def first_responsibilities(residual: Array, components: int, rng: np.random.Generator) -> Array:
    """One-hot [k, N, L]: every entry belongs to the nearest of k entries drawn at random."""
    values = residual.reshape(-1)
    for _ in range(_DRAWS):
        centres = values[rng.choice(values.size, components, replace=False)]
        if len(np.unique(centres)) == components:
            break
    else:
        raise InputError(
            f"the residual of the low-rank start has fewer than {components} distinct values; "
            "expected noise in the data, lower the number of noise components or the rank."
        )
    nearest = np.abs(residual - centres[:, None, None]).argmin(axis=0)
    return (nearest == np.arange(components)[:, None, None]).astype(np.float64)


def band_posterior(Y: Array, R: Array, noise: Noise, V: Factor, precisions: Array) -> Factor:
    """q(u_j) of all bands j."""
    rank = len(precisions)
    P = np.zeros((Y.shape[1], rank * rank))
    linear = np.zeros((Y.shape[1], rank))
    for rows in _blocks(len(Y)):
        W, T = _weights(Y[rows], R[:, rows], noise)
        P += W.T @ V.moments(rows)
        linear += T.T @ V.mean[rows]
    return _gaussian(P, linear, precisions)


def pixel_posterior(Y: Array, R: Array, noise: Noise, U: Factor, precisions: Array) -> Factor:
    """q(v_i) of all pixels i."""
    rank = len(precisions)
    mean = np.empty((len(Y), rank))
    covariance = np.empty((len(Y), rank, rank))
    moments = U.moments()
    for rows in _blocks(len(Y)):
        W, T = _weights(Y[rows], R[:, rows], noise)
        mean[rows], covariance[rows] = _gaussian(W @ moments, T @ U.mean, precisions)
    return Factor(mean, covariance)


def column_precisions(U: Factor, V: Factor, prior: float) -> Array:
    """γ̄ [r], the mean of q(γ_r)."""
    shape = prior + (len(U.mean) + len(V.mean)) / 2
    return shape / (prior + (U.squares() + V.squares()) / 2)


def residual_moments(Y: Array, U: Factor, V: Factor) -> tuple[Array, Array]:
    """⟨e_ij⟩ and ⟨e_ij²⟩, [N, L] each."""
    mean, square = np.empty_like(Y), np.empty_like(Y)
    moments = U.moments().T
    for rows in _blocks(len(Y)):
        fit = V.mean[rows] @ U.mean.T
        mean[rows] = Y[rows] - fit
        square[rows] = mean[rows] ** 2 + (V.moments(rows) @ moments - fit**2)
    return mean, square


def noise_posterior(R: Array, mean: Array, square: Array, prior: float) -> Noise:
    """q(π) and q(μ_k, τ_k) from the moments of the residual."""
    n = R.sum(axis=(1, 2))
    beta = prior + n
    m = np.einsum("kij,ij->k", R, mean) / beta
    d = prior + (np.einsum("kij,ij->k", R, square) - beta * m**2) / 2
    return Noise(prior + n, beta, m, prior + n / 2, d)


def responsibilities(noise: Noise, mean: Array, square: Array, out: Array) -> None:
    """q(z_ij) of all entries, [k, N, L], written to `out`."""
    tau = noise.precision[:, None, None]
    m = noise.mean[:, None, None]
    constant = psi(noise.alpha) + (psi(noise.c) - np.log(noise.d) - 1 / noise.beta) / 2
    constant = constant[:, None, None] - tau * m**2 / 2
    for rows in _blocks(len(mean)):
        log = constant + tau * (m * mean[rows] - square[rows] / 2)
        out[:, rows] = softmax(log, axis=0)


def _weights(Y: Array, R: Array, noise: Noise) -> tuple[Array, Array]:
    """w_ij and t_ij of some pixels, [n, L] each."""
    tau = noise.precision
    W = np.tensordot(tau, R, axes=1)
    return W, W * Y - np.tensordot(tau * noise.mean, R, axes=1)


def _gaussian(P: Array, linear: Array, precisions: Array) -> Factor:
    """Rows' posterior from flat precisions [n, r²], without γ̄, and linear terms [n, r]."""
    rank = len(precisions)
    # With P + diag γ̄ = C Cᵀ the covariance is C⁻ᵀ C⁻¹: symmetric and positive definite as
    # computed, which an inverse through LU is not.
    C = np.linalg.cholesky(P.reshape(-1, rank, rank) + np.diag(precisions))
    half = np.linalg.inv(C)
    covariance = half.transpose(0, 2, 1) @ half
    return Factor(np.einsum("nrs,ns->nr", covariance, linear), covariance)


def _blocks(count: int) -> Iterator[slice]:
    for first in range(0, count, _BLOCK):
        yield slice(first, first + _BLOCK)
