import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lren_tf.errors import InputError
from lren_tf.io.base.variable import Variable
from lren_tf.io.formats.matlab import MatlabReader, write_mat
from tests.fuzzing import cases
from tests.io.mat73 import write_mat73
from tests.io.reading import read_by, variables_by

mat_variables, read_mat = variables_by(MatlabReader), read_by(MatlabReader)

CUBE = np.random.default_rng(0).integers(0, 999, (6, 5, 4)).astype(np.uint16)
TRUTH = np.zeros((6, 5), bool)
TRUTH[2, 3] = True
many = settings(
    max_examples=cases(200), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write(path, version, variables):
    if version == "7.3":
        return write_mat73(path, variables)
    scipy.io.savemat(path, variables, do_compression=version == "7")
    return path


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_axes_values_and_dtype(tmp_path, version, dtype):
    path = write(tmp_path / "a.mat", version, {"data": CUBE.astype(dtype), "map": TRUTH})
    kind = {"f4": "single", "f8": "double"}.get(dtype, np.dtype(dtype).name)
    assert mat_variables(path) == [
        Variable("data", (6, 5, 4), kind, True),
        Variable("map", (6, 5), "logical", True),
    ]
    np.testing.assert_array_equal(read_mat(path, "data"), CUBE.astype(dtype))
    assert read_mat(path, "data").dtype == np.dtype(dtype)
    assert read_mat(path, "map").dtype == bool
    np.testing.assert_array_equal(read_mat(path, "map"), TRUTH)


def test_version_is_read_from_the_content(tmp_path):
    # HDF5 that MATLAB did not write, and with its 512 bytes but without its signature.
    with h5py.File(tmp_path / "plain.mat", "w") as hdf:
        hdf["data"] = CUBE
        hdf["map"] = TRUTH
    write_mat73(tmp_path / "mute.mat", {"data": CUBE}, matlab_class=False, signature=False)
    write(tmp_path / "a.h5", "7", {"data": CUBE})
    for name in ("plain.mat", "mute.mat", "a.h5"):
        np.testing.assert_array_equal(read_mat(tmp_path / name, "data"), CUBE)
    assert read_mat(tmp_path / "plain.mat", "map").dtype == bool


def big_endian_mat(array):
    """A version 5 file as a big-endian computer writes it."""

    def element(code, data):
        return code.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data + bytes(-len(data) % 8)

    def numbers(*values):
        return np.array(values, ">i4").tobytes()

    values = array.astype(">u2").tobytes(order="F")
    content = (
        element(6, numbers(11, 0))
        + element(5, numbers(*array.shape))
        + element(1, b"data_long")
        + element(4, values)
    )
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + element(14, content)


def test_big_endian(tmp_path):
    (tmp_path / "a.mat").write_bytes(big_endian_mat(CUBE))
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "data_long"), CUBE)


def test_the_layout_that_real_matlab_writes(tmp_path):
    # Names of up to four letters and values of up to four bytes sit inside their tags, and a
    # double which holds small integers is stored as bytes.
    scipy.io.savemat(
        tmp_path / "a.mat", {"d": np.uint8([[7]]), "name_of_31_letters_" + "x" * 12: 1}
    )
    assert [v.shape for v in mat_variables(tmp_path / "a.mat")] == [(1, 1), (1, 1)]
    assert read_mat(tmp_path / "a.mat", "d") == 7


@pytest.mark.parametrize("compressed", [False, True])
def test_kinds_that_are_listed_and_refused(tmp_path, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(
        path,
        {
            "data": CUBE,
            "text": "hello",
            "record": {"a": 1},
            "cells": np.array([1, "a"], object),
            "waves": np.ones((2, 2)) * 1j,
            "thin": scipy.sparse.csc_array(np.eye(3)),
        },
        do_compression=compressed,
    )
    found = {v.name: v for v in mat_variables(path)}
    assert [v.kind for v in found.values()] == [
        "uint16", "char", "struct", "cell", "complex double", "sparse",
    ]  # fmt: skip
    assert found["thin"].shape == (3, 3)
    for name in list(found)[1:]:
        with pytest.raises(InputError, match=f"'{name}' is of type {found[name].kind}"):
            read_mat(path, name)
    np.testing.assert_array_equal(read_mat(path, "data"), CUBE)


def test_kinds_of_version_73_that_are_listed_and_refused(tmp_path):
    path = write_mat73(tmp_path / "a.mat", {"data": CUBE})
    with h5py.File(path, "r+") as hdf:
        hdf.create_group("#refs#")
        hdf.create_group("record")["a"] = 1.0
        thin = hdf.create_group("thin")
        thin.attrs["MATLAB_sparse"] = np.uint64(3)
        thin["jc"] = np.arange(5)
        hdf["text"] = np.uint16([104, 105])
        hdf["text"].attrs["MATLAB_class"] = np.bytes_("char")
        hdf["cells"] = np.array([hdf["data"].ref], h5py.ref_dtype)
        hdf["cells"].attrs["MATLAB_class"] = np.bytes_("cell")
        hdf["waves"] = np.zeros((2, 3), [("real", "f8"), ("imag", "f8")])
        hdf["waves"].attrs["MATLAB_class"] = np.bytes_("double")
        hdf["nothing"] = np.uint64([0, 0])
        hdf["nothing"].attrs["MATLAB_class"] = np.bytes_("double")
        hdf["nothing"].attrs["MATLAB_empty"] = np.uint8(1)
    found = {v.name: v for v in mat_variables(path)}
    assert found.pop("data").readable
    assert {name: (v.shape, v.kind) for name, v in found.items()} == {
        "record": ((1, 1), "struct"),
        "thin": ((3, 4), "sparse"),
        "text": ((2,), "char"),
        "cells": ((1,), "cell"),
        "waves": ((3, 2), "complex double"),
        "nothing": ((0, 0), "empty double"),
    }
    for name, variable in found.items():
        with pytest.raises(InputError, match=f"'{name}' is of type {variable.kind}"):
            read_mat(path, name)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_missing_variable(tmp_path, version):
    path = write(tmp_path / "a.mat", version, {"data": CUBE, "map": TRUTH})
    with pytest.raises(InputError, match=r"no variable 'cube'.*\(found: data, map\)"):
        read_mat(path, "cube")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MATLAB",
        b"\0" * 4000,  # passes for version 4 in SciPy
        b"rows and columns of text, not of numbers\n" * 50,
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\0" * 4000,
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"garbage" * 50,
        b"\x89HDF\r\n\x1a\n" + b"\0" * 4000,
    ],
    ids=["empty", "short", "zeros", "text", "7.3 header only", "5 header only", "HDF5 signature"],
)
def test_what_is_no_matlab_file(tmp_path, content):
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mat"):
        mat_variables(path)


