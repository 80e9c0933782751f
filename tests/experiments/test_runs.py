"""What is run, kept, skipped and counted, on a small simulated scene."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest

from experiments import reproduce
from experiments.rendering import figures, tables
from experiments.reporting import provenance
from experiments.runs import run as runs
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, execute_missing, is_finished, load_map
from experiments.studies import comparison, robust
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
    monkeypatch.setattr(tables, "load_scene", lambda name: scene)
    monkeypatch.setattr(figures, "load_scene", lambda name: scene)


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
    execute_missing([RUN], space)
    first = RUN.result_path(space).stat().st_mtime_ns
    execute_missing([RUN], space)
    assert RUN.result_path(space).stat().st_mtime_ns == first
    assert "1 runs, 1 of them finished before" in capsys.readouterr().out
    execute_missing([RUN], space, force=True)
    assert RUN.result_path(space).stat().st_mtime_ns != first


def test_a_run_whose_map_is_gone_or_another_is_not_finished(scene, space):
    RUN.execute(scene, space)
    assert is_finished(RUN, space)
    np.save(RUN.map_path(space), np.zeros(scene.shape[:2], np.float32))
    assert not is_finished(RUN, space) and load_map(RUN, space) is None
    RUN.map_path(space).unlink()
    assert not is_finished(RUN, space)


def test_a_divergence_is_counted_and_not_run_again(scene, space, monkeypatch, capsys):
    def diverge(self, x, **keywords):
        raise TrainingDiverged("epoch 3, component 1")

    monkeypatch.setattr(LREN, "fit", diverge)
    execute_missing([RUN], space)
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


def test_without_real_scenes_the_simulated_one_is_run_and_marked(
    tmp_path, monkeypatch, scene, capsys
):
    def only_simulated(name):
        if name != "simulated":
            raise datasets.DatasetUnavailable(f"{name} is not here.")
        return scene

    monkeypatch.setattr(runs, "load_scene", only_simulated)
    monkeypatch.setattr(comparison, "compared", lambda: ["rx"])
    # Two seeds of the ten.
    planned = robust.planned
    monkeypatch.setattr(robust, "planned", lambda scenes, seeds=(123, 1): planned(scenes, seeds))
    here = Workspace(tmp_path / "simulated")
    monkeypatch.setattr(reproduce, "SIMULATED", here)
    monkeypatch.setattr(runs, "SIMULATED", here)
    readme = (provenance.ROOT / "README.md").read_bytes()
    assert reproduce.main([]) == 0
    printed = capsys.readouterr().out
    assert "No real scene can be had here" in printed
    tables = {
        "proposed", "agreement", "runs", "robust", "table2", "table3", "table3_paper_grid",
        "roc3d", "detectors",
    }  # fmt: skip
    assert {path.stem for path in here.tables.iterdir()} == tables
    for table in tables:
        text = (here.tables / f"{table}.md").read_text("utf-8")
        assert text.startswith("**Simulated scene: not a result on real data.**")
    assert "| simulated (not a real scene) | `robust` | 2 | 0 |" in (
        here.tables / "robust.md"
    ).read_text("utf-8")
    (row,) = re.findall(r"\| LREN, robust \|.*", (here.tables / "table2.md").read_text("utf-8"))
    assert "±" in row
    assert {path.name for path in here.figures.glob("*.png")} == {
        "detection_maps.png",
        "roc_curves.png",
        "figure1_separability.png",
        "figure4_maps.png",
        "figure5_roc.png",
        "figure6_pf_tau.png",
    }
    assert (provenance.ROOT / "README.md").read_bytes() == readme


def test_a_block_of_the_readme_is_replaced_and_nothing_else():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    new = tables.replace_block(text, "x", "| 1 |")
    assert new == "a\n<!-- x:begin -->\n\n| 1 |\n\n<!-- x:end -->\nb\n"
    assert tables.replace_block(new, "x", "| 1 |") == new
    with pytest.raises(ValueError, match="no block 'y'"):
        tables.replace_block(text, "y", "")


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
