"""The mask of a scene: valid pixels by a map, by polygons, or by a product's flags.

A map holds 0 where a pixel is not valid and one other value where it is. A file with more values
than these two, or named after clouds or quality, most likely marks the opposite, or classes: it is
refused unless the caller names its valid values. The file's own no-data value is never valid.
Arrays are not checked in this way, since the caller can see their values.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lren_tf.data.array_checks import real_array
from lren_tf.data.labelled_arrays import as_labelled
from lren_tf.data.scene import Scene
from lren_tf.errors import Argument, InputError
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import Reading
from lren_tf.io.base.variable import Variable
from lren_tf.io.labelled import check_aligned
from lren_tf.io.maps import PathLike, missing_pixels, read_map
from lren_tf.io.polygons import is_polygon_file, polygon_mask
from lren_tf.io.registry import opened
from lren_tf.io.select_variables import chosen_map

Intervals = tuple[tuple[float, float], ...]
"""Lowest and highest value of each interval, both included."""

NON_ZERO: Intervals = ((-np.inf, -np.nextafter(0.0, 1.0)), (np.nextafter(0.0, 1.0), np.inf))
"""All values but 0."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INTERVAL = re.compile(rf"\s*({_NUMBER})\s*(?:-\s*({_NUMBER})\s*)?")
# Words after which maps are called in which a value marks what is wrong, or a class.
_FLAGS = frozenset({
    "quality", "qa", "qc", "ql", "bqa", "flag", "flags", "flagged", "cloud", "clouds", "cloudmask",
    "cloudshadow", "cldmsk", "cldmask", "clm", "cld", "fmask", "scl", "cirrus",
    "haze", "shadow", "shadows", "snow", "saturated", "saturation", "defective", "bad", "invalid",
    "nodata",
})  # fmt: skip
# Words that say that a map marks what can be used after all, as in cloud_free.
_USABLE = frozenset({"valid", "free", "clear", "usable", "good", "not", "no", "non", "without"})
_SHOWN = 6


def valid_intervals(mask_values: str | float | Iterable[float] | None) -> Intervals | None:
    """The values of a mask that mark valid pixels.

    Args:
        mask_values: numbers one by one, or text such as `"1"`, `"0,4-7"` or `"nonzero"`; None
            for what the mask itself says.

    Returns:
        Intervals, or None for None.

    Raises:
        InputError: something else.
    """
    if mask_values is None:
        return None
    found: list[tuple[float, float]] = []
    try:
        if isinstance(mask_values, str):
            if mask_values.strip().lower() in ("nonzero", "non-zero"):
                return NON_ZERO
            for part in mask_values.split(","):
                read = _INTERVAL.fullmatch(part)
                if read is None:
                    raise ValueError(part)
                found.append((float(read[1]), float(read[2] or read[1])))
        else:
            given = [mask_values] if np.ndim(mask_values) == 0 else list(mask_values)  # type: ignore[arg-type]
            found = [(float(value), float(value)) for value in given]  # type: ignore[arg-type]
        if not found or not all(low <= high for low, high in found):
            raise ValueError("no value lies in it")
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            argument="mask_values",
            received=f"mask_values is {mask_values!r}",
            expected=("values of the mask that are valid, such as ", Argument("mask_values", "1"),
                      ", ", Argument("mask_values", "0,4-7"), " or nonzero"),
        ) from None  # fmt: skip
    return tuple(found)


def with_mask(scene: Scene, mask: PathLike | npt.ArrayLike, valid: Intervals | None) -> Scene:
    """Return a scene whose valid pixels are those of a mask.

    Args:
        scene: as its file says it, before its valid pixels are known.
        mask: [H, W], or the path of a file with a map or with polygons.
        valid: from `valid_intervals`.

    Raises:
        InputError: the mask is missing, of another shape, or most likely no map of valid pixels;
            polygons that lie elsewhere.
    """
    if as_labelled(mask) is None and is_polygon_file(mask):
        if valid is not None:
            raise no_values(mask, "holds polygons")
        size = scene.shape[:2]
        found = polygon_mask(mask, scene.georeference, *size)  # type: ignore[arg-type]
        return replace(scene, valid=found)
    check_aligned("mask", mask, scene.labels)
    if isinstance(mask, (str, os.PathLike)) or as_labelled(mask) is not None:
        return replace(scene, valid=region_of_file(mask, "mask", valid))
    if valid is None:
        return replace(scene, valid=mask)  # type: ignore[arg-type]
    return replace(scene, valid=_within(real_array(mask, "the mask"), valid))


