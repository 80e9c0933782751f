"""Every refusal of a file has a remedy of its own; only damaged files are to be copied again."""

import errno
import gzip
import os
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
from h5py import h5d, h5p, h5s, h5t

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.base.failures import failure
from tests.io.mat73 import write_mat73
from tests.io.products import cube, header, write_envi, write_geotiff

CUBE = cube(5, 4, 6)
AGAIN = "copy or download it again."


def refusal(path):
    with pytest.raises(InputError) as caught:
        load_scene(path)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and "; " in text, text
    return text


def tar(path):
    (path.parent / "inside").write_bytes(b"numbers" * 99)
    with tarfile.open(path, "w") as archive:
        archive.add(path.parent / "inside", "inside")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cube.bin", CUBE.tobytes())


def hdf(path):
    with h5py.File(path, "w") as made:
        made["data"] = CUBE


CONTENT = {
    "gzip": (lambda p: p.write_bytes(gzip.compress(CUBE.tobytes())), "unpack it and pass the file"),
    "tar": (tar, "unpack it and pass the file inside"),
    "zip": (zipped, "unpack it and pass the file inside"),
    "xz": (lambda p: p.write_bytes(b"\xfd7zXZ\0" + bytes(99)), "unpack it"),
    "web page": (lambda p: p.write_text("\n<!DOCTYPE html><html>Log in</html>"), "to log in first"),
    "git lfs": (
        lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "run git lfs pull",
    ),
    "png": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not a picture of it"),
    "hdf4": (lambda p: p.write_bytes(b"\x0e\x03\x13\x01" + bytes(999)), "h4toh5convert"),
    "netcdf 3": (lambda p: p.write_bytes(b"CDF\x02" + bytes(999)), "nccopy -k nc4"),
    "jpeg 2000": (lambda p: p.write_bytes(b"\0\0\0\x0cjP  \r\n" + bytes(99)), "gdal_translate"),
    "tiff": (lambda p: write_geotiff(p.with_name("x.tif"), CUBE).rename(p), "end in .tif"),
    "hdf5": (hdf, "end in .h5 or .nc"),
    "npy": (lambda p: np.save(p.open("wb"), CUBE), "end in .npy"),
    "mat": (lambda p: scipy.io.savemat(p.open("wb"), {"data": CUBE}), "end in .mat"),
    "mat 4": (
        lambda p: scipy.io.savemat(p.open("wb"), {"data": CUBE[:, :, 0] * 1.0}, format="4"),
        "save -v7",
    ),
}
# What a reader takes, whatever its name says.
TAKEN = {("hdf5", ".mat"), ("tiff", ".img")}


@pytest.mark.parametrize("suffix", [".mat", ".npy", ".npz", ".tif", ".h5", ".nc", ".img"])
@pytest.mark.parametrize("kind", CONTENT)
def test_a_file_of_another_kind_is_told_by_what_it_is(tmp_path, kind, suffix):
    own = {"mat": ".mat", "npy": ".npy", "hdf5": ".h5 .nc", "tiff": ".tif", "zip": ".npz"}
    if suffix in own.get(kind, "").split() or (kind, suffix) in TAKEN:
        pytest.skip("it is what its name says, or is read all the same")
    path = tmp_path / f"a{suffix}"
    write, remedy = CONTENT[kind]
    write(path)
    if suffix == ".img":
        if kind in ("tar", "web page", "mat 4"):
            pytest.skip("raw numbers may begin like this")
        (tmp_path / "a.hdr").write_text(header(CUBE))
    said = refusal(path)
    assert remedy in said and AGAIN not in said


def _filter(path):
    with h5py.File(path, "w") as made:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk(CUBE.shape)
        creation.set_filter(31999, h5py.h5z.FLAG_OPTIONAL, (1,))
        data = h5d.create(made.id, b"data", h5t.NATIVE_UINT16, h5s.create_simple(CUBE.shape),
                          creation)  # fmt: skip
        data.write_direct_chunk((0, 0, 0), CUBE.tobytes())


def _codec(path):
    write_geotiff(path, cube(60, 50, 5), compress="deflate")
    content = bytearray(path.read_bytes())
    at = content.index(b"\x03\x01\x03\x00")  # tag 259, compression, a short number
    content[at + 8 : at + 10] = (34712).to_bytes(2, "little")
    path.write_bytes(content)


def _elsewhere(path):
    (path.parent / "raw").write_bytes(bytes(480))
    with h5py.File(path, "w") as made:
        outside = [(str(path.parent / "raw"), 0, h5py.h5f.UNLIMITED)]
        made.create_dataset("data", (5, 4, 6), "f4", external=outside)


