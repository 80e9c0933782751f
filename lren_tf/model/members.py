"""Sequence whose items are created on access."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Members(Sequence[Any]):
    """Sequence of models that are made on access.

    Neither list nor property of models: Keras follows both when it saves, and would save every
    member a second time.

    Args:
        numbers: numbers of the members; or how many there are.
        make: returns the model of a number.
    """

    def __init__(self, numbers: int | range, make: Callable[[int], Any]) -> None:
        self._numbers = range(numbers) if isinstance(numbers, int) else numbers
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Members(self._numbers[index], self._make)
        return self._make(self._numbers[index])
