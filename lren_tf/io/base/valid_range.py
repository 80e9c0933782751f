"""Ranges of valid values that attributes state: what lies outside of them is no data.

Source: CF conventions 1.11, section 2.5.1, and the NetCDF User's Guide, appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lren_tf.data.valid_pixels import holds_no_data_value
from lren_tf.io.base import large_array
from lren_tf.io.base.attributes import Attributes, is_unsigned, numbers_of, stored_as

_AXES_OF_A_CUBE = 3
_ROUNDING = 1e-6


@dataclass(frozen=True)
class ValidRange:
    """Range of the values that are measurements.

    Attributes:
        low, high: as the attributes say, of stored values; infinite where none is said.
        least, largest: the same of the values that are compared with it, which differ where
            these have been scaled already.
    """

    low: float
    high: float
    least: float
    largest: float

    @property
    def text(self) -> str:
        """Sentence for `lren-tf info`."""
        return (
            f"by the file, stored values outside of {self.low:g} to {self.high:g} are no data"
        )


class OutOfRange:
    """Places of an array whose values lie outside of a valid range, looked at part by part.

    Args:
        limits: the range.
        shape: of the array.
        fills: values that mark missing data by themselves.
    """

    def __init__(
        self, limits: ValidRange, shape: tuple[int, ...], fills: tuple[float, ...]
    ) -> None:
        self._limits, self._fills = limits, fills
        self._found = large_array.empty(shape, bool)
        self._held = self._count = 0

    def look(self, values: np.ndarray, place: tuple[slice, ...] = ()) -> None:
        """Look at the values of a part of the array.

        Args:
            values: as they are compared with the range.
            place: of the part; all of the array without one.
        """
        held = ~holds_no_data_value(values, self._fills)
        if values.dtype.kind == "f":
            held &= ~np.isnan(values)
        found = ((values < self._limits.least) | (values > self._limits.largest)) & held
        self._found[place] = found
        self._held += int(np.count_nonzero(held))
        self._count += int(np.count_nonzero(found))

    def places(self, name: str) -> tuple[np.ndarray | None, str | None]:
        """Return the places, once every part was looked at, and what there is to tell.

        A range that most values lie outside of is not that of these values, and is not used.

        Args:
            name: of file and array, for the message.

        Returns:
            bool in the shape of the array, or None where there is nothing to leave out; and a
            sentence, or None.
        """
        if 2 * self._count > self._held:
            return None, (
                f"{name}: {self._count} of the values lie outside of the valid range "
                f"{self._limits.low:g} to {self._limits.high:g} that the file states: it is not "
                "used."
            )
        return (self._found if self._count else None), None


def valid_range_among(
    said: Attributes,
    dtype: np.dtype,
    axes: int,
    *,
    gain: float = 1.0,
    offset: float = 0.0,
) -> ValidRange | None:
    """The range that the attributes of a cube state.

    Args:
        said: the attributes.
        dtype: of the stored values; limits of the other kind are about scaled ones and do not
            count.
        axes: of the array. Only a cube has a range here: those of tables and layers have
            meanings of their own.
        gain, offset: by which the stored values have been scaled before they are compared.

    Returns:
        The range, or None where neither limit is said.
    """
    if axes != _AXES_OF_A_CUBE:
        return None
    said = list(said)
    unsigned = is_unsigned(said)
    low, high = -np.inf, np.inf
    for key, value in said:
        entry = key.lower()
        if entry not in ("valid_range", "valid_min", "valid_max"):
            continue
        numbers = numbers_of(stored_as(value, unsigned))
        whole = np.asarray(value).dtype.kind in "iu"
        count = 2 if entry == "valid_range" else 1
        if numbers is None or numbers.size != count or whole != (dtype.kind in "iu"):
            continue
        if entry != "valid_max":
            low = max(low, float(numbers[0]))
        if entry != "valid_min":
            high = min(high, float(numbers[-1]))
    if not low < high or not (np.isfinite(low) or np.isfinite(high)):
        return None
    if (gain, offset) == (1.0, 0.0):
        return ValidRange(low, high, low, high)
    ends = sorted(limit * gain + offset for limit in (low, high))
    # Stored values are whole, or differ by more than the rounding of the scaled ones.
    finite = [abs(end) for end in ends if np.isfinite(end)]
    slack = abs(gain) / 2 if dtype.kind in "iu" else max(finite) * _ROUNDING
    return ValidRange(low, high, ends[0] - slack, ends[1] + slack)


def unsigned_type(said: Attributes, dtype: np.dtype) -> np.dtype:
    """The type of stored values: netCDF marks unsigned integers that are stored as signed ones.

    Args:
        said: the attributes of the array.
        dtype: in which it is stored.
    """
    if dtype.kind != "i" or not is_unsigned(said):
        return dtype
    return np.dtype(dtype.str.replace("i", "u"))
