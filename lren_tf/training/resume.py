"""Resuming an interrupted training from its checkpoint, to the bit.

A checkpoint belongs to one training: same data, settings, optimiser, device and versions.
Keras' ``BackupAndRestore`` resumes whatever it finds; here the checkpoint of another training is
refused with a sentence that names the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.scene import data_sha256
from lren_tf.errors import InputError, WorkerLost
from lren_tf.runtime.files import as_path, ensure_writable_folder, ensure_writable_target
from lren_tf.runtime.folder_lock import exclusive_use, remove_temporary
from lren_tf.runtime.versions import versions
from lren_tf.runtime.workers import Workers
from lren_tf.settings import AFTER_TRAINING, Settings
from lren_tf.training.checkpoint import (
    FILE,
    Keeper,
    check_shapes,
    parse,
    read_bytes,
    read_info,
    restore,
)
from lren_tf.validators import whole

CHECKPOINT_EVERY = 50
"""Default number of epochs between two checkpoints. Writing one takes some tens of milliseconds,
and three times the space of the weights with Adam: 2 MB on the scenes of the paper."""


def training_fingerprint(
    settings: Settings,
    optimizer: dict[str, Any],
    device: str,
    pixels: np.ndarray | PixelMatrix,
    used: np.ndarray,
    frozen: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything that determines the course of a training, ready for JSON.

    Settings that apply after the training are left out: another λ needs no other training.

    Args:
        settings: settings of the training.
        optimizer: class and configuration of the optimiser that it starts with.
        device: name of the device.
        pixels: ``[n, L]`` in the sensor's units.
        used: ``[L]`` bool, bands that enter the network.
        frozen: names of the weights that do not move.
    """
    record = {
        "versions": {
            name: version
            for name, version in versions().items()
            if name in ("lren_tf", "tensorflow", "keras")
        },
        "setting": {
            **{n: v for n, v in settings.as_dict().items() if n not in AFTER_TRAINING},
            "epochs of all parts": settings.total_epochs,
        },
        "optimizer": {name: value for name, value in optimizer.items() if name != "name"},
        "device": device,
        "data": f"{' × '.join(map(str, pixels.shape))} {pixels.dtype}, SHA-256 "
        f"{data_sha256(pixels)}",
        "set of frozen weights": ", ".join(frozen) or "none",
        "bands used": "all" if used.all() else [int(band) for band in np.flatnonzero(used)],
    }
    return json.loads(json.dumps(record, default=str))


def check_resumable(
    folder: str | os.PathLike[str], every: Any, fingerprint: dict[str, Any]
) -> None:
    """Refuse a folder that cannot hold the checkpoint of a training; the folder is not changed.

    Args:
        folder: folder with a checkpoint of the same training, or without one; it need not exist.
        every: epochs between two writings of the checkpoint.
        fingerprint: :func:`training_fingerprint` of the training.

    Raises:
        InputError: the folder holds the checkpoint of another training or one that cannot be
            read, or it cannot be written; or `every` is not a whole number of at least 1.
    """
    whole("checkpoint_every", every, 1)
    path = as_path(folder)
    ensure_writable_target(path / FILE)
    info = read_info(path)
    if info is not None:
        _check_same(path, info.belongs_to, fingerprint)


def check_same_training(fingerprint: dict[str, Any], workers: Workers) -> None:
    """Refuse processes that train on different data or with different settings.

    The sums that they exchange would be meaningless. Their devices may differ.

    Args:
        fingerprint: :func:`training_fingerprint` of the training in this process.
        workers: processes that train together.

    Raises:
        InputError: a process has another training than the chief; every process raises it.
        WorkerLost: another process has ended or does not answer.
    """
    shared = {name: value for name, value in fingerprint.items() if name != "device"}
    chief, *others = map(json.loads, workers.exchanged(json.dumps(shared).encode()))
    for number, other in enumerate(others, start=1):
        difference = _first_difference(chief, other)
        if difference is not None:
            what, of_chief, of_other = difference
            raise InputError(
                f"worker {number} has another {what} than worker 0 ({of_other}; worker 0 has "
                f"{of_chief}); expected the same of all: start each with the same command on the "
                "same scene."
            )


def train_resumable(
    fit: Callable[[int, list[keras.callbacks.Callback]], keras.callbacks.History],
    model: keras.Model,
    folder: str | os.PathLike[str],
    every: int,
    fingerprint: dict[str, Any],
    workers: Workers,
) -> keras.callbacks.History:
    """Start a training that has a checkpoint in a folder, or resume it from there.

    The checkpoint is written every `every` epochs, at the end, and when the keyboard or the loss
    of another process interrupts the training; then it is that of the last complete epoch. A
    killed process leaves the last checkpoint written. A finished training is not run again.

    Of several processes that train together only the chief uses the folder. It reads the
    checkpoint and sends it to the others, so that all resume from the same state and need no
    shared disk.

    Args:
        fit: trains from an epoch on with these callbacks, which come after all others, so that
            the checkpoint of an epoch includes what the others do at its end.
        model: built, with a built optimiser.
        folder: as for :func:`check_resumable`.
        every: epochs between two writings.
        fingerprint: :func:`training_fingerprint` of the training.
        workers: processes that train together.

    Returns:
        The history of all epochs, those before the interruption included.

    Raises:
        InputError: as :func:`check_resumable`; or another training uses the folder.
        WorkerLost: another process of the training has ended or does not answer.
    """
    path = as_path(folder)
    with ExitStack() as locks:
        with workers.agreed():
            content = b""
            if workers.chief:
                locks.enter_context(exclusive_use(ensure_writable_folder(path), "training"))
                remove_temporary(path)
                content = read_bytes(path)
                found = parse(content, path)
                if found is not None:
                    _check_same(path, found.info.belongs_to, fingerprint)
                    check_shapes(model, found, path)
        start = parse(workers.exchanged(content)[0], path)
        if start is not None:
            restore(model, start)
        keeper = Keeper(path if workers.chief else None, every, fingerprint, start)
        finished = start is not None and start.info.finished
        first_epoch = keeper.epoch
        if finished:
            # Callbacks still see a training begin and end, without an epoch between.
            first_epoch = fingerprint["setting"]["epochs of all parts"]
        try:
            history = fit(first_epoch, [keeper])
            if not finished:
                # Once more after the last epoch: other callbacks may set weights at the end.
                keeper.snapshot(finished=True)
                keeper.write()
        except (KeyboardInterrupt, WorkerLost):
            keeper.write()
            raise
    history.epoch = list(keeper.trained)
    history.history = keeper.history
    return history


def _check_same(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Refuse the checkpoint of another training, naming the first difference."""
    difference = _first_difference(there, here)
    if difference is not None:
        what, theirs, ours = difference
        raise InputError(
            f"{folder} holds a training with another {what} ({theirs}; here it is {ours}); "
            "expected the training it was begun with: change that back, or choose another folder."
        )


def _first_difference(there: dict[str, Any], here: dict[str, Any]) -> tuple[str, str, str] | None:
    """Return the name of the first difference of two fingerprints, and the text of both values."""
    for part, values in here.items():
        theirs = there.get(part)
        if not isinstance(values, dict):
            if theirs != values:
                return part, str(theirs), str(values)
            continue
        theirs = theirs if isinstance(theirs, dict) else {}
        for name in sorted({*values, *theirs}, key=lambda name: (name not in values, name)):
            if theirs.get(name) != values.get(name):
                what = {"versions": f"version of {name}"}.get(part, f"{part} {name!r}")
                return what, repr(theirs.get(name)), repr(values.get(name))
    return None
