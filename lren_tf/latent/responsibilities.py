"""Responsibilities β of the density estimator, eq. (7), with pixels as the last axis.

These are the two layers of the model, written for the training step: the softmax runs along
contiguous memory, and the mixture, which needs its samples in that layout too, gets them without
a transposition. Every array may have further axes in front, "…", for several members.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def responsibilities(
    z: tf.Tensor, hidden: tuple[tf.Tensor, tf.Tensor], output: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Responsibilities ``[…, N, k]`` of latent samples ``[…, N, l]``, rows sum to one.

    Args:
        z: latent samples.
        hidden: kernel ``[…, l, units]`` and bias ``[…, units]`` of the tanh layer.
        output: kernel ``[…, units, k]`` and bias ``[…, k]`` of the softmax layer.
    """
    zt = tf.linalg.matrix_transpose(z)
    # The bias as a row of the matrix: adding it to [units, N] would be another pass.
    ones = tf.ones([*z.shape[:-2], 1, tf.shape(zt)[-1]], zt.dtype)
    K = tf.concat([hidden[0], hidden[1][..., None, :]], axis=-2)
    activations = tf.tanh(tf.matmul(K, tf.concat([zt, ones], axis=-2), transpose_a=True))
    logits = tf.matmul(output[0], activations, transpose_a=True) + output[1][..., None]
    return tf.linalg.matrix_transpose(_softmax(logits))


@tf.custom_gradient
def _softmax(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """exp(x) / Σ exp(x) over the last but one axis; its adjoint is β ⊙ (g − Σ g β)."""
    shifted = tf.exp(logits - tf.reduce_max(logits, axis=-2, keepdims=True))
    beta = shifted * (1.0 / tf.reduce_sum(shifted, axis=-2, keepdims=True))

    def adjoint(g: tf.Tensor) -> tf.Tensor:
        weighted = g * beta
        return weighted - beta * tf.reduce_sum(weighted, axis=-2, keepdims=True)

    return beta, adjoint
