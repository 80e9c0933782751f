"""Trained models on the command line: the files that ``detect --apply`` and ``export`` load."""

from __future__ import annotations

import argparse
import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.cli.options.detector import started
from lren_tf.cli.options.distribution import OPTIONS as DISTRIBUTION
from lren_tf.cli.options.long_training import OPTIONS as LONG_RUNS
from lren_tf.data.array_checks import check_finite_pixels
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.same_sensor import (
    SensorRecord,
    refuse_other_wavelengths,
    warn_of_bands_left_out,
    warn_of_drift,
)
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.records import scene_record, scoring_record
from lren_tf.runtime.files import as_path
from lren_tf.runtime.startup import make_repeatable
from lren_tf.runtime.versions import loaded_versions
from lren_tf.settings import EVIDENCE, Settings

TRAINING = ("preset", "seed", "epochs", "save_model", *LONG_RUNS, *DISTRIBUTION)
"""Options that say how to train."""


def refuse_training_options(arguments: argparse.Namespace) -> None:
    """Refuse what says how to train beside ``--apply``, where nothing is trained."""
    given = [name for name in TRAINING if getattr(arguments, name) is not None]
    if given or arguments.set:
        option = "--" + (given[0].replace("_", "-") if given else "set")
        raise InputError(
            f"{option} was given with --apply; expected no option of the training beside a model "
            "that is trained, leave it out."
        )


class Applied:
    """A trained model that scores another scene: a ``.keras`` file or a SavedModel.

    Args:
        path: what ``--save-model`` or ``export`` wrote.
        device: as for a new model.
        lam: λ of eq. (1) in place of the model's; a ``.keras`` file only.
        recalibrate: whether evidence is compared with the background of the scored scene; a
            ``.keras`` file only.

    Attributes:
        model: the loaded :class:`lren_tf.LREN`; None for a SavedModel.
        evidence: names of the evidence that the scores are made of; empty for other scores.

    Raises:
        InputError: there is no such model, or it does not fit the other arguments.
    """

    def __init__(
        self, path: str, device: str | None, lam: float | None, *, recalibrate: bool = False
    ) -> None:
        self.path = existing_model(path)
        self._lam = lam
        self._recalibrate = recalibrate
        with started():
            if os.path.isdir(self.path):
                self._load_saved_model(device)
            else:
                self.model = load_keras_model(self.path, device)
                self.title = f"LREN ({self.model.preset})"
                self.bands = bands_of(self.model)
                settings = self.model.settings
                self.evidence = settings.evidence if settings.fuses_evidence else ()
                self._device = self.model.device
        make_repeatable(self._device)

    def _load_saved_model(self, device: str | None) -> None:
        if self._lam is not None:
            raise InputError(
                f"--lam was given with the SavedModel {self.path}, whose λ is fixed; expected it "
                "with a .keras file, leave it out."
            )
        if self._recalibrate:
            raise InputError(
                f"--recalibrate was given with the SavedModel {self.path}, whose calibration is "
                "fixed; expected it with a .keras file, leave it out."
            )
        import tensorflow as tf

        from lren_tf.model.saved_model import is_saved_model
        from lren_tf.runtime.device import resolve_device

        self.model, self._device = None, resolve_device(device)
        if not is_saved_model(self.path):
            raise InputError(
                f"{self.path} is a folder without a SavedModel; expected a .keras file that "
                "--save-model wrote, or a folder that export wrote."
            )
        # Kept, because a signature does not keep what it was loaded with.
        self._loaded = tf.saved_model.load(str(self.path))
        signature = self._loaded.signatures.get("score")
        inputs = {} if signature is None else signature.structured_input_signature[1]
        if "pixels" not in inputs:
            raise InputError(
                f"{self.path} is a SavedModel without the endpoint 'score' of pixels; expected "
                "one that lren-tf export wrote."
            )
        self._sensor = _sensor_of(self.path)
        self._score, self._takes = signature, inputs["pixels"].shape
        self._evidence = self._loaded.signatures.get("evidence")
        names = () if self._evidence is None else self._evidence.structured_outputs
        self.evidence = tuple(name for name in EVIDENCE if name in names)
        self.bands = self._takes[-1]
        self.title = "LREN (SavedModel)"

    def score(
        self, scene: Scene, *, with_evidence: bool = True
    ) -> tuple[np.ndarray, dict[str, np.ndarray] | None, dict[str, Any]]:
        """Scores ``[H, W]`` float32 of a scene, their evidence, and what the report says of them.

        Args:
            with_evidence: False where evidence is not needed; a SavedModel computes it apart.

        Returns:
            Scores; maps of the evidence by name, None for scores that are not made of it or where
            it is not needed; part of the report.

        Raises:
            InputError: the scene has another number of bands, or values that are not finite.
        """
        record: dict[str, Any] = {"model": str(self.path), "scene": scene_record(scene)}
        if self.model is None:
            score, evidence = self._served(scene, with_evidence)
            if self._sensor is not None:
                used = np.asarray(self._sensor.used, bool)
                warn_of_bands_left_out(scene.name, scene.good_bands, used)
                self._note_drift(scene, self._sensor)
            return score, evidence, {**record, "versions": loaded_versions()}
        model = self.model
        settings = model.settings.as_dict()
        record |= {
            "preset": model.preset,
            "settings": settings if self._lam is None else {**settings, "lam": self._lam},
            "device": model.device,
        }
        score, result = model.scored(scene, lam=self._lam, recalibrate=self._recalibrate)
        self._note_drift(scene, model.sensor)
        record |= scoring_record(model, result)
        evidence = result.evidence if self.evidence else None
        return score, evidence, {**record, "versions": loaded_versions()}

    @property
    def settings(self) -> Settings | None:
        """Settings of the model; None of a SavedModel, which does not tell them."""
        return None if self.model is None else self.model.settings

    def check(self, scene: Scene) -> None:
        """Refuse a scene that `score` would refuse.

        Raises:
            InputError: as of `score`.
        """
        if self.model is None:
            # Which bands have to be finite only the exported function knows.
            self._check_served(scene)
        else:
            self.model.check_input(scene)

    def _check_served(self, scene: Scene) -> None:
        if self._sensor is not None:
            refuse_other_wavelengths(scene.name, scene.wavelengths, self._sensor.wavelengths)
        if scene.bands != self.bands:
            raise InputError(
                f"the data has {scene.bands} bands; the model was fitted on {self.bands}: "
                "pass a scene of the same sensor, or fit a new model."
            )
        of_images = len(self._takes) == 3
        if of_images and scene.valid is not None:
            missing = scene.height * scene.width - scene.valid_count
            raise InputError(
                f"{scene.name} has {missing} pixel{'' if missing == 1 else 's'} without data, and "
                f"the SavedModel {self.path} scores whole images; expected data in every pixel, "
                "pass the .keras file of the model, which leaves such pixels out."
            )

    def _note_drift(self, scene: Scene, sensor: SensorRecord) -> None:
        """Tell of a scene that looks unlike the model's own, after it was scored."""
        if not self._recalibrate:
            warn_of_drift(scene.name, PixelMatrix(scene.cube, scene.valid), sensor)

    def _served(
        self, scene: Scene, with_evidence: bool
    ) -> tuple[np.ndarray, dict[str, np.ndarray] | None]:
        import tensorflow as tf

        self._check_served(scene)
        with tf.device(self._device):
            data = scene.cube if len(self._takes) == 3 else scene.valid_pixels
            pixels = tf.constant(data.astype(np.float32))
            try:
                (score,) = self._score(pixels=pixels).values()
            except tf.errors.InvalidArgumentError:
                # The model knows which bands it uses; what the others hold does not matter.
                self._refuse_not_finite(scene)
                raise
            found = self._evidence(pixels=pixels) if with_evidence and self.evidence else None

        def as_map(values: Any) -> np.ndarray:
            return scene.spread(values.numpy().reshape(-1))

        if found is None:
            return as_map(score), None
        return as_map(score), {name: as_map(found[name]) for name in self.evidence}

    def _refuse_not_finite(self, scene: Scene) -> None:
        """Refuse NaN and infinity with their place; those in good bands come first."""
        for bands in (scene.good_bands, None):
            check_finite_pixels(
                PixelMatrix(scene.cube),
                grid_width=scene.width,
                what=scene.name,
                valid=None if scene.valid is None else scene.valid.reshape(-1),
                bands=bands,
            )


