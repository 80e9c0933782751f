"""xarray: labelled arrays in, by their names; maps on the same coordinates out."""

import warnings
from itertools import permutations

import dask.array
import numpy as np
import pytest
import xarray as xr

from lren_tf import LREN, Scene
from lren_tf.detectors import create
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.labelled import LabelledReader
from tests.io.products import UTM33, cube, write_geotiff

rioxarray = pytest.importorskip("rioxarray")  # registers `.rio`

ROWS, COLUMNS, BANDS = 9, 7, 5
CUBE = cube(ROWS, COLUMNS, BANDS).astype(np.float32)
WAVELENGTHS = np.linspace(450.0, 900.0, BANDS)
X, Y = 500015.0 + 30 * np.arange(COLUMNS), 3999985.0 - 30 * np.arange(ROWS)
ORDERS = list(permutations(range(3)))
NAMES = ("y", "x", "band")


def labelled(values=CUBE, names=NAMES, order=(0, 1, 2), **attributes):
    """The cube as a DataArray of these names, with its axes in this order."""
    coordinates = {names[0]: Y, names[1]: X, "wavelength": (names[2], WAVELENGTHS, {"units": "nm"})}
    data = xr.DataArray(values, dims=names, coords=coordinates, attrs=attributes)
    return data.transpose(*[names[axis] for axis in order])


@pytest.mark.filterwarnings("error")
class TestNames:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(
        "names", [NAMES, ("lat", "lon", "wavelength_index"), ("line", "sample", "channel")]
    )
    def test_any_order(self, order, names):
        scene = load_scene(labelled(names=names, order=order))
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert scene.cube.flags.c_contiguous and scene.cube.dtype == np.float32
        np.testing.assert_allclose(scene.wavelengths, WAVELENGTHS)
        assert scene.georeference.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
        assert (scene.source, scene.source_format) == (None, "xarray")

    def test_lengths_that_are_equal(self):
        values = cube(6, 6, 6).astype(np.float32)
        data = xr.DataArray(values.transpose(2, 1, 0), dims=("band", "x", "y"))
        np.testing.assert_array_equal(load_scene(data).cube, values)

    def test_as_a_scene_and_with_options(self):
        data = labelled(order=(2, 0, 1))
        mask = xr.DataArray(np.ones((COLUMNS, ROWS)), dims=("x", "y"), coords={"x": X, "y": Y})
        mask[2, 3] = 0
        scene = Scene(data, name="field", truth=mask == 0, valid=mask)
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert scene.name == "field" and np.argwhere(scene.truth).tolist() == [[3, 2]]
        assert np.argwhere(~scene.valid).tolist() == [[3, 2]]
        np.testing.assert_allclose(scene.wavelengths, WAVELENGTHS)
        scene = load_scene(data, mask=mask, bands="1-3", truth=mask == 0)
        assert np.argwhere(~scene.valid).tolist() == [[3, 2]]
        assert scene.good_bands.tolist() == [False, True, True, True, False]
        np.testing.assert_array_equal(load_map(mask), mask.values.T)

    def test_a_dataset(self):
        truth = xr.DataArray(np.eye(COLUMNS, ROWS, dtype="u1"), dims=("x", "y"))
        data = xr.Dataset({"radiance": labelled(order=(2, 1, 0)), "truth": truth})
        scene = load_scene(data)
        np.testing.assert_array_equal(scene.cube, CUBE)
        np.testing.assert_array_equal(scene.truth, truth.values.T == 1)
        data["other"] = data["radiance"] + 1
        with pytest.raises(InputError, match=r"pass key= to choose one \(found: radiance"):
            load_scene(data)
        np.testing.assert_array_equal(load_scene(data, key="other").cube, CUBE + 1)

    def test_one_time_is_no_axis(self):
        scene = load_scene(labelled(order=(2, 0, 1)).expand_dims("time"))
        np.testing.assert_array_equal(scene.cube, CUBE)

    def test_what_the_caller_says_stands_above_names(self):
        data = labelled(order=(2, 0, 1)).rename(band="y", y="x", x="band")
        data = data.drop_vars(["x", "y", "band", "wavelength"], errors="ignore")
        scene = load_scene(data, axes="band,row,column")
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert scene.georeference is None


