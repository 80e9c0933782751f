"""``lren-tf compare``: several detectors, some of which fail, and what is left of them."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lren_tf import detectors, metrics
from lren_tf.cli import main
from tests.cli.common import REFUSAL, SCENE, Diverging, Noise, Refusing, files, mat, report

JUDGED = ("auc_pd_pf", "auc_pf_tau", "auc_pd_tau", "pd_at_1_percent", "pd_at_1_permille")
WRITTEN = [
    "small_comparison.json", "small_comparison.npz", "small_comparison.png", "small_cost.png",
    "small_roc.png",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _only_these(register, monkeypatch):
    # A new registry: taking entries out of the old one would put them back in another order.
    monkeypatch.setattr(detectors, "_HOMES", {"rx": detectors._HOMES["rx"]})
    register(Noise, Refusing, Diverging)


class TestFiles:
    def test_everything(self, scene_file, capsys):
        assert main(["compare", scene_file, "--out", "out"]) == 0
        assert sorted(files()) == ["out", *(f"out/{name}" for name in WRITTEN), "small.mat"]

        with np.load("out/small_comparison.npz") as maps:
            assert list(maps) == ["rx", "noise"]
            rx, noise = maps["rx"], maps["noise"]
        np.testing.assert_array_equal(rx, detectors.create("rx").score(SCENE))
        assert noise.dtype == np.float32
        for name in ("comparison", "cost", "roc"):
            assert matplotlib.image.imread(f"out/small_{name}.png").std() > 0.05

        told = report("out/small_comparison.json")
        assert told["scene"]["shape"] == [12, 10, 8]
        assert list(told["detectors"]) == ["rx", "noise", "refusing", "diverging"]
        assert told["detectors"]["rx"]["metrics"] == metrics.evaluate(rx, SCENE.truth)
        assert told["detectors"]["noise"]["metrics"] == metrics.evaluate(noise, SCENE.truth)
        assert told["detectors"]["noise"]["settings"] == Noise().get_config()
        assert [d["seed"] for d in told["detectors"].values()] == [None, 0, None, None]
        assert [d["failed"] for d in told["detectors"].values()] == [
            None, None, REFUSAL, "the loss became NaN in step 3: lower learning_rate.",
        ]  # fmt: skip
        assert told["detectors"]["refusing"]["metrics"] is None
        assert [d["notices"] for d in told["detectors"].values()] == [
            [], ["the noise is loud."], [], [],
        ]  # fmt: skip
        assert told["notices"] == ["the noise is loud."]
        assert told["files"]["maps"] == "out/small_comparison.npz"
        assert list(told["seconds"]) == ["start", "read", "draw", "write"]
        assert all(d["seconds"] >= 0 for d in told["detectors"].values())
        assert {"lren_tf", "python", "numpy", "scipy"} <= set(told["versions"])
        assert capsys.readouterr().err == "lren-tf: note: the noise is loud.\n"

    def test_what_is_said(self, scene_file, capsys):
        assert main(["compare", scene_file, "--detectors", "refusing, rx"]) == 0
        lines = capsys.readouterr().out.splitlines()
        told = report("small_comparison.json")["detectors"]["rx"]
        assert lines[0].startswith("small: 12 × 10 pixels (")
        assert lines[1] == "1/2 The one that refuses: running"
        assert lines[2].startswith("1/2 The one that refuses: failed after ")
        assert lines[2].endswith(REFUSAL)
        assert lines[3] == "2/2 RX: running"
        assert lines[4] == f"2/2 RX: {told['seconds']:.1f} s"
        judged = [told["metrics"][key] for key in JUDGED]
        titles = ["AUC(Pd,Pf)", "AUC(Pf,tau)", "AUC(Pd,tau)", "Pd at 1 %", "at 0.1 %", "seconds"]
        titles.append("peak MiB")
        peak = told["peak_memory_bytes"] / 2**20
        assert lines[5] == "  ".join(["detector".ljust(len("The one that refuses")), *titles])
        assert lines[6] == f"The one that refuses  failed: {REFUSAL}"
        assert lines[7].split() == [
            "RX", *(f"{value:.4f}" for value in judged), f"{told['seconds']:.1f}",
            f"{peak:.1f}",
        ]  # fmt: skip
        assert len(lines[7]) == len(lines[5])
        assert lines[8:] == [
            "maps: small_comparison.npz", "picture: small_comparison.png", "roc: small_roc.png",
            "cost: small_cost.png", "report: small_comparison.json",
        ]  # fmt: skip

    def test_the_picture_shows_every_map_on_one_scale(self, scene_file, monkeypatch):
        from lren_tf import plots

        shown = {}

        def panel(rgb, truth, maps, calibrated):
            shown.update(rgb=rgb, truth=truth, maps=dict(maps), calibrated=calibrated)
            return real(rgb, truth, maps, calibrated=calibrated)

        real = plots.detection_panel
        monkeypatch.setattr(plots, "detection_panel", panel)
        # A calibrated score is in decades already and is not put there again.
        monkeypatch.setattr(Noise, "calibrated", True)
        assert main(["compare", scene_file, "--detectors", "noise,rx"]) == 0
        assert shown["calibrated"] == ["Noise"]
        assert shown["rgb"].shape == (12, 10, 3)
        np.testing.assert_array_equal(shown["truth"], SCENE.truth)
        assert list(shown["maps"]) == ["Noise", "RX"]

    @pytest.mark.parametrize("truth", [None, np.zeros((12, 10), np.uint8)])
    def test_no_truth_to_judge_by(self, truth, capsys):
        mat("small.mat", data=SCENE.cube, **({} if truth is None else {"map": truth}))
        assert main(["compare", "small.mat", "--detectors", "rx"]) == 0
        assert sorted(files()) == ["small.mat", *WRITTEN[:3]]
        told = report("small_comparison.json")
        assert told["detectors"]["rx"]["metrics"] is None
        assert "roc" not in told["files"]
        one_class = [] if truth is None else ["the truth has no anomalous pixel: no metrics are"]
        assert [notice[:48] for notice in told["notices"]] == one_class
        assert "AUC" not in capsys.readouterr().out

    def test_seed_for_those_that_have_one(self, scene_file):
        assert main(["compare", scene_file, "--seed", "5", "--detectors", "rx,noise"]) == 0
        told = report("small_comparison.json")["detectors"]
        assert (told["rx"]["seed"], told["noise"]["seed"]) == (None, 5)
        with np.load("small_comparison.npz") as maps, pytest.warns(UserWarning, match="loud"):
            np.testing.assert_array_equal(maps["noise"], Noise(seed=5).score(SCENE))

    def test_keys(self):
        mat("small.mat", first=SCENE.cube, second=SCENE.cube[:, :, :5], map=SCENE.truth * 1,
            other=(1 - SCENE.truth))  # fmt: skip
        arguments = ["--detectors", "rx", "--key", "second", "--truth-key", "other"]
        assert main(["compare", "small.mat", *arguments]) == 0
        told = report("small_comparison.json")["scene"]
        assert told["shape"] == [12, 10, 5]
        assert told["anomalous"] == int((~SCENE.truth).sum())


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--detectors", "rx,rxx"], "'rxx' is unknown; expected one of rx, noise, refusing"),
            (["--detectors", "rx,noise,rx"], "--detectors names 'rx' 2 times; expected each"),
            (["--detectors", "rx,"], "--detectors got 'rx,'; expected names separated by commas"),
            (["--detectors", ""], "--detectors got ''; expected names separated by commas"),
            (["--seed", "-1"], "setting 'seed' is -1; expected 0 or more"),
            (["--seed", "many"], "setting 'seed' is 'many'; expected a whole number"),
            (["--detectors", "rx", "--seed", "1"], "no detector of rx has a seed"),
            (["--out", "small.mat"], "is a file; expected a folder"),
            (["--key", "x"], "pass another --key"),
            (["--preset", "paper"], "unrecognized arguments: --preset paper"),
        ],
    )
    def test_one_sentence(self, arguments, said, scene_file, refused, monkeypatch):
        def scored(*arguments):
            raise AssertionError("refused too late")

        monkeypatch.setattr(detectors.Detector, "score", scored)
        assert said in refused("compare", scene_file, *arguments)

    def test_scenes(self, refused):
        assert "nowhere.mat does not exist" in refused("compare", "nowhere.mat")
        message = refused("compare", mat("gaps.mat", data=np.full((6, 5, 4), np.nan)))
        assert "gaps: none of the 6 × 5 pixels holds data" in message

    @pytest.mark.parametrize("name", WRITTEN)
    def test_an_output_that_is_a_folder(self, name, scene_file, refused):
        Path(name).mkdir()
        assert f"{name} is a folder" in refused("compare", scene_file)

    def test_no_detector_worked(self, scene_file, capsys):
        before = files()
        assert main(["compare", scene_file, "--detectors", "refusing,diverging"]) == 2
        assert files() == before
        out, err = capsys.readouterr()
        assert REFUSAL in out
        assert err.startswith("lren-tf: no detector of refusing, diverging could be used on small;")
        assert err.count("\n") == 1


class TestFailures:
    """A detector that fails costs its own row, whatever it raises."""

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (ValueError("invalid entry\nin coordinates array"),
             "ValueError: invalid entry in coordinates array"),
            (MemoryError(), "MemoryError"),
            (OSError(28, "No space left"), "OSError: [Errno 28] No space left"),
            (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
            (SystemExit(3), "SystemExit: 3"),
            (AssertionError(), "AssertionError"),
            (RecursionError("too deep"), "RecursionError: too deep"),
        ],
    )  # fmt: skip
    def test_the_others_go_on(self, error, said, scene_file, monkeypatch, capsys):
        def fail(*arguments):
            raise error

        monkeypatch.setattr("tests.cli.common.Noise._score", fail)
        assert main(["compare", scene_file, "--detectors", "noise,rx"]) == 0
        assert f"failed: {said}" in capsys.readouterr().out
        told = report("small_comparison.json")["detectors"]
        assert (told["noise"]["failed"], told["rx"]["failed"]) == (said, None)
        with np.load("small_comparison.npz") as maps:
            assert list(maps) == ["rx"]

    @pytest.mark.parametrize(
        ("score", "said"),
        [
            (np.zeros((3, 3)), "returns scores of shape (3, 3); expected 12 × 10"),
            (np.full((12, 10), np.inf), "infinite"),
            (np.zeros(120), "shape (120,)"),
            (None, "dtype object"),
            (np.zeros((12, 10), complex), "complex"),
        ],
    )
    def test_what_is_no_map(self, score, said, scene_file, monkeypatch, capsys):
        monkeypatch.setattr("tests.cli.common.Noise.score", lambda *arguments: score)
        assert main(["compare", scene_file, "--detectors", "noise,rx"]) == 0
        assert said in capsys.readouterr().out
        assert said in report("small_comparison.json")["detectors"]["noise"]["failed"]


class TestInterruptions:
    @pytest.fixture
    def earlier(self, scene_file):
        for name in WRITTEN:
            Path(name).write_text("earlier")
        return files()

    @pytest.mark.parametrize(
        ("late", "error"),
        [
            ("tests.cli.common.Noise._score", KeyboardInterrupt()),
            ("lren_tf.plots.save", KeyboardInterrupt()),
            ("lren_tf.plots.save", OSError(28, "No space left")),
            ("os.fsync", KeyboardInterrupt()),
            ("os.fsync", OSError(28, "No space left")),
        ],
    )
    def test_nothing_is_half_written(self, late, error, earlier, monkeypatch, capsys):
        def fail(*arguments, **keywords):
            raise error

        monkeypatch.setattr(late, fail)
        code, said = 2, "cannot hold what is to be written (No space left on device)"
        if isinstance(error, KeyboardInterrupt):
            code, said = 130, "lren-tf: interrupted."
        assert main(["compare", "small.mat", "--detectors", "rx,noise"]) == code
        assert files() == earlier
        err = capsys.readouterr().err
        assert said in err.splitlines()[-1]
