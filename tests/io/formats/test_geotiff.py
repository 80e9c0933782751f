"""GeoTIFF: values whatever the blocks, no data, masks, wavelengths, place, and refusals."""

import builtins

import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.base import large_array
from tests.io.products import cube, write_geotiff

rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")

CUBE = cube()


class TestValues:
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
    @pytest.mark.parametrize("interleave", ["band", "pixel"])
    def test_dtypes(self, tmp_path, dtype, interleave):
        values = CUBE.astype(dtype)
        path = write_geotiff(tmp_path / "a.tif", values, interleave=interleave)
        scene = load_scene(path)
        np.testing.assert_array_equal(scene.cube, values)
        assert scene.cube.dtype == dtype
        assert (scene.name, scene.source_format, scene.valid) == ("a", "GeoTIFF", None)

    @pytest.mark.parametrize("elements", [1, 4000, 1 << 22])
    @pytest.mark.parametrize(
        "profile",
        [{"tiled": True, "blockxsize": 16, "blockysize": 16}, {"blockysize": 7},
         {"tiled": True, "blockxsize": 16, "blockysize": 16, "interleave": "pixel"},
         {"compress": "deflate", "predictor": 2}],
    )  # fmt: skip
    def test_blocks_do_not_matter(self, tmp_path, monkeypatch, elements, profile):
        monkeypatch.setattr(large_array, "ELEMENTS_AT_A_TIME", elements)
        values = cube(45, 37, 5)
        path = write_geotiff(tmp_path / "a.TIFF", values, **profile)
        np.testing.assert_array_equal(load_scene(path).cube, values)

    def test_scales_and_offsets(self, tmp_path):
        values = CUBE.copy()
        values[1, 1] = 0
        path = write_geotiff(tmp_path / "a.tif", values, nodata=0)
        with rasterio.open(path, "r+") as image:
            image.scales = [1e-4] * 7
            image.offsets = [0.5] * 7
        scene = load_scene(path)
        assert scene.cube.dtype == np.float32
        expected = np.where(values == 0, np.nan, values * 1e-4 + 0.5)
        np.testing.assert_allclose(scene.cube, expected, rtol=1e-6)
        assert np.argwhere(~scene.valid).tolist() == [[1, 1]]

    def test_a_single_band_is_a_map(self, tmp_path):
        path = write_geotiff(tmp_path / "truth.tif", CUBE[:, :, :1])
        np.testing.assert_array_equal(load_map(path), CUBE[:, :, 0])
        with pytest.raises(InputError) as refusal:
            load_scene(path)
        assert str(refusal.value) == (
            "truth.tif has one band, 6 rows × 5 columns; expected an image of several bands, pass "
            "the cube and not a map of it, or the folder if each band is a TIFF of its own."
        )


class TestSaid:
    def test_place(self, tmp_path):
        place = load_scene(write_geotiff(tmp_path / "a.tif", CUBE)).georeference
        assert place.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
        assert rasterio.crs.CRS.from_wkt(place.crs).to_epsg() == 32633
        assert place.coordinates(2, 1) == (500045.0, 3999925.0)

    def test_no_place(self, tmp_path):
        identity = rasterio.transform.Affine.identity()
        path = write_geotiff(tmp_path / "a.tif", CUBE, crs=None, transform=identity)
        assert load_scene(path).georeference is None

    def test_no_data(self, tmp_path):
        values = CUBE.astype(np.float32)
        values[2, 3] = -9999
        path = write_geotiff(tmp_path / "a.tif", values, nodata=-9999)
        assert np.argwhere(~load_scene(path).valid).tolist() == [[2, 3]]
        assert load_scene(path, no_data=np.nan).valid is None

    def test_the_mask_of_the_file(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        inside = np.ones((6, 5), bool)
        inside[4, 0] = False
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as image:
            image.write_mask(inside)
        np.testing.assert_array_equal(load_scene(path).valid, inside)

    @pytest.mark.parametrize("unit", ["nm", "Nanometers", "um", "µm"])
    def test_wavelengths_in_descriptions(self, tmp_path, unit):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        factor = 1e-3 if unit in ("um", "µm") else 1
        with rasterio.open(path, "r+") as image:
            image.descriptions = [f"Band {i} ({450.5 * factor + i * factor:.6g} {unit})"
                                  for i in range(7)]  # fmt: skip
        np.testing.assert_allclose(load_scene(path).wavelengths, 450.5 + np.arange(7), rtol=1e-5)

    def test_wavelengths_in_tags(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        with rasterio.open(path, "r+") as image:
            for band in image.indexes:
                image.update_tags(band, wavelength=0.4 + band / 10, wavelength_units="Micrometers")
        np.testing.assert_allclose(load_scene(path).wavelengths, np.arange(500, 1101, 100))

    @pytest.mark.parametrize("name", ["red", "Band 1", "12 m", "", "n = 3.5 nm"])
    def test_no_wavelength_is_made_up(self, tmp_path, name):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        with rasterio.open(path, "r+") as image:
            image.descriptions = [name] + ["500 nm"] * 5 + ["red"]
        assert load_scene(path).wavelengths is None


class TestRefused:
    def test_another_file_of_gdal(self, tmp_path):
        write_geotiff(tmp_path / "real.tif", CUBE)
        path = tmp_path / "a.tif"
        path.write_text(
            "<VRTDataset rasterXSize='5' rasterYSize='6'><VRTRasterBand dataType='UInt16' band='1'>"
            f"<SimpleSource><SourceFilename>{tmp_path}/real.tif</SourceFilename></SimpleSource>"
            "</VRTRasterBand></VRTDataset>"
        )
        with pytest.raises(InputError, match=r"a\.tif: not a readable GeoTIFF"):
            load_scene(path)

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
    def test_truncated(self, tmp_path, share, capfd):
        path = write_geotiff(tmp_path / "a.tif", cube(40, 40, 7))
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"a\.tif"):
            load_scene(path)
        assert capfd.readouterr() == ("", "")

    def test_sizes_that_the_file_cannot_hold(self, tmp_path):
        path = tmp_path / "a.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=200_000, height=200_000, count=3, dtype="uint16",
            SPARSE_OK=True, tiled=True, blockxsize=8192, blockysize=8192,
        ):  # fmt: skip
            pass
        with pytest.raises(InputError, match=r"declares shape \(200000, 200000, 3\), 240000000000"):
            load_scene(path)

    def test_complex_values(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE.astype(np.complex64))
        with pytest.raises(InputError, match="of type complex complex64; expected a real numeric"):
            load_scene(path)

    def test_without_rasterio(self, tmp_path, monkeypatch):
        real = builtins.__import__

        def without(name, *rest):
            if name.startswith("rasterio"):
                raise ImportError(name)
            return real(name, *rest)

        path = write_geotiff(tmp_path / "a.tif", CUBE)
        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(InputError, match=r"needs rasterio, .* pip install 'lren-tf\[geo\]'"):
            load_scene(path)
