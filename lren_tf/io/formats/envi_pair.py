"""The two files of an ENVI image: which belong together, and what the header declares of them."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.content import content_of
from lren_tf.io.base.failures import damaged
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import a_folder
from lren_tf.io.formats import geotiff
from lren_tf.io.formats.envi_header import CORRECT, WHAT, Header, as_number, read_header

SUFFIXES = (".hdr", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".envi")

# Code in the header -> NumPy's type; 6 and 9 are complex.
TYPES = {
    "1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "6": "c8", "9": "c16",
    "12": "u2", "13": "u4", "14": "i8", "15": "u8",
}  # fmt: skip
_INTERLEAVES = ("bsq", "bil", "bip")
# What a `file type` says of values that are raw numbers, and of those that are something else.
_RAW_TYPES = ("", "envi", "envi standard", "standard", "envi classification", "classification",
              "envi fft result", "envi raw", "raw", "envi image", "image")  # fmt: skip
_OTHER_TYPES = ("meta", "mosaic", "virtual", "librar", "hdf", "netcdf", "nitf", "jpeg", "jpg",
                "jp2", "png", "bmp", "gif", "grid", "compress", "annotation", "vector", "roi",
                "region", "erdas", "pci", "arc", "series", "zip")  # fmt: skip

def header_of(file: Path) -> Path | None:
    """The ENVI header that belongs to a file of values, or None."""
    beside = [file.with_name(file.name + suffix) for suffix in (".hdr", ".HDR")]
    if file.suffix:
        beside += [file.with_suffix(suffix) for suffix in (".hdr", ".HDR")]
    return next((header for header in beside if header.is_file()), None)


@dataclass(frozen=True)
class Pair:
    """A header and its file of values.

    Attributes:
        header: parsed.
        data: the file of values, open.
        tiff: whether the values are those of a TIFF, which is then read as one.
    """

    header: Header
    data: Source
    tiff: bool

    @property
    def data_file(self) -> Path:
        """The path of the file of values."""
        return self.data.path


def pair_of(source: Source) -> Pair:
    """The pair that a header or a file of values belongs to; the other one is opened too.

    Raises:
        InputError: the other one is missing, or the values are no raw numbers.
    """
    file = source.path
    if file.suffix.lower() == ".hdr":
        header = read_header(source)
        data = source.enter(Source(_data_of(header)))
    else:
        found = header_of(file)
        if found is None:
            other = content_of(source.start, among_numbers=True)
            if other is not None:
                raise InputError(
                    received=f"{file.name} is {other.name}",
                    expected="raw numbers, with an ENVI header beside them",
                    remedy=other.remedy,
                )
            raise InputError(
                received=f"{file.name} has no ENVI header beside it",
                expected=f"{file.name}.hdr or {file.stem}.hdr",
                remedy="put the header there",
            )
        header = read_header(source.enter(Source(found)))
        data = source
    return Pair(header, data, _is_tiff(header, data))


def _is_tiff(header: Header, data: Source) -> bool:
    """Return whether the values are a TIFF; refuse what is neither that nor raw numbers."""
    kind = " ".join(header.plain("file type").lower().split())
    found = None
    if data.stream is None:
        raise a_folder(data.path)
    if not _offset(header):
        found = content_of(data.start, among_numbers=True)
    if found is not None and found.name == "a TIFF file":
        return True
    if "library" in kind:
        raise InputError(
            received=f"{header.file.name} describes a spectral library",
            expected="an image",
            remedy="pass the header of one",
        )
    said = "tif" in kind or any(word in kind for word in _OTHER_TYPES)
    if found is not None or (said and kind not in _RAW_TYPES):
        what = f"is {found.name}" if found else "holds no raw numbers"
        raise InputError(
            received=f"{data.path.name} {what} (its header {header.file.name} says 'file type = "
            f"{header.said('file type')}')",
            expected="raw numbers",
            remedy=found.remedy if found else "pass a file in a format of its own by its own name",
        )
    return False


def _offset(header: Header) -> float:
    return header.number("header offset") or 0.0


def _data_of(header: Header) -> Path:
    """The file of values beside a header: its name without `.hdr`, or with another suffix.

    One with a usual suffix first, then one with any suffix that is exactly as long as declared.
    """
    bare = header.file.with_suffix("")
    wanted = ["", *SUFFIXES[1:], *geotiff.SUFFIXES, f".{header.plain('interleave').lower()}"]
    beside = {f"{bare.name}{suffix}".lower() for suffix in wanted}
    beside_it = same_stem(header)
    usual = [file for file in beside_it if file.name.lower() in beside]
    # A picture or another interleave of the same image may lie there too: the right one holds
    # exactly what the header says, if any does.
    declared = declared_bytes(header)
    fitting = [file for file in beside_it if file.stat().st_size == declared]
    found = [file for file in usual if file in fitting] or (fitting if not usual else []) or usual
    if "tif" in header.plain("file type").lower():
        found = [file for file in usual if file.suffix.lower() in geotiff.SUFFIXES] or found
    if not found:
        raise InputError(
            received=f"{header.file.name} has no file of values beside it",
            expected=f"{bare.name} or {bare.name}.img (.dat, .raw, .bsq, .bil, .bip)",
            remedy="put it there",
        )
    others = [file.name for file in fitting if file != found[0]]
    if others and found[0] in fitting and found[0].name != bare.name:
        warnings.warn(
            f"{header.file.name}: {found[0].name} is read, but {', '.join(others[:3])} would fit "
            "too; name the file of values that is meant.",
            stacklevel=4,
        )
    return found[0]


def same_stem(header: Header) -> list[Path]:
    """The files beside a header that are called as it is, but for what follows the name."""
    bare = header.file.with_suffix("").name
    return sorted(
        file
        for file in header.file.absolute().parent.iterdir()
        if file.name.startswith(bare)
        and file.suffix.lower() != ".hdr"
        and (file.name == bare or file.name[len(bare)] == ".")
        and file.is_file()
    )


def declared_bytes(header: Header) -> int:
    shape, dtype, offset = sizes_of(header)
    return offset + math.prod(shape) * dtype.itemsize


def sizes_of(header: Header) -> tuple[tuple[int, int, int], np.dtype, int]:
    """Shape (rows, columns, bands), dtype and offset of the values that the header declares."""
    file, sizes = header.file, {}
    for entry, smallest in (("lines", 1), ("samples", 1), ("bands", 1), ("header offset", 0)):
        if entry not in header and entry != "header offset":
            raise damaged(
                file, WHAT, f"it has no entry '{entry}'", "one", f"add {entry} = and the number"
            )
        number = as_number(header.plain(entry)) if entry in header else 0.0
        if number is None or not smallest <= number < 1 << 48 or number % 1:
            raise damaged(
                file, WHAT, f"'{entry}' is {header.said(entry)}",
                f"a whole number from {smallest}", "correct the header",
            )  # fmt: skip
        sizes[entry] = int(number)
    code = header.plain("data type")
    if not code and "data type" not in header:
        raise InputError(
            received=f"{file.name} has no entry 'data type'",
            expected="one",
            remedy="add data type = 1 (bytes), 2 (int16), 3 (int32), 4 (float32), 5 (float64), 12 "
            "(uint16) or 13 (uint32)",
        )
    if code not in TYPES:
        raise damaged(
            file, WHAT, f"'data type' is {header.said('data type')}",
            f"one of {', '.join(TYPES)}", "correct the header",
        )  # fmt: skip
    return (sizes["lines"], sizes["samples"], sizes["bands"]), np.dtype(TYPES[code]), sizes[
        "header offset"
    ]


def layout_of(pair: Pair) -> tuple[tuple[int, int, int], np.dtype]:
    """Shape and dtype; refuses what the file of values cannot hold.

    An interleave or a byte order that is missing becomes what ENVI and GDAL take it for.
    """
    header, data_file = pair.header, pair.data_file
    file = header.file
    shape, dtype, _ = sizes_of(header)
    interleave = header.plain("interleave").lower()
    if "interleave" in header and interleave not in _INTERLEAVES:
        raise InputError(
            received=f"{file.name}: {header.where('interleave')} is {header.said('interleave')}",
            expected="bsq, bil or bip",
            remedy="correct the header",
        )
    order = as_number(header.plain("byte order")) if "byte order" in header else 0.0
    if order not in (0, 1):
        raise InputError(
            received=f"{file.name}: {header.where('byte order')} is {header.said('byte order')}",
            expected="0 (least significant byte first) or 1",
            remedy="correct the header",
        )
    if (header.number("file compression") or 0) != 0:
        raise InputError(
            received=f"{data_file.name} is compressed",
            expected="plain values",
            remedy="save the image without compression",
        )
    for entry in ("major frame offsets", "minor frame offsets"):
        if any(as_number(part) != 0 for part in header.listed(entry)):
            raise InputError(
                received=f"{file.name}: {header.where(entry)} says that other bytes lie between "
                "the values; frame offsets are not supported",
                expected="values one after the other",
                remedy="save the image again, in ENVI by Save As",
            )
    expected, held = declared_bytes(header), pair.data.size
    if held < expected:
        rows, columns, bands = shape
        raise InputError(
            received=f"{data_file.name} holds {held} bytes",
            expected=f"{expected}, which {file.name} declares ({rows} rows × {columns} columns × "
            f"{bands} bands of {dtype.name})",
            remedy="copy or download both files again, or correct the header",
        )
    scale = header.number("reflectance scale factor")
    if scale is not None and scale <= 0:
        raise damaged(
            file, WHAT, f"'reflectance scale factor' is {scale}", "a number above 0", CORRECT
        )
    return shape, dtype


def note_layout(pair: Pair, shape: tuple[int, int, int], dtype: np.dtype) -> None:
    """Tell of what the header leaves out and was taken for granted."""
    header = pair.header
    kind = " ".join(header.plain("file type").lower().split())
    if "byte order" not in header and dtype.itemsize > 1:
        warnings.warn(
            f"{header.file.name} has no entry 'byte order': 0, least significant byte first, is "
            "taken.",
            stacklevel=3,
        )
    if "interleave" not in header and shape[2] > 1:
        warnings.warn(
            f"{header.file.name} has no entry 'interleave': bsq, band after band, is taken.",
            stacklevel=3,
        )
    if kind not in _RAW_TYPES:
        warnings.warn(
            f"{header.file.name}: {header.where('file type')} is '{header.said('file type')}', "
            "which is not known; the values are read as raw numbers.",
            stacklevel=3,
        )
