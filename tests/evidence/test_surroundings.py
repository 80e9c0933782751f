"""Distances to the surroundings against a loop over pixels."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.evidence import running_windows
from lren_tf.evidence import surroundings as surroundings_module
from lren_tf.evidence.surroundings import (
    RADIUS,
    RIDGE,
    SCENE_PIXELS,
    moment_count,
    scene_moments,
    surroundings,
)

RNG = np.random.default_rng(7)


def plain(features, weights):
    """Distance of every pixel, from the pixels of its window one after the other."""
    height, width, d = features.shape
    flat = features.reshape(-1, d)
    spread = flat.std(axis=0)
    z = (features - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)
    of_scene = z[weights > 0]
    out = np.empty((height, width))
    for row, column in np.ndindex(height, width):
        window = (
            slice(max(row - RADIUS, 0), row + RADIUS + 1),
            slice(max(column - RADIUS, 0), column + RADIUS + 1),
        )
        pixels = z[window][weights[window] > 0]
        # The scene as a few more pixels of the window.
        share = np.r_[np.ones(len(pixels)), np.full(len(of_scene), SCENE_PIXELS / len(of_scene))]
        everything = np.r_[pixels, of_scene]
        mean = np.average(everything, axis=0, weights=share)
        covariance = np.cov(everything.T, aweights=share, bias=True).reshape(d, d)
        off = z[row, column] - mean
        out[row, column] = off @ np.linalg.solve(covariance + RIDGE * np.eye(d), off)
    return out


def found(features, weights):
    scene = scene_moments(tf.constant(features.reshape(-1, features.shape[-1])),
                          tf.constant(weights.reshape(-1)))  # fmt: skip
    return surroundings(tf.constant(features), tf.constant(weights), scene).numpy()


def sample(shape, d=4):
    features = RNG.normal(size=(*shape, d)) @ RNG.normal(size=(d, d)) + 5
    features[..., 0] += np.linspace(0, 8, shape[1])
    return features, (RNG.random(shape) < 0.9).astype(float)


@pytest.mark.parametrize("shape", [(31, 28), (1, 40), (40, 1), (5, 60)])
def test_distances_are_those_of_a_loop_over_pixels(shape):
    features, weights = sample(shape)
    np.testing.assert_allclose(found(features, weights), plain(features, weights), rtol=1e-9)


def test_a_feature_that_does_not_vary_and_one_that_is_another_change_nothing_much():
    features, weights = sample((20, 20), 3)
    more = np.concatenate([features, np.ones((20, 20, 1)), features[..., :1]], axis=-1)
    distances = found(more, weights)
    assert np.isfinite(distances).all()
    np.testing.assert_allclose(distances, plain(more, weights), rtol=1e-6)


def test_pixels_with_weight_0_are_in_no_sum_but_those_of_the_scale():
    features, weights = sample((26, 27))
    out = np.argwhere(weights == 0)[0]
    scene = scene_moments(
        tf.constant(features.reshape(-1, 4)), tf.constant(weights.reshape(-1))
    )
    before = surroundings(tf.constant(features), tf.constant(weights), scene).numpy()
    features[tuple(out)] += 100
    after = surroundings(tf.constant(features), tf.constant(weights), scene).numpy()
    changed = before != after
    assert changed[tuple(out)] and changed.sum() == 1


@pytest.mark.parametrize(("rows", "pixels"), [(1, 1), (4, 17 * 3), (44, 1000), (7, 20)])
def test_strips_give_what_the_whole_gives(monkeypatch, rows, pixels):
    features, weights = sample((45, 17))
    whole = found(features, weights)
    monkeypatch.setattr(running_windows, "_ROWS", rows)
    monkeypatch.setattr(running_windows, "_PIXELS", pixels)
    np.testing.assert_allclose(found(features, weights), whole, rtol=1e-9)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    features, weights = sample((150, 17))
    threads = found(features, weights)
    monkeypatch.setattr(running_windows, "map_in_threads", map)
    np.testing.assert_array_equal(found(features, weights), threads)


@pytest.mark.parametrize("pixels", [17, 17 * 4, 17 * 44, 1])
def test_strips_of_a_graph_give_what_the_whole_gives(monkeypatch, pixels):
    features, weights = sample((45, 17))
    monkeypatch.setattr(surroundings_module, "_STRIP", pixels)
    scene = scene_moments(tf.constant(features.reshape(-1, 4)), tf.constant(weights.reshape(-1)))
    in_graph = tf.function(lambda f, w: surroundings(f, w, scene))
    np.testing.assert_allclose(in_graph(features, weights), found(features, weights), rtol=1e-9)


def test_units_of_the_features_do_not_matter():
    features, weights = sample((25, 26))
    np.testing.assert_allclose(
        found(1e3 * features - 9, weights), found(features, weights), rtol=1e-8
    )


def test_moments_are_means_over_the_pixels_that_count():
    features, weights = sample((12, 13), 3)
    scene = scene_moments(tf.constant(features.reshape(-1, 3)), tf.constant(weights.reshape(-1)))
    z = ((features - scene.mean) / scene.spread).numpy()[weights > 0]
    products = [np.mean(z[:, i] * z[:, j]) for i in range(3) for j in range(i, 3)]
    np.testing.assert_allclose(scene.moments, [1, *z.mean(axis=0), *products], rtol=1e-9)
    assert len(scene.moments) == moment_count(3)


@pytest.mark.parametrize("chunk", [7, 1000])
def test_moments_of_many_pixels_are_those_of_few(monkeypatch, chunk):
    features, weights = sample((12, 13), 3)
    features[..., 1] = 4.0
    arrays = tf.constant(features.reshape(-1, 3)), tf.constant(weights.reshape(-1))
    expected = scene_moments(*arrays)
    monkeypatch.setattr(surroundings_module, "_MANY", 100)
    monkeypatch.setattr(surroundings_module, "_CHUNK", chunk)
    for part, whole in zip(scene_moments(*arrays), expected, strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-12, atol=1e-12)


def test_a_graph_of_images_of_any_size_gives_the_same():
    anything = tf.TensorSpec([None, None, 4], tf.float64)
    features, weights = sample((30, 33))
    scene = scene_moments(tf.constant(features.reshape(-1, 4)), tf.constant(weights.reshape(-1)))
    graph = tf.function(
        lambda f, w: surroundings(f, w, scene),
        input_signature=[anything, tf.TensorSpec([None, None], tf.float64)],
    )
    np.testing.assert_allclose(graph(features, weights), found(features, weights), rtol=1e-10)
