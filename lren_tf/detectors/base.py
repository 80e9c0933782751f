"""What every detector is: settings in the constructor, `score` on a cube, `get_config`."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError
from lren_tf.scene import Scene, check_finite_pixels, varying_bands


def usable_scene(cube: npt.ArrayLike | Scene) -> Scene:
    """A cube [H, W, L] or scene as a scene that a detector can work on.

    Raises:
        InputError: a value is not finite, or every band is constant.
    """
    scene = cube if isinstance(cube, Scene) else Scene(np.asarray(cube))
    check_finite_pixels(scene.pixels, grid_width=scene.width, what=scene.name)
    varying_bands(scene.pixels, what=scene.name)
    return scene


class Detector(abc.ABC):
    """An anomaly detector; subclasses are frozen dataclasses whose fields are its settings.

    A subclass checks its fields in `__post_init__` and computes in `_score`.
    """

    name: ClassVar[str]
    """Key in the registry and on the command line."""
    title: ClassVar[str]
    """What tables and figures call it."""
    stochastic: ClassVar[bool] = False
    """Whether the map depends on a field `seed`."""

    def score(self, cube: npt.ArrayLike | Scene) -> np.ndarray:
        """Anomaly score of every pixel; higher = more anomalous.

        Args:
            cube: [H, W, L] finite real numbers (rows, columns, bands), or a scene.

        Returns:
            float32 map [H, W], not normalised.

        Raises:
            InputError: the cube cannot be used, or not with these settings.
        """
        scene = usable_scene(cube)
        score = np.asarray(self._score(scene.cube.astype(np.float64)), np.float64)
        if not np.isfinite(score).all():
            raise InputError(
                f"{self.title} gave {np.count_nonzero(~np.isfinite(score))} scores that are NaN "
                f"or infinite on {scene.name}; expected finite ones, choose other settings "
                f"({self._settings_text()})."
            )
        return score.astype(np.float32)

    @abc.abstractmethod
    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        """Scores [H, W] of a checked cube [H, W, L], which may be overwritten."""

    def get_config(self) -> dict[str, Any]:
        """All settings by name, ready for JSON and for the constructor."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """Names of all settings, in the order of the constructor."""
        return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    def _settings_text(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.get_config().items())
