"""Attributes of an array in any container: fill values, scales, tables of bands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lren_tf.io.base.band_tables import BandTable, is_table_of_bands
from lren_tf.io.base.scaling import Scaling

Attributes = Iterable[tuple[str, object]]
"""Names and values."""

# Attributes with what marks missing data, in lower case without underscores.
_NO_DATA = frozenset({
    "fillvalue", "missingvalue", "dataignorevalue", "ignorevalue", "nodata", "nodatavalue",
})  # fmt: skip
_MOST_NO_DATA = 16
# rioxarray's names for numbers that differ from band to band.
_OF_BANDS = {"scales": "scale_factor", "offsets": "add_offset"}


def fill_values_among(said: Attributes) -> tuple[float, ...]:
    """The stored values that mark missing data, by any of the usual attributes."""
    found: set[float] = set()
    said = list(said)
    unsigned = is_unsigned(said)
    for key, value in said:
        if plain(key) in _NO_DATA:
            numbers = numbers_of(stored_as(value, unsigned))
            if numbers is not None and numbers.size <= _MOST_NO_DATA:
                found.update(float(number) for number in numbers if np.isfinite(number))
    return tuple(sorted(found))


def is_unsigned(said: Attributes) -> bool:
    """Return whether integers that are stored as signed ones are meant to be unsigned (netCDF)."""
    return any(
        key == "_Unsigned" and [word.lower() for word in words(value)] == ["true"]
        for key, value in said
    )


def stored_as(value: object, unsigned: bool) -> object:
    """An attribute of the type of the stored values, which are unsigned where the file says so."""
    array = np.asarray(value)
    if not unsigned or array.dtype.kind != "i":
        return value
    return array.view(array.dtype.str.replace("i", "u"))


def scaling_among(
    said: Attributes, name: str, shape: tuple[int, ...], bands: int | None = None
) -> Scaling:
    """Return the scaling of stored values that the attributes of an array give.

    `scale_factor` and `add_offset` as netCDF's conventions (CF) say: stored · factor + offset;
    `scales` and `offsets` as rioxarray lists them. A `Scale_Factor` of NEON's is what to divide
    by. A list is one number for each band; one that fits no axis is the `problem` of what is
    returned.

    Args:
        said: the attributes.
        name, shape: of the array.
        bands: the axis of the bands; None for the last axis that is as long as a list.
    """
    found: dict[str, Any] = {}
    problem = ""
    for key, value in said:
        entry = _OF_BANDS.get(key, key.lower())
        numbers = numbers_of(value) if entry in ("scale_factor", "add_offset") else None
        if numbers is None or not numbers.size or not np.isfinite(numbers).all():
            continue
        if key == "Scale_Factor":
            if numbers.size == 1 and numbers[0] > 0:
                found["divisor"] = float(numbers[0])
            continue
        if numbers.size == 1:
            found[entry] = float(numbers[0])
            continue
        axes = [axis for axis, length in enumerate(shape) if length == numbers.size]
        if axes:
            broadcast = [1] * len(shape)
            broadcast[bands if bands in axes else axes[-1]] = numbers.size
            found[entry] = numbers.reshape(broadcast)
        else:
            problem = (
                f"'{name}': its attribute '{key}' has {numbers.size} entries, which fit no axis of "
                f"{shape}: it is not applied."
            )
    if "scale_factor" in found or "add_offset" in found:
        found.pop("divisor", None)
    return Scaling(
        found.get("scale_factor", 1.0),
        found.get("add_offset", 0.0),
        found.get("divisor", 1.0),
        problem,
    )


def tables_among(said: Sequence[tuple[str, object]]) -> list[BandTable]:
    """Tables of wavelengths and widths, with their units."""
    found: list[BandTable] = []
    units = {key.lower(): words(value, split=False) for key, value in said}
    for key, value in said:
        numbers = numbers_of(value) if is_table_of_bands(key) else None
        if numbers is not None and numbers.size > 1:
            unit = next(
                (units[name][0] for name in _unit_names(key) if len(units.get(name, ())) == 1),
                None,
            )
            found.append(BandTable(key, (numbers.size,), numbers, unit, attribute=True))
    return found


def plain(key: str) -> str:
    """A name in lower case without anything but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def words(value: object, split: bool = True) -> list[str]:
    """The texts of an attribute; one text that lists several is parted at commas."""
    parts = np.asarray(value).ravel().tolist() if not isinstance(value, (str, bytes)) else [value]
    texts = [p.decode("utf-8", "replace") if isinstance(p, bytes) else p for p in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        return []
    if split and len(texts) == 1:
        texts = re.split(r"[,;|]", texts[0].strip(" {}[]()"))
    return [text.strip(" '\"\0") for text in texts]


def numbers_of(value: object) -> np.ndarray | None:
    """The numbers [B] of an attribute, stored as numbers or as text."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            return array.astype(np.float64).ravel()
        return np.array([float(re.sub(r"[^0-9.eE+-]+$", "", t)) for t in words(value)])
    except (ValueError, TypeError):
        return None


def _unit_names(key: str) -> tuple[str, ...]:
    key = key.lower()
    single = key.removesuffix("s")
    return (f"{key}_units", f"{key}_unit", f"{single}_units", f"{single}_unit",
            f"{key} units", f"{single} units")  # fmt: skip
