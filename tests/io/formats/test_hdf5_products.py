"""Products in HDF5 and netCDF-4: values, wavelengths, flags and place."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import cube, write_aviris, write_hypso, write_neon, write_pace, write_tanager

WHOLE = cube(5, 4, 7, "int16")
VALUES = (WHOLE / 1e4).astype(np.float32)


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def layer(*pixels, value=1):
    values = np.zeros((5, 4), np.int64)
    for pixel in pixels:
        values[pixel] = value
    return values


def left_out(scene):
    return [] if scene.valid is None else [tuple(at) for at in np.argwhere(~scene.valid).tolist()]


TANAGER = {"beta_cloud_mask": layer((0, 0)), "beta_cirrus_mask": layer((1, 1)),
           "nodata_pixels": layer((4, 3))}  # fmt: skip


class TestTanager:
    @pytest.mark.parametrize("name", ["surface_reflectance", "toa_radiance"])
    def test_values_wavelengths_place(self, name):
        good = np.arange(7) != 3
        scene = load_scene(write_tanager(Path("t.h5"), VALUES, name=name, good=good))
        np.testing.assert_array_equal(scene.cube, VALUES)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(376, 2499, 7))
        assert scene.good_bands.tolist() == good.tolist()
        assert scene.georeference.coordinates(2, 3) == pytest.approx((10.03, 49.98))

    def test_flags(self, capsys):
        path = write_tanager(Path("t.h5"), VALUES, **TANAGER)
        assert left_out(load_scene(path)) == [(0, 0), (1, 1), (4, 3)]
        assert left_out(load_scene(path, mask_bands="cirrus")) == [(1, 1), (4, 3)]
        assert left_out(load_scene(path, mask_bands="none")) == [(4, 3)]
        assert main(["info", "t.h5"]) == 0
        assert "10.0% of the pixels left out by t.h5: cloud, cirrus" in capsys.readouterr().out

    def test_nothing_beside_the_cube(self):
        assert left_out(load_scene(write_tanager(Path("t.h5"), VALUES))) == []

    def test_every_pixel_cloudy(self):
        write_tanager(Path("t.h5"), VALUES, beta_cloud_mask=np.ones((5, 4)))
        with pytest.raises(InputError, match=r"t\.h5: every pixel is flagged cloud; .* or none"):
            load_scene("t.h5")


class TestNeon:
    @pytest.mark.parametrize("site", ["BART", "SJER", "a site"])
    def test_values_wavelengths_place(self, site, capsys):
        whole = WHOLE.copy()
        whole[0, 0, 2] = whole[3] = -9999
        path = write_neon(Path("n.h5"), whole, site=site)
        with pytest.warns(UserWarning, match="1 pixel is left out"):
            scene = load_scene(path)
        assert left_out(scene) == [(0, 0), (3, 0), (3, 1), (3, 2), (3, 3)]
        np.testing.assert_allclose(scene.cube[scene.valid], VALUES[scene.valid], rtol=1e-6)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(380, 2510, 7))
        assert np.flatnonzero(~scene.good_bands).tolist() == [3]
        assert scene.georeference.transform == (1.0, 0.0, 316000.0, 0.0, -1.0, 4881000.0)
        assert "UTM zone 18N" in scene.georeference.crs
        assert main(["info", "n.h5"]) == 0
        assert "corner 316000, 4881000; pixel 1 × 1" in capsys.readouterr().out

    def test_another_reference_pixel(self):
        info = "UTM, 3, 2, 316002.0, 4880999.0, 1.0, 1.0, 18, North, WGS-84, units=Meters"
        place = load_scene(write_neon(Path("n.h5"), WHOLE, info=info)).georeference
        assert place.transform == (1.0, 0.0, 316000.0, 0.0, -1.0, 4881000.0)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"info": "UTM, 1, 1, x, 0"}, "not understood"),
            ({"info": "UTM,1,1,316000,4881000,1,1,18,North,WGS-84,units=m,rotation=30"},
             "turned, of which readers disagree"),
            ({"info": "UTM,1,1,316000,4881000,1,1,18,North,WGS-84,units=Meters,-5"},
             "turned, of which readers disagree"),
            ({"epsg": "32619"}, "another zone than EPSG:32619"),
            ({"epsg": "none"}, "not understood"),
        ],
    )
    def test_a_place_that_is_not_certain(self, options, said):
        with pytest.warns(UserWarning, match=f"{said}: the scene has no coordinates"):
            assert load_scene(write_neon(Path("n.h5"), WHOLE, **options)).georeference is None

    def test_two_sites_are_not_chosen_between(self):
        write_neon(Path("n.h5"), WHOLE)
        with h5py.File("n.h5", "r+") as hdf:
            hdf.copy("BART", "SJER")
        with pytest.raises(InputError, match="several variables are rows × columns × bands"):
            load_scene("n.h5")


class TestPace:
    @pytest.mark.parametrize("name", ["Rrs", "rhos"])
    def test_values_wavelengths_positions(self, name):
        whole = WHOLE.copy()
        whole[2, 1] = -32767
        scene = load_scene(write_pace(Path("p.nc"), whole, name=name))
        assert left_out(scene) == [(2, 1)]
        expected = (whole * 2e-6 + 0.05).astype(np.float32)
        np.testing.assert_allclose(scene.cube[scene.valid], expected[scene.valid], rtol=1e-6)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(346, 719, 7))
        assert scene.georeference.coordinates(2, 3) == pytest.approx((-99.7, 29.8), abs=1e-4)

    def test_positions_of_some_pixels_only(self):
        with pytest.warns(UserWarning, match="no latitudes and longitudes of its rows and columns"):
            assert load_scene(write_pace(Path("p.nc"), WHOLE, thinned=True)).georeference is None

    def test_flags(self):
        flags = layer((0, 0), value=512) | layer((1, 1), value=2) | layer((2, 2), value=1)
        flags |= layer((3, 3), value=-2147483648)
        path = write_pace(Path("p.nc"), WHOLE, flags=flags)
        assert left_out(load_scene(path)) == [(0, 0), (2, 2), (3, 3)]
        assert left_out(load_scene(path, mask_bands="LAND")) == [(1, 1)]
        with pytest.raises(InputError, match="some of atmfail, land, higlint, cldice, navfail"):
            load_scene(path, mask_bands="cloud")


class TestAviris:
    def test_values_wavelengths_place(self):
        values = VALUES.copy()
        values[0, 0] = -9999
        scene = load_scene(write_aviris(Path("AV320231005t181518_RFL_ORT.nc"), values))
        assert left_out(scene) == [(0, 0)]
        np.testing.assert_array_equal(scene.cube, values)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(390, 2493, 7), rtol=1e-6)
        assert scene.georeference.transform == (5.0, 0.0, 499997.5, 0.0, -5.0, 4000002.5)
        assert "UTM zone 11N" in scene.georeference.crs
        assert "band,row,column" in scene.reading[0]

    def test_nothing_measured(self):
        with pytest.raises(InputError, match="none of the 5 × 4 pixels holds data"):
            load_scene(write_aviris(Path("a.nc"), np.full_like(VALUES, -9999)))


class TestHypso:
    @pytest.mark.parametrize("name", ["Lt", "rhot"])
    def test_values_wavelengths_positions(self, name):
        scene = load_scene(write_hypso(Path("h.nc"), VALUES, name=name))
        np.testing.assert_array_equal(scene.cube, VALUES)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(387, 802, 7).round(1))
        assert scene.georeference.coordinates(2, 3) == pytest.approx((50.03, 50.02), abs=1e-4)

    def test_without_positions(self):
        assert load_scene(write_hypso(Path("h.nc"), VALUES, placed=False)).georeference is None


@pytest.mark.parametrize("name", ["EO1H0140342004123110KZ.hdf", "EO1H0140342004123110KZ.L1R"])
def test_hdf4_is_refused_by_its_name(name):
    Path(name).write_bytes(b"\x0e\x03\x13\x01" + bytes(900))
    with pytest.raises(InputError, match=r"an HDF4 file.*convert it to HDF5 with h4toh5convert"):
        load_scene(name)
