"""Detection of one scene as a task: a call that another process can make."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lren_tf.batch.finished import ENTRY, Result
from lren_tf.cli.commands.detect import detect
from lren_tf.cli.console import unheard
from lren_tf.cli.options.files import READ
from lren_tf.errors import InputError
from lren_tf.io.scene_files import files_of
from lren_tf.io.spectral_library import library_files
from lren_tf.runtime.files import ensure_writable_folder
from lren_tf.runtime.folder_lock import remove_temporary
from lren_tf.tasks.run import Task

FILES = (*(name for name in READ if name != "scene"), "apply")
"""Options that name files which a result depends on, beside the scene."""
_NOT_OF_THE_RESULT = frozenset({
    # The scene and where its results go; resolved settings stand for the options of them.
    "scene", "out", "detector", "preset", "seed", "lam", "epochs", "set", "recalibrate",
    "false_alarm_rate", "min_size",
    # How and where it is computed.
    "device", "strategy", "memory_limit", "resume", "checkpoint_every", "dry_run",
})  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """One scene of a batch.

    Attributes:
        name: of the scene.
        options: all of ``lren-tf detect``, by their names; paths are absolute.
        settled: what `lren_tf.cli.options.settled.settled` said of them.
        trained: key of the training that made the model to apply, where a training of the same
            batch made it: it stands for the model's file.
    """

    name: str
    options: Mapping[str, Any]
    settled: Mapping[str, Any]
    trained: str | None = None

    @property
    def report(self) -> Path:
        """Path of the report."""
        return Path(self.options["out"]) / f"{self.name}_report.json"

    def result(self) -> Result:
        """Return the result: its report, and everything it depends on.

        Raises:
            InputError: a file is missing.
        """
        scene = self.options["scene"]
        more = {n: v for n, v in self.options.items() if n not in _NOT_OF_THE_RESULT | {*FILES}}
        settings = {**self.settled, "options": more}
        files = {}
        if os.path.isabs(scene):
            files["scene"] = files_of(Path(scene))
        else:
            settings["scene"] = scene
        for what in FILES:
            path = self.options[what]
            if path is None:
                continue
            if what == "apply" and self.trained is not None:
                settings["trained"] = self.trained
            else:
                found = library_files if what == "library" else files_of
                files[what] = list(found(Path(path)))
        return Result(self.report, settings, files)

    def task(self) -> Task:
        """The detection as a task, finished where its report says so."""
        return Task(self.name, detect_scene, (self,), self._finished)

    def is_finished(self) -> bool:
        """Return whether the result is there; nothing is written."""
        try:
            return self.result().is_there()
        except InputError:  # which the task will say
            return False

    def _finished(self) -> bool | None:
        try:
            return None if self.result().found() is None else True
        except InputError:  # which the task will say
            return None


def detect_scene(detection: Detection) -> bool:
    """Detect, without a word on the terminal.

    Returns:
        Whether nothing had to be done.

    Raises:
        InputError: the scene or an option cannot be used.
        TrainingDiverged: the training did.
    """
    try:
        return _detected(detection)
    except InputError as error:
        # With options where Python has arguments.
        raise InputError(error.for_command_line()) from error


def _detected(detection: Detection) -> bool:
    result = detection.result()
    entry = result.entry()
    if result.found_by(entry) is not None:
        return True
    remove_temporary(ensure_writable_folder(detection.report.parent))

    def entries() -> dict[str, Any]:
        result.check_unchanged(entry)
        return {ENTRY: entry}

    if "keras" in sys.modules and detection.options["apply"] is None:
        # What earlier scenes have left would grow with every one of them.
        sys.modules["keras"].utils.clear_session()
    with (
        unheard(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        detect(argparse.Namespace(**detection.options), entries)
    return False
