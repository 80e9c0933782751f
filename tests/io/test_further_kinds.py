"""Further members of the kinds of files that were once read wrongly, or refused with no way on."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import cube, header, write_envi, write_geotiff

VALUES = cube(7, 5, 6, "int16")
BANDS_FIRST = VALUES.transpose(2, 0, 1)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def netcdf(dimensions, values, fill=None, **attributes):
    with netCDF4.Dataset("a.nc", "w") as file:
        for name, length in zip(dimensions, values.shape, strict=True):
            file.createDimension(name, length)
        data = file.createVariable("data", values.dtype, dimensions, fill_value=fill)
        data.set_auto_maskandscale(False)
        data.setncatts(attributes)
        data[:] = values
    return "a.nc"


class TestAxes:
    @pytest.mark.parametrize("names", [
        ("nlambda", "nlines", "nsamples"), ("spectral_channel", "scanline", "ground_pixel"),
        ("wavelength", "latitude", "longitude"), ("channel", "northing", "easting"),
    ])  # fmt: skip
    def test_names_of_other_programs(self, names):
        np.testing.assert_array_equal(load_scene(netcdf(names, BANDS_FIRST)).cube, VALUES)

    def test_labels_and_no_scales(self):
        with h5py.File("a.h5", "w") as hdf:
            data = hdf.create_dataset("c", data=VALUES.transpose(0, 2, 1))
            for axis, label in enumerate(("Lines", "Bands", "Samples")):
                data.dims[axis].label = label
        np.testing.assert_array_equal(load_scene("a.h5").cube, VALUES)

    def test_a_table_of_the_whole_file(self):
        with h5py.File("a.h5", "w") as hdf:
            hdf["deep/cube"] = BANDS_FIRST
            hdf.attrs["wavelengths"] = np.linspace(400, 900, 6)
        scene = load_scene("a.h5")
        np.testing.assert_array_equal(scene.cube, VALUES)
        np.testing.assert_allclose(scene.wavelengths, np.linspace(400, 900, 6))


class TestEntriesOfHeaders:
    @pytest.mark.parametrize(("unit", "stated", "nanometres"), [
        ("Wavenumber", [25000, 20000, 16000, 12500, 10000, 4000], [400, 500, 625, 800, 1000, 2500]),
        ("cm-1", [25000, 20000, 16000, 12500, 10000, 4000], [400, 500, 625, 800, 1000, 2500]),
        ("Centimeters", np.arange(4, 10) * 1e-5, np.arange(4, 10) * 1e2),
        ("GHz", [299792.458] * 5 + [149896.229], [1000.0] * 5 + [2000.0]),
        ("THz", [299.792458] * 6, [1000.0] * 6),
    ])  # fmt: skip
    def test_units_of_wavelengths(self, unit, stated, nanometres):
        listed = "{" + ", ".join(map(repr, np.asarray(stated, float).tolist())) + "}"
        write_envi(Path("a.img"), VALUES, wavelength=listed, wavelength_units=unit)
        np.testing.assert_allclose(load_scene("a.img").wavelengths, nanometres, rtol=1e-9)

    def test_units_that_are_none_are_told(self):
        said = {"wavelength": "{1, 2, 3, 4, 5, 6}", "wavelength_units": "Kelvin"}
        write_envi(Path("a.img"), VALUES, **said)
        with pytest.warns(UserWarning, match=r"is in 'Kelvin', no unit .* has no wavelengths"):
            assert load_scene("a.img").wavelengths is None

    @pytest.mark.parametrize("entry", ["interleave", "byte order", "data type", "file type"])
    def test_a_brace_that_never_ends(self, entry):
        write_envi(Path("a.img"), VALUES)
        lines = header(VALUES).splitlines()
        broken = [f"{entry} = {{bil" if line.startswith(entry) else line for line in lines]
        Path("a.img.hdr").write_text("\n".join(broken) + "\n" + "more, " * 60)
        with pytest.raises(InputError) as refusal:
            load_scene("a.img")
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300


class TestRangesOfValidValues:
    """What CF's attributes call no measurement is not scored."""

    ODD = VALUES.copy()
    ODD[0, 0, 0], ODD[6, 4, 5] = -500, 20_000

    @pytest.mark.parametrize("said", [
        {"valid_range": np.array([0, 10_000], "i2")},
        {"valid_min": np.int16(0), "valid_max": np.int16(10_000)},
    ])  # fmt: skip
    @pytest.mark.parametrize("scale", [None, 1e-4])
    @pytest.mark.filterwarnings("ignore:a. 2 pixels are left out")
    def test_stored_values(self, said, scale, capsys):
        packed = {} if scale is None else {"scale_factor": scale}
        path = netcdf(("y", "x", "band"), self.ODD, fill=-9999, **said, **packed)
        scene = load_scene(path)
        assert np.argwhere(~scene.valid).tolist() == [[0, 0], [6, 4]]
        expected = self.ODD * (scale or 1)
        np.testing.assert_allclose(scene.cube[scene.valid], expected[scene.valid], rtol=1e-6)
        assert main(["info", path]) == 0
        said = capsys.readouterr().out
        assert "by the file, stored values outside of 0 to 10000 are no data" in said
        assert load_scene(path, no_data=np.nan).valid is None

    @pytest.mark.filterwarnings("ignore:a. 1 pixel is left out")
    def test_one_limit(self):
        scene = load_scene(netcdf(("y", "x", "band"), self.ODD, valid_min=np.int16(0)))
        assert np.argwhere(~scene.valid).tolist() == [[0, 0]]

    def test_nothing_outside(self):
        scene = load_scene(netcdf(("y", "x", "band"), VALUES, valid_min=np.int16(0)))
        assert (scene.valid, scene.cube.dtype) == (None, np.int16)

    def test_of_scaled_values(self):
        """A range of another kind of number is not one of the stored values."""
        said = {"valid_range": np.array([0.0, 1.0]), "scale_factor": 1e-4}
        assert load_scene(netcdf(("y", "x", "band"), self.ODD, **said)).valid is None

    def test_of_other_values(self):
        path = netcdf(("y", "x", "band"), self.ODD, valid_range=np.array([0, 1], "i2"))
        with pytest.warns(UserWarning, match=r"lie outside of the valid range 0 to 1 .* not used"):
            assert load_scene(path).valid is None


