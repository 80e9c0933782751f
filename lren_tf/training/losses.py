"""What a training step minimises, for one network, and how several networks step together.

:func:`joint_losses` is eq. (2) on a batch that is held at once; :mod:`lren_tf.training.chunked_step` has the
same for batches that are not. The other two are the parts of a training in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import keras
import tensorflow as tf

from lren_tf.latent.mixture import Mixture, first_bad_component, mixture_loss
from lren_tf.latent.responsibilities import assignments
from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS
from lren_tf.settings import Settings
from lren_tf.training.backprop import Affine, loss_gradients

if TYPE_CHECKING:
    from lren_tf.model.lren import LREN

LAYERS = tuple(RELEASE_OPERATION_SEEDS)
"""Names of a network's layers: encoder, decoder and estimator, two of each."""


class Terms(NamedTuple):
    """What the trackers of a training show, float32 scalars."""

    loss: tf.Tensor
    reconstruction: tf.Tensor
    energy: tf.Tensor
    covariance_penalty: tf.Tensor


class Losses(NamedTuple):
    """What one network contributes to a step."""

    terms: Terms
    gradients: list[tf.Tensor]
    variables: list[keras.Variable]
    mixture: Mixture | None


class Network(NamedTuple):
    """The trained part of one member, as the arithmetic of a step needs it."""

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

    def assignments(self, z: tf.Tensor) -> tf.Tensor:
        """Assignments ``[n, k]`` of latent samples, eq. (7)."""
        return assignments(z, tuple(self.estimator[:2]), tuple(self.estimator[2:]))


def network_of(member: LREN) -> Network:
    """The network of a member, with the values its variables have when this is called."""
    layers = [getattr(member, name).weights for name in LAYERS]
    return Network(
        [Affine(*(weight.value for weight in weights)) for weights in layers[:4]],
        [weight.value for weights in layers[4:] for weight in weights],
        [weight for weights in layers for weight in weights],
        member.settings,
    )


def joint_losses(network: Network, x: tf.Tensor) -> Losses:
    """Eq. (2) on aligned rows ``[n, P]``: the reconstruction and the density together."""
    result = loss_gradients(
        x,
        network.autoencoder,
        lambda z: _density(network, z),
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
    """The autoencoder on eq. (5) alone; the density terms are not computed, and 0.

    Args:
        network: what is trained.
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
    """The estimator on its terms of the loss, over the samples of the frozen encoder."""
    z, squares = frozen_pass(network, x)
    reconstruction = tf.reduce_mean(squares)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(network.estimator)
        density_loss, (_, energy, penalty, mixture) = _density(network, z)
    gradients = tape.gradient(density_loss, network.estimator)
    return Losses(
        Terms(reconstruction + density_loss, reconstruction, energy, penalty),
        gradients,
        network.variables[-len(gradients) :],
        mixture,
    )


def frozen_pass(network: Network, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Latent samples ``[n, l]`` of aligned rows, and ‖h − ĥ‖² of each, ``[n]``."""
    one, two, three, four = network.autoencoder
    pixels = x[:, : four.kernel.shape[1]]
    z = tf.matmul(tf.tanh(tf.matmul(pixels, one.kernel) + one.bias), two.kernel) + two.bias
    if network.tanh_latent:
        z = tf.tanh(z)
    x_hat = tf.matmul(tf.tanh(tf.matmul(z, three.kernel) + three.bias), four.kernel) + four.bias
    return z, tf.reduce_sum(tf.square(pixels - x_hat), axis=1)


def weighted(settings: Settings, energy: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """The density's share of the loss."""
    return settings.energy_weight * energy + settings.covariance_penalty * penalty


def step_together(
    optimizer: keras.optimizers.Optimizer, settings: Settings, found: Sequence[Losses]
) -> tuple[tf.Tensor, Terms]:
    """One step of the optimiser for all networks, and means of their terms.

    Returns:
        0, or what is at fault (see :class:`lren_tf.training.batches.StopOnFault`) where a loss or a
        gradient is not finite: then nothing has moved. And the terms.
    """
    gradients = [gradient for each in found for gradient in each.gradients]
    variables = [variable for each in found for variable in each.variables]
    terms = found[0].terms
    if len(found) > 1:
        columns = zip(*(each.terms for each in found), strict=True)
        terms = Terms(*(tf.add_n(list(column)) / len(found) for column in columns))
    finite = tf.reduce_all(
        tf.stack([tf.reduce_all(tf.math.is_finite(t)) for t in (terms.loss, *gradients)])
    )

    def step() -> tf.Tensor:
        optimizer.apply(gradients, variables)
        return tf.constant(0)

    def blamed() -> tf.Tensor:
        floor = settings.covariance_floor
        mixtures = [each.mixture for each in found]
        bad = [-1 if m is None else first_bad_component(m, floor) for m in mixtures]
        # Components are counted on over the members.
        places = [tf.where(b < 0, -1, i * settings.components + b) for i, b in enumerate(bad)]
        return 2 + tf.reduce_max(tf.stack(places))

    return tf.cond(finite, step, blamed), terms


def _density(
    network: Network, z: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, tf.Tensor, Mixture]]:
    """The estimator's terms of the loss, weighted, and each of them with the mixture."""
    s = network.settings
    terms, mixture = mixture_loss(
        z,
        network.assignments(z),
        dtype=tf.as_dtype(s.mixture_dtype),
        empty_mass=s.empty_mass,
        covariance_floor=s.covariance_floor,
        with_penalty=s.covariance_penalty > 0,
    )
    energy = tf.cast(terms.energy, z.dtype)
    penalty = tf.cast(terms.penalty, z.dtype)
    loss = weighted(s, energy, penalty)
    return loss, (loss, energy, penalty, mixture)
