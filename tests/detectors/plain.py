"""Rings of pixels as a reader of the definition would gather them, one pixel at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def mirrored(at: int, length: int) -> int:
    """The index that `at` stands for in an image mirrored at its edges: −1 is 0, −2 is 1."""
    if at < 0:
        at = -at - 1
    return 2 * length - 1 - at if at >= length else at


def rings(
    cube: np.ndarray, inner: int, outer: int, *, without_own: bool = False
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Row, column, spectrum [L] and ring [n, L] of every pixel of a cube scaled to [0, 1].

    `without_own` leaves out the places where a mirrored ring holds its own pixel.
    """
    unit = cube.astype(np.float64)
    unit = (unit - unit.min()) / (unit.max() - unit.min())
    height, width = unit.shape[:2]
    for row in range(height):
        for column in range(width):
            places = [
                (mirrored(row + down, height), mirrored(column + right, width))
                for down in range(-(outer // 2), outer // 2 + 1)
                for right in range(-(outer // 2), outer // 2 + 1)
                if max(abs(down), abs(right)) > inner // 2
            ]
            if without_own:
                places = [place for place in places if place != (row, column)]
            yield row, column, unit[row, column], np.array([unit[place] for place in places])
