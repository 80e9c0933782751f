"""Decoded arrays in temporary files: the same cube from every reader, and nothing left behind."""

from __future__ import annotations

import errno
import json
import logging
import os
import pickle
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr
from distributed.protocol import deserialize, serialize

from lren_tf.cli import main
from lren_tf.data.pixel_matrix import is_mapped
from lren_tf.data.scene import Scene, data_sha256
from lren_tf.detectors import create
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.base import large_array
from tests.io import products
from tests.io.mat73 import write_mat73

CUBE = products.cube(19, 17, 7)
FLOATS = (CUBE / 3).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of temporary files, one of the test's own."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def small(monkeypatch, folder):
    """Limits that let every array be a large one, of several parts."""
    monkeypatch.setattr(large_array, "LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(large_array, "ELEMENTS_AT_A_TIME", 500)
    return folder


def in_maps(folder: Path) -> list[str]:
    """Lines of this process's mapped files that lie in a folder, deleted ones too."""
    listed = Path("/proc/self/maps").read_text("utf-8").splitlines()
    return [line for line in listed if str(folder) in line]


class TestEmpty:
    def test_a_small_array_is_in_memory(self, folder):
        array = large_array.empty((3, 4), "int16", "F")
        assert array.base is None
        assert (array.shape, array.dtype, array.flags.f_contiguous) == ((3, 4), np.int16, True)

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("dtype", ["<f4", ">i2", bool])
    def test_a_large_one_is_mapped(self, small, order, dtype):
        array = large_array.empty((5, 6, 7), dtype, order)
        assert is_mapped(array)
        assert type(array) is np.ndarray  # not a memmap, which joblib would look for by its name
        assert array.flags.writeable
        assert array.flags.c_contiguous == (order == "C")
        values = np.arange(210).reshape(5, 6, 7).astype(dtype)
        array[...] = values
        np.testing.assert_array_equal(array, values)
        assert array.dtype == np.dtype(dtype)

    @pytest.mark.skipif(os.name == "nt", reason="an open file keeps its name on Windows")
    def test_its_file_has_no_name(self, small):
        array = large_array.empty((1000,), "f8")
        assert not list(small.iterdir())
        assert is_mapped(array)

    @pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="/proc is not there")
    def test_its_file_ends_with_the_last_view(self, small):
        view = large_array.empty((100, 100), "f8")[3:5, ::2].T
        assert in_maps(small)
        del view
        assert not in_maps(small)

    def test_workers_get_its_values(self, small):
        array = large_array.empty((40, 5), "f4")
        array[...] = np.arange(200).reshape(40, 5)
        for copy in (pickle.loads(pickle.dumps(array)), deserialize(*serialize(array))):
            np.testing.assert_array_equal(copy, array)
            assert copy.dtype == array.dtype


