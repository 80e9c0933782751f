"""ENVI images: a text header (`.hdr`) beside a file of raw values, read through SPy.

Either of the two files can be named. The values are mapped into memory, not read: a
band-interleaved-by-pixel image in the machine's byte order is never copied; other layouts are
copied once, when a `Scene` puts the bands of a pixel side by side. A `reflectance scale
factor` is divided by, or gains and offsets of bands are applied, which makes a float32 copy
(float64 for doubles). A header that describes a TIFF lends it what it says of bands. Maps are
written with one band; `lren_tf.io.formats.envi_georeference` has the georeference of both.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.data.valid_pixels import NoData
from lren_tf.errors import InputError
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.optional import needs
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.variable import Variable, damaged, existing_file, reading
from lren_tf.io.formats import geotiff
from lren_tf.io.formats.envi_georeference import entries_of, georeference_of, with_entries
from lren_tf.io.formats.envi_header import (
    Header,
    as_number,
    note_what_is_lost,
    read_header,
    unused_entries,
)

SUFFIXES = (".hdr", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".envi")

_WHAT = "ENVI image"
# Code in the header -> NumPy's type; 6 and 9 are complex.
_TYPES = {
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
# First bytes of files that are no raw numbers -> what they are.
_SIGNATURES = {
    b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF",
    b"\x89HDF\r\n\x1a\n": "HDF5", b"\x0e\x03\x13\x01": "HDF4", b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG", b"NITF0": "NITF", b"PK\x03\x04": "ZIP", b"\x1f\x8b\x08": "gzip",
    b"\x93NUMPY": "NumPy", b"CDF\x01": "netCDF", b"CDF\x02": "netCDF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
}  # fmt: skip


def header_of(file: Path) -> Path | None:
    """The ENVI header that belongs to a file of values, or None."""
    beside = [file.with_name(file.name + suffix) for suffix in (".hdr", ".HDR")]
    if file.suffix:
        beside += [file.with_suffix(suffix) for suffix in (".hdr", ".HDR")]
    return next((header for header in beside if header.is_file()), None)


def envi_variables(path: Path) -> list[Variable]:
    """The one image of a pair of files, from its header.

    Returns:
        A list of one `Variable` with an empty name and the shape (rows, columns, bands), or
        (rows, columns) of an image with one band.

    Raises:
        InputError: header or values are missing, or the header is damaged, of a kind that is
            not read, or declares more than the file of values holds.
    """
    with _silent_notes():
        pair = _pair(path)
        if pair.tiff:
            return geotiff.geotiff_variables(pair.data_file)
        shape, dtype = _layout(pair)
    kind = f"complex {dtype.name}" if dtype.kind == "c" else dtype.name
    grid = shape[:2] if shape[2] == 1 else shape
    return [Variable("", grid, kind, readable=dtype.kind != "c")]


def read_envi(path: Path, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
    """The values of an image, (rows, columns, bands), or (rows, columns) of one band.

    Returns:
        A read-only memory map in the dtype of the file, or a float array if the header has a
        `reflectance scale factor` other than 1, or gains and offsets.

    Raises:
        InputError: as `envi_variables`.
    """
    with _silent_notes():
        pair = _pair(path)
        if pair.tiff:
            return read_tiff(pair.data_file, "", how)
        shape, _ = _layout(pair)
        scaling = Scaling() if how.raw else _scaling(pair.header, shape[2])
        no_data = _no_data(pair.header, shape[2]) if how.fill else ()
    with reading(pair.data_file, _WHAT):
        values = _opened(pair.header, pair.data_file).open_memmap(
            interleave="bip", writable=False
        )
        if values is None or values.shape != shape:
            raise damaged(pair.data_file, _WHAT, "its values cannot be mapped into memory")
        if scaling:
            values = scaling.applied(values, no_data)
    return values[:, :, 0] if shape[2] == 1 else values


def envi_details(path: Path, name: str = "", how: Reading = AS_MEANT) -> Details:
    """Bad bands, no-data value, wavelengths and georeference, from the header.

    What of the header is not used is told by a `UserWarning`.

    Raises:
        InputError: as `envi_variables`; also when an entry has not the length of the bands, or
            is no number.
    """
    pair = _pair(path)
    header = pair.header
    if pair.tiff:
        return tiff_details(pair.data_file, "", how)
    shape, dtype = _layout(pair)
    note_what_is_lost(header)
    _note_layout(pair, shape, dtype)
    more = pair.data_file.stat().st_size - _declared_bytes(header)
    if more:
        warnings.warn(
            f"{pair.data_file.name} holds {more} bytes more than {header.file.name} declares; they "
            "are not read.",
            stacklevel=2,
        )
    scaling = _scaling(header, shape[2])
    said = details_of_header(header, shape[2])
    text = [text for text in (scaling.text(how.raw),) if text]
    unused = unused_entries(header)
    if unused:
        text.append(f"entries of the header that are not used: {', '.join(unused)}")
    return replace(
        said,
        no_data=() if scaling and not how.raw else said.no_data,
        georeference=checked_place(
            header.file.name, georeference_of(header.file, header), shape[0], shape[1]
        ),
        reading=tuple(text),
    )


def details_of_header(header: Header, bands: int) -> Details:
    """What a header says of bands and of no data; also of another file that it lies beside.

    Raises:
        InputError: an entry has not the length of the bands, or is no number.
    """
    bad = header.numbers("bbl", bands)
    return Details(
        no_data=_no_data(header, bands),
        good_bands=None if bad is None else bad != 0,
        wavelengths=_wavelengths(header, bands),
    )


def read_tiff(path: Path, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
    """As `geotiff.read_geotiff`, with what an ENVI header beside the file says of no data."""
    with _silent_notes():
        header = _header_beside_tiff(path)
    if header is None or not how.fill:
        return geotiff.read_geotiff(path, name, how)
    return geotiff.read_geotiff(path, name, how, _no_data(header, _sizes(header)[0][2]))


def tiff_details(path: Path, name: str = "", how: Reading = AS_MEANT) -> Details:
    """As `geotiff.geotiff_details`, with what an ENVI header beside the file says of bands.

    What the file says itself stands above it.
    """
    found = geotiff.geotiff_details(path, name, how)
    header = _header_beside_tiff(path)
    if header is None:
        return found
    said = details_of_header(header, _sizes(header)[0][2])
    scaled = bool(found.reading) and not how.raw
    text = f"bands and no data also by {header.file.name}"
    return replace(
        found,
        no_data=found.no_data if scaled else found.no_data or said.no_data,
        good_bands=said.good_bands if found.good_bands is None else found.good_bands,
        wavelengths=said.wavelengths if found.wavelengths is None else found.wavelengths,
        reading=(*found.reading, text),
    )


def _header_beside_tiff(path: Path) -> Header | None:
    """The ENVI header that describes a TIFF, or None; one that cannot be read is told."""
    file = existing_file(path)
    beside = header_of(file)
    if beside is None:
        return None
    try:
        header = read_header(existing_file(beside))
        shape, _, _ = _sizes(header)
        variable = geotiff.geotiff_variables(file)[0]
        own = variable.shape if len(variable.shape) == 3 else (*variable.shape, 1)
        named = beside.name.lower() == f"{file.name}.hdr".lower()
        raw = [one for one in _same_stem(header) if one.stat().st_size == _declared_bytes(header)]
        of_tiff = "tif" in header.plain("file type").lower() or named or not raw
        return header if shape == own and of_tiff else None
    except InputError as error:
        warnings.warn(
            f"{file.name}: the header {beside.name} beside it is not used: {error}", stacklevel=3
        )
        return None


def georeference_for_envi(georeference: Georeference | None) -> Georeference | None:
    """A georeference as `write_envi` needs it, by `envi_georeference.with_entries`.

    Raises:
        InputError: a package is not installed; also without a georeference.
    """
    _envi()
    return None if georeference is None else with_entries(georeference)


def write_envi(data_file: Path, header_file: Path, layer: Layer) -> None:
    """Write a map as an ENVI image with one band.

    The header has the entries of the layer's georeference and its no-data value. Nothing else of a
    scene's header is in it: wavelengths and bad bands are not those of a map.

    Args:
        data_file, header_file: where to; opened for writing as they are, so pass temporary paths.
        layer: the map, its georeference from `georeference_for_envi`.

    Raises:
        InputError: SPy is not installed.
    """
    envi, values = _envi(), layer.values
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    entries: dict[str, object] = {
        "description": f"{layer.name}, written by lren_tf",
        "samples": values.shape[1],
        "lines": values.shape[0],
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": next(code for code, kind in _TYPES.items() if values.dtype == kind),
        "interleave": "bsq",
        "byte order": 0,
        "band names": [layer.name],
    }
    if layer.no_data is not None:
        entries["data ignore value"] = f"{layer.no_data:.17g}"
    envi.write_envi_header(header_file, entries | entries_of(layer.georeference))
    # Not `tofile`, whose error does not say that the disk is full.
    with data_file.open("wb") as stream:
        stream.write(little.data)


@dataclass(frozen=True)
class _Pair:
    """A header and its file of values.

    Attributes:
        tiff: whether the values are those of a TIFF, which is then read as one.
    """

    header: Header
    data_file: Path
    tiff: bool


@contextmanager
def _silent_notes() -> Iterator[None]:
    """For what is read again: its notes have been told, or will be, by `envi_details`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _pair(path: Path) -> _Pair:
    file = existing_file(path)
    if file.suffix.lower() == ".hdr":
        header_file, data_file = file, None
    else:
        found = header_of(file)
        if found is None:
            raise InputError(
                f"{file.name} has no ENVI header beside it; expected {file.name}.hdr or "
                f"{file.stem}.hdr, put the header there."
            )
        header_file, data_file = existing_file(found), file
    header = read_header(header_file)
    if data_file is None:
        data_file = _data_of(header)
    data_file = existing_file(data_file)
    return _Pair(header, data_file, _is_tiff(header, data_file))


