"""Values that are most likely no measurements: what is found, and what is left in peace."""

import numpy as np
import pytest

from lren_tf.data import suspect_values
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.suspect_values import constant_spectra, far_value, repeated_spectrum

CUBE = np.arange(240.0).reshape(8, 6, 5)
ALL = (None, None)


class TestConstants:
    def test_value_and_share(self):
        cube = CUBE.copy()
        cube[:2] = 7
        cube[3, 3] = 9
        assert constant_spectra(cube, *ALL) == [(7.0, 12, 12 / 48), (9.0, 1, 1 / 48)]
        valid = np.ones((8, 6), bool)
        valid[:1] = False
        assert constant_spectra(cube, valid, None)[0] == (7.0, 6, 6 / 42)
        good = np.array([True, True, True, True, False])
        cube[:2, :, 4] = np.arange(6)
        assert constant_spectra(cube, None, good)[0] == (7.0, 12, 12 / 48)
        assert constant_spectra(cube, *ALL) == [(9.0, 1, 1 / 48)]

    def test_few_zeros(self):
        cube = np.random.default_rng(0).random((40, 40, 5)) + 1
        cube[5, 5:7] = 0
        assert constant_spectra(cube, *ALL) == []
        cube[9, 9] = 0
        assert constant_spectra(cube, *ALL) == [(0.0, 3, 3 / 1600)]
        assert constant_spectra(cube + 1, *ALL) == []
        assert constant_spectra(cube[:, :, :2], *ALL) == []

    def test_none(self):
        assert constant_spectra(CUBE, *ALL) == []
        assert constant_spectra(CUBE[:, :, :1], *ALL) == []
        assert constant_spectra(np.ones((3, 3, 3)), *ALL) == []

    @pytest.mark.parametrize("elements", [240, 120, 60])
    def test_a_part_of_a_large_image_is_looked_at(self, monkeypatch, elements):
        cube = CUBE.copy()
        cube[:4] = 0
        monkeypatch.setattr(suspect_values, "_MOST_ELEMENTS", elements)
        monkeypatch.setattr(suspect_values, "_COPIED_ELEMENTS", 10)
        assert constant_spectra(cube, np.ones((8, 6), bool), None)[0][::2] == (0.0, 0.5)


class TestRepeated:
    def test_value_and_share(self):
        cube = CUBE.copy()
        cube[:2] = [3, 1, 4, 1, 5]
        cube[2, 2] = [3, 1, 4, 9, 5]  # agrees in the bands that are looked at first
        assert repeated_spectrum(cube, *ALL) == (3.0, 12, 12 / 48)
        good = np.array([False, True, True, True, True])
        assert repeated_spectrum(cube, None, good) == (1.0, 12, 12 / 48)

    def test_none(self):
        assert repeated_spectrum(CUBE, *ALL) is None
        assert repeated_spectrum(np.ones((8, 6, 5)), *ALL) is None
        assert repeated_spectrum(np.broadcast_to(np.arange(5.0), (8, 6, 5)), *ALL) is None
        cube = CUBE.copy()
        cube[:3] = 7  # a constant, which is another matter
        assert repeated_spectrum(cube, *ALL) is None


class TestFar:
    noise = np.random.default_rng(0).normal(0.3, 0.05, (20, 20, 6))

    @pytest.mark.parametrize("value", [1e38, -1e38, 9.96921e36, 1e20, 3.4e38, -1e10])
    @pytest.mark.parametrize("bands", [slice(None), slice(2, 3)])
    def test_in_one_pixel(self, value, bands):
        cube = self.noise.astype(np.float32)
        cube[3, 4, bands] = value
        found = far_value(cube, *ALL)
        assert found.value == pytest.approx(value) and found.pixels == 1

    def test_the_most_frequent(self):
        cube = self.noise.copy()
        cube[:3] = 1e30
        cube[9, 9, 0] = 2e30
        assert far_value(cube, *ALL) == (1e30, 61, 61 / 400)

    def test_of_many_pixels_a_sample_tells_where_the_others_are(self, monkeypatch):
        read = []
        original = PixelMatrix.__getitem__
        monkeypatch.setattr(suspect_values, "_SAMPLED_PIXELS", 50)
        monkeypatch.setattr(suspect_values, "iter_chunks", lambda pixels: [(0, pixels[:])])
        monkeypatch.setattr(
            PixelMatrix, "__getitem__",
            lambda self, rows: read.append(original(self, rows)) or read[-1],
        )  # fmt: skip
        cube = self.noise.copy()
        cube[3, 4] = 1e20
        assert far_value(cube, *ALL) == (1e20, 1, 1 / 400)
        assert min(map(len, read)) == 50

    def test_missing_values_hide_no_others(self):
        cube = self.noise.copy()
        cube[5, 5, 0] = np.nan
        assert far_value(cube, *ALL) is None
        cube[3, 4] = 1e20
        valid = ~np.isnan(cube).any(axis=2)
        assert far_value(cube, valid, None).value == 1e20

    def test_whole_numbers_of_32_bits(self):
        cube = np.random.default_rng(0).integers(900, 1100, (20, 20, 4)).astype(np.int32)
        assert far_value(cube, *ALL) is None
        cube[2, 2] = -(2**31)
        assert far_value(cube, *ALL).value == -(2.0**31)

    def test_a_band_that_hardly_varies(self):
        cube = self.noise.copy()
        cube[:, :, 1] = 0
        cube[0, 0, 1] = 1e12
        assert far_value(cube, *ALL).value == 1e12

    @pytest.mark.parametrize("value", [1.0, 255.0, 6e4])
    def test_bright_pixels_are_none(self, value):
        cube = self.noise.copy()
        cube[3, 3] = value * 0.05
        assert far_value(cube, *ALL) is None

    def test_short_numbers_are_not_looked_at(self):
        cube = np.ones((9, 9, 3), np.int16)
        cube[0, 0] = 32767
        assert far_value(cube, *ALL) is None
        assert far_value(np.ones((1, 3, 3)), *ALL) is None
