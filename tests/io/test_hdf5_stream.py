"""Heaps of HDF5 that have no end: HDF5 reads them for ever, and is not given them."""

import io
import struct
from contextlib import suppress

import h5py
import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.base.hdf5_nodes import check_readable, values
from lren_tf.io.base.hdf5_stream import CheckedStream, path_of
from lren_tf.io.base.source import Source
from tests.io.bounds import bounded
from tests.io.mat73 import write_mat73
from tests.io.products import cube, write_emit, write_emit_mask, write_pace

VALUES = cube(5, 4, 6, "int16")


def damage(path, change):
    """Change every object of every heap; `change` gets the 16 bytes of its header."""
    content = bytearray(path.read_bytes())
    at, found = content.find(b"GCOL"), 0
    while at >= 0:
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        place = at + 16
        while place + 16 <= at + size:
            index, _, _, length = struct.unpack_from("<HHIQ", content, place)
            content[place : place + 16] = change(bytes(content[place : place + 16]))
            found += 1
            place += 16 + -(-length // 8) * 8 if index else size
        at = content.find(b"GCOL", at + 4)
    assert found
    path.write_bytes(content)


CHANGES = {
    "an empty rest": lambda header: bytes(16),
    "no index": lambda header: b"\0\0" + header[2:8] + bytes(8),
    "a rest without a size": lambda header: header if header[0] else header[:8] + bytes(8),
    "back": lambda header: header[:8] + ((1 << 64) - 40).to_bytes(8, "little"),
    "wrapped": lambda header: header[:8] + ((1 << 64) - 16).to_bytes(8, "little"),
    "beyond the end": lambda header: header[:8] + b"\xff" * 8,
}
WRITERS = {
    "scales.nc": lambda path: write_pace(path, VALUES),
    "labels.nc": lambda path: write_emit_mask(path, (5, 4), {}),
    "fields.mat": lambda path: write_mat73(path, {"data": VALUES, "note": np.array([1.5])}),
}


def _texts(path):
    """Attributes of any length: names of axes, a unit."""
    with h5py.File(path, "w") as hdf:
        hdf["data"] = VALUES
        hdf["data"].attrs["_ARRAY_DIMENSIONS"] = ["y", "x", "band"]
        hdf["data"].attrs["units"] = "1"
        hdf["wavelength"] = np.linspace(400, 900, 6)
        hdf["wavelength"].attrs["units"] = "nm"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["scales.nc", "texts.h5"])
def test_an_end_is_reached(tmp_path, name, change):
    path = tmp_path / name
    {"scales.nc": WRITERS["scales.nc"], "texts.h5": _texts}[name](path)
    assert load_scene(path).shape == (5, 4, 6)
    damage(path, CHANGES[change])
    with bounded(100, 5), suppress(InputError):
        assert load_scene(path).shape == (5, 4, 6)


@pytest.mark.parametrize("change", CHANGES)
def test_a_mask_whose_labels_have_no_end(tmp_path, change):
    path = tmp_path / "m.nc"
    WRITERS["labels.nc"](path)
    np.save(tmp_path / "a.npy", VALUES)
    damage(path, CHANGES[change])
    with bounded(100, 5), pytest.raises(InputError):
        load_scene(tmp_path / "a.npy", mask=path)


def test_sound_heaps_are_read(tmp_path):
    """Many texts, in several collections, some larger than what is read of one at first."""
    path = tmp_path / "a.h5"
    texts = [f"{at}" * (1 + at % 700) for at in range(2000)]
    with h5py.File(path, "w") as hdf:
        hdf.create_dataset("texts", data=texts, dtype=h5py.string_dtype())
        hdf.attrs["long"] = "x" * 60_000
    with Source(path) as source:
        assert [text.decode() for text in source.hdf5["texts"][()]] == texts
        assert source.hdf5.attrs["long"] == "x" * 60_000


