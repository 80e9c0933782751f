"""PRISMA level 2D: both cubes joined, turned, scaled and sorted by wavelength."""

import h5py
import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import SWATH, write_prisma

ROWS, COLUMNS = 5, 4
RNG = np.random.default_rng(5)
VNIR = RNG.integers(1, 65536, (ROWS, 7, COLUMNS)).astype(np.uint16)
SWIR = RNG.integers(1, 65536, (ROWS, 6, COLUMNS)).astype(np.uint16)


def test_both_cubes_in_one(tmp_path):
    scene = load_scene(write_prisma(tmp_path / "a.he5", VNIR, SWIR))
    assert scene.shape == (ROWS, COLUMNS, 12)
    assert scene.cube.dtype == np.float32
    expected = np.concatenate([np.linspace(1000, 400, 7)[:6], np.linspace(2500, 950, 6)])
    np.testing.assert_allclose(scene.wavelengths, np.sort(expected))
    # The shortest wavelength is the last band with one, the longest the first of the SWIR.
    np.testing.assert_allclose(scene.cube[:, :, 0], VNIR[:, 5] / 65535 * 1.3 - 0.1, atol=1e-6)
    np.testing.assert_allclose(scene.cube[:, :, -1], SWIR[:, 0] / 65535 * 0.9, atol=1e-6)
    # 950 nm of the SWIR lies between 900 and 1000 nm of the VNIR.
    np.testing.assert_allclose(scene.cube[:, :, 5], SWIR[:, 5] / 65535 * 0.9, atol=1e-6)
    np.testing.assert_allclose(scene.cube[:, :, 6], VNIR[:, 0] / 65535 * 1.3 - 0.1, atol=1e-6)
    assert scene.truth is None and scene.valid is None and scene.good_bands is None


def test_outside_the_swath(tmp_path):
    vnir, swir = VNIR.copy(), SWIR.copy()
    vnir[0, :, 1] = swir[0, :, 1] = 0
    vnir[2, 3, 3] = 0  # a reflectance that was cut off
    scene = load_scene(write_prisma(tmp_path / "a.he5", vnir, swir))
    assert np.argwhere(~scene.valid).tolist() == [[0, 1]]


@pytest.mark.parametrize("centres", [True, False])
def test_place_whatever_a_corner_means(tmp_path, centres):
    pytest.importorskip("rasterio", reason="rasterio is not installed")
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR)
    if not centres:
        with h5py.File(path, "r+") as hdf:
            hdf.attrs["Product_LRcorner_easting"] = 500000.0 + 30 * COLUMNS
            hdf.attrs["Product_LRcorner_northing"] = 4000000.0 - 30 * ROWS
    place = load_scene(path).georeference
    corner = (499985.0, 4000015.0) if centres else (500000.0, 4000000.0)
    assert place.transform == (30.0, 0.0, corner[0], 0.0, -30.0, corner[1])
    assert "UTM zone 33N" in place.crs


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda hdf: hdf.attrs.__setitem__("List_Cw_Vnir", np.ones(3)), "3 wavelengths for the 7"),
        (lambda hdf: hdf.attrs.__delitem__("List_Cw_Swir"), "List_Cw_Swir"),
        (lambda hdf: hdf.attrs.__delitem__("L2ScaleVnirMin"), "L2ScaleVnirMin"),
        (lambda hdf: hdf.attrs.__setitem__("L2ScaleVnirMax", np.nan), "scale of Vnir ends at"),
    ],
)
def test_damaged_products(tmp_path, wrong, said):
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR)
    with h5py.File(path, "r+") as hdf:
        wrong(hdf)
    with pytest.raises(InputError, match=said):
        load_scene(path)


def test_cubes_of_two_sizes(tmp_path):
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR[:3])
    with pytest.raises(InputError, match=r"\(5, 4\) and \(3, 4\) rows and columns"):
        load_scene(path)


def test_one_cube_alone_is_turned_by_what_lies_beside_it(tmp_path):
    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR)
    with h5py.File(path, "r+") as hdf:
        del hdf[f"{SWATH}/Data Fields/SWIR_Cube"]
    np.testing.assert_array_equal(
        load_scene(path, key=f"/{SWATH}/Data Fields/VNIR_Cube").cube, VNIR.transpose(0, 2, 1)
    )


