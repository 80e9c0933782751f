"""What is run, kept, skipped and counted, on a small simulated scene."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from experiments.rendering import tables
from experiments.reporting import markdown, provenance
from experiments.runs import command
from experiments.runs import run as runs
from experiments.runs.command import execute_missing
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, is_finished, load_map, load_result
from experiments.studies import sensitivity
from lren_tf import LREN, TrainingDiverged, datasets

RUN = LrenRun("study", "simulated", "paper", 7)


@pytest.fixture
def scene():
    return datasets.simulate(24, 20, 12, seed=3)


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture(autouse=True)
def short(monkeypatch, scene):
    """Three epochs instead of a thousand, and a scene of that size."""
    fit = LREN.fit
    monkeypatch.setattr(LREN, "fit", lambda self, x, **k: fit(self, x, epochs=3, verbose=0, **k))
    monkeypatch.setattr(runs, "load_scene", lambda name: scene)


def test_a_run_leaves_its_map_and_everything_needed_to_get_it_again(scene, space):
    record = RUN.execute(scene, space)
    kept = json.loads(RUN.result_path(space).read_text())
    assert kept["status"] == "finished" and kept["preset"] == "paper" and kept["seed"] == 7
    assert kept["settings"]["lam"] == RUN.lam == 1e-2
    assert kept["scene"]["simulated"] is True and kept["scene"]["source"] is None
    assert kept["metrics"]["auc_pd_pf"] == record["metrics"]["auc_pd_pf"]
    assert kept["pearson_with_released_map"] is None
    score = load_map(RUN, space)
    expected = LREN("paper", seed=7, lam=RUN.lam)
    expected.fit(scene)
    np.testing.assert_array_equal(score, expected.score(scene))


def test_a_finished_run_is_skipped_and_force_runs_it_again(space, capsys):
    execute_missing([RUN], space, processes=0)
    first = RUN.result_path(space).stat().st_mtime_ns
    execute_missing([RUN], space, processes=0)
    assert RUN.result_path(space).stat().st_mtime_ns == first
    assert "1 runs, 1 of them finished before" in capsys.readouterr().out
    execute_missing([RUN], space, processes=0, force=True)
    assert RUN.result_path(space).stat().st_mtime_ns != first


def test_a_run_whose_map_is_gone_or_another_is_not_finished(scene, space):
    RUN.execute(scene, space)
    assert is_finished(RUN, space)
    np.save(RUN.map_path(space), np.zeros(scene.shape[:2], np.float32))
    assert not is_finished(RUN, space) and load_map(RUN, space) is None
    RUN.map_path(space).unlink()
    assert not is_finished(RUN, space)


@pytest.mark.parametrize("name", ["epochs", "a setting that is new"])
def test_a_run_with_other_settings_is_not_finished(name, scene, space):
    RUN.execute(scene, space)
    record = load_result(RUN, space)
    assert record["settings"] == json.loads(json.dumps(RUN.resolved_settings))
    settings = {**record["settings"], name: 7}
    RUN.result_path(space).write_text(json.dumps({**record, "settings": settings}))
    assert not is_finished(RUN, space)


def test_a_divergence_is_counted_and_not_run_again(scene, space, monkeypatch, capsys):
    def diverge(self, x, **keywords):
        raise TrainingDiverged("epoch 3, component 1")

    monkeypatch.setattr(LREN, "fit", diverge)
    execute_missing([RUN], space, processes=0)
    assert "component 1" in capsys.readouterr().out
    kept = json.loads(RUN.result_path(space).read_text())
    assert kept["status"] == "diverged" and kept["metrics"] is None
    assert is_finished(RUN, space)
    row = tables.spread_table([RUN], space).splitlines()[-1]
    assert row == "| simulated (not a real scene) | `paper` | 1 | 1" + " | –" * 8 + " |"


def test_spread_table_shows_median_and_range(scene, space):
    members = [LrenRun("study", "simulated", "paper", seed) for seed in (1, 2, 3)]
    values = [run.execute(scene, space)["metrics"]["auc_pd_pf"] for run in members]
    row = tables.spread_table(members, space).splitlines()[-1]
    spread = (np.median(values), min(values), max(values))
    assert "| 3 | 0 | – | " + " | ".join(f"{value:.4f}" for value in spread) + " | –" in row


def test_a_block_of_a_page_is_replaced_and_nothing_else():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    new = markdown.replace_block(text, "x", "| 1 |")
    assert new == "a\n<!-- x:begin -->\n\n| 1 |\n\n<!-- x:end -->\nb\n"
    assert markdown.replace_block(new, "x", "| 1 |") == new
    assert markdown.block(new, "x") == "| 1 |"
    for use in (lambda: markdown.replace_block(text, "y", ""), lambda: markdown.block(text, "y")):
        with pytest.raises(ValueError, match="no block 'y'"):
            use()


def test_provenance_tells_a_changed_tree_from_a_clean_one(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "code.py").write_text("a = 1\n")
    (tmp_path / "README.md").write_text("\n")
    git("add", ".")
    git("-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-m", "m")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.provenance()["clean"] is True
    (tmp_path / "README.md").write_text("a table that a run writes\n")
    assert provenance.provenance()["clean"] is True
    (tmp_path / "code.py").write_text("a = 2\n")
    assert provenance.provenance()["clean"] is False


def test_provenance_without_a_checkout_says_that_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    record = provenance.provenance()
    assert record["commit"] is None and record["clean"] is None


# --- maps -------------------------------------------------------------------------------------


def test_a_compact_map_is_the_map_to_half_precision_and_of_one_record(scene, space):
    record = RUN.execute(scene, space)
    score = np.load(RUN.map_path(space))
    runs.save_compact(RUN.compact_path(space), score, record["map_sha256"])
    RUN.map_path(space).unlink()
    compact = load_map(RUN, space)
    assert compact.dtype == np.float32 and compact.shape == score.shape
    assert np.abs(compact - score).max() <= 2.0**-11 * (score.max() - score.min())
    assert not is_finished(RUN, space), "what a run leaves is the full map"
    runs.save_compact(RUN.compact_path(space), score, "0" * 64)
    assert load_map(RUN, space) is None, "the map of another record"


def test_scores_beyond_the_range_of_half_precision_are_held(tmp_path):
    score = np.array([[0.0, 1e-3], [1e9, 5e8]], np.float32)
    runs.save_compact(tmp_path / "a.npz", score, "x")
    held = runs.load_compact(tmp_path / "a.npz", "x")
    np.testing.assert_allclose(held, score, rtol=1e-3, atol=60)
    constant = np.full((2, 2), 3.0, np.float32)
    runs.save_compact(tmp_path / "b.npz", constant, "x")
    np.testing.assert_array_equal(runs.load_compact(tmp_path / "b.npz", "x"), constant)


def test_a_committed_run_of_these_settings_and_this_scene_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_hashes", {})
    below = Workspace(tmp_path / "committed")
    space = Workspace(tmp_path / "here", beneath=below)
    run = DetectorRun("small", "simulated", "rx")
    record = run.execute(run.load(), below)
    record["clean"] = True
    path = run.result_path(below)

    def kept(**changes):
        path.write_text(json.dumps(record | changes))
        assert (runs.load_result(run, space) is not None) == is_finished(run, space)
        return is_finished(run, space)

    assert kept() and not is_finished(run, Workspace(tmp_path / "here"))
    # Its map need not be there; git holds few of them.
    run.map_path(below).unlink()
    assert kept() and kept(status="failed")
    assert not kept(clean=False)
    # As a record from before the setting came into being.
    assert not kept(settings={})
    assert not kept(settings={"ridge": 0.5})
    assert not kept(scene=record["scene"] | {"sha256": 64 * "0"})
    assert not is_finished(DetectorRun("small", "simulated", "aed"), space)
    # What was run here counts first.
    kept()
    run.execute(run.load(), space)
    run.map_path(space).unlink()
    assert not is_finished(run, space)


def test_one_detector_of_a_study_alone(tmp_path, monkeypatch, capsys):
    planned = [DetectorRun("small", "simulated", name) for name in ("rx", "lrx", "aed")]
    asked = []
    monkeypatch.setattr(command, "RESULTS", Workspace(tmp_path))
    monkeypatch.setattr(command, "execute_missing", lambda found, space, **_: asked.extend(found))

    def study(*arguments):
        return command.carry_out(
            "small", "", arguments, lambda names: planned, lambda space, names: "",
            available=lambda: ["simulated"], detectors=("rx", "lrx", "aed"),
        )  # fmt: skip

    assert study("--detectors", "aed, rx") == 0
    assert asked == [planned[0], planned[2]]
    assert study() == 0
    assert asked[2:] == planned
    with pytest.raises(SystemExit) as stopped:
        study("--detectors", "rx,adl")
    assert stopped.value.code == 2
    assert "'adl' is no detector of this study; expected some of rx, lrx, aed" in (
        capsys.readouterr().err
    )


def test_every_committed_run_of_the_sensitivity_study_has_the_settings_of_now():
    for run in sensitivity.planned():
        record = load_result(run, runs.REFERENCE)
        assert record is not None, run
        assert runs.has_settings_of(record, run), run


def test_a_record_of_other_settings_is_told_apart():
    run = next(run for run in sensitivity.planned() if run.detector == "adlr")
    now = run.resolved_settings
    before = {n: v for n, v in now.items() if n != "variant"}
    assert runs.has_settings_of({"settings": dict(now)}, run)
    assert not runs.has_settings_of({"settings": before}, run)
