"""Losses and gradients of one training step, layer by layer.

The density term couples all pixels, but only through their latent samples: nine numbers a
pixel. So a step goes three ways:

1. forward through the encoder, slice by slice of pixels;
2. the density loss on the latent samples of all pixels, and its gradient there;
3. slice by slice again, through the decoder and back to the input, the density's gradient
   joining the reconstruction's at the latent layer.

It gives what a gradient tape over the whole network gives, to rounding. Written out, the
activations of a slice are used while they are still in the cache, the residual x̂ − x is
one fused operation, and no array as long as the scene is scaled or copied just to fit a
chain rule.

Rows of the input are aligned: ``aligned_width`` columns, so that each starts on a cache
line, of which the first after the bands holds ones. The bias of a tanh layer is then a row
of its matrix, and so is the bias' gradient. (A bias of its own would also let TensorFlow
fuse the tanh into the product, whose tanh is the slower one.)
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
"""Each slice is a copy of the step in the graph."""


class Affine(NamedTuple):
    """Weights ``[fan_in, fan_out]`` and biases ``[fan_out]`` of a layer."""

    kernel: tf.Tensor
    bias: tf.Tensor


class Gradients(NamedTuple):
    """Losses of a step and their gradients."""

    reconstruction: tf.Tensor
    """Mean over pixels of ‖h − ĥ‖², eq. (5), scalar."""
    density: Any
    """What the density function returned besides its loss."""
    autoencoder: list[tf.Tensor]
    """Gradients of kernels and biases of the four layers, in their order."""
    estimator: list[tf.Tensor]
    """Gradients of the density's own variables, in their order."""


def aligned_width(bands: int) -> int:
    """Columns of an aligned row for ``bands`` bands and a one."""
    return _ALIGNMENT * -(-(bands + 1) // _ALIGNMENT)


def align(x: np.ndarray) -> np.ndarray:
    """Standardised pixels ``[N, U]`` as aligned rows ``[N, aligned_width(U)]``, float32."""
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
    """Gradients of mean ‖h − ĥ‖² + density(z).

    Args:
        x: aligned rows ``[n, P]``, see :func:`align`.
        layers: hidden and latent layer of the encoder, hidden and output layer of the decoder.
        density: maps latent samples ``[n, l]`` to a scalar loss and anything else.
        density_variables: what the density depends on besides the latent samples.
        tanh_latent: whether the latent layer ends in a tanh.
        count: what the sum over the rows is divided by for a mean, scalar in the precision of x:
            of a part of a batch the pixels of the whole; None for n.
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

    parts = _slices(x)
    hidden, latent = [], []
    for part in parts:
        h, z = _encoded(part, K1, two, tanh_latent)
        hidden.append(h)
        latent.append(z)

    z_all = tf.concat(latent, axis=0)
    # Cut from the whole again, the decoder waits for all slices of the encoder, and so its
    # long products run beside the density's short operations instead of before them.
    latent = _slices(z_all, len(parts))
    with tf.GradientTape() as tape:
        tape.watch([z_all, *density_variables])
        loss, rest = density(z_all)
    from_density, *estimator = tape.gradient(
        loss, [z_all, *density_variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )

    squares, sums = [], []
    for part, h, z, dz in zip(
        parts, hidden, latent, _slices(from_density, len(parts)), strict=True
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
    """Latent samples ``[n, l]`` of aligned rows, as :func:`loss_gradients` gets them.

    Args:
        x: aligned rows ``[n, P]``.
        layers: hidden and latent layer of the encoder first.
        tanh_latent: as above.
    """
    K1 = _first_matrix(layers[0], x.shape[1])
    return tf.concat(
        [_encoded(part, K1, layers[1], tanh_latent)[1] for part in _slices(x)], axis=0
    )


def _first_matrix(one: Affine, width: int) -> tf.Tensor:
    """Weights and bias of the first layer for aligned rows, ``[P, hidden]``."""
    bands, units = one.kernel.shape
    padding = tf.zeros([width - bands - 1, units], one.kernel.dtype)
    return tf.concat([one.kernel, one.bias[None], padding], axis=0)


def _encoded(
    part: tf.Tensor, K1: tf.Tensor, two: Affine, tanh_latent: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Activations of the hidden layer and latent samples of a slice."""
    h = tf.tanh(tf.matmul(part, K1))
    z = tf.nn.bias_add(tf.matmul(h, two.kernel), two.bias)
    return h, tf.tanh(z) if tanh_latent else z


def _slices(x: tf.Tensor, count: int | None = None) -> list[tf.Tensor]:
    """Consecutive rows; as many slices as suit a batch whose length the graph knows."""
    n = x.shape[0]
    if count is None:
        count = 1 if n is None else max(1, min(_MOST_SLICES, n // _SLICE))
    if count == 1:
        return [x]
    size, extra = divmod(n, count)
    return tf.split(x, [size + 1] * extra + [size] * (count - extra))


def _column_sums(x: tf.Tensor) -> tf.Tensor:
    """Sum over rows, ``[columns]``; a matrix product is the fastest way to it."""
    return tf.matmul(tf.ones([1, tf.shape(x)[0]], x.dtype), x)[0]
