"""Masks that are files of a product's quality flags: inverted, for a flag is set where not to look.

Other masks are maps (`lren_tf.io.load`) and polygons (`lren_tf.io.polygons`).
"""

from __future__ import annotations

import os

import numpy as np

from lren_tf.io.base.reader import Reader
from lren_tf.io.base.source import Source
from lren_tf.io.registry import reader_of


def product_mask(mask: object, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str] | None:
    """Valid pixels by a file of quality flags; None for any other mask.

    Args:
        mask: what was passed as the mask: a path, or anything else.
        flags: those that leave pixels out, from `parse_flags`; None for the usual ones.

    Returns:
        [H, W] bool, False on flagged pixels, and a sentence about it for `lren-tf info`.

    Raises:
        InputError: the file is missing or damaged, or has no such flag.
    """
    if not isinstance(mask, (str, os.PathLike)):
        return None
    with Source(mask) as source:
        reader = reader_of(source)
        if reader is None or reader.mask is Reader.mask:
            return None
        return reader(source).mask(flags)
