"""Kind of a file by its first bytes, whatever it is called, and what to do with it."""

from __future__ import annotations

import struct
from typing import NamedTuple

_OWN_NAME = "rename it to end in {}"
_UNPACK = "unpack it and pass the file inside"
_PICTURE = "pass the cube and not a picture of it"
_AS_TIFF = "save it as GeoTIFF, with gdal_translate -of GTiff"


MATLAB_4 = "a MATLAB file of version 4"
# Precision in tens, and full, text or sparse in ones.
_TYPES_OF_4 = frozenset(10 * precision + kind for precision in range(6) for kind in range(3))


class Content(NamedTuple):
    """A kind of file that is not what its name says."""

    name: str
    """Name of the kind, with its article."""
    remedy: str


# First bytes -> name and remedy. The longer ones of a family come first.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _OWN_NAME.format(".h5 or .nc")),
    (b"\x0e\x03\x13\x01", "an HDF4 file",
     "convert it to HDF5 with h4toh5convert, or to GeoTIFF with gdal_translate"),
    (b"CDF\x01", "a netCDF-3 file", "convert it with nccopy -k nc4 OLD NEW.nc"),
    (b"CDF\x02", "a netCDF-3 file", "convert it with nccopy -k nc4 OLD NEW.nc"),
    (b"CDF\x05", "a netCDF-3 file", "convert it with nccopy -k nc4 OLD NEW.nc"),
    (b"II*\0", "a TIFF file", _OWN_NAME.format(".tif")),
    (b"MM\0*", "a TIFF file", _OWN_NAME.format(".tif")),
    (b"II+\0", "a TIFF file", _OWN_NAME.format(".tif")),
    (b"MM\0+", "a TIFF file", _OWN_NAME.format(".tif")),
    (b"\x93NUMPY", "a NumPy .npy file", _OWN_NAME.format(".npy")),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", _OWN_NAME.format(".mat")),
    (b"ENVI", "a text header of ENVI", "rename it to end in .hdr, or pass its file of values"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", _PICTURE),
    (b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    (b"GIF8", "a GIF picture", _PICTURE),
    (b"BM", "a BMP picture", _PICTURE),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 file", _AS_TIFF),
    (b"NITF0", "a NITF file", _AS_TIFF),
    (b"EHFA_HEADER_TAG", "an ERDAS Imagine file", _AS_TIFF),
    (b"%PDF", "a PDF document", "pass the data it is about"),
    (b"\x1f\x8b\x08", "a gzip archive", _UNPACK),
    (b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", "make it again"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself",
     "run git lfs pull where it came from"),
    (b"/annex/objects", "a pointer of git-annex, not the file itself",
     "run git annex get where it came from"),
)  # fmt: skip
_WEB = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_TAR_AT = 257
# Among raw numbers, shorter ones come by chance.
_SHORTEST_AMONG_NUMBERS = 3


def content_of(start: bytes, *, among_numbers: bool = False) -> Content | None:
    """The kind of a file by its first bytes, at best a few hundred; None for an unknown one.

    Args:
        among_numbers: whether they may also be raw numbers, which look like anything.
    """
    for sign, name, remedy in _SIGNATURES:
        if among_numbers and len(sign) < _SHORTEST_AMONG_NUMBERS:
            continue
        if start.startswith(sign):
            return Content(name, remedy)
    if among_numbers:
        return None
    if start[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return Content("a tar archive", _UNPACK)
    if start.lstrip().lower().startswith(_WEB):
        return Content(
            "a web page or XML", "download the data itself, which may need you to log in first"
        )
    if _is_version_4(start):
        return Content(MATLAB_4, "save it in MATLAB with save -v7")
    return None


def _is_version_4(start: bytes) -> bool:
    """Return whether five whole numbers and a name come first, as in a matrix of version 4."""
    for order in "<>":
        if len(start) < 24:
            return False
        kind, rows, columns, imaginary, length = struct.unpack_from(f"{order}5I", start)
        machine, rest = divmod(kind, 1000)
        name = start[20 : 20 + min(length, 64)]
        if (
            machine == (order == ">") and rest in _TYPES_OF_4 and rows and columns
            and imaginary in (0, 1) and 1 < length < 64 and name.endswith(b"\0")
            and name[:-1].replace(b"_", b"").isalnum()
        ):  # fmt: skip
            return True
    return False
