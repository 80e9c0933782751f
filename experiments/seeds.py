"""`make seeds`: what the text of the paper gives for other seeds than the authors'."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from experiments import published, render
from experiments.lren_runs import LrenRun
from experiments.runs import REAL, available_scenes, execute_missing

STUDY = "seeds"
SEEDS = (1, 2, 3, 4, 5)


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[LrenRun]:
    """The preset ``paper`` with five seeds on every scene."""
    return [LrenRun(STUDY, scene, "paper", seed) for scene in scenes for seed in SEEDS]


def fill_readme() -> None:
    """Set the README's table of seeds."""
    render.fill_readme("seeds", render.seeds_table(planned(), REAL))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    parser = argparse.ArgumentParser(prog="python -m experiments.seeds", description=__doc__)
    parser.add_argument("--force", action="store_true", help="run again what is finished")
    options = parser.parse_args(arguments)
    scenes = available_scenes()
    if not scenes:
        print("The study of seeds needs the real scenes, and none can be had here.")
        return 2
    execute_missing(planned(scenes), REAL, force=options.force)
    table = render.seeds_table(planned(), REAL)
    render.write_table("seeds", table, REAL)
    fill_readme()
    print(f"\n{table}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
