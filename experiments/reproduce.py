"""`make reproduce`: run what is missing, then render every table and figure from the results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from experiments import published
from experiments.rendering import figures, report
from experiments.runs.run import REAL, SIMULATED, available_scenes, execute_missing
from experiments.studies import comparison, proposed, robust


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and render; 0 also when only the simulated scene could be run."""
    parser = argparse.ArgumentParser(prog="python -m experiments.reproduce", description=__doc__)
    parser.add_argument("--force", action="store_true", help="run again what is finished")
    options = parser.parse_args(arguments)
    scenes = available_scenes()
    space, shown = REAL, list(published.SCENES)
    if not scenes:
        print(
            "No real scene can be had here: running the simulated one instead. Everything it "
            f"writes is under {SIMULATED.root} and marked as simulated.",
            flush=True,
        )
        scenes, space, shown = ["simulated"], SIMULATED, ["simulated"]
    studies = (proposed, robust, tables23_comparison)
    runs = [run for study in studies for run in study.planned(scenes)]
    execute_missing(runs, space, force=options.force)
    texts = [study.write_tables(space, shown) for study in studies]
    if space is REAL:
        for study in studies:
            study.fill_readme()
    written = [*figures.draw_lren(space, scenes), *figures.draw(space, scenes)]
    written.append(report.write_report(space))
    for text in texts:
        print(f"\n{text}\n")
    for path in (*sorted(space.tables.glob("*.md")), *written):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
