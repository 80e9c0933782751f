"""Protocol of detectors: settings in the constructor, `score` on a cube, `get_config`."""

from __future__ import annotations

import abc
import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene
from lren_tf.detectors.estimator import Estimator
from lren_tf.detectors.usable_scene import usable_scene
from lren_tf.detectors.working_memory import Size, refuse_too_large
from lren_tf.errors import InputError
from lren_tf.evaluation.score_array import warn_of_flat_scores
from lren_tf.io import scene_of
from lren_tf.runtime.plugins import blaming

_NO_SETTING = "false_alarm_rate"
"""The field of every detector that changes no score."""


@dataclasses.dataclass(frozen=True)
class Detector(Estimator, abc.ABC):
    """An anomaly detector; subclasses are frozen dataclasses whose fields are its settings.

    A subclass checks its fields in `__post_init__` and computes in `_score`. A detector that can
    score scenes other than the one it learned from is an `InductiveDetector`.
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
    takes_background: ClassVar[bool] = False
    """True if it can take its statistics from a part of the scene (`Scene.background`)."""
    named_by: ClassVar[str] = ""
    """Setting that names a set of defaults, such as a preset, which titles of a benchmark tell."""
    plugin: ClassVar[str] = ""
    """Name and package of the plug-in that it is, which the registry enters; empty for none."""

    false_alarm_rate: float = dataclasses.field(default=1e-3, kw_only=True)
    """Share of the background pixels that `predict` may call anomalies; it changes no score."""

    def prepare(self) -> None:
        """Import what `score` would import, so that it does not count in the time of a scene."""

    def effective_config(self) -> dict[str, Any]:
        """Settings like `get_config`, with presets and variants replaced by their values.

        The name of a preset, or None for a variant's value, stays the same when the preset or the
        variant changes; the values do not.
        """
        return self.get_config()

    @property
    def draws(self) -> bool:
        """True if the map depends on the seed with these settings."""
        return self.stochastic

    @property
    def chosen_on(self) -> tuple[str, ...]:
        """Scenes with whose truth the defaults were chosen, by this project or by their source.

        Names of the catalogue, or SHA-256 of a truth (:func:`lren_tf.data.scene.data_sha256` of
        the bool map), by which a benchmark marks them. Settings that replace single defaults
        change nothing here.
        """
        return ()

    @property
    def takes_tables(self) -> bool:
        """True if X of `fit` can be a table, whose samples have no neighbours."""
        return not self.spatial

    def score(self, cube: npt.ArrayLike | Scene) -> np.ndarray:
        """Anomaly score of every pixel; higher = more anomalous.

        Bands that a scene marks as not good are left out. Pixels that it marks as no-data get NaN.
        A detector that uses neighbours computes with the mean of the valid spectra in their place;
        any other detector does not see them at all.

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
        doubt = self._checked(scene)
        with self._refusing_singular(scene), blaming(self.plugin):
            score = self._scores_of_valid(scene)
        self._check_scores(score, scene, doubt)
        return scene.spread(score)

    def check(self, cube: npt.ArrayLike | Scene) -> None:
        """Refuse what `score` refuses before it computes anything.

        Args:
            cube: as for `score`.

        Raises:
            InputError: the cube cannot be used, or the detector needs more memory for it than is
                free. Faults that only the computation can find are not checked.
        """
        self._checked(usable_scene(cube))

    def _fitted(self, scene: Scene) -> tuple[Any, np.ndarray]:
        doubt = self._checked(scene)
        with self._refusing_singular(scene), blaming(self.plugin):
            learned, scores = self._fit_valid(scene)
        self._check_scores(scores, scene, doubt)
        return learned, scores

    def _checked(self, scene: Scene) -> str:
        """Refuse what the detector cannot take; warn of, and return, the reason for doubt."""
        self.check_background(scene)
        pixels = FilledPixels(scene, alone=not self.spatial)
        size = Size(*pixels.grid, pixels.shape[1])
        refuse_too_large(self.name, self.title, size, self.get_config())
        doubt = self._doubt(scene)
        if doubt:
            warnings.warn(f"{scene.name} {doubt}.", stacklevel=3)
        return doubt

    @contextmanager
    def _refusing_singular(self, scene: Scene) -> Iterator[None]:
        """Refuse a scene on which the body meets a matrix that its algebra cannot take."""
        try:
            yield
        except np.linalg.LinAlgError as error:
            raise InputError(
                f"{self.title} cannot be computed on {scene.name} ({str(error).rstrip('.')}); "
                "expected spectra that differ by more than rounding leaves of them, subtract an "
                "offset that all values share, leave out bands, or choose other settings "
                f"({self._settings_text()})."
            ) from error

    def _check_scores(self, scores: np.ndarray, scene: Scene, doubt: str | None = None) -> None:
        """Refuse scores that are none; tell of flat ones unless there is doubt, or None."""
        if not np.isfinite(scores).all():
            raise InputError(
                f"{self.title} gave {np.count_nonzero(~np.isfinite(scores))} scores that are NaN "
                f"or infinite on {scene.name}; expected finite ones, choose other settings "
                f"({self._settings_text()})."
            )
        if doubt == "":
            warn_of_flat_scores(scores, self.title, scene.name)

    def _doubt(self, scene: Scene) -> str:
        """Reason why the scores of a scene say nothing, with a remedy; it follows the name."""
        return ""

    def _fit_valid(self, scene: Scene) -> tuple[Any, npt.NDArray[np.float64]]:
        """Learn from a scene; return what was learned and the scores [n] of its valid pixels."""
        return None, self._scores_of_valid(scene)

    def _scores_of_valid(self, scene: Scene) -> npt.NDArray[np.float64]:
        """Scores [n] of the pixels that hold data."""
        if scene.background is not None:
            return self._scores_against(scene, scene.background)
        return self._valid(self._score(self._pixels_of(scene)), scene)

    def _pixels_of(self, scene: Scene) -> Any:
        """The pixels of a scene as `_score` takes them."""
        pixels = FilledPixels(scene, alone=not self.spatial)
        return pixels if self.streams else pixels.cube()

    def _valid(self, scores: npt.ArrayLike, scene: Scene) -> npt.NDArray[np.float64]:
        """Select the scores [n] of pixels that hold data from those of all pixels seen."""
        found = np.asarray(scores, np.float64)
        seen = scene.height * scene.width if self.spatial else scene.valid_count
        if found.size != seen:
            raise InputError(
                received=f"{self.title} gave scores of shape {found.shape} for {seen} pixels of "
                f"{scene.name}",
                expected="one for each pixel",
            )
        found = found.reshape(-1)
        if scene.valid is None or not self.spatial:
            return found
        return found[scene.valid.reshape(-1)]

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
        values = dataclasses.asdict(self)
        return {name: values[name] for name in self.setting_names()}

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """Names of all settings, in the order of the constructor."""
        names = (field.name for field in dataclasses.fields(cls))
        return tuple(name for name in names if name != _NO_SETTING)

    def _settings_text(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.get_config().items())