class TestRoom:
    @pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, None])
    def test_systems_that_take_none_in_advance_write_it(self, small, monkeypatch, code):
        def refused(*_):
            raise OSError(code, os.strerror(code))

        if code is None:
            monkeypatch.delattr(os, "posix_fallocate", raising=False)
        else:
            monkeypatch.setattr(os, "posix_fallocate", refused, raising=False)
        array = large_array.empty((3 << 20,), np.uint8)
        assert is_mapped(array)
        assert not array.any()

    @pytest.mark.parametrize("in_advance", [True, False])
    def test_without_room_it_is_in_memory(self, small, monkeypatch, caplog, in_advance):
        import resource

        if not in_advance:
            monkeypatch.delattr(os, "posix_fallocate", raising=False)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        try:
            with caplog.at_level(logging.WARNING, "lren_tf"):
                array = large_array.empty((1 << 20,), np.uint8)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert array.base is None
        (told,) = caplog.messages
        assert f"({small}) cannot hold 1048576 bytes" in told
        assert "TMPDIR" in told

    def test_without_any_room_one_sentence_says_so(self, small, monkeypatch, tmp_path):
        monkeypatch.setattr(large_array, "_take", self.full)
        monkeypatch.setattr(large_array, "free_memory", lambda: 1000)
        path = products.write_geotiff(tmp_path / "a.tif", CUBE)
        with pytest.raises(InputError, match=r"take 4522 bytes.*No space left.*1000 bytes.*TMPDIR"):
            load_scene(path)

    def test_a_folder_that_is_not_there(self, small, monkeypatch, caplog):
        monkeypatch.setattr(tempfile, "tempdir", str(small / "none"))
        assert large_array.empty((10,), "f8").base is None
        assert "TMPDIR" in caplog.text

    def test_no_folder_of_temporary_files_at_all(self, small, monkeypatch, caplog):
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(small / "none")])
        assert large_array.empty((10,), "f8").base is None
        assert "(None) cannot hold 80 bytes" in caplog.text

    def test_a_cube_in_memory_is_not_copied_again(self, small, monkeypatch, caplog):
        monkeypatch.setattr(large_array, "_take", self.full)
        assert large_array.settled(CUBE) is CUBE
        turned = large_array.settled(CUBE.T)
        np.testing.assert_array_equal(turned, CUBE.T)
        assert turned.flags.c_contiguous

    @staticmethod
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("elements", [1, 50, 10**6])
@pytest.mark.parametrize(
    ("shape", "unit"),
    [((9, 10, 6), (4, 3, 6)), ((9, 10, 6), (4, 3, 1)), ((9, 10, 6), (1, 10, 1)), ((5, 4), (9, 9)),
     ((7,), (2,)), ((2, 0, 3), (1, 1, 1))],
)  # fmt: skip
def test_blocks_hold_every_element_once_and_whole_blocks_of_the_file(
    monkeypatch, shape, unit, elements
):
    monkeypatch.setattr(large_array, "ELEMENTS_AT_A_TIME", elements)
    seen = np.zeros(shape, int)
    for place in large_array.blocks(shape, unit):
        seen[place] += 1
        for axis, part in enumerate(place):
            assert part.start % min(unit[axis], shape[axis]) == 0
        whole = np.prod([min(pair) for pair in zip(unit, shape, strict=True)])
        assert seen[place].size <= max(elements, whole)
    assert (seen == 1).all()


def _hdf(path, values, **attributes):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("cube", data=values, chunks=(4, 5, 3), compression="gzip")
        data.attrs.update(attributes)
    return path


def _npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def _mat(path, **arrays):
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


def _pages(path):
    import tifffile

    with tifffile.TiffWriter(path) as writer:
        for page in FLOATS.transpose(2, 0, 1):
            writer.write(np.ascontiguousarray(page), contiguous=False, metadata=None)
    return path


def _scaled_geotiff(path, **profile):
    import rasterio

    values = CUBE.copy()
    values[2, 3] = 1
    products.write_geotiff(path, values, nodata=1, **profile)
    with rasterio.open(path, "r+") as image:
        image.scales, image.offsets = [1e-4 * n for n in range(1, 8)], [0.5] * 7
    return path


TILES = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
VNIR = products.cube(19, 4, 17)
ENVI = {
    "ENVI, scaled": {"reflectance_scale_factor": "1000"},
    "ENVI, gains": {"data_gain_values": "{1,2,3,4,5,6,7}", "data_ignore_value": "5"},
}

