"""What the site shows and takes minutes to make, kept in `build/` until its sources change."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from experiments.rendering.site.repository import ROOT

FOLDER = ROOT / "build"


def sources() -> list[Path]:
    """Files that a detection depends on."""
    return [*(ROOT / "lren_tf").rglob("*.py")]


def is_current(made: Path, made_from: Iterable[Path]) -> bool:
    """Whether a file is there and younger than what it is made from."""
    return made.is_file() and all(
        path.stat().st_mtime <= made.stat().st_mtime for path in made_from
    )


def environment() -> dict[str, str]:
    """Variables of a process that imports the package of this checkout and prints no more."""
    python = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": python, "TF_CPP_MIN_LOG_LEVEL": "3"}
