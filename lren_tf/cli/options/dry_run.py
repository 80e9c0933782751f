"""``--dry-run``: what a command would read and write, how long it may take; nothing is written."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lren_tf import datasets
from lren_tf.cli.console import result, say
from lren_tf.data.scene import Scene
from lren_tf.datasets.benchmarks import entry_of
from lren_tf.datasets.by_name import SIMULATED, is_name
from lren_tf.detectors.estimates import RULE, Estimate
from lren_tf.detectors.working_memory import Size
from lren_tf.runtime.files import as_path

_INPUTS = (
    "scene", "score", "report", "model", "truth", "mask", "background", "library", "review",
    "apply", "config", "train_on",
)  # fmt: skip
"""Options and arguments that name files to read."""


def add_dry_run_option(parser: argparse.ArgumentParser) -> None:
    """``--dry-run``."""
    parser.add_argument(
        "--dry-run", action="store_true",
        help="check everything that can be checked in advance, list what would be read and "
        "written, and estimate time and memory; write nothing",
    )  # fmt: skip


def size_of(scene: Scene) -> Size:
    """Size of a scene as a detector sees it."""
    bands = scene.bands if scene.good_bands is None else int(scene.good_bands.sum())
    return Size(scene.height, scene.width, bands)


def to_be_downloaded(name: str) -> datasets.Benchmark | None:
    """The benchmark scene of this name if it is not on this machine; None of any other scene."""
    if not is_name(name) or name == SIMULATED or datasets.find(name) is not None:
        return None
    return entry_of(name)


def tell_plan(
    arguments: argparse.Namespace,
    writes: Mapping[str, Path],
    estimated: Mapping[str, Estimate] | None = None,
    *,
    reads: Iterable[tuple[str, str]] | None = None,
    workers: int = 1,
) -> None:
    """Say what would be read and written, and what it may take.

    Args:
        arguments: of the command.
        writes: files by what they are.
        estimated: time and memory by what takes them; None of a command that takes seconds.
        reads: files by what they are; None for those that the arguments name.
        workers: processes that share the work.
    """
    say("dry run: nothing is computed, nothing is written")
    inputs = list(_named(arguments) if reads is None else reads)
    for what, name in inputs:
        say(f"reads {what}: {name}{_size_text(name)}")
    for what, target in writes.items():
        there = ", which is there and would be replaced" if target.exists() else ""
        say(f"writes {what}: {target}{there}")
    result(
        dry_run=True,
        reads=[{"what": what, "file": name} for what, name in inputs],
        writes={what: str(target) for what, target in writes.items()},
    )
    if estimated is not None:
        _tell_estimates(estimated, workers)


def _tell_estimates(estimated: Mapping[str, Estimate], workers: int) -> None:
    for what, found in estimated.items():
        say(f"{what}: {_seconds_text(found.seconds)}, {_bytes_text(found.bytes)} of memory")
    total = _total(estimated, workers)
    if len(estimated) > 1:
        share = f" with {workers} workers" if workers > 1 else ""
        text = f"{_seconds_text(total.seconds)}, {_bytes_text(total.bytes)} of memory"
        say(f"in all{share}: {text}")
    say(f"({RULE})")
    result(
        estimate={**total._asdict(), "rule": RULE},
        estimates={what: found._asdict() for what, found in estimated.items()},
    )


def _total(estimated: Mapping[str, Estimate], workers: int) -> Estimate:
    """Time of all by so many workers, and memory of the largest at once; None if not known."""
    workers = max(1, min(workers, len(estimated)))
    seconds = [each.seconds for each in estimated.values()]
    sizes = [each.bytes for each in estimated.values()]
    return Estimate(
        None if None in seconds else sum(each for each in seconds if each is not None) / workers,
        None if None in sizes else workers * max((n for n in sizes if n is not None), default=0),
    )


def _named(arguments: argparse.Namespace) -> Iterable[tuple[str, str]]:
    given: dict[str, Any] = vars(arguments)
    return [(name, given[name]) for name in _INPUTS if given.get(name) is not None]


def _size_text(name: str) -> str:
    try:
        path = as_path(name)
        return f" ({_bytes_text(os.path.getsize(path))})" if path.is_file() else ""
    except OSError:
        return ""


def _seconds_text(seconds: float | None) -> str:
    if seconds is None:
        return "time not known"
    if seconds < 1:
        return "less than a second"
    if seconds < 120:
        return f"about {seconds:.0f} s"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def _bytes_text(count: int | None) -> str:
    if count is None:
        return "an unknown amount"
    if count < 1 << 20:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 2**20:.1f} MiB" if count < 1 << 30 else f"{count / 2**30:.1f} GiB"
