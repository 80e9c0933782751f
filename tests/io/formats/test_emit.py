"""EMIT: cube in sensor geometry, bands, fill values, positions and the lookup table."""

import h5py
import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import cube, write_emit

VALUES = cube(5, 4, 9).astype(np.float32) / 1e4


def test_cube_and_bands(tmp_path):
    good = np.ones(9)
    good[[4, 6]] = 0
    values = VALUES.copy()
    values[:, :, 4] = -0.01
    scene = load_scene(write_emit(tmp_path / "EMIT_L2A.nc", values, good=good))
    np.testing.assert_array_equal(scene.cube, values)
    assert scene.cube.dtype == np.float32
    assert scene.good_bands.tolist() == good.astype(bool).tolist()
    np.testing.assert_allclose(scene.wavelengths, np.linspace(381, 2493, 9))
    assert scene.valid is None and scene.truth is None
    assert (scene.name, scene.source_format) == ("EMIT_L2A", "HDF5")


def test_fill_values(tmp_path):
    values = VALUES.copy()
    values[0, :] = -9999
    scene = load_scene(write_emit(tmp_path / "a.nc", values))
    assert scene.valid.sum() == 16
    assert not scene.valid[0].any()


def test_place(tmp_path):
    place = load_scene(write_emit(tmp_path / "a.nc", VALUES)).georeference
    assert place.crs.startswith('GEOGCS["WGS 84"')
    assert place.transform is None  # the image lies on no grid of the map
    assert place.coordinates(3, 2) == pytest.approx((10.02, 49.97))
    assert place.lookup.transform == (0.5, 0.0, 10.0, 0.0, -0.25, 50.0)
    on_map = place.lookup.orthorectified(np.arange(20.0).reshape(5, 4))
    assert on_map.shape == (6, 5)
    assert np.isnan(on_map[0]).all() and np.isnan(on_map[:, 0]).all()
    np.testing.assert_array_equal(on_map[1:, 1:], np.arange(20.0).reshape(5, 4))


@pytest.mark.parametrize("missing", ["location/lat", "location/glt_x", "location"])
def test_a_product_that_was_cut_down(tmp_path, missing):
    path = write_emit(tmp_path / "a.nc", VALUES)
    with h5py.File(path, "r+") as hdf:
        del hdf[missing]
    place = load_scene(path).georeference
    assert (place is None) == (missing == "location")
    if place is not None:
        assert (place.positions is None) == (missing == "location/lat")
        assert (place.lookup is None) == (missing == "location/glt_x")


@pytest.mark.parametrize("table", ["wavelengths", "good_wavelengths"])
def test_tables_of_another_length(tmp_path, table):
    path = write_emit(tmp_path / "a.nc", VALUES)
    with h5py.File(path, "r+") as hdf:
        del hdf[f"sensor_band_parameters/{table}"]
        hdf[f"sensor_band_parameters/{table}"] = np.ones(8, "f4")
    with pytest.raises(InputError, match=r"a\.nc: .*\(8,\)"):
        load_scene(path)