def test_an_old_version_4_file_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"map": TRUTH * 1.0}, format="4")
    with pytest.raises(InputError, match="MATLAB file of version 4") as refusal:
        read_mat(tmp_path / "a.mat", "map")
    assert str(refusal.value).endswith("save it in MATLAB with save -v7.")


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
def test_every_truncation_is_refused(tmp_path, version):
    path = write(tmp_path / "a.mat", version, {"data": CUBE})
    content = path.read_bytes()
    kept = {0, 1, 127, 200, len(content) // 2, len(content) - 9, len(content) - 1}
    for length in sorted(kept):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.mat"):
            read_mat(path, "data")


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 8, 10, 11, 14, 16, 19, 20, 77])
def test_a_type_code_that_ends_the_process_inside_scipy(tmp_path, code):
    # In a process of its own: without the check this is a segmentation fault, not a failure.
    path = write(tmp_path / "a.mat", "5", {"data": CUBE})
    content = bytearray(path.read_bytes())
    tag = content.index(b"\x04\x00\x00\x00\xf0\x00\x00\x00")
    content[tag] = code
    path.write_bytes(content)
    program = (
        "import sys; from lren_tf.io.formats.matlab import MatlabReader\n"
        "from tests.io.reading import read_by\n"
        "from lren_tf.errors import InputError\n"
        "try: read_by(MatlabReader)(sys.argv[1], 'data')\n"
        "except InputError as error: print('refused:', error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert result.stdout.startswith("refused: a.mat: not a readable MATLAB file"), result


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_declared_sizes_beyond_the_file_are_refused(tmp_path, version):
    path = write(tmp_path / "a.mat", version, {"data": CUBE})
    if version == "7.3":
        with h5py.File(path, "r+") as hdf:
            huge = hdf.create_dataset("huge", (1 << 20, 1 << 20, 4), "f8", chunks=(1, 1, 4))
            huge.attrs["MATLAB_class"] = np.bytes_("double")
        with pytest.raises(InputError, match="'huge' declares shape"):
            read_mat(path, "huge")
    else:
        content = path.read_bytes()
        dims = np.array([6, 5, 4], "<i4").tobytes()
        path.write_bytes(content.replace(dims, np.array([60000, 50000, 4], "<i4").tobytes()))
        with pytest.raises(InputError, match="not a readable MATLAB file"):
            read_mat(path, "data")


@many
@given(st.data())
def test_damage_gives_the_array_s_shape_or_a_refusal(tmp_path, data):
    version = data.draw(st.sampled_from(["5", "7", "7.3"]))
    path = tmp_path / f"{version}.mat"
    if not path.exists():
        write(path, version, {"data": CUBE})
        (tmp_path / f"{version}.bin").write_bytes(path.read_bytes())
    content = bytearray((tmp_path / f"{version}.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        array = read_mat(path, "data")
    except InputError:
        return
    assert array.dtype.kind in "biuf"
    assert array.nbytes <= 256 << 20


class TestWriteMat:
    @pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">u2", "f4", "f8", "f2"])
    def test_round_trip(self, tmp_path, dtype):
        array = CUBE.astype(dtype)
        path = write_mat(tmp_path / "new" / "a.mat", {"data": array, "score": np.ones(3)})
        np.testing.assert_array_equal(read_mat(path, "data"), array)
        assert read_mat(path, "score").shape == (3, 1)
        assert os.listdir(path.parent) == ["a.mat"]

    @pytest.mark.parametrize(
        ("name", "variables", "message"),
        [
            ("a.npy", {"data": CUBE}, "expected '.mat'"),
            ("a.mat", {}, "no variable"),
            ("a.mat", {"_data": CUBE}, "not a MATLAB variable name"),
            ("a.mat", {"1": CUBE}, "not a MATLAB variable name"),
            ("a.mat", {"x" * 32: CUBE}, "not a MATLAB variable name"),
            ("a.mat", {"data": CUBE * 1j}, "dtype complex128"),
            ("a.mat", {"data": np.array([{}])}, "dtype object"),
            ("a.mat", {"data": np.broadcast_to(np.float64(0), (1 << 15, 1 << 14))}, "4 GiB"),
        ],
    )
    def test_refusals(self, tmp_path, name, variables, message):
        with pytest.raises(InputError, match=message):
            write_mat(tmp_path / name, variables)
        assert os.listdir(tmp_path) == []
