"""Plan of a batch for ``--dry-run``: which scenes are left, their time and memory, what is written.

Of the scenes only headers are read.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lren_tf import datasets
from lren_tf.batch.catalogue import INDEX, SCENES
from lren_tf.cli.console import result, say
from lren_tf.cli.detection_task import Detection
from lren_tf.cli.options.detector import LREN
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.datasets.benchmarks import entry_of
from lren_tf.datasets.by_name import SIMULATED, is_name
from lren_tf.detectors.estimates import Estimate, estimate
from lren_tf.detectors.working_memory import Size
from lren_tf.errors import InputError
from lren_tf.io.scene_shape import scene_shape
from lren_tf.settings import Settings


def tell_batch_plan(
    arguments: argparse.Namespace,
    out: Path,
    detections: Sequence[Detection],
    training: Detection | None,
    workers: int,
) -> None:
    """Tell the scenes that are left, and what they may take.

    Args:
        arguments: of the batch.
        out: folder of everything that is written.
        detections: one for each scene.
        training: of ``--train-on``, or None.
        workers: processes that share the work.
    """
    tasks = [] if training is None else [(training, f"{training.name} (training)")]
    tasks += [(detection, detection.name) for detection in detections]
    estimated: dict[str, Estimate] = {}
    reads, writes, told = [], {}, []
    for detection, name in tasks:
        entry: dict[str, Any] = {"name": name, "finished": False, "problem": None}
        told.append(entry)
        if detection.is_finished():
            entry["finished"] = True
            say(f"{name}: finished before")
            continue
        reads.append((name, str(detection.options["scene"])))
        writes[f"results of {name}"] = detection.report.parent
        try:
            estimated[name] = _estimate(detection, training)
        except InputError as error:
            # A scene that cannot be read costs a batch that scene.
            entry["problem"] = error.for_command_line()
            say(f"{name}: cannot be read, {entry['problem']}")
    result(scenes=told)
    files = {"scenes": out / SCENES, "index": out / INDEX}
    tell_plan(arguments, {**writes, **files}, estimated, reads=reads, workers=workers)


def _estimate(detection: Detection, training: Detection | None) -> Estimate:
    settled = detection.settled if training is None else training.settled
    named: Mapping[str, Any] = settled["settings"]
    settings: Mapping[str, Any] | Settings = named
    if settled["detector"] == LREN:
        if training is None and detection.options["apply"] is not None:
            return Estimate(None, None)  # the model knows its settings, and is not loaded
        settings = Settings(**named)
    size = Size(*_shape(detection.options))
    applied = training is not None and detection is not training
    return estimate(settled["detector"], size, settings, trained=applied)


def _shape(options: Mapping[str, Any]) -> tuple[int, int, int]:
    scene = options["scene"]
    if not is_name(scene):
        return scene_shape(scene, options["key"], options["axes"])
    return datasets.simulate().shape if scene == SIMULATED else entry_of(scene).shape
