"""Losses and gradients of one network on one batch, and the update of several networks.

:func:`joint_losses` is eq. (2). :func:`mapping_losses` and :func:`density_losses` are the two
phases of a separate training. All three have the whole batch in memory;
:mod:`lren_tf.training.chunked_step` computes the same a chunk of pixels at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from lren_tf.latent.mixture import Mixture, first_bad_component, mixture_loss
from lren_tf.latent.responsibilities import responsibilities
from lren_tf.settings import Settings
from lren_tf.training.backprop import Affine, loss_gradients
from lren_tf.training.optimizer import descend


class Terms(NamedTuple):
    """Losses that a training reports, float32 scalars."""

    loss: tf.Tensor
    reconstruction: tf.Tensor
    energy: tf.Tensor
    covariance_penalty: tf.Tensor


class Losses(NamedTuple):
    """Losses, gradients and mixture of one network in a step."""

    terms: Terms
    gradients: list[tf.Tensor]
    variables: list[keras.Variable]
    mixture: Mixture | None


class Network(NamedTuple):
    """Weights of one network as tensors, for the arithmetic of a step."""

    autoencoder: list[Affine]
    """Hidden and latent layer of the encoder, hidden and output layer of the decoder."""
    estimator: list[tf.Tensor]
    """Kernel and bias of the estimator's two layers."""
    variables: list[keras.Variable]
    """All trainable variables, in the order of the gradients."""
    settings: Settings

    @property
    def tanh_latent(self) -> bool:
        """Whether the latent layer ends in a tanh."""
        return self.settings.latent_activation == "tanh"

    def responsibilities(self, z: tf.Tensor) -> tf.Tensor:
        """Return the responsibilities ``[n, k]`` of latent samples ``[n, l]``, eq. (7)."""
        return responsibilities(z, tuple(self.estimator[:2]), tuple(self.estimator[2:]))


def joint_losses(network: Network, x: tf.Tensor) -> Losses:
    """Return eq. (2), reconstruction and density together, on aligned rows ``[n, P]``."""
    result = loss_gradients(
        x,
        network.autoencoder,
        lambda z: density_terms(network, z),
        network.estimator,
        tanh_latent=network.tanh_latent,
    )
    density_loss, energy, penalty, mixture = result.density
    reconstruction = result.reconstruction
    return Losses(
        Terms(reconstruction + density_loss, reconstruction, energy, penalty),
        [*result.autoencoder, *result.estimator],
        network.variables,
        mixture,
    )


def mapping_losses(network: Network, x: tf.Tensor, count: tf.Tensor | None = None) -> Losses:
    """Return eq. (5), the reconstruction alone; the density terms are 0.

    Args:
        network: network to train; only its autoencoder gets gradients.
        x: aligned rows ``[n, P]``.
        count: as for :func:`lren_tf.training.backprop.loss_gradients`.
    """
    zero = tf.zeros([])
    result = loss_gradients(
        x,
        network.autoencoder,
        lambda z: (zero, None),
        [],
        tanh_latent=network.tanh_latent,
        count=count,
    )
    loss = result.reconstruction
    variables = network.variables[: len(result.autoencoder)]
    return Losses(Terms(loss, loss, zero, zero), result.autoencoder, variables, None)


def density_losses(network: Network, x: tf.Tensor) -> Losses:
    """Return the density terms over the samples of the frozen encoder; only the estimator trains.

    Args:
        network: network to train.
        x: aligned rows ``[n, P]``.
    """
    z, squares = frozen_pass(network, x)
    reconstruction = tf.reduce_mean(squares)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(network.estimator)
        density_loss, (_, energy, penalty, mixture) = density_terms(network, z)
    gradients = tape.gradient(density_loss, network.estimator)
    return Losses(
        Terms(reconstruction + density_loss, reconstruction, energy, penalty),
        gradients,
        network.variables[-len(gradients) :],
        mixture,
    )


def frozen_pass(network: Network, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return latent samples ``[n, l]`` of aligned rows, and ‖h − ĥ‖² of each, ``[n]``."""
    one, two, three, four = network.autoencoder
    pixels = x[:, : four.kernel.shape[1]]
    z = tf.matmul(tf.tanh(tf.matmul(pixels, one.kernel) + one.bias), two.kernel) + two.bias
    if network.tanh_latent:
        z = tf.tanh(z)
    x_hat = tf.matmul(tf.tanh(tf.matmul(z, three.kernel) + three.bias), four.kernel) + four.bias
    return z, tf.reduce_sum(tf.square(pixels - x_hat), axis=1)


def weighted(settings: Settings, energy: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Return the weighted sum of energy and covariance penalty, the density term of the loss."""
    return settings.energy_weight * energy + settings.covariance_penalty * penalty


def apply_update(
    optimizer: keras.optimizers.Optimizer, settings: Settings, members: Sequence[Losses]
) -> tuple[tf.Tensor, Terms]:
    """Move all networks by one step of the optimiser, unless a loss or gradient is not finite.

    Args:
        optimizer: built for the variables of all networks.
        settings: settings of the networks.
        members: losses of each network.

    Returns:
        The fault, int32: 0, or a number that blames a component
        (:class:`lren_tf.training.callbacks.StopOnFault`), in which case no variable has moved.
        And the terms, means over the networks.
    """
    gradients = [gradient for each in members for gradient in each.gradients]
    variables = [variable for each in members for variable in each.variables]
    terms = members[0].terms
    if len(members) > 1:
        columns = zip(*(each.terms for each in members), strict=True)
        terms = Terms(*(tf.add_n(list(column)) / len(members) for column in columns))
    finite = tf.reduce_all(
        tf.stack([tf.reduce_all(tf.math.is_finite(t)) for t in (terms.loss, *gradients)])
    )

    def step() -> tf.Tensor:
        descend(optimizer, gradients, variables)
        return tf.constant(0)

    def blamed() -> tf.Tensor:
        floor = settings.covariance_floor
        mixtures = [each.mixture for each in members]
        bad = [-1 if m is None else first_bad_component(m, floor) for m in mixtures]
        # Components are numbered across the members.
        numbers = [tf.where(b < 0, -1, i * settings.components + b) for i, b in enumerate(bad)]
        return 2 + tf.reduce_max(tf.stack(numbers))

    return tf.cond(finite, step, blamed), terms


def density_terms(
    network: Network, z: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, tf.Tensor, Mixture]]:
    """Return the weighted density term of the loss, and (that term, energy, penalty, mixture)."""
    s = network.settings
    terms, mixture = mixture_loss(
        z,
        network.responsibilities(z),
        dtype=tf.as_dtype(s.mixture_dtype),
        empty_mass=s.empty_mass,
        covariance_floor=s.covariance_floor,
        with_penalty=s.covariance_penalty > 0,
    )
    energy = tf.cast(terms.energy, z.dtype)
    penalty = tf.cast(terms.penalty, z.dtype)
    loss = weighted(s, energy, penalty)
    return loss, (loss, energy, penalty, mixture)
