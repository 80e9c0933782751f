"""Maps to files and back: values, no data and place of every format; failures leave nothing."""

from __future__ import annotations

import builtins
import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lren_tf.data.georeference import Georeference, LookupTable
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_placed_map, load_scene, save, save_map
from lren_tf.io.registry import MAP_FORMATS
from lren_tf.io.save import map_format
from tests.io.products import UTM33, cube, write_emit, write_envi, write_geotiff, write_prisma

rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")
pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")
from rasterio.transform import Affine  # noqa: E402

SCORE = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
SCORE[0, :2] = SCORE[5, 4] = np.nan
MASK = np.where(np.isnan(SCORE), 255, SCORE > 1).astype(np.uint8)
NAMES = ["a.npy", "a.mat", "a.img", "a.hdr", "a.tif"]
PLACED = ["a.img", "a.tif"]
PLAIN = Affine(30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
COS, SIN = 30 * np.cos(np.radians(-20)), 30 * np.sin(np.radians(-20))
TURNED = Affine(COS, SIN, 500000.0, SIN, -COS, 4000000.0)


def place(transform: Affine = PLAIN, system: str = UTM33) -> Georeference:
    return Georeference(rasterio.crs.CRS.from_user_input(system).to_wkt(), tuple(transform)[:6])


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class TestValues:
    @pytest.mark.parametrize("name", NAMES)
    def test_score_and_mask_come_back(self, tmp_path, name):
        written = save_map(tmp_path / "new" / name, SCORE)
        assert sorted(map(str, written)) == sorted(map(str, (tmp_path / "new").iterdir()))
        for path in written:
            found = load_map(path)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, SCORE)
            np.testing.assert_array_equal(load_placed_map(path).values, SCORE)
        (path, *_) = save_map(tmp_path / name, MASK, name="mask", no_data=255)
        found = load_map(path)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, MASK)

    @pytest.mark.parametrize("name", PLACED)
    def test_no_data_of_a_mask_is_said(self, tmp_path, name):
        path = save_map(tmp_path / name, MASK, name="mask", no_data=255)[0]
        with rasterio.open(path) as image:
            np.testing.assert_array_equal(image.dataset_mask() == 0, np.isnan(SCORE))
            assert (image.count, image.dtypes, image.descriptions) == (1, ("uint8",), ("mask",))
        found = load_placed_map(path).values
        np.testing.assert_array_equal(np.isnan(found), MASK == 255)
        np.testing.assert_array_equal(found[MASK != 255], MASK[MASK != 255])

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("dtype", ["bool", "i1", "f2", ">f4", ">i2", "i4", "u8", "f8"])
    def test_other_types(self, tmp_path, name, dtype):
        values = np.arange(30).reshape(5, 6).astype(dtype).T
        path = save_map(tmp_path / name, values)[0]
        np.testing.assert_array_equal(load_map(path), values.astype(float))

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("value", [-1, 256, 0.5, np.nan])
    def test_a_no_data_value_that_the_type_cannot_hold(self, tmp_path, name, value):
        said = rf"the map 'mask' is of type uint8, which cannot hold the no-data value {value};"
        with pytest.raises(InputError, match=said):
            save_map(tmp_path / name, MASK, name="mask", no_data=value)
        assert listing(tmp_path) == {}

    @pytest.mark.parametrize("name", ["A.TIF", "a.tiff", "a.NPY"])
    def test_a_single_file_is_called_as_it_is_said(self, tmp_path, name):
        assert save_map(tmp_path / name, SCORE) == [tmp_path / name]
        np.testing.assert_array_equal(load_map(tmp_path / name), SCORE)

    def test_compressed_without_loss(self, tmp_path):
        (path,) = save_map(tmp_path / "a.tif", np.zeros((300, 300), np.float32))
        assert path.stat().st_size < 4000
        with rasterio.open(path) as image:
            assert image.compression.name == "deflate"

    def test_matlab_names(self, tmp_path):
        save_map(tmp_path / "a.mat", MASK, name="mask")
        np.testing.assert_array_equal(load_map(tmp_path / "a.mat", key="mask"), MASK)

    @pytest.mark.parametrize(
        ("name", "values", "said"),
        [
            ("a.png", SCORE, r"a\.png ends in '\.png'; expected one of \.img, \.hdr, \.tif, \.mat"),
            ("a.tif", SCORE[0], r"the map 'score' has shape \(5,\); expected rows × columns"),
            ("a.img", SCORE[:0], r"the map 'score' has shape \(0, 5\)"),
            ("a.npy", SCORE.astype(complex), "the map 'score'"),
        ],
    )
    def test_refused(self, tmp_path, name, values, said):
        with pytest.raises(InputError, match=said):
            save_map(tmp_path / name, values)
        assert listing(tmp_path) == {}


