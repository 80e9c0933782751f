"""One detector of the registry on one scene, with its defaults but for named settings."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.reporting.provenance import provenance
from experiments.runs.run import Run, Workspace, keep_failure, keep_score
from lren_tf import InputError, Scene, detectors
from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import data_sha256
from lren_tf.errors import TrainingDiverged
from lren_tf.records import scene_record
from lren_tf.runtime.startup import quiet_start

if TYPE_CHECKING:  # its module loads TensorFlow
    from lren_tf.detectors.aae import LatentTraining


@dataclass(frozen=True)
class DetectorRun(Run):
    """A detector by its name in the registry."""

    detector: str
    seed: int | None = None
    """None for a detector without one."""
    settings: tuple[tuple[str, Any], ...] = ()
    """What differs from the detector's defaults."""

    @property
    def stem(self) -> str:
        """Detector, settings that differ, seed."""
        parts = [self.detector, *(f"{name}-{value}" for name, value in self.settings)]
        if self.seed is not None:
            parts.append(f"seed{self.seed}")
        return "_".join(parts)

    def make(self) -> detectors.Detector:
        """The detector with these settings."""
        settings = dict(self.settings)
        if self.seed is not None:
            settings["seed"] = self.seed
        return detectors.create(self.detector, **settings)

    @property
    def resolved_settings(self) -> Mapping[str, Any]:
        """Every setting of the detector."""
        return self.make().get_config()

    @property
    def label(self) -> str:
        """Study, scene, and the detector's title with what differs."""
        title = detectors.detector_class(self.detector).title
        further = [f"{name} {value}" for name, value in self.settings]
        further += [] if self.seed is None else [f"seed {self.seed}"]
        return ", ".join([f"{self.study}: {self.scene}, {title}", *further])

    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Score and write map and JSON; a refusal or divergence is a result, not an error."""
        with quiet_start():  # some detectors need TensorFlow
            detector = self.make()
        record: dict[str, Any] = {
            "study": self.study,
            "detector": self.detector,
            "seed": self.seed,
            "settings": detector.get_config(),
            "scene": scene_record(scene),
            **provenance(),
        }
        share_training(detector, record)
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                score = detector.score(scene)
            except (InputError, TrainingDiverged) as error:
                record["seconds"] = {"score": time.perf_counter() - started}
                return keep_failure(self, space, record, "failed", error)
        record |= {
            "notices": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
            # As if it had trained by itself, so that times of one method can be compared.
            "seconds": {"score": time.perf_counter() - started + record.get("shared_seconds", 0)},
        }
        return keep_score(self, scene, space, record, score)


_trainings: dict[tuple[Any, ...], tuple[LatentTraining, float]] = {}
"""The last training of an encoder, by scene and settings, and the seconds that it took."""


def share_training(detector: detectors.Detector, record: dict[str, Any]) -> None:
    """Let AAE-RX and AAE of one seed and scene share their training, which is the same.

    Whichever of the two runs second in this process takes the training of the first.

    Args:
        detector: about to score; any but those two is left as it is.
        record: gets ``shared_seconds``, the time of a training that need not run again.
    """
    if detector.name not in ("aae_rx", "aae"):
        return
    train = detector.train
    shared = {name: detector.get_config()[name] for name in detectors.create("aae_rx").get_config()}

    def once(pixels: FilledPixels) -> LatentTraining:
        key = (data_sha256(pixels[:]), *sorted(shared.items(), key=str))
        if key in _trainings:
            record["shared_seconds"] = _trainings[key][1]
        else:
            started = time.perf_counter()
            training = train(pixels)
            _trainings.clear()
            _trainings[key] = training, time.perf_counter() - started
        training, _ = _trainings[key]
        return training._replace(samples=training.samples.copy())

    # The detector is frozen; its method is shadowed in this one object.
    object.__setattr__(detector, "train", once)


def seeds_of(detector: str, count: int, **settings: Any) -> tuple[int | None, ...]:
    """Seeds 0, 1, … of a detector that draws with these settings.

    Args:
        detector: its name.
        count: how many seeds.
        settings: what differs from its defaults.

    Returns:
        (0,) if it has a seed and draws nothing, (None,) if it has none.
    """
    made = detectors.create(detector, **settings)
    return tuple(range(count if made.draws else 1)) if made.stochastic else (None,)
