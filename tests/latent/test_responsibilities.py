"""The responsibilities written for the training step against Keras' layers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from lren_tf.latent.responsibilities import responsibilities


def test_assignments_and_their_gradients_equal_those_of_keras_layers() -> None:
    rng = np.random.default_rng(0)
    z = tf.constant(rng.normal(size=(50, 4)), tf.float32)
    weights = tf.constant(rng.normal(size=(50, 3)), tf.float32)
    hidden = keras.layers.Dense(6, activation="tanh", bias_initializer="normal")
    output = keras.layers.Dense(3, activation="softmax", bias_initializer="normal")
    output(hidden(z))
    variables = [v.value for layer in (hidden, output) for v in layer.weights]

    def by_layers() -> tf.Tensor:
        return output(hidden(z))

    def by_hand() -> tf.Tensor:
        return responsibilities(z, (variables[0], variables[1]), (variables[2], variables[3]))

    results = []
    for compute in (by_layers, by_hand):
        with tf.GradientTape() as tape:
            tape.watch([z, *variables])
            beta = compute()
            loss = tf.reduce_sum(weights * beta)
        results.append([beta, *tape.gradient(loss, [z, *variables])])
    for expected, computed in zip(*results, strict=True):
        np.testing.assert_allclose(computed, expected, rtol=2e-5, atol=2e-6)


def test_large_logits_saturate_without_nan() -> None:
    z = tf.constant([[1e4], [-1e4]])
    kernel = tf.constant([[500.0, -500.0]])
    beta = responsibilities(
        z, (tf.ones([1, 1]), tf.zeros([1])), (kernel, tf.zeros([2]))
    )
    np.testing.assert_array_equal(beta, [[1.0, 0.0], [0.0, 1.0]])
