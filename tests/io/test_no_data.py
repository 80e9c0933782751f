"""What holds no data, band by band and before any scale; and values as their file means them."""

import h5py
import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_placed_map, load_scene
from tests.io.products import cube, write_geotiff

CUBE = cube(6, 5, 4, "int16")
CUBE[CUBE == 0] = 1


def hdf(path, values=CUBE, **attributes):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=values)
        for name, value in attributes.items():
            data.attrs[name] = value
    return path


@pytest.mark.filterwarnings("error")
class TestPacking:
    def test_factor_and_offset(self, tmp_path):
        values = CUBE.copy()
        values[0] = -9999
        path = hdf(tmp_path / "p.nc", values, _FillValue=np.int16(-9999), scale_factor=1e-4,
                   add_offset=0.25)  # fmt: skip
        scene = load_scene(path)
        assert scene.cube.dtype == np.float32
        np.testing.assert_allclose(scene.cube[1:], CUBE[1:] * 1e-4 + 0.25, rtol=1e-6)
        assert scene.valid.sum() == 25 and not scene.valid[0].any()
        assert scene.reading == ("stored values × 0.0001 + 0.25",)
        stored = load_scene(path, raw=True)
        np.testing.assert_array_equal(stored.cube, values)
        assert stored.valid.sum() == 25

    @pytest.mark.parametrize("attributes", [{"scale_factor": [0.5]}, {"add_offset": np.float32(3)}])
    def test_one_of_them(self, tmp_path, attributes):
        scene = load_scene(hdf(tmp_path / "p.h5", **attributes))
        expected = CUBE * 0.5 if "scale_factor" in attributes else CUBE + 3.0
        np.testing.assert_allclose(scene.cube, expected)

    def test_one_for_each_band(self, tmp_path):
        factors = np.array([1.0, 2.0, 3.0, 4.0])
        scene = load_scene(hdf(tmp_path / "p.h5", scale_factor=factors))
        np.testing.assert_allclose(scene.cube, CUBE * factors)
        path = hdf(tmp_path / "q.h5", CUBE.transpose(2, 0, 1), scale_factor=factors)
        with h5py.File(path, "r+") as file:
            file["data"].dims[0].label = "band"
        np.testing.assert_allclose(load_scene(path).cube, CUBE * factors)

    @pytest.mark.filterwarnings("default")
    def test_a_list_that_fits_nothing(self, tmp_path):
        with pytest.warns(UserWarning, match="'scale_factor' has 3 entries.* not applied") as said:
            scene = load_scene(hdf(tmp_path / "p.h5", scale_factor=[1.0, 2.0, 3.0]))
        assert len(said) == 1
        np.testing.assert_array_equal(scene.cube, CUBE)

    def test_what_is_to_divide_by(self, tmp_path):
        values = CUBE.copy()
        values[2, 2] = -9999
        path = hdf(tmp_path / "n.h5", values, Scale_Factor=10000.0, Data_Ignore_Value=-9999.0)
        scene = load_scene(path)
        np.testing.assert_allclose(scene.cube[0], CUBE[0] / 1e4, rtol=1e-6)
        assert np.argwhere(~scene.valid).tolist() == [[2, 2]]
        assert scene.reading == ("stored values ÷ 10000",)

    @pytest.mark.parametrize(
        "attributes",
        [{"scale_factor": 1.0, "add_offset": 0.0}, {"scale_factor": np.nan}, {"scale_factor": "x"}],
    )
    def test_what_changes_nothing(self, tmp_path, attributes):
        scene = load_scene(hdf(tmp_path / "p.h5", **attributes))
        assert scene.cube.dtype == np.int16 and scene.reading == ()

    def test_unsigned_numbers_of_netcdf(self, tmp_path):
        values = CUBE.astype(np.uint16)
        values[0, 0, 0] = 60000
        path = hdf(tmp_path / "p.nc", values.view(np.int16), _Unsigned="true")
        np.testing.assert_array_equal(load_scene(path).cube, values)

    def test_doubles_stay_doubles(self, tmp_path):
        scene = load_scene(hdf(tmp_path / "p.h5", CUBE.astype(float), scale_factor=0.1))
        np.testing.assert_allclose(scene.cube, CUBE * 0.1, rtol=1e-15)