def region_of_file(path: PathLike, argument: str, valid: Intervals | None = None) -> np.ndarray:
    """The map of a region in a file: non-zero inside.

    Args:
        path: the file, or an xarray object.
        argument: for the message: `mask`, `background`.
        valid: the values that are inside; None for all but 0, where the file has only one such.

    Returns:
        [H, W] numbers or bool, 0 where the file says that there is no data.

    Raises:
        InputError: as `load_map`; also for values, or a name, that most likely say something else.
    """
    with opened(path) as reader:
        variable = chosen_map(reader, None, by_key=False)
        values = read_map(reader, variable, Reading(raw=True))
        missing = _missing(reader, variable, values)
        names = (reader.file.stem, variable.name.rsplit("/", 1)[-1], *reader.words(variable.name))
    if valid is not None:
        values = _within(values, valid)
    else:
        seen = values if missing is None else values[~missing]
        _check_values(reader.file.name, argument, seen)
        # An array keeps its name when it is compared with something.
        if as_labelled(path) is None:
            _check_names(reader.file.name, argument, names)
    if missing is not None:
        values[missing] = 0
    return values


def _within(values: np.ndarray, valid: Intervals) -> np.ndarray:
    found: np.ndarray = np.logical_or.reduce(
        [(values >= low) & (values <= high) for low, high in valid]
    )
    return found


def _missing(reader: Reader, variable: Variable, values: np.ndarray) -> np.ndarray | None:
    """[H, W] bool, True where the file of a map says that there is no data; None for nowhere."""
    with warnings.catch_warnings():
        # Of the place of a mask, which is not asked for.
        warnings.simplefilter("ignore", UserWarning)
        details = reader.details(variable.name, Reading(raw=True))
    missing = missing_pixels(variable, details, values)
    return missing if missing.any() else None


def _check_values(file: str, argument: str, values: np.ndarray) -> None:
    """Refuse values that are most likely no map of a region."""
    if values.dtype.kind == "b" or not np.isfinite(values).all():
        return  # the scene refuses what is not finite
    found = np.unique(values)
    if found.size < 2 or (found.size == 2 and (found == 0).any()):
        return
    shown = ", ".join(f"{value:g}" for value in found[:_SHOWN])
    more = ", ..." if found.size > _SHOWN else ""
    raise _refusal(
        argument, f"{file} holds {found.size} different values ({shown}{more})", "save such a map"
    )


def _check_names(file: str, argument: str, names: Iterable[str]) -> None:
    """Refuse a map that is called after what is wrong with pixels."""
    for name in names:
        words = _words(name)
        if _FLAGS.isdisjoint(words) or not _USABLE.isdisjoint(words):
            continue
        raise _refusal(
            argument,
            f"{file} is called or described as '{name.strip()[:60]}', and may mark what not to use",
            "give it another name if it is one",
        )


def _words(text: str) -> list[str]:
    """Words of a name in lower case: `QL_QUALITY-2`, `cloudMask`, `l2_flags`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+", apart.lower())


def _refusal(argument: str, received: str, remedy: str) -> InputError:
    inside = "valid" if argument == "mask" else "background"
    by_values = (
        "say which of its values are valid, such as ", Argument("mask_values", "0"), " or ",
        Argument("mask_values", "nonzero"),
    )  # fmt: skip
    return InputError(
        argument=argument,
        received=received,
        expected=f"a map that is 0 where a pixel is not {inside}, and one other value where it is",
        remedy=by_values if argument == "mask" else remedy,
    )


def no_values(mask: object, why: str) -> InputError:
    """The refusal of values that are named for a mask which has none."""
    name = Path(mask).name if isinstance(mask, (str, os.PathLike)) else "the mask"
    return InputError(
        argument="mask_values",
        received=f"{name} {why}",
        expected=("a map with ", Argument("mask_values")),
        remedy="leave it out",
    )
