"""LREN as a Keras model: autoencoder and mixture trained together, scored by low rank.

The class joins the parts: :mod:`lren_tf.training.run` trains, :mod:`lren_tf.model.results` has what
a fitted model gives, :mod:`lren_tf.model.fitted_state` stores, and
:mod:`lren_tf.model.saved_model` exports.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from lren_tf import presets
from lren_tf.errors import InputError
from lren_tf.model.endpoints import endpoints_of
from lren_tf.model.inputs import (
    ModelInput,
    as_model_input,
    background_of,
    warn_of_constant_bands,
)
from lren_tf.model.keras_arguments import callback_list, check_arguments
from lren_tf.model.keras_methods import KerasMethods
from lren_tf.model.members import Members
from lren_tf.model.network import seed_of_member
from lren_tf.model.saved_model import SENSOR_FILE, export_saved_model
from lren_tf.runtime.device import resolve_device
from lren_tf.runtime.strategy import StrategyWorkers, workers_of
from lren_tf.settings import Settings
from lren_tf.training.pixel_reader import StandardisedPixels
from lren_tf.training.resume import CHECKPOINT_EVERY
from lren_tf.training.run import Plan, TrainingRun
from lren_tf.validators import size_in_bytes


@keras.saving.register_keras_serializable(package="lren_tf")
class LREN(KerasMethods):
    """Low-Rank Embedded Network (Jiang et al., AAAI 2021).

    An autoencoder and a softmax mixture estimator are trained together on the pixels of
    one scene (eqs. 2-11); atoms chosen from the latent samples form a dictionary; the
    low-rank step (eqs. 12-20) represents the samples by it, and the norm of a pixel's residual
    is its score. The preset ``robust`` trains several small networks together and scores by the
    energy (8) under a mixture of the background instead. Higher score = more anomalous. ::

        model = LREN("robust")
        model.fit("scene.mat")
        score = model.score("scene.mat")  # [H, W] float32

    ``fit`` compiles the model from its preset unless it has been compiled. The other results of
    ``fit`` (standardisation, mixture, dictionary, background) are non-trainable weights, so a
    saved model scores as the original does.

    Args:
        preset: ``"robust"``, one setting for every scene: use it for your own scenes. ``"paper"``,
            the default, is the text read literally, and ``"release"`` what the authors ran; both
            reproduce the paper.
        seed: seed of the initial weights; None for the preset's, 123.
        device: where to run; None for the first GPU, else the CPU. A strategy has its own.
        memory_limit: bytes, or text such as ``"2GiB"``, that training may take in addition to
            the scene; None for half of the free memory when it begins. A training that would need
            more works on a chunk of a batch at a time (:mod:`lren_tf.training.chunked_step`), with
            the same steps up to rounding. If not even the standardised pixels fit, every epoch
            reads them again.
        strategy: a ``tf.distribute`` strategy (``MirroredStrategy`` or
            ``MultiWorkerMirroredStrategy``) whose replicas share the pixels; None for one device.
            No ``strategy.scope()`` is needed. With several processes each makes the same calls on
            the same data (``docs/distributed.md``); ``workers.chief`` is True in the one that
            writes.
        name: name of the Keras model.
        **settings: single settings to replace, see :class:`lren_tf.settings.Settings`.

    Raises:
        InputError: unknown preset, setting or device, or a value that is not allowed; a device
            together with a strategy.
    """

    def __init__(
        self,
        preset: str = "paper",
        seed: int | None = None,
        device: str | None = None,
        *,
        memory_limit: int | str | None = None,
        strategy: tf.distribute.Strategy | None = None,
        name: str = "lren",
        **settings: Any,
    ) -> None:
        if seed is not None:
            settings["seed"] = seed
        resolved = presets.resolve(preset, **settings)
        limit = None if memory_limit is None else size_in_bytes("memory_limit", memory_limit)
        workers = workers_of(strategy)
        if not isinstance(workers, StrategyWorkers):
            place = resolve_device(device)
        elif device is None:
            place = workers.device
        else:
            raise InputError(
                f"device is {device!r} beside a strategy; expected one of the two, since a "
                "strategy has devices of its own: leave device out."
            )
        super().__init__(resolved, place, workers, name)
        self.preset = preset
        self.memory_limit = limit
        self._strategy = strategy
        self._training_run = TrainingRun(self, self.network, resolved, self.workers)

    # --- serialisation -------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return preset and all settings; device, memory and workers belong to the machine."""
        return {"preset": self.preset, "name": self.name, **self.settings.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> LREN:
        """Create the model that ``get_config`` describes, not fitted."""
        return cls(**config)

    def export(
        self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: Any
    ) -> None:
        """Write a SavedModel that scores pixels without this package.

        Its endpoints ``score``, ``encode``, ``reconstruct`` and ``responsibilities`` are
        described in :func:`lren_tf.model.endpoints.endpoints_of`. The low-rank step couples the
        pixels of a batch: the scores of a scene are those of all its pixels sent at once.

        Args:
            filepath: folder to write; a SavedModel there is replaced.
            format: ``"tf_saved_model"``; any other format of ``keras.Model.export`` gets the
                network alone, which returns what ``call`` returns.
            **options: ``verbose``; with another format, as for ``keras.Model.export``.

        Raises:
            InputError: the model is not fitted, or the folder holds something else or cannot
                be written.
        """
        self._require_fit()
        if format == "tf_saved_model":
            endpoints = endpoints_of(
                self.call, self._scoring(), self.settings, self._band_count, self._used_bands()
            )
            extra = {SENSOR_FILE: json.dumps(self.sensor.as_dict())}
            export_saved_model(self, endpoints, filepath, extra=extra, **options)
            return
        signature = [keras.InputSpec(shape=(None, self._bands), dtype="float32")]
        options = {"input_signature": signature, "verbose": False, **options}
        super().export(filepath, format=format, **options)

    # --- training --------------------------------------------------------------------

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Trackers of the losses, which Keras resets at the start of every epoch."""
        return self._training_run.metrics

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Take one step on a batch: see :meth:`lren_tf.training.run.TrainingRun.step`."""
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.device(self.device):
            return self._training_run.step(batch)

    def make_train_function(self, force: bool = False) -> Callable[[Any], Any]:
        """Return what Keras calls for a step."""
        by_chunks = self._training_run.train_function()
        if by_chunks is None:
            return super().make_train_function(force)
        self.train_function = by_chunks
        return by_chunks

    def fit(
        self,
        x: Any,
        y: None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        callbacks: keras.callbacks.Callback | list[keras.callbacks.Callback] | None = None,
        initial_epoch: int = 0,
        key: str | None = None,
        resume: str | os.PathLike[str] | None = None,
        checkpoint_every: int = CHECKPOINT_EVERY,
        **unsupported: Any,
    ) -> keras.callbacks.History:
        """Train on one scene or table, then store its mixture, dictionary and background.

        Args:
            x: ``[N, L]`` or ``[H, W, L]`` array, a :class:`Scene`, or the path of a file
                that :func:`lren_tf.load_scene` reads. Pixels that a scene marks as no-data
                are left out, and so are bands that it marks as not good. If the scene has a
                background region, only that is learned.
            y: None; a target is refused, since the training uses no truth.
            epochs: None for the setting (1000); per phase if the training has two.
            batch_size: pixels per step; None for the setting (all of them in ``paper``).
            verbose: ``"auto"`` is one progress bar on a terminal, and two messages of the logger
                ``lren_tf.training.callbacks`` everywhere;
                0, 1, 2 as in Keras.
            callbacks: one Keras callback or several. A training in two parts
                (``training="separate"``) is two trainings to them: one that stops the training
                ends the part, and the other part follows.
            initial_epoch: epoch to start at, to continue a training.
            key: variable of the cube in a file with several.
            resume: folder for the checkpoint of this training
                (:mod:`lren_tf.training.resume`). After an interruption, even a kill, the same
                call continues from there and gives the same bits as the uninterrupted training, on
                the CPU of the same machine. A finished training is not repeated. The checkpoint
                does not hold the state of callbacks.
            checkpoint_every: epochs between two checkpoints.
            **unsupported: further arguments of ``keras.Model.fit``, which are refused
                (:mod:`lren_tf.model.keras_arguments`).

        Returns:
            Keras' history: loss, reconstruction, energy and covariance_penalty per epoch.

        Raises:
            InputError: the data cannot be used (NaN, constant, too few pixels, …), all layers are
                frozen, an argument has no meaning here, or the folder holds the checkpoint of
                another training.
            TrainingDiverged: a loss or gradient became NaN or infinite.
            WorkerLost: another process of the strategy has ended or does not answer.
        """
        check_arguments("fit", {"y": y, **unsupported})
        told = callback_list(callbacks)
        run = self._training_run
        settings = run.settings_of_fit(
            epochs, batch_size, initial_epoch, resumes=resume is not None
        )
        with self.workers.agreed():
            data, plan = self._planned(x, key, settings, initial_epoch, resume, checkpoint_every)
        run.check_same_everywhere(plan)
        self.create_for(plan.scaler)
        self.forget(plan.scaler)
        self._wavelengths = data.wavelengths
        warn_of_constant_bands(plan.scaler, data.good_bands)
        with tf.device(self.device):
            history, standardised = run.train(
                super().fit,
                plan,
                memory_limit=self.memory_limit,
                title=f"LREN ({self.preset})",
                where=self.where,
                verbose=verbose,
                callbacks=told,
            )
            self._learn(standardised, data)
        return history

    def check_fit(
        self,
        x: Any,
        *,
        resume: str | os.PathLike[str] | None = None,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        """Refuse what `fit` refuses before it trains; nothing changes.

        Args:
            x, resume, checkpoint_every: as for `fit`.

        Raises:
            InputError: as of `fit`.
        """
        settings = self._training_run.settings_of_fit(None, None, 0, resumes=resume is not None)
        self._planned(x, None, settings, 0, resume, checkpoint_every)

    def _planned(
        self, x: Any, key: str | None, settings: Settings, initial_epoch: int,
        resume: str | os.PathLike[str] | None, checkpoint_every: int,
    ) -> tuple[ModelInput, Plan]:  # fmt: skip
        """Return the data of a training and its plan, both checked."""
        data = as_model_input(background_of(x), key)
        plan = self._training_run.plan(
            settings,
            data.pixels,
            data.good_bands,
            self.device,
            refuse_non_finite=data.check_finite,
            initial_epoch=initial_epoch,
            resume=resume,
            checkpoint_every=checkpoint_every,
        )
        return data, plan

    # --- other settings ----------------------------------------------------------------

    def with_settings(self, x: Any, *, key: str | None = None, **settings: Any) -> LREN:
        """Return a model of the same trained network with other settings of the scoring.

        It equals a new model with these settings and the same training. This model is not
        changed.

        Args:
            x: the data this model was fitted on, as in ``fit``.
            key: variable of the cube in a file with several.
            **settings: settings of :data:`lren_tf.settings.AFTER_TRAINING` to replace.

        Raises:
            InputError: the model is not fitted, the data cannot be used, or a setting needs
                another training.
        """
        self._require_fit()
        replaced = presets.resolve_after_training(self.preset, self.settings, settings)
        other = self._with(self.name, **replaced.as_dict())
        data = self._checked_input(background_of(x), key)
        other.create(self._band_count, self._used_list)
        other._wavelengths = self._wavelengths
        with tf.device(self.device):
            other.copy_networks(self)
            other._learn(StandardisedPixels(data.pixels, self.scaler_state.load()), data)
        return other

    @property
    def members(self) -> Sequence[LREN]:
        """Models of one network each, made when they are asked for: copies of the members.

        Member i is the model that a training with its seed alone gives, to rounding. It scores by
        its own energy. Fitted are the members of a fitted model.
        """
        return Members(self.settings.members, self._member)

    @property
    def companions(self) -> Sequence[LREN]:
        """The members after the first."""
        return self.members[1:]

    def _member(self, number: int) -> LREN:
        s = self.settings
        seed = seed_of_member(s.seed, number)
        alone = {**s.as_dict(), "seed": seed, "members": 1, "evidence": ("spectrum",)}
        member = self._with(f"{self.name}_{number}", **alone)
        if self._bands is not None:
            member.create(self._bands, self._used_list)
            member._wavelengths = self._wavelengths
            member.copy_networks(self, slice(number, number + 1))
            member.copy_results(self, number)
        return member

    def _with(self, name: str, **settings: Any) -> LREN:
        """Return a new model on the same device with other settings."""
        device = None if self._strategy is not None else self.device
        return LREN(self.preset, device=device, strategy=self._strategy, name=name, **settings)
