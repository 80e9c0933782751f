"""``lren-tf detect --detector``: any detector but LREN, by the registry and its fields."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lren_tf import detectors, metrics
from lren_tf.cli import main
from lren_tf.data.scene import Scene
from tests.cli.common import REFUSAL, SCENE, SMALL, Diverging, Noise, Refusing, files, mat, report


class TestFiles:
    def test_rx(self, scene_file, capsys):
        assert main(["detect", scene_file, "--detector", "rx", "--out", "a/b"]) == 0
        assert sorted(files()) == [
            "a", "a/b", "a/b/small_report.json", "a/b/small_score.mat", "a/b/small_score.npy",
            "a/b/small_score.png", "small.mat",
        ]  # fmt: skip
        score = np.load("a/b/small_score.npy")
        assert score.dtype == np.float32
        np.testing.assert_array_equal(score, detectors.create("rx").score(SCENE))
        assert matplotlib.image.imread("a/b/small_score.png").std() > 0.1

        told = report("a/b/small_report.json")
        assert (told["detector"], told["settings"], told["seed"]) == ("rx", {"ridge": 0.0}, None)
        assert told["scene"]["source"] == "small.mat"
        assert told["scene"]["shape"] == [12, 10, 8]
        assert told["metrics"] == metrics.evaluate(score, SCENE.truth)
        assert told["notices"] == []
        assert {"lren_tf", "python", "numpy", "scipy", "scikit-learn"} <= set(told["versions"])
        assert list(told["seconds"]) == ["start", "read", "score", "evaluate", "draw", "write"]
        assert told["files"] == {
            "score": "a/b/small_score.npy", "score_mat": "a/b/small_score.mat",
            "picture": "a/b/small_score.png",
            "report": "a/b/small_report.json",
        }  # fmt: skip

        out, err = capsys.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert lines[0].startswith("small: 12 × 10 pixels (")
        assert lines[1].startswith("RX: ")
        assert lines[2] == f"score: {score.min():.6g} to {score.max():.6g}; higher = more anomalous"
        assert lines[3].startswith(f"AUC(Pd,Pf) {told['metrics']['auc_pd_pf']:.4f}, AUC(Pf,tau) ")
        assert [line.split(":")[0] for line in lines[4:]] == [
            "score", "score_mat", "picture", "report",
        ]  # fmt: skip

    def test_settings_and_seed(self, register, scene_file, capsys):
        register(Noise)
        assert main([
            "detect", scene_file, "--detector", "noise", "--seed", "7", "--device", "/CPU:0",
            "--set", "lam=2", "--set", "window=4", "--set", "limit=None", "--set", "signed=FALSE",
            "--set", "mode=none",
        ]) == 0  # fmt: skip
        told = report("small_report.json")
        assert told["settings"] == {
            "lam": 2.0, "window": 4, "limit": None, "signed": False, "mode": "none", "seed": 7,
            "device": "/CPU:0",
        }  # fmt: skip
        assert type(told["settings"]["lam"]) is float
        assert told["seed"] == 7
        made = Noise(**told["settings"])
        with pytest.warns(UserWarning, match="loud"):
            np.testing.assert_array_equal(np.load("small_score.npy"), made.score(SCENE))
        assert told["notices"] == ["the noise is loud."]
        assert capsys.readouterr().err == "lren-tf: note: the noise is loud.\n"

    def test_without_truth(self, capsys):
        np.save("plain.npy", SCENE.cube)
        assert main(["detect", "plain.npy", "--detector", "rx"]) == 0
        told = report("plain_report.json")
        assert told["metrics"] is None
        assert told["scene"]["anomalous"] is None
        assert told["notices"] == []
        assert "AUC" not in capsys.readouterr().out

    @pytest.mark.parametrize(("value", "kind"), [(0, "anomalous"), (1, "background")])
    def test_truth_of_one_class(self, value, kind, capsys):
        mat("one.mat", data=SCENE.cube, map=np.full((12, 10), value, np.uint8))
        assert main(["detect", "one.mat", "--detector", "rx"]) == 0
        told = report("one_report.json")
        assert told["metrics"] is None
        assert told["notices"] == [f"the truth has no {kind} pixel: no metrics are computed."]
        assert capsys.readouterr().err == f"lren-tf: note: {told['notices'][0]}\n"

    @pytest.mark.slow
    def test_lren_by_name_is_the_default(self, scene_file):
        assert main(["detect", scene_file, *SMALL]) == 0
        score = np.load("small_score.npy")
        assert main(["detect", scene_file, "--detector", "lren", *SMALL]) == 0
        np.testing.assert_array_equal(np.load("small_score.npy"), score)
        assert report("small_report.json")["preset"] == "paper"


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--preset", "paper"], "--preset was given with the detector 'noise'; expected it"),
            (["--lam", "1"], "--lam was given with the detector 'noise'; expected it with --detec"),
            (["--epochs", "5"], "--epochs was given with the detector 'noise'"),
            (["--save-model", "m.keras"], "--save-model was given with the detector 'noise'"),
            (["--seed", "-1"], "setting 'seed' is -1; expected 0 or more"),
            (["--seed", "1", "--set", "seed=2"], "setting 'seed' is given twice"),
            (["--set", "window"], "--set got 'window'; expected NAME=VALUE"),
            (["--set", "window=wide"], "setting 'window' is 'wide'; expected a whole number"),
            (["--set", "windw=3"], "setting 'windw' is unknown to Noise; expected one of lam, win"),
            (["--set", "title=x"], "setting 'title' is unknown to Noise"),
            (["--device", "/GPU:9"], "leave --device out to take what there is"),
            (["--out", "small.mat"], "is a file; expected a folder"),
        ],
    )
    def test_one_sentence(self, arguments, said, register, scene_file, refused, monkeypatch):
        register(Noise)
        monkeypatch.setattr("lren_tf.cli.options.scene.load_scene", self.read_too_early)
        assert said in refused("detect", scene_file, "--detector", "noise", *arguments)

    @staticmethod
    def read_too_early(*arguments, **keywords):
        raise AssertionError("refused too late")

    def test_unknown_detector(self, scene_file, refused, monkeypatch):
        monkeypatch.setattr("lren_tf.cli.options.scene.load_scene", self.read_too_early)
        message = refused("detect", scene_file, "--detector", "rxx")
        assert "detector 'rxx' is unknown; expected one of rx" in message
        assert "Did you mean 'rx'?" in message

    def test_options_that_the_detector_has_not(self, scene_file, refused):
        run = ("detect", scene_file, "--detector", "rx")
        assert "--seed was given, but RX has no seed; " in refused(*run, "--seed", "1")
        assert "--device was given, but RX has no device" in refused(*run, "--device", "/CPU:0")
        assert "unknown to RX; expected one of ridge" in refused(*run, "--set", "seed=1")

    def test_scenes(self, scene_file, refused):
        run = ("--detector", "rx")
        assert "nowhere.mat does not exist" in refused("detect", "nowhere.mat", *run)
        assert "given with 'simulated'" in refused("detect", "simulated", "--key", "data", *run)
        assert "pass another --key" in refused("detect", scene_file, "--key", "x", *run)
        message = refused("detect", mat("gaps.mat", data=np.full((6, 5, 4), np.nan)), *run)
        assert "gaps: none of the 6 × 5 pixels holds data" in message
        assert "constant" in refused("detect", mat("dull.mat", data=np.ones((6, 5, 4))), *run)

    def test_by_the_detector(self, register, scene_file, capsys):
        register(Noise, Refusing)
        before = files()
        for arguments, said in (
            (["noise", "--set", "window=13"], "setting 'window' is 13; expected 12 at most."),
            (["refusing"], REFUSAL),
        ):
            assert main(["detect", scene_file, "--detector", *arguments]) == 2
            assert capsys.readouterr().err == f"lren-tf: {said}\n"
            assert files() == before

    def test_divergence(self, register, scene_file, capsys):
        register(Diverging)
        before = files()
        assert main(["detect", scene_file, "--detector", "diverging"]) == 1
        said = "the loss became NaN in step 3: lower learning_rate."
        assert capsys.readouterr().err == f"lren-tf: {said}\n"
        assert files() == before


@pytest.mark.parametrize("late", ["lren_tf.plots.save", "os.fsync"])
def test_interrupted_writing_leaves_what_was_there(late, scene_file, monkeypatch, capsys):
    for name in ("small_score.npy", "small_score.png", "small_report.json"):
        Path(name).write_text("earlier")
    earlier = files()

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(late, interrupt)
    assert main(["detect", scene_file, "--detector", "rx"]) == 130
    assert files() == earlier


def test_a_scene_by_name(monkeypatch):
    simulated = Scene(SCENE.cube, SCENE.truth, name="simulated", simulated=True)
    monkeypatch.setattr("lren_tf.datasets.simulate", lambda: simulated)
    assert main(["detect", "simulated", "--detector", "rx"]) == 0
    assert report("simulated_report.json")["scene"]["simulated"] is True
