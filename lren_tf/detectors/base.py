"""Protocol of detectors: settings in the constructor, `score` on a cube, `get_config`."""

from __future__ import annotations

import abc
import dataclasses
import warnings
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene
from lren_tf.detectors.working_memory import Size, refuse_too_large
from lren_tf.errors import InputError
from lren_tf.evaluation.score_array import warn_of_flat_scores
from lren_tf.io import scene_of


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


class Detector(abc.ABC):
    """An anomaly detector; subclasses are frozen dataclasses whose fields are its settings.

    A subclass checks its fields in `__post_init__` and computes in `_score`.
    """

    name: ClassVar[str]
    """Key in the registry and on the command line."""
    title: ClassVar[str]
    """Name in tables and figures."""
    stochastic: ClassVar[bool] = False
    """True if there is a field `seed` on which the map can depend."""
    spatial: ClassVar[bool] = True
    """True if a score depends on where in the image the pixel lies. `_score` of a detector
    without sees the valid pixels alone, as an image of one column."""
    streams: ClassVar[bool] = False
    """True if `_score` reads its pixels piece by piece, so that a scene need not fit into
    memory."""

    @property
    def calibrated(self) -> bool:
        """True if a score is −log₁₀ of the estimated share of background pixels above it."""
        return False

    takes_background: ClassVar[bool] = False
    """True if it can take its statistics from a part of the scene (`Scene.background`)."""
    @property
    def draws(self) -> bool:
        """True if the map depends on the seed with these settings."""
        return self.stochastic

    def score(self, cube: npt.ArrayLike | Scene) -> np.ndarray:
        """Anomaly score of every pixel; higher = more anomalous.

        Bands that a scene marks as not good are left out. Pixels that it says hold no data get
        NaN. A detector that looks at neighbours computes with the mean of the valid spectra in
        their place; any other does not see them at all.

        Args:
            cube: [H, W, L] finite real numbers (rows, columns, bands), a scene, or an xarray
                object. The masked values of a masked array hold no data (see `Scene`).

        Returns:
            float32 map [H, W], not normalised; NaN where the scene holds no data. Of an xarray
            object a `DataArray` on its coordinates.

        Raises:
            InputError: the cube cannot be used, or not with these settings, or the detector
                needs more memory for it than is free.
        """
        labelled = scene_of(cube)
        if labelled is not None:
            return labelled.on_labels(self.score(labelled))
        scene = usable_scene(cube)
        self.check_background(scene)
        pixels = FilledPixels(scene, alone=not self.spatial)
        size = Size(*pixels.grid, pixels.shape[1])
        refuse_too_large(self.name, self.title, size, self.get_config())
        doubt = self._doubt(scene)
        if doubt:
            warnings.warn(f"{scene.name} {doubt}.", stacklevel=2)
        score = self._scores_of_valid(scene)
        if not np.isfinite(score).all():
            raise InputError(
                f"{self.title} gave {np.count_nonzero(~np.isfinite(score))} scores that are NaN "
                f"or infinite on {scene.name}; expected finite ones, choose other settings "
                f"({self._settings_text()})."
            )
        if not doubt:
            warn_of_flat_scores(score, self.title, scene.name)
        return scene.spread(score)

    def _doubt(self, scene: Scene) -> str:
        """Reason why the scores of a scene say nothing, with a remedy; it follows the name."""
        return ""

    def _scores_of_valid(self, scene: Scene) -> npt.NDArray[np.float64]:
        """Scores [n] of the pixels that hold data."""
        if scene.background is not None:
            return self._scores_against(scene, scene.background)
        pixels = FilledPixels(scene, alone=not self.spatial)
        score = np.asarray(self._score(pixels if self.streams else pixels.cube()), np.float64)
        score = score.reshape(-1)
        return score if scene.valid is None or not self.spatial else score[scene.valid.reshape(-1)]

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
    def _score(self, pixels: Any) -> np.ndarray:
        """Scores [H, W] or [N] of checked pixels.

        Args:
            pixels: `FilledPixels` if the class `streams`; else a cube [H, W, L] float64, which
                may be overwritten.
        """

    def get_config(self) -> dict[str, Any]:
        """All settings by name, ready for JSON and for the constructor."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """Names of all settings, in the order of the constructor."""
        return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    def _settings_text(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.get_config().items())
