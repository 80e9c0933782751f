"""ENVI images: a text header (`.hdr`) beside a file of raw values, read through SPy.

Either of the two files can be named. The values are mapped into memory, not read: a
band-interleaved-by-pixel image in the machine's byte order is never copied; other layouts are
copied once, when a `Scene` puts the bands of a pixel side by side. A `reflectance scale
factor` is divided by, or gains and offsets of bands are applied, which makes a float32 copy
(float64 for doubles). A header that describes a TIFF lends it what it says of bands. Maps are
written with one band; `lren_tf.io.formats.envi_georeference` has the georeference of both.
"""


from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.optional import needs
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.variable import Variable, damaged, reading
from lren_tf.io.formats.envi_bands import (
    details_of_header,
    no_data_of,
    read_tiff,
    scaling_of,
    tiff_details,
)
from lren_tf.io.formats.envi_georeference import entries_of, georeference_of, with_entries
from lren_tf.io.formats.envi_header import (
    Header,
    as_number,
    note_what_is_lost,
    unused_entries,
)
from lren_tf.io.formats.envi_pair import (
    TYPES,
    declared_bytes,
    layout_of,
    note_layout,
    pair_of,
    silent_notes,
    sizes_of,
)
from lren_tf.io.formats.tiff_pages import tiff_variables

_WHAT = "ENVI image"


def envi_variables(path: Path) -> list[Variable]:
    """The one image of a pair of files, from its header.

    Returns:
        A list of one `Variable` with an empty name and the shape (rows, columns, bands), or
        (rows, columns) of an image with one band.

    Raises:
        InputError: header or values are missing, or the header is damaged, of a kind that is
            not read, or declares more than the file of values holds.
    """
    with silent_notes():
        pair = pair_of(path)
        if pair.tiff:
            return tiff_variables(pair.data_file)
        shape, dtype = layout_of(pair)
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
    with silent_notes():
        pair = pair_of(path)
        if pair.tiff:
            return read_tiff(pair.data_file, "", how)
        shape, _ = layout_of(pair)
        scaling = Scaling() if how.raw else scaling_of(pair.header, shape[2])
        no_data = no_data_of(pair.header, shape[2]) if how.fill else ()
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
    pair = pair_of(path)
    header = pair.header
    if pair.tiff:
        return tiff_details(pair.data_file, "", how)
    shape, dtype = layout_of(pair)
    note_what_is_lost(header)
    note_layout(pair, shape, dtype)
    more = pair.data_file.stat().st_size - declared_bytes(header)
    if more:
        warnings.warn(
            f"{pair.data_file.name} holds {more} bytes more than {header.file.name} declares; they "
            "are not read.",
            stacklevel=2,
        )
    scaling = scaling_of(header, shape[2])
    said = details_of_header(header, shape[2])
    text = [text for text in (scaling.text(how.raw),) if text]
    unused = unused_entries(header)
    if unused:
        text.append(f"entries of the header that are not used: {', '.join(unused)}")
    return replace(
        said,
        no_data=() if scaling and not how.raw else said.no_data,
        filled=bool(scaling and not how.raw and said.no_data),
        georeference=checked_place(
            header.file.name, georeference_of(header.file, header), shape[0], shape[1]
        ),
        reading=tuple(text),
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
        "data type": next(code for code, kind in TYPES.items() if values.dtype == kind),
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


def _opened(header: Header, data_file: Path) -> Any:
    """SPy's image of the pair."""
    envi = _envi()
    from spectral.io.bilfile import BilFile
    from spectral.io.bipfile import BipFile
    from spectral.io.bsqfile import BsqFile

    shape, _, offset = sizes_of(header)
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
