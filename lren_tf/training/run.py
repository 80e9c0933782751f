"""One model's training: checks, batches, steps, trackers and callbacks of a call of ``fit``."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import Scaler, fit_scaler
from lren_tf.errors import InputError
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.callbacks import (
    DensityPhase,
    EpochProgress,
    StopOnFault,
    train_parts,
)
from lren_tf.training.chunked_step import ChunkedStep
from lren_tf.training.feed import Feed, check_pixel_count, choose_feed
from lren_tf.training.losses import (
    Losses,
    Network,
    Terms,
    apply_update,
    density_losses,
    joint_losses,
    mapping_losses,
)
from lren_tf.training.optimizer import FirstConfig, make_optimizer
from lren_tf.training.resume import (
    check_resumable,
    check_same_training,
    train_resumable,
    training_fingerprint,
)


class Plan(NamedTuple):
    """One call of ``fit`` that has been checked, before it changes the model."""

    settings: Settings
    """Settings of the model with the epochs and batch size of the call."""
    pixels: PixelMatrix
    """``[n, L]`` in the sensor's units."""
    scaler: Scaler
    initial_epoch: int
    resume: str | os.PathLike[str] | None
    """Folder of the checkpoint, or None."""
    checkpoint_every: int
    fingerprint: dict[str, Any]
    """Identity of the training; empty where neither a checkpoint nor another process needs it."""


