"""Scenes that a text names instead of a file: those of the catalogue and the simulated one."""

from __future__ import annotations

import os

from lren_tf import datasets
from lren_tf.data.scene import Scene

SIMULATED = "simulated"


def scene_names() -> list[str]:
    """Names of the catalogue, those of the paper first."""
    return [*datasets.names(), *datasets.further_names()]


def is_name(scene: str) -> bool:
    """Return whether `scene` names a benchmark or the simulated scene; a file of that name wins."""
    return scene in (SIMULATED, *scene_names()) and not os.path.isfile(scene)


def scene_by_name(name: str) -> Scene:
    """The scene that a name means, downloaded if need be.

    Raises:
        InputError: no scene has this name, or it is not at hand.
    """
    return datasets.simulate() if name == SIMULATED else datasets.load(name)
