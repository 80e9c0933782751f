"""Variants of the preset `robust`, and the simulated scenes they are compared on."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import published
from experiments.runs import run as runs
from experiments.runs.run import Workspace
from experiments.studies import robust_study, varied_scenes
from lren_tf import LREN, datasets, detectors, metrics

SCENE = datasets.simulate(24, 20, 12, seed=3)


@pytest.mark.parametrize("name", varied_scenes.SCENES)
def test_a_varied_scene_is_the_same_every_time_and_says_that_it_is_simulated(name):
    one, again = varied_scenes.SCENES[name](), varied_scenes.SCENES[name]()
    np.testing.assert_array_equal(one.cube, again.cube)
    np.testing.assert_array_equal(one.truth, again.truth)
    assert one.simulated and np.isfinite(one.cube).all()
    assert 0.001 < one.truth.mean() < 0.03


def test_large_targets_are_what_rx_cannot_see():
    scene = varied_scenes.large_targets()
    score = detectors.create("rx").score(scene)
    assert metrics.auc_pd_pf(score, scene.truth) < 0.5


def test_every_run_is_planned_once_and_knows_its_scene():
    planned = robust_study.planned()
    assert len(planned) == len(set(planned)) == 3 * (6 + 4)
    assert {run.load().simulated for run in robust_study.planned([])} == {True}
    assert set(robust_study.FIRST) | set(robust_study.SECOND) == set(published.SCENES)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Every scene the same small one; a study that is complete."""
    space = Workspace(tmp_path_factory.mktemp("study"))
    small = {"epochs": 2, "hidden_units": 8, "estimator_units": 6, "members": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robust_study.StudyRun, "load", lambda self: SCENE)
        patch.setattr(robust_study.StudyRun, "settings", small)
        patch.setattr(robust_study, "SEEDS", (123,))
        patch.setattr(runs.datasets, "published_map", lambda name: None)
        record = robust_study.planned(["pavia"])[-1].execute(SCENE, space)
        for run in robust_study.planned():
            path = run.result_path(space)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = robust_study.planned(["pavia"])[-1].result_path(space)
            if path != source:
                path.write_text(source.read_text())
        text = robust_study.table(space)
        path.unlink()
        without_last = robust_study.columns(space)
    return record, text, without_last, small


def test_variants_score_one_training(kept):
    record, _, _, small = kept
    model = LREN("robust", **small)
    model.fit(SCENE, verbose=0)
    assert record["metrics"]["auc_pd_pf"] == metrics.auc_pd_pf(model.score(SCENE), SCENE.truth)
    for name in ("no neighbourhood", "one component"):
        score = model.with_settings(SCENE, **robust_study.VARIANTS[name]).score(SCENE)
        assert record["variants"][name]["auc_pd_pf"] == metrics.auc_pd_pf(score, SCENE.truth)
    members = [metrics.auc_pd_pf(each, SCENE.truth) for each in model.member_scores(SCENE)]
    assert [each["auc_pd_pf"] for each in record["members"]] == members
    assert record["variants"]["one member (mean of five)"]["auc_pd_pf"] == pytest.approx(
        np.mean(members)
    )


def test_the_table_has_every_variant_and_the_groups(kept):
    record, text, without_last, _ = kept
    lines = text.splitlines()
    assert "mean: simulated | mean: SanDiego + Coast | mean: Hydice + Pavia" in lines[0]
    assert len(lines) == 2 + 1 + len(record["variants"])
    assert f"| the preset | {record['metrics']['auc_pd_pf']:.4f} |" in lines[2]
    assert list(without_last) == [*varied_scenes.SCENES, "sandiego", "hydice", "coast"]


def test_without_runs_there_is_no_table(tmp_path):
    assert robust_study.table(Workspace(tmp_path)) == ""