@pytest.mark.filterwarnings("error")
class TestValues:
    def test_packed_as_cf_says(self):
        stored = cube(ROWS, COLUMNS, BANDS).astype(np.int16)
        stored[2, 4] = -1
        data = labelled(stored, _FillValue=-1, scale_factor=0.5, add_offset=3.0, order=(2, 1, 0))
        scene = load_scene(data)
        assert np.argwhere(~scene.valid).tolist() == [[2, 4]]
        expected = (stored * 0.5 + 3).astype(np.float32)
        np.testing.assert_array_equal(scene.cube[scene.valid], expected[scene.valid])
        assert scene.reading[-1] == "stored values × 0.5 + 3"
        raw = load_scene(data, raw=True)
        np.testing.assert_array_equal(raw.cube, stored)
        assert raw.valid_count == ROWS * COLUMNS - 1

    def test_what_is_decoded_is_not_decoded_again(self, tmp_path):
        data = labelled(CUBE, scale_factor=0.5, add_offset=1.0, _FillValue=-9.0)
        decoded = xr.decode_cf(data.to_dataset(name="cube"))
        np.testing.assert_array_equal(load_scene(decoded).cube, CUBE * 0.5 + 1)

    @pytest.mark.parametrize("order", ORDERS)
    def test_one_scale_for_each_band_of_a_cube_of_equal_lengths(self, order):
        values = cube(5, 5, 5)
        data = xr.DataArray(values, dims=NAMES, attrs={"scales": (1.0, 2.0, 3.0, 4.0, 5.0)})
        data = data.transpose(*[NAMES[axis] for axis in order])
        expected = (values * np.arange(1.0, 6.0)).astype(np.float32)
        np.testing.assert_array_equal(load_scene(data).cube, expected)
        np.testing.assert_array_equal(load_scene(data.chunk(2)).cube, expected)

    @pytest.mark.parametrize(("chunks", "largest"), [({"y": 2}, 70), ({"band": 2, "x": 3}, 54)])
    def test_dask_computes_a_chunk_at_a_time(self, monkeypatch, chunks, largest):
        sizes = []
        real = dask.array.Array.compute

        def compute(self, *args, **options):
            sizes.append(self.size)
            return real(self, *args, **options)

        monkeypatch.setattr(dask.array.Array, "compute", compute)
        data = labelled(order=(2, 0, 1)).chunk(chunks)
        np.testing.assert_array_equal(load_scene(data).cube, CUBE)
        assert max(sizes) <= largest and CUBE.size <= sum(sizes) <= CUBE.size + BANDS
        assert dask.is_dask_collection(data)  # nothing of the caller's was computed in place

    def test_slabs_of_arrays_in_memory(self, monkeypatch):
        monkeypatch.setattr("lren_tf.io.labelled._SLAB_ELEMENTS", 80)
        np.testing.assert_array_equal(load_scene(labelled(order=(2, 1, 0))).cube, CUBE)


