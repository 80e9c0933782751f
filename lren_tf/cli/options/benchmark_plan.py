"""Plan of a benchmark for ``--dry-run``: runs that are left, their time and memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from lren_tf.benchmark.run import Run
from lren_tf.cli.console import say
from lren_tf.cli.options.dry_run import tell_plan, to_be_downloaded
from lren_tf.detectors.estimates import Estimate, estimate
from lren_tf.detectors.working_memory import Size
from lren_tf.errors import InputError


def here(scenes: Sequence[str]) -> list[str]:
    """Leave out scenes that a download would bring, and say so.

    Args:
        scenes: of the command line; of implants, both names stand in one text.

    Raises:
        InputError: none is left.
    """
    left = [
        text for text in scenes
        if all(to_be_downloaded(name) is None for name in text.split(":"))
    ]  # fmt: skip
    if scenes and not left:
        raise InputError(
            "all scenes would be downloaded first; expected one at least that is here for "
            "--dry-run, download one or leave --dry-run out."
        )
    for text in scenes:
        if text not in left:
            say(f"{text}: would be downloaded first, and is left out of this plan")
    return left


def tell_benchmark_plan(
    arguments: argparse.Namespace, runs: Sequence[Run], files: Mapping[str, Path], workers: int
) -> None:
    """Tell the runs that are left, and what they may take.

    Args:
        arguments: of the benchmark.
        runs: all of them.
        files: files that are written besides the runs.
        workers: processes that share the work; 0 for this one.
    """
    left = [run for run in runs if run.finished() is None]
    say(f"{len(runs)} run{'' if len(runs) == 1 else 's'}, {len(runs) - len(left)} finished before")
    tell_plan(
        arguments,
        {**{f"record of {run.name}": run.record for run in left}, **files},
        {run.name: _estimate(run) for run in left},
        reads=[("scene", name) for name in dict.fromkeys(run.scene.name for run in left)],
        workers=max(1, workers),
    )


def _estimate(run: Run) -> Estimate:
    if run.method.detector is None:
        return Estimate(0.0, 0)  # a score map that is there
    height, width, bands = run.scene.content["shape"]
    made = run.method.made(run.seed)
    return estimate(made.name, Size(height, width, bands), made.get_config())
