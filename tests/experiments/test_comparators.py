"""The study of ADLR and PAB_DC: its runs, its choice, its table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import published
from experiments.runs.detector_run import seeds_of
from experiments.runs.parts_run import PartsRun
from experiments.runs.run import Workspace, load_map
from experiments.studies import comparators
from lren_tf import datasets, metrics
from lren_tf.detectors.pab_dc import SCORE_PARTS

SMALL = (("clusters", 2), ("sparsity", 2), ("anomaly_atoms", 10), ("background_fraction", 0.2))


def test_what_draws_runs_with_several_seeds() -> None:
    for name in comparators.CANDIDATES:
        assert seeds_of(name, 5) == (0,)
        assert seeds_of(name, 5, **comparators.RELEASE) == (0, 1, 2, 3, 4)


def test_the_default_runs_on_every_scene_and_the_release_on_the_papers() -> None:
    planned = comparators.planned()
    assert len(planned) == len(set(planned))
    for name in comparators.CANDIDATES:
        of_name = [run for run in planned if run.detector == name]
        assert [run.scene for run in of_name if not run.settings] == list(comparators.SCENES)
        released = {run.scene for run in of_name if run.settings == (("variant", "release"),)}
        assert released == set(published.SCENES)


def test_a_run_of_parts_has_the_figures_of_every_score(tmp_path) -> None:
    scene, space = datasets.simulate(24, 20, 12, seed=3), Workspace(tmp_path)
    run = PartsRun("comparators", "simulated", "pab_dc", 0, SMALL)
    record = json.loads(json.dumps(run.execute(scene, space)))
    assert set(record["parts"]) == set(SCORE_PARTS)
    assert record["metrics"] == record["parts"]["relative"] != record["parts"]["anomaly"]
    np.testing.assert_array_equal(load_map(run, space), run.make().score(scene))
    residual = run.make().decompose(scene).score("residual").astype(np.float32)
    assert record["parts"]["residual"] == metrics.evaluate(residual, scene.truth)


def test_the_choice_for_a_scene_does_not_see_it() -> None:
    candidates = {
        "a": {"x": [0.9], "y": [0.5], "z": [0.9]},
        "b": {"x": [0.1], "y": [0.8, 0.8], "z": [0.8]},
        "incomplete": {"x": [1.0], "y": [1.0]},
    }
    # Without x: a has 1.4, b 1.6. Without y: 1.8, 0.9. Without z: 1.4, 0.9.
    assert comparators.chosen_without(candidates) == {"x": [0.1], "y": [0.5], "z": [0.9]}
    assert comparators.chosen_without({"a": {"x": [0.5]}}) == {}
    assert comparators.chosen_without({}) == {}


def test_a_table_without_results_has_dashes(tmp_path) -> None:
    for detector in comparators.CANDIDATES:
        lines = comparators.table(detector, Workspace(tmp_path)).splitlines()
        paper = published.PAPER[comparators._COLUMN[detector]]
        assert [f"{areas.pd_pf:.4f}" in lines[2] for areas in paper.values()] == [True] * 4
        assert lines[3].count("–") == len(comparators.SCENES) + 2


@pytest.mark.parametrize(("values", "text"), [([0.5], "0.5000"), ([0.4, 0.6], "0.5000 ± 0.1414")])
def test_cells_show_the_spread_where_there_is_one(values: list[float], text: str) -> None:
    cells = comparators._cells(dict.fromkeys(published.SCENES, values))
    assert cells[0] == text
    assert cells[-2:] == ["0.5000", "–"]
