"""Figures to files, written completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lren_tf.errors import InputError
from lren_tf.plots.style import DPI, NO_DATA_COLOUR


def save(
    figure: Figure, path: str | os.PathLike[str], formats: Iterable[str] = ("png",)
) -> list[Path]:
    """Write ``figure`` once for each format and return the paths, in that order.

    ``path`` may carry one of the formats as its suffix; every file is that stem plus its own
    suffix. All files are first written whole under temporary names in the same folder and only
    then renamed, so an interrupted or failed call leaves earlier files as they were.

    Args:
        figure: one of this module or any other of Matplotlib.
        path: of the file, in a folder that exists.
        formats: such as `("png", "pdf")`.

    Returns:
        The files, one for each format.

    Raises:
        InputError: an unknown format, one that is not the suffix of the path, or no such folder.
    """
    known = figure.canvas.get_supported_filetypes()
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [f for f in formats if f not in known]
    if unknown or not formats:
        raise InputError(
            f"formats is {formats!r}; expected one or more of {', '.join(sorted(known))}; "
            "name them without a dot."
        )
    path = Path(path)
    suffix = path.suffix[1:].lower()
    if suffix in formats:
        path = path.with_suffix("")
    elif suffix in known:
        raise InputError(
            f"{path} ends in .{suffix} but formats is {formats!r}; expected them to agree; "
            f"pass formats=({suffix!r},) or leave the suffix out."
        )
    if not path.name or not path.parent.is_dir():
        raise InputError(
            f"{str(path)!r} was given to write to; expected a file name in an existing folder; "
            "create the folder first."
        )
    targets = [path.with_name(f"{path.name}.{f}") for f in formats]
    # Not tempfile: its files are private to their owner, and a rename keeps that.
    token = secrets.token_hex(4)
    temporary = [t.with_name(f".{t.name}.{token}.tmp") for t in targets]
    try:
        for name, kind in zip(temporary, formats, strict=True):
            with open(name, "xb") as stream:
                figure.savefig(stream, format=kind, dpi=DPI, metadata=_UNDATED.get(kind))
        for name, target in zip(temporary, targets, strict=True):
            os.replace(name, target)
    finally:
        for name in temporary:
            name.unlink(missing_ok=True)
    return targets


def save_pixels(rgb: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Write a picture [H, W, 3] as PNG to exactly this path, one pixel for each of its own.

    Args:
        rgb: [H, W, 3], fractions in [0, 1]; NaN where there is no data, drawn grey.
        path: of the file, in a folder that exists.

    Raises:
        InputError: the picture has another shape, or values outside [0, 1].
    """
    from matplotlib.image import imsave

    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0 or rgb.dtype.kind != "f":
        raise InputError(
            f"the picture has shape {rgb.shape} and dtype {rgb.dtype}; expected rows × columns × 3 "
            "fractions; choose three bands of the cube."
        )
    if np.nanmin(rgb, initial=0.0) < 0 or np.nanmax(rgb, initial=0.0) > 1:
        raise InputError(
            "the picture holds values outside [0, 1]; expected fractions; stretch the bands first."
        )
    gaps = np.isnan(rgb).any(axis=2, keepdims=True)
    filled = np.where(gaps, int(NO_DATA_COLOUR[1:3], 16) / 255, rgb)
    imsave(path, filled, format="png", metadata={"Software": None})  # type: ignore[dict-item]


# Without a date the same figure gives the same bytes, and a committed one no false difference.
_UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