class TestPlace:
    @pytest.mark.parametrize("name", PLACED)
    @pytest.mark.parametrize("transform", [PLAIN, TURNED], ids=["north up", "turned"])
    @pytest.mark.parametrize("system", [UTM33, "EPSG:4326", "EPSG:3035", "EPSG:5070"])
    def test_a_place_comes_back(self, tmp_path, name, transform, system):
        if system == "EPSG:4326":
            a, b, _, d, e, _ = (number * 1e-6 for number in tuple(transform)[:6])
            transform = Affine(a, b, 10.5, d, e, 50.25)
        path = save_map(tmp_path / name, SCORE, georeference=place(transform, system))[0]
        assert sorted(listing(tmp_path)) == (["a.hdr", "a.img"] if name == "a.img" else ["a.tif"])
        with rasterio.open(path) as image:
            assert image.transform.almost_equals(transform, 1e-9)
            assert image.crs == rasterio.crs.CRS.from_user_input(system)
        values, found, title, _ = load_placed_map(path)
        np.testing.assert_array_equal(values, SCORE)
        np.testing.assert_allclose(found.transform, tuple(transform)[:6], rtol=1e-9, atol=1e-9)
        assert f"EPSG:{rasterio.crs.CRS.from_user_input(found.crs).to_epsg()}" == system
        assert title == {"a.img": "ENVI", "a.tif": "GeoTIFF"}[name]

    def test_envi_to_geotiff(self, tmp_path):
        before = save_map(tmp_path / "a.img", SCORE, georeference=place(TURNED, "EPSG:3035"))[0]
        found = load_placed_map(before).georeference
        (after,) = save_map(tmp_path / "a.tif", SCORE, georeference=found)
        with rasterio.open(before) as one, rasterio.open(after) as other:
            assert one.transform.almost_equals(other.transform, 1e-9)
            assert one.crs == other.crs == rasterio.crs.CRS.from_epsg(3035)

    def test_entries_of_an_envi_header_go_back_as_they_were(self, tmp_path):
        said = {
            "map_info": "{UTM, 1.5, 1.5, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters,"
            " rotation=12.5}",
            "coordinate_system_string": "{" + rasterio.crs.CRS.from_epsg(32633).to_wkt() + "}",
            "projection_info": "{3, 6378137, 6356752.3, 0, 15, 500000, 0, 0.9996, WGS-84, UTM}",
            "geo_points": "{1, 1, 50, 10, 6, 1, 50, 11}",
            "x_start": "17",
        }
        bands = "{" + ", ".join(str(400 + 10 * band) for band in range(7)) + "}"
        path = write_envi(
            tmp_path / "a.img", cube(), "bil", **said, wavelength=bands,
            bbl="{1, 1, 1, 1, 1, 1, 0}", band_names=bands, default_bands="{1, 2, 3}",
        )  # fmt: skip
        scene = load_scene(path)
        (data, header) = save_map(
            tmp_path / "out.img", SCORE, georeference=scene.georeference, no_data=np.nan
        )
        again = load_placed_map(header).georeference
        assert again == scene.georeference
        assert again.envi["geo points"] == ["1", "1", "50", "10", "6", "1", "50", "11"]
        with rasterio.open(path) as before, rasterio.open(data) as after:
            assert after.transform == before.transform
            assert after.crs == before.crs
            assert np.isnan(after.nodata)
        entries = {line.split(" = ")[0] for line in header.read_text("utf-8").splitlines()}
        assert not entries & {"wavelength", "bbl", "default bands", "wavelength units"}

    def test_coordinates_that_mean_nothing_are_kept(self, tmp_path):
        info = "{Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}"
        with pytest.warns(UserWarning, match="'map info' is not understood"):
            scene = load_scene(write_envi(tmp_path / "a.img", cube(), map_info=info))
        (_, header) = save_map(tmp_path / "b.hdr", SCORE, georeference=scene.georeference)
        assert f"map info = {info}\n" in header.read_text()
        with pytest.warns(UserWarning, match="the GeoTIFF map has no coordinates"):
            save_map(tmp_path / "b.tif", SCORE, georeference=scene.georeference)

    @pytest.mark.parametrize(
        "transform",
        [
            Affine(30.0, 5.0, 500000.0, 0.0, -30.0, 4000000.0),
            Affine(-30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0),
            Affine(COS, 2 * SIN, 500000.0, SIN, -2 * COS, 4000000.0),
        ],
        ids=["sheared", "mirrored", "turned and not square"],
    )
    def test_what_an_envi_header_cannot_say(self, tmp_path, transform):
        with pytest.warns(UserWarning, match="an ENVI header cannot say how these pixels lie"):
            path = save_map(tmp_path / "a.img", SCORE, georeference=place(transform))[0]
        assert load_placed_map(path).georeference is None
        (path,) = save_map(tmp_path / "a.tif", SCORE, georeference=place(transform))
        np.testing.assert_allclose(load_placed_map(path).georeference.transform, transform[:6])

    def test_a_system_that_is_not_understood(self, tmp_path):
        where = Georeference("a system of my own", tuple(PLAIN)[:6])
        with pytest.warns(UserWarning, match="reference system is not understood"):
            (path,) = save_map(tmp_path / "a.tif", SCORE, georeference=where)
        with rasterio.open(path) as image:
            assert image.crs is None
            assert image.transform == PLAIN

    def test_matlab_and_numpy_have_no_place(self, tmp_path):
        for name in ("a.npy", "a.mat"):
            save_map(tmp_path / name, SCORE, georeference=place())
            assert load_placed_map(tmp_path / name).georeference is None

    @pytest.mark.parametrize("name", PLACED)
    def test_no_place_is_no_place(self, tmp_path, name, recwarn):
        assert load_placed_map(save_map(tmp_path / name, SCORE)[0]).georeference is None
        assert not recwarn.list


