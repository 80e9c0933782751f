import numpy as np
import pytest

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.model.inputs import as_model_input

CUBE = np.arange(24.0).reshape(2, 3, 4)
VALID = np.array([[1, 0, 1], [1, 1, 0]], bool)


def test_a_table_and_a_cube():
    table = as_model_input(CUBE.reshape(6, 4))
    assert table.grid == (6,) and table.pixels.shape == (6, 4)
    whole = as_model_input(CUBE)
    assert whole.grid == (2, 3) and whole.valid is None and whole.good_bands is None
    rows = np.zeros((6, 2))
    assert whole.spread(rows) is rows
    assert whole.on_grid(np.array([3, -1])).tolist() == [3, -1]


def test_a_scene_with_holes():
    samples = as_model_input(Scene(CUBE, valid=VALID, good_bands=[1, 1, 0, 1]))
    np.testing.assert_array_equal(samples.pixels, CUBE[VALID])
    assert samples.good_bands.tolist() == [True, True, False, True]
    assert samples.on_grid(np.array([0, 1, 2, 3, -1])).tolist() == [0, 2, 3, 4, -1]
    spread = samples.spread(np.arange(8, dtype=np.float32).reshape(4, 2))
    assert spread.dtype == np.float32
    np.testing.assert_array_equal(spread[[0, 2, 3, 4]], np.arange(8).reshape(4, 2))
    assert np.isnan(spread[[1, 5]]).all()


def test_a_file(tmp_path):
    np.savez(tmp_path / "a.npz", data=CUBE, other=CUBE[:, :, :2])
    assert as_model_input(tmp_path / "a.npz", "other").pixels.shape == (6, 2)


def test_finite_where_it_matters():
    cube = CUBE.copy()
    cube[0, 1] = np.nan
    cube[:, :, 2] = np.nan
    as_model_input(Scene(cube, valid=VALID, good_bands=[1, 1, 0, 1])).check_finite()
    with pytest.raises(InputError, match=r"4 values are .* at sample 0, band 2"):
        as_model_input(Scene(cube, valid=VALID)).check_finite()
    with pytest.raises(InputError, match=r"at row 0, column 1, band 0"):
        as_model_input(Scene(cube, good_bands=[1, 1, 0, 1])).check_finite()


def test_key_with_an_array():
    with pytest.raises(InputError, match="key='a' was given with an array"):
        as_model_input(CUBE, "a")


class OnAnotherDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert a cuda tensor")


@pytest.mark.parametrize("data", [(CUBE, CUBE[..., 0]), [[1.0, 2.0], [3.0]], OnAnotherDevice()])
def test_what_is_no_array(data):
    with pytest.raises(InputError, match=r"of type \w+ and cannot be read as an array"):
        as_model_input(data)