def _bzip2(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("data.npy", b"x" * 99)


def _fields(path):
    np.save(path, np.zeros((2, 2, 2), [("Ω", "f4")]))


CAUSES = {
    "filter": ("a.h5", _filter, "run pip install hdf5plugin, or save it with gzip"),
    "filter in MATLAB": ("a.mat", _filter, "run pip install hdf5plugin"),
    "codec": ("a.tif", _codec, "save it with deflate or LZW"),
    "elsewhere": ("a.mat", _elsewhere, "save a copy that holds them"),
    "bzip2": ("a.npz", _bzip2, "numpy.savez"),
    "fields": ("a.npy", _fields, "save each field as an array of its own"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_causes_that_are_no_damage(tmp_path, cause):
    name, write, remedy = CAUSES[cause]
    write(tmp_path / name)
    said = refusal(tmp_path / name)
    assert remedy in said and AGAIN not in said


def test_a_file_that_is_being_written(tmp_path):
    import subprocess
    import sys

    with h5py.File(tmp_path / "a.h5", "w") as made:
        made["data"] = CUBE
        made.flush()
        program = (
            "import sys\nfrom lren_tf.io import load_scene\n"
            "try: load_scene(sys.argv[1])\nexcept ValueError as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "a.h5")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert "close the program that has it open" in done.stdout and AGAIN not in done.stdout


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EIO, "check the disk or the network"), (errno.EACCES, "check its permissions"),
     (errno.ENOENT, "leave it where it is"), (errno.EMFILE, "close other files")],
)  # fmt: skip
def test_the_operating_system(tmp_path, number, remedy):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    said = str(failure(tmp_path / "a.h5", "HDF5 file", OSError(number, os.strerror(number))))
    assert remedy in said and AGAIN not in said


def test_too_little_memory(tmp_path):
    said = str(failure(tmp_path / "a.tif", "GeoTIFF", MemoryError("Unable to allocate 7 TiB")))
    assert "too little memory" in said and said.endswith("cut a part of it out, or free memory.")


HEADERS = {
    "bands = 6\n": ("bands = x\n", "correct the header."),
    "lines = 5\n": ("\n", "add lines = and the number."),
    "data type = 12\n": ("data type = 77\n", "correct the header."),
    "interleave = bsq\n": ("interleave = tile\n", "correct the header."),
    "byte order = 0\n": ("byte order = 2\n", "correct the header."),
    "description = {made by a test}\n": ("bbl = {1, 0\n", "close it, or take the entry out."),
    "ENVI\n": ("", "or make ENVI its first line."),
}


@pytest.mark.parametrize("line", HEADERS)
def test_headers_are_corrected(tmp_path, line):
    write_envi(tmp_path / "a.img", CUBE)
    instead, remedy = HEADERS[line]
    assert line in header(CUBE)
    (tmp_path / "a.img.hdr").write_text(header(CUBE).replace(line, instead))
    assert refusal(tmp_path / "a.img").endswith(remedy)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("reflectance_scale_factor", "-1"), ("wavelength", "{1,2,3,4,5,x}"), ("bbl", "{1,1,1,1,1,x}"),
     ("bbl", "{1,1}"), ("data_ignore_value", "none of it"), ("data_gain_values", "{1,2}")],
)  # fmt: skip
def test_entries_are_corrected_or_taken_out(tmp_path, entry, value):
    write_envi(tmp_path / "a.img", CUBE, **{entry: value})
    assert refusal(tmp_path / "a.img").endswith("correct the header or take the entry out.")


def test_the_header_of_another_program(tmp_path):
    (tmp_path / "a.bil").write_bytes(CUBE.tobytes())
    text = "BYTEORDER I\nLAYOUT BIL\nNROWS 5\nNCOLS 4\nNBANDS 6\nNBITS 16\n"
    (tmp_path / "a.hdr").write_text(text)
    assert refusal(tmp_path / "a.bil").endswith("with gdal_translate -of ENVI.")


@pytest.mark.parametrize("name", ["a.mat", "v73.mat", "a.npy", "a.npz", "a.tif", "a.h5"])
def test_what_is_cut_off_is_damaged(tmp_path, name):
    path = tmp_path / name
    {
        "a.mat": lambda: scipy.io.savemat(path, {"data": CUBE}),
        "v73.mat": lambda: write_mat73(path, {"data": CUBE}),
        "a.npy": lambda: np.save(path, CUBE),
        "a.npz": lambda: np.savez(path, data=CUBE),
        "a.tif": lambda: write_geotiff(path, CUBE),
        "a.h5": lambda: hdf(path),
    }[name]()
    path.write_bytes(path.read_bytes()[: -min(200, path.stat().st_size // 2)])
    assert refusal(path).endswith(AGAIN)
