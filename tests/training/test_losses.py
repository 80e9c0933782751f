"""Losses of one network, and the update of several: all variables move, or none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import presets
from lren_tf.latent.mixture import Mixture
from lren_tf.training.losses import (
    Losses,
    Terms,
    apply_update,
    density_losses,
    frozen_pass,
    joint_losses,
    mapping_losses,
)
from tests.training.test_chunked_step import Rows, network

SETTINGS = presets.resolve("robust", components=3, latent_units=2)


def member(variable, gradient, loss=1.0, mixture=None):
    terms = Terms(*(tf.constant(value, tf.float32) for value in (loss, loss / 2, 0.0, 0.0)))
    return Losses(terms, [tf.constant(gradient, tf.float32)], [variable], mixture)


def updated(*gradients, losses=(1.0, 3.0), mixtures=(None, None)):
    variables = [keras.Variable([1.0, 2.0], dtype="float32") for _ in gradients]
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(variables)
    members = [
        member(*parts) for parts in zip(variables, gradients, losses, mixtures, strict=True)
    ]
    fault, terms = apply_update(optimizer, SETTINGS, members)
    return int(fault), terms, [variable.numpy() for variable in variables]


class TestUpdate:
    def test_every_network_moves_and_terms_are_means(self):
        fault, terms, (one, other) = updated([2.0, 0.0], [0.0, 4.0])
        assert fault == 0
        np.testing.assert_array_equal(one, [0.0, 2.0])
        np.testing.assert_array_equal(other, [1.0, 0.0])
        assert (float(terms.loss), float(terms.reconstruction)) == (2.0, 1.0)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_nothing_moves_if_one_gradient_is_not_finite(self, bad):
        fault, _, values = updated([2.0, 0.0], [0.0, bad])
        assert fault == 1  # without a mixture no component is to blame
        for value in values:
            np.testing.assert_array_equal(value, [1.0, 2.0])

    def test_a_loss_counts_too(self):
        assert updated([0.0, 0.0], [0.0, 0.0], losses=(1.0, np.nan))[0] == 1

    def test_components_are_numbered_across_the_networks(self):
        sound = tf.eye(2, batch_shape=[3], dtype=tf.float64)
        nan = tf.fill([1, 2, 2], tf.constant(np.nan, tf.float64))
        broken = tf.tensor_scatter_nd_update(sound, [[1]], nan)
        share, mu = tf.ones([3], tf.float64) / 3, tf.zeros([3, 2], tf.float64)
        alive = tf.ones([3], tf.bool)
        mixtures = Mixture(share, mu, sound, alive), Mixture(share, mu, broken, alive)
        fault, _, _ = updated([0.0, 0.0], [np.nan, 0.0], mixtures=mixtures)
        assert fault == 2 + 3 + 1


class TestPhases:
    def test_each_phase_trains_its_own_layers(self):
        net, x = network("float64"), tf.constant(Rows("float64").all)
        joint, mapping, density = (
            losses(net, x) for losses in (joint_losses, mapping_losses, density_losses)
        )
        assert len(joint.variables) == 12
        assert mapping.variables == joint.variables[:8]
        assert density.variables == joint.variables[8:]
        assert (mapping.mixture, float(mapping.terms.energy)) == (None, 0.0)
        for term in ("reconstruction", "energy", "covariance_penalty"):
            got, want = getattr(density.terms, term), getattr(joint.terms, term)
            np.testing.assert_allclose(got, want, rtol=1e-10)
        for got, want in zip(density.gradients, joint.gradients[8:], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-12)

    def test_the_frozen_pass_is_the_reconstruction(self):
        net, x = network("float64"), tf.constant(Rows("float64").all)
        z, squares = frozen_pass(net, x)
        assert z.shape == (len(x), 4)
        np.testing.assert_allclose(
            tf.reduce_mean(squares), joint_losses(net, x).terms.reconstruction, rtol=1e-10
        )
