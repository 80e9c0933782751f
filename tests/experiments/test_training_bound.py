"""The study of the bound on a training's steps, without its trainings."""

from __future__ import annotations

import json

from experiments.runs.run import Workspace
from experiments.studies import training_bound
from lren_tf import presets


def test_a_bound_is_one_on_the_steps_of_the_preset():
    for bound, (pixels, _) in training_bound.BOUNDS.items():
        if pixels is not None:
            batches = -(-pixels // presets.ROBUST.batch_size)
            assert bound.startswith(f"{batches * presets.ROBUST.epochs} steps")


def test_every_run_has_settings_and_a_file_of_its_own():
    planned = training_bound.planned()
    assert len({(run.scene, run.stem) for run in planned}) == len(planned) == 6 * 8 + 5 * 4
    assert {run.scene for run in planned} == set(training_bound.SCENES)
    for run in planned:
        assert run.resolved_settings["batch_seed"] == run.resolved_settings["seed"] == run.seed
        pixels, rate = training_bound.BOUNDS[run.bound]
        assert run.resolved_settings["training_pixels"] == pixels
        assert run.resolved_settings["sample_learning_rate"] == rate


def test_a_row_needs_all_of_its_seeds(tmp_path):
    space = Workspace(tmp_path)
    runs = training_bound.runs_of(300, 20, "600 steps")
    for number, run in enumerate(runs):
        assert "600 steps" not in training_bound.table(space)
        path = run.result_path(space)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = dict.fromkeys(training_bound.MEASURES, 0.9 + 0.02 * number)
        path.write_text(json.dumps({"metrics": values}))
    row = training_bound.table(space).splitlines()[-1]
    assert row == "| 300 × 300 | 20 | 600 steps |" + 3 * " 0.9100 ± 0.0100 |"


def test_a_scene_has_its_size_and_its_targets(monkeypatch):
    monkeypatch.setattr(training_bound, "_SCENES", {"small": (40, 8)})
    run = training_bound.BoundRun(training_bound.STUDY, "small", "robust", 1, "all pixels")
    scene = run.load()
    assert scene.shape == (40, 40, training_bound.BANDS) and scene.truth.any()
