"""``lren-tf detect`` with --resume, --checkpoint-every, --log and --tensorboard."""

from __future__ import annotations

import csv
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from tests.cli.common import SMALL, files, report

EPOCHS = ("--preset", "paper", "--epochs", "6", *SMALL[4:])


@pytest.fixture
def interrupted_at(monkeypatch):
    """Make every training end by the keyboard as an epoch begins."""

    def at(epoch: int) -> None:
        from lren_tf.training.callbacks import EpochProgress

        def begin(self, now, logs=None):
            if now == epoch:
                raise KeyboardInterrupt

        monkeypatch.setattr(EpochProgress, "on_epoch_begin", begin)

    yield at
    monkeypatch.undo()


def test_interrupted_and_resumed(scene_file, interrupted_at, capsys, monkeypatch):
    assert main(["detect", scene_file, *EPOCHS, "--out", "whole"]) == 0
    command = ["detect", scene_file, *EPOCHS, "--resume", "run", "--log", "log.csv", "--out", "out"]
    capsys.readouterr()
    interrupted_at(4)
    assert main(command) == 130
    out, err = capsys.readouterr()
    assert err == (
        "lren-tf: interrupted after epoch 4 of 6, run the same command again to go on from run.\n"
    )
    assert "resume" not in out
    assert not Path("out").exists()
    assert {*os.listdir("run")} - {"lock"} == {"checkpoint.npz"}

    interrupted_at(9)
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[1] == "resume: goes on after epoch 4, from run"
    assert Path("out/small_score.npy").read_bytes() == Path("whole/small_score.npy").read_bytes()
    told, whole = report("out/small_report.json"), report("whole/small_report.json")
    assert told["resumed"] == {"folder": "run", "epochs_before": 4}
    assert "resumed" not in whole
    for part in ("training", "solver", "dictionary", "metrics"):
        assert told[part] == whole[part]
    with open("log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("012345")

    assert main([*command[:-1], "again"]) == 0
    out = capsys.readouterr().out
    assert "resume: the training in run is finished and is used as it is" in out
    assert "epochs" not in out
    assert Path("again/small_score.npy").read_bytes() == Path("out/small_score.npy").read_bytes()


def test_interrupted_after_the_training(scene_file, monkeypatch, capsys):
    import lren_tf.model.lren

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(lren_tf.model.lren.LREN, "scored", interrupt)
    assert main(["detect", scene_file, *SMALL, "--resume", "run"]) == 130
    assert capsys.readouterr().err == (
        "lren-tf: interrupted; the training is finished, run the same command again to go on from "
        "run.\n"
    )


def test_interrupted_before_there_is_a_state(scene_file, interrupted_at, capsys):
    interrupted_at(0)
    assert main(["detect", scene_file, *SMALL, "--resume", "run"]) == 130
    assert capsys.readouterr().err == "lren-tf: interrupted.\n"
    assert not {*os.listdir("run")} - {"lock"}


def test_another_training_in_the_folder(scene_file, refused, capsys):
    assert main(["detect", scene_file, *SMALL, "--resume", "run"]) == 0
    capsys.readouterr()
    message = refused("detect", scene_file, *SMALL, "--resume", "run", "--set", "optimizer=adam")
    assert "run holds a training with another setting 'optimizer'" in message
    message = refused("detect", scene_file, *SMALL, "--resume", "run", "--seed", "4",
                      "--log", "deep/log.csv", "--tensorboard", "board")  # fmt: skip
    assert "another setting 'seed' (123; here it is 4)" in message
    # λ plays no part in the training.
    assert main(["detect", scene_file, *SMALL, "--resume", "run", "--lam", "0.5"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "small.mat"], "small.mat is a file; expected a folder"),
        (["--checkpoint-every", "5"], "--checkpoint-every was given without --resume"),
        (["--resume", "run", "--checkpoint-every", "0"], "--checkpoint-every is '0'; expected a"),
        (["--resume", "run", "--checkpoint-every", "few"], "--checkpoint-every is 'few'"),
        (["--log", "folder"], "folder is a folder; expected a file"),
        (["--tensorboard", "small.mat"], "small.mat is a file; expected a folder"),
    ],
)
def test_refused_before_anything_starts(arguments, said, scene_file, refused, monkeypatch):
    def started(*arguments):
        raise AssertionError("refused too late")

    monkeypatch.setattr("lren_tf.cli.commands.detect.lren_model", started)
    monkeypatch.setattr("lren_tf.cli.options.long_training._is_installed", lambda package: True)
    Path("folder").mkdir()
    assert said in refused("detect", scene_file, *arguments)


@pytest.mark.parametrize("option", ["--resume", "--checkpoint-every", "--log", "--tensorboard"])
def test_refused_beside_another_detector(option, scene_file, refused):
    message = refused("detect", scene_file, "--detector", "rx", option, "1")
    assert f"{option} was given with the detector 'rx'; expected it with --detector lren" in message


class TestTensorBoard:
    def test_missing(self, scene_file, refused, monkeypatch):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda n, *a: None if n == "tensorboard" else find(n, *a)
        )
        message = refused("detect", scene_file, "--tensorboard", "board")
        assert "is not installed; run pip install 'lren-tf[tensorboard]'" in message

    def test_a_folder_of_that_name_is_not_the_package(self, scene_file, refused, monkeypatch):
        from importlib.machinery import ModuleSpec

        find = importlib.util.find_spec
        namespace = ModuleSpec("tensorboard", None, is_package=True)
        monkeypatch.setattr(
            importlib.util, "find_spec",
            lambda n, *a: namespace if n == "tensorboard" else find(n, *a),
        )  # fmt: skip
        assert "is not installed" in refused("detect", scene_file, "--tensorboard", "board")

    @pytest.mark.slow
    def test_losses_of_every_epoch(self, scene_file):
        pytest.importorskip("tensorboard", reason="needs the extra 'tensorboard'")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util import tensor_util

        assert main(["detect", scene_file, *SMALL, "--tensorboard", "board/deep"]) == 0
        events = EventAccumulator("board/deep/train").Reload().Tensors("epoch_loss")
        assert [event.step for event in events] == [0, 1]
        last = float(tensor_util.make_ndarray(events[-1].tensor_proto))
        np.testing.assert_allclose(last, report("small_report.json")["training"]["loss"], rtol=1e-6)


@pytest.mark.slow
def test_nothing_is_kept_unless_it_is_asked_for(scene_file):
    assert main(["detect", scene_file, *SMALL]) == 0
    assert sorted(files()) == [
        "small.mat", "small_report.json", "small_score.mat", "small_score.npy", "small_score.png",
    ]  # fmt: skip
