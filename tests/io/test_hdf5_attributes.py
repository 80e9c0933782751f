"""Attributes of HDF5 that declare more than their file holds cost no memory."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from lren_tf.io import load_scene
from lren_tf.io.base.hdf5_attributes import attribute, attributes
from lren_tf.io.base.hdf5_lengths import lengths_beyond
from lren_tf.io.base.source import Source
from tests.io.bounds import bounded
from tests.io.mat73 import write_mat73
from tests.io.products import cube

VALUES = cube(5, 4, 6, "int16")
BY_KIND = {
    "units": "some text of a length",
    "q": "xy",
    "eight_by": "padded by none",
    "listed": ["ab", "cde", "f" * 700],
    "numbers": np.array([np.arange(3.0), np.arange(2.0)], dtype=object),
}
"""Attributes of any length, by their names, which are of lengths that are padded and not."""


def written(path: Path, further: int = 0, **options: object) -> Path:
    with h5py.File(path, "w", **options) as hdf:
        data = hdf.create_dataset("data", data=VALUES, track_order=further > 0)
        for key, value in BY_KIND.items():
            kind = h5py.vlen_dtype("f8") if key == "numbers" else None
            data.attrs.create(key, value, dtype=kind)
        for at in range(further):
            data.attrs[f"further {at}"] = f"text {at}"
        hdf["wavelength"] = np.linspace(400, 900, 6)
        hdf["wavelength"].make_scale("wavelength")
        data.dims[2].attach_scale(hdf["wavelength"])
    return path


def values_of(content: bytes, key: str) -> int:
    """Where the first value of an attribute is stored: its length, then the place of a heap."""
    name = content.index(key.encode() + b"\0")
    heap = struct.pack("<Q", content.index(b"GCOL"))
    return content.index(heap, name) - 4


@pytest.mark.parametrize("length", [1 << 30, (1 << 32) - 1, 1 << 15])
@pytest.mark.parametrize("further", [0, 12], ids=["in the header", "in a heap"])
@pytest.mark.parametrize("key", [*BY_KIND, "DIMENSION_LIST"])
def test_lengths_of_texts_and_lists(tmp_path, key, further, length):
    content = bytearray(written(tmp_path / "a.h5", further).read_bytes())
    at = values_of(content, key)
    content[at : at + 4] = struct.pack("<I", length)
    (tmp_path / "a.h5").write_bytes(content)
    with bounded(60, 5):
        np.testing.assert_array_equal(load_scene(tmp_path / "a.h5").cube, VALUES)
    with bounded(60, 5), Source(tmp_path / "a.h5") as source:
        found = dict(attributes(source.hdf5["data"]))
    if further:
        return  # a heap has a checksum, without which HDF5 gives none of them
    assert set(BY_KIND) - set(found) <= {key}
    for kept in BY_KIND.keys() - {key, "numbers"}:
        assert np.array_equal(found[kept], BY_KIND[kept])


@pytest.mark.parametrize("key", ["MATLAB_class", "MATLAB_fields"])
def test_of_matlab(tmp_path, key):
    """Attributes of any length beside those that MATLAB writes."""
    path = tmp_path / "a.mat"
    write_mat73(path, {"data": VALUES})
    with h5py.File(path, "r+") as hdf:
        hdf["s"] = np.zeros(3)
        hdf["s"].attrs.create(key, "double", dtype=h5py.string_dtype())
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<I", 6), content.rindex(key.encode()) + 40)
    content[at : at + 4] = struct.pack("<I", 1 << 31)
    path.write_bytes(content)
    with bounded(60, 5):
        np.testing.assert_array_equal(load_scene(path).cube, VALUES)


@pytest.mark.parametrize("declared", [1 << 20, 1 << 28, (1 << 31) - 1])
def test_sizes_of_texts(tmp_path, declared):
    """A text of a fixed size that is far larger than the message it lies in."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as hdf:
        hdf["data"] = VALUES
        hdf["data"].attrs["units"] = np.bytes_(b"reflectances" * 2)
    content = bytearray(path.read_bytes())
    at = content.index(b"units\0") + 8
    assert content[at] & 15 == 3 and content[at + 4 : at + 8] == struct.pack("<I", 24)
    content[at + 4 : at + 8] = struct.pack("<I", declared)
    path.write_bytes(content)
    with bounded(60, 5):
        np.testing.assert_array_equal(load_scene(path).cube, VALUES)


def test_what_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.h5"
    pair = np.dtype([("text", h5py.string_dtype()), ("number", "i4")])
    with h5py.File(path, "w", libver="latest") as hdf:
        hdf.attrs["large"] = np.zeros(3 << 19)
        hdf.attrs["axes"] = np.zeros((1, 1, 1, 1, 3))
        hdf.attrs.create("pair", np.array(("a", 1), pair), dtype=pair)
        hdf.attrs["fits"] = np.zeros(1 << 19)
    with bounded(60, 5), Source(path) as source:
        assert list(dict(attributes(source.hdf5))) == ["fits"]
        assert attribute(source.hdf5, "none") is None
        with pytest.raises(ValueError, match=r"'large' of '/' declares \(1572864,\)"):
            attribute(source.hdf5, "large")
        with pytest.raises(ValueError, match="'pair' of '/' holds lists in lists"):
            attribute(source.hdf5, "pair")


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
@pytest.mark.parametrize("further", [0, 12])
def test_every_version_of_a_message_is_recognised(tmp_path, options, further):
    """By what is found where a file is said to have one byte."""
    content = written(tmp_path / "a.h5", further, **options).read_bytes()
    assert not list(lengths_beyond(content, len(content)))
    found = list(lengths_beyond(content, 1))
    wanted = {values_of(content, key) for key in BY_KIND}
    assert wanted <= {start for start, _ in found}
    assert len(found) >= len(BY_KIND) + further


def test_many_that_are_too_long_together(tmp_path):
    """Each of the lengths could be right, not their sum."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as hdf:
        hdf["data"] = VALUES
        hdf["data"].attrs["listed"] = ["abc"] * 3000
    content = bytearray(path.read_bytes())
    at = values_of(content, "listed")
    for k in range(3000):
        place = at + 16 * k
        content[place : place + 4] = struct.pack("<I", len(content) - 1)
    path.write_bytes(content)
    with bounded(60, 5), Source(path) as source:
        assert set(dict(attributes(source.hdf5["data"]))["listed"]) == {""}
