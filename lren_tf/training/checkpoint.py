"""Checkpoint of a training: one file in a folder, replaced atomically.

Keras' own ``BackupAndRestore`` writes weights and epoch as two files, one after the other and
neither atomically, so that a process killed between them resumes weights at the wrong epoch.
Here one file holds the whole state and names the training that it belongs to.

A training draws no random numbers once the weights exist (the batches are one permutation, whose
seed is a setting), so a checkpoint needs the weights, the state of the optimiser and the epoch.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.runtime.files import as_path, atomic_path

FILE = "checkpoint.npz"
"""Name of the checkpoint in its folder."""


class CheckpointInfo(NamedTuple):
    """Description of a checkpoint."""

    belongs_to: dict[str, Any]
    """Fingerprint of the training (:func:`lren_tf.training.resume.training_fingerprint`)."""
    epoch: int
    """Epoch that the training goes on with."""
    finished: bool
    """True if the training has ended, possibly early by a callback."""
    history: dict[str, list[float]]
    """Values that `fit` tracked, by name, one for each epoch trained."""
    trained: list[int]
    """Epochs trained; a callback that ends the first part of a training leaves some out."""


class Checkpoint(NamedTuple):
    """State of a training."""

    info: CheckpointInfo
    weights: list[Any]
    """Values of the trainable weights: arrays when read, tensors in a snapshot."""
    optimizer: list[Any]
    """Values of the optimiser's variables: arrays when read, tensors in a snapshot."""


def read_info(folder: str | os.PathLike[str]) -> CheckpointInfo | None:
    """Return the description of a folder's checkpoint; None where there is no checkpoint.

    Raises:
        InputError: the checkpoint cannot be read.
    """
    path = as_path(folder)
    checkpoint = parse(read_bytes(path), path)
    return None if checkpoint is None else checkpoint.info


def read_bytes(folder: Path) -> bytes:
    """Return the bytes of the folder's checkpoint; none where there is no checkpoint.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not content:
        raise _unreadable(path, EOFError())
    return content


def parse(content: bytes, folder: Path) -> Checkpoint | None:
    """Parse the bytes that :func:`read_bytes` returned; `folder` names them in a refusal.

    Raises:
        InputError: they are not a checkpoint.
    """
    if not content:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            record = json.loads(str(file["record"]))
            names = set(file.files)
            weights, optimizer = (
                [file[f"{group}{i}"] for i in range(sum(n.startswith(group) for n in names))]
                for group in ("weight_", "optimizer_")
            )
        return Checkpoint(CheckpointInfo(**record), weights, optimizer)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError,
            zipfile.BadZipFile) as error:
        raise _unreadable(folder / FILE, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is not a state of a training that can be read ({type(error).__name__}); "
        "expected one that this version wrote: choose another folder, or remove the file."
    )


def check_shapes(model: keras.Model, checkpoint: Checkpoint, folder: Path) -> None:
    """Refuse a checkpoint whose arrays do not fit the model.

    Raises:
        InputError: their shapes differ from those of the model's variables.
    """
    for variables, arrays in zip(_variables(model), checkpoint[1:], strict=True):
        if [tuple(v.shape) for v in variables] != [array.shape for array in arrays]:
            raise InputError(
                f"{folder / FILE} holds arrays of other shapes than this model; expected the model "
                "it was written by: choose another folder."
            )


def restore(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Set the weights and the optimiser of a built model to those of a checkpoint."""
    for variables, arrays in zip(_variables(model), checkpoint[1:], strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


class Keeper(keras.callbacks.Callback):
    """Snapshot the training at the end of every epoch, and write the snapshot at some of them.

    The snapshot is in memory, because an interruption comes in the middle of an epoch and must
    not write weights that some of its batches have moved. A snapshot is one call of a function
    whose tensors share the variables' memory until a step moves them. A copy of each variable
    would take five times as long, which matters where epochs are short.

    Args:
        folder: folder to write to; None for a process that writes nothing.
        every: epochs between two writings.
        fingerprint: training that the checkpoint belongs to.
        start: checkpoint that the training resumes from; None for a new training.
    """

    def __init__(
        self,
        folder: Path | None,
        every: int,
        fingerprint: dict[str, Any],
        start: Checkpoint | None,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._every = every
        self._fingerprint = fingerprint
        self._snapshot: Checkpoint | None = None
        self._values: Callable[[], tuple[list[tf.Tensor], list[tf.Tensor]]] | None = None
        self.epoch = 0 if start is None else start.info.epoch
        self.history = {} if start is None else start.info.history
        self.trained = [] if start is None else start.info.trained

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        before = [each for each in self.trained if each < epoch]
        for name, value in (logs or {}).items():
            # A new list instead of an append: the snapshot keeps its lists, and an interruption
            # here counts no epoch twice.
            self.history[name] = [*self.history.get(name, [])[: len(before)], float(value)]
        self.trained = [*before, epoch]
        self.epoch = epoch + 1
        self.snapshot(finished=False)
        if self.epoch % self._every == 0:
            self.write()

    def snapshot(self, *, finished: bool) -> None:
        """Take the state of the training into memory."""
        if self._values is None:
            groups = _variables(self.model)
            self._values = tf.function(
                lambda: tuple([tf.identity(v.value) for v in group] for group in groups)
            )
        info = CheckpointInfo(
            self._fingerprint, self.epoch, finished, dict(self.history), self.trained
        )
        self._snapshot = Checkpoint(info, *self._values())

    def write(self) -> None:
        """Replace the checkpoint in the folder by the last snapshot, if there is one."""
        if self._snapshot is None or self._folder is None:
            return
        info, weights, optimizer = self._snapshot
        arrays = {
            **{f"weight_{i}": value.numpy() for i, value in enumerate(weights)},
            **{f"optimizer_{i}": value.numpy() for i, value in enumerate(optimizer)},
        }
        with atomic_path(self._folder / FILE) as temporary:
            np.savez(temporary, record=np.array(json.dumps(info._asdict())), **arrays)


def _variables(model: keras.Model) -> tuple[list[keras.Variable], list[keras.Variable]]:
    return model.trainable_variables, model.optimizer.variables
