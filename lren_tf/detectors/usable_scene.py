"""Scenes that a detector can work on, and their cubes without holes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene


def usable_scene(cube: npt.ArrayLike | Scene) -> Scene:
    """A cube [H, W, L] or scene as a scene that a detector can work on.

    Raises:
        InputError: a value is not finite, or every band is constant, among valid pixels and
            good bands.
    """
    scene = cube if isinstance(cube, Scene) else Scene(cube)  # type: ignore[arg-type]
    scene.check_usable()
    return scene


def full_cube(scene: Scene) -> npt.NDArray[np.float64]:
    """A copy [H, W, L] of the scene's good bands that has a spectrum everywhere.

    Pixels without data get the mean of those with data (see `FilledPixels`).
    """
    return FilledPixels(scene).cube()
