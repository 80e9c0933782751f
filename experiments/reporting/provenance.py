"""Provenance: what a record needs so that somebody else can get its numbers again."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_path
from lren_tf.runtime.machine import machine_record
from lren_tf.runtime.startup import quiet_start
from lren_tf.runtime.versions import versions

ROOT = Path(__file__).resolve().parent.parent.parent

# What a run itself writes cannot count against the tree it ran from.
_OUTPUTS = (
    "results", "experiments/results", "experiments/tables", "experiments/figures",
    "experiments/maps_float16", "benchmarks/results", "docs/performance.md",
    "docs/performance_growth.png", "docs/reproduction.md", "docs/detectors.md", "docs/robust.md",
    "README.md",
)  # fmt: skip


def provenance() -> dict[str, Any]:
    """Commit, whether the code was unchanged since, versions, processor, threads, time (UTC)."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in _OUTPUTS))
    with quiet_start():  # the version of TensorFlow is that of the imported one
        packages = versions()
    return {
        "commit": commit,
        "clean": None if changes is None else not changes,
        "versions": packages,
        **machine_record(),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def committed_record(study: str, scene: str, stem: str) -> dict[str, Any]:
    """Return a committed record of the experiments.

    Raises:
        FileNotFoundError: there is none.
    """
    path = ROOT / "experiments" / "results" / study / scene / f"{stem}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as strict JSON, under a temporary name first."""
    write_text(path, json_text(record))


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def _git(*arguments: str) -> str | None:
    """Output of a git command in the checkout; None where there is no checkout."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
