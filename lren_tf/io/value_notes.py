"""Notes on values of a scene that are likely not measurements, with the option to exclude them.

`lren_tf.data.suspect_values` finds the values.
"""

from __future__ import annotations

import warnings

from lren_tf.data.scene import Scene
from lren_tf.data.suspect_values import (
    SuspectValue,
    constant_spectra,
    far_value,
    repeated_spectrum,
)


def note_suspect_values(scene: Scene, *, with_own: bool, scaled: bool) -> None:
    """Tell of suspect values by a `UserWarning` each.

    Args:
        scene: with its valid pixels and good bands.
        with_own: whether the file says a no-data value itself, which another one would replace.
        scaled: whether stored values were scaled, maybe differently from band to band.
    """
    looked_at = scene.cube, scene.valid, scene.good_bands
    own = "file," if with_own else ""
    constants = constant_spectra(*looked_at)
    if constants:
        shares = " and ".join(f"{_pixels(one)} are {one.value:.9g}" for one in constants)
        values = ",".join(f"{one.value:.9g}" for one in constants)
        _tell(
            f"{scene.name}: {shares} in every band; if that is no data, pass "
            f"--no-data{_joint(own + values)}."
        )
    # What one stored value in every band becomes where each band has a scale of its own.
    repeated = repeated_spectrum(*looked_at) if scaled and not constants else None
    if repeated is not None:
        _tell(
            f"{scene.name}: {_pixels(repeated)} hold one and the same spectrum, "
            f"{repeated.value:.9g} in the first band that is used; if that is no data, leave "
            "them out with --mask, or name the stored value with --raw --no-data."
        )
    far = far_value(*looked_at)
    if far is not None and far.value not in [one.value for one in constants]:
        pixels = "1 pixel holds" if far.pixels == 1 else f"{far.pixels} pixels hold"
        _tell(
            f"{scene.name}: {pixels} values such as {far.value:.9g}, a million times farther from "
            "the other values of a band than most of those from each other; if that is no data, "
            f"pass --no-data{_joint(f'{own}{far.value:.9g}')}."
        )


def _pixels(found: SuspectValue) -> str:
    return f"{found.share:.1%} of the pixels" if found.share >= 0.001 else f"{found.pixels} pixels"


def _joint(text: str) -> str:
    """A value after its option: what looks like an option itself needs the sign between them."""
    try:
        plain = float(text) >= 0 or "e" not in text
    except ValueError:
        plain = not text.startswith("-")
    return f" {text}" if plain else f"={text}"


def _tell(text: str) -> None:
    warnings.warn(text, stacklevel=5)
