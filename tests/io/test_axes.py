"""Which axis is rows, columns and bands: by evidence, by request, and never without a word."""

import warnings
from itertools import permutations

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.axes import parse_axes
from tests.io.mat73 import write_mat73
from tests.io.products import cube

ROWS, COLUMNS, BANDS = 9, 7, 5
CUBE = cube(ROWS, COLUMNS, BANDS).astype(np.float32)
TRUTH = np.zeros((ROWS, COLUMNS), np.uint8)
TRUTH[4, 2] = 1
WAVELENGTHS = np.linspace(450.0, 900.0, BANDS)
ORDERS = list(permutations(("row", "column", "band")))
SIZES = {"row": ROWS, "column": COLUMNS, "band": BANDS}


def stored(order):
    """The cube with its axes in this order."""
    return CUBE.transpose([("row", "column", "band").index(role) for role in order])


def netcdf(path, names, values=None, scales=True):
    """A cube under dimension scales of these names."""
    values = CUBE if values is None else values
    with h5py.File(path, "w") as hdf:
        data = hdf.create_dataset("reflectance", data=values)
        for axis, name in enumerate(names):
            hdf.create_dataset(name, data=np.arange(values.shape[axis], dtype="f4"))
            hdf[name].make_scale(name)
            data.dims[axis].attach_scale(hdf[name])
    return path


def assert_is_the_cube(path, **options):
    scene = load_scene(path, **options)
    np.testing.assert_array_equal(scene.cube, CUBE)
    return scene


