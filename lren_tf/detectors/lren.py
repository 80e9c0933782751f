"""LREN as a detector: train on the scene, then score it (Jiang et al., AAAI 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf import presets
from lren_tf.data.scene import Scene
from lren_tf.detectors.base import Detector
from lren_tf.errors import InputError
from lren_tf.runtime.progress import bar


@dataclass(frozen=True)
class LREN(Detector):
    """Low-Rank Embedded Network under the protocol of its comparators.

    `score` trains a new :class:`lren_tf.model.lren.LREN` on the scene and scores the same scene.
    That class describes the network, :mod:`lren_tf.settings` its settings. To keep the trained
    network use the class itself.
    """

    name: ClassVar[str] = "lren"
    title: ClassVar[str] = "LREN"
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

    @property
    def calibrated(self) -> bool:
        """Whether a score is −log₁₀ of the estimated share of background pixels above it: so are
        the scores that are made of evidence."""
        settings = {**dict(self.settings), "seed": self.seed}
        return presets.resolve(self.preset, **settings).fuses_evidence

    def _scores_of_valid(self, scene: Scene) -> npt.NDArray[np.float64]:
        if scene.background is not None:
            score = self._fitted_score(scene).astype(np.float64)
            return score.reshape(-1) if scene.valid is None else score[scene.valid]
        if scene.valid is None:
            return super()._scores_of_valid(scene)
        # The model leaves pixels without data out of every sum itself.
        return self._fitted_score(scene)[scene.valid].astype(np.float64)

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        return self._fitted_score(cube)

    def _fitted_score(self, cube: npt.NDArray[np.float64] | Scene) -> np.ndarray:
        # TensorFlow takes seconds to import, and the other detectors do not need it.
        import keras

        from lren_tf.model import lren

        settings = dict(self.settings)
        network = lren.LREN(self.preset, self.seed, self.device, **settings)
        epochs = presets.resolve(self.preset, **settings).total_epochs
        with bar("training", epochs, "epoch") as counter:
            count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counter.update())
            network.fit(cube, verbose=0, callbacks=[count])
        return network.score(cube)


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
