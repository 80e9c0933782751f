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
