import numpy as np
import pytest

from lren_tf.data.pseudo_colour import picture_bands, pseudo_colour
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError


class TestPseudoColour:
    def test_range_shape_and_stretch(self):
        values = np.random.default_rng(0).normal(size=(30, 40, 21))
        picture = pseudo_colour(values)
        assert picture.shape == (30, 40, 3)
        assert picture.dtype == np.float32
        # 2 % of 1200 pixels are clipped at each end of each channel.
        assert (picture == 0).sum(axis=(0, 1)).tolist() == [24, 24, 24]
        assert (picture == 1).sum(axis=(0, 1)).tolist() == [24, 24, 24]
        red = np.argsort(picture[:, :, 0], axis=None)[30:-30]
        assert (np.diff(values[:, :, 10].flat[red]) >= 0).all()

    def test_int16_does_not_overflow(self):
        values = np.zeros((1, 3, 1), np.int16)
        values[0, :, 0] = [-32768, 0, 32767]
        picture = pseudo_colour(values)
        assert picture[0, 0, 0] == 0
        assert picture[0, 1, 0] == pytest.approx(0.5, abs=1e-4)
        assert picture[0, 2, 0] == 1

    def test_constant_rare_and_unusable_values(self):
        values = np.zeros((20, 20, 3))
        values[:, :, 0] = 7.0
        values[4, 4, 1] = 2.0  # fewer pixels than either percentile
        values[0, 0, 1] = np.nan
        values[:, :, 2] = np.nan
        picture = pseudo_colour(np.take(values, [2, 1, 0], axis=2))
        assert np.isfinite(picture).all()
        assert np.argwhere(picture[:, :, 0]).tolist() == [[4, 4]]

    def test_refuses_what_is_no_cube(self):
        with pytest.raises(InputError, match="rows × columns × bands"):
            pseudo_colour(np.zeros((3, 3)))

    def test_masked_pixels_hold_no_data(self):
        values = np.random.default_rng(0).uniform(1, 2, (4, 5, 3))
        values[1, 2] = 1e6
        picture = pseudo_colour(np.ma.masked_greater(values, 1e5))
        expected = pseudo_colour(Scene(values, valid=values.max(axis=2) < 1e5))
        np.testing.assert_array_equal(picture, expected)
        assert np.isnan(picture[1, 2]).all()

    def test_pixels_without_data_are_nan_and_stretch_nothing(self):
        values = np.random.default_rng(0).uniform(1, 2, (20, 30, 5))
        holes = np.zeros((20, 30), bool)
        holes[:4] = True
        filled = np.where(holes[:, :, None], -9999, values)
        picture = pseudo_colour(Scene(filled, valid=~holes))
        assert np.isnan(picture[holes]).all()
        np.testing.assert_array_equal(picture[~holes], pseudo_colour(values[4:]).reshape(-1, 3))

    def test_a_scene_with_nothing_said_is_drawn_as_its_cube(self):
        values = np.random.default_rng(0).uniform(size=(9, 8, 12))
        np.testing.assert_array_equal(pseudo_colour(Scene(values)), pseudo_colour(values))


class TestPictureBands:
    CUBE = np.zeros((2, 2, 11))

    def test_fractions_without_wavelengths(self):
        assert picture_bands(Scene(self.CUBE)) == (5, 2, 1)

    def test_fractions_of_the_good_bands(self):
        good = np.arange(11) >= 6
        assert picture_bands(Scene(self.CUBE, good_bands=good)) == (8, 7, 6)

    def test_natural_colours_by_wavelength_in_any_order(self):
        nm = np.linspace(400, 900, 11)
        assert picture_bands(Scene(self.CUBE, wavelengths=nm)) == (5, 3, 1)
        assert picture_bands(Scene(self.CUBE, wavelengths=nm[::-1])) == (5, 7, 9)

    def test_a_bad_band_is_not_drawn(self):
        nm = np.linspace(400, 900, 11)
        good = np.arange(11) != 5
        assert picture_bands(Scene(self.CUBE, wavelengths=nm - 5, good_bands=good)) == (4, 2, 1)
        wide = Scene(self.CUBE, wavelengths=np.linspace(430, 730, 11), good_bands=good)
        assert picture_bands(wide) == (7, 4, 1)

    def test_a_sensor_that_does_not_see_blue(self):
        assert picture_bands(Scene(self.CUBE, wavelengths=np.linspace(500, 1000, 11))) == (5, 2, 1)
