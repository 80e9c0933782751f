"""Bands by an ENVI header: scaling, no data, wavelengths, bad ones; also those of a TIFF."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from lren_tf.data.valid_pixels import NoData
from lren_tf.errors import InputError
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.variable import damaged, existing_file
from lren_tf.io.formats.envi_header import Header, as_number, read_header
from lren_tf.io.formats.envi_pair import (
    declared_bytes,
    header_of,
    same_stem,
    silent_notes,
    sizes_of,
)
from lren_tf.io.formats.tiff_pages import read_tiff_pages, tiff_pages_details, tiff_variables


def details_of_header(header: Header, bands: int) -> Details:
    """What a header says of bands, no data and time; also of another file that it lies beside.

    Raises:
        InputError: an entry has not the length of the bands, or is no number.
    """
    bad = header.numbers("bbl", bands)
    return Details(
        no_data=no_data_of(header, bands),
        good_bands=None if bad is None else bad != 0,
        wavelengths=_wavelengths(header, bands),
        acquired=iso_time(header.plain("acquisition time")),
    )


def read_tiff(path: Path, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
    """As `read_tiff_pages`, with what an ENVI header beside the file says of no data."""
    with silent_notes():
        header = _header_beside_tiff(path)
    if header is None or not how.fill:
        return read_tiff_pages(path, name, how)
    return read_tiff_pages(path, name, how, no_data_of(header, sizes_of(header)[0][2]))


def tiff_details(path: Path, name: str = "", how: Reading = AS_MEANT) -> Details:
    """As `tiff_pages_details`, with what an ENVI header beside the file says of bands.

    What the file says itself stands above it.
    """
    found = tiff_pages_details(path, name, how)
    header = _header_beside_tiff(path)
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


def _header_beside_tiff(path: Path) -> Header | None:
    """The ENVI header that describes a TIFF, or None; one that cannot be read is told."""
    file = existing_file(path)
    beside = header_of(file)
    if beside is None:
        return None
    try:
        header = read_header(existing_file(beside))
        shape, _, _ = sizes_of(header)
        variable = tiff_variables(file)[0]
        own = variable.shape if len(variable.shape) == 3 else (*variable.shape, 1)
        named = beside.name.lower() == f"{file.name}.hdr".lower()
        raw = [one for one in same_stem(header) if one.stat().st_size == declared_bytes(header)]
        of_tiff = "tif" in header.plain("file type").lower() or named or not raw
        return header if shape == own and of_tiff else None
    except InputError as error:
        warnings.warn(
            f"{file.name}: the header {beside.name} beside it is not used: {error}", stacklevel=3
        )
        return None


def scaling_of(header: Header, bands: int) -> Scaling:
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


def no_data_of(header: Header, bands: int) -> tuple[NoData, ...]:
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
