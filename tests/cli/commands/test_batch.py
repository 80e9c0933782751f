"""``lren-tf batch`` in one process: results, catalogue, what is done again and what is refused."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lren_tf import datasets
from lren_tf.cli import detection_task, main
from lren_tf.cli.commands import batch
from lren_tf.errors import WorkerLost
from tests.cli.common import SMALL, report

RX = ("--detector", "rx")
RATE = ("--false-alarm-rate", "0.02")


@pytest.fixture
def scenes():
    """A folder of two scenes, one of which has a truth."""
    Path("in").mkdir()
    for number, name in enumerate(("a", "b")):
        scene = datasets.simulate(12, 10, 8, seed=number, anomalies=5)
        np.savez(f"in/{name}.npz", cube=scene.cube, **({"truth": scene.truth} if number else {}))
    return Path("in")


@pytest.fixture
def cut():
    """A scene that ends too early."""
    cube = datasets.simulate(12, 10, 8, seed=7).cube
    np.save("in/cut.npy", cube)
    Path("in/cut.npy").write_bytes(Path("in/cut.npy").read_bytes()[:-5])


@pytest.fixture
def detected(monkeypatch):
    """Names of the scenes that were worked on."""
    names, detect = [], detection_task.detect

    def noted(arguments, entries):
        names.append(Path(arguments.scene).stem)
        detect(arguments, entries)

    monkeypatch.setattr(detection_task, "detect", noted)
    return names


def table():
    with Path("out/scenes.csv").open(encoding="utf-8", newline="") as file:
        return {row["scene"]: row for row in csv.DictReader(file)}


def run(*words):
    return main(["batch", *words, "--out", "out"])


def test_a_folder_with_a_cut_scene(scenes, cut, detected, capsys):
    assert run("in", *RX, *RATE) == 1
    out, err = capsys.readouterr()
    assert "it is tried again" not in err
    assert "lren-tf: 1 of 3 scenes failed: cut (cut.npy: not a readable" in err
    assert "[3/3] cut: failed: cut.npy" in out
    assert "3 scenes: 2 done, 1 failed; " in out
    # Once: what is refused for its content is refused again.
    assert detected == ["a", "b", "cut"]
    rows = table()
    assert [row["status"] for row in rows.values()] == ["done", "done", "failed"]
    # What detect writes is written, and the sums of the reports are those of the catalogue.
    assert main(["detect", "in/b.npz", *RX, *RATE, "--out", "alone"]) == 0
    for path in Path("alone").glob("b_*.npy"):
        assert path.read_bytes() == Path("out/scenes/b", path.name).read_bytes()
    told = [report(f"out/scenes/{name}/{name}_report.json") for name in "ab"]
    features = json.loads(Path("out/detections.geojson").read_text("ascii"))["features"]
    assert len(features) == sum(each["threshold"]["detections"] for each in told)
    assert sum(int(rows[name]["detected_pixels"]) for name in "ab") == sum(
        each["threshold"]["detected_pixels"] for each in told
    )
    assert float(rows["b"]["auc_pd_pf"]) == told[1]["metrics"]["auc_pd_pf"]
    assert (rows["a"]["auc_pd_pf"], rows["cut"]["detections"]) == ("", "")
    assert Path("out/index.html").is_file()
    assert Path("out/scenes/a/a_score_thumbnail.png").is_file()

    # Again: only what failed.
    before = {path: path.stat().st_mtime_ns for path in Path("out/scenes").rglob("*_score.npy")}
    assert run("in", *RX, *RATE) == 1
    assert detected[3:] == ["cut"]
    assert "2 done (2 of them before), 1 failed" in capsys.readouterr().out
    # Now it is whole.
    np.save("in/cut.npy", datasets.simulate(12, 10, 8, seed=7).cube)
    assert run("in", *RX, *RATE) == 0
    assert detected[4:] == ["cut"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [table()[name]["status"] for name in ("a", "b", "cut")] == 3 * ["done"]


def test_what_is_done_again(scenes, detected):
    def done(*options):
        del detected[:]
        assert run("in/a.npz", *RX, *options) == 0
        return len(detected)

    assert done() == 1
    # The same values of another time; the same threshold in other words; where it is computed.
    os.utime("in/a.npz", (1e9, 1e9))
    assert done() == done() == 0
    assert done(*RATE) == 1
    assert done("--false-alarm-rate", "2e-2", "--min-size", "1") == 0
    # Other options, settings, files, values.
    assert done("--bands", "0-5") == 1
    assert done("--set", "ridge=0.1") == 1
    Path("out/scenes/a/a_score.png").unlink()
    assert done("--set", "ridge=0.1") == 1
    np.savez("in/a.npz", cube=datasets.simulate(12, 10, 8, seed=9).cube)
    assert done("--set", "ridge=0.1") == 1


def test_the_mask_and_the_truth_of_each_scene(scenes, detected):
    for name in "ab":
        mask = np.ones((12, 10), np.uint8)
        mask[: 1 + (name == "b")] = 0
        np.save(f"{name}_mask.npy", mask)
    options = (*RX, "--mask", "{scene}_mask.npy")
    assert run("in", *options) == 0
    assert [table()[name]["valid_pixels"] for name in "ab"] == ["110", "100"]
    np.save("b_mask.npy", np.ones((12, 10)))
    assert run("in", *options) == 0
    assert detected == ["a", "b", "b"]
    Path("a_mask.npy").unlink()
    assert run("in", *options) == 1
    assert "a_mask.npy does not exist" in table()["a"]["reason"]


def test_the_background_and_the_review_of_each_scene(scenes, detected):
    for name in "ab":
        region = np.zeros((12, 10), np.uint8)
        region[:8] = 1
        np.save(f"{name}_region.npy", region)
    options = (*RX, *RATE, "--background", "{scene}_region.npy")
    assert run("in", *options) == run("in", *options) == 0
    assert detected == ["a", "b"]
    before = np.load("out/scenes/b/b_score.npy")
    region[:] = 0
    region[4:] = 1
    np.save("b_region.npy", region)
    assert run("in", *options) == 0
    assert detected == ["a", "b", "b"]
    assert not np.array_equal(before, np.load("out/scenes/b/b_score.npy"))
    # A person decides about a detection: the list without it is another result.
    found = Path("out/scenes/b/b_detections.csv").read_text("utf-8").splitlines()
    names = found[0].split(",")
    for name in "ab":
        Path(f"{name}_seen.csv").write_text(found[0] + "\n" + found[1] + "\n", "utf-8")
    options = (*options, "--review", "{scene}_seen.csv")
    assert run("in", *options) == 0
    listed = report("out/scenes/b/b_report.json")["threshold"]["detections"]
    row = found[1].split(",")
    row[names.index("status")] = "nothing"
    Path("b_seen.csv").write_text(found[0] + "\n" + ",".join(row) + "\n", "utf-8")
    del detected[:]
    assert run("in", *options) == 0
    assert detected == ["b"]
    assert report("out/scenes/b/b_report.json")["threshold"]["detections"] == listed - 1


def test_another_library_is_another_result(scenes, detected):
    names = {"a": "one", "b": "two"}
    for name in names.values():
        assert main(["detect", "in/b.npz", *RX, *RATE, "--spectra", "--out", name]) == 0
    options = (*RX, *RATE, "--library", "one/b_spectra.sli")
    assert run("in", *options) == run("in", *options) == 0
    assert detected == ["a", "b"]
    spectra = Path("one/b_spectra.sli")
    spectra.write_bytes(spectra.read_bytes()[::-1])
    assert run("in", *options) == 0
    assert detected == ["a", "b", "a", "b"]


def test_a_scene_that_changes_meanwhile(scenes, monkeypatch, capsys):
    detect = detection_task.detect

    def changed(arguments, entries):
        os.utime("in/a.npz")
        detect(arguments, entries)

    monkeypatch.setattr(detection_task, "detect", changed)
    assert run("in/a.npz", *RX) == 1
    assert "a.npz was changed while it was worked on" in capsys.readouterr().err
    assert not list(Path("out").rglob("*_report.json"))


def test_what_killed_processes_left_is_removed(scenes):
    Path("out/scenes/a").mkdir(parents=True)
    left = (".0123456789abcdef.npy", ".fedcba9876543210", "..fedcba9876543210.png.1f2e.tmp")
    for name in (*left, ".mine.npy"):
        Path("out/scenes/a", name).write_text("half")
    assert run("in/a.npz", *RX) == 0
    hidden = [path.name for path in Path("out/scenes/a").iterdir() if path.name.startswith(".")]
    assert hidden == [".mine.npy"]


def test_a_report_as_config(scenes, detected, capsys):
    assert run("in", "--detector", "lrx", "--set", "inner=1", "--set", "outer=5", *RATE) == 0
    capsys.readouterr()
    # All that a result depends on is in it.
    assert run("in", "--config", "out/scenes/a/a_report.json") == 0
    assert "(2 of them before)" in capsys.readouterr().out
    assert detected == ["a", "b"]


def test_a_report_as_config_leaves_out_how_its_scene_was_read(scenes, capsys):
    np.save("m.npy", np.eye(12, 10) == 0)
    options = ("--bands", "0-5", "--mask", "m.npy")
    assert main(["detect", "in/a.npz", *RX, *options, "--raw", "--out", "before"]) == 0
    capsys.readouterr()
    assert run("in/b.npz", "--config", "before/a_report.json", "--bands", "0-3") == 0
    assert capsys.readouterr().err == (
        "lren-tf: note: before/a_report.json is of a run with --mask m.npy, --raw, which a report "
        "as config does not bring; pass what holds for these scenes too.\n"
    )


def test_an_interruption(scenes, monkeypatch, capsys):
    detect = detection_task.detect

    def interrupted(arguments, entries):
        if arguments.scene.endswith("b.npz"):
            raise KeyboardInterrupt
        detect(arguments, entries)

    monkeypatch.setattr(detection_task, "detect", interrupted)
    assert run("in", *RX) == 130
    assert "interrupted, 1 of 2 scenes are finished; run the same" in capsys.readouterr().err
    monkeypatch.undo()


def test_a_lost_scheduler(scenes, monkeypatch, capsys):
    def lost(*_, **__):
        raise WorkerLost("the connection to the scheduler was lost.")

    monkeypatch.setattr(batch, "run_tasks", lost)
    assert run("in", *RX) == 1
    assert capsys.readouterr().err == "lren-tf: the connection to the scheduler was lost.\n"


def test_debug_shows_the_traceback_of_a_scene(scenes, cut, capsys):
    assert run("in/cut.npy", *RX, "--debug") == 1
    assert "in detect_scene" in capsys.readouterr().err


def test_names(capsys):
    assert run("simulated", *RX) == 0
    assert table()["simulated"]["source"] == "simulated"
    assert run("simulated", *RX) == 0
    assert "(1 of them before)" in capsys.readouterr().out


@pytest.mark.slow
def test_one_model_for_all(scenes, detected, capsys):
    options = ("in", "--train-on", "in/a.npz", *SMALL)
    assert run(*options) == 0
    assert detected == ["a", "a", "b"]
    assert "model: " in capsys.readouterr().out
    # To the bit what detect makes of that model.
    model = "out/trained/a.keras"
    assert main(["detect", "in/b.npz", "--apply", model, "--out", "alone"]) == 0
    alone = np.load("alone/b_score.npy")
    assert np.array_equal(alone, np.load("out/scenes/b/b_score.npy"))
    assert run(*options) == 0
    assert detected == ["a", "a", "b"]
    assert "trained before" in capsys.readouterr().out


@pytest.mark.long
def test_another_model_is_another_result(scenes, detected):
    options = ("in", "--train-on", "in/a.npz", *SMALL)
    assert run(*options) == 0
    assert run(*options, "--seed", "5") == 0
    assert detected[3:] == ["a", "a", "b"]
    for _ in range(2):
        assert run("in", "--apply", "out/trained/a.keras") == 0
    assert detected[6:] == ["a", "b"]


@pytest.mark.slow
def test_scenes_of_one_process_do_not_influence_one_another(scenes):
    assert run("in", *SMALL) == 0
    assert main(["detect", "in/b.npz", *SMALL, "--out", "alone"]) == 0
    assert np.array_equal(np.load("alone/b_score.npy"), np.load("out/scenes/b/b_score.npy"))


@pytest.mark.slow
def test_files_of_each_scene(scenes):
    options = ("--save-model", "m/{scene}.keras", "--log", "logs/{scene}.csv")
    assert run("in", *SMALL, *options, "--resume", "run/{scene}") == 0
    for name in "ab":
        assert Path(f"m/{name}.keras").is_file()
        assert len(Path(f"logs/{name}.csv").read_text().splitlines()) == 3
        assert Path(f"run/{name}/checkpoint.npz").is_file()


class TestRefusals:
    """One sentence, exit code 2, nothing written."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("gone", *RX), "gone does not exist"),
            (("empty", *RX), "empty holds no scene among 0 files"),
            (("in", "other/a.npy", *RX), "would both write results called a"),
            (("in", "--config", "gone.toml"), "gone.toml cannot be read"),
            (("in", "--config", "wrong.toml"), "'detektor' is unknown"),
            (("in", "--workers", "x"), "--workers is 'x'"),
            (("in", "--detector", "nope"), "detector 'nope' is unknown"),
            (("in", *RX, "--set", "nope=1"), "nope"),
            (("in", *RX, "--epochs", "3"), "--epochs was given with the detector 'rx'"),
            (("in", "--set", "nope=1"), "setting 'nope' is unknown"),
            (("in", "--recalibrate"), "--recalibrate was given without --apply"),
            (("in", "--train-on", "in/a.npz", "--background", "r.npy"), "--background was given "
             "with --train-on"),
            (("in", "--apply", "m.keras", "--background", "r.npy"), "--background was given with "
             "--apply"),
            (("in", *RX, "--review", "r.csv"), "--review was given without --false-alarm-rate"),
            (("in", "--preset", "paper", "--evidence"), "--evidence was given"),
            (("in", *RX, "--false-alarm-rate", "2"), "--false-alarm-rate is 2"),
            (("in", *RX, "--format", "nope"), "--format is 'nope'"),
            (("in", "--strategy", "multiworker"), "use --scheduler for several machines"),
            (("in", "--save-model", "m.keras"), "all 2 scenes would write it; expected {scene}"),
            (("in", "--log", "l.csv"), "--log is 'l.csv', and all 2"),
            (("in", "--resume", "run"), "--resume is 'run', and all 2"),
            (("in", "--save-model", "{scene}"), "expected a name that ends in .keras"),
            (("in", "--apply", "gone.keras"), "gone.keras does not exist"),
            (("in", "--apply", "in/a.npz", "--seed", "3"), "--seed was given with --apply"),
            (("in", "--train-on", "gone.npy"), "gone.npy does not exist"),
            (("in", "--train-on", "in/a.npz", *RX), "--train-on was given with the detector 'rx'"),
            (("in", "--train-on", "in/a.npz", "--apply", "x"), "--apply was given with --train-on"),
            (("simulated", *RX, "--key", "x"), "--key was given with 'simulated'"),
        ],
    )
    def test_options(self, scenes, refused, words, said):
        Path("empty").mkdir()
        Path("other").mkdir()
        np.save("other/a.npy", np.ones((4, 4, 4)))
        Path("wrong.toml").write_text("detektor = 'rx'")
        assert said in refused("batch", *words, "--out", "out")

    def test_without_dask(self, scenes, refused, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        said = refused("batch", "in", *RX, "--workers", "2", "--out", "out")
        assert "pip install 'lren-tf[cluster]', or leave the option out to work in this" in said

    def test_an_unreachable_scheduler(self, scenes, refused, monkeypatch):
        monkeypatch.setattr("lren_tf.tasks.dask_workers.CONNECT_S", 0.5)
        said = refused("batch", "in", *RX, "--scheduler", "tcp://127.0.0.1:9", "--out", "out")
        assert "--scheduler tcp://127.0.0.1:9 does not answer" in said

    def test_results_of_another_scene(self, scenes, refused, capsys):
        assert run("in/a.npz", *RX) == 0
        capsys.readouterr()
        Path("other").mkdir()
        np.savez("other/a.npz", cube=np.ones((4, 4, 4)))
        said = refused("batch", "other", *RX, "--out", "out")
        assert "are results of" in said and "another folder with --out" in said

    def test_results_as_scenes(self, scenes, refused, capsys):
        assert run("in/a.npz", *RX) == 0
        capsys.readouterr()
        said = refused("batch", "out/scenes/a/a_score.npy", *RX, "--out", "out")
        assert "lies among the results" in said

    def test_a_folder_in_use(self, scenes, refused, capsys):
        from lren_tf.runtime.folder_lock import exclusive_use

        Path("out").mkdir()
        with exclusive_use(Path("out"), "lren-tf batch"):
            said = refused("batch", "in", *RX, "--out", "out")
        assert "is in use by another lren-tf batch" in said

    def test_a_failed_training(self, scenes, cut, capsys):
        assert run("in/a.npz", "--train-on", "in/cut.npy") == 1
        assert "the scene cut of --train-on failed: cut.npy: not" in capsys.readouterr().err
        assert not Path("out/scenes.csv").exists()
