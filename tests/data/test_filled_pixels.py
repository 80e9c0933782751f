"""Pixels of a scene that are read on access, with a spectrum everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene

RNG = np.random.default_rng(3)
CUBE = RNG.uniform(1, 2, (5, 4, 6)).astype(np.float32)
VALID = np.ones((5, 4), bool)
VALID[0, 1] = VALID[3] = False
GOOD = np.arange(6) != 2


def with_holes() -> Scene:
    cube = CUBE.copy()
    cube[~VALID] = np.nan
    cube[:, :, 2] = np.inf
    return Scene(cube, valid=VALID, good_bands=GOOD)


def expected() -> np.ndarray:
    cube = CUBE[:, :, GOOD].astype(np.float64)
    cube[~VALID] = cube[VALID].mean(axis=0)
    return cube


def test_holes_hold_the_mean_and_bad_bands_are_left_out() -> None:
    pixels = FilledPixels(with_holes())
    assert pixels.shape == (20, 5) and len(pixels) == 20 and pixels.grid == (5, 4)
    np.testing.assert_allclose(pixels.cube(), expected(), rtol=1e-15)
    flat = expected().reshape(20, 5)
    for chosen in (slice(0, 20), slice(1, 3), slice(12, 17), np.array([1, 19, 13])):
        np.testing.assert_allclose(pixels[chosen], flat[chosen], rtol=1e-15)
    np.testing.assert_allclose(pixels.rows(2, 4), expected()[2:4], rtol=1e-15)
    assert pixels.extremes() == (flat.min(), flat.max())


def test_pixels_with_data_alone_are_a_column() -> None:
    pixels = FilledPixels(with_holes(), alone=True)
    assert pixels.shape == (15, 5) and pixels.grid == (15, 1)
    np.testing.assert_array_equal(pixels[:], CUBE[VALID][:, GOOD])
    assert pixels.cube().shape == (15, 1, 5)


@pytest.mark.parametrize("alone", [False, True])
def test_where_nothing_is_missing_nothing_is_converted_or_copied(alone: bool) -> None:
    pixels = FilledPixels(Scene(CUBE), alone=alone)
    assert pixels.grid == (5, 4)
    assert pixels[:].dtype == np.float32 and np.shares_memory(pixels[2:9], CUBE)
    assert not np.shares_memory(pixels.cube(), CUBE)


def test_a_mapped_cube_in_another_order_is_read_in_place(tmp_path) -> None:
    np.save(tmp_path / "bsq.npy", np.moveaxis(CUBE, 2, 0).copy())
    mapped = np.moveaxis(np.load(tmp_path / "bsq.npy", mmap_mode="r"), 0, 2)
    pixels = FilledPixels(Scene(mapped))
    np.testing.assert_array_equal(pixels[3:11], CUBE.reshape(20, 6)[3:11])
    np.testing.assert_array_equal(pixels.cube(), CUBE)
