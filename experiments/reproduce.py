"""`make reproduce`: run what is missing, then render every table and figure from the results."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from experiments import figures, proposed, published, report, tables23_comparison
from experiments.runs import REAL, SIMULATED, available_scenes, execute_missing


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
    runs = [*proposed.planned(scenes), *tables23_comparison.planned(scenes)]
    execute_missing(runs, space, force=options.force)
    texts = [proposed.write_tables(space, shown), tables23_comparison.write_tables(space, shown)]
    if space is REAL:
        proposed.fill_readme()
        tables23_comparison.fill_readme()
    written = [*proposed.draw_figures(space, scenes), *figures.draw(space, scenes)]
    written.append(report.write_report(space))
    for text in texts:
        print(f"\n{text}\n")
    for path in (*sorted(space.tables.glob("*.md")), *written):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
