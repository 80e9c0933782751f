"""Losses and gradients of one training step of several networks at once.

What :mod:`lren_tf.training.backprop` does for one network, for m networks that are trained on the
same pixels. Their weights have a leading member axis. The pixels are the input of all of them, so
the first layer is one product with the weights of all members side by side, and so is its
gradient; all other products are batched over the members.

Activations have pixels as the last axis, which is where the first product puts them, and where
the mixture wants its latent samples. Only the residual x̂ − x has them as rows, as the pixels do.

The biases are rows of the matrices. So that the bias of the output layer is one too, the hidden
layer of the decoder gets a further unit, whose activation is tanh(:data:`_SATURATED`) = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from lren_tf.training.backprop import Affine, Gradients, slices

_SATURATED = 20.0
"""Input of a unit whose activation is 1: in float32 tanh is 1 from 10 on, and its slope 0."""


def loss_gradients(
    x: tf.Tensor,
    layers: Sequence[Affine],
    density: Callable[[tf.Tensor], tuple[tf.Tensor, Any]],
    density_variables: Sequence[tf.Tensor],
    *,
    tanh_latent: bool,
    count: tf.Tensor | None = None,
) -> Gradients:
    """Return loss and gradients of mean ‖h − ĥ‖² + density(z) of every member.

    Args:
        x: aligned rows ``[n, P]``, see :func:`lren_tf.training.backprop.align`.
        layers: hidden and latent layer of the encoder, hidden and output layer of the decoder:
            kernels ``[m, fan_in, fan_out]`` and biases ``[m, fan_out]``.
        density: maps latent samples ``[m, n, l]`` to a scalar loss, the sum over the members, and
            anything else.
        density_variables: other tensors that the density depends on.
        tanh_latent: whether the latent layer ends in a tanh.
        count: as for :func:`lren_tf.training.backprop.loss_gradients`.
    """
    one, two, three, four = layers
    members, bands = four.kernel.shape[0], four.kernel.shape[2]
    units = one.kernel.shape[2]
    n = tf.cast(tf.shape(x)[0], x.dtype) if count is None else count
    K1 = _first_matrix(one, x.shape[1])
    K3 = _with_bias(three)
    # The further unit, which no latent sample moves.
    idle = tf.zeros([members, K3.shape[1] - 1, 1], x.dtype)
    bias = tf.fill([members, 1, 1], tf.constant(_SATURATED, x.dtype))
    saturated = tf.concat([idle, bias], axis=1)
    K3_and_one = tf.concat([K3, saturated], axis=2)
    # A one in the row of the biases, so that the column of ones leaves no residual.
    ones = tf.pad(tf.ones([members, 1, 1], x.dtype), [[0, 0], [units, 0], [0, 0]])
    padding = tf.zeros([members, units + 1, x.shape[1] - bands - 1], x.dtype)
    K4 = tf.concat([_with_bias(four), ones, padding], axis=2)

    parts = slices(x)
    hidden, encoded = zip(*(_encoded(part, K1, two, tanh_latent) for part in parts), strict=True)
    z_all = tf.concat(encoded, axis=2)
    # Cut from the whole again, as for one network.
    latent = slices(z_all, len(parts), axis=2)
    with tf.GradientTape() as tape:
        tape.watch([z_all, *density_variables])
        loss, rest = density(tf.linalg.matrix_transpose(z_all))
    from_density, *estimator = tape.gradient(
        loss, [z_all, *density_variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )

    squares, sums = [], []
    for part, h, z, dz in zip(
        parts, hidden, latent, slices(from_density, len(parts), axis=2), strict=True
    ):
        z1 = tf.concat([z, tf.ones([members, 1, tf.shape(z)[2]], z.dtype)], axis=1)
        g = tf.tanh(tf.matmul(K3_and_one, z1, transpose_a=True))
        residual = tf.matmul(g, K4, transpose_a=True) - part
        dg = tf.matmul((2.0 / n) * K4, residual, transpose_b=True)
        dg = tf.raw_ops.TanhGrad(y=g, dy=dg)
        dz = dz + tf.matmul(K3_and_one[:, :-1], dg)
        if tanh_latent:
            dz = tf.raw_ops.TanhGrad(y=z, dy=dz)
        dh = tf.raw_ops.TanhGrad(y=h, dy=tf.matmul(two.kernel, dz))
        squares.append(tf.nn.l2_loss(residual))
        sums.append(
            (
                tf.matmul(tf.reshape(dh, [members * units, -1]), part),
                tf.matmul(h, dz, transpose_b=True),
                tf.reduce_sum(dz, axis=2),
                tf.matmul(z1, dg, transpose_b=True),
                tf.matmul(g, residual),
            )
        )
    G1, G2, g2, G3, G4 = (tf.add_n(terms) for terms in zip(*sums, strict=True))
    G1 = tf.transpose(tf.reshape(G1, [members, units, x.shape[1]]), [0, 2, 1])
    scale = 2.0 / n
    return Gradients(
        reconstruction=2.0 * tf.add_n(squares) / (n * members),
        density=rest,
        autoencoder=[
            G1[:, :bands], G1[:, bands], G2, g2, G3[:, :-1, :units], G3[:, -1, :units],
            scale * G4[:, :-1, :bands], scale * G4[:, -1, :bands],
        ],
        estimator=estimator,
    )


def latent_samples(x: tf.Tensor, layers: Sequence[Affine], *, tanh_latent: bool) -> tf.Tensor:
    """Return latent samples ``[m, n, l]`` of aligned rows, equal to those of `loss_gradients`.

    Args:
        x: aligned rows ``[n, P]``.
        layers: layers that begin with hidden and latent layer of the encoder.
        tanh_latent: whether the latent layer ends in a tanh.
    """
    K1 = _first_matrix(layers[0], x.shape[1])
    parts = [_encoded(part, K1, layers[1], tanh_latent)[1] for part in slices(x)]
    return tf.linalg.matrix_transpose(tf.concat(parts, axis=2))


def _first_matrix(one: Affine, width: int) -> tf.Tensor:
    """Return weights and biases of the first layers side by side, ``[m·hidden, P]``."""
    members, bands, units = one.kernel.shape
    padding = tf.zeros([members, width - bands - 1, units], one.kernel.dtype)
    rows = tf.concat([_with_bias(one), padding], axis=1)
    return tf.reshape(tf.transpose(rows, [0, 2, 1]), [members * units, width])


def _with_bias(layer: Affine) -> tf.Tensor:
    """Return weights with the bias as a further row, ``[m, fan_in + 1, fan_out]``."""
    return tf.concat([layer.kernel, layer.bias[:, None, :]], axis=1)


def _encoded(
    part: tf.Tensor, K1: tf.Tensor, two: Affine, tanh_latent: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return activations ``[m, hidden, n]`` and latent samples ``[m, l, n]`` of a slice."""
    members, units, _ = two.kernel.shape
    h = tf.reshape(tf.matmul(K1, part, transpose_b=True), [members, units, -1])
    h = tf.tanh(h)
    z = tf.matmul(two.kernel, h, transpose_a=True) + two.bias[:, :, None]
    return h, tf.tanh(z) if tanh_latent else z
