"""Trainings that survive an interruption: their state in a folder, their log in a file.

Keras' own ``BackupAndRestore`` writes weights and epoch as two files, one after the other and
neither atomically, so that a process killed between them resumes weights at the wrong epoch;
and it goes on from whatever it finds, be it of another scene or of other settings. Here the
whole state is one file that is replaced at once and names what it belongs to.

A training draws no random numbers once the weights exist (the batches are one permutation, of a
seed among the settings), so weights, state of the optimiser and epoch are all there is to keep.

Of several processes that train together the chief alone has the folder. It reads the file and
sends it to the others, so that all go on from the same state and no disk has to be shared.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.scene import data_sha256
from lren_tf.errors import InputError, WorkerLost
from lren_tf.runtime.files import (
    as_path,
    atomic_path,
    ensure_writable_folder,
    ensure_writable_target,
)
from lren_tf.runtime.versions import versions
from lren_tf.runtime.workers import Workers
from lren_tf.settings import AFTER_TRAINING, Settings
from lren_tf.validators import whole

if TYPE_CHECKING:
    from lren_tf.model.lren import LREN

FILE = "checkpoint.npz"
"""Name of the state in its folder."""
EVERY = 50
"""Epochs from one writing of the state to the next. A writing takes some tens of milliseconds,
and the space of the weights three times over with Adam: 2 MB on the scenes of the paper."""
_LOCK = "lock"
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.npz|tmp[a-z0-9_]{8}")
"""What a killed process can leave: the state half written, and the proof of a writable folder."""


class Kept(NamedTuple):
    """What the state of a training in a folder says of itself."""

    belongs_to: dict[str, Any]
    """As `identity` gives it."""
    epoch: int
    """Epochs done."""
    finished: bool
    """Whether the training came to its end, be it an early one by a callback."""
    history: dict[str, list[float]]
    """What `fit` tracked, by name and epoch."""


class _State(NamedTuple):
    kept: Kept
    weights: list[Any]
    """Values of the trainable weights: arrays of a state read, tensors of one taken."""
    optimizer: list[Any]
    """Values of the optimiser's variables, likewise."""


def identity(
    settings: Settings,
    optimizer: keras.optimizers.Optimizer,
    device: str,
    pixels: np.ndarray,
    used: np.ndarray,
) -> dict[str, Any]:
    """Everything that decides the course of a training, ready for JSON.

    Settings of what comes after the training are left out: another λ needs no other training.

    Args:
        settings, optimizer, device: of the training.
        pixels: ``[n, L]`` in the sensor's units.
        used: ``[L]`` bool, bands that enter the network.
    """
    config = {name: value for name, value in optimizer.get_config().items() if name != "name"}
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
        "optimizer": {"class": type(optimizer).__name__, **config},
        "device": device,
        "data": f"{' × '.join(map(str, pixels.shape))} {pixels.dtype}, SHA-256 "
        f"{data_sha256(pixels)}",
        "bands used": "all" if used.all() else [int(band) for band in np.flatnonzero(used)],
    }
    return json.loads(json.dumps(record, default=str))


def kept(folder: str | os.PathLike[str]) -> Kept | None:
    """What is known of the training in a folder; None where there is none.

    Raises:
        InputError: the state cannot be read.
    """
    place = as_path(folder)
    state = _parsed(_written(place), place)
    return None if state is None else state.kept


def check(folder: str | os.PathLike[str], every: Any, belongs_to: dict[str, Any]) -> None:
    """Refuse a folder that a training cannot keep its state in; it is left as it is.

    Args:
        folder: a folder with the state of the same training, or none, or not there yet.
        every: epochs between two writings of the state.
        belongs_to: `identity` of the training.

    Raises:
        InputError: the folder holds another training, or a state that cannot be read, or it
            cannot be written; or `every` is not a whole number of at least 1.
    """
    whole("checkpoint_every", every, 1)
    place = as_path(folder)
    ensure_writable_target(place / FILE)
    found = kept(place)
    if found is not None:
        _check_same(place, found.belongs_to, belongs_to)