@pytest.mark.filterwarnings("error")
class TestNames:
    SPELLINGS = (
        {"row": "y", "column": "x", "band": "band"},
        {"row": "lat", "column": "lon", "band": "wavelength"},
        {"row": "downtrack", "column": "crosstrack", "band": "bands"},
        {"row": "number_of_lines", "column": "pixels_per_line", "band": "wavelength_bands"},
        {"row": "northing", "column": "easting", "band": "phony_dim_7"},
        {"row": "Line", "column": "Sample", "band": "Channel"},
    )

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("names", SPELLINGS)
    def test_dimension_scales(self, tmp_path, order, names):
        path = netcdf(tmp_path / "a.nc", [names[role] for role in order], stored(order))
        scene = assert_is_the_cube(path)
        assert bool(scene.reading) == (order != ("row", "column", "band"))
        if scene.reading:
            assert scene.reading[0].startswith(f"axes {','.join(order)} as stored: its axes are")

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(
        "key", ["_ARRAY_DIMENSIONS", "Dimension_Labels", "dims", "labels of dimensions"]
    )
    def test_labels_and_attributes(self, tmp_path, order, key):
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            data = hdf.create_dataset("cube", data=stored(order))
            if key.startswith("labels"):
                for axis, name in enumerate(order):
                    data.dims[axis].label = name
            else:
                data.attrs[key] = list(order) if key == "dims" else ", ".join(order)
        assert_is_the_cube(tmp_path / "a.h5")

    @pytest.mark.parametrize("kind", ["bsq", "BIL", "bip"])
    def test_an_interleave(self, tmp_path, kind):
        order = {"bsq": "brc", "bil": "rbc", "bip": "rcb"}[kind.lower()]
        roles = {"b": "band", "r": "row", "c": "column"}
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            hdf.create_dataset("cube", data=stored([roles[one] for one in order]))
            hdf["cube"].attrs["interleave"] = kind
        assert_is_the_cube(tmp_path / "a.h5")

    def test_one_name_is_enough_for_the_bands(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            hdf.create_dataset("cube", data=stored(("band", "row", "column")))
            hdf["cube"].dims[0].label = "wavelength"
        assert_is_the_cube(tmp_path / "a.h5")

    def test_a_truth_is_turned_by_its_own_names(self, tmp_path):
        path = netcdf(tmp_path / "a.nc", ("band", "x", "y"), stored(("band", "column", "row")))
        with h5py.File(path, "r+") as hdf:
            data = hdf.create_dataset("truth", data=TRUTH.T)
            data.dims[0].attach_scale(hdf["x"])
            data.dims[1].attach_scale(hdf["y"])
        np.testing.assert_array_equal(assert_is_the_cube(path).truth, TRUTH == 1)


CONTAINERS = {
    "a.npz": lambda path, arrays: np.savez(path, **arrays),
    "v5.mat": scipy.io.savemat,
    "v73.mat": write_mat73,
    "a.h5": None,
    "other.mat": None,
}


@pytest.fixture(params=CONTAINERS)
def save(request, tmp_path):
    def write(**arrays):
        path = tmp_path / request.param
        if CONTAINERS[request.param] is not None:
            CONTAINERS[request.param](path, arrays)
            return path
        with h5py.File(path, "w") as hdf:
            for name, values in arrays.items():
                hdf[name] = values
        return path

    return write


@pytest.mark.filterwarnings("error")
class TestTablesAndLayers:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("table", ["wavelengths", "wvl", "fwhm", "band_centers"])
    def test_a_table_and_a_truth(self, save, order, table):
        path = save(data=stored(order), map=TRUTH, **{table: WAVELENGTHS})
        scene = assert_is_the_cube(path)
        np.testing.assert_array_equal(scene.truth, TRUTH == 1)
        if table == "fwhm":
            assert scene.wavelengths is None
        else:
            np.testing.assert_allclose(scene.wavelengths, WAVELENGTHS)

    @pytest.mark.parametrize("order", [o for o in ORDERS if o.index("row") < o.index("column")])
    def test_a_table_alone(self, save, order):
        scene = assert_is_the_cube(save(data=stored(order), wavelength=WAVELENGTHS))
        assert bool(scene.reading) == (order[2] != "band")

    @pytest.mark.parametrize("order", [o for o in ORDERS if o[2] != "band"])
    @pytest.mark.parametrize("layer", ["latitude", "cloud_mask", "truth"])
    def test_a_layer_alone(self, save, order, layer):
        values = TRUTH if layer != "latitude" else np.linspace(1, 2, 63).reshape(ROWS, COLUMNS)
        assert_is_the_cube(save(data=stored(order), **{layer: values}), truth_key="")

    @pytest.mark.parametrize("where", ["cube", "group", "root"])
    def test_attributes(self, tmp_path, where):
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            data = hdf.create_dataset("S/F/radiance", data=stored(("band", "row", "column")))
            owner = {"cube": data, "group": hdf["S"], "root": hdf}[where]
            owner.attrs["wavelengths"] = WAVELENGTHS / 1e3
            owner.attrs["wavelength_units"] = "um"
            owner.attrs["fwhm"] = np.full(BANDS, 5.0)
        np.testing.assert_allclose(assert_is_the_cube(tmp_path / "a.h5").wavelengths, WAVELENGTHS)

    def test_swath_with_geolocation_and_a_table_as_an_attribute(self, tmp_path):
        values = stored(("band", "row", "column")).copy()
        values[:, 0] = -9999
        with h5py.File(tmp_path / "t.h5", "w") as hdf:
            fields = "HDFEOS/SWATHS/HYP/Data Fields"
            data = hdf.create_dataset(f"{fields}/toa_radiance", data=values)
            data.attrs["wavelengths"] = WAVELENGTHS
            data.attrs["_FillValue"] = np.float32(-9999)
            hdf[f"{fields}/beta_cloud_mask"] = np.zeros((ROWS, COLUMNS), "u1")
            hdf["HDFEOS/SWATHS/HYP/Geolocation Fields/Latitude"] = np.zeros((ROWS, COLUMNS))
        scene = load_scene(tmp_path / "t.h5")
        assert scene.shape == CUBE.shape
        np.testing.assert_array_equal(scene.cube[1:], CUBE[1:])
        assert scene.valid_count == (ROWS - 1) * COLUMNS

    def test_other_matrices_turn_nothing(self, save):
        square = np.ones((COLUMNS, COLUMNS), "f4")
        values = np.random.default_rng(0).random((6, COLUMNS, COLUMNS))
        path = save(data=values, covariance=square, loadings=np.ones((COLUMNS, 3)))
        np.testing.assert_array_equal(load_scene(path).cube, values)


class TestDoubt:
    def test_names_against_a_table(self, tmp_path):
        path = netcdf(tmp_path / "a.nc", ("band", "y", "x"))
        with h5py.File(path, "r+") as hdf:
            hdf["wavelength"] = WAVELENGTHS
        said = r"a\.nc: which axis of 'reflectance' \(9, 7, 5\) is which is not certain: its axes "
        with pytest.raises(InputError, match=said + r".* but .*axes=band,row,column"):
            load_scene(path)
        assert_is_the_cube(path, axes="row,column,band")

    def test_a_table_against_layers(self, save):
        path = save(data=stored(("band", "row", "column")), latitude=TRUTH + 40.0,
                    wavelength=np.linspace(400, 900, COLUMNS))  # fmt: skip
        with pytest.raises(InputError, match="which is not certain"):
            load_scene(path)
        assert_is_the_cube(path, axes="band,row,column")

    def test_a_table_that_fits_two_axes(self, save):
        values = CUBE[:, :5]
        with pytest.warns(UserWarning, match="along more than one axis.*--axes row,band,column"):
            scene = load_scene(save(data=values, wavelength=WAVELENGTHS))
        np.testing.assert_array_equal(scene.cube, values)

    def test_layers_of_unknown_names(self, save):
        values = stored(("band", "row", "column"))
        path = save(data=values, thing=TRUTH * 1.5 + np.arange(COLUMNS))
        with pytest.warns(UserWarning, match="'thing'.* only in another order of axes; .*--axes"):
            scene = load_scene(path)
        np.testing.assert_array_equal(scene.cube, values)
        assert_is_the_cube(path, axes="band,row,column")

    def test_a_truth_that_is_turned_itself_is_refused(self, save):
        with pytest.raises(InputError, match=r"the truth 'map' has shape \(7, 9\)"):
            load_scene(save(data=CUBE, map=TRUTH.T))

    def test_a_truth_that_is_turned_is_not_followed_against_names(self, tmp_path):
        path = netcdf(tmp_path / "a.nc", ("band", "y", "x"), stored(("band", "row", "column")))
        with h5py.File(path, "r+") as hdf:
            hdf["truth"] = TRUTH.T
        with pytest.raises(InputError, match=r"truth' has shape \(7, 9\); expected \(9, 7\)"):
            load_scene(path)


@pytest.mark.filterwarnings("error")
class TestAskedFor:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".h5"])
    def test_every_container(self, tmp_path, order, suffix):
        path, values = tmp_path / f"a{suffix}", stored(order)
        if suffix == ".npy":
            np.save(path, values)
        elif suffix == ".npz":
            np.savez(path, values)
        elif suffix == ".mat":
            scipy.io.savemat(path, {"data": values})
        else:
            with h5py.File(path, "w") as hdf:
                hdf["data"] = values
        scene = assert_is_the_cube(path, axes=",".join(order))
        assert scene.reading == (f"axes {','.join(order)} as stored: as asked for with axes",)
        assert_is_the_cube(path, axes=order)

    def test_other_names(self):
        assert parse_axes("Wavelength, Lines, SAMPLES") == (1, 2, 0)
        assert parse_axes(["y", "x", "z"]) == (0, 1, 2)

    @pytest.mark.parametrize("axes", ["", "band,row", "row,row,band", "a,b,c", 3, "band;row;x", []])
    def test_refusals(self, tmp_path, axes):
        np.save(tmp_path / "a.npy", CUBE)
        with pytest.raises(InputError, match=r"axes is .*; expected row, column and band in the"):
            load_scene(tmp_path / "a.npy", axes=axes)

    def test_without_a_word_plain_arrays_are_as_they_are(self, tmp_path):
        for order in ORDERS:
            np.save(tmp_path / "a.npy", stored(order))
            np.testing.assert_array_equal(load_scene(tmp_path / "a.npy").cube, stored(order))


