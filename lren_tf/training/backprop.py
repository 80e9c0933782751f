"""Losses and gradients of one training step of one network, written out layer by layer.

The density term couples all pixels, but only through their latent samples: nine numbers a
pixel. So a step makes three passes:

1. forward through the encoder, slice by slice of pixels;
2. the density loss on the latent samples of all pixels, and its gradient by them;
3. slice by slice again, forward through the decoder and back to the input, with the gradients of
   density and reconstruction added at the latent layer.

The result is that of a gradient tape over the whole network, to rounding. Written out, the
step uses the activations of a slice while they are in the cache, computes the residual x̂ − x in
one fused operation, and neither scales nor copies an array as long as the scene only to fit a
chain rule.

Rows of the input are aligned: they have ``aligned_width`` columns, so that each starts on a cache
line, and the first column after the bands is one. The bias of a tanh layer is then a row of its
matrix, and so is the bias' gradient. (With a separate bias TensorFlow would fuse the tanh into the
product, and that tanh is the slower one.)

The forward pass is written five times: as Keras layers in :mod:`lren_tf.model.network`, here,
for several networks in :mod:`lren_tf.training.backprop_members`, in
:func:`lren_tf.training.losses.frozen_pass`, and the estimator's in
:mod:`lren_tf.latent.responsibilities`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

_ALIGNMENT = 16
"""float32 numbers in a cache line."""
_SLICE = 2048
"""Pixels per slice: activations of 400 units then take 3 MiB, about a core's cache."""
_MOST_SLICES = 8
"""Largest number of slices: each is a copy of the step in the graph."""


class Affine(NamedTuple):
    """Weights ``[fan_in, fan_out]`` and biases ``[fan_out]`` of a layer."""

    kernel: tf.Tensor
    bias: tf.Tensor


class Gradients(NamedTuple):
    """Losses of a step and their gradients."""

    reconstruction: tf.Tensor
    """Mean over pixels of ‖h − ĥ‖², eq. (5), scalar."""
    density: Any
    """Second result of the density function."""
    autoencoder: list[tf.Tensor]
    """Gradients of kernels and biases of the four layers, in their order."""
    estimator: list[tf.Tensor]
    """Gradients of the density variables, in their order."""


