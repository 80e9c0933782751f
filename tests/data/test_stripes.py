"""Stripes of sensors are found, and what nature and targets draw is not."""

import numpy as np
import pytest
from scipy import ndimage

from lren_tf import datasets
from lren_tf.data.band_quality import band_quality
from lren_tf.data.scene import Scene
from lren_tf.data.stripes import striped_columns, stripes

SCENE = datasets.simulate(40, 36, 30, seed=4)


def textured(seed=0, shape=(60, 50)):
    noise = np.random.default_rng(seed).normal(size=shape)
    return 10 + 5 * ndimage.gaussian_filter(noise, 2) + 0.1 * noise


def found(columns):
    return np.flatnonzero(columns).tolist()


class TestMaps:
    @pytest.mark.parametrize("seed", range(8))
    def test_texture_alone(self, seed):
        assert not stripes(textured(seed)).any

    @pytest.mark.parametrize("offset", [1.0, -1.0, 30.0])
    @pytest.mark.parametrize("column", [0, 1, 20, 49])
    def test_a_column_that_is_off(self, offset, column):
        values = textured()
        values[:, column] += offset
        assert found(striped_columns(values)) == [column]
        assert found(stripes(values.T).rows) == [column]

    def test_a_gain(self):
        values = textured()
        values[:, [7, 30]] *= 1.1
        assert found(striped_columns(values)) == [7, 30]

    @pytest.mark.parametrize("value", [0.0, 10.0])
    def test_a_dead_column(self, value):
        values = textured()
        values[:, 12] = value
        assert found(striped_columns(values)) == [12]

    def test_pixels_without_data(self):
        values = textured()
        values[:, 20] += 1
        values[:25, :10] = np.nan
        values[40:, 15:30] = np.nan
        assert found(striped_columns(values)) == [20]
        values[15:, 20] = np.nan  # too little is left of it
        assert found(striped_columns(values)) == []
        assert not stripes(np.full((30, 30), np.nan)).any

    @pytest.mark.parametrize("scale", [1e-30, 1e30, 1e300])
    def test_the_unit_does_not_matter(self, scale):
        values = textured()
        values[:, 20] += 1
        assert found(striped_columns(values * scale)) == [20]

    def test_objects_and_edges_are_none(self):
        values = textured()
        values[10:25, 20] += 30  # a target of 15 pixels in one column
        values[:, 30:] += 8  # land and sea
        values += np.arange(50)  # illumination
        assert not stripes(values).any

    @pytest.mark.parametrize("shape", [(60, 4), (15, 50), (1, 50), (50, 1), (1, 1)])
    def test_small_maps_tell_nothing(self, shape):
        values = textured(shape=(60, 50))[: shape[0], : shape[1]]
        values[:, :1] += 100
        assert not striped_columns(values).any()

    def test_long_maps_are_looked_at_in_part(self):
        values = np.tile(textured(), (20, 1))
        values[:, 20] += 1
        assert found(striped_columns(values)) == [20]
        assert found(striped_columns(values, most_rows=64)) == [20]


class TestScenes:
    def test_a_sound_scene(self):
        quality = band_quality(SCENE)
        assert not quality.bad.any() and not quality.columns.any() and not quality.rows.any()

    def damaged(self):
        rng = np.random.default_rng(0)
        cube = SCENE.cube.astype(np.float64)
        texture = np.median(np.abs(np.diff(cube, axis=0)), axis=(0, 1))
        cube[:, :, 4] = 7.0
        cube[5, 5, 4] = 8.0  # not quite constant
        cube[:, :, 11] = rng.normal(size=cube.shape[:2])
        cube[:, :, 17] += rng.normal(0, 3 * texture[17], cube.shape[1])
        cube[:, 9, ::4] += 4 * texture[::4]
        cube[:, 25] = cube[0, 25]
        return cube

    def test_what_is_damaged(self):
        quality = band_quality(Scene(self.damaged(), name="s"))
        assert found(quality.dead) == [4]
        assert found(quality.noisy) == [11]
        assert found(quality.striped) == [17]
        assert found(quality.columns) == [9, 25]
        assert found(quality.rows) == []
        assert found(quality.bad) == [4, 11, 17]

    def test_across(self):
        quality = band_quality(Scene(self.damaged().transpose(1, 0, 2), name="s"))
        assert (found(quality.rows), found(quality.columns)) == ([9, 25], [])
        assert found(quality.striped) == [17]

    def test_bands_and_pixels_that_are_left_out(self):
        good = np.ones(30, bool)
        good[[4, 11]] = False
        valid = np.ones((40, 36), bool)
        valid[:10] = False
        cube = self.damaged()
        cube[:10] = -9999
        quality = band_quality(Scene(cube, name="s", good_bands=good, valid=valid))
        assert found(quality.bad) == [17] and found(quality.columns) == [9, 25]

    @pytest.mark.parametrize("shape", [(1, 1, 8), (2, 3, 4), (30, 4, 6), (20, 20, 1), (20, 20, 2)])
    def test_small_scenes(self, shape):
        cube = np.random.default_rng(0).random(shape)
        quality = band_quality(Scene(cube, name="s"))
        assert quality.bad.shape == shape[2:] and quality.columns.shape == (shape[1],)

    def test_bands_without_a_common_pattern_are_not_noisy(self):
        cube = np.random.default_rng(0).random((30, 30, 10))
        assert not band_quality(Scene(cube, name="s")).bad.any()

    def test_whole_numbers(self):
        cube = (self.damaged() * 1000).clip(0, 65535).astype(np.uint16)
        quality = band_quality(Scene(cube, name="s"))
        assert found(quality.dead) == [4] and found(quality.columns) == [9, 25]
