"""`make comparators`: ADLR and PAB_DC on eleven scenes, as released and with one rule for all.

Candidates for the rule on the four scenes of the paper and the seven further ones, beside the
released method with several seeds on the paper's. What the candidates would choose for
each scene from the other ten says what the choice on these scenes is worth. A scene that is not
at hand is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.parts_run import PartsRun
from experiments.runs.run import Run, Workspace, load_result
from experiments.studies import evidence
from experiments.studies.sensitivity import label

STUDY = "comparators"
SCENES = evidence.SCENES
RELEASE: dict[str, Any] = {"variant": "release"}
SEEDS = {"adlr": 3, "pab_dc": 2}
"""How many seeds the released method runs with, on the scenes of the paper."""
CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "adlr": [{}, {"lam_ratio": 3.0}, {"endmembers": 9}, {"scaled": False}],
    "pab_dc": [{}],
}
"""Settings that differ from the defaults, the defaults first."""
PARTS = ("anomaly", "residual", "both")
"""Other scores of PAB_DC, which are candidates too."""
_COLUMN = {"adlr": "ADLR", "pab_dc": "PAB_DC"}
_DEFAULT, _CHOSEN = "default", "chosen without the scene"


def runs_of(detector: str, settings: dict[str, Any], scene: str) -> list[DetectorRun]:
    """Return the runs of one cell, one a seed where the setting draws."""
    kind = PartsRun if detector == "pab_dc" else DetectorRun
    return [
        kind(STUDY, scene, detector, seed, tuple(settings.items()))
        for seed in seeds_of(detector, SEEDS[detector], **settings)
    ]


def planned(scenes: Sequence[str] = SCENES) -> list[Run]:
    """Return every setting of both detectors on these scenes."""
    cells = [
        (detector, settings, scene)
        for detector, candidates in CANDIDATES.items()
        for settings in candidates
        for scene in scenes
    ]
    cells += [
        (detector, RELEASE, scene)
        for detector in CANDIDATES for scene in scenes if scene in published.SCENES
    ]  # fmt: skip
    return [run for cell in cells for run in runs_of(*cell)]


Row = dict[str, list[float]]
"""Areas over the seeds of a row, by scene; a scene without a map is not in it."""


def rows(detector: str, space: Workspace) -> dict[str, Row]:
    """Return AUC(Pd,Pf) of every candidate, and then of the released method, by their labels."""
    found = {
        label(settings): _row(detector, settings, None, space)
        for settings in CANDIDATES[detector]
    }
    if detector == "pab_dc":
        found |= {f"score part {part}": _row(detector, {}, part, space) for part in PARTS}
    return found | {"as released": _row(detector, RELEASE, None, space)}


def _row(detector: str, settings: dict[str, Any], part: str | None, space: Workspace) -> Row:
    row: Row = {}
    for scene in SCENES:
        for run in runs_of(detector, settings, scene):
            record = load_result(run, space)
            if record is None or record["metrics"] is None:
                continue
            figures = record["metrics"] if part is None else record["parts"][part]
            row.setdefault(scene, []).append(figures["auc_pd_pf"])
    return row


def chosen_without(candidates: dict[str, Row]) -> Row:
    """Return on each scene the area of the candidate with the best mean on the others.

    Candidates without a map on one of the scenes are left out, as is everything where there is
    only one scene.
    """
    complete = max((set(row) for row in candidates.values()), key=len, default=set())
    means = {
        name: {scene: mean(values) for scene, values in row.items()}
        for name, row in candidates.items()
        if set(row) == complete
    }
    if len(complete) < 2:
        return {}
    chosen: Row = {}
    for scene in complete:
        best = max(means, key=lambda name: sum(means[name].values()) - means[name][scene])
        chosen[scene] = [means[best][scene]]
    return chosen


def table(detector: str, space: Workspace) -> str:
    """Settings × scenes, under the published areas."""
    found = rows(detector, space)
    paper: Row = {s: [areas.pd_pf] for s, areas in published.PAPER[_COLUMN[detector]].items()}
    candidates = {name: row for name, row in found.items() if name != "as released"}
    body = [["paper", *_cells(paper)]]
    for name, row in found.items():
        body.append([name, *_cells(row)])
        if name == _DEFAULT:
            body.append([_CHOSEN, *_cells(chosen_without(candidates))])
    return markdown_table(["setting", *map(scene_title, SCENES), "mean of 4", "mean"], body)


def _cells(row: Row) -> list[str]:
    """Areas on every scene, their means over the paper's scenes and over all of them."""
    texts = []
    for scene in SCENES:
        values = row.get(scene)
        text = "–" if not values else f"{mean(values):.4f}"
        texts.append(text + (f" ± {stdev(values):.4f}" if values and len(values) > 1 else ""))
    for scenes in (tuple(published.SCENES), tuple(SCENES)):
        there = [mean(row[scene]) for scene in scenes if scene in row]
        whole = len(there) == len(scenes)
        texts.append(f"{mean(there):.4f}" if whole else "–")
    return texts


def blocks(space: Workspace) -> dict[str, str]:
    """Return the table of each detector for a page."""
    return {f"comparators_{detector}": table(detector, space) for detector in CANDIDATES}


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the tables and return them."""
    for name, body in blocks(space).items():
        tables.write_table(name, body, space)
    return "\n\n".join(blocks(space).values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing on the scenes at hand, and render."""
    return carry_out("comparators", __doc__, arguments, planned, write,
                     available=evidence.available)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