class TestPlace:
    def test_cut_turned_and_thinned(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        data = rioxarray.open_rasterio(path)
        place = load_scene(data[:, 3:, 5:1:-2]).georeference
        assert place.transform == (-60.0, 0.0, 500195.0, 0.0, -30.0, 3999910.0)
        assert place.coordinates(0, 0) == (500165.0, 3999895.0)

    def test_uneven_coordinates_are_positions(self):
        data = labelled().assign_coords(x=X + np.arange(COLUMNS) ** 2)
        place = load_scene(data).georeference
        assert place.transform is None
        assert place.coordinates(2, 3) == (X[3] + 9, Y[2])

    def test_a_stale_geotransform_is_not_claimed(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        data = rioxarray.open_rasterio(path, parse_coordinates=False)
        with pytest.warns(UserWarning, match="no coordinates of rows and columns"):
            assert load_scene(data[:, 3:]).georeference is None

    def test_a_rotated_image(self, tmp_path):
        from rasterio.transform import Affine

        turned = Affine.translation(500000, 4000000) * Affine.rotation(30) * Affine.scale(30, -30)
        path = write_geotiff(tmp_path / "a.tif", CUBE, transform=turned)
        expected = load_scene(path).georeference
        data = rioxarray.open_rasterio(path)
        for scene, row in ((load_scene(data), 0), (load_scene(data[:, 2:]), 2)):
            found = scene.georeference.coordinates(1, 3)
            assert found == pytest.approx(expected.coordinates(1 + row, 3), abs=1e-6)

    def test_swath(self):
        data = labelled().drop_vars(["x", "y"])
        lon, lat = np.random.default_rng(0).random((2, ROWS, COLUMNS))
        data = data.assign_coords(lon=(("y", "x"), lon), lat=(("y", "x"), lat))
        assert load_scene(data).georeference.coordinates(4, 2) == (lon[4, 2], lat[4, 2])


@pytest.fixture
def tiffs(tmp_path):
    """GeoTIFFs of every kind of number, plain, packed, with no data."""
    rasterio = pytest.importorskip("rasterio")
    plain = cube(ROWS, COLUMNS, BANDS)
    plain[1, 2] = 7
    for dtype in ("uint8", "int16", "float32", "float64"):
        for packed in (False, True):
            path = tmp_path / f"{dtype}{packed}.tif"
            write_geotiff(path, plain.astype(dtype), nodata=7, crs=UTM33)
            with rasterio.open(path, "r+") as image:
                if packed:
                    image.scales, image.offsets = [0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 2, 3, 4]
                for band in image.indexes:
                    image.set_band_description(band, f"{WAVELENGTHS[band - 1]} nm")
    return sorted(tmp_path.glob("*.tif"))


class TestRioxarray:
    def test_the_same_bits_as_the_file(self, tiffs):
        for path in tiffs:
            expected = load_scene(path)
            for options in ({}, {"chunks": {"band": 2, "y": 4, "x": 7}}):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # rioxarray's, of scales that differ
                    scene = load_scene(rioxarray.open_rasterio(path, **options))
                assert scene.cube.dtype == expected.cube.dtype, path
                assert scene.cube.tobytes() == expected.cube.tobytes(), path
                np.testing.assert_array_equal(scene.valid, expected.valid)
                np.testing.assert_array_equal(scene.wavelengths, expected.wavelengths)
                assert scene.georeference == expected.georeference


class TestScores:
    @pytest.mark.parametrize("order", ORDERS)
    def test_a_map_on_the_same_coordinates(self, tmp_path, order):
        path = write_geotiff(tmp_path / "a.tif", CUBE)
        data = rioxarray.open_rasterio(path).transpose(*[NAMES[axis] for axis in order])
        score = create("rx").score(data)
        assert isinstance(score, xr.DataArray) and score.dims == ("y", "x")
        np.testing.assert_array_equal(score.values, create("rx").score(load_scene(path)))
        assert score.rio.crs == UTM33
        assert tuple(score.rio.transform())[:6] == load_scene(path).georeference.transform
        xr.testing.assert_equal(score.x, data.x)
        assert "band" not in score.coords

    def test_a_dataset_and_a_swath(self):
        score = create("rx").score(xr.Dataset({"r": labelled(order=(2, 0, 1))}))
        assert score.dims == ("y", "x") and "wavelength" not in score.coords
        np.testing.assert_array_equal(score.values, create("rx").score(CUBE))

    @pytest.mark.slow
    def test_lren(self):
        data = labelled(order=(2, 0, 1))
        model = LREN("release", epochs=1, batch_size=63, components=2, seed=1)
        model.fit(data, verbose=0)
        score = model.score(data)
        assert isinstance(score, xr.DataArray) and score.dims == ("y", "x")
        np.testing.assert_array_equal(score.values, model.score(load_scene(data)))


class TestRefusals:
    @pytest.mark.parametrize("what", ["mask", "truth"])
    def test_a_layer_of_another_grid(self, what):
        layer = xr.DataArray(np.ones((ROWS, COLUMNS)), dims=("y", "x"), coords={"y": Y[::-1]})
        with pytest.raises(InputError, match=f"the coordinates 'y' of the {what} are not those"):
            load_scene(labelled(), **{what: layer})

    def test_kinds(self):
        with pytest.raises(InputError, match=r"one cube, save it .*\(9, 7, 5\) complex64"):
            load_scene(labelled(CUBE * 1j))
        with pytest.raises(InputError, match="no numeric variable is rows × columns × bands"):
            load_scene(labelled()[0])
        with pytest.raises(InputError, match="has no variable 'x y'"):
            load_scene(labelled().to_dataset(name="a"), key="x y")

    def test_a_table_in_error(self):
        def fail(block):
            raise OSError("the server is away")

        data = labelled().copy(data=dask.array.from_array(CUBE).map_blocks(fail, dtype="f4"))
        with pytest.raises(InputError, match="the server is away"):
            load_scene(data)

    def test_a_scene_alone_knows_no_reader(self, monkeypatch):
        from lren_tf.data import labelled_arrays

        monkeypatch.setattr(labelled_arrays, "READERS", {})
        with pytest.raises(InputError, match=r"xarray object; .* pass it to lren_tf\.load_scene"):
            Scene(labelled())

    def test_nothing_imports_xarray(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "xarray", None)
        np.testing.assert_array_equal(Scene(CUBE).cube, CUBE)


def test_a_reader_like_any_other():
    reader = LabelledReader(labelled(order=(2, 0, 1)))
    assert [v.name for v in reader.variables][:1] == [""]
    assert reader.read("").shape == (BANDS, ROWS, COLUMNS)
    with pytest.raises(InputError, match="has no variable 'z'"):
        reader.read("z")