def aligned_width(bands: int) -> int:
    """Return P, the number of columns of an aligned row for ``bands`` bands and a one."""
    return _ALIGNMENT * -(-(bands + 1) // _ALIGNMENT)


def align(x: np.ndarray) -> np.ndarray:
    """Copy standardised pixels ``[N, U]`` to aligned rows ``[N, aligned_width(U)]``, float32."""
    n, bands = x.shape
    rows = np.zeros((n, aligned_width(bands)), np.float32)
    rows[:, :bands] = x
    rows[:, bands] = 1.0
    return rows


def loss_gradients(
    x: tf.Tensor,
    layers: Sequence[Affine],
    density: Callable[[tf.Tensor], tuple[tf.Tensor, Any]],
    density_variables: Sequence[tf.Tensor],
    *,
    tanh_latent: bool,
    count: tf.Tensor | None = None,
) -> Gradients:
    """Return loss and gradients of mean ‖h − ĥ‖² + density(z).

    Args:
        x: aligned rows ``[n, P]``, see :func:`align`.
        layers: hidden and latent layer of the encoder, hidden and output layer of the decoder.
        density: maps latent samples ``[n, l]`` to a scalar loss and anything else.
        density_variables: other tensors that the density depends on.
        tanh_latent: whether the latent layer ends in a tanh.
        count: divisor of the mean, scalar in the precision of x: for a part of a batch, the
            number of pixels in the batch; None for n.
    """
    one, two, three, four = layers
    bands = four.kernel.shape[1]
    width = x.shape[1]
    n = tf.cast(tf.shape(x)[0], x.dtype) if count is None else count
    K1 = _first_matrix(one, width)
    K3 = tf.concat([three.kernel, three.bias[None]], axis=0)
    # The output layer is negated, which turns x − x̂ into a product, a bias and a sum, and
    # its bias ends in −1, so that the column of ones leaves no residual.
    K4 = tf.pad(-four.kernel, [[0, 0], [0, width - bands]])
    b4 = tf.concat([-four.bias, [-1.0], tf.zeros([width - bands - 1], x.dtype)], axis=0)

    parts = slices(x)
    hidden, latent = [], []
    for part in parts:
        h, z = _encoded(part, K1, two, tanh_latent)
        hidden.append(h)
        latent.append(z)

    z_all = tf.concat(latent, axis=0)
    # Cut from the whole again, the decoder waits for all slices of the encoder, and so its
    # long products run beside the density's short operations instead of before them.
    latent = slices(z_all, len(parts))
    with tf.GradientTape() as tape:
        tape.watch([z_all, *density_variables])
        loss, rest = density(z_all)
    from_density, *estimator = tape.gradient(
        loss, [z_all, *density_variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )

    squares, sums = [], []
    for part, h, z, dz in zip(
        parts, hidden, latent, slices(from_density, len(parts)), strict=True
    ):
        z1 = tf.concat([z, tf.ones([tf.shape(z)[0], 1], z.dtype)], axis=1)
        g = tf.tanh(tf.matmul(z1, K3))
        residual = tf.nn.bias_add(tf.matmul(g, K4), b4) + part
        dg = tf.raw_ops.TanhGrad(y=g, dy=tf.matmul(residual, (2.0 / n) * K4, transpose_b=True))
        dz = dz + tf.matmul(dg, three.kernel, transpose_b=True)
        if tanh_latent:
            dz = tf.raw_ops.TanhGrad(y=z, dy=dz)
        dh = tf.raw_ops.TanhGrad(y=h, dy=tf.matmul(dz, two.kernel, transpose_b=True))
        squares.append(tf.nn.l2_loss(residual))
        sums.append(
            (
                tf.matmul(part, dh, transpose_a=True),
                tf.matmul(h, dz, transpose_a=True),
                _column_sums(dz),
                tf.matmul(z1, dg, transpose_a=True),
                tf.matmul(g, residual, transpose_a=True),
                _column_sums(residual),
            )
        )
    G1, G2, g2, G3, G4, g4 = (tf.add_n(terms) for terms in zip(*sums, strict=True))
    scale = -2.0 / n
    return Gradients(
        reconstruction=2.0 * tf.add_n(squares) / n,
        density=rest,
        autoencoder=[
            G1[:bands], G1[bands], G2, g2, G3[:-1], G3[-1],
            scale * G4[:, :bands], scale * g4[:bands],
        ],
        estimator=estimator,
    )


def latent_samples(
    x: tf.Tensor, layers: Sequence[Affine], *, tanh_latent: bool
) -> tf.Tensor:
    """Return latent samples ``[n, l]`` of aligned rows, equal to those of :func:`loss_gradients`.

    Args:
        x: aligned rows ``[n, P]``.
        layers: layers that begin with hidden and latent layer of the encoder.
        tanh_latent: whether the latent layer ends in a tanh.
    """
    K1 = _first_matrix(layers[0], x.shape[1])
    return tf.concat(
        [_encoded(part, K1, layers[1], tanh_latent)[1] for part in slices(x)], axis=0
    )


def _first_matrix(one: Affine, width: int) -> tf.Tensor:
    """Return weights and bias of the first layer as a matrix ``[P, hidden]`` for aligned rows."""
    bands, units = one.kernel.shape
    padding = tf.zeros([width - bands - 1, units], one.kernel.dtype)
    return tf.concat([one.kernel, one.bias[None], padding], axis=0)


def _encoded(
    part: tf.Tensor, K1: tf.Tensor, two: Affine, tanh_latent: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return activations of the hidden layer and latent samples of a slice."""
    h = tf.tanh(tf.matmul(part, K1))
    z = tf.nn.bias_add(tf.matmul(h, two.kernel), two.bias)
    return h, tf.tanh(z) if tanh_latent else z


def slices(x: tf.Tensor, count: int | None = None, axis: int = 0) -> list[tf.Tensor]:
    """Split pixels into slices that stay in the cache while a step works on them.

    Args:
        x: an array with pixels along `axis`.
        count: number of slices; None for one that suits the length if the graph knows it, else 1.
        axis: axis of the pixels.
    """
    n = x.shape[axis]
    if count is None:
        count = 1 if n is None else max(1, min(_MOST_SLICES, n // _SLICE))
    if count == 1:
        return [x]
    size, extra = divmod(n, count)
    return tf.split(x, [size + 1] * extra + [size] * (count - extra), axis)


def _column_sums(x: tf.Tensor) -> tf.Tensor:
    """Return the sum over rows, ``[columns]``, by a matrix product, which is the fastest."""
    return tf.matmul(tf.ones([1, tf.shape(x)[0]], x.dtype), x)[0]
