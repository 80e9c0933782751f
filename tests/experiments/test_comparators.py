"""The study of ADLR and PAB_DC: its runs and its tables."""

from __future__ import annotations

import json

from experiments import published
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Workspace
from experiments.studies import comparators


def test_every_scene_runs_once() -> None:
    planned = comparators.planned()
    scenes = {
        name: [run.scene for run in planned if run.detector == name] for name in ("adlr", "pab_dc")
    }
    assert scenes == {name: list(of) for name, of in comparators.SCENES.items()}
    assert len(scenes["adlr"]) == 11 and scenes["pab_dc"] == list(published.SCENES)
    assert {run.settings for run in planned} == {(("variant", "robust"),)}
    assert seeds_of("adlr", 5) == (0,)
    assert seeds_of("adlr", 5, variant="release") == (0, 1, 2, 3, 4)
    assert seeds_of("rx", 5) == (None,)


def keep(run: DetectorRun, area: float | None, space: Workspace) -> None:
    run.result_path(space).parent.mkdir(parents=True, exist_ok=True)
    metrics = None if area is None else {"auc_pd_pf": area}
    run.result_path(space).write_text(json.dumps({"metrics": metrics}))


def test_the_table_shows_the_spread_of_the_release_and_the_difference_of_the_rule(tmp_path) -> None:
    space = Workspace(tmp_path)
    keep(comparators.runs_of("hydice")[0], 0.9, space)
    keep(comparators.runs_of("beach-2")[0], 0.8, space)
    for seed, area in enumerate((0.4, None, 0.6)):
        run = DetectorRun("comparison", "hydice", "adlr", seed, (("variant", "release"),))
        keep(run, area, space)
    lines = {line.split("|")[1].strip(): line for line in comparators.table(space).splitlines()}
    paper = published.PAPER["ADLR"]["hydice"].pd_pf
    cells = [text.strip() for text in lines["Hydice"].split("|")[2:-1]]
    assert cells == [f"{paper:.4f}", "0.5000 ± 0.1414", "0.9000", f"{0.9 - paper:+.4f}"]
    assert [text.strip() for text in lines["beach-2"].split("|")[2:-1]] == ["–", "–", "0.8000", "–"]
    assert lines["Coast"].count("–") == 3
