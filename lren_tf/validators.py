"""Validators of single settings: values from text, and checks that share one wording."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from typing import Any, get_args

import numpy as np

from lren_tf.errors import InputError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
          "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}  # fmt: skip


def parse(text: str, kind: Any) -> Any:
    """`text` as a value of a type: None, truth value, whole number, number or text.

    What fits no part of the type is returned as it is, for the owner of the setting to
    refuse in its own words.

    Args:
        text: from a command line; case does not matter in ``none``, ``true``, ``false``.
        kind: the resolved type hint of the setting, such as ``int | None``.
    """
    kinds = get_args(kind) or (kind,)
    word = text.lower()
    if types.NoneType in kinds and word == "none":
        return None
    if bool in kinds and word in ("true", "false"):
        return word == "true"
    # "1e3" is a whole number too, hence both for an int.
    for number in ((int, float) if int in kinds else (float,) if float in kinds else ()):
        with suppress(ValueError):
            return number(text)
    return text


def whole(name: str, value: Any, smallest: int, largest: int | None = None) -> int:
    """`value` as an int from `smallest` to `largest`; None for no upper end.

    Raises:
        InputError: it is not a whole number, or is too small or too large.
    """
    try:
        if isinstance(value, (bool, np.bool_)):  # NumPy 1's has an index
            raise TypeError
        value = int(value) if isinstance(value, float) and value.is_integer() else index(value)
    except TypeError:
        raise InputError(f"setting {name!r} is {value!r}; expected a whole number.") from None
    if value < smallest:
        raise InputError(f"setting {name!r} is {value}; expected {smallest} or more.")
    if largest is not None and value > largest:
        raise InputError(f"setting {name!r} is {value}; expected {largest} or less.")
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


def share(name: str, value: Any) -> float:
    """`value` as a float of at least 0 and below 1.

    Raises:
        InputError: it is not.
    """
    number = not_negative(name, value)
    if number >= 1:
        raise InputError(f"setting {name!r} is {number}; expected less than 1.")
    return number


Constraint = Callable[[str, Any], Any]
"""A check of one setting, from its name and value to the value as it is kept; `positive` is one."""


@dataclass(frozen=True)
class Whole:
    """Constraint to whole numbers, see `whole`."""

    smallest: int
    largest: int | None = None

    def __call__(self, name: str, value: Any) -> int:
        return whole(name, value, self.smallest, self.largest)


@dataclass(frozen=True)
class AtLeast:
    """Constraint to finite numbers from a smallest one on."""

    smallest: float

    def __call__(self, name: str, value: Any) -> float:
        number = real(name, value)
        if number < self.smallest:
            raise InputError(
                f"setting {name!r} is {number}; expected {self.smallest:g} or more."
            )
        return number


class OneOf:
    """Constraint to one of several texts."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise InputError(
                f"setting {name!r} is {value!r}; expected one of {', '.join(self.choices)}."
            )
        return value


def optional(constraint: Constraint) -> Constraint:
    """The constraint that allows None, too."""

    def check(name: str, value: Any) -> Any:
        return None if value is None else constraint(name, value)

    return check


def size_in_bytes(name: str, given: int | str) -> int:
    """Bytes of a size such as ``"2GiB"``, ``"500 MB"`` or a number of bytes.

    Args:
        name: what a refusal calls it.
        given: 1 or more.

    Raises:
        InputError: it is none.
    """
    if not isinstance(given, str):
        return whole(name, given, 1)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?|)B?", given.strip().upper())
    size = 0 if found is None else int(float(found[1]) * _UNITS[found[2]])
    if size < 1:
        raise InputError(f"{name} is {given!r}; expected a size such as 2GiB, 500MB or 4000000000.")
    return size
