"""``--dry-run``: nothing is written, the files are those of a run, bad input is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.io.scene_shape import scene_shape
from tests.cli.common import RX, SCENE, SMALL, Noise, files, mat
from tests.cli.test_console import commands

RATE = ("--false-alarm-rate", "0.1")
TRAINED = [
    pytest.param(*words, marks=pytest.mark.slow)
    for words in (
        ("detect", ("small.mat", *SMALL, "--save-model", "m.keras", "--resume", "state")),
        ("detect", ("small.mat", "--apply", "trained.keras", *RATE)),
        ("export", ("trained.keras", "served")),
        ("view", ("small_report.json",)),
    )
]


@pytest.fixture
def plan(capsys):
    """Run a command with ``--dry-run --json``; return its object. Nothing may be written."""

    def run(*words: str) -> dict:
        before = files()
        code = main([*words, "--dry-run", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert code == 0, told
        assert files() == before
        assert told["dry_run"] is True
        return told

    return run


@pytest.fixture
def done(scene_file, register, request, capsys):
    """The files that the commands read."""
    register(Noise)
    score = SCENE.cube[:, :, 0]
    np.save("s.npy", score)
    words = request.node.callspec.params.get("words", ())
    if "trained.keras" in words:
        folder = request.getfixturevalue("trained_models")
        shutil.copy(folder / "release.keras", "trained.keras")
    if "small_report.json" in words:
        assert main(["detect", scene_file, *RX, *RATE]) == 0
        capsys.readouterr()


def test_what_writes_has_it():
    without = {
        name for name, parser in commands().items()
        if "--dry-run" not in parser._option_string_actions
    }  # fmt: skip
    assert without == {"evaluate", "datasets"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("detect", ("small.mat", *RX, *RATE, "--vector", "geojson", "--view")),
        ("compare", ("small.mat", "--detectors", "rx,noise")),
        ("threshold", ("s.npy", *RATE)),
        ("info", ("small.mat", "--picture", "p.png")),
        *TRAINED,
    ],
)
def test_the_files_are_those_of_the_run(command, words, done, plan, capsys):
    told = plan(command, *words, "--quiet")
    assert all(Path(each["file"]).exists() for each in told["reads"])
    assert {each["file"] for each in told["reads"]} <= set(words) | {"small.mat"}
    assert main([command, *words, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert told["writes"] == written["files"]
    assert all(Path(path).exists() for path in written["files"].values())


def test_what_is_there_would_be_replaced(scene_file, capsys):
    assert main(["detect", scene_file, *RX]) == 0
    capsys.readouterr()
    before = files()
    assert main(["detect", scene_file, *RX, "--dry-run"]) == 0
    assert files() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small: 12 × 10 pixels")
    assert lines[1] == "dry run: nothing is computed, nothing is written"
    assert "writes report: small_report.json, which is there and would be replaced" in lines
    assert lines[-2].startswith("rx: less than a second, 64.0 MiB of memory")
    assert "estimate" in lines[-1]


def test_a_detector_of_which_no_run_is_on_record(scene_file, register, plan):
    register(Noise)
    told = plan("compare", scene_file, "--detectors", "rx,noise")
    assert told["estimates"]["Noise"] == {"seconds": None, "bytes": None}
    assert told["estimate"]["seconds"] is None
    assert told["estimates"]["RX"]["seconds"] > 0
    assert any(line.startswith("Noise: time not known") for line in told["lines"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("detect", "nowhere.mat", *RX), "nowhere.mat does not exist"),
        (("detect", "flat.mat", *RX), "constant"),
        (("detect", "small.mat", *RX, "--out", "small.mat"), "small.mat"),
        (("detect", "small.mat", *RX, "--set", "window=3"), "window"),
        (("detect", "small.mat", "--epochs", "0"), "epochs"),
        (("detect", "coast", *RX, "--key", "data"), "--key was given"),
        (("compare", "small.mat", "--detectors", "rxx"), "rxx"),
        (("batch", "small.mat", *RX, "--threads", "2"), "--threads was given"),
        (("threshold", "s.npy", "--false-alarm-rate", "2"), "false-alarm-rate"),
        (("info", "small.mat", "--picture", "p.jpg"), ".png"),
        (("view", "small_report.json"), "does not exist"),
        (("export", "m.keras", "served"), "does not exist"),
    ],
)
def test_bad_input_is_refused(words, said, scene_file, refused):
    np.save("s.npy", SCENE.cube[:, :, 0])
    mat("flat.mat", data=np.ones((6, 5, 4)))
    assert said in refused(*words, "--dry-run")


@pytest.mark.slow
def test_lren_refuses_what_its_training_would(scene_file, refused):
    few = ("--set", "components=200")
    sentence = refused("detect", scene_file, "--preset", "paper", *few, "--dry-run")
    assert "expected at least one pixel per component" in sentence
    assert refused("detect", scene_file, "--preset", "paper", *few) == sentence


def test_a_scene_that_a_download_would_bring(plan):
    told = plan("detect", "coast", *RX, *RATE)
    assert told["lines"][0].startswith("coast: 100 × 100 × 198, would be read from http")
    assert "score_mat" in told["writes"]
    assert told["estimate"]["seconds"] > 0
    assert plan("compare", "coast", "--detectors", "rx,lrx")["estimate"]["bytes"] > 0


class TestBatch:
    def test_headers_and_what_is_finished(self, scene_file, plan, capsys):
        np.save("other.npy", SCENE.cube)
        Path("torn.mat").write_bytes(b"MATLAB 5.0 MAT-file, torn")
        words = ("batch", scene_file, "other.npy", "torn.mat", *RX, "--out", "results")
        told = plan(*words)
        assert [each["finished"] for each in told["scenes"]] == [False] * 3
        assert [each["problem"] is None for each in told["scenes"]] == [True, True, False]
        assert set(told["estimates"]) == {"small", "other"}
        alone = told["estimate"]["seconds"]
        shared = plan(*words, "--workers", "2")["estimate"]
        assert shared["seconds"] == pytest.approx(alone / 2)
        assert shared["bytes"] == 2 * told["estimate"]["bytes"]
        assert main([*words]) == 1
        capsys.readouterr()
        told = plan(*words)
        assert [each["finished"] for each in told["scenes"]] == [True, True, False]
        assert told["estimates"] == {}

    def test_a_plan_changes_no_key(self, scene_file, plan, capsys):
        words = ("batch", scene_file, *RX, "--out", "results")
        plan(*words)
        assert main([*words]) == 0
        capsys.readouterr()
        assert main([*words, "--json"]) == 0
        assert "(1 of them before)" in json.loads(capsys.readouterr().out)["lines"][-3]

    def test_benchmark_scenes_by_name(self, plan):
        told = plan("batch", "coast", "simulated", *RX)
        assert set(told["estimates"]) == {"coast", "simulated"}

    @pytest.mark.slow
    def test_a_training_first(self, scene_file, plan, capsys):
        np.save("other.npy", SCENE.cube)
        words = ("batch", "other.npy", *SMALL, "--train-on", scene_file, "--out", "results")
        told = plan(*words)
        assert list(told["estimates"]) == ["small (training)", "other"]
        assert main([*words]) == 0
        capsys.readouterr()
        assert all(each["finished"] for each in plan(*words)["scenes"])


def test_a_benchmark_tells_the_runs_that_are_left(scene_file, register, plan, refused, capsys):
    register(Noise)
    words = ("benchmark", scene_file, "--detectors", "rx,noise",
             "--out", "bench")  # fmt: skip
    told = plan(*words[:2], "coast", *words[2:])
    assert told["lines"][0].startswith("coast: would be downloaded first")
    assert list(told["estimates"]) == ["RX on small", "Noise on small, seed 0"]
    assert main([*words]) == 0
    capsys.readouterr()
    told = plan(*words)
    assert told["lines"][0] == "2 runs, 2 finished before"
    assert told["estimates"] == {}
    said = refused("benchmark", "coast", "--detectors", "rx", "--out", "other", "--dry-run")
    assert "all scenes would be downloaded first" in said


def test_the_shape_of_a_scene_is_that_of_its_cube(scene_file):
    assert scene_shape(scene_file) == SCENE.shape
    np.savez("turned.npz", cube=np.moveaxis(SCENE.cube, -1, 0))
    assert scene_shape("turned.npz", axes="band,row,column") == SCENE.shape
