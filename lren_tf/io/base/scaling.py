"""From stored numbers to the values that they stand for: gains, offsets, and what is no data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lren_tf.data.valid_pixels import NoData, holds_no_data_value


@dataclass(frozen=True)
class Reading:
    """How the values of an array are read.

    Attributes:
        raw: whether they are left as they are stored.
        fill: whether scaled values are NaN where the stored one marks missing data.
        flags: the quality flags of a product that leave pixels out, from
            `quality.parse_flags`; None for those that its reader takes by itself.
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
            no_data: stored values that become NaN.
        """
        wide = np.result_type(stored.dtype, np.float32)
        if self.divisor != 1:
            values = stored / (np.float32 if wide == np.float32 else np.float64)(self.divisor)
        else:
            values = (stored * np.float64(1) * self.gain + self.offset).astype(wide)
        missing = holds_no_data_value(stored, no_data)
        if missing.any():
            values[missing] = np.nan
        return values

    def text(self, raw: bool) -> str:
        """What is done, for `lren-tf info`; empty where nothing is said."""
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
