"""One run: a method on a scene with a seed, as a call that another process can make."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.batch.finished import ENTRY, Result
from lren_tf.benchmark.methods import Method
from lren_tf.benchmark.scenes import JudgedScene
from lren_tf.data.scene import Scene
from lren_tf.detectors.measured import measured_score
from lren_tf.errors import InputError
from lren_tf.evaluation.objects import JudgedObjects
from lren_tf.io import load_map
from lren_tf.records import detector_record, json_text
from lren_tf.runtime.files import atomic_path, ensure_writable_folder
from lren_tf.runtime.machine import machine_record
from lren_tf.runtime.startup import repeatable_start
from lren_tf.runtime.versions import loaded_versions
from lren_tf.tasks.run import Task

RUNS = "runs"
"""Folder of the runs, with a folder for each scene."""


@dataclass(frozen=True)
class Run:
    """A method on a scene with a seed.

    Attributes:
        folder: of the benchmark, absolute.
        scene, method: which.
        seed: None where nothing is drawn.
    """

    folder: str
    scene: JudgedScene
    method: Method
    seed: int | None = None

    @property
    def name(self) -> str:
        """Name that messages use."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.method.title} on {self.scene.name}{seed}"

    @property
    def record(self) -> Path:
        """Path of its JSON."""
        seed = "" if self.seed is None else f"-{self.seed}"
        return Path(self.folder) / RUNS / self.scene.name / f"{self.method.slug}{seed}.json"

    def result(self) -> Result:
        """Return the result: its record, and everything it depends on.

        Raises:
            InputError: the score map is missing, or the detector cannot be made.
        """
        settings: dict[str, Any] = {"scene": self.scene.content, "seed": self.seed}
        if self.method.detector is None:
            files = {"map": [self.method.map_of(self.scene.name)]}
            return Result(self.record, settings, files)
        made = self.method.made(self.seed)
        config, effective = (_own(each) for each in (made.get_config(), made.effective_config()))
        settings |= {"detector": made.name, "settings": config, "plugin": made.plugin}
        if effective != config:
            settings["effective"] = effective
        return Result(self.record, settings, {})

    def task(self) -> Task:
        """The run as a task, finished where its record says so."""
        return Task(self.name, perform, (self,), self.finished)

    def finished(self) -> dict[str, Any] | None:
        """The record of the run, or None where it is to be made."""
        try:
            return self.result().found()
        except InputError:  # which the task will say
            return None


def perform(run: Run) -> dict[str, Any]:
    """Score and judge, without a word on the terminal; write the record.

    Returns:
        The record.

    Raises:
        InputError: the scene, the detector or the score map cannot be used.
        TrainingDiverged: the training did.
    """
    try:
        with _silent():
            return _performed(run)
    except InputError as error:
        # With options where Python has arguments.
        raise InputError(error.for_command_line()) from error


def _performed(run: Run) -> dict[str, Any]:
    with repeatable_start():
        result = run.result()
        if run.method.detector is not None:
            run.method.made(run.seed).prepare()
    entry = result.entry()
    found = result.found_by(entry)
    if found is not None:
        return found
    ensure_writable_folder(run.record.parent)
    scene = run.scene.load()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        score, made = _scored(run, scene)
        judged = _judged(score, scene)
    result.check_unchanged(entry)
    record = {
        "method": run.method.title,
        **made,
        "scene": {"name": run.scene.name, "path": run.scene.path, **run.scene.content},
        **judged,
        "notices": [str(each.message) for each in told if each.category is UserWarning],
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": loaded_versions(),
        "machine": machine_record(),
        "files": {},
        ENTRY: entry,
    }
    with atomic_path(run.record) as temporary:
        temporary.write_text(json_text(record), encoding="ascii")
    return record


def _scored(run: Run, scene: Scene) -> tuple[np.ndarray, dict[str, Any]]:
    """Score map, and what the record says of how it was made."""
    if run.method.detector is None:
        path = run.method.map_of(run.scene.name)
        score = load_map(path).astype(np.float64)
        _check_map(score, scene, path)
        return score, {
            "detector": None, "settings": {}, "seed": None, "map": str(path), "seconds": None,
            "peak_memory_bytes": None,
        }  # fmt: skip
    detector = run.method.made(run.seed)
    try:
        score, seconds, peak = measured_score(detector, scene)
    finally:
        if detector.stochastic:
            _forget_networks()
    return score, {
        **detector_record(detector), "seconds": seconds, "peak_memory_bytes": peak
    }  # fmt: skip


def _own(config: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in config.items() if n not in ("seed", "device")}


def _forget_networks() -> None:
    """Free what networks leave, which would grow with every run."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()


def _check_map(score: np.ndarray, scene: Scene, path: Path) -> None:
    if score.shape != scene.shape[:2]:
        raise InputError(
            f"{path} has shape {score.shape}; expected {scene.shape[:2]}, a score for each pixel "
            f"of {scene.name}."
        )
    valid = np.ones(scene.shape[:2], bool) if scene.valid is None else scene.valid
    missing = int(np.count_nonzero(np.isnan(score) & valid))
    if missing:
        raise InputError(
            f"{path} has no score in {missing} pixels where {scene.name} holds data; expected one "
            "in each, so that all methods are judged by the same pixels."
        )
    score[~valid] = np.nan


def _judged(score: np.ndarray, scene: Scene) -> dict[str, Any]:
    from lren_tf.evaluation import metrics
    from lren_tf.io.pixel_area import pixel_area

    truth = scene.truth
    assert truth is not None  # of a `JudgedScene`
    objects = JudgedObjects.of(score, truth)
    return {
        "metrics": metrics.evaluate(score, truth),
        "objects": objects.record(pixel_area(scene.georeference, scene.shape)),
        "object_scores": objects.scores()._asdict(),
    }


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