class InductiveDetector(Detector):
    """A detector that learns from one scene with `fit`, and scores others with `predict`.

    A subclass computes in `_fit` and `_score_by`; `score` returns the scores of `_fit`.
    """

    inductive: ClassVar[bool] = True

    @abc.abstractmethod
    def _fit(self, pixels: Any) -> tuple[Any, np.ndarray]:
        """Learn from checked pixels, and score them.

        Args:
            pixels: as for `_score`.

        Returns:
            What `_score_by` takes, small beside the scene and fit to be pickled; scores as of
            `_score`.
        """

    @abc.abstractmethod
    def _score_by(self, learned: Any, pixels: Any) -> np.ndarray:
        """Scores of pixels, those of `_fit` or others, by what was learned.

        Args:
            learned: from `_fit`.
            pixels: as for `_score`, of as many bands as those of `_fit`.
        """

    def _score(self, pixels: Any) -> np.ndarray:
        return self._fit(pixels)[1]

    def _fit_valid(self, scene: Scene) -> tuple[Any, npt.NDArray[np.float64]]:
        if scene.background is not None:
            return self._fit_against(scene, scene.background)
        learned, scores = self._fit(self._pixels_of(scene))
        return learned, self._valid(scores, scene)

    def _scored(self, learned: Any, scene: Scene) -> np.ndarray:
        with self._refusing_singular(scene), blaming(self.plugin):
            scores = self._scores_by(learned, scene)
        self._check_scores(scores, scene)
        return scores

    def _scores_by(self, learned: Any, scene: Scene) -> npt.NDArray[np.float64]:
        """Scores [n] of the pixels of a scene that hold data."""
        return self._valid(self._score_by(learned, self._pixels_of(scene)), scene)

    def _fit_against(
        self, scene: Scene, background: npt.NDArray[np.bool_]
    ) -> tuple[Any, npt.NDArray[np.float64]]:
        """Learn as `_fit_valid` does, from the pixels of the background [H, W] alone.

        Of a detector that `takes_background`.
        """
        raise NotImplementedError

    def _scores_against(
        self, scene: Scene, background: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        return self._fit_against(scene, background)[1]
