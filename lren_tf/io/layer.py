"""One map on its way to a file, as every writer of maps takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lren_tf.errors import InputError
from lren_tf.georeference import Georeference
from lren_tf.pixels import real_array

# Types that not every format holds -> the next one that all of them do.
_WIDER = {"bool": np.uint8, "float16": np.float32, "float128": np.float64, "float96": np.float64}


@dataclass(frozen=True)
class Layer:
    """A map [H, W] and what a file can say about it.

    Attributes:
        values: [H, W] real numbers; brought to C order, native byte order and a type that every
            format holds (bool becomes uint8, half precision float32).
        name: `score`, `mask`: the variable in MATLAB, the band's name elsewhere.
        no_data: the value of pixels that hold no data, or None where all do.
        georeference: where the pixels lie on the map, or None.

    Raises:
        InputError: the values are not real numbers, rows × columns with at least one pixel.
    """

    values: np.ndarray
    name: str = "score"
    no_data: float | None = None
    georeference: Georeference | None = None

    def __post_init__(self) -> None:
        values = real_array(self.values, f"the map '{self.name}'")
        if values.ndim != 2 or 0 in values.shape:
            raise InputError(
                f"the map '{self.name}' has shape {values.shape}; expected rows × columns, "
                "reshape it first."
            )
        dtype = _WIDER.get(values.dtype.name, values.dtype.newbyteorder("="))
        object.__setattr__(self, "values", np.ascontiguousarray(values, dtype=dtype))
