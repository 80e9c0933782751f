"""Losses and gradients of the networks of a model on one batch, and their update.

:func:`joint_losses` is eq. (2). :func:`mapping_losses` and :func:`density_losses` are the two
phases of a separate training. All three have the whole batch in memory;
:mod:`lren_tf.training.chunked_step` computes the same a chunk of pixels at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from lren_tf.latent.mixture import Mixture, first_bad_component, mixture_loss
from lren_tf.latent.responsibilities import responsibilities
from lren_tf.settings import Settings
from lren_tf.training import backprop, backprop_members
from lren_tf.training.backprop import Affine, Gradients
from lren_tf.training.optimizer import descend


class Terms(NamedTuple):
    """Losses that a training reports, means over the members, float32 scalars."""

    loss: tf.Tensor
    reconstruction: tf.Tensor
    energy: tf.Tensor
    covariance_penalty: tf.Tensor


class Losses(NamedTuple):
    """Losses, gradients and mixture of a model in a step."""

    terms: Terms
    gradients: list[tf.Tensor]
    """Gradients of each member by its own loss; with or without a member axis of length 1."""
    variables: list[keras.Variable]
    mixture: Mixture | None


class Network(NamedTuple):
    """Weights of the networks of a model as tensors, for the arithmetic of a step.

    The arrays of several members have a leading member axis; those of a single one have none, and
    neither have its activations.
    """

    autoencoder: list[Affine]
    """Hidden and latent layer of the encoder, hidden and output layer of the decoder."""
    estimator: list[tf.Tensor]
    """Kernel and bias of the estimator's two layers."""
    variables: list[keras.Variable]
    """All trainable variables, in the order of the gradients; all have a member axis."""
    settings: Settings

    @property
    def tanh_latent(self) -> bool:
        """True if the latent layer ends in a tanh."""
        return self.settings.latent_activation == "tanh"

    def responsibilities(self, z: tf.Tensor) -> tf.Tensor:
        """Return the responsibilities ``[…, n, k]`` of latent samples ``[…, n, l]``, eq. (7)."""
        return responsibilities(z, tuple(self.estimator[:2]), tuple(self.estimator[2:]))

    def loss_gradients(
        self,
        x: tf.Tensor,
        density: Callable[[tf.Tensor], tuple[tf.Tensor, Any]],
        density_variables: list[tf.Tensor],
        count: tf.Tensor | None = None,
    ) -> Gradients:
        """Return loss and gradients of reconstruction and density.

        Args:
            x: aligned rows ``[n, P]``.
            density, density_variables, count: as for
                :func:`lren_tf.training.backprop.loss_gradients`, or of several members as for
                :func:`lren_tf.training.backprop_members.loss_gradients`.
        """
        return self._steps.loss_gradients(
            x, self.autoencoder, density, density_variables,
            tanh_latent=self.tanh_latent, count=count,
        )  # fmt: skip

    def latent_samples(self, x: tf.Tensor) -> tf.Tensor:
        """Return latent samples ``[…, n, l]`` of aligned rows ``[n, P]``."""
        return self._steps.latent_samples(x, self.autoencoder, tanh_latent=self.tanh_latent)

    @property
    def _steps(self) -> Any:
        return backprop if self.settings.members == 1 else backprop_members


def joint_losses(network: Network, x: tf.Tensor) -> Losses:
    """Return eq. (2), reconstruction and density together, on aligned rows ``[n, P]``."""
    result = network.loss_gradients(x, lambda z: density_terms(network, z), network.estimator)
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
        network: networks to train; only their autoencoders get gradients.
        x: aligned rows ``[n, P]``.
        count: as for :func:`lren_tf.training.backprop.loss_gradients`.
    """
    zero = tf.zeros([])
    result = network.loss_gradients(x, lambda z: (zero, None), [], count)
    loss = result.reconstruction
    variables = network.variables[: len(result.autoencoder)]
    return Losses(Terms(loss, loss, zero, zero), result.autoencoder, variables, None)


def density_losses(network: Network, x: tf.Tensor) -> Losses:
    """Return the density terms over the samples of the frozen encoder; only the estimator trains.

    Args:
        network: networks to train.
        x: aligned rows ``[n, P]``.
    """
    z, squares = frozen_pass(network, x)
    reconstruction = tf.reduce_mean(squares)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(network.estimator)
        loss, (density_loss, energy, penalty, mixture) = density_terms(network, z)
    gradients = tape.gradient(loss, network.estimator)
    return Losses(
        Terms(reconstruction + density_loss, reconstruction, energy, penalty),
        gradients,
        network.variables[-len(gradients) :],
        mixture,
    )


def frozen_pass(network: Network, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return latent samples ``[…, n, l]`` of aligned rows, and ‖h − ĥ‖² of each, ``[…, n]``."""
    one, two, three, four = network.autoencoder
    pixels = x[:, : four.kernel.shape[-1]]
    z = _affine(tf.tanh(_affine(pixels, one)), two)
    if network.tanh_latent:
        z = tf.tanh(z)
    x_hat = _affine(tf.tanh(_affine(z, three)), four)
    return z, tf.reduce_sum(tf.square(pixels - x_hat), axis=-1)


def _affine(x: tf.Tensor, layer: Affine) -> tf.Tensor:
    several = len(layer.kernel.shape) == 3
    return tf.matmul(x, layer.kernel) + (layer.bias[:, None, :] if several else layer.bias)


def weighted(settings: Settings, energy: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Return the weighted sum of energy and covariance penalty, the density term of the loss."""
    return settings.energy_weight * energy + settings.covariance_penalty * penalty


def apply_update(
    optimizer: keras.optimizers.Optimizer, settings: Settings, losses: Losses
) -> tuple[tf.Tensor, Terms]:
    """Move all networks by one step of the optimiser, unless a loss or gradient is not finite.

    Args:
        optimizer: built for the variables of all networks.
        settings: settings of the networks.
        losses: losses and gradients of the networks.

    Returns:
        The fault, int32: 0, or a number that blames a component, counted across the members
        (:class:`lren_tf.training.callbacks.StopOnFault`), in which case no variable has moved.
        And the terms.
    """
    variables, terms = losses.variables, losses.terms
    gradients = [
        tf.reshape(gradient, variable.shape)
        for gradient, variable in zip(losses.gradients, variables, strict=True)
    ]
    finite = tf.reduce_all(
        tf.stack([tf.reduce_all(tf.math.is_finite(t)) for t in (terms.loss, *gradients)])
    )

    def step() -> tf.Tensor:
        descend(optimizer, gradients, variables)
        return tf.constant(0)

    def blamed() -> tf.Tensor:
        if losses.mixture is None:
            return tf.constant(1)
        return 2 + first_bad_component(losses.mixture, settings.covariance_floor)

    return tf.cond(finite, step, blamed), terms


def density_terms(
    network: Network, z: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, tf.Tensor, Mixture]]:
    """Return the weighted density term of the loss, summed over the members, and what it is of.

    Args:
        network: networks with their estimators.
        z: latent samples ``[…, n, l]``.

    Returns:
        The sum; and of that term, of energy and of penalty the means over the members, and the
        mixtures.
    """
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
    if s.members == 1:
        return loss, (loss, energy, penalty, mixture)
    means = (tf.reduce_mean(each) for each in (loss, energy, penalty))
    return tf.reduce_sum(loss), (*means, mixture)
