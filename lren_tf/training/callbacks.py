"""Callbacks of a training: stop on a fault, change phase, show progress, log epochs."""

from __future__ import annotations

import csv
import io
import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lren_tf.errors import TrainingDiverged
from lren_tf.runtime.files import atomic_path

_log = logging.getLogger(__name__)


class StopOnFault(keras.callbacks.Callback):
    """End the training when a step found a non-finite loss or gradient.

    The step itself has already left the weights alone.

    Args:
        fault: int32 variable the step writes: 0 for a sound step, 2 + k where mixture component k
            is to blame, 1 where no single component is.

    Raises:
        TrainingDiverged: after the step that found it.
    """

    def __init__(self, fault: tf.Variable) -> None:
        super().__init__()
        self._fault = fault
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        fault = int(self._fault.numpy())
        if not fault:
            return
        where = "no single mixture component" if fault == 1 else f"mixture component {fault - 2}"
        raise TrainingDiverged(
            f"the loss or a gradient became NaN or infinite in epoch {self._epoch + 1} "
            f"({where} to blame); the weights of the last finite step are kept: lower "
            "learning_rate, raise covariance_floor, or use mixture_dtype='float64'."
        )


class DensityPhase(keras.callbacks.Callback):
    """Switch a training in two phases from the autoencoder to the density estimator.

    The density phase starts with a new optimiser.

    Args:
        active: bool variable that the step reads: True in the density phase.
        first_epoch: first epoch of the density phase.
        variables: variables that the optimiser is built for.
    """

    def __init__(
        self, active: tf.Variable, first_epoch: int, variables: Sequence[keras.Variable]
    ) -> None:
        super().__init__()
        self._active = active
        self._first_epoch = first_epoch
        self._variables = list(variables)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._active.assign(epoch >= self._first_epoch)
        if epoch == self._first_epoch:
            optimizer = self.model.optimizer
            fresh = type(optimizer).from_config(optimizer.get_config())
            fresh.build(self._variables)
            for variable, start in zip(optimizer.variables, fresh.variables, strict=True):
                variable.assign(start)


def train_parts(
    fit: Callable[[int, int], keras.callbacks.History],
    first_epoch: int,
    ends: Iterable[int],
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Train the parts of a training one after the other, each a call of Keras' ``fit``.

    To the callbacks every part is a training with a beginning and an end. So one that stops the
    training, such as ``EarlyStopping``, ends a part, and what it remembers of the best epoch
    belongs to the loss of that part.

    Args:
        fit: trains from an epoch to another one.
        first_epoch: epoch to start at; from the last end on, nothing is trained.
        ends: epoch at which each part ends; epochs are counted over all parts.
        callbacks: callbacks of the caller.

    Returns:
        The history of all parts, which is the model's too.
    """
    ends = list(ends)
    left = [end for end in ends if end > first_epoch] or ends[-1:]
    history = fit(first_epoch, left[0])
    for start, end in itertools.pairwise(left):
        trained, values = history.epoch, history.history
        _begin_next_part(callbacks)
        history = fit(start, end)
        history.epoch = trained + history.epoch
        history.history = {
            name: values.get(name, []) + later for name, later in history.history.items()
        }
    return history


def _begin_next_part(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Prepare those of Keras' callbacks that do not do it themselves when a training begins."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            callback.append = True  # else it would empty its file
        elif isinstance(callback, keras.callbacks.ModelCheckpoint):
            callback.best = None  # the loss of the part before has other terms


class EpochProgress(keras.callbacks.Callback):
    """One progress bar over all epochs on a terminal; beginning and end as log messages.

    Keras' own bar starts anew in every epoch, which for 1000 epochs is 2000 lines. The messages
    go to the logger ``lren_tf.training.callbacks`` with level INFO.

    Args:
        what: name of the training, for the messages.
        epochs: number of epochs.
        bar: False for no bar, wherever the output goes.
    """

    def __init__(self, what: str, epochs: int, *, bar: bool = True) -> None:
        super().__init__()
        self._wants_bar = bar
        self._what = what
        self._epochs = epochs
        self._bar: keras.utils.Progbar | None = None
        self._last: tuple[int, list[tuple[str, float]]] | None = None
        self._start = 0.0
        self._between_parts = False

    def on_train_begin(self, logs: Any = None) -> None:
        if self._between_parts:
            return
        self._start = time.perf_counter()
        self._last = None
        _log.info("%s: %d epochs", self._what, self._epochs)
        if self._wants_bar and sys.stdout is not None and sys.stdout.isatty():
            self._bar = keras.utils.Progbar(self._epochs, unit_name="epoch", interval=0.2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self._last = epoch + 1, list(logs.items())
        if self._bar is not None:
            self._bar.stateful_metrics.update(logs)
            self._bar.update(*self._last, finalize=False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        # Keras counts to the end of the part (see `train_parts`).
        self._between_parts = (self.params or {}).get("epochs", self._epochs) < self._epochs
        if self._between_parts:
            return
        if self._bar is not None:
            # Updates closer than the interval are skipped; the last one has to be seen.
            if self._last is not None:
                self._bar.update(*self._last, finalize=True)
            return
        if self._last is None:  # nothing was left to train
            return
        loss = (logs or {}).get("loss")
        seconds = time.perf_counter() - self._start
        ending = "" if loss is None else f", loss {loss:.6g}"
        _log.info("%s: trained in %.1f s%s", self._what, seconds, ending)


class EpochLog(keras.callbacks.CSVLogger):
    """Keras' ``CSVLogger`` that continues its file when a training is resumed.

    A training that starts at its first epoch writes a new file. A resumed one keeps the rows of
    the epochs before; rows that the interrupted process wrote after its last checkpoint are
    removed, because those epochs are trained again.

    Args:
        path: file to write; missing folders are created.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(os.fspath(path))
        self._begun = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Open nothing yet: the first epoch is not known."""
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Open the file before the first epoch."""
        if not self._begun:
            path = Path(self.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.append = epoch > 0 and _keep_rows_before(path, epoch)
            super().on_train_begin()
            self._begun = True


def _keep_rows_before(path: Path, epoch: int) -> bool:
    """Remove the rows of a log from an epoch on; return whether there is a log."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    if not lines:
        return False
    header, *rows = csv.reader(lines)
    whole_rows = (row for row in rows if len(row) == len(header) and row[0].isdecimal())
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *(row for row in whole_rows if int(row[0]) < epoch)])
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
    return True