def applied(path: str, device: str | None, lam: float | None, *, recalibrate: bool) -> Applied:
    """A trained model as `Applied`; the last one again, if nothing about it has changed.

    Loading takes longer than scoring a small scene.
    """
    model = existing_model(path)
    known = model / "saved_model.pb" if model.is_dir() else model
    stamp = (known.stat().st_size, known.stat().st_mtime_ns) if known.exists() else (0, 0)
    return _loaded(os.path.realpath(model), path, device, lam, recalibrate, stamp)


@functools.lru_cache(maxsize=1)
def _loaded(
    real: str, path: str, device: str | None, lam: float | None, recalibrate: bool,
    stamp: tuple[int, int],
) -> Applied:  # fmt: skip
    return Applied(path, device, lam, recalibrate=recalibrate)


def _sensor_of(folder: Path) -> SensorRecord | None:
    """Read the record of an exported model's scene; None if it cannot be read."""
    from lren_tf.model.saved_model import SENSOR_FILE  # which imports TensorFlow

    try:
        text = (folder / "assets.extra" / SENSOR_FILE).read_text("ascii")
        return SensorRecord(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def existing_model(path: str) -> Path:
    """Path of a trained model that exists.

    Raises:
        InputError: there is no such file or folder.
    """
    model = as_path(path)
    if not os.path.exists(model):
        raise InputError(
            f"{path} does not exist; expected a trained model, such as --save-model writes, check "
            "the path."
        )
    if not os.path.isfile(model) and not os.path.isdir(model):  # opening a pipe would never end
        raise InputError(
            f"{path} is not a regular file; expected a trained model, such as --save-model writes."
        )
    return model


def load_keras_model(path: Path, device: str | None) -> Any:
    """A fitted LREN of a ``.keras`` file, on a device."""
    import keras

    from lren_tf.model.lren import LREN
    from lren_tf.runtime.device import resolve_device

    device = resolve_device(device)
    try:
        model = keras.models.load_model(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # whatever a broken file makes Keras raise
        raise InputError(
            f"{path} cannot be read as a model ({type(error).__name__}); expected a .keras file "
            "that --save-model wrote."
        ) from error
    if not isinstance(model, LREN):
        raise InputError(
            f"{path} holds a {type(model).__name__}; expected a model of LREN, such as "
            "--save-model writes."
        )
    model.device = device
    _ = model.dictionary  # refuses a model that is not fitted
    return model


def bands_of(model: Any) -> int:
    """Bands of the scene that a model was fitted on."""
    return model.get_build_config()["bands"]
