"""Several tables of wavelengths in one file: the one that fits the cube is taken, whatever it is
called, and one that fits nothing costs a note and no scene."""

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.io import load_scene
from tests.io.products import cube

CUBE = cube(8, 6, 5)
FITTING = np.array([400.0, 480.0, 560.0, 640.0, 720.0])
LONG = np.linspace(314.0, 2258.0, 29)


def hdf(path, at="geophysical_data/Rrs", values=CUBE, attributes=(), **tables):
    with h5py.File(path, "w") as file:
        file[at] = values
        for name, table in tables.items():
            file[name.replace("__", "/")] = table
        for name, value in attributes:
            file[at].attrs[name] = value
    return path


@pytest.mark.filterwarnings("error")
class TestTheOneThatFits:
    @pytest.mark.parametrize("name", ["wavelength_3d", "wavelengths", "band_centers", "wvl"])
    def test_beside_a_longer_one(self, tmp_path, name):
        tables = {f"sensor_band_parameters__{name}": FITTING, "sensor_band_parameters__wavelength":
                  LONG}  # fmt: skip
        path = hdf(tmp_path / "a.nc", **tables)
        for key in (None, "geophysical_data/Rrs"):
            assert load_scene(path, key=key).wavelengths.tolist() == FITTING.tolist()

    def test_of_two_spectrometers(self, tmp_path):
        path = hdf(tmp_path / "a.nc", "red/rhot", red__wavelength=FITTING, blue__wavelength=LONG,
                   blue__rhot=cube(8, 6, 29))  # fmt: skip
        assert load_scene(path, key="red/rhot").wavelengths.tolist() == FITTING.tolist()
        assert load_scene(path, key="blue/rhot").wavelengths.tolist() == LONG.tolist()

    def test_as_an_attribute_beside_an_array(self, tmp_path):
        path = hdf(tmp_path / "a.h5", attributes=[("wavelengths", FITTING)], wavelength=LONG)
        assert load_scene(path).wavelengths.tolist() == FITTING.tolist()

    def test_of_an_axis_that_is_turned(self, tmp_path):
        path = hdf(tmp_path / "a.h5", values=CUBE.transpose(2, 0, 1), wavelength=LONG,
                   wavelength_3d=FITTING, latitude=np.ones((8, 6)))  # fmt: skip
        scene = load_scene(path)
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert scene.wavelengths.tolist() == FITTING.tolist()

    @pytest.mark.parametrize("save", [np.savez, scipy.io.savemat])
    def test_in_other_containers(self, tmp_path, save):
        path = tmp_path / ("a.npz" if save is np.savez else "a.mat")
        arrays = {"data": CUBE, "wavelength": LONG, "wavelengths_nm": FITTING}
        save(path, **arrays) if save is np.savez else save(path, arrays)
        assert load_scene(path).wavelengths.tolist() == FITTING.tolist()

    def test_in_micrometres(self, tmp_path):
        path = hdf(tmp_path / "a.h5", wavelength=LONG, wavelength_3d=FITTING / 1e3)
        with h5py.File(path, "r+") as file:
            file["wavelength_3d"].attrs["units"] = "um"
        np.testing.assert_allclose(load_scene(path).wavelengths, FITTING)


class TestNoneThatFits:
    @pytest.mark.parametrize("tables", [{"wavelength": LONG}, {"wavelength": LONG, "b__wavelength":
                                        LONG[:9]}])  # fmt: skip
    def test_a_note(self, tmp_path, tables):
        path = hdf(tmp_path / "a.h5", **tables)
        with pytest.warns(UserWarning, match="no axis of the cube.*the scene has no wavelengths"):
            assert load_scene(path).wavelengths is None

    def test_two_that_differ(self, tmp_path):
        path = hdf(tmp_path / "a.h5", a__wavelength=FITTING, b__wavelength=FITTING + 5)
        with pytest.warns(UserWarning, match="list different wavelengths of the 5 bands"):
            assert load_scene(path).wavelengths is None
