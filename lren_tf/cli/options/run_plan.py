"""Plan of a run of ``detect`` for ``--dry-run``: its files, time and memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from lren_tf import datasets
from lren_tf.cli.console import say
from lren_tf.cli.options.detector import LREN
from lren_tf.cli.options.dry_run import size_of, tell_plan
from lren_tf.cli.options.files import RunFiles
from lren_tf.cli.options.region import Region
from lren_tf.cli.options.scene import check_scene
from lren_tf.cli.options.settled import settled
from lren_tf.data.scene import Scene
from lren_tf.detectors.estimates import Estimate, estimate
from lren_tf.detectors.working_memory import Size
from lren_tf.settings import Settings


def tell_plan_of_run(
    outputs: RunFiles, scene: Scene, settings: Mapping[str, Any] | Settings | None,
    memory_limit: int | None = None, trained: bool = False,
) -> None:  # fmt: skip
    """Tell the plan of a run whose scene has been read.

    Args:
        outputs: files of the run.
        scene: the scene.
        settings: of the detector; None of a SavedModel, whose settings are not known.
        memory_limit: bytes of ``--memory-limit``.
        trained: True of a model that is applied.
    """
    name = outputs.arguments.detector
    found = Estimate(None, None)
    if settings is not None:
        found = estimate(
            name, size_of(scene), settings, memory_limit=memory_limit, trained=trained
        )
    tell_plan(outputs.arguments, outputs.targets, {name: found})


def tell_plan_without_scene(arguments: argparse.Namespace, away: datasets.Benchmark) -> None:
    """Tell the plan of a run whose scene a download would bring."""
    settings = settled(arguments)["settings"]
    check_scene(arguments)
    Region.of(arguments)
    outputs = RunFiles(arguments)
    outputs.follow_format("MATLAB")
    trained = arguments.apply is not None
    if arguments.detector == LREN:
        settings = None if trained else Settings(**settings)
    found = Estimate(None, None)
    if settings is not None:
        found = estimate(arguments.detector, Size(*away.shape), settings)
    say(f"{away.name}: {' × '.join(map(str, away.shape))}, would be read from {away.url}")
    tell_plan(arguments, outputs.targets, {arguments.detector: found})
