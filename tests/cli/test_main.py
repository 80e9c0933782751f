"""The command line as a whole: commands, help, a real process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lren_tf import datasets, detectors
from lren_tf.cli import main
from lren_tf.version import __version__
from tests.cli.common import ROOT, RX, SCENE, SMALL, Noise, process


def test_no_command(refused):
    assert "required: COMMAND; see lren-tf --help" in refused()
    assert "required: SCENE; see lren-tf detect --help" in refused("detect")
    assert "invalid choice: 'explain'" in refused("explain")


def test_datasets(monkeypatch, capsys, refused):
    place = Path("here.mat")
    monkeypatch.setattr(datasets, "find", lambda name: place if name == "coast" else None)
    assert main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[5], lines[6]) == ("of the paper:", "", "further:")
    assert [line.split()[0] for line in lines[1:5]] == datasets.names()
    assert [line.split()[0] for line in lines[7:]] == datasets.further_names()
    assert "100 × 100 × 189" in lines[1]
    assert "not found; published at http" in lines[1]
    assert lines[3].endswith("here.mat")
    assert "not found; by hand, as scenes/airport-1.mat in LREN_TF_DATA (AVIRIS" in lines[7]
    monkeypatch.undo()


def test_datasets_with_a_wrong_folder(monkeypatch, refused):
    monkeypatch.setenv("LREN_TF_DATA", "nowhere")
    assert "LREN_TF_DATA is 'nowhere', which is not a folder" in refused("datasets")


@pytest.mark.parametrize(
    ("option", "said"), [("--version", f"lren-tf {__version__}\n"), ("--help", "usage: lren-tf")]
)
def test_help_and_version(option, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main([option])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize("command", [[], ["detect"], ["compare"]])
def test_help_lists_the_detectors(command, register, capsys):
    register(Noise)
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    told = " ".join(capsys.readouterr().out.replace(",", " ").split())
    assert " ".join(detectors.names()) in told
    assert "noise" in told


def test_terminal_without_the_signs(scene_file, monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert main(["detect", scene_file, *RX]) == 0
    narrow.seek(0)
    assert narrow.read().startswith("small: 12 ? 10 pixels")


class TestProcess:
    @pytest.mark.processes
    def test_detect_says_nothing_on_stderr(self, scene_file):
        done = process("detect", scene_file, *SMALL)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 10
        assert Path("small_report.json").is_file()

    def test_refusal(self):
        done = process("detect", "nowhere.mat")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("lren-tf: nowhere.mat does not exist")

    @pytest.mark.slow
    def test_tensorflow_stays_out_of_quick_commands(self, scene_file):
        np.save("s.npy", SCENE.cube[:, :, 0])
        np.save("t.npy", SCENE.truth)
        program = (
            "import sys; from lren_tf.cli import main; code = main(sys.argv[1:]); "
            "sys.exit(9 if 'tensorflow' in sys.modules or 'keras' in sys.modules else code)"
        )
        for arguments, code in (
            (["evaluate", "s.npy", "t.npy"], 0),
            (["threshold", "s.npy", "--false-alarm-rate", "0.1"], 0),
            (["detect", "nowhere.mat"], 2),
            (["detect", "simulated", "--lam", "0"], 2),
            (["datasets"], 0),
            (["detect", scene_file, "--detector", "rx"], 0),
            (["detect", scene_file, "--detector", "rxx"], 2),
            (["compare", scene_file, "--detectors", "rx"], 0),
            (["compare", "nowhere.mat"], 2),
        ):
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == code, (arguments, done.stderr)
