"""Every table and figure of a workspace, from its records and maps.

``python -m experiments.rendering.everything`` is `make figures`: it renders the committed
results under ``results/committed``, so that no committed file changes.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from experiments import published
from experiments.rendering import figures, report
from experiments.runs.run import (
    COMMITTED,
    REFERENCE,
    Workspace,
    available_scenes,
    load_map,
)
from experiments.studies import (
    ablation,
    comparators,
    comparison,
    evidence,
    evidence_choice,
    failures,
    implants,
    lambda_path,
    odds,
    proposed,
    recent_methods,
    robust,
    robust_study,
    seeds,
    sensitivity,
    training_bound,
)
from lren_tf.runtime.startup import quiet_start

_STUDIES = {
    "proposed": (proposed,),
    "robust": (robust,),
    "comparison": (comparison,),
    "trainings": (seeds, lambda_path),
    "ablation": (ablation,),
    "failures": (failures,),
    "odds": (odds,),
    "sensitivity": (sensitivity,),
    "comparators": (comparators,),
    "recent_methods": (recent_methods,),
    "robust_study": (robust_study,),
    "evidence": (evidence,),
    "implants": (implants,),
    "evidence_choice": (evidence_choice,),
    "training_bound": (training_bound,),
}
"""What renders the records of each study."""


def write(space: Workspace, at_hand: Sequence[str]) -> list[str]:
    """Write every table and figure of the studies that a workspace has records of.

    Args:
        space: with its records and maps.
        at_hand: names of the scenes that load; figures of maps need all that have records.

    Returns:
        The main table of every study as Markdown.
    """
    shown = ["simulated"] if space.simulated else list(published.SCENES)
    texts = []
    for study, modules in _STUDIES.items():
        if (space.records / study).is_dir():
            texts += [module.write(space, shown) for module in modules]
    why = _obstacle(shown, at_hand, space) if space.records == REFERENCE.records else None
    if why is not None:
        _copy_figures(space)
        print(f"{why} The figures that need scenes and score maps are the committed ones.")
    else:
        figures.draw_lren(space, at_hand)
        figures.draw(space, at_hand)
    return texts


def _obstacle(shown: Sequence[str], at_hand: Sequence[str], space: Workspace) -> str | None:
    """Why the committed figures of scenes and maps cannot be drawn again, None if they can."""
    runs = [run for scene in shown for run in figures.shown_runs(scene)]
    runs = [run for run in runs if run.result_path(space).is_file()]
    away = dict.fromkeys(run.scene for run in runs if run.scene not in at_hand)
    if away:
        return f"Not at hand: {', '.join(away)}."
    without = [run for run in runs if load_map(run, space) is None]
    if without:
        return f"Without a committed map: {len(without)} runs, such as {without[0].label}."
    return None


def _copy_figures(space: Workspace) -> None:
    """Copy the committed figures that need the scenes into the folder of figures."""
    if space.figures == REFERENCE.figures:
        return
    space.figures.mkdir(parents=True, exist_ok=True)
    for stem in figures.NEED_SCENES:
        for path in REFERENCE.figures.glob(f"{stem}.*"):
            shutil.copyfile(path, space.figures / path.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the committed results under ``results/committed``."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.rendering.everything", description=__doc__
    )
    parser.parse_args(arguments)
    with quiet_start():  # titles of the detectors need TensorFlow
        write(COMMITTED, available_scenes())
    print(f"wrote {COMMITTED.tables} and {COMMITTED.figures}")
    print(f"wrote {report.write_report(COMMITTED)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
