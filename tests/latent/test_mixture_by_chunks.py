"""Mixtures of many samples by chunks, against those of TensorFlow in one piece."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.latent import background, mixture_by_chunks
from lren_tf.latent.background import background_energy, background_mixture
from lren_tf.latent.mixture import mixture_energy, mixture_statistics

RNG = np.random.default_rng(5)
SETTINGS = {"component_share": 0.1, "trimmed_share": 0.02, "ridge": 0.02}
Z = RNG.normal(size=(3, 500, 4)) @ RNG.normal(size=(4, 4)) + 7
BETA = RNG.dirichlet([5, 3, 0.2, 4], size=(3, 500))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(mixture_by_chunks, "_CHUNK", 64)


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_statistics_are_those_of_the_mixture():
    beta = BETA[0] * (RNG.random((500, 1)) < 0.9)
    beta[:, 1] = 0
    found = mixture_by_chunks.statistics(Z[0], beta, empty_mass=0.5)
    same(found, mixture_statistics(tf.constant(Z[0]), tf.constant(beta), empty_mass=0.5))
    assert found.alive.numpy().tolist() == [True, False, True, True]


def test_energies_are_those_of_the_mixture():
    beta = BETA[1].copy()
    beta[:, 2] = 0
    mixture = mixture_statistics(tf.constant(Z[1]), tf.constant(beta), empty_mass=0.5)
    expected = mixture_energy(tf.constant(Z[1]), mixture, covariance_floor=0.0)
    np.testing.assert_allclose(mixture_by_chunks.energies(Z[1], mixture), expected, rtol=1e-10)


@pytest.mark.parametrize("members", [slice(0, 3), 1])
def test_a_background_of_many_samples_is_that_of_few(members, monkeypatch):
    z, beta = tf.constant(Z[members]), tf.constant(BETA[members])
    expected = background_mixture(z, beta, **SETTINGS)
    energy = background_energy(z, expected)
    monkeypatch.setattr(background, "PIXELS_AT_A_TIME", 499)
    found = background_mixture(z, beta, **SETTINGS)
    same(found, expected)
    assert (found.phi.numpy() == 0).any()
    np.testing.assert_allclose(background_energy(z, found), energy, rtol=1e-10)


def test_a_singular_component_gives_no_number_and_no_error():
    z = np.repeat(Z[0, :, :1], 2, axis=1)
    mixture = mixture_statistics(tf.constant(z), tf.ones([500, 1], tf.float64), empty_mass=0.5)
    singular = mixture._replace(Gamma=tf.constant([[[1.0, 2.0], [2.0, 1.0]]], tf.float64))
    expected = mixture_energy(tf.constant(z), singular, covariance_floor=0.0).numpy()
    assert np.isnan(expected).all()
    assert np.isnan(mixture_by_chunks.energies(z, singular)).all()
