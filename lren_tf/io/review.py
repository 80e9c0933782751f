"""Detections that a person has judged: a list whose column `status` is filled in."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lren_tf.errors import InputError

TARGET, NOTHING, BACKGROUND = STATUSES = ("target", "nothing", "background")
"""Statuses of a reviewed detection: it is one; there is nothing; it is of the background."""
_NUMBERS = ("first_row", "first_column", "last_row", "last_column", "peak_row", "peak_column")


class Reviewed(NamedTuple):
    """One detection with its status; rows and columns count from 0."""

    status: str
    first_row: int
    first_column: int
    last_row: int
    last_column: int
    peak_row: int
    peak_column: int


def read_review(path: str | os.PathLike[str]) -> list[Reviewed]:
    """Read the detections of a CSV that have a status.

    Args:
        path: a list of detections as ``detect`` writes it, with `STATUSES` in its column
            ``status``; empty where nobody has decided.

    Raises:
        InputError: the file is missing or no such list, or a status is unknown.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file} does not exist; expected a list of detections, check the path.")
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            # A list without a detection has its heading all the same.
            rows, heading = list(reader), reader.fieldnames or ()
    except (OSError, ValueError, csv.Error):
        rows, heading = [], ()
    if not {"status", *_NUMBERS} <= set(heading):
        raise InputError(
            f"{file} is no list of detections with a column 'status'; expected the "
            f"_detections.csv of lren-tf detect, its column status filled with "
            f"{', '.join(STATUSES)}."
        )
    found = []
    for line, row in enumerate(rows, 2):
        status = (row["status"] or "").strip().lower()
        if not status:
            continue
        if status not in STATUSES:
            raise InputError(
                f"{file}, line {line}: the status is {row['status']!r}; expected "
                f"{', '.join(STATUSES)}, or nothing."
            )
        try:
            found.append(Reviewed(status, *(int(row[name]) for name in _NUMBERS)))
        except (TypeError, ValueError):
            raise InputError(
                f"{file}, line {line}: {', '.join(_NUMBERS)} are not all whole numbers; expected "
                "those that lren-tf detect wrote."
            ) from None
    return found


def without_targets(
    reviewed: list[Reviewed], shape: tuple[int, int], background: np.ndarray | None
) -> np.ndarray | None:
    """Return a background region without confirmed targets; None where that is all pixels.

    Args:
        reviewed: from `read_review`; of a target its bounding box is left out.
        shape: (H, W) of the scene.
        background: ``[H, W]`` bool, or None for all.

    Raises:
        InputError: a detection lies outside of the image.
    """
    for each in reviewed:
        inside = 0 <= each.first_row <= each.last_row < shape[0]
        if not (inside and 0 <= each.first_column <= each.last_column < shape[1]):
            raise InputError(
                f"a reviewed detection lies in rows {each.first_row} to {each.last_row}, columns "
                f"{each.first_column} to {each.last_column}, outside of {shape[0]} × {shape[1]} "
                "pixels; expected the list of this scene."
            )
    targets = [each for each in reviewed if each.status == TARGET]
    if not targets:
        return background
    region = np.ones(shape, bool) if background is None else background.copy()
    for each in targets:
        region[each.first_row : each.last_row + 1, each.first_column : each.last_column + 1] = False
    return region