class TestNoDataOfEachFile:
    @pytest.mark.filterwarnings("ignore:s. 6 pixels are left out")
    def test_a_folder_whose_tiffs_differ(self):
        Path("s").mkdir()
        for band in range(6):
            # The mark of one band is a measurement in the others.
            mark = int(VALUES[band, 2, band])
            write_geotiff(Path(f"s/x_B{band + 1}.tif"), VALUES[:, :, band : band + 1], nodata=mark)
        scene = load_scene("s")
        assert np.argwhere(~scene.valid).tolist() == [[band, 2] for band in range(6)]


class TestOtherContent:
    """An ENVI suffix on a file of another kind: what it is, and what to do."""

    @pytest.mark.parametrize(("name", "content", "said"), [
        ("a.img", b"II*\0", "a TIFF file; .* rename it to end in .tif"),
        ("a.dat", b"\x89HDF\r\n\x1a\n", "an HDF5 file; .* rename it to end in .h5 or .nc"),
        ("a.img", b"EHFA_HEADER_TAG\0", "an ERDAS Imagine file; .* gdal_translate -of GTiff"),
        ("a.bsq", b"PK\x03\x04", "a ZIP archive; .* unpack it"),
        ("a.raw", b"\x93NUMPY\x01\0", "a NumPy .npy file; .* rename it to end in .npy"),
        ("a.bin", b"\x0e\x03\x13\x01", "an HDF4 file; .* h4toh5convert"),
    ])  # fmt: skip
    def test_without_a_header(self, name, content, said):
        Path(name).write_bytes(content + bytes(400))
        with pytest.raises(InputError, match=f"{name} is {said}"):
            load_scene(name)

    def test_raw_numbers_without_a_header(self):
        Path("a.img").write_bytes(VALUES.tobytes())
        with pytest.raises(InputError, match=r"a\.img has no ENVI header beside it"):
            load_scene("a.img")


class TestPlaces:
    """Positions are those of rasterio."""

    @pytest.mark.parametrize("info", [
        "{UTM, 3.5, 2.0, 500000, 4000000, 30, 20, 33, North, WGS-84}",
        "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, rotation=-35}",
        "{Geographic Lat/Lon, 1, 1, 179.9, 10, 0.05, 0.05, WGS-84, units=Degrees}",
    ])  # fmt: skip
    def test_envi(self, info):
        write_envi(Path("a.img"), VALUES, map_info=info)
        self.assert_alike("a.img")

    @pytest.mark.parametrize("point", [False, True])
    def test_geotiff(self, point):
        import rasterio

        grid = rasterio.Affine(30, 5, -2e6, 5, -30, 1e6)
        write_geotiff(Path("a.tif"), VALUES, crs="EPSG:3031", transform=grid)
        if point:
            with rasterio.open("a.tif", "r+") as image:
                image.update_tags(AREA_OR_POINT="Point")
        self.assert_alike("a.tif")

    def assert_alike(self, name):
        import rasterio

        with rasterio.open(name) as image:
            expected = [image.xy(*pixel) for pixel in ((0, 0), (6, 4))]
        place = load_scene(name).georeference
        found = [place.coordinates(*pixel) for pixel in ((0, 0), (6, 4))]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


class TestNumbers:
    @pytest.mark.parametrize("kind", ["<f2", ">i4", "<i8", ">u8", ">f8"])
    def test_they_are_scored(self, kind):
        np.save("a.npy", (VALUES % 1000).astype(kind))
        assert main(["detect", "a.npy", "--detector", "rx"]) == 0
        assert np.isfinite(np.load("a_score.npy")).all()

    @pytest.mark.parametrize("values", [
        VALUES > 5000, VALUES.astype("M8[s]"), VALUES.astype("U5"), VALUES * 1j, VALUES[:0],
        np.zeros((7, 5), [("a", "f4")]), VALUES[None],
    ])  # fmt: skip
    def test_they_are_refused(self, values, capsys):
        np.save("a.npy", values)
        assert main(["detect", "a.npy", "--detector", "rx"]) == 2
        assert "expected" in capsys.readouterr().err
        assert not Path("a_score.npy").exists()
