"""Layers of the networks of a model, and their weights in the form a training step needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform
from lren_tf.settings import Settings
from lren_tf.training.backprop import Affine
from lren_tf.training.losses import Network

LAYERS = tuple(RELEASE_OPERATION_SEEDS)
"""Names of the layers: encoder, decoder and estimator, two of each."""


def seed_of_member(seed: int, number: int) -> int:
    """Return the seed of a member's initial weights; member 0 has the seed of the settings."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class MemberDense(keras.layers.Layer):
    """A dense layer of every member, with the weights of all members in one variable.

    A single member's arrays have no member axis; it computes what ``keras.layers.Dense`` does.

    Args:
        units: width of the layer.
        activation: name of the activation.
        initialisers: of the kernel of each of the m members.
        name: name of the layer.
    """

    def __init__(
        self,
        units: int,
        activation: str,
        initialisers: Sequence[keras.initializers.Initializer],
        name: str,
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._units = units
        self._activation = keras.activations.get(activation)
        self._initialisers = list(initialisers)

    def build(self, input_shape: Any) -> None:
        """Create kernel ``[m, fan_in, units]`` and bias ``[m, units]``."""
        shape = int(input_shape[-1]), self._units
        members = len(self._initialisers)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(members, *shape),
            initializer=lambda _, dtype: tf.stack(
                [initialiser(shape, dtype) for initialiser in self._initialisers]
            ),
        )
        self.bias = self.add_weight(
            name="bias", shape=(members, self._units), initializer="zeros"
        )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return activations ``[m, n, units]``, or ``[n, units]`` of a single member.

        Args:
            x: ``[n, fan_in]``, shared by the members; or of each, ``[m, n, fan_in]``.
        """
        kernel, bias = (without_single_axis(weight.value) for weight in (self.kernel, self.bias))
        if len(kernel.shape) == 3:
            bias = bias[:, None, :]
        return self._activation(tf.matmul(x, kernel) + bias)

    def load_own_variables(self, store: Any) -> None:
        """Load the weights of a file, also of one without a member axis, of a single member.

        Raises:
            InputError: the file is of another number of members, or of other widths.
        """
        load_stored(self, store)


def load_stored(layer: keras.layers.Layer, store: Any) -> None:
    """Load the weights of a layer, also such as an earlier version wrote, without a member axis.

    Args:
        layer: a layer with weights.
        store: arrays by the numbers of the weights.

    Raises:
        InputError: an array has another shape.
    """
    for number, weight in enumerate(layer.weights):
        values = np.asarray(store[str(number)])
        if tuple(weight.shape) not in (values.shape, (1, *values.shape)):
            raise InputError(
                f"the layer {layer.name!r} of the file has weights of shape {values.shape}, here "
                f"it has {tuple(weight.shape)}; expected a model of the same settings and bands, "
                "of this version where it has several members: fit it again."
            )
        weight.assign(values.reshape(weight.shape))


def without_single_axis(value: tf.Tensor) -> tf.Tensor:
    """Return weights without their member axis if there is one member; else as they are."""
    return tf.squeeze(value, 0) if value.shape[0] == 1 else value


def make_layers(settings: Settings, bands: int) -> dict[str, MemberDense]:
    """Create the layers of the networks with their initial weights, by name.

    Args:
        settings: widths, activations, seed, number of members.
        bands: U, number of bands that enter the networks.
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
    of_members = [_initialisers(s, seed_of_member(s.seed, i)) for i in range(s.members)]
    layers = {}
    for name, (fan_in, units, activation), *initialisers in zip(
        LAYERS, plan, *of_members, strict=True
    ):
        layers[name] = layer = MemberDense(units, activation, initialisers, name)
        layer.build((None, fan_in))
    return layers


def network_of(model: keras.Model, settings: Settings) -> Network:
    """Return the networks of a model, with the current values of their variables.

    Args:
        model: has the layers of :data:`LAYERS` as attributes.
        settings: settings of the model.
    """
    layers = [(layer.kernel, layer.bias) for layer in (getattr(model, name) for name in LAYERS)]
    values = [[without_single_axis(weight.value) for weight in layer] for layer in layers]
    return Network(
        [Affine(*layer) for layer in values[:4]],
        [weight for layer in values[4:] for weight in layer],
        [weight for layer in layers for weight in layer],
        settings,
    )


def _initialisers(settings: Settings, seed: int) -> list[keras.initializers.Initializer]:
    if settings.initial_weights == "tf1_glorot_uniform":
        return [TF1GlorotUniform(seed, RELEASE_OPERATION_SEEDS[name]) for name in LAYERS]
    seeds = np.random.SeedSequence(seed).generate_state(len(LAYERS)) >> 1
    return [keras.initializers.GlorotUniform(seed=int(each)) for each in seeds]
