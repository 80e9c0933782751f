"""The mixture of the background: likely anomalies do not influence it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal

from lren_tf.latent.background import (
    background_energy,
    background_mixture,
    level_and_spread,
)

RNG = np.random.default_rng(4)
SETTINGS = {"component_share": 0.05, "trimmed_share": 0.02, "ridge": 0.02}


def clusters():
    """Two clusters of background, and a tight third of 3 % of the samples far from both."""
    z = np.concatenate(
        [
            RNG.normal([0, 0, 0], 1.0, (600, 3)),
            RNG.normal([8, 0, 0], [2.0, 0.5, 1.0], (370, 3)),
            RNG.normal([4, 9, 0], 0.1, (30, 3)),
        ]
    )
    beta = np.repeat(np.eye(3), (600, 370, 30), axis=0)
    return z, 0.97 * beta + 0.01


def test_a_component_without_support_is_no_background():
    z, beta = clusters()
    mixture = background_mixture(tf.constant(z), tf.constant(beta), **SETTINGS)
    assert (mixture.phi.numpy() > 0).tolist() == [True, True, False]
    energy = background_energy(tf.constant(z), mixture).numpy()
    assert energy[970:].min() > np.quantile(energy[:970], 0.99)
    # With all components the tight cluster is background like any other.
    every = {**SETTINGS, "component_share": 0.0, "trimmed_share": 0.0, "ridge": 1e-9}
    mixture = background_mixture(tf.constant(z), tf.constant(beta), **every)
    energy = background_energy(tf.constant(z), mixture).numpy()
    assert np.median(energy[970:]) < np.quantile(energy[:970], 0.99)


def test_the_largest_component_always_stays():
    z, _ = clusters()
    beta = np.full((1000, 5), 0.2) + np.array([0.04, -0.01, -0.01, -0.01, -0.01])
    share = {**SETTINGS, "component_share": 0.9}
    mixture = background_mixture(tf.constant(z), tf.constant(beta), **share)
    assert (mixture.phi.numpy() > 0).tolist() == [True, False, False, False, False]


def test_trimming_takes_the_pull_of_outliers_away():
    z = RNG.normal(size=(1000, 3))
    z[:10] += 50
    beta = np.ones((1000, 1))
    plain = background_mixture(
        tf.constant(z), tf.constant(beta), **{**SETTINGS, "trimmed_share": 0.0}
    )
    trimmed = background_mixture(tf.constant(z), tf.constant(beta), **SETTINGS)
    assert np.abs(plain.mu).max() > 0.4 and np.diag(plain.Gamma[0]).min() > 20
    # Their covariance still holds the ridge: 2 % of the variance with the outliers in it.
    variance = z.var(axis=0)
    np.testing.assert_allclose(trimmed.mu, 0, atol=0.12)
    rest = np.diag(trimmed.Gamma[0]) - 0.02 * variance
    assert (rest > 0.7).all() and (rest < 1.1).all()


def test_the_energy_is_that_of_the_mixture():
    z, beta = clusters()
    mixture = background_mixture(tf.constant(z), tf.constant(beta), **SETTINGS)
    density = sum(
        float(phi) * multivariate_normal(mu, Gamma).pdf(z)
        for phi, mu, Gamma in zip(mixture.phi, mixture.mu, mixture.Gamma, strict=True)
        if phi > 0
    )
    energy = background_energy(tf.constant(z), mixture).numpy()
    shown = density > 1e-300
    np.testing.assert_allclose(energy[shown], -np.log(density[shown]), rtol=1e-9)


@pytest.mark.parametrize("column", [0.0, 5.0])
def test_a_feature_that_does_not_vary_changes_no_order(column):
    z, beta = clusters()
    features = tf.constant(np.hstack([z, np.full((1000, 1), column)]))
    mixture = background_mixture(features, tf.constant(beta), **SETTINGS)
    plain = background_mixture(tf.constant(z), tf.constant(beta), **SETTINGS)
    extra = background_energy(features, mixture) - background_energy(tf.constant(z), plain)
    np.testing.assert_allclose(extra, extra[0], rtol=1e-9)


def test_few_pixels_and_all_alike():
    z = np.zeros((3, 2))
    mixture = background_mixture(tf.constant(z), tf.constant(np.ones((3, 1))), **SETTINGS)
    energy = background_energy(tf.constant(z), mixture)
    assert np.isfinite(energy).all()
    level, spread = level_and_spread(energy)
    assert level.numpy() == energy.numpy()[0] and spread.numpy() == 1


def test_level_is_the_median_and_spread_the_way_to_the_highest_tenth():
    energy = RNG.permutation(np.arange(100.0))
    level, spread = level_and_spread(tf.constant(energy))
    assert level.numpy() == 49.5 and spread.numpy() == 90 - 49.5
