"""Third-order tensors under the t-product: low rank by weighted shrinking of t-SVDs.

The t-product A ∗ B of tensors [n₁, n, n₃] and [n, n₂, n₃] is the product of the block-circulant
matrix of A's frontal slices with the stacked slices of B. A discrete Fourier transform along the
third axis turns it into one matrix product per frontal slice (M. E. Kilmer and C. D. Martin,
"Factorization strategies for third-order tensors", Linear Algebra and its Applications 435(3),
2011). Everything here works on these slices, kept as a stack of matrices [s, n₁, n₂]: a real
tensor is known from the s = ⌊n₃/2⌋ + 1 slices of its one-sided transform.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.runtime.progress import tracked

Real = npt.NDArray[np.float64]
Slices = npt.NDArray[np.complex128]

_GROWTH = 1.1
_FIRST_PENALTY = 1e-4
_SMALLEST = 1e-6
"""What the weights add to a singular value, so that one of 0 has a finite weight."""


class Split(NamedTuple):
    """A tensor [n₁, n₂, n₃] as the sum of two parts of the same shape."""

    low_rank: Real
    sparse: Real


def to_slices(X: Real) -> Slices:
    """The Fourier slices [s, n₁, n₂] of a tensor [n₁, n₂, n₃]."""
    return np.ascontiguousarray(np.moveaxis(np.fft.rfft(X, axis=2), 2, 0))


def from_slices(F: Slices, depth: int) -> Real:
    """The tensor [n₁, n₂, n₃] whose Fourier slices these are, for n₃ = `depth`."""
    return np.ascontiguousarray(np.fft.irfft(np.moveaxis(F, 0, 2), depth, axis=2))


def shrink_ranks(F: Slices, amount: float, pivot: int) -> Slices:
    """Slices [s, n₁, n₂] with their singular values shrunk, small ones by more than large ones.

    The k-th singular value σₖ of a slice becomes max(σₖ − amount · wₖ, 0) with the weight

        wₖ = (σ_pivot + ε) / (σₖ + ε),   ε = 1e-6,

    which is 1 for the pivot. With given weights that do not decrease with k, this is the proximal
    operator of amount · ‖·‖, the weighted tensor nuclear norm (the sum of the weighted singular
    values of all n₃ slices over n₃).

    Args:
        F: Fourier slices of a real tensor.
        amount: of the shrinking, at least 0.
        pivot: number of the singular value with weight 1, counted from 1; the last one where
            there are fewer.
    """
    U, sigma, Vh = np.linalg.svd(F, full_matrices=False)
    unit = sigma[:, min(pivot, sigma.shape[1]) - 1][:, None]
    weights = (unit + _SMALLEST) / (sigma + _SMALLEST)
    return (U * np.maximum(sigma - amount * weights, 0.0)[:, None, :]) @ Vh


def shrink_tubes(X: Real, amount: float) -> Real:
    """A tensor [n₁, n₂, n₃] with its tubes X[i, j, :] shortened by an amount, at most to 0.

    The proximal operator of amount · Σᵢⱼ ‖X[i, j, :]‖₂.
    """
    lengths = np.sqrt(np.einsum("ijk,ijk->ij", X, X))
    kept = np.maximum(lengths - amount, 0.0) / np.where(lengths > 0, lengths, 1.0)
    return X * kept[:, :, None]


def robust_pca(X: Real, weight: float, *, pivot: int, iterations: int) -> Split:
    """Tensor robust PCA: min ‖L‖ + weight · Σᵢⱼ ‖S[i, j, :]‖₂, subject to X = L + S.

    ‖L‖ is the weighted tensor nuclear norm of :func:`shrink_ranks`. ADMM with a penalty that
    begins at 1e-4 and grows by a tenth in every iteration.

    Args:
        X: [n₁, n₂, n₃].
        weight: of the sparse part.
        pivot: see :func:`shrink_ranks`.
        iterations: how many.
    """
    depth, penalty = X.shape[2], _FIRST_PENALTY
    L, S, Y = np.zeros_like(X), np.zeros_like(X), np.zeros_like(X)
    for _ in tracked(range(iterations), "background of the tensor", unit="iteration"):
        L = from_slices(shrink_ranks(to_slices(X - S - Y / penalty), 1 / penalty, pivot), depth)
        S = shrink_tubes(X - L - Y / penalty, weight / penalty)
        Y += penalty * (L + S - X)
        penalty *= _GROWTH
    return Split(L, S)


def represent(X: Real, A: Real, weight: float, *, pivot: int, iterations: int) -> Split:
    """Low-rank representation: min ‖Z‖ + weight · Σᵢⱼ ‖E[i, j, :]‖₂, subject to X = A ∗ Z + E.

    The norms are those of :func:`robust_pca`. ADMM with a copy J = Z and the same penalties; J is
    the solution of a least-squares problem with the matrix I + AᵀA of every slice.

    Args:
        X: [n₁, n₂, n₃].
        A: dictionary [n₁, n₄, n₃].
        weight: of the sparse part.
        pivot: see :func:`shrink_ranks`.
        iterations: how many.

    Returns:
        A ∗ J and E.
    """
    depth, penalty = X.shape[2], _FIRST_PENALTY
    D, target = to_slices(A), to_slices(X)
    adjoint = np.conj(np.swapaxes(D, 1, 2))
    inverse = np.linalg.inv(adjoint @ D + np.eye(D.shape[2]))
    J = np.zeros((len(D), D.shape[2], X.shape[1]), np.complex128)
    of_copy, of_sum = np.zeros_like(J), np.zeros_like(target)
    E, represented = np.zeros_like(X), np.zeros_like(target)
    for _ in tracked(range(iterations), "representation by the background", unit="iteration"):
        Z = shrink_ranks(J - of_copy / penalty, 1 / penalty, pivot)
        rest = target - represented + of_sum / penalty
        E = shrink_tubes(from_slices(rest, depth), weight / penalty)
        sparse = to_slices(E)
        J = inverse @ (
            Z + of_copy / penalty + adjoint @ (target - sparse + of_sum / penalty)
        )
        represented = D @ J
        of_copy += penalty * (Z - J)
        of_sum += penalty * (target - represented - sparse)
        penalty *= _GROWTH
    return Split(from_slices(represented, depth), E)
