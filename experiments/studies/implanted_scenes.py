"""Implants: targets of one real scene in the background of another of the same sensor.

Four pairs of scenes, two kinds of targets and three draws of each. The spectra, the backgrounds
and their clutter are real, the places and shares are known: what a simulation cannot give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from experiments.runs.run import load_scene
from lren_tf import Scene, datasets

PAIRS = (
    ("airport-1", "airport-3"),
    ("airport-1", "urban-4"),
    ("sandiego-58", "sandiego"),
    ("urban-4", "airport-1"),
)
"""The scene of the targets and the scene of the background."""
KINDS: Mapping[str, Mapping[str, Any]] = {
    "faint": {"sizes": (1,) * 40, "fill": (0.1, 0.3)},
    "mixed": {"fill": (0.05, 1.0)},
}
"""Forty single pixels, a target in 10 to 30 % of each; and thirteen targets of 1 to 100 pixels."""
DRAWS = (0, 1, 2)
"""Seeds of the places, spectra and shares."""


def implanted(targets: str, background: str, kind: str, draw: int) -> Scene:
    """Return the scene with implants; raises InputError where one of the two is not at hand."""
    return datasets.implant(
        load_scene(targets), load_scene(background), seed=draw, **KINDS[kind]
    ).scene


def name_of(targets: str, background: str, kind: str, draw: int) -> str:
    """Return the name of a scene with implants, which is also that of its folder."""
    return f"{kind}_{targets}_in_{background}_{draw}"


SCENES: Mapping[str, Callable[[], Scene]] = {
    name_of(*pair, kind, draw): partial(implanted, *pair, kind, draw)
    for kind in KINDS
    for pair in PAIRS
    for draw in DRAWS
}