def _is_tiff(header: Header, data_file: Path) -> bool:
    """Whether the values are those of a TIFF; refuses what is neither that nor raw numbers."""
    kind = " ".join(header.plain("file type").lower().split())
    found = None
    if not _offset(header):
        with data_file.open("rb") as stream:
            start = stream.read(16)
        found = next((name for sign, name in _SIGNATURES.items() if start.startswith(sign)), None)
    if found == "TIFF":
        return True
    if "library" in kind:
        raise InputError(
            f"{header.file.name} describes a spectral library; expected an image, pass the header "
            "of one."
        )
    said = "tif" in kind or any(word in kind for word in _OTHER_TYPES)
    if found is not None or (said and kind not in _RAW_TYPES):
        what = f"is a {found} file" if found else "holds no raw numbers"
        raise InputError(
            f"{data_file.name} {what} (its header {header.file.name} says 'file type = "
            f"{header.plain('file type')}'); expected raw numbers, pass a file in a format of its "
            "own by its own name."
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
    same_stem = _same_stem(header)
    usual = [file for file in same_stem if file.name.lower() in beside]
    # A picture or another interleave of the same image may lie there too: the right one holds
    # exactly what the header says, if any does.
    declared = _declared_bytes(header)
    fitting = [file for file in same_stem if file.stat().st_size == declared]
    found = [file for file in usual if file in fitting] or (fitting if not usual else []) or usual
    if "tif" in header.plain("file type").lower():
        found = [file for file in usual if file.suffix.lower() in geotiff.SUFFIXES] or found
    if not found:
        raise InputError(
            f"{header.file.name} has no file of values beside it; expected {bare.name} or "
            f"{bare.name}.img (.dat, .raw, .bsq, .bil, .bip), put it there."
        )
    others = [file.name for file in fitting if file != found[0]]
    if others and found[0] in fitting and found[0].name != bare.name:
        warnings.warn(
            f"{header.file.name}: {found[0].name} is read, but {', '.join(others[:3])} would fit "
            "too; name the file of values that is meant.",
            stacklevel=4,
        )
    return found[0]


def _same_stem(header: Header) -> list[Path]:
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


def _declared_bytes(header: Header) -> int:
    shape, dtype, offset = _sizes(header)
    return offset + math.prod(shape) * dtype.itemsize


def _sizes(header: Header) -> tuple[tuple[int, int, int], np.dtype, int]:
    """Shape (rows, columns, bands), dtype and offset of the values that the header declares."""
    file, sizes = header.file, {}
    for entry, smallest in (("lines", 1), ("samples", 1), ("bands", 1), ("header offset", 0)):
        if entry not in header and entry != "header offset":
            raise damaged(file, "ENVI header", f"it has no entry '{entry}'")
        number = as_number(header.plain(entry)) if entry in header else 0.0
        if number is None or not smallest <= number < 1 << 48 or number % 1:
            raise damaged(file, "ENVI header", f"'{entry}' is {header.plain(entry)}")
        sizes[entry] = int(number)
    code = header.plain("data type")
    if not code and "data type" not in header:
        raise InputError(
            f"{file.name} has no entry 'data type'; expected one, add data type = 1 (bytes), 2 "
            "(int16), 3 (int32), 4 (float32), 5 (float64), 12 (uint16) or 13 (uint32)."
        )
    if code not in _TYPES:
        raise damaged(file, "ENVI header", f"'data type' is {code}")
    return (sizes["lines"], sizes["samples"], sizes["bands"]), np.dtype(_TYPES[code]), sizes[
        "header offset"
    ]


def _layout(pair: _Pair) -> tuple[tuple[int, int, int], np.dtype]:
    """Shape and dtype; refuses what the file of values cannot hold.

    An interleave or a byte order that is missing becomes what ENVI and GDAL take it for.
    """
    header, data_file = pair.header, pair.data_file
    file = header.file
    shape, dtype, _ = _sizes(header)
    interleave = header.plain("interleave").lower()
    if "interleave" in header and interleave not in _INTERLEAVES:
        raise InputError(
            f"{file.name}: {header.where('interleave')} is {interleave}; expected bsq, bil or bip, "
            "correct the header."
        )
    order = as_number(header.plain("byte order")) if "byte order" in header else 0.0
    if order not in (0, 1):
        raise InputError(
            f"{file.name}: {header.where('byte order')} is {header.plain('byte order')}; expected "
            "0 (least significant byte first) or 1, correct the header."
        )
    if (header.number("file compression") or 0) != 0:
        raise InputError(
            f"{data_file.name} is compressed; expected plain values, save the image without "
            "compression."
        )
    expected, held = _declared_bytes(header), data_file.stat().st_size
    if held < expected:
        rows, columns, bands = shape
        raise InputError(
            f"{data_file.name} holds {held} bytes; expected {expected}, which {file.name} declares "
            f"({rows} rows × {columns} columns × {bands} bands of {dtype.name}), copy or download "
            "both files again."
        )
    scale = header.number("reflectance scale factor")
    if scale is not None and scale <= 0:
        raise damaged(file, "ENVI header", f"'reflectance scale factor' is {scale}")
    return shape, dtype


def _note_layout(pair: _Pair, shape: tuple[int, int, int], dtype: np.dtype) -> None:
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
            f"{header.file.name}: {header.where('file type')} is '{header.plain('file type')}', "
            "which is not known; the values are read as raw numbers.",
            stacklevel=3,
        )


