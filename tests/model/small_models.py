"""Small models on simulated scenes, and a plain reference of the network in float64.

The networks are narrow, so that a fit takes about a second, most of it tracing.
"""

import functools

import numpy as np
import tensorflow as tf

from lren_tf import LREN
from lren_tf.datasets import simulate
from lren_tf.model.network import LAYERS

SMALL = {"hidden_units": 16, "estimator_units": 8}
PRESETS = ("paper", "release")
SCENE = simulate(12, 11, 20, seed=1)
OTHER = simulate(12, 11, 20, seed=2)


def fitted(preset="paper", data=SCENE, epochs=3, **settings):
    model = LREN(preset, **SMALL, **settings)
    model.fit(data, epochs=epochs, verbose=0)
    return model


@functools.cache
def baseline(preset="paper", epochs=3):
    """Scores of a plain fit, for tests that arrive at the same model another way."""
    return fitted(preset, epochs=epochs).score(SCENE)


def trained_weights(model):
    """Kernels and biases of the only network, without the member axis."""
    return [variable.numpy()[0] for variable in model.trainable_variables]


def zscore(pixels):
    pixels = np.asarray(pixels, np.float64)
    return (pixels - pixels.mean(axis=0)) / pixels.std(axis=0)


# --- a plain reference in float64 --------------------------------------------------------


def layers(weights):
    """Kernels and biases by layer, in the order the paper lists the networks."""
    pairs = zip(weights[::2], weights[1::2], strict=True)
    return dict(zip(LAYERS, pairs, strict=True))


def forward(weights, x, latent=tf.identity):
    by_name = layers(weights)

    def dense(name, h):
        kernel, bias = by_name[name]
        return tf.matmul(h, kernel) + bias

    z = latent(dense("encoder_latent", tf.tanh(dense("encoder_hidden", x))))
    x_hat = dense("decoder_output", tf.tanh(dense("decoder_hidden", z)))
    beta = tf.nn.softmax(dense("estimator_output", tf.tanh(dense("estimator_hidden", z))))
    return z, x_hat, beta


def reference_loss(weights, x, energy_weight, penalty_weight, floor=1e-6, latent=tf.identity):
    """Eqs. (2), (5), (8)-(11), with explicit inverses and determinants."""
    z, x_hat, beta = forward(weights, x, latent)
    reconstruction = tf.reduce_mean(tf.reduce_sum((x - x_hat) ** 2, axis=1))
    mass = tf.reduce_sum(beta, axis=0)
    mu = tf.einsum("nk,nl->kl", beta, z) / mass[:, None]
    d = z[:, None, :] - mu[None]
    Gamma = tf.einsum("nk,nki,nkj->kij", beta, d, d) / mass[:, None, None]
    floored = Gamma + floor * tf.eye(z.shape[1], dtype=z.dtype)
    distances = tf.einsum("nki,kij,nkj->nk", d, tf.linalg.inv(floored), d)
    density = mass / len(x) / tf.sqrt(tf.linalg.det(2 * np.pi * floored))
    energy = tf.reduce_mean(-tf.math.log(tf.reduce_sum(density * tf.exp(-distances / 2), axis=1)))
    penalty = tf.reduce_sum(1 / tf.linalg.diag_part(Gamma))
    terms = {"reconstruction": reconstruction, "energy": energy, "covariance_penalty": penalty}
    return reconstruction + energy_weight * energy + penalty_weight * penalty, terms


def reference_gradients(weights, x, *arguments, **options):
    variables = [tf.Variable(w, dtype=tf.float64) for w in weights]
    with tf.GradientTape() as tape:
        loss, terms = reference_loss(variables, tf.constant(x), *arguments, **options)
    gradients = [g.numpy() for g in tape.gradient(loss, variables)]
    return float(loss), {name: float(term) for name, term in terms.items()}, gradients


def largest(arrays):
    return max(np.abs(array).max() for array in arrays)