class TestSensorGeometry:
    TABLE = LookupTable(
        np.array([[-1, 0, 1], [1, 1, 7]]), np.array([[-1, 2, 0], [1, -1, 0]]), tuple(PLAIN)[:6]
    )
    VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)

    @pytest.mark.parametrize("name", PLACED)
    def test_a_map_is_laid_out_on_the_grid_of_the_table(self, tmp_path, name):
        where = Georeference(place().crs, lookup=self.TABLE, positions=np.zeros((2, 3, 2)))
        path = save_map(tmp_path / name, self.VALUES, georeference=where)[0]
        values, found, *_ = load_placed_map(path)
        np.testing.assert_array_equal(values, [[np.nan, 2, 3], [4, np.nan, np.nan]])
        assert found.transform == tuple(PLAIN)[:6]
        mask = self.VALUES.astype(np.uint8)
        path = save_map(tmp_path / name, mask, name="mask", no_data=255, georeference=where)[0]
        np.testing.assert_array_equal(load_map(path), [[255, 2, 3], [4, 255, 255]])
        assert load_map(path).dtype == np.uint8

    @pytest.mark.parametrize("name", ["a.npy", "a.mat"])
    def test_other_formats_keep_the_geometry_of_the_scene(self, tmp_path, name):
        where = Georeference(place().crs, lookup=self.TABLE)
        path = save_map(tmp_path / name, self.VALUES, georeference=where)[0]
        np.testing.assert_array_equal(load_map(path), self.VALUES)

    @pytest.mark.parametrize("name", PLACED)
    def test_positions_alone_are_no_grid(self, tmp_path, name):
        where = Georeference(place().crs, positions=np.zeros((6, 5, 2)))
        with pytest.warns(UserWarning, match="nothing says how the pixels of the scene lie on a"):
            path = save_map(tmp_path / name, SCORE, georeference=where)[0]
        np.testing.assert_array_equal(load_map(path), SCORE)


class TestFamily:
    def test_of_every_format_that_is_read(self, tmp_path):
        values = cube()
        np.save(tmp_path / "a.npy", values)
        vnir, swir = cube(6, 5, 4).transpose(0, 2, 1), cube(6, 5, 3).transpose(0, 2, 1)
        scenes = {
            "npy": tmp_path / "a.npy",
            "envi": write_envi(tmp_path / "b.img", values),
            "geotiff": write_geotiff(tmp_path / "c.tif", values),
        }
        for name, path in scenes.items():
            scene = load_scene(path)
            assert map_format(scene.source_format, scene.georeference) is MAP_FORMATS[name]
        for path in (
            write_emit(tmp_path / "d.nc", values), write_prisma(tmp_path / "e.he5", vnir, swir)
        ):  # fmt: skip
            scene = load_scene(path)
            assert scene.source_format == "HDF5"
            assert map_format("HDF5", scene.georeference).name == "geotiff"
        assert map_format("MATLAB", None).name == "mat"
        assert map_format("HDF5", None).name == "npy"
        assert map_format("HDF5", Georeference(positions=np.zeros((2, 2, 2)))).name == "npy"
        assert map_format(None, None).name == "npy"