def _scaling(header: Header, bands: int) -> Scaling:
    """Gains and offsets by band, or else the reflectance scale factor."""
    gains = header.numbers("data gain values", bands)
    offsets = header.numbers("data offset values", bands)
    factor = header.number("reflectance scale factor")
    if gains is not None or offsets is not None:
        found = Scaling(
            1.0 if gains is None else gains, 0.0 if offsets is None else offsets
        )
        if found:
            if factor not in (None, 1):
                warnings.warn(
                    f"{header.file.name} has gains or offsets and a 'reflectance scale factor': "
                    "the factor is not applied.",
                    stacklevel=3,
                )
            return found
    return Scaling(divisor=1.0 if factor is None else factor)


def _no_data(header: Header, bands: int) -> tuple[NoData, ...]:
    """The stored value that marks missing data, in all bands or one in each.

    Raises:
        InputError: the entry is neither.
    """
    entry = "data ignore value"
    values = header.listed(entry)
    if len(values) == bands > 1:
        numbers = [as_number(value) for value in values]
        if None not in numbers:
            return (np.array(numbers, np.float64),)
    number = as_number(header.plain(entry))
    if number is not None:
        return (number,) if math.isfinite(number) else ()
    found = header.number(entry)
    return () if found is None else (found,)


def _wavelengths(header: Header, bands: int) -> np.ndarray | None:
    """Wavelengths in nanometres, from the list or else from the names of all bands."""
    values = header.listed("wavelength")
    file = header.file
    if not values:
        named = [wavelength_in(name) for name in header.listed("band names")]
        units = {found[1] for found in named if found is not None}
        if len(named) != bands or None in named or len(units) != 1:
            return None
        return in_nanometres([found[0] for found in named if found], units.pop())
    unit = header.plain("wavelength units")
    problem = None
    if len(values) != bands:
        problem = f"has {len(values)} entries for {bands} bands"
    else:
        numbers = [as_number(value) for value in values]
        if None in numbers:
            # `450 nm`, the unit beside each number.
            named = [wavelength_in(value) for value in values]
            units = {found[1] for found in named if found is not None}
            if None not in named and len(units) == 1:
                numbers, unit = [found[0] for found in named if found], units.pop()
        if not all(number is not None and math.isfinite(number) for number in numbers):
            raise damaged(file, "ENVI header", "'wavelength' holds something that is no number")
        if min(numbers) > 0:  # type: ignore[type-var]
            return in_nanometres(numbers, unit)  # type: ignore[arg-type]
        band = next(i for i, n in enumerate(numbers) if n <= 0)  # type: ignore[operator]
        problem = f"is {numbers[band]:g} for band {band} (counted from 0)"
    warnings.warn(
        f"{file.name}: {header.where('wavelength')} {problem}: the scene has no wavelengths.",
        stacklevel=4,
    )
    return None


def _opened(header: Header, data_file: Path) -> Any:
    """SPy's image of the pair."""
    envi = _envi()
    from spectral.io.bilfile import BilFile
    from spectral.io.bipfile import BipFile
    from spectral.io.bsqfile import BsqFile

    shape, _, offset = _sizes(header)
    interleave = header.plain("interleave").lower() or "bsq"
    # As SPy wants them: texts of plain numbers.
    entries = dict(header) | {
        "lines": str(shape[0]), "samples": str(shape[1]), "bands": str(shape[2]),
        "header offset": str(offset), "data type": header.plain("data type"),
        "interleave": interleave,
        "byte order": str(int(as_number(header.plain("byte order")) or 0)),
    }  # fmt: skip
    envi.check_compatibility(entries)
    params = envi.gen_params(entries)
    params.filename = str(data_file.absolute())
    kinds = {"bil": BilFile, "bip": BipFile, "bsq": BsqFile}
    return kinds[interleave](params, entries)


def _envi() -> ModuleType:
    with needs("spectral", "reading or writing an ENVI image"):
        from spectral.io import envi
    return envi
