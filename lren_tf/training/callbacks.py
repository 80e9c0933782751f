"""Callbacks of a training: stop on a fault, change phase, show progress, log epochs."""

from __future__ import annotations

import csv
import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lren_tf.errors import TrainingDiverged
from lren_tf.runtime.files import atomic_path


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
    """

    def __init__(self, active: tf.Variable, first_epoch: int) -> None:
        super().__init__()
        self._active = active
        self._first_epoch = first_epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._active.assign(epoch >= self._first_epoch)
        if epoch == self._first_epoch:
            optimizer = self.model.optimizer
            fresh = type(optimizer).from_config(optimizer.get_config())
            fresh.build(self.model.trainable_variables)
            for variable, start in zip(optimizer.variables, fresh.variables, strict=True):
                variable.assign(start)


class EpochProgress(keras.callbacks.Callback):
    """One progress bar over all epochs on a terminal, two plain lines elsewhere.

    Keras' own bar starts anew in every epoch, which for 1000 epochs is 2000 lines.

    Args:
        what: name of the training, for the lines.
        epochs: number of epochs.
    """

    def __init__(self, what: str, epochs: int) -> None:
        super().__init__()
        self._what = what
        self._epochs = epochs
        self._bar: keras.utils.Progbar | None = None
        self._last: tuple[int, list[tuple[str, float]]] | None = None
        self._start = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._start = time.perf_counter()
        self._last = None
        print(f"{self._what}: {self._epochs} epochs", flush=True)
        if sys.stdout.isatty():
            self._bar = keras.utils.Progbar(self._epochs, unit_name="epoch", interval=0.2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self._last = epoch + 1, list(logs.items())
        if self._bar is not None:
            self._bar.stateful_metrics.update(logs)
            self._bar.update(*self._last, finalize=False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
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
        print(f"{self._what}: trained in {seconds:.1f} s{ending}", flush=True)


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
