"""``lren-tf batch``: the same detection of many scenes, and a catalogue of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lren_tf.batch.catalogue import Entry, totals, write_catalogue
from lren_tf.batch.finished import ENTRY, read_report
from lren_tf.batch.scenes import ListedScene, listed_scenes
from lren_tf.cli.console import OPTIONS as CONSOLE
from lren_tf.cli.console import collected_notices, result, say, tell_files
from lren_tf.cli.detection_task import FILES, Detection
from lren_tf.cli.options.batch_plan import tell_batch_plan
from lren_tf.cli.options.config import with_config
from lren_tf.cli.options.detector import LREN
from lren_tf.cli.options.outputs import AUTO
from lren_tf.cli.options.scene import check_scene, refuse_to_replace_another_scene
from lren_tf.cli.options.settled import settled
from lren_tf.cli.options.workers import OPTIONS as WORKERS
from lren_tf.cli.options.workers import WorkerOptions, tell_failure
from lren_tf.cli.trained_model import TRAINING
from lren_tf.datasets.by_name import is_name
from lren_tf.errors import InputError, TasksFailed
from lren_tf.io.load import scene_stem
from lren_tf.runtime.files import as_path, ensure_writable_folder, ensure_writable_target
from lren_tf.runtime.folder_lock import exclusive_use, remove_temporary
from lren_tf.tasks.run import Engine, Outcome, run_tasks

RESULTS = "scenes"
"""Folder of the results, with a folder for each scene."""
TRAINED = "trained"
"""Folder of the model that ``--train-on`` trains, and of its results."""
PLACE = "{scene}"
"""Placeholder for the name of a scene in the path of a file."""

_DEFAULTS = {"detector": LREN, "format": AUTO, "out": "."}
_OWN = (
    "command", "run", "debug", "config", "scenes", "train_on", *WORKERS, *CONSOLE, "dry_run",
)  # fmt: skip
_ONE_EACH = ("save_model", "log", "resume", "tensorboard")
"""Options that name what is written; no two scenes may write the same."""
_PATHS = (*_ONE_EACH, *FILES)
_NAMED = 5


def batch(arguments: argparse.Namespace) -> None:
    """Detect in every scene that is not finished, then write the catalogue.

    Raises:
        InputError: an option, or all scenes, cannot be used.
        TasksFailed: some scenes could not be worked on.
        WorkerLost: the connection to the scheduler broke.
    """
    arguments = with_config(arguments)
    for name, value in _DEFAULTS.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    workers = WorkerOptions(arguments)
    with collected_notices():
        scenes = listed_scenes(arguments.scenes, is_name)
    out = as_path(arguments.out).absolute()
    plan = _Plan(arguments, out, scenes)
    plan.check()
    if arguments.dry_run:
        plan.tell(max(1, workers.workers))
        return
    with (
        workers.engine() as engine,
        exclusive_use(ensure_writable_folder(out), "lren-tf batch"),
    ):
        plan.run(engine, debug=arguments.debug)


@dataclass
class _Plan:
    """Plan of a batch: a detection for each scene, and the training of `--train-on`.

    Attributes:
        arguments: with those of the config.
        out: the folder of everything that is written.
        scenes: all of them.
    """

    arguments: argparse.Namespace
    out: Path
    scenes: list[ListedScene]
    _detections: list[Detection] = field(default_factory=list)
    _training: Detection | None = None

    def check(self) -> None:
        """Refuse what can be refused before anything is written.

        Raises:
            InputError: an option that cannot be used, or a result that cannot be written.
        """
        arguments, out = self.arguments, self.out
        if arguments.strategy == "multiworker":
            raise InputError(
                "--strategy multiworker was given, which spreads one training over machines; "
                "expected one scene for each worker, use --scheduler for several machines."
            )
        for option in _ONE_EACH:
            value = getattr(arguments, option)
            if value is not None and PLACE not in value and len(self.scenes) > 1:
                raise InputError(
                    f"--{option.replace('_', '-')} is {value!r}, and all {len(self.scenes)} "
                    f"scenes would write it; expected {PLACE} in it, which stands for the name of "
                    "a scene."
                )
        ensure_writable_target(out / "scenes.csv")
        results = out / RESULTS
        for scene in self.scenes:
            if scene.file is not None and results in Path(os.path.realpath(scene.file)).parents:
                raise InputError(
                    f"{scene.path} lies among the results in {results}; expected scenes "
                    "elsewhere, choose another folder with --out."
                )
            refuse_to_replace_another_scene(
                argparse.Namespace(scene=scene.path), self._detection(scene, {}).report
            )
        first = self._options(self.scenes[0])
        check_scene(argparse.Namespace(**first))
        if arguments.train_on is None:
            found = settled(argparse.Namespace(**first))
            self._detections = [self._detection(scene, found) for scene in self.scenes]
        else:
            self._training = self._checked_training()

    def run(self, engine: Engine, *, debug: bool) -> None:
        """Work on the scenes, write the catalogue, say what came out.

        Raises:
            TasksFailed: a scene failed.
        """
        progress = _Progress(len(self.scenes), debug)
        try:
            if self._training is not None:
                self._train(self._training, engine, debug)
            tasks = [detection.task() for detection in self._detections]
            outcomes = run_tasks(tasks, engine, told=progress.tell)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted, {progress.done} of {len(self.scenes)} scenes are finished; run the "
                "same command again for the rest."
            ) from None
        entries = [
            _entry(scene, detection, outcome)
            for scene, detection, outcome in zip(
                self.scenes, self._detections, outcomes, strict=True
            )
        ]
        for folder in {entry.report.parent for entry in entries} | {self.out}:
            if folder.is_dir():
                remove_temporary(folder)
        files = write_catalogue(self.out, entries)
        before = sum(outcome.tries == 0 or outcome.value is True for outcome in outcomes)
        _conclude(entries, self.out, files, before)

    def tell(self, workers: int) -> None:
        """Tell what `run` would do; nothing is written and no scene is read.

        Args:
            workers: processes that share the work.
        """
        detections = self._detections
        training = self._training
        if training is not None:
            if training.is_finished():
                detections = self._detections_by_model(training)
            else:
                detections = [self._detection(scene, {}) for scene in self.scenes]
        tell_batch_plan(self.arguments, self.out, detections, training, workers)

    def _options(self, scene: ListedScene, **changed: Any) -> dict[str, Any]:
        """Options of ``detect`` for one scene."""
        options = {n: v for n, v in vars(self.arguments).items() if n not in _OWN}
        for name in _PATHS:
            if options[name] is not None:
                text = options[name].replace(PLACE, scene.name)
                # Workers may have been started in another folder.
                options[name] = str(as_path(text).absolute())
        results = self.out / RESULTS / scene.name
        return {**options, "scene": scene.path, "out": str(results), **changed,
                "debug": False, "dry_run": False}  # fmt: skip

    def _detection(
        self, scene: ListedScene, found: dict[str, Any], trained: str | None = None, **changed: Any
    ) -> Detection:
        options = self._options(scene, **changed)
        del options["debug"]
        return Detection(scene.name, options, found, trained)

    def _checked_training(self) -> Detection:
        """The training of ``--train-on``."""
        arguments = self.arguments
        for name in ("apply", "save_model"):
            if getattr(arguments, name) is not None:
                raise InputError(
                    f"--{name.replace('_', '-')} was given with --train-on, which saves the model "
                    f"in {self.out / TRAINED} and applies it; expected one of the two, leave one "
                    "out."
                )
        if arguments.background is not None:
            raise InputError(
                "--background was given with --train-on, whose model scores all scenes; expected "
                "one of the two, since the region is one of a single scene: train with lren-tf "
                "detect --background --save-model, then pass that model with --apply."
            )
        if arguments.detector != LREN:
            raise InputError(
                f"--train-on was given with the detector {arguments.detector!r}; expected it with "
                f"--detector {LREN} only, leave it out."
            )
        given = arguments.train_on
        scene = ListedScene(given, given)
        if not is_name(given):
            path = as_path(given).absolute()
            scene = ListedScene(scene_stem(path), str(path))
        folder = self.out / TRAINED
        changed = {
            "out": str(folder), "save_model": str(folder / f"{scene.name}.keras"),
            "recalibrate": None,
        }  # fmt: skip
        options = argparse.Namespace(**self._options(scene, **changed))
        check_scene(options)
        return self._detection(scene, settled(options), **changed)

    def _train(self, training: Detection, engine: Engine, debug: bool) -> None:
        """Train, or find the model; then the scenes are to be scored with it."""
        (outcome,) = run_tasks([training.task()], engine, told=partial(tell_failure, debug=debug))
        if outcome.failure is not None:
            raise TasksFailed(
                f"the scene {training.name} of --train-on failed: {outcome.failure}; expected a "
                "model of it, nothing else was begun."
            )
        model = training.options["save_model"]
        before = outcome.tries == 0 or outcome.value is True
        say(f"model: {model}{', trained before' if before else ''}")
        self._detections = self._detections_by_model(training)

    def _detections_by_model(self, training: Detection) -> list[Detection]:
        """Detections by the model of a training that is finished."""
        untrained = dict.fromkeys(TRAINING) | {
            "set": [], "lam": None, "apply": training.options["save_model"]
        }  # fmt: skip
        applied = argparse.Namespace(**self._options(self.scenes[0], **untrained))
        key = (read_report(training.report) or {})[ENTRY]["key"]
        found = settled(applied)
        return [self._detection(scene, found, key, **untrained) for scene in self.scenes]


@dataclass
class _Progress:
    """Printer of a line for every scene that has ended."""

    total: int
    debug: bool
    done: int = 0
    _ended: int = 0

    def tell(self, outcome: Outcome, again: bool) -> None:
        """Print the line of an outcome; `run_tasks` calls this."""
        tell_failure(outcome, again, debug=self.debug)
        if again:
            return
        self._ended += 1
        self.done += outcome.failure is None
        if outcome.tries:
            say(f"[{self._ended}/{self.total}] {outcome.task.name}: {self._text(outcome)}")

    def _text(self, outcome: Outcome) -> str:
        if outcome.failure is not None:
            return f"failed: {outcome.failure}"
        if outcome.value:
            return "finished before"
        (detection,) = outcome.task.arguments
        report = read_report(detection.report) or {}
        threshold = report.get("threshold")
        text = f"{outcome.seconds:.1f} s"
        if threshold is None:
            return text
        return f"{_counted(threshold['detections'], 'detection')}, {text}"


def _entry(scene: ListedScene, detection: Detection, outcome: Outcome) -> Entry:
    content = None if outcome.failure is not None else read_report(detection.report)
    return Entry(scene.name, scene.path, detection.report, content, outcome.failure)


def _conclude(
    entries: Sequence[Entry], out: Path, files: dict[str, Path], before: int
) -> None:
    found = totals(entries, out)
    line = f"{_counted(len(entries), 'scene')}: {found['done']} done"
    line += f" ({before} of them before)" if before else ""
    line += f", {found['failed']} failed" if found["failed"] else ""
    if "detections" in files:
        line += f"; {_counted(found['detections'], 'detection')}"
        line += f", {_counted(found['detected_pixels'], 'pixel')}"
    result(
        totals=found,
        scenes=[
            {"name": e.name, "path": e.source, "report": str(e.report), "failure": e.failure}
            for e in entries
        ],
    )
    say(line)
    tell_files(files)
    failed = [entry for entry in entries if entry.failure is not None]
    if failed:
        named = "; ".join(f"{entry.name} ({entry.failure})" for entry in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise TasksFailed(
            f"{len(failed)} of {_counted(len(entries), 'scene')} failed: {named}{more}; expected "
            f"all to be done, see {files['scenes']}, the same command tries them again."
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
