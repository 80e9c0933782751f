"""Protocol of detectors: settings in the constructor, `score` on a cube, `get_config`."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError


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

    Pixels without data get the mean of those with data, which is the least remarkable spectrum
    there is: nothing they could add to a neighbour's background makes it stand out.
    """
    # A region that statistics come from says what is unremarkable, too.
    data = scene.valid if scene.background is None else scene.background
    cube = scene.cube if scene.good_bands is None else scene.cube[:, :, scene.good_bands]
    cube = cube.astype(np.float64, order="C")
    if scene.valid is not None:
        cube[~scene.valid] = cube[data].mean(axis=0)
    return cube


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
    spatial: ClassVar[bool] = True
    """Whether a score depends on where in the image the pixel lies. `_score` of a detector
    without sees the valid pixels alone, as an image of one column."""

    @property
    def calibrated(self) -> bool:
        """Whether a score is −log₁₀ of the estimated share of background pixels above it."""
        return False

    takes_background: ClassVar[bool] = False
    """Whether it can take its statistics from a part of the scene (`Scene.background`)."""

    def score(self, cube: npt.ArrayLike | Scene) -> np.ndarray:
        """Anomaly score of every pixel; higher = more anomalous.

        Bands that a scene marks as not good are left out. Pixels that it says hold no data get
        NaN. A detector that looks at neighbours computes with the mean of the valid spectra in
        their place; any other does not see them at all.

        Args:
            cube: [H, W, L] finite real numbers (rows, columns, bands), or a scene. The masked
                values of a masked array hold no data (see `Scene`).

        Returns:
            float32 map [H, W], not normalised; NaN where the scene holds no data.

        Raises:
            InputError: the cube cannot be used, or not with these settings.
        """
        scene = usable_scene(cube)
        self.check_background(scene)
        score = self._scores_of_valid(scene)
        if not np.isfinite(score).all():
            raise InputError(
                f"{self.title} gave {np.count_nonzero(~np.isfinite(score))} scores that are NaN "
                f"or infinite on {scene.name}; expected finite ones, choose other settings "
                f"({self._settings_text()})."
            )
        return scene.spread(score)

    def _scores_of_valid(self, scene: Scene) -> npt.NDArray[np.float64]:
        """Scores [n] of the pixels that hold data."""
        if scene.background is not None:
            return self._scores_against(scene, scene.background)
        if scene.valid is None or self.spatial:
            score = np.asarray(self._score(full_cube(scene)), np.float64)
            return score.reshape(-1) if scene.valid is None else score[scene.valid]
        pixels = scene.valid_pixels
        if scene.good_bands is not None:
            pixels = pixels[:, scene.good_bands]
        return np.asarray(self._score(pixels[:, None].astype(np.float64, order="C"))).reshape(-1)

    @classmethod
    def check_background(cls, scene: Scene) -> None:
        """Refuse a background region where the detector cannot take its statistics from one.

        Raises:
            InputError: it cannot.
        """
        if scene.background is not None and not cls.takes_background:
            raise InputError(
                f"a background region was given with {cls.title}, which takes its statistics from "
                "all pixels it scores; expected rx, lrx, crd or lren with it, leave it out."
            )

    def _scores_against(
        self, scene: Scene, background: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Scores [n] of the pixels that hold data, statistics from those of the background [H, W].

        Of a detector that `takes_background`.
        """
        raise NotImplementedError

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
