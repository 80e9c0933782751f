"""`make reproduce`: train what is missing, then render the paper's rows from the results."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from experiments import published, render
from experiments.provenance import write_text
from experiments.runs import REAL, SIMULATED, Run, Workspace, execute_missing, load_scene
from lren_tf import InputError

STUDY = "proposed"
PRESETS = ("release", "paper")
_MAP_TITLES = {"release": "LREN, as released", "paper": "LREN, as written"}


def planned(scenes: Sequence[str]) -> list[Run]:
    """The runs behind the "Proposed" rows of Tables 2 and 3: both presets, authors' seed."""
    return [
        Run(STUDY, scene, preset, published.AUTHORS_SEED) for scene in scenes for preset in PRESETS
    ]


def available_scenes() -> list[str]:
    """The real scenes that can be had; says why of each other one."""
    scenes = []
    for name in published.SCENES:
        try:
            load_scene(name)
        except InputError as error:
            print(f"{name}: {error}", flush=True)
        else:
            scenes.append(name)
    return scenes


def write_tables(space: Workspace, runs: Sequence[Run]) -> str:
    """Write the tables of the runs; returns the main ones as Markdown."""
    note = "**Simulated scene: not a result on real data.**\n\n" if space.simulated else ""
    tables = render.proposed_tables(runs, space)
    write_text(space.tables / "proposed.md", f"{note}{tables}\n")
    agreement = render.agreement_table(runs, space)
    write_text(space.tables / "agreement.md", f"{note}{agreement}\n")
    write_text(space.tables / "runs.md", f"{note}{render.settings_table(runs, space)}\n")
    return f"{note}{tables}\n\n{agreement}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and render; 0 also when only the simulated scene could be run."""
    parser = argparse.ArgumentParser(prog="python -m experiments.reproduce", description=__doc__)
    parser.add_argument("--force", action="store_true", help="run again what is finished")
    options = parser.parse_args(arguments)
    scenes = available_scenes()
    space = REAL
    if not scenes:
        print(
            "No real scene can be had here: running the simulated one instead. Everything it "
            f"writes is under {SIMULATED.root} and marked as simulated.",
            flush=True,
        )
        scenes, space = ["simulated"], SIMULATED
    runs = planned(scenes)
    execute_missing(runs, space, force=options.force)
    text = write_tables(space, planned(tuple(published.SCENES)) if space is REAL else runs)
    if space is REAL:
        fill_readme()
    written = render.draw_figures(runs, space, _MAP_TITLES)
    print(f"\n{text}\n")
    for path in (*sorted(space.tables.glob("*.md")), *written):
        print(f"wrote {path}")
    return 0


def fill_readme() -> None:
    """Set the README's blocks that come from these runs."""
    runs = planned(tuple(published.SCENES))
    render.fill_readme("proposed", render.proposed_tables(runs, REAL))
    render.fill_readme("agreement", render.agreement_table(runs, REAL))


if __name__ == "__main__":
    raise SystemExit(main())
