"""Conversion of stored numbers to the values that they stand for: gains, offsets, no data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from lren_tf.data.valid_pixels import NoData, holds_no_data_value
from lren_tf.io.base import large_array


@dataclass(frozen=True)
class Reading:
    """Options of reading the values of an array.

    Attributes:
        raw: whether they are left as they are stored.
        fill: whether scaled values are NaN where the stored one marks missing data.
        flags: the quality flags of a product that leave pixels out, from
            `quality.parse_flags`; None for the defaults of the reader.
    """

    raw: bool = False
    fill: bool = True
    flags: tuple[str, ...] | None = None


AS_MEANT = Reading()


@dataclass(frozen=True)
class Scaling:
    """Stored numbers · gain + offset, or ÷ divisor.

    Attributes:
        gain, offset: numbers, or arrays that broadcast with the stored values.
        divisor: of formats that say what to divide by; 1 for none.
        problem: what the file says and cannot be applied, as a sentence, or empty.
    """

    gain: float | np.ndarray = 1.0
    offset: float | np.ndarray = 0.0
    divisor: float = 1.0
    problem: str = ""

    def __bool__(self) -> bool:
        changes = np.any(np.not_equal(self.gain, 1)) or np.any(np.not_equal(self.offset, 0))
        return bool(changes) or self.divisor != 1

    def applied(self, stored: np.ndarray, no_data: Iterable[NoData] = ()) -> np.ndarray:
        """Values in float32, or float64 of doubles and 32-bit integers.

        Args:
            stored: any shape that gain and offset broadcast with.
            no_data: stored values that become NaN, in all bands or one in each, which are the
                last axis.

        Returns:
            An array in memory or in a temporary file, by `large_array.empty`.
        """
        no_data = tuple(no_data)
        wide = np.result_type(stored.dtype, np.float32)
        if stored.size <= large_array.ELEMENTS_AT_A_TIME:
            return self._of_part(stored, self.gain, self.offset, wide, no_data)
        out = large_array.empty(stored.shape, wide)
        gain, offset = (np.broadcast_to(each, stored.shape) for each in (self.gain, self.offset))
        for rows in large_array.row_parts(stored.shape):
            out[rows] = self._of_part(stored[rows], gain[rows], offset[rows], wide, no_data)
        return out

    def _of_part(
        self,
        stored: np.ndarray,
        gain: float | np.ndarray,
        offset: float | np.ndarray,
        wide: np.dtype,
        no_data: tuple[NoData, ...],
    ) -> np.ndarray:
        if self.divisor != 1:
            values = stored / (np.float32 if wide == np.float32 else np.float64)(self.divisor)
        else:
            values = (stored * np.float64(1) * gain + offset).astype(wide)
        missing = holds_no_data_value(stored, no_data)
        if missing.any():
            values[missing] = np.nan
        return values

    def of_bands(self, bands: slice) -> Scaling:
        """The scaling of some of the bands, which are the last axis of the values."""
        gain, offset = (
            each if np.ndim(each) == 0 else np.asarray(each)[..., bands]
            for each in (self.gain, self.offset)
        )
        return replace(self, gain=gain, offset=offset)

    def text(self, raw: bool) -> str:
        """Description of the scaling, for `lren-tf info`; empty if there is none."""
        if not self:
            return ""
        if self.divisor != 1:
            rule = f"÷ {self.divisor:g}"
        else:
            rule = f"× {_range(self.gain)}"
            if np.any(np.not_equal(self.offset, 0)):
                rule += f" + {_range(self.offset)}"
        return f"stored values, not {rule} (--raw)" if raw else f"stored values {rule}"


def _range(numbers: float | np.ndarray) -> str:
    low, high = np.min(numbers), np.max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g} (by band)"
