"""Checks of single settings, with one wording for all of them."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np

from lren_tf.errors import InputError


def whole(name: str, value: Any, smallest: int) -> int:
    """`value` as an int of at least `smallest`.

    Raises:
        InputError: it is not a whole number, or is too small.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        value = int(value) if isinstance(value, float) and value.is_integer() else index(value)
    except TypeError:
        raise InputError(f"setting {name!r} is {value!r}; expected a whole number.") from None
    if value < smallest:
        raise InputError(f"setting {name!r} is {value}; expected {smallest} or more.")
    return value


def real(name: str, value: Any) -> float:
    """`value` as a finite float.

    Raises:
        InputError: it is not a finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, (bool, np.bool_, str, bytes)) or not math.isfinite(number):
        raise InputError(f"setting {name!r} is {value!r}; expected a finite number.")
    return number


def positive(name: str, value: Any) -> float:
    """`value` as a finite float above 0.

    Raises:
        InputError: it is not.
    """
    number = real(name, value)
    if number <= 0:
        raise InputError(f"setting {name!r} is {number}; expected a number above 0.")
    return number


def not_negative(name: str, value: Any) -> float:
    """`value` as a finite float of at least 0.

    Raises:
        InputError: it is not.
    """
    number = real(name, value)
    if number < 0:
        raise InputError(f"setting {name!r} is {number}; expected 0 or a number above 0.")
    return number
