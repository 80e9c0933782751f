"""What a training step counts, what it moves, and the limit it is held against."""

from __future__ import annotations

import tensorflow as tf

from benchmarks.scenes import median_seconds
from lren_tf.settings import Settings
from lren_tf.training.backprop import aligned_width

SIDE = 2048
"""Of the float32 matrix product that is the limit."""


def weights_of(bands: int, settings: Settings) -> int:
    """Entries of the six matrices of a network on so many bands."""
    s = settings
    autoencoder = 2 * (bands * s.hidden_units + s.hidden_units * s.latent_units)
    return autoencoder + s.latent_units * s.estimator_units + s.estimator_units * s.components


def operations_per_pixel(bands: int, settings: Settings) -> int:
    """Floating-point operations of the layers' matrix products, per pixel and epoch.

    6·P − 2·L·H of every member, with P the weights of its layers and H hidden units: two per
    multiplication and addition, three products per layer, no input gradient for the first.
    Nothing else that a step does is counted, nor what it does twice.
    """
    first = bands * settings.hidden_units
    return settings.members * (6 * weights_of(bands, settings) - 2 * first)


def again_per_pixel(bands: int, settings: Settings) -> int:
    """Operations that a step in bounded memory makes a second time: encoder and estimator."""
    s = settings
    forward = bands * s.hidden_units + s.hidden_units * s.latent_units
    forward += s.latent_units * s.estimator_units + s.estimator_units * s.components
    return 2 * s.members * forward


def bytes_per_pixel(bands: int) -> int:
    """Bytes of a standardised pixel, which a step in bounded memory reads twice."""
    return 4 * aligned_width(bands)


def bytes_exchanged(bands: int, settings: Settings) -> int:
    """Bytes of float64 sums that workers add up in a step: gradients and the mixture's sums."""
    s = settings
    biases = 2 * s.hidden_units + s.latent_units + bands + s.estimator_units + s.components
    mixture = s.components * (1 + s.latent_units + s.latent_units**2)
    return 8 * s.members * (weights_of(bands, s) + biases + 2 * mixture + s.latent_units + 2)


def product_rate(repeats: int = 9) -> float:
    """Operations per second of a float32 matrix product of `SIDE`², median."""
    matrix = tf.random.normal((SIDE, SIDE))
    product = tf.function(tf.matmul)

    def run() -> None:
        product(matrix, matrix)[0, 0].numpy()

    median_seconds(run, 2)
    return 2 * SIDE**3 / median_seconds(run, repeats)
