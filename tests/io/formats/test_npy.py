import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lren_tf.errors import InputError
from lren_tf.io.base.variable import Variable
from lren_tf.io.formats.npy import NpyReader, NpzReader, write_npy
from tests.fuzzing import cases
from tests.io.reading import read_by, variables_by

npy_variables, read_npy = variables_by(NpyReader), read_by(NpyReader)
npz_variables, read_npz = variables_by(NpzReader), read_by(NpzReader)

CUBE = np.random.default_rng(0).integers(0, 999, (6, 5, 4)).astype(np.uint16)
many = settings(
    max_examples=cases(150), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def npy_bytes(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(shape, dtype="'<f8'", version=b"\x01\x00"):
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_round_trip(tmp_path, dtype, order):
    array = np.asarray(CUBE, dtype=dtype, order=order)
    path = write_npy(tmp_path / "new" / "a.npy", array)
    np.testing.assert_array_equal(read_npy(path), array)
    assert read_npy(path).dtype == array.dtype
    assert npy_variables(path) == [Variable("", (6, 5, 4), str(array.dtype), True)]
    assert os.listdir(path.parent) == ["a.npy"]


@pytest.mark.parametrize("array", [CUBE, CUBE[0], CUBE[:0], np.float32(3)])
def test_the_bytes_are_those_of_numpy(tmp_path, array):
    np.save(tmp_path / "numpy.npy", array)
    written = write_npy(tmp_path / "a.npy", array).read_bytes()
    assert written == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize("name", ["a", "a.npz", "a.txt"])
def test_write_refuses_another_suffix(tmp_path, name):
    with pytest.raises(InputError, match=r"expected '\.npy'"):
        write_npy(tmp_path / name, CUBE)


@pytest.mark.parametrize("dtype", [object, "U3", "M8[s]"])
def test_write_refuses_what_would_be_pickled_or_is_no_number(tmp_path, dtype):
    with pytest.raises(InputError, match="dtype"):
        write_npy(tmp_path / "a.npy", np.empty(3, dtype))
    assert os.listdir(tmp_path) == []


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_npy_pickles_are_not_opened(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([Bomb(str(tmp_path / "boom"))], object), allow_pickle=True)
    with pytest.raises(InputError, match="pickled object"):
        read_npy(path)
    assert not (tmp_path / "boom").exists()


def test_npz_pickles_are_listed_but_not_opened(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, data=CUBE, extra=np.array([Bomb(str(tmp_path / "boom"))], object))
    assert [(v.name, v.readable) for v in npz_variables(path)] == [("data", True), ("extra", False)]
    np.testing.assert_array_equal(read_npz(path, "data"), CUBE)
    with pytest.raises(InputError, match="'extra' is of type pickled object"):
        read_npz(path, "extra")
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("dtype", [complex, "U3", [("a", "f4"), ("b", "i2")]])
def test_dtypes_that_are_not_real(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros(3, dtype))
    with pytest.raises(InputError, match="expected real numbers"):
        read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93",
        b"\x93NUMPY",
        b"not an array at all, only text" * 9,
        npy_bytes(CUBE)[:-1],
        npy_bytes(CUBE)[:90],
        header("(10,)") + bytes(79),
        header("(1000000, 1000000, 1000)") + bytes(800),
        header("(99999999999999999999999,)") + bytes(800),
        header("(-1, -8)") + bytes(800),
        header("'x'"),
        header("(2,)", version=b"\x03\x00") + bytes(800),
        header("(2,)", version=b"\x09\x00") + bytes(800),
        zipfile.ZipFile,
    ],
    ids=lambda content: repr(content)[:40],
)
@pytest.mark.parametrize("call", [npy_variables, read_npy])
def test_damaged_npy(tmp_path, content, call):
    path = tmp_path / "a.npy"
    if content is zipfile.ZipFile:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npy"):
        call(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, data=CUBE, map=CUBE[:, :, 0] > 500, t=np.float32(3))
    assert [str(v) for v in npz_variables(path)] == [
        "data (6, 5, 4) uint16",
        "map (6, 5) bool",
        "t () float32",
    ]
    np.testing.assert_array_equal(read_npz(path, "map"), CUBE[:, :, 0] > 500)
    with pytest.raises(InputError, match="no variable 'dat'"):
        read_npz(path, "dat")


def test_other_members_of_an_archive_are_passed_over(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, data=CUBE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert [v.name for v in npz_variables(path)] == ["data"]


def test_npz_members_that_promise_too_much(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.npy", header("(1000000, 1000000, 1000)") + bytes(800))
    with pytest.raises(InputError, match="declares"):
        npz_variables(path)


def test_npz_checksums_are_compared(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, data=np.zeros(1000, np.uint8))
    content = bytearray(path.read_bytes())
    content[600] ^= 1  # inside the stored, uncompressed values
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz"):
        read_npz(path, "data")


def test_npz_members_with_more_than_the_array(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.npy", npy_bytes(CUBE) + b"x")
    with pytest.raises(InputError, match="trailing bytes"):
        read_npz(path, "data")


@many
@given(st.data())
def test_damage_gives_an_array_or_a_refusal(tmp_path, data):
    suffix = data.draw(st.sampled_from([".npy", ".npz"]))
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, CUBE)
    else:
        np.savez_compressed(path, data=CUBE)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[: cut if data.draw(st.booleans()) else None])
    try:
        array = read_npy(path) if suffix == ".npy" else read_npz(path, "data")
    except InputError:
        return
    assert array.nbytes <= CUBE.nbytes
