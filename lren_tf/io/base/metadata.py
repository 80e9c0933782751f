"""Metadata of a cube: bands, wavelengths, no-data values, georeference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.data.valid_pixels import NoData

# Units of length as headers spell them, in lower case -> nanometres.
_NANOMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1e3),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimeters"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimeters"), 1e7),
    **dict.fromkeys(("m", "meters"), 1e9),
    **dict.fromkeys(("a", "angstrom", "angstroms"), 0.1),
}
# Units of what a wavelength is divided into, as headers spell them -> nanometres times that unit.
_PER_NANOMETRE = {
    **dict.fromkeys(("wavenumber", "wavenumbers", "cm-1", "cm^-1", "1/cm"), 1e7),
    "thz": 299_792.458, "ghz": 299_792_458.0, "mhz": 299_792_458_000.0,
}  # fmt: skip
# What is said instead of a unit; the numbers may still be lengths.
_UNKNOWN = ("", "unknown", "none", "n/a")
# No optical sensor sees 100 µm, and none of those read here begins below 100 nm.
_LARGEST_IN_MICROMETRES = 100.0


@dataclass(frozen=True)
class Details:
    """Metadata of a cube in a file; None or empty if the file does not give them.

    Attributes:
        no_data: values that mark missing data, of the cube as it is read, in all bands or one
            in each. None for a scaled cube, in which the reader has put NaN instead.
        valid: [H, W] bool, False on pixels that the file itself masks.
        good_bands: [B] bool, False on bands listed as bad.
        wavelengths: [B] float64 in nanometres.
        georeference: where the pixels lie on the map.
        grid_axes: the axes of the stored array that the georeference calls rows and columns.
        reading: what was done to the stored values, in sentences for `lren-tf info`.
        filled: whether the reader has replaced no-data values by NaN.
        acquired: when it was measured, from `acquired.iso_time`.
        unit: of the values of a map, or empty.
    """

    no_data: tuple[NoData, ...] = ()
    valid: np.ndarray | None = None
    good_bands: np.ndarray | None = None
    wavelengths: np.ndarray | None = None
    georeference: Georeference | None = None
    grid_axes: tuple[int, int] = (0, 1)
    reading: tuple[str, ...] = ()
    filled: bool = False
    acquired: str | None = None
    unit: str = ""

    def place_by(self, axes: tuple[int, ...]) -> Georeference | None:
        """The georeference of an image whose rows and columns are these axes of a stored array.

        Args:
            axes: of rows and of columns.

        Returns:
            The georeference, transposed where the image is; None where there is none, or where
            the axes are others than those that it is about.
        """
        place = self.georeference
        if place is None or axes == self.grid_axes:
            return place
        return place.transposed() if axes == self.grid_axes[::-1] else None


def is_length(unit: str | None) -> bool:
    """Return whether a unit is one that wavelengths come in: lengths, wavenumbers, frequencies."""
    word = (unit or "").strip().lower()
    return word in _NANOMETRES or word in _PER_NANOMETRE


def in_nanometres(values: Iterable[float], unit: str | None) -> np.ndarray | None:
    """Wavelengths [B] in nanometres, or None where the unit is none of `is_length`.

    Without a unit they are micrometres if none is 100 or more, else nanometres.
    """
    wavelengths = np.array(list(values), np.float64)
    word = (unit or "").strip().lower()
    if word in _UNKNOWN:
        if not wavelengths.size:
            return None
        return wavelengths * (1e3 if wavelengths.max() < _LARGEST_IN_MICROMETRES else 1.0)
    if word in _PER_NANOMETRE:
        return _PER_NANOMETRE[word] / wavelengths if (wavelengths > 0).all() else None
    factor = _NANOMETRES.get(word)
    return None if factor is None else wavelengths * factor


def wavelength_in(text: str) -> tuple[float, str] | None:
    """Number and unit of a band's name such as `Band 3 (0.55 Micrometers)` or `550.1 nm`."""
    found = re.search(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµμ]+)", text)
    while found is not None:
        if found[2].lower() in _NANOMETRES and len(found[2]) > 1:
            return float(found[1]), found[2]
        text = text[found.end() :]
        found = re.search(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµμ]+)", text)
    return None
