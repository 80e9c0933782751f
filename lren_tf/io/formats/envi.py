"""ENVI images: a text header (`.hdr`) beside a file of raw values, read through SPy.

Either of the two files can be named. The values are mapped into memory, not read: a
band-interleaved-by-pixel image in the machine's byte order is never copied; other layouts are
copied once, when a `Scene` puts the bands of a pixel side by side. A `reflectance scale
factor` is divided by, which makes a float32 copy (float64 for doubles). Maps are written with
one band; `lren_tf.io.formats.envi_georeference` has the georeference of both.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details, in_nanometres
from lren_tf.io.base.optional import needs
from lren_tf.io.base.variable import Variable, damaged, existing_file, reading
from lren_tf.io.formats.envi_georeference import Header, entries_of, georeference_of, with_entries

SUFFIXES = (".hdr", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".envi")

_WHAT = "ENVI image"
# Code in the header -> NumPy's type; 6 and 9 are complex.
_TYPES = {
    "1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "6": "c8", "9": "c16",
    "12": "u2", "13": "u4", "14": "i8", "15": "u8",
}  # fmt: skip
_LARGEST_HEADER_BYTES = 32 << 20
# SPy takes a time that grows with their square: about a second for these.
_MOST_HEADER_LINES = 100_000


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
    header_file, data_file, header = _pair(path)
    shape, dtype, _ = _layout(header_file, data_file, header)
    kind = f"complex {dtype.name}" if dtype.kind == "c" else dtype.name
    grid = shape[:2] if shape[2] == 1 else shape
    return [Variable("", grid, kind, readable=dtype.kind != "c")]


def read_envi(path: Path, name: str = "") -> np.ndarray:
    """The values of an image, (rows, columns, bands), or (rows, columns) of one band.

    Returns:
        A read-only memory map in the dtype of the file, or a float array if the header has a
        `reflectance scale factor` other than 1.

    Raises:
        InputError: as `envi_variables`.
    """
    header_file, data_file, header = _pair(path)
    shape, _, scale = _layout(header_file, data_file, header)
    with reading(data_file, _WHAT):
        values = _opened(header, data_file).open_memmap(interleave="bip", writable=False)
        if values is None or values.shape != shape:
            raise damaged(data_file, _WHAT, "its values cannot be mapped into memory")
    if scale != 1:
        wide = values.dtype.kind == "f" and values.dtype.itemsize > 4
        values = values / (np.float64(scale) if wide else np.float32(scale))
    return values[:, :, 0] if shape[2] == 1 else values


def envi_details(path: Path, name: str = "") -> Details:
    """Bad bands, no-data value, wavelengths and georeference, from the header.

    Raises:
        InputError: as `envi_variables`; also when an entry has not the length of the bands, or
            is no number.
    """
    header_file, data_file, header = _pair(path)
    shape, _, scale = _layout(header_file, data_file, header)
    more = data_file.stat().st_size - _declared_bytes(header_file, header)
    if more:
        warnings.warn(
            f"{data_file.name} holds {more} bytes more than {header_file.name} declares; they are "
            "not read.",
            stacklevel=2,
        )
    ignored = _number(header_file, header, "data ignore value")
    if ignored is not None and scale != 1:
        ignored = float(np.float64(ignored) / scale)
    bad = _list(header_file, header, "bbl", shape[2])
    listed = _list(header_file, header, "wavelength", shape[2])
    unit = header.get("wavelength units")
    return Details(
        no_data=() if ignored is None else (ignored,),
        good_bands=None if bad is None else np.array(bad) != 0,
        wavelengths=None if listed is None else in_nanometres(listed, str(unit or "")),
        georeference=georeference_of(header_file, header),
    )


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


def _pair(path: Path) -> tuple[Path, Path, Header]:
    """Header file, file of values, and the entries of the header."""
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
    header = _header(header_file)
    if data_file is None:
        data_file = _data_of(header_file, header)
    return header_file, existing_file(data_file), header


def _header(file: Path) -> Header:
    if file.stat().st_size > _LARGEST_HEADER_BYTES:
        raise damaged(file, "ENVI header", f"{file.stat().st_size} bytes are no text header")
    with reading(file, "ENVI header"):
        text = file.read_bytes()
        if not text.startswith(b"ENVI"):
            raise damaged(file, "ENVI header", "it does not begin with ENVI")
        lines = len(text.splitlines())
        if lines > _MOST_HEADER_LINES:
            raise damaged(file, "ENVI header", f"it has {lines} lines")
        try:
            text.decode()
        except UnicodeDecodeError:
            # SPy reads UTF-8 only; older programs wrote their units and names in Latin-1.
            with tempfile.NamedTemporaryFile(suffix=".hdr") as copy:
                copy.write(text.decode("latin-1").encode())
                copy.flush()
                return _envi().read_envi_header(copy.name)
        return _envi().read_envi_header(str(file.absolute()))


def _data_of(header_file: Path, header: Mapping[str, object]) -> Path:
    """The file of values beside a header: its name without `.hdr`, or with a usual suffix."""
    bare = header_file.with_suffix("")
    wanted = ["", *SUFFIXES[1:], f".{str(header.get('interleave', 'bsq')).lower()}"]
    beside = {f"{bare.name}{suffix}".lower() for suffix in wanted}
    found = sorted(
        file
        for file in header_file.absolute().parent.iterdir()
        if file.name.lower() in beside and file.name.startswith(bare.name) and file.is_file()
    )
    if not found:
        raise InputError(
            f"{header_file.name} has no file of values beside it; expected {bare.name} or "
            f"{bare.name}.img (.dat, .raw, .bsq, .bil, .bip), put it there."
        )
    # A picture or another interleave of the same image may lie there too: the right one holds
    # exactly what the header says, if any does.
    with_size = [f for f in found if f.stat().st_size == _declared_bytes(header_file, header)]
    return (with_size or found)[0]


def _declared_bytes(file: Path, header: Mapping[str, object]) -> int:
    shape, dtype, offset = _sizes(file, header)
    return offset + math.prod(shape) * dtype.itemsize


def _sizes(
    file: Path, header: Mapping[str, object]
) -> tuple[tuple[int, int, int], np.dtype, int]:
    """Shape (rows, columns, bands), dtype and offset of the values that the header declares."""
    sizes = {}
    for entry, smallest in (("lines", 1), ("samples", 1), ("bands", 1), ("header offset", 0)):
        if entry not in header and entry != "header offset":
            raise damaged(file, "ENVI header", f"it has no entry '{entry}'")
        number = _number(file, header, entry) or 0.0
        if not smallest <= number < 1 << 48 or number % 1:
            raise damaged(file, "ENVI header", f"'{entry}' is {header[entry]}")
        sizes[entry] = int(number)
    code = str(header.get("data type"))
    if code not in _TYPES:
        raise damaged(file, "ENVI header", f"'data type' is {code}")
    return (sizes["lines"], sizes["samples"], sizes["bands"]), np.dtype(_TYPES[code]), sizes[
        "header offset"
    ]


def _layout(
    file: Path, data_file: Path, header: Mapping[str, object]
) -> tuple[tuple[int, int, int], np.dtype, float]:
    """Shape, dtype and scale factor; refuses what the file of values cannot hold."""
    shape, dtype, _ = _sizes(file, header)
    if str(header.get("interleave")).lower() not in ("bsq", "bil", "bip"):
        raise damaged(file, "ENVI header", f"'interleave' is {header.get('interleave')}")
    if str(header.get("byte order")) not in ("0", "1"):
        raise damaged(file, "ENVI header", f"'byte order' is {header.get('byte order')}")
    if "library" in str(header.get("file type", "")).lower():
        raise InputError(
            f"{file.name} describes a spectral library; expected an image, pass the header of one."
        )
    if str(header.get("file compression", "0")) != "0":
        raise InputError(
            f"{data_file.name} is compressed; expected plain values, save the image without "
            "compression."
        )
    expected, held = _declared_bytes(file, header), data_file.stat().st_size
    if held < expected:
        rows, columns, bands = shape
        raise InputError(
            f"{data_file.name} holds {held} bytes; expected {expected}, which {file.name} declares "
            f"({rows} rows × {columns} columns × {bands} bands of {dtype.name}), copy or download "
            "both files again."
        )
    scale = _number(file, header, "reflectance scale factor")
    if scale is not None and scale <= 0:
        raise damaged(file, "ENVI header", f"'reflectance scale factor' is {scale}")
    return shape, dtype, 1.0 if scale is None else scale


def _number(file: Path, header: Mapping[str, object], entry: str) -> float | None:
    if entry not in header:
        return None
    try:
        number = float(str(header[entry]))
    except ValueError:
        number = math.nan
        if str(header[entry]).strip().lower() in ("nan", "-nan"):
            return None  # says nothing: NaN is no data anyway
    if not math.isfinite(number):
        if entry == "data ignore value":
            return None
        raise damaged(file, "ENVI header", f"'{entry}' is {header[entry]}")
    return number


def _list(
    file: Path, header: Mapping[str, object], entry: str, length: int
) -> list[float] | None:
    """The numbers of a list with one entry for each band, or None."""
    values = header.get(entry)
    if values is None or values == [""] or values == "":
        return None
    values = values if isinstance(values, list) else [values]
    values = values[:-1] if values[-1] == "" else values  # "1, 2, }"
    if len(values) != length:
        raise InputError(
            f"{file.name}: '{entry}' has {len(values)} entries for {length} bands; expected one "
            "for each band, correct the header or take the entry out."
        )
    try:
        numbers = [float(str(value)) for value in values]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise damaged(file, "ENVI header", f"'{entry}' holds something that is no number")
    return numbers


def _opened(header: Header, data_file: Path) -> Any:
    """SPy's image of the pair."""
    envi = _envi()
    from spectral.io.bilfile import BilFile
    from spectral.io.bipfile import BipFile
    from spectral.io.bsqfile import BsqFile

    envi.check_compatibility(header)
    params = envi.gen_params(header)
    params.filename = str(data_file.absolute())
    kinds = {"bil": BilFile, "bip": BipFile, "bsq": BsqFile}
    return kinds[str(header["interleave"]).lower()](params, header)


def _envi() -> ModuleType:
    with needs("spectral", "reading or writing an ENVI image"):
        from spectral.io import envi
    return envi
