"""The background's mixture: anomalies have no say in it, and what is computed is said plainly."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from scipy.stats import multivariate_normal

from lren_tf.latent.background import (
    background_energy,
    background_mixture,
    level_and_spread,
    with_neighbourhood,
)
from tests.covering import cover

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


@pytest.mark.parametrize("grid", [(7, 9), (1, 9), (2, 3), (1, 1)])
@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_the_neighbourhood_is_scipys_gaussian_mean(grid, sigma):
    z = RNG.normal(size=(grid[0] * grid[1], 2))
    features = with_neighbourhood(tf.constant(z), grid, sigma).numpy()
    np.testing.assert_array_equal(features[:, :2], z)
    if min(grid) > 4 * sigma:
        expected = ndimage.gaussian_filter(z.reshape(*grid, 2), (sigma, sigma, 0), mode="reflect")
        np.testing.assert_allclose(features[:, 2:], expected.reshape(-1, 2), rtol=1e-12)
    constant = with_neighbourhood(tf.ones_like(features[:, :2]), grid, sigma).numpy()
    np.testing.assert_allclose(constant, 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("grid", "sigma"), cover([(12, 9), (7, 2), (1, 5), (1, 1)], [0.7, 2.0], strength=1)
)
def test_the_neighbourhood_in_a_graph_of_images_of_any_size(grid, sigma):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float64)])
    def features(image):
        shape = tf.shape(image)
        return with_neighbourhood(tf.reshape(image, [-1, 2]), (shape[0], shape[1]), sigma)

    image = RNG.normal(size=(*grid, 2))
    expected = with_neighbourhood(tf.constant(image.reshape(-1, 2)), grid, sigma)
    np.testing.assert_allclose(features(image), expected, rtol=1e-12, atol=1e-14)


def test_a_table_has_no_neighbourhood():
    z = tf.constant(RNG.normal(size=(6, 2)))
    np.testing.assert_array_equal(with_neighbourhood(z, (6,), 0.0), z)
    features = with_neighbourhood(z, (6,), 0.7).numpy()
    np.testing.assert_array_equal(features, np.hstack([z, np.zeros((6, 2))]))


def test_the_mean_around_a_pixel_does_not_wrap_or_leak_between_rows():
    image = np.zeros((9, 8, 1))
    image[4, 7] = 1.0
    mean = with_neighbourhood(tf.constant(image.reshape(-1, 1)), (9, 8), 0.7).numpy()[:, 1]
    assert (mean.reshape(9, 8)[:, :4] == 0).all()
    assert mean.sum() == pytest.approx(1.0)


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


def test_pixels_without_data_have_no_part_in_the_neighbourhood():
    image, valid = RNG.normal(size=(9, 8, 2)), np.ones((9, 8), bool)
    valid[2:5, 3:6] = False
    valid[8, 0] = False
    features = with_neighbourhood(tf.constant(image[valid]), (9, 8), 0.7, valid).numpy()
    held = np.where(valid[..., None], image, 0.0)
    mean = [ndimage.gaussian_filter(held[..., c], 0.7, mode="reflect") for c in range(2)]
    weight = ndimage.gaussian_filter(valid.astype(float), 0.7, mode="reflect")
    expected = np.stack(mean, axis=-1)[valid] / weight[valid][:, None]
    np.testing.assert_allclose(features[:, 2:], expected, rtol=1e-10)
    # All of them valid is the same as nothing said.
    every = with_neighbourhood(tf.constant(image.reshape(-1, 2)), (9, 8), 0.7, valid | True)
    plain = with_neighbourhood(tf.constant(image.reshape(-1, 2)), (9, 8), 0.7)
    np.testing.assert_allclose(every, plain, rtol=1e-12)
