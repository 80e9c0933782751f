"""Options of a long training: a folder for its checkpoints, and logs to watch it."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lren_tf.errors import InputError
from lren_tf.runtime.files import as_path, ensure_writable_target

OPTIONS = ("resume", "checkpoint_every", "tensorboard", "log")
"""Options of this module, as attributes of the arguments."""


class LongRun:
    """``--resume``, ``--checkpoint-every``, ``--tensorboard`` and ``--log``, checked.

    Nothing is written and TensorFlow is not imported before `callbacks`.

    Args:
        arguments: of the command line.
        writes: whether this process writes; another one of the same training needs no folder
            and no file, and looks at none.

    Raises:
        InputError: an option that cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace, *, writes: bool) -> None:
        self._writes = writes
        self.folder = self._writable_folder(arguments.resume)
        self._every = _every(arguments.checkpoint_every)
        if self._every is not None and self.folder is None:
            raise InputError(
                "--checkpoint-every was given without --resume; expected the folder of the "
                "checkpoints with it, add --resume DIR."
            )
        self._tensorboard = self._writable_folder(arguments.tensorboard)
        if self._tensorboard is not None and not _is_installed("tensorboard"):
            raise InputError(
                "--tensorboard needs the package tensorboard, which is not installed; "
                "run pip install 'lren-tf[tensorboard]', or leave the option out."
            )
        self._log = None if arguments.log is None else as_path(arguments.log)
        if self._log is not None and writes:
            ensure_writable_target(self._log)
        self._found: Any = None

    def begin(self) -> None:
        """Look at what is in the folder; before the training, which changes it.

        Raises:
            InputError: it cannot be read.
        """
        if self.folder is not None and self._writes:
            from lren_tf.training.checkpoint import read_info

            self._found = read_info(self.folder)

    @property
    def finished(self) -> bool:
        """True if the folder held a finished training."""
        return self._found is not None and self._found.finished

    @property
    def epochs_before(self) -> int:
        """Epochs that the folder held."""
        return 0 if self._found is None else self._found.epoch

    @property
    def opening(self) -> str | None:
        """One line on what the folder held; None where that is nothing."""
        if self._found is None:
            return None
        if self.finished:
            return f"resume: the training in {self.folder} is finished and is used as it is"
        return f"resume: goes on after epoch {self.epochs_before}, from {self.folder}"

    def callbacks(self) -> list[Any]:
        """Keras callbacks that watch the training."""
        import keras

        from lren_tf.training.callbacks import EpochLog

        watching: list[Any] = []
        if not self._writes:
            return watching
        if self._log is not None:
            watching.append(EpochLog(self._log))
        if self._tensorboard is not None:
            watching.append(keras.callbacks.TensorBoard(str(self._tensorboard), write_graph=False))
        return watching

    def fit_options(self) -> dict[str, Any]:
        """Arguments of ``fit``."""
        options: dict[str, Any] = {} if self.folder is None else {"resume": self.folder}
        return options if self._every is None else {**options, "checkpoint_every": self._every}

    def record(self) -> dict[str, Any]:
        """Return the entries of the report; none for a training that ran in one go."""
        if self._found is None:
            return {}
        return {"resumed": {"folder": str(self.folder), "epochs_before": self.epochs_before}}

    def _writable_folder(self, text: str | None) -> Path | None:
        """A folder that can be written or made; it is not made yet."""
        if text is None:
            return None
        folder = as_path(text)
        if self._writes:
            ensure_writable_target(folder / "file")
        return folder

    @contextmanager
    def interruptible(self, epochs: int) -> Iterator[None]:
        """Give an interruption of the body a sentence that says how to go on.

        Args:
            epochs: of the whole training.
        """
        try:
            yield
        except KeyboardInterrupt as interruption:
            self.begin()
            if self._found is None:
                raise
            sentence = (
                "interrupted; the training is finished"
                if self.finished
                else f"interrupted after epoch {self.epochs_before} of {epochs}"
            )
            raise KeyboardInterrupt(
                f"{sentence}, run the same command again to go on from {self.folder}."
            ) from interruption


def _every(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        every = int(text)
    except ValueError:
        every = 0
    if every < 1:
        raise InputError(
            f"--checkpoint-every is {text!r}; expected a whole number of epochs, 1 or more."
        )
    return every


def _is_installed(package: str) -> bool:
    # A folder of that name beside the program is found too, but has no origin.
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None
