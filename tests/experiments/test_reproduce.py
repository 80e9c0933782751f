"""`make reproduce`: order, rows, resumption, exit codes, and where it writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from experiments import published, reproduce
from experiments.rendering import everything, figures, tables
from experiments.reporting.provenance import ROOT
from experiments.runs import command, run
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import REFERENCE, Workspace
from experiments.studies import comparison, robust
from lren_tf import LREN, datasets

SCENES = tuple(published.SCENES)
SCENE = datasets.simulate(24, 20, 12, seed=3)
FIT = LREN.fit


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path / "results", "runs")


@pytest.fixture
def committed(tmp_path):
    return Workspace(tmp_path / "committed")


@pytest.fixture
def small(monkeypatch, space, committed):
    """RX and the presets of the paper with two epochs, on one small scene under every name."""
    def short_fit(self, x, **options):
        return FIT(self, x, **{"epochs": 2, "verbose": 0, **options})

    monkeypatch.setattr(LREN, "fit", short_fit)
    monkeypatch.setattr(comparison, "compared", lambda: ["rx"])
    rows = comparison.rows
    monkeypatch.setattr(comparison, "rows", lambda scenes=SCENES: rows(scenes)[:-1])
    for module in (run, tables, figures):
        monkeypatch.setattr(module, "load_scene", lambda name: SCENE)
    for module in (reproduce, everything):
        monkeypatch.setattr(module, "REFERENCE", committed)
    monkeypatch.setattr(reproduce, "RESULTS", space)
    monkeypatch.setattr(reproduce, "available_scenes", lambda: ["hydice", "pavia"])
    monkeypatch.setattr(run.datasets, "published_map", lambda name: None)


def status() -> str:
    return subprocess.run(
        ["git", "status", "--porcelain", "--", "experiments", "benchmarks", "docs", "README.md"],
        cwd=ROOT, capture_output=True, text=True,
    ).stdout  # fmt: skip


# --- what runs, and in which order ------------------------------------------------------------


def test_every_method_runs_once_on_every_scene_with_a_committed_result():
    planned = reproduce.one_seed(SCENES)
    titles = [row.title for row in comparison.rows()]
    assert len(planned) == len(set(planned)) == len(titles) * 4 == 52
    assert all(one.result_path(REFERENCE).is_file() for one in planned)
    seeds = {getattr(one, "seed", None) for one in planned}
    assert seeds == {None, 0, published.AUTHORS_SEED}


def test_rx_is_first_then_the_release_on_hydice_then_the_quick_and_the_long_methods():
    groups = reproduce.ordered(reproduce.one_seed(SCENES))
    assert groups[0] == [DetectorRun(comparison.STUDY, scene, "rx") for scene in SCENES]
    assert groups[1] == [LrenRun("proposed", "hydice", "release", 123)]
    methods = list(dict.fromkeys(reproduce._method(group[0]) for group in groups[2:]))
    quick = ["aed", "lrx", "adlr", "lsdm_mog", "crd", "pab_dc"]
    assert set(methods[:6]) == set(quick)
    # Methods of several minutes each: which of the last three comes first is a matter of the
    # committed times.
    assert methods[6:8] == ["release", "paper"]
    assert sorted(methods[8:]) == ["aae_rx", "hadgan", "robust"]


def test_aae_and_aae_rx_follow_each_other_in_one_process():
    groups = reproduce.ordered(reproduce.one_seed(SCENES))
    shared = [group for group in groups if len(group) == 2]
    assert {group[0].scene for group in shared} == set(SCENES)
    assert all({one.detector for one in group} == {"aae", "aae_rx"} for group in shared)
    assert sum(map(len, groups)) == 52


# --- a small reproduction ---------------------------------------------------------------------


def test_it_resumes_verifies_and_writes_below_results_only(
    small, space, committed, monkeypatch, capsys
):
    before = status()
    execute, executed = LrenRun.execute, []

    def counted(self, *arguments):
        if len(executed) == 2:
            raise KeyboardInterrupt
        executed.append(self)
        return execute(self, *arguments)

    monkeypatch.setattr(LrenRun, "execute", counted)
    assert reproduce.main(["--processes", "0"]) == 130
    printed = capsys.readouterr().out
    assert "Interrupted. The same command goes on from here." in printed
    # RX is complete, and its row is on the screen before anything trains.
    assert printed.index("RX      ") < printed.index("LREN (release)")
    line = r"\[1 done, 5 left.*\] comparison: hydice, RX: AUC\(Pd,Pf\) [01]\.\d{4}"
    assert re.search(line, printed)
    assert executed[0] == LrenRun("proposed", "hydice", "release", 123)

    monkeypatch.setattr(LrenRun, "execute", execute)
    assert reproduce.main(["--processes", "0"]) == 0, "nothing to compare with is not outside"
    printed = capsys.readouterr().out
    assert "6 runs, 4 of them finished before" in printed
    assert "12 figures: 0 within their tolerance, 0 outside, 12 not checked: no" in printed
    assert (space.root / "report.html").is_file()
    assert (space.tables / "table2.md").is_file()
    assert (space.figures / "figure4_maps.png").is_file()
    assert status() == before

    shutil.copytree(space.records, committed.records)
    assert reproduce.main(["--tables"]) == 0
    assert "| Pavia | RX | AUC(Pd,Pf) |" in capsys.readouterr().out
    path = DetectorRun("comparison", "pavia", "rx").result_path(committed)
    record = json.loads(path.read_text())
    record["metrics"]["auc_pd_pf"] += 1e-5
    path.write_text(json.dumps(record))
    assert reproduce.main(["--tables"]) == 1
    assert "At least one figure is outside its tolerance." in capsys.readouterr().out


def test_without_real_scenes_the_simulated_one_is_run_and_marked(
    small, tmp_path, monkeypatch, capsys
):
    here = Workspace(tmp_path / "simulated", "runs")
    monkeypatch.setattr(reproduce, "available_scenes", list)
    for module in (reproduce, run):
        monkeypatch.setattr(module, "SIMULATED", here)
    before = status()
    assert reproduce.main(["--processes", "0"]) == 0
    printed = capsys.readouterr().out
    assert "No real scene can be had here" in printed and "no committed result" in printed
    written = {
        "proposed", "agreement", "runs", "table2", "table3", "table3_paper_grid",
        "roc3d", "detectors",
    }  # fmt: skip
    assert {path.stem for path in here.tables.iterdir()} == written
    for table in written:
        text = (here.tables / f"{table}.md").read_text("utf-8")
        assert text.startswith("**Simulated scene: not a result on real data.**")
    assert {path.stem for path in here.figures.glob("*.png")} == set(figures.NEED_SCENES)
    assert status() == before


def test_another_seed_than_the_first_is_no_part_of_it():
    seeds = {one.seed for one in reproduce.one_seed(SCENES) if isinstance(one, LrenRun)}
    assert seeds == {robust.SEEDS[0]}


# --- committed figures ------------------------------------------------------------------------


def test_figures_of_the_committed_results_are_drawn_from_compact_maps(
    small, space, committed, capsys
):
    for scene in ("hydice", "pavia"):
        one = DetectorRun("comparison", scene, "rx")
        record = one.execute(SCENE, space)
        run.save_compact(
            one.compact_path(committed), run.load_map(one, space), record["map_sha256"]
        )
    shutil.copytree(space.records, committed.records)
    output = Workspace(committed.root, output=space.root / "committed")
    everything.write(output, ["hydice", "pavia"])
    drawn = {path.stem for path in output.figures.glob("*.png")}
    assert drawn == set(figures.NEED_SCENES) - {"detection_maps", "roc_curves"}, "no map of LREN"
    assert not (committed.root / "figures").exists()
    # Without the scenes, the committed figures are taken as they are.
    (committed.root / "figures").mkdir()
    (committed.root / "figures" / "figure5_roc.png").write_bytes(b"committed")
    everything.write(output, ["hydice"])
    assert "Not at hand: pavia. The figures" in capsys.readouterr().out
    DetectorRun("comparison", "hydice", "rx").compact_path(committed).unlink()
    everything.write(output, ["hydice", "pavia"])
    assert "Without a committed map: 1 runs" in capsys.readouterr().out
    assert (output.figures / "figure5_roc.png").read_bytes() == b"committed"


def test_a_study_without_data_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(command, "available_scenes", list)
    assert robust.main([]) == 2
    assert "needs the real scenes" in capsys.readouterr().out