def check_alike(belongs_to: dict[str, Any], workers: Workers) -> None:
    """Refuse processes that were not started alike: their sums would be of different things.

    They may have different devices.

    Args:
        belongs_to: `identity` of the training in this process.
        workers: who trains together.

    Raises:
        InputError: a process has another training than the chief; every process raises it.
        WorkerLost: another process has ended, or hangs.
    """
    alike = {name: value for name, value in belongs_to.items() if name != "device"}
    chief, *others = map(json.loads, workers.exchanged(json.dumps(alike).encode()))
    for number, other in enumerate(others, start=1):
        found = _first_difference(chief, other)
        if found is not None:
            what, of_chief, of_other = found
            raise InputError(
                f"worker {number} has another {what} than worker 0 ({of_other}; worker 0 has "
                f"{of_chief}); expected the same of all: start each with the same command on the "
                "same scene."
            )


def train(
    fit: Callable[[int, list[keras.callbacks.Callback]], keras.callbacks.History],
    model: LREN,
    folder: str | os.PathLike[str],
    every: int,
    belongs_to: dict[str, Any],
    workers: Workers,
) -> keras.callbacks.History:
    """Begin or go on with a training whose state is kept in a folder.

    The state is written every `every` epochs, at the end, and when the training is interrupted
    from the keyboard or by the loss of another process; then it is that of the last whole epoch.
    A killed process leaves the last state written. A training that is finished is not run again.

    Args:
        fit: trains from an epoch on, with these callbacks after all others: what has been done
            about an epoch is done when its state is written.
        model: built, with a built optimiser.
        folder: as `check`.
        every: epochs between two writings.
        belongs_to: `identity` of the training.
        workers: who trains together; only the chief's folder is looked at and written.

    Returns:
        The history of all epochs, those before the interruption included.

    Raises:
        InputError: as `check`; or another process keeps its state in the folder.
        WorkerLost: another process that trains along has ended, or hangs.
    """
    place = as_path(folder)
    with ExitStack() as held:
        with workers.agreed():
            written = b""
            if workers.chief:
                held.enter_context(_alone_in(ensure_writable_folder(place)))
                _remove_temporary(place)
                written = _written(place)
                found = _parsed(written, place)
                if found is not None:
                    _check_same(place, found.kept.belongs_to, belongs_to)
                    _check_shapes(model, found, place)
        state = _parsed(workers.exchanged(written)[0], place)
        if state is not None:
            _restore(model, state)
        keeper = _Keeper(place if workers.chief else None, every, belongs_to, state)
        start = 0 if state is None else state.kept.epoch
        if state is not None and state.kept.finished:
            # Callbacks still see a training begin and end, without an epoch between.
            start = belongs_to["setting"]["epochs of all parts"]
        try:
            history = fit(start, [keeper])
            if state is None or not state.kept.finished:
                # Once more than the callback did: others may have set weights at the end.
                keeper.take(finished=True)
                keeper.write()
        except (KeyboardInterrupt, WorkerLost):
            keeper.write()
            raise
    history.epoch = list(range(keeper.epoch))
    history.history = keeper.history
    return history


class _Keeper(keras.callbacks.Callback):
    """Takes the state at the end of every epoch, and writes it at the end of some.

    It is taken in memory, because an interruption comes in the middle of an epoch and must not
    write what some of its batches have moved. Taking it is one call of a function whose tensors
    share the variables' memory until a step moves them; a copy of each variable would take five
    times as long, which is felt where epochs are short.

    Args:
        place: folder to write to; None for a process that writes nothing.
        every, belongs_to: as `train`.
        state: what the training goes on from.
    """

    def __init__(
        self, place: Path | None, every: int, belongs_to: dict[str, Any], state: _State | None
    ) -> None:
        super().__init__()
        self._place = place
        self._every = every
        self._belongs_to = belongs_to
        self._taken: _State | None = None
        self._values: Callable[[], tuple[list[tf.Tensor], list[tf.Tensor]]] | None = None
        self.epoch = 0 if state is None else state.kept.epoch
        self.history = {} if state is None else state.kept.history

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            # Not appended: what was taken keeps its lists, and an interruption here leaves no
            # epoch counted twice.
            self.history[name] = [*self.history.get(name, [])[:epoch], float(value)]
        self.epoch = epoch + 1
        self.take(finished=False)
        if self.epoch % self._every == 0:
            self.write()

    def take(self, *, finished: bool) -> None:
        """Remember the state as it is."""
        if self._values is None:
            groups = _variables(self.model)
            self._values = tf.function(
                lambda: tuple([tf.identity(v.value) for v in group] for group in groups)
            )
        told = Kept(self._belongs_to, self.epoch, finished, dict(self.history))
        self._taken = _State(told, *self._values())

    def write(self) -> None:
        """Replace the state in the folder by the last one taken, if there is one."""
        if self._taken is None or self._place is None:
            return
        told, weights, optimizer = self._taken
        arrays = {
            **{f"weight_{i}": value.numpy() for i, value in enumerate(weights)},
            **{f"optimizer_{i}": value.numpy() for i, value in enumerate(optimizer)},
        }
        with atomic_path(self._place / FILE) as temporary:
            np.savez(temporary, record=np.array(json.dumps(told._asdict())), **arrays)


