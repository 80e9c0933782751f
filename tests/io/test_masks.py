"""Masks in files: which are maps of valid pixels, and which say something else."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.masks import region_of_file, valid_intervals
from tests.io.products import cube, write_envi, write_geotiff

VALUES = cube(5, 4, 6)
KEPT = np.ones((5, 4), bool)
KEPT[0, 1] = KEPT[3, 2] = False
CLASSES = np.arange(20).reshape(5, 4) % 5


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", VALUES)


def masked(mask, **options):
    scene = load_scene("a.npy", mask=mask, **options)
    return np.ones((5, 4), bool) if scene.valid is None else scene.valid


def tiff(name, values, **profile):
    write_geotiff(name, np.asarray(values)[:, :, None], **profile)
    return name


def titled(name, values, *, title="", **tags):
    import rasterio

    tiff(name, values)
    with rasterio.open(name, "r+") as image:
        image.set_band_description(1, title)
        image.update_tags(1, **tags)
    return name


class TestMapsOfValidPixels:
    """What docs/formats.md says: 0 where a pixel is not valid, one other value where it is."""

    @pytest.mark.parametrize("one", [1, 255, -1, 7.5, True, np.longdouble(1)])
    def test_two_values(self, one):
        np.save("m.npy", np.where(KEPT, one, 0 * one))
        np.testing.assert_array_equal(masked("m.npy"), KEPT)

    @pytest.mark.parametrize("one", [1, 3, 255, 0.5])
    def test_a_single_value(self, one):
        np.save("m.npy", np.full((5, 4), one))
        assert masked("m.npy").all()

    def test_every_format(self):
        written = KEPT.astype(np.uint8)
        np.savez("m.npz", mine=written)
        scipy.io.savemat("m.mat", {"mine": written})
        write_envi(Path("m.img"), written[:, :, None])
        tiff("m.tif", written)
        with h5py.File("m.h5", "w") as hdf:
            hdf["group/mine"] = written
        for name in ("m.npz", "m.mat", "m.img", "m.tif", "m.h5"):
            np.testing.assert_array_equal(masked(name), KEPT, err_msg=name)

    def test_names_that_say_nothing_of_quality(self):
        for name in ("scene_mask", "valid_quality", "cloud_free", "no_clouds", "cloudcroft",
                     "badger_creek", "roi-2"):  # fmt: skip
            np.save(f"{name}.npy", KEPT)
            np.testing.assert_array_equal(masked(f"{name}.npy"), KEPT, err_msg=name)

    def test_arrays_are_taken_as_documented(self):
        np.testing.assert_array_equal(masked(CLASSES), CLASSES != 0)
        np.testing.assert_array_equal(masked(np.linspace(0, 1, 20).reshape(5, 4))[0, 0], False)

    def test_a_comparison_of_an_array_that_is_called_after_flags(self):
        flags = xr.DataArray(np.where(KEPT, 0, 8), dims=("y", "x"), name="l2_flags")
        np.testing.assert_array_equal(masked(flags == 0), KEPT)


class TestNoData:
    """What the file of a mask calls no data is not valid, whatever number stands there."""

    def test_its_own_masks(self):
        written = np.where(KEPT, 1, 255).astype(np.uint8)
        written[4, 0] = 0
        expected = KEPT & (written != 0)
        tiff("m.tif", written, nodata=255)
        write_envi(Path("m.img"), written[:, :, None], data_ignore_value="255")
        with h5py.File("m.nc", "w") as hdf:
            hdf["mine"] = written
            hdf["mine"].attrs["_FillValue"] = np.uint8(255)
        for name in ("m.tif", "m.img", "m.nc"):
            np.testing.assert_array_equal(masked(name), expected, err_msg=name)

    def test_a_detection_mask_of_our_own(self):
        """0 background, 1 detection, 255 no data: with the last one told, it is a region."""
        found = np.where(KEPT, 1, 0).astype(np.uint8)
        found[4, 3] = 255
        tiff("s_mask.tif", found, nodata=255)
        np.testing.assert_array_equal(region_of_file("s_mask.tif", "background"), found == 1)
        np.save("s_mask.npy", found)
        with pytest.raises(InputError, match="holds 3 different values"):
            region_of_file("s_mask.npy", "background")

    def test_with_values(self):
        tiff("m.tif", np.where(KEPT, 2, 9).astype("u1"), nodata=9)
        np.testing.assert_array_equal(masked("m.tif", mask_values="0-9"), KEPT)

    def test_an_internal_mask(self):
        import rasterio

        tiff("m.tif", np.ones((5, 4), np.uint8))
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open("m.tif", "r+") as image:
            image.write_mask(KEPT)
        np.testing.assert_array_equal(masked("m.tif"), KEPT)


class TestOtherMeanings:
    """Flags, classes and probabilities: refused, with what makes them a mask."""

    @pytest.mark.parametrize("values", [
        CLASSES, CLASSES.astype(np.uint16) << 6, np.where(KEPT, 1, 2),
        np.linspace(0, 1, 20).reshape(5, 4), np.where(KEPT, 21824, 22280), CLASSES - 2,
    ])  # fmt: skip
    def test_values(self, values):
        np.save("m.npy", values)
        said = r"m\.npy holds \d+ different values \(.*\); expected a map that is 0 where a pixel "
        with pytest.raises(InputError, match=said + "is not valid, .*mask_values=0 or mask_values"):
            masked("m.npy")

    @pytest.mark.parametrize("name", [
        "quality", "QL_QUALITY_TESTFLAGS", "QA", "S2_QA60", "scene-cloudMask", "Fmask", "SCL_20m",
        "l2_flags", "cirrus", "snow cover", "shadows", "bad_pixels", "CLD", "HLS.Fmask",
    ])  # fmt: skip
    def test_names_of_files(self, name):
        np.save(f"{name}.npy", ~KEPT)
        with pytest.raises(InputError, match=r"is called or described as '.*', and may"):
            masked(f"{name}.npy")
        np.testing.assert_array_equal(masked(f"{name}.npy", mask_values=0), KEPT)

    def test_names_inside_the_file(self):
        flagged = (~KEPT).astype(np.uint8)
        titled("band.tif", flagged, title="Cloud mask")
        titled("tag.tif", flagged, long_name="quality of the pixel")
        write_envi(Path("e.img"), flagged[:, :, None], band_names="{cloud probability}")
        write_envi(Path("c.img"), flagged[:, :, None], class_names="{clear, cloud}")
        scipy.io.savemat("v.mat", {"QA": flagged})
        with h5py.File("v.h5", "w") as hdf:
            hdf["geophysical_data/cloud_flag"] = flagged
        with h5py.File("m.nc", "w") as hdf:
            hdf["state"] = flagged
            hdf["state"].attrs["flag_meanings"] = "valid not_valid"
        for name in ("band.tif", "tag.tif", "e.img", "c.img", "v.mat", "v.h5", "m.nc"):
            with pytest.raises(InputError, match="is called or described as"):
                masked(name)

    def test_a_class_image_whose_class_0_is_what_is_wrong(self):
        write_envi(
            Path("c.img"), KEPT.astype("u1")[:, :, None], class_names="{cloud, ground}"
        )
        np.testing.assert_array_equal(masked("c.img"), KEPT)

    def test_the_background(self, capsys):
        np.save("classes.npy", CLASSES)
        np.save("clouds.npy", KEPT)
        for name, way in (("classes", "save such a map"), ("clouds", "give it another name")):
            assert main(["detect", "a.npy", "--detector", "rx", "--background", f"{name}.npy"]) == 2
            said = capsys.readouterr().err
            assert way in said and "is not background" in said and "--mask-values" not in said

    def test_several_maps_in_one_file(self):
        np.savez("m.npz", one=KEPT, other=KEPT)
        with pytest.raises(InputError, match=r"several variables are .* in a file of its own"):
            masked("m.npz")
        with pytest.raises(InputError, match="pass key= to choose one"):
            load_map("m.npz")


class TestValues:
    @pytest.mark.parametrize(("said", "kept"), [
        ("0", [0]), (0, [0]), ([1, 3], [1, 3]), ("1,3", [1, 3]), ("0, 2-4", [0, 2, 3, 4]),
        ("nonzero", [1, 2, 3, 4]), (" non-zero ", [1, 2, 3, 4]), ("-1-1.5", [0, 1]),
        (np.array([4]), [4]), ("1e0", [1]),
    ])  # fmt: skip
    def test_which(self, said, kept):
        np.save("quality.npy", CLASSES)
        expected = np.isin(CLASSES, kept)
        np.testing.assert_array_equal(masked("quality.npy", mask_values=said), expected)
        np.testing.assert_array_equal(masked(CLASSES, mask_values=said), expected)

    @pytest.mark.parametrize("said", ["", "clouds", "4-2", "1,,2", [], [1, "x"], "--1", "1-2-3"])
    def test_no_values(self, said):
        with pytest.raises(InputError, match=r"mask_values is .* expected values of the mask"):
            valid_intervals(said)

    def test_without_a_map(self):
        with pytest.raises(InputError, match=r"the mask is not passed; .* leave it out"):
            load_scene("a.npy", mask_values="1")
        Path("m.geojson").write_text("{}")
        with pytest.raises(InputError, match=r"m\.geojson holds polygons; .* leave it out"):
            masked("m.geojson", mask_values="1")

    def test_on_the_command_line(self, capsys):
        np.save("classes.npy", CLASSES)
        assert main(["info", "a.npy", "--mask", "classes.npy"]) == 2
        assert "such as --mask-values 0 or --mask-values nonzero." in capsys.readouterr().err
        assert main(["info", "a.npy", "--mask", "classes.npy", "--mask-values", "1-4"]) == 0
        assert "valid pixels: 16 of 20" in capsys.readouterr().out