@pytest.mark.filterwarnings("error:(?!.*in every band)")
class TestStoredValue:
    """It is the stored value that marks missing data, whatever it is scaled to."""

    @pytest.fixture
    def image(self, tmp_path):
        rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")

        def write(values, scales, offsets, **profile):
            path = write_geotiff(tmp_path / "a.tif", values, **profile)
            with rasterio.open(path, "r+") as opened:
                opened.scales, opened.offsets = scales, offsets
            return path

        return write

    def test_offsets_of_other_bands(self, image):
        values = CUBE.copy()
        values[0] = 0
        values[3, 3, 0] = 300  # as 0 is in the second band
        scene = load_scene(image(values, [1.0] * 4, [0.0, 300.0, 0.0, 300.0], nodata=0))
        assert scene.valid.sum() == 25
        np.testing.assert_allclose(scene.cube[3, 3], values[3, 3] + [0, 300, 0, 300])

    def test_a_large_offset(self, image):
        values = CUBE.copy()
        values[0] = 0
        values[1] = 1  # the next number, at a distance of 1e-9 of the value
        scene = load_scene(image(values, [1e-3] * 4, [1e6] * 4, nodata=0))
        assert scene.valid.sum() == 25 and scene.valid[1].all()

    def test_a_negative_gain(self, image):
        values = CUBE.copy()
        values[0] = -1
        values[1, 1] = 1
        scene = load_scene(image(values, [-1.0] * 4, [0.0] * 4, nodata=-1))
        assert scene.valid.sum() == 25 and scene.valid[1, 1]

    def test_a_zero_gain(self, image):
        values = CUBE.copy()
        values[0] = 0
        scene = load_scene(image(values, [1.0, 0.0, 1.0, 1.0], [0.0] * 4, nodata=0))
        assert scene.valid.sum() == 25

    def test_the_callers_value_stands_above_it(self, image):
        values = CUBE.copy()
        values[0] = 0
        path = image(values, [2.0] * 4, [1.0] * 4, nodata=0)
        assert load_scene(path, no_data=np.nan).valid is None
        assert load_scene(path, no_data=1).valid.sum() == 25
        assert load_scene(path, raw=True).valid.sum() == 25
        np.testing.assert_array_equal(load_scene(path, raw=True).cube, values)

    def test_maps(self, image):
        values = CUBE[:, :, :1].copy()
        values[0] = 0
        path = image(values, [2.0], [1.0], nodata=0)
        assert np.isnan(load_placed_map(path).values[0]).all()
        np.testing.assert_array_equal(load_map(path), values[:, :, 0] * 2.0 + 1)

    def test_another_value_in_each_band(self, tmp_path):
        pytest.importorskip("rasterio", reason="rasterio is not installed")
        values = CUBE.copy()
        values[0, 0, 1] = 7  # that of another band
        values[1, 1, 0] = 7
        path = write_geotiff(tmp_path / "a.tif", values)
        bands = "".join(
            f'<PAMRasterBand band="{band + 1}"><NoDataValue>{value}</NoDataValue></PAMRasterBand>'
            for band, value in enumerate([7, 8, 9, 32000])
        )
        (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
        marked = (values == [7, 8, 9, 32000]).any(axis=2)
        assert marked[1, 1]
        with pytest.warns(UserWarning, match="left out because some of the bands"):
            scene = load_scene(path)
        np.testing.assert_array_equal(scene.valid, ~marked)


@pytest.mark.filterwarnings("error")
class TestSpellings:
    @pytest.mark.parametrize(
        "name", ["_FillValue", "missing_value", "Data_Ignore_Value", "no_data_value", "NoData",
                 "fill_value", "data ignore value"],
    )  # fmt: skip
    def test_attributes(self, tmp_path, name):
        values = CUBE.copy()
        values[2, 3] = -5
        scene = load_scene(hdf(tmp_path / "a.h5", values, **{name: -5}))
        assert np.argwhere(~scene.valid).tolist() == [[2, 3]]

    def test_several_values(self, tmp_path):
        values = CUBE.copy()
        values[2, 3], values[0, 0] = -5, -6
        path = hdf(tmp_path / "a.h5", values, missing_value=[-5, -6])
        assert load_scene(path).valid.sum() == 28
        np.save(tmp_path / "a.npy", values)
        for given in ("-5,-6", [-5, -6], (-5.0, np.int16(-6))):
            assert load_scene(tmp_path / "a.npy", no_data=given).valid.sum() == 28

    @pytest.mark.parametrize("given", ["", "a,1", [None], {}, "1;2"])
    def test_refusals(self, tmp_path, given):
        np.save(tmp_path / "a.npy", CUBE)
        with pytest.raises(InputError, match="expected a number, or NaN"):
            load_scene(tmp_path / "a.npy", no_data=given)


class TestMasksOfGeotiff:
    @pytest.fixture(autouse=True)
    def _rasterio(self):
        pytest.importorskip("rasterio", reason="rasterio is not installed")

    @pytest.mark.filterwarnings("error")
    def test_an_alpha_band_is_a_mask(self, tmp_path):
        import rasterio
        from rasterio.enums import ColorInterp

        values = CUBE.astype(np.uint16)
        values[:, :, 3] = 65535
        values[0, :, 3] = 0
        path = write_geotiff(tmp_path / "a.tif", values, photometric="RGB", alpha="YES")
        with rasterio.open(path) as image:
            assert image.colorinterp[3] == ColorInterp.alpha
        scene = load_scene(path)
        assert scene.valid.sum() == 25 and not scene.valid[0].any()
        assert scene.good_bands.tolist() == [True, True, True, False]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("inside", [True, False])
    def test_a_mask_inside_or_beside_the_file(self, tmp_path, inside):
        import rasterio

        path = write_geotiff(tmp_path / "a.tif", CUBE)
        mask = np.full((6, 5), 255, np.uint8)
        mask[4] = 0
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside), rasterio.open(path, "r+") as image:
            image.write_mask(mask)
        assert not load_scene(path).valid[4].any() and load_scene(path).valid.sum() == 25