def _variables(model: LREN) -> tuple[list[keras.Variable], list[keras.Variable]]:
    return model.trainable_variables, model.optimizer.variables


def _written(place: Path) -> bytes:
    """The file of a state as it is; nothing where there is none."""
    path = place / FILE
    if not os.path.lexists(path):
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not content:
        raise _unreadable(path, EOFError())
    return content


def _parsed(content: bytes, place: Path) -> _State | None:
    if not content:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            record = json.loads(str(file["record"]))
            names = set(file.files)
            weights, optimizer = (
                [file[f"{what}{i}"] for i in range(sum(n.startswith(what) for n in names))]
                for what in ("weight_", "optimizer_")
            )
        return _State(Kept(**record), weights, optimizer)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError,
            zipfile.BadZipFile) as error:
        raise _unreadable(place / FILE, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is not a state of a training that can be read ({type(error).__name__}); "
        "expected one that this version wrote: choose another folder, or remove the file."
    )


def _check_shapes(model: LREN, state: _State, place: Path) -> None:
    for variables, arrays in zip(_variables(model), state[1:], strict=True):
        if [tuple(v.shape) for v in variables] != [array.shape for array in arrays]:
            raise InputError(
                f"{place / FILE} holds arrays of other shapes than this model; expected the model "
                "it was written by: choose another folder."
            )


def _restore(model: LREN, state: _State) -> None:
    for variables, arrays in zip(_variables(model), state[1:], strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _check_same(place: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Refuse a state of another training, naming the first thing that differs."""
    found = _first_difference(there, here)
    if found is not None:
        what, theirs, ours = found
        raise InputError(
            f"{place} holds a training with another {what} ({theirs}; here it is {ours}); expected "
            "the training it was begun with: change that back, or choose another folder."
        )


def _first_difference(there: dict[str, Any], here: dict[str, Any]) -> tuple[str, str, str] | None:
    """Between two of `identity`: what differs, and how it is there and here."""
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


def _remove_temporary(place: Path) -> None:
    """Remove what killed processes left; called by the one process that uses the folder."""
    for path in list(place.iterdir()):
        # The proof of a writable folder has a name that others use too, but never a content.
        if _TEMPORARY.fullmatch(path.name) and (
            path.name.startswith(".") or path.stat().st_size == 0
        ):
            path.unlink()


@contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    """Keep other processes out of the folder; the system lifts the lock of a killed one."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where nothing is locked
        yield
        return
    with open(place / _LOCK, "ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{place} is in use by another training; expected a folder of its own for each, "
                "wait for the other or choose another folder."
            ) from error
        except OSError:  # a file system without locks
            pass
        yield


class EpochLog(keras.callbacks.CSVLogger):
    """Keras' ``CSVLogger``, which goes on with its file where the training goes on.

    A training that starts at its first epoch writes a new file. One that goes on keeps the rows
    of the epochs before: rows that the interrupted process wrote after its last checkpoint
    are cut, and come again.

    Args:
        path: file to write; missing folders are made.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(os.fspath(path))
        self._begun = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Nothing: which epoch is the first is not known yet."""
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Open the file before the first epoch."""
        if not self._begun:
            path = Path(self.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.append = epoch > 0 and _cut(path, epoch)
            super().on_train_begin()
            self._begun = True


def _cut(path: Path, epoch: int) -> bool:
    """Leave the rows of a log before an epoch; whether there is a log."""
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
