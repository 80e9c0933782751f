"""One scene in every container and every order of its axes: one score map, or a word."""

import warnings
from itertools import permutations

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from lren_tf.datasets import simulate
from lren_tf.detectors import create
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.mat73 import write_mat73
from tests.io.products import write_envi, write_geotiff

ROLES = ("row", "column", "band")
ORDERS = list(permutations(ROLES))
SCENE = simulate(13, 11, 7, seed=2, anomalies=2)
WAVELENGTHS = np.linspace(450.0, 900.0, SCENE.bands)
EXPECTED = create("rx").score(SCENE.cube)
NAMES = {"row": "y", "column": "x", "band": "wavelength"}


def stored(order):
    """The cube with its axes in this order."""
    return np.ascontiguousarray(SCENE.cube.transpose([ROLES.index(role) for role in order]))


def arrays(order, described):
    """Variables of a file: the cube, and where it is described its table and its truth."""
    found = {"data": stored(order)}
    if described:
        found |= {"wavelengths": WAVELENGTHS, "map": SCENE.truth.astype(np.uint8)}
    return found


def _hdf(path, order, described):
    with h5py.File(path, "w") as hdf:
        hdf.update(arrays(order, described))


def _labelled_hdf(path, order, named):
    with h5py.File(path, "w") as hdf:
        data = hdf.create_dataset("cube", data=stored(order))
        for axis, role in enumerate(order if named else ()):
            data.dims[axis].label = role


def _netcdf(path, order, named):
    with h5py.File(path, "w") as hdf:
        data = hdf.create_dataset("reflectance", data=stored(order))
        for axis, role in enumerate(order):
            name = NAMES[role] if named else f"phony_dim_{axis}"
            scale = WAVELENGTHS if role == "band" and named else np.arange(data.shape[axis])
            hdf[name] = scale.astype("f4")
            hdf[name].make_scale(name)
            hdf[name].attrs["units"] = "nm" if role == "band" else "m"
            data.dims[axis].attach_scale(hdf[name])


def _envi(path, order, _):
    """The axes as lines, samples and bands of a header, whatever they are."""
    write_envi(path, stored(order), "bip")


def _geotiff(path, order, _):
    write_geotiff(path, stored(order))


def _labelled(path, order, named):
    names = [NAMES[role] for role in order] if named else [f"dim_{axis}" for axis in range(3)]
    coordinates = {"wavelength": WAVELENGTHS} if named else {}
    return xr.DataArray(stored(order), dims=names, coords=coordinates)


# Container -> suffix, and what writes it in an order, described or not.
DESCRIBED = {
    "npz": (".npz", lambda p, order, d: np.savez(p, **arrays(order, d))),
    "mat 5": (".mat", lambda p, order, d: scipy.io.savemat(p, arrays(order, d))),
    "mat 7": (
        ".mat",
        lambda p, order, d: scipy.io.savemat(p, arrays(order, d), do_compression=True),
    ),
    "mat 7.3": (".mat", lambda p, order, d: write_mat73(p, arrays(order, d))),
    "mat by h5py": (".mat", _hdf),
    "HDF5": (".h5", _hdf),
    "HDF5 with labels": (".h5", _labelled_hdf),
    "netCDF": (".nc", _netcdf),
    "xarray": ("", _labelled),
}
PLAIN = {
    "npy": (".npy", lambda p, order, _: np.save(p, stored(order))),
    "ENVI": (".img", _envi),
    "GeoTIFF": (".tif", _geotiff),
}
ALL = DESCRIBED | PLAIN


def write(folder, container, order, described):
    suffix, writer = ALL[container]
    path = folder / f"a{suffix}"
    made = writer(path, order, described)
    return made if container == "xarray" else path


def assert_gives_the_map(data, **options):
    scene = load_scene(data, **options)
    score = create("rx").score(scene)
    np.testing.assert_array_equal(score, EXPECTED)
    return scene


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("container", DESCRIBED)
def test_described_containers_need_no_axes(tmp_path, container):
    for order in ORDERS:
        scene = assert_gives_the_map(write(tmp_path, container, order, described=True))
        turned = order != ROLES
        assert any(text.startswith("axes ") for text in scene.reading) == turned, order
        if container != "HDF5 with labels":
            np.testing.assert_allclose(scene.wavelengths, WAVELENGTHS, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("container", ALL)
@pytest.mark.parametrize("described", [False, True])
def test_axes_give_the_map_always(tmp_path, container, described):
    for order in ORDERS:
        data = write(tmp_path, container, order, described)
        if container == "ENVI" or (container == "GeoTIFF" and order != ROLES):
            with warnings.catch_warnings():  # its place is that of other axes
                warnings.simplefilter("ignore", UserWarning)
                assert_gives_the_map(data, axes=order)
        else:
            assert_gives_the_map(data, axes=",".join(order))


@pytest.mark.parametrize("container", ALL)
def test_without_a_word_values_are_as_they_are_stored(tmp_path, container):
    """Nothing is guessed from shapes alone: no container turns what nothing describes."""
    for order in ORDERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            scene = load_scene(write(tmp_path, container, order, described=False))
        np.testing.assert_array_equal(scene.cube, stored(order))
        assert not any(text.startswith("axes ") for text in scene.reading)


@pytest.mark.parametrize("container", ["npz", "mat 5", "mat 7.3", "HDF5"])
def test_a_table_alone_finds_the_bands(tmp_path, container):
    """Rows and columns in the order in which they are stored, which nothing can contradict."""
    for order in ORDERS:
        data = {"data": stored(order), "wavelengths": WAVELENGTHS}
        path = tmp_path / f"a{ALL[container][0]}"
        if container == "HDF5":
            with h5py.File(path, "w") as hdf:
                hdf.update(data)
        else:
            {"npz": lambda p, d: np.savez(p, **d), "mat 5": scipy.io.savemat}.get(
                container, write_mat73
            )(path, data)
        if order.index("row") < order.index("column"):
            assert_gives_the_map(path)
        else:
            score = create("rx").score(load_scene(path))
            np.testing.assert_allclose(score, EXPECTED.T, rtol=1e-4)
        assert_gives_the_map(path, axes=order)


@pytest.mark.parametrize("container", ["npz", "mat 7.3", "HDF5"])
def test_evidence_that_disagrees_is_refused(tmp_path, container):
    for order in ORDERS:
        if order[2] == "band":
            continue
        wrong = np.arange(SCENE.height, dtype=float)
        data = {"data": stored(order), "wavelengths": wrong, "map": SCENE.truth.astype("u1")}
        path = tmp_path / f"a{ALL[container][0]}"
        if container == "HDF5":
            with h5py.File(path, "w") as hdf:
                hdf.update(data)
        else:
            {"npz": lambda p, d: np.savez(p, **d)}.get(container, write_mat73)(path, data)
        with pytest.raises(InputError, match=r"which is not certain|the truth 'map' has shape"):
            load_scene(path)
