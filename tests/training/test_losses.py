"""Losses of one network and of several, and the update: all variables move, or none."""

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
from tests.training.networks import Rows, network, several

SETTINGS = presets.resolve("robust", components=3, latent_units=2)


def updated(*gradients, loss=1.0, mixture=None):
    variables = [keras.Variable([[1.0, 2.0]], dtype="float32") for _ in gradients]
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(variables)
    terms = Terms(*(tf.constant(value, tf.float32) for value in (loss, 0.5, 0.0, 0.0)))
    slopes = [tf.constant(gradient, tf.float32) for gradient in gradients]
    fault, terms = apply_update(optimizer, SETTINGS, Losses(terms, slopes, variables, mixture))
    return int(fault), terms, [variable.numpy()[0] for variable in variables]


class TestUpdate:
    def test_every_variable_moves_with_or_without_a_member_axis(self):
        fault, terms, (one, other) = updated([2.0, 0.0], [[0.0, 4.0]])
        assert fault == 0
        np.testing.assert_array_equal(one, [0.0, 2.0])
        np.testing.assert_array_equal(other, [1.0, 0.0])
        assert (float(terms.loss), float(terms.reconstruction)) == (1.0, 0.5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_nothing_moves_if_one_gradient_is_not_finite(self, bad):
        fault, _, values = updated([2.0, 0.0], [0.0, bad])
        assert fault == 1  # without a mixture no component is to blame
        for value in values:
            np.testing.assert_array_equal(value, [1.0, 2.0])

    def test_a_loss_counts_too(self):
        assert updated([0.0, 0.0], [0.0, 0.0], loss=np.nan)[0] == 1

    def test_components_are_numbered_across_the_members(self):
        Gamma = np.tile(np.eye(2), [2, 3, 1, 1])
        Gamma[1, 1] = np.nan
        share, mu = np.full([2, 3], 1 / 3), np.zeros([2, 3, 2])
        parts = (tf.constant(part) for part in (share, mu, Gamma, np.ones([2, 3], bool)))
        fault, _, _ = updated([0.0, 0.0], [np.nan, 0.0], mixture=Mixture(*parts))
        assert fault == 2 + 3 + 1


class TestMembers:
    @pytest.mark.parametrize("losses", [joint_losses, mapping_losses, density_losses])
    @pytest.mark.parametrize("latent_activation", ["linear", "tanh"])
    def test_several_at_once_have_the_losses_and_gradients_of_each(
        self, losses, latent_activation
    ):
        x = tf.constant(Rows("float64").all)
        each = [network("float64", latent_activation, seed) for seed in (1, 2, 3)]
        together = losses(several(each), x)
        alone = [losses(one, x) for one in each]
        for got, *wanted in zip(
            together.gradients, *(one.gradients for one in alone), strict=True
        ):
            np.testing.assert_allclose(got, np.stack(wanted), rtol=1e-9, atol=1e-12)
        for got, *wanted in zip(together.terms, *(one.terms for one in alone), strict=True):
            np.testing.assert_allclose(got, np.mean(wanted), rtol=1e-10)
        if together.mixture is not None:
            for got, *wanted in zip(
                together.mixture, *(one.mixture for one in alone), strict=True
            ):
                np.testing.assert_allclose(got, np.stack(wanted), rtol=1e-9, atol=1e-12)


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
