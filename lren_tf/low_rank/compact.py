"""Reduction of a low-rank problem to the dimensions that its atoms reach.

Where there are far fewer atoms than dimensions, as with spectra, the part of a pixel that no atom
reaches is one number, and the arrays of the solver are [m + 1, N] instead of [l, N].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


def compacts(D: np.ndarray, loss: str) -> bool:
    """Return whether to solve without the dimensions that no atom of D ``[m, l]`` reaches.

    Beyond the span of the atoms only the length of a pixel counts, except with the loss
    ``"l1"``, which a rotation changes. The reduction pays where it halves the work.
    """
    return loss != "l1" and D.shape[1] >= 2 * (len(D) + 1)


class CompactProblem(NamedTuple):
    """A problem of m atoms in m + 1 dimensions that stands for one in more."""

    X: np.ndarray
    """Coordinates in the basis, and the length of the rest, ``[N, m + 1]``."""
    D: np.ndarray
    """Coordinates of the atoms, and 0, ``[m, m + 1]``."""
    basis: np.ndarray
    """Orthonormal columns that span the atoms, ``[l, m]``."""
    direction: np.ndarray
    """Unit vector of the rest of each pixel ``[N, l]``, 0 where there is none."""

    def expand(self, M: np.ndarray) -> np.ndarray:
        """Rows ``[N, l]`` in the original dimensions, of rows ``[N, m + 1]``."""
        return M[:, :-1] @ self.basis.T + M[:, -1:] * self.direction


def compact_problem(X: np.ndarray, D: np.ndarray) -> CompactProblem:
    """Reduce a problem of samples ``[N, l]`` and atoms ``[m, l]`` to m + 1 dimensions.

    In the dimensions that no atom reaches W D is 0, and A and Y1, which start from zeros, stay
    multiples of the pixel's part there, with the same factor in every such dimension: one number
    per pixel. Row norms, Gram matrix, objective and residuals are those of the whole problem. The
    stopping rule compares the entries in the reduced coordinates.
    """
    basis, _ = np.linalg.qr(D.T)
    inside = X @ basis
    rest = X - inside @ basis.T
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    direction = np.divide(rest, length, out=np.zeros_like(rest), where=length > 0)
    atoms = np.pad(D @ basis, [(0, 0), (0, 1)])
    return CompactProblem(np.concatenate([inside, length], axis=1), atoms, basis, direction)


def compact_residual(
    residual: Callable[[tf.Tensor, np.ndarray], tf.Tensor], X: tf.Tensor, D: np.ndarray
) -> tf.Tensor:
    """Residual ``[N, l]`` from a solver of the reduced problem, on tensors.

    Args:
        residual: returns A of samples and atoms in the reduced dimensions.
        X: samples ``[N, l]``.
        D: atoms ``[m, l]``, in the precision of X.
    """
    # The same reduction as compact_problem, with N unknown.
    basis = np.linalg.qr(D.T)[0]
    inside = tf.matmul(X, basis)
    rest = X - tf.matmul(inside, basis, transpose_b=True)
    length = tf.norm(rest, axis=1, keepdims=True)
    A = residual(tf.concat([inside, length], axis=1), np.pad(D @ basis, [(0, 0), (0, 1)]))
    beyond = A[:, -1:] * tf.math.divide_no_nan(rest, length)
    return tf.matmul(A[:, :-1], basis, transpose_b=True) + beyond
