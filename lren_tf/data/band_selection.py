"""Selection of the bands that detectors use, with the reason for leaving others out."""

from __future__ import annotations

import re

import numpy as np

from lren_tf.data.array_checks import varies
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.scene import Scene
from lren_tf.errors import Argument, InputError

WATER_WINDOWS = ((1340.0, 1460.0), (1790.0, 1960.0), (2450.0, np.inf))
"""First and last wavelength in nanometres of what water vapour leaves no signal in: the two
strong absorptions between the windows of the atmosphere, and the end of the range, where water
and carbon dioxide take what the sun has left. Limits as usually cut for AVIRIS and its kin."""


def water_bands(wavelengths: np.ndarray) -> np.ndarray:
    """Return which bands lie in `WATER_WINDOWS`, bool [B]; wavelengths [B] in nanometres."""
    return np.any([(low <= wavelengths) & (wavelengths <= high) for low, high in WATER_WINDOWS], 0)


def unused_bands(scene: Scene, *, drop_water: bool = False) -> dict[str, np.ndarray]:
    """Return the unused bands by reason; a band is counted under its first reason only.

    Args:
        scene: its good bands must be finite in its valid pixels.
        drop_water: whether to leave out the bands of `WATER_WINDOWS` too.

    Returns:
        Reason -> [B] bool: `bad` (not among the scene's good bands), `water` and `constant`
        (one value in all valid pixels).

    Raises:
        InputError: `drop_water` without wavelengths.
    """
    none = np.zeros(scene.bands, bool)
    bad = none if scene.good_bands is None else ~scene.good_bands
    water = none
    if drop_water:
        if scene.wavelengths is None:
            raise InputError(
                argument="drop_water",
                received=f"{scene.name} says no wavelengths, so its water-absorption bands are "
                "unknown",
                expected=("wavelengths with ", Argument("drop_water", "True")),
                remedy=("name the bands with ", Argument("bands"), " instead"),
            )
        water = water_bands(scene.wavelengths) & ~bad
    valid = None if scene.valid is None else scene.valid.reshape(-1)
    constant = ~varies(PixelMatrix(scene.cube), valid) & ~bad & ~water
    return {"bad": bad, "water": water, "constant": constant}


def used_bands(scene: Scene, *, drop_water: bool = False) -> np.ndarray:
    """Return the bands that a detector uses, bool [B]: all but those of `unused_bands`.

    Raises:
        InputError: `drop_water` without wavelengths.
    """
    return ~np.any(list(unused_bands(scene, drop_water=drop_water).values()), axis=0)


def parse_bands(text: str, count: int) -> np.ndarray:
    """A selection of bands from text, bool [B].

    Args:
        text: numbers and ranges counted from 0, both ends included, separated by commas:
            `0-99,120,130-`; an open range ends at the last band.
        count: bands B of the sensor.

    Raises:
        InputError: it cannot be read so, or names a band that there is not.
    """
    chosen = np.zeros(count, bool)
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})\s*(-\s*(\d{1,9})?)?\s*", part, re.ASCII)
        if found is None:
            raise InputError(
                f"the bands are given as {text!r}; expected numbers and ranges counted from 0, "
                "such as 0-99,120,130-."
            )
        first = int(found[1])
        last = first if found[2] is None else count - 1 if found[3] is None else int(found[3])
        if not first <= last < count:
            raise InputError(
                f"the bands are given as {text!r}, but {part.strip()!r} is not a range of the "
                f"{count} bands; expected numbers from 0 to {count - 1}, the smaller one first."
            )
        chosen[first : last + 1] = True
    return chosen


def ranges_text(chosen: np.ndarray) -> str:
    """Bands [B] bool as text that `parse_bands` reads: `0-99,120`; empty for none."""
    index = np.flatnonzero(chosen)
    runs = np.split(index, np.flatnonzero(np.diff(index) > 1) + 1) if index.size else []
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
