"""Tables with one number for each band: which names they have, and which fits a cube."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_EXACT = frozenset({"wavelength", "wavelengths"})
_WAVELENGTHS = re.compile(
    r"(band|bands|sensor|spectral|channel|center|centre|central|reflectance|radiance)*"
    r"(wavelengths?|wvls?|wls?|lambdas?|wavelen)"
    r"(nm|um|nanometers?|micrometers?|3d|centers?|centres?|central|bands?|list|grid|vector)*"
    r"|band(center|centre)s?(nm|um)?"
)
_WIDTHS = re.compile(r"(band|bands|sensor|spectral|channel)*(fwhms?|bandwidths?)(nm|um|3d)*")


@dataclass(frozen=True)
class BandTable:
    """A table of an attribute or an array beside a cube.

    Attributes:
        name: as the file calls it, of an array its path.
        shape: of the array, or (length,).
        values: the numbers [B], or a call that reads them.
        unit: what the file says of their unit, or None.
        attribute: whether it is an attribute of the cube or of a group that the cube lies in.
    """

    name: str
    shape: tuple[int, ...]
    values: np.ndarray | Callable[[], np.ndarray]
    unit: str | None = None
    attribute: bool = False

    @property
    def length(self) -> int | None:
        """Number of entries; None for a table of several axes."""
        long = [length for length in self.shape if length != 1]
        return long[0] if len(long) == 1 else 1 if not long else None

    @property
    def exact(self) -> bool:
        """True if it is called `wavelength` or `wavelengths`, and nothing more."""
        return self.name.rsplit("/", 1)[-1].lower() in _EXACT

    @property
    def of_wavelengths(self) -> bool:
        """True if its numbers are wavelengths, and not widths."""
        return _WAVELENGTHS.fullmatch(_plain(self.name)) is not None

    def __str__(self) -> str:
        kind = "attribute " if self.attribute else ""
        return f"{kind}'{self.name}' {self.shape}"

    def read(self) -> np.ndarray:
        """The numbers [B]."""
        return np.ravel(self.values() if callable(self.values) else self.values)

    @property
    def said_unit(self) -> str | None:
        """The unit, from the name where nothing else says it."""
        if self.unit is not None:
            return self.unit
        found = re.search(r"(?:^|[^a-z])(nm|um)$", self.name.lower())
        return None if found is None else found[1]


def is_table_of_bands(name: str) -> bool:
    """Return whether a name is that of wavelengths or of their widths."""
    plain = _plain(name)
    return bool(_WAVELENGTHS.fullmatch(plain) or _WIDTHS.fullmatch(plain))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())
