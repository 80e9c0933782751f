"""Bands by an ENVI header: scaling, no data, wavelengths, bad ones."""

from __future__ import annotations

import math
import warnings

import numpy as np

from lren_tf.data.valid_pixels import NoData
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.failures import damaged
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.scaling import Scaling
from lren_tf.io.formats.envi_header import CORRECT, WHAT, Header, as_number


def details_of_header(header: Header, bands: int) -> Details:
    """Return bands, no data and time of a header; also for another file that it lies beside.

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


def scaling_of(header: Header, bands: int, *, told: bool = False) -> Scaling:
    """Gains and offsets by band, or else the reflectance scale factor.

    Args:
        told: whether a `UserWarning` tells of a factor that is not applied.
    """
    gains = header.numbers("data gain values", bands)
    offsets = header.numbers("data offset values", bands)
    factor = header.number("reflectance scale factor")
    if gains is not None or offsets is not None:
        found = Scaling(
            1.0 if gains is None else gains, 0.0 if offsets is None else offsets
        )
        if found:
            if told and factor not in (None, 1):
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
        known = [number for number in numbers if number is not None and math.isfinite(number)]
        if len(known) < len(numbers):
            raise damaged(
                file, WHAT, "'wavelength' holds something that is no number", "numbers", CORRECT
            )
        if min(known) > 0:
            wavelengths = in_nanometres(known, unit)
            # Numbers of bands say nothing that would be lost.
            if wavelengths is not None or unit.lower() == "index":
                return wavelengths
            problem = f"is in '{unit[:40]}', no unit of wavelengths"
        else:
            band = next(i for i, n in enumerate(numbers) if n <= 0)  # type: ignore[operator]
            problem = f"is {numbers[band]:g} for band {band} (counted from 0)"
    warnings.warn(
        f"{file.name}: {header.where('wavelength')} {problem}: the scene has no wavelengths.",
        stacklevel=4,
    )
    return None
