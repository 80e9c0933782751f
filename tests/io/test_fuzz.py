"""Damaged files of every format: the outcome is a scene or one sentence, soon and in few bytes."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.fuzzing import cases
from tests.io.bounds import bounded
from tests.io.mat73 import write_mat73
from tests.io.products import (
    cube,
    header,
    write_dlr,
    write_emit,
    write_emit_mask,
    write_envi,
    write_geotiff,
    write_neon,
    write_pace,
    write_prisma,
    write_tanager,
)

CUBE = cube(5, 4, 6)
TRUTH = np.eye(5, 4, dtype=np.uint8)
VARIABLES = {"data": CUBE, "map": TRUTH, "note": np.array([1.5])}


def _hdf(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as hdf:
        hdf.create_dataset("group/data", data=CUBE, chunks=(2, 2, 3), compression="gzip")
        hdf["group/truth"] = TRUTH


def _packed(path: Path) -> None:
    """A netCDF-4 file whose axes have names, a scale for each band and a fill value."""
    with h5py.File(path, "w") as hdf:
        data = hdf.create_dataset("data", data=CUBE.transpose(2, 0, 1), compression="gzip")
        for axis, (name, length) in enumerate((("band", 6), ("y", 5), ("x", 4))):
            hdf[name] = np.linspace(400.0, 900.0, length)
            hdf[name].attrs["units"] = "nm" if name == "band" else "m"
            hdf[name].make_scale(name)
            data.dims[axis].attach_scale(hdf[name])
        data.attrs["scale_factor"] = np.linspace(0.1, 0.6, 6)
        data.attrs["_FillValue"] = np.array([7], "u2")
        data.attrs["wavelength"] = np.linspace(400.0, 900.0, 6)


def _packed_mat(path: Path) -> None:
    write_mat73(path, VARIABLES)
    with h5py.File(path, "r+") as hdf:
        hdf["data"].attrs["scale_factor"] = np.linspace(0.1, 0.6, 6)
        hdf["data"].attrs["_FillValue"] = 7


def _pages(path: Path) -> None:
    import tifffile

    with tifffile.TiffWriter(path) as writer:
        for band in CUBE.transpose(2, 0, 1):
            writer.write(np.ascontiguousarray(band), contiguous=False, metadata=None)


def _envi(path: Path) -> None:
    write_envi(
        path, CUBE, "bil", bbl="{1, 1, 0, 1, 1, 1}", data_ignore_value="7",
        wavelength="{400, 450, 500, 550, 600, 650}", wavelength_units="Nanometers",
        map_info="{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, rotation=3}",
    )  # fmt: skip


def _prisma(path: Path) -> None:
    write_prisma(path, CUBE.transpose(0, 2, 1) * 6, CUBE.transpose(0, 2, 1)[:, :3] * 5)


def _header_of_tiff(path: Path) -> None:
    said = {"wavelength": "{400, 450, 500, 550, 600, 650}", "bbl": "{1, 1, 0, 1, 1, 1}"}
    path.with_name(f"{path.name}.hdr").write_text(header(CUBE, file_type="TIFF", **said))


SCENE = "20220810T034103_2222203_001.nc"
ENMAP = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
SIGNED = CUBE.astype("i2")


def _emit_with_mask(path: Path) -> None:
    write_emit(path, CUBE.astype("f4"))
    write_emit_mask(path.with_name(f"EMIT_L2A_MASK_001_{SCENE}"), (5, 4), {"Cloud flag": [(0, 0)]})


def _enmap(path: Path) -> None:
    layers = {"QL_QUALITY_CLOUD": np.eye(5, 4), "QL_QUALITY_CLASSES": np.eye(5, 4)}
    write_dlr(path.parent, SIGNED, layers=layers)


def _pace(path: Path) -> None:
    write_pace(path, SIGNED, flags=np.eye(5, 4, dtype="i4"))


# File to write and to read, its writer, and the file to damage or the end of its name.
FORMATS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "mat_v5": ("a.mat", lambda p: scipy.io.savemat(p, VARIABLES), ""),
    "mat_v7": ("a.mat", lambda p: scipy.io.savemat(p, VARIABLES, do_compression=True), ""),
    "mat_v73": ("a.mat", lambda p: write_mat73(p, VARIABLES), ""),
    "mat_v73_packed": ("a.mat", _packed_mat, ""),
    "netcdf": ("a.nc", _packed, ""),
    "geotiff_pages": ("a.tif", _pages, ""),
    "geotiff_header": (
        "a.tif",
        lambda p: (write_geotiff(p, CUBE), _header_of_tiff(p)),
        ".hdr",
    ),
    "npy": ("a.npy", lambda p: np.save(p, CUBE), ""),
    "npz": ("a.npz", lambda p: np.savez_compressed(p, **VARIABLES), ""),
    "envi_header": ("a.img", _envi, ".hdr"),
    "envi_values": ("a.img", _envi, ""),
    "geotiff": ("a.tif", lambda p: write_geotiff(p, CUBE, nodata=7, compress="deflate"), ""),
    "geotiff_plain": ("a.tif", lambda p: write_geotiff(p, CUBE, interleave="pixel"), ""),
    "hdf5": ("a.h5", _hdf, ""),
    "emit": ("a.nc", lambda p: write_emit(p, CUBE.astype("f4")), ""),
    "prisma": ("a.he5", _prisma, ""),
    "emit_mask": (
        f"EMIT_L2A_RFL_001_{SCENE}", _emit_with_mask, f"EMIT_L2A_MASK_001_{SCENE}",
    ),
    "geotiff_enmap": (f"{ENMAP}-METADATA.XML", _enmap, ""),
    "neon": ("a.h5", lambda p: write_neon(p, SIGNED), ""),
    "pace": ("a.nc", _pace, ""),
    "tanager": ("a.h5", lambda p: write_tanager(p, CUBE, nodata_pixels=np.eye(5, 4)), ""),
}  # fmt: skip
NEEDED = {"envi": "spectral", "geotiff": "rasterio"}
CASES = 200
# A reader allows 256 without a look at the size of the file; these cases take less than 40.
MEBIBYTES = 300
SECONDS = 5.0


def damaged(content: bytes, seed: int) -> bytes:
    """The content cut off, or with some of its bits or bytes changed."""
    rng = np.random.default_rng(seed)
    size = len(content)
    if rng.random() < 0.2:
        return content[: rng.integers(size)]
    # Half of the damage where most formats keep their sizes.
    reach = size if rng.random() < 0.5 else min(size, 512)
    out = np.frombuffer(content, np.uint8).copy()
    for place in rng.integers(reach, size=rng.integers(1, 5)):
        kind = rng.integers(3)
        if kind == 0:
            out[place] ^= 1 << rng.integers(8)
        elif kind == 1:
            out[place] = rng.integers(256)
        else:
            out[place : place + 8] = rng.choice([0x00, 0x7F, 0xFF])
    return out.tobytes()


@pytest.fixture(scope="module", params=FORMATS)
def sound(request, tmp_path_factory):
    """Name and content of the files of a format, the name to read, the one to damage."""
    package = NEEDED.get(request.param.split("_")[0])
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package}, of the extra geo, is not installed")
    name, write, ending = FORMATS[request.param]
    folder = tmp_path_factory.mktemp("sound")
    write(folder / name)
    assert load_scene(folder / name).shape[:2] == (5, 4)
    files = {f.name: f.read_bytes() for f in folder.iterdir()}
    return files, name, ending if ending in files else name + ending


@settings(
    max_examples=cases(CASES), derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1))
def test_a_scene_or_an_input_error(sound, seed):
    files, name, target = sound
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # What a library warns of is no outcome; a warning made of it an error would be one.
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        for other, content in files.items():
            held = damaged(content, seed) if other == target else content
            Path(folder, other).write_bytes(held)
        with bounded(MEBIBYTES, SECONDS):
            try:
                outcome = load_scene(Path(folder, name))
            except InputError as refusal:
                outcome = str(refusal)
    assert isinstance(outcome, Scene) or ("\n" not in outcome and outcome.endswith("."))


def test_there_are_enough_cases():
    assert CASES * len(FORMATS) >= 2000
