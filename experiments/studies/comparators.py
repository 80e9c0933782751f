"""`make comparators`: ADLR with one rule for all scenes, beside the released method.

The variant ``robust`` on the four scenes of the paper and the seven further ones, each once, since
nothing in it is drawn; the released method's seeds on the four are those of Tables 2 and 3. A
scene that is not at hand is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table, mean_and_spread
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Run, Workspace, load_areas
from experiments.studies import comparison, evidence

STUDY = "comparators"
SCENES = evidence.SCENES
DETECTOR = "adlr"
RULE = {"variant": "robust"}


def runs_of(scene: str) -> list[DetectorRun]:
    """Return the runs of the rule on a scene."""
    pairs = tuple(RULE.items())
    return [DetectorRun(STUDY, scene, DETECTOR, seed, pairs) for seed in seeds_of(DETECTOR, 1)]


def planned(scenes: Sequence[str] = SCENES) -> list[Run]:
    """Return the runs of the rule on these scenes."""
    return [run for scene in scenes for run in runs_of(scene)]


def table(space: Workspace) -> str:
    """AUC(Pd,Pf) of the paper, the released method and the rule, by scene."""
    body = []
    for scene in SCENES:
        paper = published.PAPER["ADLR"].get(scene)
        rule = load_areas(runs_of(scene), space)
        difference = f"{rule[0] - paper.pd_pf:+.4f}" if rule and paper else "–"
        body.append([
            scene_title(scene),
            f"{paper.pd_pf:.4f}" if paper else "–",
            mean_and_spread(load_areas(comparison.runs_of(DETECTOR, scene), space)),
            mean_and_spread(rule),
            difference,
        ])  # fmt: skip
    return markdown_table(["scene", "paper", "`release`", "`robust`", "− paper"], body)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the table for a page."""
    return {"comparators": table(space)}


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table and return it."""
    tables.write_table("comparators", table(space), space)
    return table(space)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing on the scenes at hand, and render."""
    return carry_out("comparators", __doc__, arguments, planned, write,
                     available=evidence.available)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
