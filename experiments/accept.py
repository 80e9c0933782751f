"""`make accept`: copy verified runs into the committed results and render these again.

Nothing else writes committed records, maps, tables, figures or pages. A run is copied when every
figure of it is within its tolerance; one that cannot be checked (``verification`` says why) only
with ``--unchecked``. Nothing is copied while a figure is outside its tolerance.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from experiments import published, verification
from experiments.rendering import everything, figures, pages
from experiments.runs.run import (
    REFERENCE,
    RESULTS,
    Run,
    Workspace,
    available_scenes,
    load_map,
    load_result,
    save_compact,
)
from experiments.studies import catalogue
from experiments.verification import Verdict
from lren_tf.runtime.startup import quiet_start


def accept(
    space: Workspace, reference: Workspace, runs: Sequence[Run], *, unchecked: bool = False
) -> tuple[list[Run], list[str]]:
    """Copy verified runs from a workspace into the reference.

    Args:
        space: with the runs.
        reference: gets their records, and in compact form the maps that the figures show.
        runs: candidates; those without a record here are left out.
        unchecked: copy also the runs whose figures cannot be checked.

    Returns:
        The copied runs, and a line for each run that was not copied.

    Raises:
        ValueError: a figure is outside its tolerance; nothing was copied.
    """
    found = {run: verification.figures_of(run, space, reference) for run in runs}
    found = {run: those for run, those in found.items() if those}
    everything_found = [figure for those in found.values() for figure in those]
    if not verification.passed(everything_found):
        outside = [f for f in everything_found if f.verdict is Verdict.OUTSIDE]
        raise ValueError(verification.table(outside))
    shown = {run for scene in published.SCENES for run in figures.shown_runs(scene)}
    copied, left = [], []
    for run, those in found.items():
        why = _obstacle(run, those, space, unchecked=unchecked)
        if why is not None:
            left.append(f"{run.label}: {why}")
            continue
        _copy(run, space, reference, with_map=run in shown)
        copied.append(run)
    return copied, left


def _obstacle(
    run: Run, found: Sequence[verification.Figure], space: Workspace, *, unchecked: bool
) -> str | None:
    """Why a run cannot be copied, None if it can."""
    if load_result(run, space)["clean"] is not True:  # type: ignore[index]
        return "run from a tree with changes, or outside a checkout"
    other = [figure for figure in found if figure.verdict is not Verdict.WITHIN]
    return other[0].verdict.value if other and not unchecked else None


def _copy(run: Run, space: Workspace, reference: Workspace, *, with_map: bool) -> None:
    """Copy one run; the record stays as it is where the map is the same to the bit."""
    here, there = load_result(run, space), load_result(run, reference)
    assert here is not None
    score = load_map(run, space)
    if with_map and score is not None:
        save_compact(run.compact_path(reference), score, here["map_sha256"])
    # Last, so that a record never names a map that is not there.
    if there is None or there["map_sha256"] is None or there["map_sha256"] != here["map_sha256"]:
        run.result_path(reference).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run.result_path(space), run.result_path(reference))


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy, then render the committed tables, figures and pages."""
    parser = argparse.ArgumentParser(prog="python -m experiments.accept", description=__doc__)
    parser.add_argument(
        "--unchecked", action="store_true", help="copy also what cannot be checked"
    )
    options = parser.parse_args(arguments)
    try:
        copied, left = accept(
            RESULTS, REFERENCE, catalogue.everything(), unchecked=options.unchecked
        )
    except ValueError as error:
        print(f"{error}\n\nNothing was copied.")
        return 1
    for line in left:
        print(f"not copied: {line}")
    print(f"copied {len(copied)} runs into {REFERENCE.records}")
    with quiet_start():
        everything.write(REFERENCE, available_scenes())
    for page in pages.fill():
        print(f"filled the blocks of {page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
