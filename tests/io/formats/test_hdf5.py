"""HDF5 and netCDF-4 in general: which array is the cube, and what is said about it."""

import h5py
import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.formats.hdf5 import Hdf5Reader
from tests.io.products import cube
from tests.io.reading import read_by, variables_by

CUBE = cube()
TRUTH = np.zeros((6, 5), np.uint8)
TRUTH[2, 3] = TRUTH[5, 0] = 1


@pytest.fixture(params=[".h5", ".nc", ".HDF5", ".he5"])
def save(request, tmp_path):
    def write(**arrays):
        path = tmp_path / f"a{request.param}"
        with h5py.File(path, "w") as hdf:
            for name, array in arrays.items():
                hdf[name.replace("__", "/")] = array
        return path

    return write


def test_the_only_cube_is_found_wherever_it_lies(save):
    path = save(site__image__data=CUBE, site__Ground_Truth=TRUTH, site__note="text")
    scene = load_scene(path)
    np.testing.assert_array_equal(scene.cube, CUBE)
    np.testing.assert_array_equal(scene.truth, TRUTH == 1)
    assert scene.cube.dtype == np.uint16
    assert (scene.name, scene.source_format) == ("a", "HDF5")


def test_key_is_a_path(save):
    path = save(first=CUBE, group__second=CUBE[:, :, :3], group__map=TRUTH)
    with pytest.raises(InputError, match=r"pass key= .*first \(6, 5, 7\).*group/second \(6, 5, 3"):
        load_scene(path)
    for key in ("group/second", "/group/second", "/group/second/"):
        np.testing.assert_array_equal(load_scene(path, key=key).cube, CUBE[:, :, :3])
    with pytest.raises(InputError, match=r"no variable 'group/third'.*key= \(found: first, group/"):
        load_scene(path, key="group/third")
    np.testing.assert_array_equal(load_map(path, key="/group/map"), TRUTH)


def test_layers_of_a_product_are_no_truth(save):
    assert load_scene(save(data=CUBE, clouds=TRUTH)).truth is None
    assert load_scene(save(data=CUBE, clouds=TRUTH), truth_key="clouds").truth.sum() == 2


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value", "Data_Ignore_Value"])
def test_fill_values(save, attribute):
    values = CUBE.astype(np.float32)
    values[3, 2] = -9999
    path = save(data=values)
    with h5py.File(path, "r+") as hdf:
        hdf["data"].attrs[attribute] = np.array([-9999], np.float32)
    assert np.argwhere(~load_scene(path).valid).tolist() == [[3, 2]]


def test_wavelengths_beside_the_cube(save):
    path = save(data=CUBE, meta__Wavelengths=np.linspace(0.4, 1.0, 7))
    np.testing.assert_allclose(load_scene(path).wavelengths, np.linspace(400, 1000, 7))
    with pytest.warns(UserWarning, match=r"'meta/Wavelengths' \(8,\) fits no axis of the cube"):
        scene = load_scene(save(data=CUBE, meta__Wavelengths=np.linspace(400, 1000, 8)))
    assert scene.wavelengths is None


@pytest.mark.parametrize("content", [b"x", b"CDF\x01" + bytes(9), b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_other_content(tmp_path, content):
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.nc: not a readable HDF5 file"):
        load_scene(tmp_path / "a.nc")


def test_values_of_other_files_are_not_followed(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(range(210)) * 2)
    with h5py.File(tmp_path / "other.h5", "w") as hdf:
        hdf["data"] = CUBE
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as hdf:
        outside = [(str(tmp_path / "secret.bin"), 0, h5py.h5f.UNLIMITED)]
        hdf.create_dataset("raw", CUBE.shape, "u2", external=outside)
        layout = h5py.VirtualLayout(CUBE.shape, "u2")
        layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "data", CUBE.shape)
        hdf.create_virtual_dataset("virtual", layout)
        hdf["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "data")
    found = variables_by(Hdf5Reader)(path)
    assert {v.name: v.readable for v in found} == {"raw": False, "virtual": False}
    with pytest.raises(InputError, match="no numeric variable is rows"):
        load_scene(path)
    with pytest.raises(InputError, match="no array of real numbers at 'raw'"):
        read_by(Hdf5Reader)(path, "raw")


def test_absurd_sizes_ask_for_no_memory(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as hdf:
        hdf.create_dataset("data", (10**6, 10**6, 300), "f8", chunks=(1, 100, 300))
    with pytest.raises(InputError, match=r"declares shape \(1000000, 1000000, 300\), 24000000000"):
        load_scene(tmp_path / "a.h5")


def test_a_name_that_is_no_text_is_passed_over(save):
    path = save(data=CUBE, extra_one=CUBE)
    content = path.read_bytes()
    assert content.count(b"extra_one") == 1
    path.write_bytes(content.replace(b"extra_one", b"extra_\xff\xfe\xfd"))
    np.testing.assert_array_equal(load_scene(path).cube, CUBE)


def test_text_and_compounds_are_no_cube(save):
    path = save(data=np.zeros((2, 2, 2), [("a", "f4"), ("b", "i2")]))
    with pytest.raises(InputError, match="expected a real numeric cube"):
        load_scene(path)
    path = save(data=CUBE[:, :, :2] * 1j)
    with pytest.raises(InputError, match="complex"):
        load_scene(path)
