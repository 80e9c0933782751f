"""Proximal operators of the low-rank step, and the losses on its residual.

Pixels are the last axis here, as in :mod:`lren_tf.low_rank.admm`.
"""

from __future__ import annotations

import tensorflow as tf

LOSSES = ("l21", "l1", "frobenius")
"""Losses on the residual: Σᵢ‖Aᵢ‖₂ over pixels i, Σᵢⱼ|Aᵢⱼ|, ½‖A‖²_F."""


def singular_value_shrinkage(T: tf.Tensor, threshold: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Proximal operator of ``threshold``·‖·‖_*: U diag(max(σ − threshold, 0)) Vᵀ.

    Taken through the eigen-decomposition of T Tᵀ, never an SVD of the long matrix.

    Args:
        T: ``[r, N]`` with r much smaller than N.
        threshold: scalar.

    Returns:
        The shrunk matrix ``[r, N]`` and its singular values ``[r]``.
    """
    P, shrunk = shrinkage_matrix(tf.matmul(T, T, transpose_b=True), threshold)
    return tf.matmul(P, T), shrunk


def shrinkage_matrix(gram: tf.Tensor, threshold: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """P ``[r, r]`` such that P T is T with its singular values shrunk, and those values.

    ``gram`` is T Tᵀ.
    """
    eigenvalues, basis = tf.linalg.eigh(gram)
    sigma = tf.sqrt(tf.maximum(eigenvalues, 0.0))
    shrunk = tf.maximum(sigma - threshold, 0.0)
    gain = tf.math.divide_no_nan(shrunk, sigma)
    return tf.matmul(basis * gain, basis, transpose_b=True), shrunk


def residual_shrinkage(R: tf.Tensor, threshold: tf.Tensor, loss: str) -> tf.Tensor:
    """Proximal operator of ``threshold``·loss for R ``[l, N]``, pixels last.

    ``"l21"``: each column times max(1 − threshold/‖column‖₂, 0). ``"l1"``: each entry
    moved towards 0 by the threshold. ``"frobenius"``: R / (1 + threshold).
    """
    return residual_shrinkage_and_loss(R, threshold, loss)[0]


def residual_shrinkage_and_loss(
    R: tf.Tensor, threshold: tf.Tensor, loss: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """A = :func:`residual_shrinkage` of R, and the loss of A, which falls out on the way."""
    if loss == "l21":
        norms = tf.math.reduce_euclidean_norm(R, axis=0)
        shrunk = tf.nn.relu(norms - threshold)
        return R * tf.math.divide_no_nan(shrunk, norms), tf.reduce_sum(shrunk)
    if loss == "l1":
        A = tf.sign(R) * tf.maximum(tf.abs(R) - threshold, 0.0)
    else:
        A = R / (1.0 + threshold)
    return A, residual_loss(A, loss)


def residual_loss(A: tf.Tensor, loss: str) -> tf.Tensor:
    """Value of a loss of :data:`LOSSES` for A ``[l, N]``, pixels last."""
    if loss == "l21":
        return tf.reduce_sum(tf.sqrt(tf.reduce_sum(tf.square(A), axis=0)))
    if loss == "l1":
        return tf.reduce_sum(tf.abs(A))
    return tf.nn.l2_loss(A)
