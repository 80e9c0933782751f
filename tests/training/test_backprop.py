"""The written-out step gives the gradients of a tape over the whole network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.training.backprop import Affine, align, aligned_width, loss_gradients

L, H, Z, K = 21, 30, 4, 3


@pytest.fixture
def network():
    rng = np.random.default_rng(5)
    shapes = [(L, H), (H, Z), (Z, H), (H, L)]
    layers = [
        Affine(
            tf.constant(rng.normal(0, 0.3, shape), tf.float32),
            tf.constant(rng.normal(0, 0.3, shape[1]), tf.float32),
        )
        for shape in shapes
    ]
    return layers, tf.constant(rng.normal(0, 0.5, (Z, K)), tf.float32)


def density(V):
    """A loss that couples all pixels and has a variable of its own."""

    def loss(z):
        share = tf.reduce_mean(tf.nn.softmax(tf.matmul(z, V)), axis=0)
        return tf.reduce_sum(tf.square(share)) + tf.reduce_mean(tf.square(z)), share

    return loss


@pytest.mark.parametrize("tanh_latent", [False, True])
@pytest.mark.parametrize("pixels", [1, 37, 2 * 2048 + 3])
def test_gradients_are_those_of_a_tape(network, pixels, tanh_latent):
    layers, V = network
    x = np.random.default_rng(0).normal(size=(pixels, L)).astype(np.float32)
    flat = [t for layer in layers for t in layer]
    with tf.GradientTape() as tape:
        tape.watch([*flat, V])
        h = tf.tanh(x @ layers[0].kernel + layers[0].bias)
        z = h @ layers[1].kernel + layers[1].bias
        z = tf.tanh(z) if tanh_latent else z
        g = tf.tanh(z @ layers[2].kernel + layers[2].bias)
        x_hat = g @ layers[3].kernel + layers[3].bias
        reconstruction = tf.reduce_mean(tf.reduce_sum(tf.square(x_hat - x), axis=1))
        loss = reconstruction + density(V)(z)[0]
    expected = tape.gradient(loss, [*flat, V])
    result = loss_gradients(
        tf.constant(align(x)), layers, density(V), [V], tanh_latent=tanh_latent
    )
    np.testing.assert_allclose(result.reconstruction, reconstruction, rtol=1e-5)
    np.testing.assert_allclose(result.density, density(V)(z)[1], rtol=1e-5)
    for got, want in zip([*result.autoencoder, *result.estimator], expected, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5 * np.abs(want).max())


def test_a_batch_of_unknown_length_gives_the_same(network):
    layers, V = network
    x = align(np.random.default_rng(1).normal(size=(50, L)).astype(np.float32))

    def gradients(batch):
        return loss_gradients(batch, layers, density(V), [V], tanh_latent=False).autoencoder

    unknown = tf.function(gradients, input_signature=[tf.TensorSpec([None, x.shape[1]])])
    for got, want in zip(unknown(x), gradients(tf.constant(x)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("bands", "width"), [(1, 16), (15, 16), (16, 32), (189, 192)])
def test_rows_are_whole_cache_lines_with_room_for_a_one(bands, width):
    x = np.arange(3 * bands, dtype=np.float32).reshape(3, bands)
    rows = align(x)
    assert rows.shape == (3, width) and width == aligned_width(bands)
    np.testing.assert_array_equal(rows[:, :bands], x)
    np.testing.assert_array_equal(rows[:, bands], 1)
    np.testing.assert_array_equal(rows[:, bands + 1 :], 0)
