"""ENVI images: a text header (`.hdr`) beside a file of raw values.

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
from typing import Literal

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.failures import reading
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.optional import needs
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable
from lren_tf.io.formats.envi_bands import details_of_header, no_data_of, scaling_of
from lren_tf.io.formats.envi_georeference import entries_of, georeference_of, with_entries
from lren_tf.io.formats.envi_header import (
    as_number,
    note_what_is_lost,
    unused_entries,
)
from lren_tf.io.formats.envi_pair import (
    SUFFIXES,
    TYPES,
    Pair,
    declared_bytes,
    header_of,
    layout_of,
    note_layout,
    pair_of,
    sizes_of,
)
from lren_tf.io.formats.tiff import TiffReader

# Axes of the stored values, of rows (0), columns (1) and bands (2).
_STORED = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


class EnviReader(Reader):
    """The one image of a pair of files, from its header.

    Its variable has an empty name and the shape (rows, columns, bands), or (rows, columns) of an
    image with one band.

    Raises:
        InputError: header or values are missing, or the header is damaged, of a kind that is
            not read, or declares more than the file of values holds.
    """

    title = "ENVI"
    suffixes = SUFFIXES
    what = "ENVI image"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._pair = pair_of(source)
        self._tiff = TiffReader(self._pair.data, self._pair.header) if self._pair.tiff else None
        if self._tiff is not None:
            self.variables = self._tiff.variables
            return
        self._shape, self._dtype = layout_of(self._pair)
        is_complex = self._dtype.kind == "c"
        kind = f"complex {self._dtype.name}" if is_complex else self._dtype.name
        grid = self._shape[:2] if self._shape[2] == 1 else self._shape
        self.variables = [Variable("", grid, kind, readable=not is_complex)]

    @classmethod
    def recognises(cls, source: Source) -> bool:
        """Return whether the suffix is ENVI's, or a header lies beside a file of any name."""
        return super().recognises(source) or (
            source.stream is not None and header_of(source.path) is not None
        )

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        """The values of the image.

        Returns:
            A read-only memory map in the dtype of the file, or a float array if the header has a
            `reflectance scale factor` other than 1, or gains and offsets.
        """
        if self._tiff is not None:
            return self._tiff.read(name, how)
        header, data_file, bands = self._pair.header, self._pair.data_file, self._shape[2]
        scaling = Scaling() if how.raw else scaling_of(header, bands)
        no_data = no_data_of(header, bands) if how.fill else ()
        with reading(data_file, self.what):
            values = _mapped(self._pair)
            if scaling:
                values = scaling.applied(values, no_data)
        return values[:, :, 0] if bands == 1 else values

    def words(self, name: str) -> tuple[str, ...]:
        """Return description, and names of bands and of classes other than 0, from the header."""
        header = self._pair.header
        named = [*header.listed("description"), *header.listed("band names")]
        return (*named, *header.listed("class names")[1:])

    def details(self, name: str = "", how: Reading = AS_MEANT) -> Details:
        """Bad bands, no-data value, wavelengths and georeference, from the header.

        Raises:
            InputError: also when an entry has not the length of the bands, or is no number.
        """
        if self._tiff is not None:
            return self._tiff.details(name, how)
        pair, header, shape = self._pair, self._pair.header, self._shape
        note_what_is_lost(header)
        note_layout(pair, shape, self._dtype)
        more = pair.data.size - declared_bytes(header)
        if more:
            warnings.warn(
                f"{pair.data_file.name} holds {more} bytes more than {header.file.name} declares; "
                "they are not read.",
                stacklevel=2,
            )
        scaling = scaling_of(header, shape[2], told=True)
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


def _mapped(pair: Pair) -> np.ndarray:
    """The values as rows × columns × bands, mapped into memory in the layout of the file."""
    header = pair.header
    shape, dtype, offset = sizes_of(header)
    axes = _STORED[header.plain("interleave").lower() or "bsq"]
    order: Literal["<", ">"] = ">" if as_number(header.plain("byte order")) == 1 else "<"
    stored = np.memmap(
        pair.data.start_over(), dtype.newbyteorder(order), "r", offset,
        tuple(shape[a] for a in axes),
    )  # fmt: skip
    return stored.transpose([axes.index(axis) for axis in range(3)])


def _envi() -> ModuleType:
    with needs("spectral", "writing an ENVI image"):
        from spectral.io import envi
    return envi
