"""A map with everything that a writer of maps needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lren_tf.data.array_checks import real_array
from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError

# Types that not every format holds -> one that all of them do.
_WIDER = {
    "bool": np.uint8, "int8": np.int16, "float16": np.float32, "float96": np.float64,
    "float128": np.float64,
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A map [H, W] and what a file can say about it.

    Attributes:
        values: [H, W] real numbers; brought to C order, native byte order and a type that every
            format holds (bool becomes uint8, half precision float32).
        name: `score`, `mask`: the variable in MATLAB, the band's name elsewhere.
        no_data: the value of pixels that hold no data, or None where all do.
        georeference: where the pixels lie on the map, or None.
        unit: of the values, where it has a name.

    Raises:
        InputError: the values are not real numbers, rows × columns with at least one pixel, or
            their type cannot hold `no_data`.
    """

    values: np.ndarray
    name: str = "score"
    no_data: float | None = None
    georeference: Georeference | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        values = real_array(self.values, f"the map '{self.name}'")
        if values.ndim != 2 or 0 in values.shape:
            raise InputError(
                f"the map '{self.name}' has shape {values.shape}; expected rows × columns, "
                "reshape it first."
            )
        dtype = _WIDER.get(values.dtype.name, values.dtype.newbyteorder("="))
        values = np.ascontiguousarray(values, dtype=dtype)
        if self.no_data is not None and not _holds(values.dtype, self.no_data):
            raise InputError(
                f"the map '{self.name}' is of type {values.dtype}, which cannot hold the no-data "
                f"value {self.no_data}; expected a value of that type, pass another."
            )
        object.__setattr__(self, "values", values)


def _holds(dtype: np.dtype, value: float) -> bool:
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return float(value).is_integer() and limits.min <= value <= limits.max