class TrainingRun:
    """Training of a model, from the arguments of ``fit`` to the last epoch.

    The model passes its ``train_step`` and ``make_train_function`` on to this object.

    Args:
        model: model whose optimiser and variables the training uses.
        network: returns the networks of the model, with the values of their variables.
        settings: settings of the model.
        workers: processes and devices that share the work.
    """

    def __init__(
        self,
        model: keras.Model,
        network: Callable[[], Network],
        settings: Settings,
        workers: Workers,
    ) -> None:
        self._model = model
        self._network = network
        self._settings = settings
        self._workers = workers
        self._chunked_step: ChunkedStep | None = None
        self._fault = tf.Variable(0, dtype=tf.int32, trainable=False, name="fault")
        self._density_phase = tf.Variable(False, trainable=False, name="density_phase")
        self._trackers = {
            name: keras.metrics.Mean(name=name, dtype="float32")
            for name in Terms._fields
        }
        self._first_config = FirstConfig()
        self._own_rate: tuple[float, Any] | None = None

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Trackers of the losses, which Keras resets at the start of every epoch."""
        return list(self._trackers.values())

    # --- before the training -------------------------------------------------------------

    def settings_of_fit(
        self, epochs: int | None, batch_size: int | None, initial_epoch: int, *, resumes: bool
    ) -> Settings:
        """Return the settings of the model with those of a call of ``fit``.

        Args:
            epochs, batch_size, initial_epoch: arguments of ``fit``.
            resumes: whether the call names a folder to resume from.

        Raises:
            InputError: a value that is not allowed.
        """
        s = self._settings
        if epochs is not None:
            s = dataclasses.replace(s, epochs=epochs)
        if batch_size is not None:
            s = dataclasses.replace(s, batch_size=batch_size)
        if not 0 <= initial_epoch < s.total_epochs:
            raise InputError(
                f"initial_epoch is {initial_epoch} of {s.total_epochs} epochs; expected 0 or more "
                "and less than epochs, which counts all epochs and not those still to come."
            )
        if resumes and initial_epoch:
            raise InputError(
                f"initial_epoch is {initial_epoch} beside resume; expected one of the two: the "
                "folder knows its epoch."
            )
        return s

    def plan(
        self,
        settings: Settings,
        pixels: PixelMatrix,
        good_bands: np.ndarray | None,
        device: str,
        *,
        refuse_non_finite: Callable[[], None],
        initial_epoch: int,
        resume: str | os.PathLike[str] | None,
        checkpoint_every: int,
    ) -> Plan:
        """Check the data of a training and its folder; nothing changes.

        Args:
            settings: as :meth:`settings_of_fit` returned them.
            pixels: ``[n, L]`` in the sensor's units.
            good_bands: ``[L]`` bool, or None for all.
            device: name of the device.
            refuse_non_finite: as for :func:`lren_tf.data.standardisation.fit_scaler`.
            initial_epoch, resume, checkpoint_every: arguments of ``fit``.

        Raises:
            InputError: the pixels are too few, not finite or constant, all layers are frozen, or
                the folder cannot be used.
        """
        s = dataclasses.replace(settings, learning_rate=settings.learning_rate_of(len(pixels)))
        model = self._model
        if not model.trainable or (model.weights and not model.trainable_weights):
            raise InputError(
                "all layers of the model are frozen; expected at least one with trainable=True: "
                "unfreeze it, or call rebuild(scene) to keep the weights as they are."
            )
        check_pixel_count(len(pixels), s)
        scaler = fit_scaler(
            pixels, s.scaling, good_bands=good_bands, refuse_non_finite=refuse_non_finite
        )
        fingerprint: dict[str, Any] = {}
        if resume is not None or self._workers.processes > 1:
            optimizer = self._model.optimizer if self._model.compiled else make_optimizer(s)
            fingerprint = training_fingerprint(
                s,
                self._first_config.of(optimizer),
                device,
                pixels,
                scaler.used,
                frozen=[
                    f"{v.path} ({i})" for i, v in enumerate(self._variables()) if not v.trainable
                ],
            )
        if resume is not None and self._workers.chief:
            check_resumable(resume, checkpoint_every, fingerprint)
        return Plan(s, pixels, scaler, initial_epoch, resume, checkpoint_every, fingerprint)

    def check_same_everywhere(self, plan: Plan) -> None:
        """Refuse processes that were called with different data or arguments.

        Raises:
            InputError: another process has another plan.
            WorkerLost: another process has ended or does not answer.
        """
        if self._workers.processes > 1:
            arguments = {
                "resume": plan.resume is not None,
                "initial_epoch": plan.initial_epoch,
                **plan.settings.as_dict(),
            }
            check_same_training({**plan.fingerprint, "setting": arguments}, self._workers)

    # --- the training --------------------------------------------------------------------

    def train(
        self,
        fit: Callable[..., keras.callbacks.History],
        plan: Plan,
        *,
        memory_limit: int | None,
        title: str,
        where: str,
        verbose: str | int,
        callbacks: list[keras.callbacks.Callback],
    ) -> tuple[keras.callbacks.History, np.ndarray | Any]:
        """Train the model by a plan.

        Args:
            fit: ``keras.Model.fit`` of the model.
            plan: as :meth:`plan` returned it; the model has its weights and its scaler.
            memory_limit: bytes that the training may take; None for half of the free memory.
            title, where: name of the model and its device, for the progress.
            verbose: argument of ``fit``.
            callbacks: callbacks of the caller.

        Returns:
            The history, and the standardised pixels ``[n, U]`` for the work after the training.

        Raises:
            InputError: another training uses the folder.
            TrainingDiverged: a loss or gradient became NaN or infinite.
            WorkerLost: another process has ended or does not answer.
        """
        s = plan.settings
        self._compile(s)
        feed = self._feed(plan, memory_limit)
        if not self._workers.chief:
            verbose = 0
        own = self._callbacks(plan)
        if verbose == "auto":
            bands = np.count_nonzero(plan.scaler.used)
            pixels = len(plan.pixels)
            taken = str(pixels)
            if s.samples(pixels):
                taken = f"{s.training_pixels} of {pixels}"
            name = f"{title}, {taken} pixels × {bands} bands, {where}"
            own.append(EpochProgress(name, s.total_epochs))
            verbose = 0

        def fit_from(epoch: int, last: list[keras.callbacks.Callback]) -> keras.callbacks.History:
            def fit_part(start: int, end: int) -> keras.callbacks.History:
                # Where BackupAndRestore has resumed the part before, it has left the epoch here.
                restored, self._model._initial_epoch = self._model._initial_epoch or 0, None
                return fit(
                    feed.batches,
                    epochs=end,
                    initial_epoch=max(start, restored),
                    verbose=verbose,
                    callbacks=[*own, *callbacks, *last],
                    shuffle=False,
                )

            ends = range(s.epochs, s.total_epochs + 1, s.epochs)
            return train_parts(fit_part, epoch, ends, callbacks)

        self._model._initial_epoch = None
        first = self._first_config.of(self._model.optimizer)
        try:
            if plan.resume is None:
                return fit_from(plan.initial_epoch, []), feed.standardised
            history = train_resumable(
                fit_from,
                self._model,
                plan.resume,
                plan.checkpoint_every,
                plan.fingerprint,
                self._workers,
            )
            return history, feed.standardised
        finally:
            self._first_config.keep(first, self._model.optimizer)
            if self._chunked_step is not None:
                self._chunked_step.close()
            self._chunked_step = None

    def _compile(self, settings: Settings) -> None:
        model = self._model
        if not model.compiled:
            model.compile(optimizer=make_optimizer(settings), jit_compile=False)
            self._own_rate = float(model.optimizer.learning_rate), model.optimizer
        elif self._own_rate == (float(model.optimizer.learning_rate), model.optimizer):
            # A scene of another size may have another rate; one that the caller set stays.
            model.optimizer.learning_rate = settings.learning_rate
            self._own_rate = float(model.optimizer.learning_rate), model.optimizer
        # Slots have to exist before the conditional that applies gradients is traced; those of
        # frozen variables too, which may be unfrozen later.
        if not model.optimizer.built:
            model.optimizer.build(self._variables())
        self._fault.assign(0)

    def _variables(self) -> list[keras.Variable]:
        """Weights of all networks, frozen or not, in the model's order; none before `build`."""
        if not self._model.weights:
            return []
        ours = {id(v) for v in self._network().variables}
        return [variable for variable in self._model.variables if id(variable) in ours]

    def _feed(self, plan: Plan, memory_limit: int | None) -> Feed:
        self._model.train_function = None  # that of the last training had another feed
        feed = choose_feed(
            plan.pixels,
            plan.scaler,
            plan.settings,
            network=self._network,
            optimizer=self._model.optimizer,
            workers=self._workers,
            memory_limit=memory_limit,
        )
        self._chunked_step = feed.chunked_step
        return feed

    def _callbacks(self, plan: Plan) -> list[keras.callbacks.Callback]:
        callbacks: list[keras.callbacks.Callback] = [StopOnFault(self._fault)]
        if plan.settings.training == "separate":
            callbacks.append(
                DensityPhase(self._density_phase, plan.settings.epochs, self._variables())
            )
        return callbacks

    # --- a step --------------------------------------------------------------------------

    def train_function(self) -> Callable[[Any], Any] | None:
        """Return what Keras calls for a step; None for the graph that Keras makes itself.

        A step by chunks consists of several graphs, with reading between them. The function takes
        as many steps as Keras counts for it, ``steps_per_execution``.
        """
        if self._chunked_step is None:
            return None
        model = self._model

        def steps(iterator: Iterator[Any]) -> dict[str, tf.Tensor]:
            logs = model.train_step(next(iterator))
            # An iterator that ends here is one of an epoch that the number does not divide.
            for batch in itertools.islice(iterator, model.steps_per_execution - 1):
                logs = model.train_step(batch)
            return logs

        return steps

    def step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one step, eqs. (2)-(11) and the optimiser.

        A step with a non-finite loss or gradient leaves weights and optimiser untouched
        and records the fault, on which the training ends.

        Args:
            batch: aligned rows ``[n, P]``; in a training by chunks the number of the batch.

        Returns:
            The trackers' means over the epoch so far, by name.
        """
        if self._chunked_step is not None:
            fault, terms, n = self._chunked_step.step(int(batch), self._kind())
            return self._track(fault, terms, tf.constant(n, tf.float32))
        if self._settings.training == "joint":
            fault, terms = self._update(batch, joint_losses)
        else:
            fault, terms = tf.cond(
                self._density_phase,
                lambda: self._update(batch, density_losses),
                lambda: self._update(batch, mapping_losses),
            )
        return self._track(fault, terms, tf.cast(tf.shape(batch)[0], tf.float32))

    def _update(
        self, batch: tf.Tensor, losses: Callable[[Network, tf.Tensor], Losses]
    ) -> tuple[tf.Tensor, Terms]:
        return apply_update(self._model.optimizer, self._settings, losses(self._network(), batch))

    def _track(self, fault: tf.Tensor, terms: Terms, n: tf.Tensor) -> dict[str, tf.Tensor]:
        # Several steps may run before the callback looks: a later sound step clears no fault.
        self._fault.assign(tf.maximum(self._fault, fault))
        for tracker, value in zip(self._trackers.values(), terms, strict=True):
            tracker.update_state(value, sample_weight=n)
        return {name: tracker.result() for name, tracker in self._trackers.items()}

    def _kind(self) -> str:
        """Kind of the next step of a training by chunks."""
        if self._settings.training == "joint":
            return "joint"
        return "density" if bool(self._density_phase.numpy()) else "mapping"
