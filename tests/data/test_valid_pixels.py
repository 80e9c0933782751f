"""Which pixels hold data: the rule, its exceptions, and that chunks do not matter."""

import numpy as np
import pytest

from lren_tf.data import array_checks as pixels_module
from lren_tf.data.valid_pixels import find_valid, holds_no_data_value

CUBE = np.random.default_rng(0).integers(1, 99, (6, 5, 4)).astype(np.int16)


@pytest.fixture(autouse=True, params=[4, 1 << 20])
def _chunks(request, monkeypatch):
    monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", request.param)


def holes(found):
    return [] if found.valid is None else np.argwhere(~found.valid).tolist()


@pytest.mark.parametrize("no_data", [(), (0,), (-9999,), (0.5,), (1e9,), (np.nan,), (np.inf,)])
def test_nothing_is_missing(no_data):
    found = find_valid(CUBE, no_data=no_data)
    assert found.valid is None and found.good_bands is None and found.partial == 0
    assert not found.empty_bands.any()


@pytest.mark.parametrize("dtype", ["i2", "f4", "f8"])
def test_whole_pixels(dtype):
    cube = CUBE.astype(dtype)
    cube[1, 2] = -9999
    cube[5, 4] = 0
    found = find_valid(cube, no_data=(-9999, 0))
    assert holes(found) == [[1, 2], [5, 4]]
    assert found.partial == 0 and found.good_bands is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -9999.0])
def test_one_missing_value_leaves_the_pixel_out(bad):
    cube = CUBE.astype(np.float32)
    cube[3, 1, 2] = bad
    found = find_valid(cube, no_data=(-9999,))
    assert holes(found) == [[3, 1]]
    assert found.partial == 1 and found.good_bands is None


def test_a_value_in_a_bad_band_does_not_matter():
    cube = CUBE.astype(np.float32)
    cube[:, :, 1] = np.nan
    cube[2, 2] = np.nan
    good = np.array([1, 0, 1, 1], bool)
    found = find_valid(cube, good_bands=good)
    assert holes(found) == [[2, 2]]
    assert found.good_bands.tolist() == good.tolist()
    assert found.partial == 0 and not found.empty_bands.any()


def test_a_band_without_data_is_not_a_good_one():
    cube = CUBE.astype(np.float32)
    cube[:, :, 3] = -32768
    cube[0] = -32768
    cube[4, 4, 0] = np.nan
    found = find_valid(cube, no_data=(-32768,))
    assert holes(found) == [[0, c] for c in range(5)] + [[4, 4]]
    assert found.good_bands.tolist() == [True, True, True, False]
    assert found.empty_bands.tolist() == [False, False, False, True]
    assert found.partial == 1


def test_the_mask():
    mask = np.ones((6, 5), bool)
    mask[0, 0] = False
    assert holes(find_valid(CUBE, mask=mask)) == [[0, 0]]
    cube = CUBE.copy()
    cube[1, 1] = 0
    cube[0, 0, 2] = 0  # masked anyway
    found = find_valid(cube, mask=mask, no_data=(0,))
    assert holes(found) == [[0, 0], [1, 1]]
    assert found.partial == 0


def test_a_band_that_only_masked_pixels_fill():
    cube = CUBE.copy()
    cube[1:, :, 0] = 0
    mask = np.ones((6, 5), bool)
    mask[0] = False
    found = find_valid(cube, mask=mask, no_data=(0,))
    assert found.good_bands.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(found.valid, mask)


def test_nothing_is_left():
    found = find_valid(np.zeros((6, 5, 4)), no_data=(0,))
    assert not found.valid.any()
    assert found.good_bands is None and found.partial == 0


def test_the_digits_of_a_header():
    cube = CUBE.astype(np.float32)
    cube[0, 0] = np.finfo(np.float32).min
    cube[1, 1] = np.float32(1e-3)
    assert holes(find_valid(cube, no_data=(-3.40282e38,))) == [[0, 0]]
    assert holes(find_valid(cube, no_data=(-1e300,))) == []
    assert holes(find_valid(cube, no_data=(0.001,))) == [[1, 1]]
    assert holes(find_valid(cube, no_data=(0,))) == []


def test_values_of_a_map():
    values = np.array([[0, -9999, 7], [np.nan, np.inf, -9999.001]], np.float32)
    found = holds_no_data_value(values, (-9999.0, 7))
    assert found.tolist() == [[False, True, True], [False, False, True]]
    whole = np.array([[0, 255]], np.uint8)
    assert holds_no_data_value(whole, (255.0, -1.0, 0.5)).tolist() == [[False, True]]


def test_the_list_of_good_bands_is_left_as_it_was():
    cube = CUBE.astype(np.float32)
    cube[:, :, 0] = np.nan
    good = np.ones(4, bool)
    assert find_valid(cube, good_bands=good).good_bands.tolist() == [False, True, True, True]
    assert good.all()
