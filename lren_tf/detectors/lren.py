"""LREN as a detector: train on the scene, then score it (Jiang et al., AAAI 2021)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf import presets
from lren_tf.data.scene import Scene
from lren_tf.datasets.benchmarks import BENCHMARKS, STUDIED
from lren_tf.detectors.base import InductiveDetector
from lren_tf.errors import InputError
from lren_tf.runtime.progress import bar

if TYPE_CHECKING:
    from lren_tf.model.lren import LREN as Model


class Fitted(NamedTuple):
    """A model, and what it was fitted on."""

    network: Model
    """Trained."""
    bands: np.ndarray | None
    """bool [L], the bands it was given; None for all."""


@dataclass(frozen=True)
class LREN(InductiveDetector):
    """Low-Rank Embedded Network under the protocol of its comparators.

    `score` trains a new :class:`lren_tf.model.lren.LREN` on the scene and scores the same scene.
    That class describes the network, :mod:`lren_tf.settings` its settings. `fit` keeps the trained
    model, by which `predict` scores other scenes.
    """

    name: ClassVar[str] = "lren"
    title: ClassVar[str] = "LREN"
    named_by: ClassVar[str] = "preset"
    stochastic: ClassVar[bool] = True
    spatial: ClassVar[bool] = True
    takes_background: ClassVar[bool] = True

    preset: str = "robust"
    """``"robust"`` (one setting for every scene), ``"paper"`` (the text) or ``"release"``
    (what the authors ran)."""
    seed: int = presets.PAPER.seed
    """Seed of the initial weights (123 in the release)."""
    settings: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    """Single settings of the preset to replace, by name; stored as sorted pairs, so that equal
    settings make equal detectors and none can change afterwards."""
    device: str | None = None
    """Device, as for the model; None for the first GPU, else the CPU."""

    def __post_init__(self) -> None:
        replaced = _as_mapping(self.settings)
        if "seed" in replaced:
            raise InputError(
                "setting 'seed' is among 'settings'; expected it beside them, pass seed=."
            )
        if not isinstance(self.preset, str):
            raise InputError(
                f"preset {self.preset!r} is unknown; expected one of {', '.join(presets.PRESETS)}."
            )
        if self.device is not None and not isinstance(self.device, str):
            raise InputError(
                f"setting 'device' is {self.device!r}; expected a name such as /CPU:0, or None."
            )
        resolved = presets.resolve(self.preset, **{**replaced, "seed": self.seed})
        # Values as the settings convert them: 3.0 epochs are 3 epochs.
        pairs = tuple((name, getattr(resolved, name)) for name in sorted(replaced))
        # A clone keeps the very object that it is given; `repr` tells 3.0 from 3.
        if repr(pairs) != repr(self.settings):
            object.__setattr__(self, "settings", pairs)
        object.__setattr__(self, "seed", resolved.seed)

    def get_config(self) -> dict[str, Any]:
        """All settings by name, ready for JSON and for the constructor."""
        return {
            "preset": self.preset,
            "seed": self.seed,
            "settings": dict(self.settings),
            "device": self.device,
        }

    def prepare(self) -> None:
        """Import TensorFlow and the model."""
        importlib.import_module("lren_tf.model.lren")

    def effective_config(self) -> dict[str, Any]:
        """All settings by name, those of the preset by their values."""
        resolved = presets.resolve(self.preset, **{**dict(self.settings), "seed": self.seed})
        values = resolved.as_dict()
        return {**self.get_config(), "settings": {n: v for n, v in values.items() if n != "seed"}}

    @property
    def chosen_on(self) -> tuple[str, ...]:
        """Scenes with whose truth the preset was chosen; of ``paper`` and ``release`` by the
        authors, who have λ for each."""
        return STUDIED if self.preset == "robust" else tuple(BENCHMARKS)

    @property
    def calibrated(self) -> bool:
        """True if a score is −log₁₀ of the estimated share of background pixels above it: so are
        the scores that are made of evidence."""
        settings = {**dict(self.settings), "seed": self.seed}
        return presets.resolve(self.preset, **settings).fuses_evidence

    @property
    def takes_tables(self) -> bool:
        """True if X of `fit` can be a table, whose samples have no neighbours."""
        settings = presets.resolve(self.preset, **{**dict(self.settings), "seed": self.seed})
        energy = settings.scoring == "energy"
        return not (settings.fuses_evidence or (energy and settings.neighbourhood))

    def _scores_of_valid(self, scene: Scene) -> npt.NDArray[np.float64]:
        return self._fit_valid(scene)[1]

    def _fit_valid(self, scene: Scene) -> tuple[Fitted, npt.NDArray[np.float64]]:
        # The model leaves pixels without data, and outside of the background, out of every sum
        # itself.
        whole = scene.valid is None and scene.background is None
        learned, score = self._fit(_given(scene, scene.good_bands) if whole else scene)
        return learned._replace(bands=scene.good_bands if whole else None), _of_valid(score, scene)

    def _scores_by(self, learned: Fitted, scene: Scene) -> npt.NDArray[np.float64]:
        if learned.bands is not None:
            cube = _given(scene, learned.bands)
            scene = replace(scene, cube=cube, good_bands=None, wavelengths=None)
        return _of_valid(self._score_by(learned, scene), scene)

    def _score_by(self, learned: Fitted, pixels: np.ndarray | Scene) -> np.ndarray:
        return learned.network.score(pixels)

    def _fit(self, pixels: np.ndarray | Scene) -> tuple[Fitted, np.ndarray]:
        # TensorFlow takes seconds to import, and the other detectors do not need it.
        import keras

        from lren_tf.model import lren

        settings = dict(self.settings)
        network = lren.LREN(self.preset, self.seed, self.device, **settings)
        epochs = presets.resolve(self.preset, **settings).total_epochs
        with bar("training", epochs, "epoch") as counter:
            count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counter.update())
            network.fit(pixels, verbose=0, callbacks=[count])
        return Fitted(network, None), network.score(pixels)


def _given(scene: Scene, bands: np.ndarray | None) -> np.ndarray:
    """Cube of a scene [H, W, U] in its own dtype; a copy only where bands are left out."""
    return scene.cube if bands is None else scene.cube[:, :, bands]


def _of_valid(score: np.ndarray, scene: Scene) -> npt.NDArray[np.float64]:
    """Scores [n] of the pixels that hold data, from those [H, W] of all."""
    score = score.astype(np.float64)
    return score.reshape(-1) if scene.valid is None else score[scene.valid]


def _as_mapping(settings: Any) -> dict[str, Any]:
    try:
        replaced = dict(settings)
    except (TypeError, ValueError):
        replaced = None
    if replaced is None or not all(isinstance(name, str) for name in replaced):
        raise InputError(
            f"setting 'settings' is {settings!r}; expected a mapping from names of settings to "
            'values, such as {"epochs": 100}.'
        )
    return replaced
