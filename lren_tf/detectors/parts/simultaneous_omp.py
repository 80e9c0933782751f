"""Simultaneous orthogonal matching pursuit (SOMP) of many groups of signals at a time.

A group, here the pixels of a window, is coded with few atoms common to all of its signals:
the next atom is the one with the largest ℓ2 norm of its correlations with the residuals of
the group, and all signals are then refitted by least squares on the atoms chosen so far.

All groups advance together. Their chosen atoms are kept orthonormalised, so that a refit
only subtracts the newest direction q from the residuals R, and what decides about the next
atom is updated rather than recomputed: with t_j = qᵀ r_j the correlations of an atom d move by
−(dᵀ q) t, their sum of squares by ``−2 (dᵀ q) dᵀ(Σ_j t_j r_j) + (dᵀ q)² ‖t‖²``. That takes two
products with the dictionary per group and atom, however many signals a group has.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Correlations held at a time: a few arrays of 8 MiB.
_CHUNK_ELEMENTS = 1 << 20
_LARGEST_CHUNK = 1024
# Relative to the group's energy, below which sums of squares are rounding; and relative to
# the atom's norm, below which an atom depends linearly on those chosen before.
_NO_ENERGY = 1e-13
_DEPENDENT = 1e-7


class GroupCodes(NamedTuple):
    """Result of :func:`simultaneous_omp` for n groups."""

    atoms: Indices
    """Chosen atoms ``[n, K]`` in the order of choice; −1 where the pursuit ended earlier."""
    weights: Floats
    """Mean of |coefficient| over the group's signals ``[n, K]``; 0 where there is no atom."""
    residual: Floats
    """Mean over the group's signals of the residual's ℓ2 norm, ``[n]``."""


def simultaneous_omp(
    signals: Floats, groups: Indices, dictionary: Floats, sparsity: int, excluded: Indices
) -> GroupCodes:
    """Code groups of signals, each group with at most `sparsity` common atoms.

    A pursuit ends early when no atom is left or none correlates with the residuals.

    Args:
        signals: ``[N, L]``.
        groups: n groups of w signals each, as rows of `signals`, ``[n, w]``.
        dictionary: one atom per row, ``[m, L]``; compared as they are, so of equal norms.
        sparsity: K.
        excluded: rows of the dictionary ``[n, e]`` that a group may not use; −1 for none.
    """
    n, m = len(groups), len(dictionary)
    size = max(1, min(_LARGEST_CHUNK, _CHUNK_ELEMENTS // m))
    codes = GroupCodes(np.full((n, sparsity), -1), np.zeros((n, sparsity)), np.empty(n))
    for start in range(0, n, size):
        part = slice(start, start + size)
        coded = _code(signals[groups[part]], dictionary, sparsity, excluded[part])
        for whole, piece in zip(codes, coded, strict=True):
            whole[part] = piece
    return codes


def _code(R: Floats, dictionary: Floats, sparsity: int, excluded: Indices) -> GroupCodes:
    """The same for one chunk of groups R [n, w, L], which become their residuals."""
    n, w, L = R.shape
    groups = np.arange(n)
    energy = np.einsum("nwl,nwl->n", R, R)
    match = np.zeros((n, len(dictionary)))
    for j in range(w):
        match += np.square(R[:, j] @ dictionary.T)
    group, column = np.nonzero(excluded >= 0)
    match[group, excluded[group, column]] = -np.inf

    Q = np.zeros((n, sparsity, L))  # orthonormalised atoms
    triangle = np.tile(np.eye(sparsity), (n, 1, 1))  # chosen atoms = Qᵀ triangle
    T = np.zeros((n, sparsity, w))  # signals on Q
    atoms = np.full((n, sparsity), -1)
    for step in range(sparsity):
        best = match.argmax(axis=1)
        q, onto, norm = _orthogonalised(dictionary[best], Q[:, :step])
        going = match[groups, best] > _NO_ENERGY * energy
        going &= norm > _DEPENDENT * np.linalg.norm(dictionary[best], axis=1)
        if not going.any():
            break
        # A group that has ended goes on with q = 0, which changes nothing.
        q = np.divide(q, norm[:, None], out=np.zeros_like(q), where=going[:, None])
        triangle[:, :step, step] = np.where(going[:, None], onto, 0.0)
        triangle[:, step, step] = np.where(going, norm, 1.0)
        atoms[going, step] = best[going]
        Q[:, step] = q

        t = np.matmul(R, q[:, :, None])[:, :, 0]
        moved = np.matmul(t[:, None], R)[:, 0]
        R -= t[:, :, None] * q[:, None]
        T[:, step] = t
        on_q, on_moved = q @ dictionary.T, moved @ dictionary.T
        on_moved *= -2.0
        on_moved += on_q * np.square(t).sum(axis=1, keepdims=True)
        on_moved *= on_q
        match += on_moved
        match[groups, best] = -np.inf
    weights = np.abs(np.linalg.solve(triangle, T)).mean(axis=2)
    return GroupCodes(atoms, weights, np.linalg.norm(R, axis=2).mean(axis=1))


def _orthogonalised(atoms: Floats, Q: Floats) -> tuple[Floats, Floats, Floats]:
    """Atoms [n, L] less their parts in the bases Q [n, k, L]; those parts [n, k]; norms [n].

    Twice, because spectra are nearly parallel and once leaves them visibly oblique.
    """
    onto = np.zeros(Q.shape[:2])
    for _ in range(2):
        again = np.matmul(Q, atoms[:, :, None])[:, :, 0]
        atoms = atoms - np.matmul(again[:, None], Q)[:, 0]
        onto += again
    return atoms, onto, np.linalg.norm(atoms, axis=1)
