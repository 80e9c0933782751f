import numpy as np
import pytest

from lren_tf.data.pixel_matrix import PixelMatrix, as_pixel_matrix, is_mapped
from lren_tf.data.scene import Scene

CUBE = np.arange(4 * 5 * 3, dtype=np.int16).reshape(4, 5, 3)
TABLE = CUBE.reshape(-1, 3)
VALID = np.arange(20).reshape(4, 5) % 3 != 1
INDEX = np.array([7, 0, 12, 7])


def layouts(folder):
    """The same cube in memory, band after band, foreign in byte order, and in files."""
    yield CUBE
    yield np.asfortranarray(CUBE)
    yield CUBE.astype(">i2")
    for name, order in (("bip", (0, 1, 2)), ("bil", (0, 2, 1)), ("bsq", (2, 0, 1))):
        file = folder / name
        CUBE.transpose(order).astype(">i2").tofile(file)
        shape = CUBE.transpose(order).shape
        mapped = np.memmap(file, ">i2", "r", shape=shape)
        yield mapped.transpose(np.argsort(order))


def test_rows_of_any_layout(tmp_path):
    for cube in layouts(tmp_path):
        rows = PixelMatrix(cube)
        assert (len(rows), rows.shape, rows.dtype) == (20, (20, 3), np.dtype(np.int16))
        np.testing.assert_array_equal(rows[:], TABLE)
        np.testing.assert_array_equal(rows[3:14], TABLE[3:14])
        np.testing.assert_array_equal(rows[18:99], TABLE[18:])
        for part in (np.s_[::3], np.s_[2:17:4], np.s_[::-1], np.s_[15:2:-5], np.s_[4:4:2]):
            np.testing.assert_array_equal(rows[part], TABLE[part])
        np.testing.assert_array_equal(rows[INDEX], TABLE[INDEX])
        np.testing.assert_array_equal(rows[6], TABLE[6])
        np.testing.assert_array_equal(np.asarray(rows), TABLE)
        assert rows[2:9].flags.c_contiguous and rows[2:9].dtype.isnative


def test_rows_of_valid_pixels_and_good_bands(tmp_path):
    expected = CUBE[VALID]
    for cube in layouts(tmp_path):
        rows = PixelMatrix(cube, VALID)
        assert rows.shape == expected.shape
        np.testing.assert_array_equal(rows[2:9], expected[2:9])
        np.testing.assert_array_equal(rows[INDEX], expected[INDEX])
        some = rows.of_bands(np.array([True, False, True]))
        assert some.shape == (len(expected), 2)
        np.testing.assert_array_equal(some[:], expected[:, [0, 2]])
        np.testing.assert_array_equal(some.of_bands(np.array([False, True]))[:], expected[:, [2]])


def test_a_table():
    rows = as_pixel_matrix(TABLE)
    assert as_pixel_matrix(rows) is rows
    assert np.shares_memory(rows[2:5], TABLE)
    np.testing.assert_array_equal(rows[INDEX], TABLE[INDEX])


def test_a_view_where_the_layout_allows_one(tmp_path):
    assert np.shares_memory(PixelMatrix(CUBE)[3:14], CUBE)
    np.save(tmp_path / "a.npy", CUBE)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert is_mapped(mapped) and is_mapped(np.asarray(mapped)[1:]) and not is_mapped(CUBE)
    assert PixelMatrix(mapped).on_disk and is_mapped(PixelMatrix(mapped)[3:14])


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_a_mapped_scene_stays_in_its_file(tmp_path, order):
    CUBE.transpose(order).astype(">i2").tofile(tmp_path / "a")
    shape = CUBE.transpose(order).shape
    mapped = np.memmap(tmp_path / "a", ">i2", "r", shape=shape).transpose(np.argsort(order))
    scene = Scene(mapped, valid=VALID)
    assert is_mapped(scene.cube) and scene.rows.on_disk
    np.testing.assert_array_equal(scene.rows[:], CUBE[VALID])
    np.testing.assert_array_equal(scene.pixels, TABLE)
    assert scene.pixels.dtype.isnative and scene.pixels is scene.pixels
    np.testing.assert_array_equal(scene.valid_pixels, CUBE[VALID])
    scene.check_usable()


@pytest.mark.parametrize("with_holes", [False, True])
def test_some_rows_are_a_matrix_of_their_own(with_holes):
    cube = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    valid = np.arange(20).reshape(4, 5) % 3 != 1 if with_holes else None
    whole = PixelMatrix(cube, valid, np.array([True, False, True]))
    rows = np.array([0, 2, 7, 11])
    part = whole.of_rows(rows)
    np.testing.assert_array_equal(part[:], whole[rows])
    np.testing.assert_array_equal(part.of_rows(np.array([1, 3]))[:], whole[rows[[1, 3]]])
