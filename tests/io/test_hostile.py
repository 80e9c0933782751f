"""Small files made to take all memory or time, or to lead elsewhere: refused before they do."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.base.hdf5_nodes import node_at
from lren_tf.io.formats.matlab import MatlabReader
from tests.io.bounds import bounded
from tests.io.products import cube, header, write_emit, write_envi, write_geotiff, write_prisma
from tests.io.reading import variables_by

VALUES = cube(5, 4, 6)
HUGE_BLOCK = (800, 800, 800)


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        find_spec(package) is None, reason=f"{package}, of the extra geo, is not installed"
    )


def _block_deflated_twice(path: Path) -> None:
    """A few kB, of which one block inflates to 0.5 GB for an array of 120 bytes."""
    with h5py.File(path, "w") as hdf:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk(HUGE_BLOCK)
        creation.set_deflate(9)
        creation.set_deflate(9)
        space = h5s.create_simple((5, 4, 6), (h5s.UNLIMITED,) * 3)
        data = h5d.create(hdf.id, b"data", h5t.NATIVE_UINT8, space, creation)
        block = zlib.compress(bytes(math.prod(HUGE_BLOCK)), 1)
        data.write_direct_chunk((0, 0, 0), zlib.compress(block, 9))


def _emit_with(name: str, shape: tuple[int, ...]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        write_emit(path, VALUES.astype("f4"))
        with h5py.File(path, "r+") as hdf:
            del hdf[name]
            hdf.create_dataset(name, shape, "f4", chunks=tuple(min(n, 1000) for n in shape))

    return write


def _prisma_with_a_huge_block(path: Path) -> None:
    numbers = VALUES.transpose(0, 2, 1)
    write_prisma(path, numbers, numbers)
    name = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"
    with h5py.File(path, "r+") as hdf:
        del hdf[name]
        hdf.create_dataset(
            name, numbers.shape, "u2", chunks=HUGE_BLOCK, maxshape=(None,) * 3, compression="gzip"
        )


def _npz(content: bytes, blanks: int, compression: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive, archive.open(
            "data.npy", "w", force_zip64=True
        ) as member:
            member.write(content)
            for _ in range(blanks):
                member.write(bytes(1 << 20))

    return write


def _npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    said = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, said)
    return stream.getvalue()


def _geotiff_blocks(path: Path) -> None:
    write_geotiff(
        path, VALUES[:, :, :2].astype("u1"), tiled=True, blockxsize=16384, blockysize=16384,
        SPARSE_OK=True, compress="deflate",
    )  # fmt: skip
    import rasterio

    with rasterio.open(path) as image:
        assert image.block_shapes[0] == (16384, 16384)


def _geotiff_mask(path: Path) -> None:
    import rasterio

    said = {"driver": "GTiff", "width": 60_000, "height": 60_000, "count": 3, "dtype": "uint8",
            "tiled": True, "blockxsize": 4096, "blockysize": 4096, "SPARSE_OK": True}  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **said) as image:
        window = rasterio.windows.Window(0, 0, 16, 16)
        image.write_mask(np.full((16, 16), 255, "u1"), window=window)


def _geotiff_bands(more: int) -> Callable[[Path], None]:
    """A TIFF of one band that declares 32513 of them, `more` bytes longer."""

    def write(path: Path) -> None:
        write_geotiff(path, VALUES[:, :, :1])
        content = bytearray(path.read_bytes()) + bytes(more)
        first = struct.unpack_from("<I", content, 4)[0]
        tags = struct.unpack_from("<H", content, first)[0]
        places = [first + 2 + 12 * at for at in range(tags)]
        samples = [at for at in places if struct.unpack_from("<H", content, at)[0] == 277]
        struct.pack_into("<H", content, samples[0] + 8, 32513)
        path.write_bytes(content)

    return write


def _envi_header(more: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        write_envi(path, VALUES)
        path.with_name(f"{path.name}.hdr").write_text(header(VALUES) + more)

    return write


FILES = [
    ("a.h5", _block_deflated_twice, "stored in blocks of shape"),
    ("a.mat", _block_deflated_twice, "stored in blocks of shape"),
    ("a.he5", _prisma_with_a_huge_block, "stored in blocks of shape"),
    ("a.nc", _emit_with("sensor_band_parameters/wavelengths", (2 * 10**9,)), "wavelengths for"),
    ("a.nc", _emit_with("sensor_band_parameters/good_wavelengths", (2 * 10**9,)), "flags of bands"),
    ("a.nc", _emit_with("location/glt_x", (30_000, 30_000)), "glt_x' declares shape"),
    # A header of 0.5 GB, all of which NumPy reads before it finds that too long.
    ("a.npz", _npz(b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 29), 512, zipfile.ZIP_DEFLATED),
     "not a readable NumPy .npz archive"),
    ("a.npz", _npz(_npy_header((1024, 1024, 2)), 8, zipfile.ZIP_BZIP2),
     "'data' is not compressed as NumPy does it"),
    pytest.param("a.tif", _geotiff_blocks, "stored in blocks of", marks=needs("rasterio")),
    pytest.param("a.tif", _geotiff_mask, "declares shape", marks=needs("rasterio")),
    # GDAL takes half a minute for these: every band fails after all the others.
    pytest.param("a.tif", _geotiff_bands(0), "declares 32513 bands in ", marks=needs("rasterio")),
    pytest.param("a.tif", _geotiff_bands(40_000), "not a readable GeoTIFF",
                 marks=needs("rasterio")),
    # SPy takes minutes for these.
    pytest.param("a.img", _envi_header("foo = {\n" + "1,\n" * 400_000), "it has 400011 lines",
                 marks=needs("spectral")),
    pytest.param("a.img", _envi_header("a = 1\n" * 400_000), "it has 400010 lines",
                 marks=needs("spectral")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "said"), FILES)
def test_refused_at_once(tmp_path, name, write, said):
    path = tmp_path / name
    write(path)
    assert path.stat().st_size < 3 << 20
    # What a first call imports and sets up is not the file's doing.
    with pytest.raises(InputError):
        load_scene(path)
    with bounded(100, 5), pytest.raises(InputError, match="expected") as refusal:
        load_scene(path)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_positions_of_another_size_are_not_read(tmp_path):
    _emit_with("location/lon", (40_000, 40_000))(tmp_path / "a.nc")
    with bounded(100, 5):
        assert load_scene(tmp_path / "a.nc").georeference.positions is None


class TestLinks:
    """A link to another file is not followed: it may be a pipe, or none of the user's business."""

    @pytest.fixture
    def elsewhere(self, tmp_path):
        write_emit(tmp_path / "other.h5", VALUES.astype("f4"))
        return "other.h5"

    def test_tables_of_a_product(self, tmp_path, elsewhere):
        path = write_emit(tmp_path / "a.nc", VALUES.astype("f4"))
        for name in ("location/lon", "sensor_band_parameters/good_wavelengths"):
            with h5py.File(path, "r+") as hdf:
                del hdf[name]
                hdf[name] = h5py.ExternalLink(elsewhere, name)
        scene = load_scene(path)
        assert scene.georeference.positions is None
        assert scene.wavelengths is not None

    @pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/away")])
    def test_a_whole_product(self, tmp_path, elsewhere, link):
        with h5py.File(tmp_path / "a.h5", "w") as hdf:
            hdf["data"] = VALUES
            hdf["away"] = h5py.ExternalLink(elsewhere, "/")
            hdf["sensor_band_parameters"] = link
            assert node_at(hdf, "sensor_band_parameters/wavelengths") is None
            assert node_at(hdf, "nothing/here") is None
            assert node_at(hdf, "data/below") is None
        assert load_scene(tmp_path / "a.h5").wavelengths is None

    def test_variables_of_matlab(self, tmp_path, elsewhere):
        with h5py.File(tmp_path / "a.mat", "w") as hdf:
            hdf["data"] = VALUES
            hdf["link"] = h5py.ExternalLink(elsewhere, "reflectance")
        assert [v.name for v in variables_by(MatlabReader)(tmp_path / "a.mat")] == ["data"]
        assert load_scene(tmp_path / "a.mat").shape == VALUES.shape

    def test_values_in_other_files(self, tmp_path):
        (tmp_path / "raw").write_bytes(bytes(480))
        outside = [(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
        with h5py.File(tmp_path / "a.mat", "w") as hdf:
            hdf.create_dataset("data", (5, 4, 6), "f4", external=outside)
        with pytest.raises(InputError, match="the values of 'data' lie in other files"):
            load_scene(tmp_path / "a.mat")
