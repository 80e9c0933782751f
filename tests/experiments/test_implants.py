"""The study of implants, on small simulated scenes in place of the real ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.runs.implant_run import STUDY, ImplantRun
from experiments.runs.run import Workspace, load_map, load_result
from experiments.studies import implanted_scenes, implants
from lren_tf import datasets

SMALL = {"epochs": 2, "hidden_units": 8, "estimator_units": 6, "members": 1}


@pytest.fixture
def small_scenes(monkeypatch):
    scenes = {
        name: datasets.simulate(40, 40, 12, seed=number)
        for number, name in enumerate({n for pair in implanted_scenes.PAIRS for n in pair})
    }
    monkeypatch.setattr(implanted_scenes, "load_scene", scenes.__getitem__)


def test_every_scene_has_implants_and_not_the_anomalies_of_its_background(small_scenes):
    assert len(implanted_scenes.SCENES) == 4 * 2 * 3
    faint = implanted_scenes.SCENES["faint_airport-1_in_airport-3_1"]()
    assert faint.truth.sum() == 40 and faint.simulated
    assert not (faint.truth & ~faint.valid).any() and (~faint.valid).any()
    again = implanted_scenes.SCENES["faint_airport-1_in_airport-3_1"]()
    other = implanted_scenes.SCENES["faint_airport-1_in_airport-3_2"]()
    np.testing.assert_array_equal(faint.cube, again.cube)
    assert (faint.truth != other.truth).any()


def test_a_run_has_both_scores(small_scenes, monkeypatch, tmp_path):
    monkeypatch.setattr(ImplantRun, "settings", SMALL)
    run = ImplantRun(STUDY, "mixed_urban-4_in_airport-1_0", "robust", 123)
    space = Workspace(tmp_path)
    scene = run.load()
    record = run.execute(scene, space)
    assert record == load_result(run, space)
    assert set(record["old"]) == set(record["metrics"])
    assert np.isnan(load_map(run, space)[~scene.valid]).all()


def test_runs_need_both_of_their_scenes():
    planned = implants.planned()
    assert {run.scene for run in planned} == set(implanted_scenes.SCENES)
    assert [r.scene for r in implants.planned(["airport-1", "airport-3"])] == [
        f"{kind}_airport-1_in_airport-3_{draw}" for kind in ("faint", "mixed") for draw in (0, 1, 2)
    ]
    assert implants.planned(["airport-1"]) == []


def test_targets_come_with_the_last_run(tmp_path):
    space = Workspace(tmp_path)
    old, new = dict.fromkeys(implants.evidence.MEASURES, 0.8), dict.fromkeys(
        implants.evidence.MEASURES, 0.81
    )
    for run in implants.planned():
        assert implants.lines(space) == []
        path = run.result_path(space)
        path.parent.mkdir(parents=True, exist_ok=True)
        faint = run.scene.startswith("faint")
        path.write_text(json.dumps({"metrics": old if faint else new, "old": old}))
    everything, faint = implants.lines(space)
    assert everything.holds and everything.here == "0.8050"
    assert faint.holds and faint.here == "0.8000"
    assert implants.table(space).count("| mean |") == 2
