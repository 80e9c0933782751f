"""The committed leaderboard: what of a folder is taken, and numbers that follow from each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.runs.run import REFERENCE, Workspace
from experiments.studies import evidence_choice, leaderboard
from lren_tf import datasets, detectors, plots
from lren_tf.benchmark import statistics
from lren_tf.cli import main

BOARD = json.loads(leaderboard.RECORD.read_text("utf-8"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A benchmark of which one run is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(statistics, "DRAWS", 50)
    monkeypatch.setattr(plots, "save", lambda figure, path: path.write_bytes(b""))
    for number in range(2):
        made = datasets.simulate(16, 12, 24, seed=number, anomalies=4)
        np.savez(f"s{number}.npz", cube=made.cube, truth=made.truth)
    assert main(["benchmark", "s0.npz", "s1.npz", "--detectors", "rx", "--out", "out"]) == 0
    more = ("--detectors", "lsdm_mog", "--seeds", "3", "--out", "out")
    assert main(["benchmark", *more]) == 0
    return Path("out").absolute()


def test_unfinished_seeds_do_not_count(folder):
    whole = leaderboard.collect(folder)
    assert whole["methods"]["lsdm_mog"]["seeds"] == [0, 1, 2]
    assert "rx" not in whole["missing"] and "lren" in whole["missing"]
    assert "LSDM-MoG 3; the others draw no random numbers: RX" in leaderboard.extent(whole)
    assert "Fewer than the intended 5 seeds: LSDM-MoG" in leaderboard.extent(whole)
    (folder / "runs" / "s1" / "lsdm_mog-1.json").unlink()
    # The third is whole, but seeds that follow a gap would be chosen ones.
    assert leaderboard.collect(folder)["methods"]["lsdm_mog"]["seeds"] == [0]
    (folder / "runs" / "s0" / "lsdm_mog-0.json").unlink()
    (folder / "runs" / "s0" / "rx.json").unlink()
    with pytest.raises(ValueError, match="no method that is finished"):
        leaderboard.collect(folder)


def test_the_committed_ranks_are_those_of_the_committed_areas():
    methods = BOARD["methods"].values()
    areas = [
        [row["by_scene"][scene]["auc_pd_pf"]["mean"] for row in methods]
        for scene in BOARD["scenes"]
    ]
    ranks = statistics.ranks(areas).mean(axis=0)
    assert [row["mean_rank"] for row in methods] == pytest.approx(list(ranks))
    assert len(BOARD["scenes"]) == 11
    ranking = BOARD["ranking"]
    assert ranking["critical_difference"] == pytest.approx(
        statistics.critical_difference(len(methods), 11)
    )
    for row in methods:
        low, high = row["mean"]["intervals"]["auc_pd_pf"]
        assert low <= row["mean"]["auc_pd_pf"]["mean"] <= high
        assert row["mean"]["failed"] == row["mean"]["missing"] == 0
        assert row["chosen_with_truth"] is None
        for scene, cell in row["by_scene"].items():
            known = {**datasets.BENCHMARKS, **datasets.FURTHER}[scene].truth_sha256
            assert BOARD["scenes"][scene]["truth_sha256"] == known
            chosen_on = detectors.create(row["detector"], **row["settings"]).chosen_on
            assert cell["chosen_with_truth"] == (scene in chosen_on)
    assert all(cell["chosen_with_truth"] for cell in BOARD["methods"]["lren"]["by_scene"].values())
    assert ranking["chosen_with_truth"] and ranking["over"] == list(BOARD["scenes"])


def test_what_lren_gives_where_a_scene_took_no_part(tmp_path):
    table = leaderboard.held_out_table(list(BOARD["scenes"]))
    (row,) = table.splitlines()[2:]
    mean, *areas = (float(cell) for cell in row.split("|")[2:-1])
    assert mean == pytest.approx(np.mean(areas), abs=1e-4)
    # The page of the preset has the same figures, one scene a line.
    lines = evidence_choice.choice_table(REFERENCE).splitlines()
    found = [line.split(" | ")[1] for line in lines[-11:]]
    assert sorted(found) == sorted(f"{area:.4f}" for area in areas)
    assert leaderboard.held_out_table(["elsewhere"]) == ""
    assert leaderboard.held_out_table(["pavia"], Workspace(tmp_path)) == ""


def test_every_cited_figure_is_in_the_table():
    from experiments import published

    table = leaderboard.published_table(list(BOARD["scenes"]))
    for scene, cited in published.FURTHER_SCENES.items():
        column = 1 + list(BOARD["scenes"]).index(scene)
        rows = [line.split(" | ") for line in table.splitlines()[2:]]
        for each in cited:
            (row,) = (r for r in rows if r[0] == f"| {each.method}" and each.how in r[-1])
            assert row[column] == f"{each.pd_pf:.4f}"
    for method, by_scene in published.RECENT.items():
        for area in by_scene.values():
            assert f"{area:.4f}" in table, method
