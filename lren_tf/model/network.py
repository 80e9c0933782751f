"""Layers of one network, and their weights in the form a training step needs."""

from __future__ import annotations

import keras
import numpy as np

from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform
from lren_tf.settings import Settings
from lren_tf.training.backprop import Affine
from lren_tf.training.losses import Network

LAYERS = tuple(RELEASE_OPERATION_SEEDS)
"""Names of a network's layers: encoder, decoder and estimator, two of each."""


def seed_of_member(seed: int, number: int) -> int:
    """Return the seed of a member's initial weights; member 0 has the seed of the settings."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def make_layers(settings: Settings, bands: int) -> dict[str, keras.layers.Dense]:
    """Create the layers of a network with their initial weights, by name.

    Args:
        settings: widths, activations and seed.
        bands: U, number of bands that enter the network.
    """
    s = settings
    l, k = s.latent_units, s.components
    plan = (
        (bands, s.hidden_units, "tanh"),
        (s.hidden_units, l, s.latent_activation),
        (l, s.hidden_units, "tanh"),
        (s.hidden_units, bands, "linear"),
        (l, s.estimator_units, "tanh"),
        (s.estimator_units, k, "softmax"),
    )
    layers = {}
    for name, initialiser, (fan_in, units, activation) in zip(
        LAYERS, _initialisers(s), plan, strict=True
    ):
        layer = keras.layers.Dense(
            units, activation=activation, kernel_initializer=initialiser, name=name,
            dtype="float32",
        )  # fmt: skip
        layer.build((None, fan_in))
        layers[name] = layer
    return layers


def network_of(model: keras.Model, settings: Settings) -> Network:
    """Return the network of a model, with the current values of its variables.

    Args:
        model: has the layers of :data:`LAYERS` as attributes.
        settings: settings of the model.
    """
    layers = [getattr(model, name).weights for name in LAYERS]
    return Network(
        [Affine(*(weight.value for weight in weights)) for weights in layers[:4]],
        [weight.value for weights in layers[4:] for weight in weights],
        [weight for weights in layers for weight in weights],
        settings,
    )


def _initialisers(settings: Settings) -> list[keras.initializers.Initializer]:
    seed = settings.seed
    if settings.initial_weights == "tf1_glorot_uniform":
        return [TF1GlorotUniform(seed, RELEASE_OPERATION_SEEDS[name]) for name in LAYERS]
    seeds = np.random.SeedSequence(seed).generate_state(len(LAYERS)) >> 1
    return [keras.initializers.GlorotUniform(seed=int(each)) for each in seeds]
