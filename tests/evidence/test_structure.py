"""Openings by reconstruction against morphology of SciPy, and what stands out."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from lren_tf.evidence import structure as structure_module
from lren_tf.evidence.structure import (
    SIZES,
    openings,
    principal_components,
    projected,
    reconstruction,
    standing_out,
    structure,
)

RNG = np.random.default_rng(6)


def plain_reconstruction(marker, mask):
    """Dilate and cut until nothing changes."""
    while True:
        grown = np.minimum(ndimage.grey_dilation(marker, size=(3, 3), mode="nearest"), mask)
        if (grown == marker).all():
            return grown
        marker = grown


def plain_opening(image, size, valid=None):
    """Smallest value of the window, pixel by pixel, grown back."""
    valid = np.ones(image.shape, bool) if valid is None else valid
    mask = np.where(valid, image, -np.inf)
    eroded = np.empty_like(image)
    r = size // 2
    for row, column in np.ndindex(*image.shape):
        window = slice(max(row - r, 0), row + r + 1), slice(max(column - r, 0), column + r + 1)
        eroded[row, column] = np.where(valid[window], image[window], np.inf).min()
    return plain_reconstruction(np.minimum(eroded, mask), mask)


def spiral(side):
    """A path of one pixel in width with many turns."""
    image = np.zeros((side, side))
    low, high = 0, side - 1
    while low < high:
        image[low, low:high + 1] = image[low:high + 1, high] = image[high, low:high + 1] = 1
        image[low + 2:high + 1, low] = 1
        image[low + 2, low:low + 2] = 1
        low, high = low + 2, high - 2
    return image


@pytest.mark.parametrize("shape", [(17, 23), (1, 30), (30, 1), (2, 2), (1, 1)])
def test_reconstruction_is_that_of_repeated_dilation(shape):
    mask = ndimage.gaussian_filter(RNG.normal(size=(*shape, 3)), (1, 1, 0))
    marker = mask - RNG.exponential(size=mask.shape) * (RNG.random(mask.shape) < 0.9)
    found = reconstruction(tf.constant(marker), tf.constant(mask)).numpy()
    for channel in range(3):
        expected = plain_reconstruction(marker[..., channel], mask[..., channel])
        np.testing.assert_array_equal(found[..., channel], expected)


def test_reconstruction_follows_a_path_with_many_turns_to_its_end():
    mask = spiral(21)
    marker = np.full_like(mask, -1)
    marker[0, 0] = 1
    found = reconstruction(tf.constant(marker[..., None]), tf.constant(mask[..., None]))
    np.testing.assert_array_equal(found[..., 0], plain_reconstruction(marker, mask))
    assert (found.numpy() == 1).sum() > 40


@pytest.mark.parametrize("shape", [(19, 15), (1, 25), (25, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_opening_is_the_plain_one(shape, masked):
    image = ndimage.gaussian_filter(RNG.normal(size=shape), 0.8)
    valid = RNG.random(shape) < 0.8 if masked else None
    hole = None if valid is None else tf.constant(~valid[..., None])
    for size in SIZES:
        found = openings(tf.constant(image[..., None]), [size], hole)[0][..., 0]
        np.testing.assert_array_equal(found, plain_opening(image, size, valid))


def test_what_pixels_without_data_hold_does_not_matter():
    image, valid = RNG.normal(size=(20, 20, 2)), RNG.random((20, 20)) < 0.7
    maps = [standing_out(np.where(valid[..., None], image, fill), valid) for fill in (0, 1e9, -1e9)]
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])
    assert (maps[0].numpy()[~valid] == 0).all()


@pytest.mark.parametrize(("side", "stands_out"), [(1, 1.0), (3, 1.0), (11, 0.5), (15, 0.0)])
def test_objects_stand_out_of_the_squares_that_they_are_too_small_for(side, stands_out):
    image = np.zeros((40, 40))
    image[10:10 + side, 12:12 + side] = 1
    found = standing_out(image[..., None]).numpy()[..., 0]
    np.testing.assert_array_equal(found, stands_out * image)


def test_a_ramp_does_not_stand_out_and_a_faint_pixel_on_it_does():
    ramp = np.add.outer(np.arange(30.0), np.arange(40.0))
    image = ramp.copy()
    image[14, 20] += 3
    found = standing_out(image[..., None]).numpy()[..., 0]
    expected = np.zeros_like(image)
    expected[14, 20] = 1  # 3 above the ramp there, 1 above its highest neighbour
    # The highest corner of the ramp is an object.
    np.testing.assert_array_equal(found[:20, :25], expected[:20, :25])


def test_turned_and_mirrored_images_give_turned_and_mirrored_maps():
    image = RNG.normal(size=(18, 25, 3))
    found = structure(image).numpy()
    np.testing.assert_allclose(structure(image[::-1]).numpy(), found[::-1], rtol=1e-12)
    turned = structure(image.transpose(1, 0, 2)).numpy()
    np.testing.assert_allclose(turned, found.T, rtol=1e-12)
    np.testing.assert_allclose(structure(-image).numpy(), found, rtol=1e-12)


def test_a_graph_of_images_of_any_size_gives_the_same():
    graph = tf.function(structure, input_signature=[tf.TensorSpec([None, None, 3], tf.float64)])
    for shape in ((9, 31, 3), (1, 5, 3)):
        image = RNG.normal(size=shape)
        np.testing.assert_array_equal(graph(image), structure(image))


@pytest.mark.parametrize("cores", [1, 8])
def test_large_maps_in_groups_give_the_same(monkeypatch, cores):
    image, valid = RNG.normal(size=(21, 22, 3)), RNG.random((21, 22)) < 0.9
    expected = [structure(image).numpy(), structure(image, valid).numpy()]
    monkeypatch.setattr(structure_module, "_LARGE_MAP", 1)
    monkeypatch.setattr(structure_module, "usable_cores", lambda: cores)
    np.testing.assert_array_equal(structure(image), expected[0])
    np.testing.assert_array_equal(structure(image, valid), expected[1])


def test_many_pixels_have_the_components_of_few(monkeypatch):
    pixels = (RNG.normal(size=(500, 6)) + 3).astype(np.float32)
    expected = projected(pixels, *principal_components(pixels)).numpy()
    monkeypatch.setattr(structure_module, "_CHUNK", 400)
    monkeypatch.setattr(structure_module, "_CHUNK_OF_MANY", 70)
    found = projected(pixels, *principal_components(pixels)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_principal_components_have_unit_variance_and_no_correlation():
    pixels = (RNG.normal(size=(500, 6)) @ RNG.normal(size=(6, 6)) + 3).astype(np.float32)
    found = projected(pixels, *principal_components(pixels)).numpy()
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    _, values, right = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    expected = (pixels - pixels.mean(axis=0)) @ right[:3].T / (values[:3] / np.sqrt(500))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-4)


def test_a_direction_without_variance_is_nothing():
    pixels = np.outer(RNG.normal(size=50), [1.0, 2, 3])
    found = projected(pixels, *principal_components(pixels)).numpy()
    assert found.shape == (50, 3) and (found[:, 1:] == 0).all()
    one_band = pixels[:, :1]
    assert projected(one_band, *principal_components(one_band)).shape == (50, 1)
