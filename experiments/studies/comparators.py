"""`make comparators`: ADLR and PAB_DC with one rule for all scenes, beside the released methods.

The variants ``robust``, each once, since nothing in them is drawn: ADLR on the four scenes of the
paper and the seven further ones, PAB_DC on the four. The released methods' seeds on the four are
those of Tables 2 and 3. A scene that is not at hand is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table, mean_and_spread
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Run, Workspace, load_areas
from experiments.studies import comparison, evidence
from lren_tf import detectors

STUDY = "comparators"
SCENES: Mapping[str, Sequence[str]] = {"adlr": evidence.SCENES, "pab_dc": published.SCENES}
"""Scenes of each detector."""
RULE = {"variant": "robust"}


def runs_of(scene: str, detector: str = "adlr") -> list[DetectorRun]:
    """Return the runs of a detector's rule on a scene."""
    pairs = tuple(RULE.items())
    seeds = seeds_of(detector, 1, **RULE)
    return [DetectorRun(STUDY, scene, detector, seed, pairs) for seed in seeds]


def planned(scenes: Sequence[str] = evidence.SCENES) -> list[Run]:
    """Return the runs of the rules on these scenes."""
    return [
        run
        for detector, its in SCENES.items()
        for scene in scenes
        if scene in its
        for run in runs_of(scene, detector)
    ]


def table(space: Workspace, detector: str = "adlr") -> str:
    """AUC(Pd,Pf) of the paper, the released method and the rule, by scene."""
    body = []
    for scene in SCENES[detector]:
        paper = published.PAPER[detectors.detector_class(detector).title].get(scene)
        rule = load_areas(runs_of(scene, detector), space)
        difference = f"{rule[0] - paper.pd_pf:+.4f}" if rule and paper else "–"
        body.append([
            scene_title(scene),
            f"{paper.pd_pf:.4f}" if paper else "–",
            mean_and_spread(load_areas(comparison.runs_of(detector, scene), space)),
            mean_and_spread(rule),
            difference,
        ])  # fmt: skip
    return markdown_table(["scene", "paper", "`release`", "`robust`", "− paper"], body)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the tables for a page."""
    return {"comparators": table(space), "comparators_pab_dc": table(space, "pab_dc")}


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the tables and return that of ADLR."""
    for name, body in blocks(space).items():
        tables.write_table(name, body, space)
    return table(space)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing on the scenes at hand, and render."""
    return carry_out("comparators", __doc__, arguments, planned, write,
                     available=evidence.available)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
