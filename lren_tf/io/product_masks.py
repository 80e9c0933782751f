"""Masks that are files of a product's quality flags: inverted, since flags mark invalid pixels.

Other masks are maps and polygons (`lren_tf.io.masks`).
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from lren_tf.io.base.reader import Reader
from lren_tf.io.base.source import Source
from lren_tf.io.registry import reader_of


class ProductMask(NamedTuple):
    """Valid pixels by a file of quality flags."""

    valid: np.ndarray
    """[H, W] bool, False on flagged pixels."""
    text: str
    """A sentence about it for `lren-tf info`."""
    chooses: bool
    """True if it holds several flags, of which the caller may name some."""


def product_mask(mask: object, flags: tuple[str, ...] | None) -> ProductMask | None:
    """Valid pixels by a file of quality flags; None for any other mask.

    Args:
        mask: what was passed as the mask: a path, or anything else.
        flags: those that leave pixels out, from `parse_flags`; None for the usual ones.

    Raises:
        InputError: the file is missing or damaged, or has no such flag.
    """
    if not isinstance(mask, (str, os.PathLike)):
        return None
    with Source(mask) as source:
        reader = reader_of(source)
        if reader is None or reader.mask is Reader.mask:
            return None
        opened = reader(source)
        found = opened.mask(flags)
        return None if found is None else ProductMask(*found, bool(opened.flags))