class TestOtherLevels:
    """Levels 1, 2B and 2C: in sensor geometry, level 1 with a factor and an offset."""

    @pytest.mark.parametrize("level", ["L1", "L2B", "L2C"])
    def test_values_wavelengths_place(self, tmp_path, level):
        scene = load_scene(write_prisma(tmp_path / "a.he5", VNIR, SWIR, level=level))
        assert scene.shape == (ROWS, COLUMNS, 12)
        shortest = VNIR[:, 5] / 100 - 0.5 if level == "L1" else VNIR[:, 5] / 65535 * 1.3 - 0.1
        longest = SWIR[:, 0] / 100 - 0.5 if level == "L1" else SWIR[:, 0] / 65535 * 0.9
        np.testing.assert_allclose(scene.cube[:, :, 0], shortest, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(scene.cube[:, :, -1], longest, rtol=1e-6, atol=1e-6)
        assert (np.diff(scene.wavelengths) > 0).all()
        assert scene.georeference.transform is None
        with h5py.File(tmp_path / "a.he5") as hdf:
            end = "_VNIR" if level == "L1" else ""
            place = hdf[f"HDFEOS/SWATHS/PRS_{level}_HCO/Geolocation Fields"]
            expected = place[f"Longitude{end}"][2, 3], place[f"Latitude{end}"][2, 3]
        assert scene.georeference.coordinates(2, 3) == pytest.approx(expected)
        assert scene.acquired == "2021-09-22T10:14:25.123"

    def test_without_positions(self, tmp_path):
        path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, level="L2C")
        with h5py.File(path, "r+") as hdf:
            del hdf["HDFEOS/SWATHS/PRS_L2C_HCO/Geolocation Fields"]
        assert load_scene(path).georeference is None

    def test_a_factor_of_nothing(self, tmp_path):
        path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, level="L1")
        with h5py.File(path, "r+") as hdf:
            hdf.attrs["ScaleFactor_Swir"] = 0.0
        with pytest.raises(InputError, match=r"Swir is to be divided by 0\.0"):
            load_scene(path)

    def test_raw(self, tmp_path):
        scene = load_scene(write_prisma(tmp_path / "a.he5", VNIR, SWIR, level="L1"), raw=True)
        np.testing.assert_array_equal(scene.cube[:, :, 0], VNIR[:, 5])
        assert "not scaled (--raw)" in scene.reading[0]


class TestCodesOfValues:
    """What the error matrices and masks of a product say."""

    @pytest.fixture
    def codes(self):
        vnir, swir = np.zeros(VNIR.shape, "u1"), np.zeros(SWIR.shape, "u1")
        vnir[0, 2, 0], vnir[1, 2, 1], swir[2, 3, 2], swir[3, 3, 3] = 1, 2, 3, 4
        return vnir, swir

    def left_out(self, scene):
        return [] if scene.valid is None else np.argwhere(~scene.valid).tolist()

    def test_of_level_2(self, tmp_path, codes):
        codes[1][3, 3, 3] = 0
        path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, errors=codes)
        with pytest.warns(UserWarning, match="1 pixel is left out"):
            scene = load_scene(path)
        assert self.left_out(scene) == [[0, 0]]
        assert np.argwhere(np.isnan(scene.cube)).tolist() == [[0, 0, 3]]
        assert "no data where the product says invalid" in scene.reading
        assert "flags not used: negative, saturated" in scene.reading
        with pytest.warns(UserWarning, match="2 pixels are left out"):
            assert self.left_out(load_scene(path, mask_bands="saturated,negative")) == [
                [1, 1], [2, 2]
            ]  # fmt: skip
        assert self.left_out(load_scene(path, mask_bands="none")) == []

    def test_of_level_1(self, tmp_path, codes):
        cloud, glint = np.zeros((ROWS, COLUMNS), "u1"), np.zeros((ROWS, COLUMNS), "u1")
        cloud[4, 0], cloud[4, 1], glint[4, 2] = 1, 255, 1
        path = write_prisma(
            tmp_path / "a.he5", VNIR, SWIR, level="L1", errors=codes, Cloud_Mask=cloud,
            SunGlint_Mask=glint,
        )  # fmt: skip
        with pytest.warns(UserWarning, match="2 pixels are left out"):
            assert self.left_out(load_scene(path)) == [[0, 0], [3, 3], [4, 0]]
        assert self.left_out(load_scene(path, mask_bands="sun-glint")) == [[4, 2]]
        with pytest.raises(InputError, match="no flag called 'snow'; expected some of defective, "):
            load_scene(path, mask_bands="snow")

    def test_a_band_that_is_defective_everywhere_is_left_out(self, tmp_path):
        codes = np.zeros(VNIR.shape, "u1"), np.zeros(SWIR.shape, "u1")
        codes[0][:, 2] = 1
        path = write_prisma(tmp_path / "a.he5", VNIR, SWIR, errors=codes)
        with pytest.warns(UserWarning, match="bands that hold no data in any pixel"):
            scene = load_scene(path)
        assert scene.valid is None and np.flatnonzero(~scene.good_bands).tolist() == [3]

    def test_without_matrices(self, tmp_path):
        path = write_prisma(tmp_path / "a.he5", VNIR, SWIR)
        with h5py.File(path, "r+") as hdf:
            for part in ("VNIR", "SWIR"):
                del hdf[f"{SWATH}/Data Fields/{part}_PIXEL_L2_ERR_MATRIX"]
        assert load_scene(path).valid is None
        with pytest.raises(InputError, match="has no quality flags"):
            load_scene(path, mask_bands="invalid")


def test_which_convention_the_corners_were_read_by(tmp_path, capsys):
    from lren_tf.cli import main

    path = write_prisma(tmp_path / "a.he5", VNIR, SWIR)
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert "corners of the product as centres of the outermost pixels" in said
    assert "readers disagree by half a pixel, 15 m" in said
