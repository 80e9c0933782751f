import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lren_tf.data.band_selection import (
    parse_bands,
    ranges_text,
    unused_bands,
    used_bands,
    water_bands,
)
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError

CUBE = np.random.default_rng(0).normal(size=(4, 5, 6))


def test_water_windows():
    nm = np.array([400, 1339, 1340, 1400, 1460, 1461, 1789, 1790, 1960, 1961, 2449, 2450, 2600.0])
    assert np.flatnonzero(water_bands(nm)).tolist() == [2, 3, 4, 7, 8, 11, 12]


def test_every_reason_once():
    cube = CUBE.copy()
    cube[:, :, 1] = 5.0
    cube[:, :, 2] = 5.0
    cube[0, 0, 2] = 6.0  # only where there is no data
    cube[:, :, 5] = np.nan
    valid = np.ones((4, 5), bool)
    valid[0, 0] = False
    good = [1, 1, 1, 1, 1, 0]
    nm = [500, 600, 700, 1400, 900, 1900]
    scene = Scene(cube, valid=valid, good_bands=good, wavelengths=nm)
    found = {reason: np.flatnonzero(b).tolist() for reason, b in unused_bands(scene).items()}
    assert found == {"bad": [5], "water": [], "constant": [1, 2]}
    assert np.flatnonzero(used_bands(scene)).tolist() == [0, 3, 4]
    assert np.flatnonzero(used_bands(scene, drop_water=True)).tolist() == [0, 4]
    assert np.flatnonzero(unused_bands(scene, drop_water=True)["water"]).tolist() == [3]


def test_all_bands_of_a_plain_scene():
    assert used_bands(Scene(CUBE)).all()


def test_water_needs_wavelengths():
    with pytest.raises(InputError, match="field says no wavelengths"):
        used_bands(Scene(CUBE, name="field"), drop_water=True)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("0", [0]), ("0-2", [0, 1, 2]), ("4-", [4, 5]), (" 1 , 3 - 4 ", [1, 3, 4]), ("5,5", [5])],
)
def test_selections(text, chosen):
    assert np.flatnonzero(parse_bands(text, 6)).tolist() == chosen


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-3", "1.5", "1-2-3", "²", "9999999999999"])
def test_what_is_no_selection(text):
    with pytest.raises(InputError, match="expected numbers and ranges counted from 0"):
        parse_bands(text, 6)


@pytest.mark.parametrize("text", ["6", "0-6", "3-2", "7-"])
def test_bands_that_there_are_not(text):
    with pytest.raises(InputError, match="is not a range of the 6 bands; expected numbers from 0 "):
        parse_bands(text, 6)


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_ranges_read_back(chosen):
    assert parse_bands(ranges_text(np.array(chosen)), len(chosen)).tolist() == chosen


def test_no_ranges():
    assert ranges_text(np.zeros(4, bool)) == ""
    assert ranges_text(np.array([1, 1, 1, 0, 1], bool)) == "0-2,4"
