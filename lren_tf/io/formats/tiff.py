"""TIFFs, with what an ENVI header beside them says of bands and of no data."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.formats.envi_bands import details_of_header, no_data_of
from lren_tf.io.formats.envi_header import Header, read_header
from lren_tf.io.formats.envi_pair import declared_bytes, header_of, same_stem, sizes_of
from lren_tf.io.formats.tiff_pages import PagesReader


class TiffReader(PagesReader):
    """The images of a TIFF; of one cube, with what an ENVI header beside it says.

    What the file says itself stands above it.

    Args:
        source: the file.
        header: the one that was named for it; None to look beside the file.

    Raises:
        InputError: as `PagesReader`.
    """

    def __init__(self, source: Source, header: Header | None = None) -> None:
        super().__init__(source)
        self._header = self._beside() if header is None else self._fitting(header, named=True)

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        """The values of one image, or of the cube that all pages make, rows × columns × pages."""
        header = self._header
        if header is None or not how.fill:
            return super().read(name, how)
        return self.read_with(name, how, no_data_of(header, sizes_of(header)[0][2]))

    def details(self, name: str = "", how: Reading = AS_MEANT) -> Details:
        """Return the metadata of an image or the cube, from the file and the header beside it."""
        found = super().details(name, how)
        header = self._header
        if header is None:
            return found
        said = details_of_header(header, sizes_of(header)[0][2])
        scaled = bool(found.reading) and not how.raw
        text = f"bands and no data also by {header.file.name}"
        return replace(
            found,
            no_data=found.no_data if scaled else found.no_data or said.no_data,
            good_bands=said.good_bands if found.good_bands is None else found.good_bands,
            wavelengths=said.wavelengths if found.wavelengths is None else found.wavelengths,
            acquired=said.acquired if found.acquired is None else found.acquired,
            reading=(*found.reading, text),
        )

    def _beside(self) -> Header | None:
        """The ENVI header that describes the file, or None; one that cannot be read is told."""
        beside = header_of(self.file)
        if beside is None:
            return None
        try:
            with Source(beside) as source:
                return self._fitting(read_header(source), named=False)
        except InputError as error:
            warnings.warn(
                f"{self.file.name}: the header {beside.name} beside it is not used: {error}",
                stacklevel=3,
            )
            return None

    def _fitting(self, header: Header, *, named: bool) -> Header | None:
        """The header if it describes this file and not another one of the same stem."""
        shape, _, _ = sizes_of(header)
        own = self.variables[0].shape
        if shape != (own if len(own) == 3 else (*own, 1)):
            if named:
                warnings.warn(
                    f"{header.file.name} declares {shape[0]} rows × {shape[1]} columns × "
                    f"{shape[2]} bands, which {self.file.name} does not hold: the header is not "
                    "used.",
                    stacklevel=4,
                )
            return None
        raw = [one for one in same_stem(header) if one.stat().st_size == declared_bytes(header)]
        whole_name = header.file.name.lower() == f"{self.file.name}.hdr".lower()
        of_tiff = "tif" in header.plain("file type").lower() or whole_name or not raw
        return header if named or of_tiff else None