class TestTextsOfAnyLength:
    """HDF5 takes memory for a length before it looks at what is there."""

    @pytest.mark.parametrize("chunks", [None, (3,)])
    def test_longer_than_the_file(self, tmp_path, chunks):
        path = tmp_path / "m.nc"
        write_emit_mask(path, (5, 4), {})
        with h5py.File(path, "r+") as hdf:
            labels = [text.decode() for text in hdf["sensor_band_parameters/mask_bands"][()]]
            del hdf["sensor_band_parameters/mask_bands"]
            table = hdf["sensor_band_parameters"].create_dataset(
                "mask_bands", data=labels, dtype=h5py.string_dtype(), chunks=chunks
            )
            one = table.id.get_offset() or table.id.get_chunk_info(0).byte_offset
        content = bytearray(path.read_bytes())
        content[one + 16 : one + 20] = b"\x7f" * 4
        np.save(tmp_path / "a.npy", VALUES)
        path.write_bytes(content)
        with bounded(100, 5), pytest.raises(InputError, match=r"holds 2139062[0-9]+ entries in"):
            load_scene(tmp_path / "a.npy", mask=path)

    @pytest.mark.parametrize("chunks", [None, (2,)])
    def test_sound_ones(self, tmp_path, chunks):
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            texts = ["a", "", "b" * 1000]
            hdf.create_dataset("texts", data=texts, dtype=h5py.string_dtype(), chunks=chunks)
            hdf.create_dataset("none", (3,), dtype=h5py.string_dtype())
        with Source(tmp_path / "a.h5") as source:
            assert [text.decode() for text in values(source.hdf5["texts"])] == texts
            assert list(values(source.hdf5["none"])) == [b""] * 3


@pytest.mark.parametrize("mark", [b"@IMENSION_SCALE", b"\0" * 15, b"DIMENSION_SCALF"])
def test_a_scale_that_says_it_is_none(tmp_path, mark):
    """HDF5's own functions for scales end the process."""
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as hdf:
        hdf["data"] = VALUES.transpose(2, 0, 1)
        for axis, (name, length) in enumerate((("band", 6), ("y", 5), ("x", 4))):
            hdf[name] = np.linspace(400.0, 900.0, length)
            hdf[name].make_scale(name)
            hdf["data"].dims[axis].attach_scale(hdf[name])
    path.write_bytes(path.read_bytes().replace(b"DIMENSION_SCALE", mark))
    np.testing.assert_array_equal(load_scene(path).cube, VALUES)


@pytest.mark.parametrize("lengths", [4, 8])
def test_lengths_of_other_sizes(tmp_path, lengths):
    path = tmp_path / "a.h5"
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_sizes(8, lengths)
    with h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, creation)) as hdf:
        hdf.attrs["text"] = ["some", "words", "x" * 5000]
    with Source(path) as source:
        assert list(source.hdf5.attrs["text"]) == ["some", "words", "x" * 5000]


@pytest.mark.parametrize("name", ["a.h5", "ä b%25 日本.h5"])
def test_the_path_is_known(tmp_path, name):
    path = write_emit(tmp_path / name, VALUES)
    with Source(path) as source:
        assert path_of(source.hdf5.filename) == path
        check_readable(source.hdf5["reflectance"])
    assert load_scene(path).shape == (5, 4, 6)


def test_a_read_in_parts(tmp_path):
    """Systems give less than was asked for; the rest is read as well."""
    class Parts(io.FileIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:7])

    class Slow(CheckedStream, Parts):
        pass

    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as hdf:
        hdf["data"] = VALUES
    with Slow(path) as stream:
        buffer = bytearray(path.stat().st_size + 10)
        assert stream.readinto(buffer) == path.stat().st_size
        assert bytes(buffer[:-10]) == path.read_bytes()
    with Slow(path) as stream, h5py.File(stream) as hdf:
        np.testing.assert_array_equal(hdf["data"][()], VALUES)
