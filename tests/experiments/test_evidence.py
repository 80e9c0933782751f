"""The study of the evidence and of its choice, on small simulated scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.runs import evidence_run
from experiments.runs.evidence_run import ComparedRun, EvidenceRun, Parts, Trimming
from experiments.runs.run import Workspace, load_map, load_result
from experiments.studies import evidence, evidence_choice, varied_scenes
from lren_tf import LREN, datasets, metrics
from lren_tf.evidence.fusion import TRIMMED, WEIGHTS
from lren_tf.evidence.structure import SIZES
from lren_tf.evidence.surroundings import SCENE_PIXELS

SCENE = datasets.simulate(24, 20, 12, seed=3)
SMALL = {"epochs": 2, "hidden_units": 8, "estimator_units": 6, "members": 3}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One run of the preset, small, and one of RX."""
    space = Workspace(tmp_path_factory.mktemp("space"))
    run = EvidenceRun(evidence_run.STUDY, "muufl", "robust", 123)
    rx = ComparedRun(evidence_run.STUDY, "muufl", "rx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvidenceRun, "settings", SMALL)
        run.execute(SCENE, space)
        rx.execute(SCENE, space)
    model = LREN("robust", seed=123, **SMALL)
    model.fit(SCENE, verbose=0)
    return space, run, rx, model


def test_a_run_has_both_scores_and_their_rates(kept):
    space, run, rx, model = kept
    record = load_result(run, space)
    score = model.score(SCENE)
    np.testing.assert_allclose(load_map(run, space), score, rtol=1e-5)
    cut = (score[~SCENE.truth] > 2).mean()
    assert record["realised_rates"]["0.01"] == pytest.approx(cut, abs=0.003)
    old = model.with_settings(SCENE, evidence=("spectrum",)).score(SCENE)
    assert record["old"]["auc_pd_pf"] == metrics.auc_pd_pf(old, SCENE.truth)
    assert set(record["seconds_after_training"]) == {"all", "spectrum"}
    assert set(load_result(rx, space)["realised_rates"]) == {"0.01", "0.001"}


@pytest.mark.parametrize("names", [("structure",), ("spectrum", "surroundings"), tuple(WEIGHTS)])
def test_the_ablation_is_what_the_library_gives(kept, names):
    space, run, _, model = kept
    score = model.with_settings(SCENE, evidence=names).score(SCENE)
    found = load_result(run, space)["ablation"][" + ".join(names)]
    assert found["auc_pd_pf"] == pytest.approx(metrics.auc_pd_pf(score, SCENE.truth), abs=2e-3)


def test_the_ablation_has_every_combination_with_and_without_standing_out(kept):
    space, run, _, _ = kept
    found = load_result(run, space)["ablation"]
    assert len([name for name in found if name.endswith("standing out")]) == 7
    assert {"not calibrated", "ranks", "networks: 1", "networks: 3"} <= set(found)
    assert found["networks: 3"] == found[" + ".join(WEIGHTS)]


def test_candidates_from_latents(kept):
    space, run, _, model = kept
    measured = evidence_choice.evaluated(run.latents_path(space), SCENE.truth)
    assert len(measured) == 1 + len(evidence_choice.CANDIDATES) == 56
    area = metrics.auc_pd_pf(model.score(SCENE), SCENE.truth)
    assert measured[evidence_choice.PRESET.name][0] == pytest.approx(area, abs=2e-3)


def test_the_preset_is_that_of_the_library():
    preset = evidence_choice.PRESET
    assert preset in evidence_choice.CANDIDATES
    assert preset.trimming == (TRIMMED, TRIMMED, SCENE_PIXELS)
    assert (preset.spectrum, preset.structure, 1.0) == tuple(WEIGHTS.values())
    assert preset.sizes == SIZES


def test_a_scene_that_counts_as_more_pixels_changes_the_surroundings(kept):
    space, run, _, _ = kept
    parts = Parts(evidence_run.load_latents(run.latents_path(space)))
    few, many = (parts.surroundings(Trimming(0.05, 0.05, k)) for k in (5.0, 20.0))
    assert few.shape == SCENE.shape[:2] and not np.allclose(few, many)


def test_a_choice_never_sees_the_scene_it_is_reported_on():
    rng = np.random.default_rng(0)
    names = ["a", "b"]
    table = {name: rng.uniform(0.9, 0.91, (11, 3)) for name in names}
    table["b"] += 0.05
    table["b"][4] = 0.0
    table["a"][4] = 1.0
    choice = evidence_choice.choose(table, names)
    assert choice.chosen[evidence.SCENES[4]] == "b" and (choice.held_out[4] == 0).all()
    assert choice.splits.shape == (50, 4)


def test_runs_are_planned_once():
    planned = evidence.planned()
    robust = len(evidence.SEEDS) * 11 + len(evidence.SIMULATED_SEEDS) * 6
    assert len(planned) == len(set(planned)) == robust + 4 * 11
    simulated = set(varied_scenes.SCENES) if evidence.SIMULATED_SEEDS else set()
    assert {r.scene for r in evidence.planned([])} == simulated
    paths = {run.result_path(Workspace(evidence_run.Path("x"))) for run in planned}
    assert len(paths) == len(planned)


def test_targets_of_a_complete_study(kept, tmp_path):
    space, run, rx, _ = kept
    full = Workspace(tmp_path)
    assert evidence.lines(full) == []
    for each in evidence.planned():
        source = run if isinstance(each, EvidenceRun) else rx
        record = load_result(source, space)
        record["metrics"]["auc_pd_pf"] = 0.99 if source is run else 0.98
        path = each.result_path(full)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    found = {line.what: line for line in evidence.lines(full)}
    assert found["mean of the medians of AUC(Pd,Pf)"].holds
    assert found["lowest median"].here.startswith("0.9900")
    assert found["failures"].holds
    assert "time of a run over one of the spectrum alone" in found
    for body in evidence.blocks(full).values():
        assert body.startswith(("| ", "AUC(Pd,Pf), median", "Not run")) and "–" not in body
    name = evidence.scenes_table(full)
    assert "PCA-TLRSR 0.9957 (classical, no training)" in name


def test_scoring_the_latents_again_gives_the_map_again(kept, tmp_path, monkeypatch):
    space, run, _, _ = kept
    monkeypatch.setattr(EvidenceRun, "load", lambda self: SCENE)
    before, record = load_map(run, space), load_result(run, space)
    again = run.score_again(space)
    np.testing.assert_allclose(load_map(run, space), before, rtol=1e-5, atol=1e-6)
    assert again == load_result(run, space)
    assert again["realised_rates"] == record["realised_rates"]
    assert set(again["scored"]) == {"commit", "clean", "time"}