class TestPlacedMap:
    def test_no_data_of_other_programs(self, tmp_path):
        values = SCORE.copy()
        values[np.isnan(values)] = -9999
        path = write_geotiff(tmp_path / "a.tif", values[:, :, None], nodata=-9999)
        np.testing.assert_array_equal(load_placed_map(path).values, SCORE)
        np.testing.assert_array_equal(load_map(path), values)
        path = write_envi(tmp_path / "a.img", values[:, :, None], data_ignore_value="-9.999e3")
        np.testing.assert_array_equal(load_placed_map(path).values, SCORE)

    def test_integers_stay_integers_where_all_hold_data(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", cube(bands=1), nodata=0)
        assert load_placed_map(path).values.dtype == np.uint16

    def test_the_mask_of_the_file(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", cube(bands=1))
        inside = np.ones((6, 5), bool)
        inside[4, 0] = False
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as image:
            image.write_mask(inside)
        np.testing.assert_array_equal(np.isnan(load_placed_map(path).values), ~inside)

    def test_a_layer_of_a_product(self, tmp_path):
        path = write_emit(tmp_path / "a.nc", cube())
        found = load_placed_map(path, key="location/elev")
        assert found.values.shape == (6, 5) and found.source_format == "HDF5"


class TestWithoutTheExtra:
    @pytest.fixture
    def without(self, monkeypatch):
        real = builtins.__import__

        def hide(package: str) -> None:
            def importing(name, *rest):
                if name.split(".")[0] == package:
                    raise ImportError(name)
                return real(name, *rest)

            monkeypatch.setattr(builtins, "__import__", importing)

        return hide

    @pytest.mark.parametrize(
        ("package", "name", "where", "said"),
        [
            ("rasterio", "a.tif", None, r"writing a GeoTIFF needs rasterio"),
            ("spectral", "a.img", None, r"writing an ENVI image needs spectral"),
            ("rasterio", "a.img", True, r"into an ENVI header needs rasterio"),
        ],
    )
    def test_what_to_install(self, tmp_path, without, package, name, where, said):
        georeference = place() if where else None
        without(package)
        with pytest.raises(InputError, match=rf"{said}.* run pip install 'lren-tf\[geo\]'"):
            save_map(tmp_path / name, SCORE, georeference=georeference)
        assert listing(tmp_path) == {}

    def test_envi_to_envi_needs_no_rasterio(self, tmp_path, without):
        entries = {"map info": ["UTM", "1", "1", "500000", "4000000", "30", "30"]}
        where = Georeference(None, tuple(PLAIN)[:6], entries)
        without("rasterio")
        (_, header) = save_map(tmp_path / "a.img", SCORE, georeference=where)
        assert "map info = {UTM, 1, 1, 500000, 4000000, 30, 30}\n" in header.read_text()


@pytest.mark.parametrize("name", ["a.npy", "a.mat", "a.img", "a.tif"])
class TestFailures:
    @pytest.fixture
    def earlier(self, tmp_path, name):
        save_map(tmp_path / name, -SCORE)
        return listing(tmp_path)

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits of a process")
    @pytest.mark.parametrize("room", [0, 100, 300_000])
    def test_a_file_that_finds_no_room(self, tmp_path, name, room, earlier):
        """The system refuses to let files grow, in the middle of writing, as a full disk does."""
        import resource

        noise = np.random.default_rng(0).normal(size=(400, 300)).astype(np.float32)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(InputError, match=r"cannot hold .* \(File too large\); expected"):
                save_map(tmp_path / name, noise)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert listing(tmp_path) == earlier

    def test_an_interruption_in_the_middle_of_writing(self, tmp_path, name, earlier, monkeypatch):
        form = {"a.img": "envi", "a.tif": "geotiff"}.get(name, name[2:])
        write = MAP_FORMATS[form].write

        def interrupt(files, layer):
            write(files, layer)
            os.truncate(files[0], 20)
            raise KeyboardInterrupt

        broken = dataclasses.replace(MAP_FORMATS[form], write=interrupt)
        monkeypatch.setitem(save._BY_SUFFIX, name[1:], broken)
        with pytest.raises(KeyboardInterrupt):
            save_map(tmp_path / name, SCORE)
        assert listing(tmp_path) == earlier
