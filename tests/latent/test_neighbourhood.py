"""The neighbourhood is a Gaussian mean over the valid pixels of an image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from lren_tf.latent import neighbourhood
from lren_tf.latent.neighbourhood import with_neighbourhood
from tests.covering import cover

RNG = np.random.default_rng(4)


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


@pytest.mark.parametrize("grid", [(70, 9), (9, 70), (1, 40), (40, 1), (3, 33), (65, 2)])
@pytest.mark.parametrize("sigma", [0.7, 2.0])
@pytest.mark.parametrize("masked", [False, True])
def test_strips_of_a_large_image_give_the_same(grid, sigma, masked, monkeypatch):
    z = RNG.normal(size=(grid[0] * grid[1], 2))
    valid = RNG.random(grid) < 0.8 if masked else None
    if valid is not None:
        z = z[valid.ravel()]
    expected = with_neighbourhood(tf.constant(z), grid, sigma, valid)
    monkeypatch.setattr(neighbourhood, "_MANY", 1)
    found = with_neighbourhood(tf.constant(z), grid, sigma, valid)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


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


def test_pixels_without_data_do_not_enter_the_means():
    image, valid = RNG.normal(size=(9, 8, 2)), np.ones((9, 8), bool)
    valid[2:5, 3:6] = False
    valid[8, 0] = False
    features = with_neighbourhood(tf.constant(image[valid]), (9, 8), 0.7, valid).numpy()
    filled = np.where(valid[..., None], image, 0.0)
    mean = [ndimage.gaussian_filter(filled[..., c], 0.7, mode="reflect") for c in range(2)]
    weight = ndimage.gaussian_filter(valid.astype(float), 0.7, mode="reflect")
    expected = np.stack(mean, axis=-1)[valid] / weight[valid][:, None]
    np.testing.assert_allclose(features[:, 2:], expected, rtol=1e-10)
    # A mask of valid pixels only changes nothing.
    every = with_neighbourhood(tf.constant(image.reshape(-1, 2)), (9, 8), 0.7, valid | True)
    plain = with_neighbourhood(tf.constant(image.reshape(-1, 2)), (9, 8), 0.7)
    np.testing.assert_allclose(every, plain, rtol=1e-12)
