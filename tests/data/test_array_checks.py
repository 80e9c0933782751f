import tracemalloc

import numpy as np
import pytest

from lren_tf.data import array_checks as pixels_module
from lren_tf.data.array_checks import (
    check_finite_pixels,
    iter_chunks,
    real_array,
    varies,
    varying_bands,
)
from lren_tf.errors import InputError


def cube(height=4, width=5, bands=3, dtype=np.uint16):
    return np.arange(height * width * bands).reshape(height, width, bands).astype(dtype)


class TestCheckFinitePixels:
    @pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
    def test_finite_passes(self, dtype):
        assert check_finite_pixels(cube(dtype=dtype).reshape(-1, 3)) is None

    @pytest.mark.parametrize("chunk", [1, 4, 7, 1 << 20])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_count_and_place_do_not_depend_on_chunks(self, monkeypatch, chunk, bad):
        monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", chunk)
        pixels = cube(dtype="f4").reshape(-1, 3)
        pixels[13, 2] = pixels[13, 1] = pixels[17, 0] = bad
        with pytest.raises(InputError, match=r"scan: 3 values are .* row 2, column 3, band 1 "):
            check_finite_pixels(pixels, grid_width=5, what="scan")
        with pytest.raises(InputError, match="sample 13, band 1 "):
            check_finite_pixels(pixels)

    def test_one_bad_value(self):
        with pytest.raises(InputError, match=r"1 value is NaN"):
            check_finite_pixels(np.array([[1.0, np.nan]]))

    @pytest.mark.parametrize(
        ("pixels", "width", "message"),
        [
            (np.zeros(3), None, "samples × bands"),
            (np.zeros((3, 2), complex), None, "dtype complex128"),
            (np.zeros((3, 2)), 0, "grid_width"),
        ],
    )
    def test_wrong_arguments(self, pixels, width, message):
        with pytest.raises(InputError, match=message):
            check_finite_pixels(pixels, width)

    def test_memory_stays_bounded(self):
        pixels = np.zeros((200_000, 100), np.float32)
        tracemalloc.start()
        try:
            check_finite_pixels(pixels)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # One temporary of a byte per value would be 20 MB.
        assert peak < 8e6


class TestVaryingBands:
    def test_constant_bands_are_found(self):
        pixels = np.array([[1, 5, 2], [1, 6, 2], [1, 5, 3]], np.int16)
        assert varying_bands(pixels).tolist() == [False, True, True]

    @pytest.mark.parametrize("samples", [1, 4])
    def test_a_constant_cube_is_refused(self, samples):
        with pytest.raises(InputError, match=f"plot: all 3 bands .* {samples} pixels"):
            varying_bands(np.full((samples, 3), 2.5), what="plot")

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
    def test_nothing_to_look_at(self, shape):
        with pytest.raises(InputError, match="at least one sample"):
            varying_bands(np.zeros(shape))

    def test_only_valid_pixels_and_good_bands_are_looked_at(self, monkeypatch):
        monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", 4)
        pixels = np.array([[1, 2, np.nan, 4], [1, 3, np.nan, 4], [9, 2, np.nan, 4]], float)
        valid, bands = np.array([1, 1, 0], bool), np.array([1, 1, 0, 1], bool)
        found = varying_bands(pixels, valid=valid, bands=bands)
        assert found.tolist() == [False, True, False, False]
        assert varies(pixels[:, :2], valid).tolist() == [False, True]
        assert varies(pixels[:, :2]).tolist() == [True, True]
        with pytest.raises(InputError, match="all 2 bands are constant over the 2 pixels"):
            varying_bands(pixels, valid=valid, bands=np.array([1, 0, 0, 1], bool))


def test_nan_elsewhere_does_not_matter(monkeypatch):
    monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", 3)
    pixels = cube(dtype="f4").reshape(-1, 3)
    pixels[4, 1] = pixels[13] = np.nan
    valid = np.ones(20, bool)
    valid[13] = False
    check_finite_pixels(pixels, valid=valid, bands=np.array([True, False, True]))
    with pytest.raises(InputError, match=r"2 values are .* row 2, column 3, band 0 "):
        check_finite_pixels(pixels, 5, bands=np.array([True, False, True]))
    with pytest.raises(InputError, match=r"1 value is .* row 0, column 4, band 1 "):
        check_finite_pixels(pixels, 5, valid=valid)


def test_row_chunks_cover_the_array_once(monkeypatch):
    monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", 7)
    array = cube().reshape(-1, 3)
    parts = list(iter_chunks(array))
    assert [start for start, _ in parts] == list(range(0, 20, 2))
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), array)


@pytest.mark.parametrize("values", [np.ma.masked_equal([1], 1), [[1], [2, 3]], ["a"], [1j]])
def test_what_is_no_real_array(values):
    with pytest.raises(InputError, match=r"^x "):
        real_array(values, "x")