# Of every way that a cube is decoded, what writes such a file into a folder.
FILES = {
    "tiles of all bands": lambda at: products.write_geotiff(
        at / "a.tif", FLOATS, interleave="pixel", **TILES
    ),
    "tiles of a band": lambda at: products.write_geotiff(at / "a.tif", CUBE, **TILES),
    "scaled tiles": lambda at: _scaled_geotiff(at / "a.tif", interleave="pixel", **TILES),
    "scaled strips": lambda at: _scaled_geotiff(at / "a.tif", interleave="band"),
    "pages": lambda at: _pages(at / "a.tif"),
    "files of bands": lambda at: products.write_bands(
        at / "a", CUBE, [f"B{n}.tif" for n in range(7)]
    ),
    "Hyperion": lambda at: products.write_hyperion(
        at / "a", CUBE.astype(np.int16), [9, 10, 11, 80, 81, 82, 83]
    ),
    "EnMAP": lambda at: products.write_dlr(at, CUBE.astype(np.int16)),
    "HDF5": lambda at: _hdf(at / "a.h5", FLOATS),
    "HDF5, big-endian": lambda at: _hdf(at / "a.h5", FLOATS.astype(">f4")),
    "HDF5, valid range": lambda at: _hdf(
        at / "a.h5", CUBE, valid_min=np.uint16(3), valid_max=np.uint16(int(CUBE.max()) - 9)
    ),
    "HDF5, scaled": lambda at: _hdf(
        at / "a.h5", CUBE, scale_factor=0.5, add_offset=1.0, _FillValue=CUBE[3, 4, 5],
        valid_max=np.uint16(int(CUBE.max()) - 9),
    ),
    "EMIT": lambda at: products.write_emit(at / "a.nc", FLOATS),
    "PACE": lambda at: products.write_pace(at / "a.nc", CUBE.astype(np.int16)),
    "Tanager, bands first": lambda at: products.write_tanager(at / "a.h5", FLOATS),
    "PRISMA": lambda at: products.write_prisma(at / "a.he5", VNIR, VNIR[:, ::-1]),
    "NEON": lambda at: products.write_neon(at / "a.h5", CUBE.astype(np.int16)),
    "MATLAB 7": lambda at: _mat(at / "a.mat", cube=FLOATS),
    "MATLAB 7.3": lambda at: write_mat73(at / "a.mat", {"cube": FLOATS}),
    "NumPy archive": lambda at: _npz(at / "a.npz", cube=FLOATS),
    "NumPy archive, columns first": lambda at: _npz(at / "a.npz", cube=np.asfortranarray(CUBE)),
    "NumPy archive, big-endian": lambda at: _npz(at / "a.npz", cube=FLOATS.astype(">f4")),
    **{
        name: lambda at, said=said: products.write_envi(at / "a.img", CUBE, "bil", **said)
        for name, said in ENVI.items()
    },
    "xarray": lambda at: xr.DataArray(FLOATS.transpose(2, 0, 1), dims=("band", "y", "x")),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", FILES)
def test_every_decoded_cube_is_the_same_in_a_file(kind, tmp_path, request):
    written = FILES[kind](tmp_path)
    expected = load_scene(written)
    request.getfixturevalue("small")
    scene = load_scene(written)
    assert is_mapped(scene.cube)
    assert not is_mapped(expected.cube)
    assert scene.cube.flags.c_contiguous
    assert scene.cube.dtype == expected.cube.dtype
    np.testing.assert_array_equal(scene.cube, expected.cube)
    assert data_sha256(scene.cube) == data_sha256(expected.cube)
    assert (scene.reading, scene.source_format) == (expected.reading, expected.source_format)
    for name in ("valid", "good_bands", "wavelengths"):
        np.testing.assert_array_equal(getattr(scene, name), getattr(expected, name))
    if scene.valid is None and scene.good_bands is None:
        assert np.shares_memory(scene.pixels, scene.cube)


def test_a_file_that_its_owner_maps_stays_where_it_is(small, tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(FLOATS))
    paths = [products.write_envi(tmp_path / f"{way}.img", FLOATS, way) for way in ("bil", "bsq")]
    for path in [*paths, tmp_path / "a.npy"]:
        cube = load_scene(path).cube
        assert is_mapped(cube)
        assert not cube.flags.writeable  # the file's own values
        np.testing.assert_array_equal(cube, FLOATS)


def test_detectors_see_the_same_pixels(small, tmp_path):
    path = products.write_geotiff(tmp_path / "a.tif", FLOATS, **TILES)
    scene, held = load_scene(path), Scene(FLOATS)
    assert is_mapped(scene.cube)
    for detector in (create("rx"), create("lrx", inner=3, outer=7)):
        np.testing.assert_array_equal(detector.score(scene), detector.score(held))


@pytest.mark.slow
def test_batch_and_its_provenance(tmp_path, monkeypatch, request):
    """Reports, maps and what counts as finished are the same, wherever the cube lies."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        products.write_geotiff(tmp_path / f"{name}.tif", FLOATS, **TILES)
    words = ["batch", "a.tif", "b.tif", "--detector", "rx", "--quiet"]
    assert main([*words, "--out", "held"]) == 0
    request.getfixturevalue("small")
    assert main([*words, "--out", "mapped"]) == 0
    files = [[next(Path(out).rglob(name)) for out in ("held", "mapped")]
             for name in ("a*.json", "a*score.npy")]  # fmt: skip
    held, mapped = (json.loads(report.read_text("utf-8")) for report in files[0])
    assert held["scene"] == mapped["scene"]
    np.testing.assert_array_equal(*map(np.load, files[1]))