def test_details_of_other_axes_are_not_used(tmp_path):
    pytest.importorskip("spectral", reason="SPy is not installed")
    from tests.io.products import write_envi

    path = write_envi(tmp_path / "a.img", stored(("band", "row", "column")), bbl="{1,1,1,0,1,1,1}")
    with pytest.warns(UserWarning, match="what it says of good bands belongs to other axes"):
        assert_is_the_cube(path, axes="band,row,column")


@pytest.mark.filterwarnings("error")
class TestHdf5CalledMat:
    """Files whose suffix is MATLAB's and whose writer was not."""

    def test_no_mark_of_matlab(self, tmp_path):
        with h5py.File(tmp_path / "a.mat", "w") as hdf:
            hdf["data"] = CUBE
        assert_is_the_cube(tmp_path / "a.mat")
        with h5py.File(tmp_path / "a.mat", "r+") as hdf:
            hdf["map"] = TRUTH
        assert assert_is_the_cube(tmp_path / "a.mat").truth.sum() == 1

    @pytest.mark.parametrize("marks", [(True, True), (True, False), (False, True), (False, False)])
    def test_any_mark_of_matlab(self, tmp_path, marks):
        path = write_mat73(tmp_path / "a.mat", {"data": CUBE, "map": TRUTH}, *marks)
        assert assert_is_the_cube(path).truth[4, 2]

    def test_a_class_without_the_header(self, tmp_path):
        with h5py.File(tmp_path / "a.mat", "w") as hdf:
            hdf["data"] = CUBE.T
            hdf["data"].attrs["MATLAB_class"] = np.bytes_("single")
        assert_is_the_cube(tmp_path / "a.mat")

    def test_names_in_such_a_file(self, tmp_path):
        netcdf(tmp_path / "a.mat", ("band", "y", "x"), stored(("band", "row", "column")))
        assert_is_the_cube(tmp_path / "a.mat")

    def test_a_logical_map_of_another_writer(self, tmp_path):
        with h5py.File(tmp_path / "a.mat", "w") as hdf:
            hdf["x"] = CUBE
            hdf["anomalies"] = TRUTH.astype(bool)
        with warnings.catch_warnings():
            assert assert_is_the_cube(tmp_path / "a.mat").truth.sum() == 1
