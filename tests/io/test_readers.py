"""Readers: a file is opened once, whoever is asked, and closed again."""

import builtins
import io as python_io
import pathlib
import sys
import warnings

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.registry import READERS, opened
from tests.io.mat73 import write_mat73
from tests.io.products import cube, header, write_emit, write_envi, write_geotiff, write_prisma

CUBE = cube(5, 4, 6)
TRUTH = np.eye(5, 4, dtype=np.uint8)
BOTH = {"data": CUBE, "map": TRUTH}


def _hdf(path):
    with h5py.File(path, "w") as hdf:
        hdf.update(BOTH)


FILES = {
    "v5.mat": lambda p: scipy.io.savemat(p, BOTH),
    "v73.mat": lambda p: write_mat73(p, BOTH),
    "a.npy": lambda p: np.save(p, CUBE),
    "a.npz": lambda p: np.savez(p, **BOTH),
    "a.img": lambda p: write_envi(p, CUBE),
    "noend": lambda p: write_envi(p, CUBE),
    "a.tif": lambda p: write_geotiff(p, CUBE),
    "a.h5": _hdf,
    "a.nc": lambda p: write_emit(p, CUBE.astype("f4")),
    "a.he5": lambda p: write_prisma(p, CUBE.transpose(0, 2, 1), CUBE.transpose(0, 2, 1)[:, :3]),
}


@pytest.fixture
def counted(monkeypatch):
    """How often each file is opened, by Python and by the libraries that open files themselves."""
    import rasterio
    opens: dict[str, int] = {}

    def note(path):
        name = str(path).rsplit("/", 1)[-1]
        opens[name] = opens.get(name, 0) + 1

    def count(module, name, real, kind=lambda function: function):
        def counting(path, *args, **options):
            note(path)
            return real(path, *args, **options)

        monkeypatch.setattr(module, name, kind(counting))

    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 keeps a function of its own
    if accessor is not None:
        count(accessor, "open", accessor.open, staticmethod)
    count(builtins, "open", builtins.open)
    count(python_io, "open", python_io.open)
    count(rasterio, "open", rasterio.open)
    real = h5py.File.__init__

    def init(self, name, *args, **options):
        note(name)
        return real(self, name, *args, **options)

    monkeypatch.setattr(h5py.File, "__init__", init)
    return opens


@pytest.mark.parametrize("name", FILES)
def test_opened_once(tmp_path, name, counted):
    FILES[name](tmp_path / name)
    counted.clear()
    load_scene(tmp_path / name)
    # Once by Python, which looks at the first bytes, and once by a library that opens by name;
    # HDF5 for its lock, and again to read what CheckedStream lets through.
    by_name = {"v73.mat": 2, "a.h5": 2, "a.nc": 2, "a.he5": 2, "a.tif": 1}
    assert counted[name] == 1 + by_name.get(name, 0)
    assert all(count == 1 for other, count in counted.items() if other.startswith(f"{name}.")), (
        counted
    )


@pytest.mark.parametrize("name", FILES)
def test_closed_again(tmp_path, name):
    FILES[name](tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with opened(tmp_path / name) as reader:
            source = reader.source
            first = next(v for v in reader.variables if v.numeric and len(v.shape) == 3)
            assert reader.read(first.name).shape == first.shape
        assert source.stream.closed
        assert not source.hdf5


@pytest.mark.parametrize("name", FILES)
def test_what_a_reader_says_agrees(tmp_path, name):
    FILES[name](tmp_path / name)
    with opened(tmp_path / name) as reader:
        assert type(reader) in READERS
        for variable in reader.variables:
            if variable.readable and variable.shape:
                assert reader.read(variable.name).shape == variable.shape
        if "" not in [variable.name for variable in reader.variables]:
            with pytest.raises(InputError):
                reader.read("another")


def test_products_come_before_their_container(tmp_path):
    names = {}
    for name in ("a.h5", "a.nc", "a.he5"):
        FILES[name](tmp_path / name)
        with opened(tmp_path / name) as reader:
            names[name] = type(reader).__name__
    assert names == {"a.h5": "Hdf5Reader", "a.nc": "EmitReader", "a.he5": "PrismaReader"}


def test_no_library_is_imported_before_it_is_needed(tmp_path):
    import subprocess

    np.save(tmp_path / "a.npy", CUBE)
    program = (
        "import sys, lren_tf\nlren_tf.load_scene(sys.argv[1])\n"
        "print([m for m in ('rasterio', 'spectral', 'xarray', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.npy")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


class TestHeaderOfATiff:
    """What a header says of a TIFF is told once, whichever of the two files is named."""

    @pytest.mark.parametrize("named", ["a.tif", "a.tif.hdr"])
    def test_a_note_comes_once(self, tmp_path, named):
        write_geotiff(tmp_path / "a.tif", CUBE)
        text = header(CUBE, file_type="TIFF") + "what is this\n"
        (tmp_path / "a.tif.hdr").write_text(text)
        with pytest.warns(UserWarning, match="cannot be read as an entry") as said:
            load_scene(tmp_path / named)
        assert len(said) == 1

    def test_a_header_of_another_size(self, tmp_path):
        write_geotiff(tmp_path / "a.tif", CUBE)
        (tmp_path / "a.hdr").write_text(header(cube(9, 4, 6), file_type="TIFF"))
        with pytest.warns(UserWarning, match=r"a\.hdr declares 9 rows .* the header is not used"):
            np.testing.assert_array_equal(load_scene(tmp_path / "a.hdr").cube, CUBE)


class TestScaleInMatlab:
    """Attributes of version 7.3 mean what they mean in HDF5."""

    @pytest.fixture
    def path(self, tmp_path):
        values = CUBE.astype(np.int16)
        values[1, 1] = -1
        path = write_mat73(tmp_path / "a.mat", {"data": values})
        with h5py.File(path, "r+") as hdf:
            hdf["data"].attrs["scale_factor"] = np.array([0.5])
            hdf["data"].attrs["add_offset"] = np.array([2.0])
            hdf["data"].attrs["_FillValue"] = np.array([-1], "i2")
        return path

    def test_applied(self, path):
        scene = load_scene(path)
        expected = (CUBE.astype(np.int16) * 0.5 + 2).astype(np.float32)
        np.testing.assert_array_equal(scene.cube[scene.valid], expected[scene.valid])
        assert np.argwhere(~scene.valid).tolist() == [[1, 1]]
        assert scene.reading == ("stored values × 0.5 + 2",)

    def test_raw(self, path):
        scene = load_scene(path, raw=True)
        assert scene.cube.dtype == np.int16
        assert np.argwhere(~scene.valid).tolist() == [[1, 1]]
        assert scene.reading == ("stored values, not × 0.5 + 2 (--raw)",)

    def test_one_for_each_band(self, tmp_path):
        path = write_mat73(tmp_path / "a.mat", {"data": CUBE})
        factors = np.arange(1.0, 7.0)
        with h5py.File(path, "r+") as hdf:
            hdf["data"].attrs["scale_factor"] = factors
        np.testing.assert_array_equal(load_scene(path).cube, (CUBE * factors).astype(np.float32))

    def test_a_map(self, tmp_path):
        path = write_mat73(tmp_path / "a.mat", {"map": CUBE[:, :, 0]})
        with h5py.File(path, "r+") as hdf:
            hdf["map"].attrs["scale_factor"] = 0.25
        np.testing.assert_array_equal(load_map(path), (CUBE[:, :, 0] * 0.25).astype(np.float32))
