"""The mask of a masked array as no data, in scenes and wherever pixels are taken."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf.data.masked_arrays import unmask
from lren_tf.data.scene import Scene
from lren_tf.data.valid_pixels import find_valid
from lren_tf.errors import InputError

CUBE = np.arange(60.0).reshape(3, 4, 5)


def masked(*places: tuple, cube: np.ndarray = CUBE) -> np.ma.MaskedArray:
    hidden = np.zeros(cube.shape, bool)
    for place in places:
        hidden[place] = True
    return np.ma.array(cube, mask=hidden)


def test_a_pixel_with_one_masked_value_holds_no_data():
    scene = Scene(masked((1, 2, 3)))
    assert np.argwhere(~scene.valid).tolist() == [[1, 2]]
    assert scene.good_bands is None
    assert type(scene.cube) is np.ndarray
    np.testing.assert_array_equal(scene.cube, CUBE)


def test_a_band_that_is_masked_everywhere_is_bad():
    scene = Scene(masked((..., 3), (0, 0)))
    assert scene.good_bands.tolist() == [True, True, True, False, True]
    assert np.argwhere(~scene.valid).tolist() == [[0, 0]]


def test_a_mask_in_a_bad_band_does_not_matter():
    scene = Scene(masked((1, 2, 3)), good_bands=[1, 1, 1, 0, 1])
    assert scene.valid is None


def test_a_band_that_only_invalid_pixels_fill_is_bad():
    valid = np.ones((3, 4), bool)
    valid[0] = False
    scene = Scene(masked((slice(1, None), ..., 3)), valid=valid)
    np.testing.assert_array_equal(scene.valid, valid)
    assert scene.good_bands.tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("mask", [np.ma.nomask, False, np.zeros(CUBE.shape, bool)])
def test_a_mask_that_hides_nothing(mask):
    scene = Scene(np.ma.array(CUBE, mask=mask))
    assert scene.valid is None and scene.good_bands is None


def test_nothing_left_is_refused():
    with pytest.raises(InputError, match="none of the 3 × 4 pixels holds data"):
        Scene(np.ma.array(CUBE, mask=True))


def test_the_given_mask_and_the_array_s_are_joined():
    valid = np.ma.array(np.ones((3, 4)), mask=np.zeros((3, 4)))
    valid[2, 3] = np.ma.masked  # no data here either
    scene = Scene(masked((1, 2, 3)), valid=valid)
    assert np.argwhere(~scene.valid).tolist() == [[1, 2], [2, 3]]


def test_what_is_not_masked_is_still_checked():
    cube = CUBE.copy()
    cube[1, 2] = np.inf
    cube[2, 0, 4] = np.nan
    with pytest.raises(InputError, match="row 2, column 0, band 4"):
        Scene(masked((1, 2, 3), cube=cube)).check_usable()


@pytest.mark.parametrize("seed", range(20))
def test_the_rules_are_those_of_no_data_values(seed):
    rng = np.random.default_rng(seed)
    hidden = rng.random(CUBE.shape) < rng.choice([0.02, 0.1, 0.5])
    hidden[..., rng.integers(5)] |= rng.random() < 0.5
    inside = rng.random((3, 4)) < 0.8
    good = rng.random(5) < 0.8
    expected = find_valid(np.where(hidden, np.nan, CUBE), mask=inside, good_bands=good)
    found = unmask(np.ma.array(CUBE, mask=hidden), inside, good)
    for one, other in ((found.valid, expected.valid), (found.good_bands, expected.good_bands)):
        np.testing.assert_array_equal(one, other)


def test_a_table():
    table = np.ma.array(CUBE.reshape(12, 5), mask=False)
    table[7, 1] = np.ma.masked
    found = unmask(table)
    assert np.flatnonzero(~found.valid).tolist() == [7]
    assert found.good_bands is None
    assert np.shares_memory(found.values, table)


def test_a_mapped_cube_stays_in_its_file(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    mapped = np.load(tmp_path / "cube.npy", mmap_mode="r")
    scene = Scene(np.ma.array(mapped, mask=CUBE == 7))
    assert scene.rows.on_disk
    assert scene.valid_count == 11
