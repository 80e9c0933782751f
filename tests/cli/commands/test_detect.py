"""``lren-tf detect`` with LREN: its files, its refusals, its failures."""

from __future__ import annotations

import builtins
import csv
import json
import os
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lren_tf import datasets, metrics
from lren_tf.cli import main
from lren_tf.data.scene import data_sha256
from lren_tf.settings import EVIDENCE
from tests.cli.common import RX, SCENE, SMALL, SMALL_SETTINGS, files, mat, report


class TestDetect:
    @pytest.mark.parametrize(
        "preset", [pytest.param("paper", marks=pytest.mark.slow), "release"]
    )
    def test_files_and_report(self, preset, scene_file, capsys):
        from lren_tf.model.lren import LREN

        arguments = ("--preset", preset, "--seed", "7", "--lam", "0.02", "--out", "a/b")
        assert main(["detect", scene_file, *SMALL, *arguments]) == 0
        assert sorted(files()) == [
            "a", "a/b", "a/b/small_report.json", "a/b/small_score.mat", "a/b/small_score.npy",
            "a/b/small_score.png", "small.mat",
        ]  # fmt: skip
        score = np.load("a/b/small_score.npy")
        assert (score.dtype, score.shape) == (np.float32, (12, 10))

        model = LREN(preset, 7, "/CPU:0", lam=0.02, **SMALL_SETTINGS)
        history = model.fit(scene_file, verbose=0)
        np.testing.assert_array_equal(score, model.score(scene_file))

        told = report("a/b/small_report.json")
        assert told["scene"] == {
            "name": "small", "source": "small.mat", "shape": [12, 10, 8], "dtype": "float32",
            "sha256": data_sha256(SCENE.cube), "simulated": False,
            "anomalous": int(SCENE.truth.sum()),
        }  # fmt: skip
        assert told["detector"] == "lren" and told["preset"] == preset
        assert told["settings"] == model.settings.as_dict()
        assert told["device"] == "/CPU:0"
        assert list(told["seconds"])[:4] == ["read", "start", "train", "score"]
        assert told["training"]["epochs"] == 2
        assert told["training"]["loss"] == history.history["loss"][-1]
        result = model.decompose(scene_file)
        assert told["solver"]["iterations"] == result.iterations
        assert told["solver"]["converged"] is result.converged
        assert told["solver"]["objective"] == result.objective[-1]
        assert list(told["solver"]["residuals"].values()) == result.residuals[-1].tolist()
        atoms = model.dictionary
        assert told["dictionary"]["count"] == len(atoms.atoms)
        assert [a["component"] for a in told["dictionary"]["atoms"]] == atoms.components.tolist()
        pixels = [a["pixel"] for a in told["dictionary"]["atoms"]]
        assert [-1 if p is None else p[0] * 10 + p[1] for p in pixels] == atoms.pixels.tolist()
        assert told["metrics"] == metrics.evaluate(score, SCENE.truth)
        assert told["notices"] == []
        assert set(told["versions"]) == {
            "lren_tf", "python", "tensorflow", "keras", "numpy", "scipy",
        }  # fmt: skip
        assert told["files"]["score"] == "a/b/small_score.npy"
        picture = matplotlib.image.imread("a/b/small_score.png")
        assert picture.ndim == 3
        assert picture.std() > 0.1

        out, err = capsys.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert lines[0].startswith("small: 12 × 10 pixels (")
        assert [line.split(":")[0] for line in lines[1:]] == [
            f"LREN ({preset}), /CPU", f"LREN ({preset}), /CPU", "low-rank step", "score",
            f"AUC(Pd,Pf) {told['metrics']['auc_pd_pf']:.4f}, AUC(Pf,tau) "
            f"{told['metrics']['auc_pf_tau']:.4f}, AUC(Pd,tau) "
            f"{told['metrics']['auc_pd_tau']:.4f}; Pd at 1 % false alarms "
            f"{told['metrics']['pd_at_1_percent']:.4f}, at 0.1 % "
            f"{told['metrics']['pd_at_1_permille']:.4f}",
            "score", "score_mat", "picture", "report",
        ]  # fmt: skip

    def test_without_a_preset_it_is_the_robust_one(self, scene_file, capsys):
        from lren_tf.model.lren import LREN

        small = ("--epochs", "2", "--set", "hidden_units=16", "--set", "members=2")
        assert main(["detect", scene_file, *small, "--device", "/CPU:0"]) == 0
        model = LREN("robust", device="/CPU:0", epochs=2, hidden_units=16, members=2)
        model.fit(scene_file, verbose=0)
        np.testing.assert_array_equal(np.load("small_score.npy"), model.score(scene_file))
        told = report("small_report.json")
        assert told["preset"] == "robust" and told["settings"]["members"] == 2
        assert "solver" not in told and "dictionary" not in told
        assert [each["shares"] for each in told["background"]] == [
            mixture.phi.tolist() for mixture in model.backgrounds
        ]
        assert [each["components"] for each in told["background"]] == [
            np.count_nonzero(mixture.phi) for mixture in model.backgrounds
        ]
        assert told["evidence"]["calibrated_on"] == "scene of the training"
        assert "evidence of spectrum, structure, surroundings, cal" in capsys.readouterr().out

    def test_a_map_of_each_evidence_and_its_share_of_every_detection(self, scene_file, capsys):
        small = ("--epochs", "2", "--set", "hidden_units=16", "--set", "members=2")
        chosen = ("--evidence", "--false-alarm-rate", "0.02", "--save-model", "m.keras")
        assert main(["detect", scene_file, *small, *chosen, "--device", "/CPU:0"]) == 0
        told = report("small_report.json")
        threshold = told["threshold"]
        assert threshold["method"] == "calibrated"
        assert threshold["threshold"] == pytest.approx(-np.log10(0.02))
        score = np.load("small_score.npy")
        assert threshold["detected_pixels"] == np.count_nonzero(score > threshold["threshold"])
        with Path("small_detections.csv").open(encoding="ascii") as file:
            rows = list(csv.DictReader(file))
        features = json.loads(Path("small_detections.geojson").read_text("ascii"))["features"]
        assert len(rows) == threshold["detections"] == len(features) > 0
        for row, feature in zip(rows, features, strict=True):
            shares = threshold["evidence"][row["label"]]
            assert sum(shares.values()) == pytest.approx(1)
            for name, share in shares.items():
                assert float(row[f"evidence_{name}"]) == pytest.approx(share)
                assert feature["properties"][f"evidence_{name}"] == pytest.approx(share)
        for name in EVIDENCE:
            values = np.load(f"small_evidence_{name}.npy")
            assert values.shape == score.shape and values.dtype == np.float32
            assert told["files"][f"evidence_{name}"] == f"small_evidence_{name}.npy"
            assert told["maps"]["no_data"][f"evidence_{name}"] == "NaN"
        capsys.readouterr()
        assert main(["detect", scene_file, "--apply", "m.keras", "--recalibrate",
                     "--out", "again"]) == 0  # fmt: skip
        told = report("again/small_report.json")
        assert told["evidence"]["calibrated_on"] == "scored scene"
        again = np.load("again/small_score.npy")
        np.testing.assert_allclose(again, score, atol=1e-5)

    def test_the_old_score_is_the_energy(self, scene_file, capsys):
        small = ("--epochs", "2", "--set", "hidden_units=16", "--set", "members=1")
        assert main(["detect", scene_file, *small, "--set", "evidence=spectrum"]) == 0
        assert "energy under the background's mixture" in capsys.readouterr().out
        assert "evidence" not in report("small_report.json")

    @pytest.mark.parametrize(
        ("arguments", "part"),
        [
            (["--preset", "paper", "--evidence"], "does not score by evidence"),
            (["--set", "evidence=spectrum", "--evidence"], "does not score by evidence"),
            (["--recalibrate"], "--recalibrate was given without --apply"),
            (["--detector", "rx", "--evidence"], "--evidence was given with the detector 'rx'"),
            (["--set", "evidence=smell"], "setting 'evidence' is 'smell'; expected one or more"),
        ],
    )
    def test_evidence_that_there_is_not_is_refused(self, arguments, part, scene_file, capsys):
        assert main(["detect", scene_file, *arguments]) == 2
        assert part in capsys.readouterr().err
        assert sorted(files()) == ["small.mat"]

    @pytest.mark.parametrize("lam", ["0.1", "0.01"])  # the second is the default
    def test_lambda_is_refused_where_it_means_nothing(self, lam, scene_file, capsys):
        assert main(["detect", scene_file, "--lam", lam]) == 2
        assert "setting 'lam' has no effect with scoring='energy'" in capsys.readouterr().err
        assert sorted(files()) == ["small.mat"]

    @pytest.mark.slow
    def test_the_choices_of_the_ablation(self, scene_file, capsys):
        from lren_tf.model.lren import LREN

        chosen = {"training": "separate", "low_rank_space": "original"}
        options = [f for pair in chosen.items() for f in ("--set", "=".join(pair))]
        assert main(["detect", scene_file, *SMALL, *options]) == 0
        model = LREN("paper", device="/CPU:0", **SMALL_SETTINGS, **chosen)
        model.fit(scene_file, verbose=0)
        np.testing.assert_array_equal(np.load("small_score.npy"), model.score(scene_file))
        told = report("small_report.json")
        assert told["settings"] == model.settings.as_dict()
        assert told["training"]["epochs"] == 4
        assert "LREN (paper), /CPU:0: 4 epochs" in capsys.readouterr().out
        assert main(["detect", scene_file, *SMALL, *options, "--set", "dictionary=kmeans"]) == 0
        assert report("small_report.json")["training"]["epochs"] == 2

    @pytest.mark.slow
    def test_again_gives_the_same_bytes(self, scene_file):
        assert main(["detect", scene_file, *SMALL]) == 0
        first = files()
        assert main(["detect", scene_file, *SMALL]) == 0
        second = files()
        for name in ("small_score.npy", "small_score.png"):
            assert first[name] == second[name]

    @pytest.mark.slow
    def test_pixels_without_data(self, capsys):
        from lren_tf.model.lren import LREN

        cube = SCENE.cube.copy()
        cube[3, 4, 2] = np.nan
        cube[7] = np.inf
        mat("gaps.mat", data=cube, map=SCENE.truth)
        assert main(["detect", "gaps.mat", *SMALL]) == 0
        out, err = capsys.readouterr()
        assert "anomalous, 109 valid)" in out.splitlines()[0]
        assert err == (
            "lren-tf: note: gaps: 1 pixel is left out because some of the bands hold no data there "
            "(NaN, infinity or the no-data value).\n"
        )
        score = np.load("gaps_score.npy")
        assert np.isnan(score).sum() == 11 and np.isnan(score[3, 4])
        valid = np.isfinite(score)
        model = LREN("paper", device="/CPU:0", **SMALL_SETTINGS)
        model.fit(SCENE.cube[valid], verbose=0)
        np.testing.assert_array_equal(score[valid], model.score(SCENE.cube[valid]))
        told = report("gaps_report.json")
        assert told["scene"]["valid"] == 109
        assert len(told["notices"]) == 1
        assert told["metrics"] == metrics.evaluate(score[valid], SCENE.truth[valid])
        # Grey where there is no data.
        picture = matplotlib.image.imread("gaps_score.png")
        grey = (np.abs(picture[:, :, :3] - 158 / 255) < 0.01).all(axis=2)
        assert grey.sum() > 100

    @pytest.mark.slow
    def test_constant_bands_are_dropped_with_a_notice(self, capsys):
        cube = SCENE.cube.copy()
        cube[:, :, [0, 5]] = 3
        assert main(["detect", mat("dead.mat", data=cube), *SMALL]) == 0
        told = report("dead_report.json")
        assert told["notices"] == ["2 constant bands are dropped: 0, 5."]
        assert capsys.readouterr().err == f"lren-tf: note: {told['notices'][0]}\n"

    def test_key_and_truth_key(self):
        mat("two.mat", first=SCENE.cube, second=SCENE.cube[:, :, :5], map=SCENE.truth * 1,
            other=(1 - SCENE.truth))  # fmt: skip
        assert main(["detect", "two.mat", "--key", "second", "--truth-key", "other", *RX]) == 0
        told = report("two_report.json")
        assert told["scene"]["shape"] == [12, 10, 5]
        assert told["scene"]["anomalous"] == int((~SCENE.truth).sum())

    def test_simulated_by_name_unless_a_file_is_called_so(self, monkeypatch):
        monkeypatch.setattr(datasets, "simulate", lambda: SCENE)
        assert main(["detect", "simulated", *RX]) == 0
        told = report("simulated_report.json")
        assert told["scene"]["simulated"] is True
        assert told["scene"]["source"] is None
        Path("simulated").write_text("a file")
        assert main(["detect", "simulated", *RX]) == 2

    def test_benchmark_by_name(self, monkeypatch):
        monkeypatch.setattr(datasets, "load", lambda name: {"coast": SCENE}[name])
        Path("coast").mkdir()  # no scene, so no reason to pass the benchmark over
        assert main(["detect", "coast", *RX]) == 0
        assert Path("coast_score.npy").is_file()

    @pytest.mark.slow
    def test_saved_model_gives_the_same_score(self, scene_file):
        import keras

        assert main(["detect", scene_file, *SMALL, "--save-model", "m/a.keras"]) == 0
        model = keras.models.load_model("m/a.keras")
        np.testing.assert_array_equal(np.load("small_score.npy"), model.score(scene_file))
        assert report("small_report.json")["files"]["model"] == "m/a.keras"
        assert os.listdir("m") == ["a.keras"]

    @pytest.mark.slow
    def test_settings_are_typed(self, scene_file):
        arguments = [*SMALL, "--set", "batch_size=NONE", "--set", "energy_weight=1"]
        assert main(["detect", scene_file, "--preset", "release", *arguments]) == 0
        told = report("small_report.json")["settings"]
        assert told["batch_size"] is None
        assert told["energy_weight"] == 1.0
        assert told["solver_iterations"] == 40


class TestRefusedScenes:
    def test_missing(self, refused):
        assert "nowhere.mat does not exist" in refused("detect", "nowhere.mat")
        assert "sandiego, hydice" in refused("detect", "sandeigo")

    def test_folder(self, refused):
        Path("folder").mkdir()
        assert "folder is a folder; expected a file" in refused("detect", "folder")

    def test_other_formats(self, refused):
        Path("text.mat").write_text("this is not a MATLAB file\n" * 20)
        assert "text.mat: not a readable MATLAB file" in refused("detect", "text.mat")
        Path("scene.jpg").write_text("II")
        assert "expected one of .mat, .npy, .npz" in refused("detect", "scene.jpg")
        Path("empty.mat").touch()
        assert "empty.mat is empty" in refused("detect", "empty.mat")

    def test_no_cube(self, refused):
        mat("flat.mat", data=SCENE.cube.reshape(120, 8), map=SCENE.truth * 1)
        assert "no numeric variable is rows × columns × bands" in refused("detect", "flat.mat")
        assert "pass --key to choose" in refused("detect", "flat.mat", "--key", "data")

    def test_several_cubes(self, refused):
        mat("two.mat", first=SCENE.cube, second=SCENE.cube)
        message = refused("detect", "two.mat")
        assert "pass --key to choose one (found: first (12, 10, 8)" in message
        assert "pass another --key (found: first" in refused("detect", "two.mat", "--key", "x")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite_anywhere(self, value, refused):
        cube = np.full_like(SCENE.cube, value)
        message = refused("detect", mat("gaps.mat", data=cube), *SMALL)
        assert "gaps: none of the 12 × 10 pixels holds data" in message

    def test_constant_cube(self, refused):
        message = refused("detect", mat("dull.mat", data=np.full((6, 5, 4), 2.0)), *SMALL)
        assert "all 4 bands are constant" in message

    def test_fewer_pixels_than_components(self, refused):
        message = refused("detect", mat("tiny.mat", data=SCENE.cube[:2, :1]), *SMALL)
        assert "2 pixels for 3 mixture components" in message

    def test_truth_of_another_shape(self, refused):
        mat("bad.mat", data=SCENE.cube, map=np.eye(4))
        message = refused("detect", "bad.mat")
        assert "the truth 'map' has shape (4, 4); expected (12, 10)" in message
        assert 'pass --truth-key "" to do without' in message
        assert main(["detect", "bad.mat", "--truth-key", "", *RX]) == 0

    def test_benchmark_that_is_not_here(self, refused, monkeypatch):
        monkeypatch.setattr(
            "lren_tf.datasets.download._connection_problem", lambda url: "no connection"
        )
        assert "LREN_TF_DATA" in refused("detect", "hydice")

    def test_key_with_a_name(self, refused):
        assert "given with 'simulated'" in refused("detect", "simulated", "--key", "data")


class TestRefusedArguments:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--lam", "0"], "setting 'lam' is 0.0; expected a number above 0"),
            (["--lam", "-1"], "setting 'lam' is -1.0"),
            (["--lam", "nan"], "setting 'lam' is nan"),
            (["--lam", "much"], "setting 'lam' is 'much'"),
            (["--epochs", "0"], "setting 'epochs' is 0; expected 1 or more"),
            (["--epochs", "2.5"], "setting 'epochs' is 2.5; expected a whole number"),
            (["--seed", "-1"], "setting 'seed' is -1"),
            (["--seed", str(2**64)], "expected 18446744073709551615 or less"),
            (["--preset", "papr"], "preset 'papr' is unknown; expected one of paper, release, r"),
            (["--set", "lamda=1"], "Did you mean 'lam'?"),
            (["--set", "preset=release"], "setting 'preset' is unknown"),
            (["--set", "components"], "--set got 'components'; expected NAME=VALUE"),
            (["--set", "=3"], "--set got '=3'; expected NAME=VALUE"),
            (["--set", "components=few"], "setting 'components' is 'few'"),
            (["--set", "components=none"], "setting 'components' is 'none'"),
            (["--set", "optimizer=none"], "expected one of sgd, adam"),
            (["--set", "batch_seed=1e10"], "setting 'batch_seed' is 10000000000"),
            (["--lam", "1", "--set", "lam=2"], "setting 'lam' is given twice"),
            (["--save-model", "model.h5"], "expected a name that ends in .keras"),
            (["--save-model", "folder.keras"], "folder.keras is a folder"),
            (["--out", "small.mat"], "is a file; expected a folder"),
            (["--out", "small.mat/deeper"], "is a file; expected a folder"),
            (["--out", "x" * 300], "is not a usable path"),
            (["--device", "TPU"], "device 'TPU' is unknown; expected a name such as /CPU:0"),
            (["--nonsense"], "unrecognized arguments: --nonsense; see lren-tf detect --help"),
        ],
    )
    def test_one_sentence(self, arguments, said, scene_file, refused, monkeypatch):
        import lren_tf.model.lren

        def trained(*arguments, **keywords):
            raise AssertionError("refused too late")

        monkeypatch.setattr(lren_tf.model.lren.LREN, "fit", trained)
        Path("folder.keras").mkdir()
        assert said in refused("detect", scene_file, *arguments)

    def test_an_output_that_is_a_folder(self, scene_file, refused):
        Path("small_score.png").mkdir()
        assert "small_score.png is a folder" in refused("detect", scene_file, *SMALL)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
    def test_read_only_folder(self, scene_file, refused):
        Path("sealed").mkdir(mode=0o555)
        for folder in ("sealed", "sealed/deeper"):
            assert "cannot be written" in refused("detect", scene_file, "--out", folder)

    def test_folder_that_refuses_files(self, scene_file, refused, monkeypatch):
        # As a read-only file system does, for root too.
        def refuse(**keywords):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("lren_tf.runtime.files.tempfile.NamedTemporaryFile", refuse)
        assert "cannot be written (Permission denied)" in refused("detect", scene_file)

    def test_gpu_without_one(self, scene_file, refused):
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            pytest.skip("there is one here")
        message = refused("detect", scene_file, "--device", "/GPU:0")
        assert "TensorFlow finds 0 GPUs here; leave --device out" in message


class TestInterruptionsAndFailures:
    @pytest.fixture
    def earlier(self, scene_file, capsys):
        for name in ("small_score.npy", "small_score.png", "small_report.json", "m.keras"):
            Path(name).write_text("earlier")
        return files()

    def run(self, *more: str) -> int:
        return main(["detect", "small.mat", *SMALL, "--save-model", "m.keras", *more])

    def test_interrupted_training(self, earlier, monkeypatch, capsys):
        import lren_tf.model.lren

        def interrupt(*arguments, **keywords):
            raise KeyboardInterrupt

        monkeypatch.setattr(lren_tf.model.lren.LREN, "fit", interrupt)
        assert self.run() == 130
        assert files() == earlier
        assert capsys.readouterr().err == "lren-tf: interrupted.\n"

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    @pytest.mark.parametrize("late", ["lren_tf.plots.save", "keras.Model.save", "os.fsync"])
    def test_failed_writing(self, late, error, earlier, monkeypatch, capsys):
        def fail(*arguments, **keywords):
            raise error

        def run() -> int:
            return self.run() if late == "keras.Model.save" else main(["detect", "small.mat", *RX])

        monkeypatch.setattr(late, fail)
        assert run() == (130 if isinstance(error, KeyboardInterrupt) else 2)
        assert files() == earlier
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        if isinstance(error, OSError):
            assert "cannot hold what is to be written (No space left on device); expected" in err

    def test_diverged(self, earlier, monkeypatch, capsys):
        import lren_tf.model.lren
        from lren_tf.errors import TrainingDiverged

        def diverge(*arguments, **keywords):
            raise TrainingDiverged("the loss became NaN in epoch 3: lower learning_rate.")

        monkeypatch.setattr(lren_tf.model.lren.LREN, "fit", diverge)
        assert self.run() == 1
        assert files() == earlier
        said = capsys.readouterr().err
        assert said == "lren-tf: the loss became NaN in epoch 3: lower learning_rate.\n"

    def test_unexpected(self, earlier, monkeypatch, capsys):
        def break_down(*arguments, **keywords):
            raise RuntimeError("two\nlines")

        monkeypatch.setattr("lren_tf.cli.options.scene.load_scene", break_down)
        assert self.run() == 1
        said = capsys.readouterr().err
        assert said.startswith("lren-tf: unexpected error: RuntimeError: two lines (run again")
        assert said.count("\n") == 1
        assert self.run("--debug") == 1
        said = capsys.readouterr().err
        assert said.startswith("Traceback")
        assert said.endswith("lren-tf: unexpected error: RuntimeError: two lines.\n")
        assert files() == earlier


def test_start_that_fails_shows_what_was_said(scene_file, monkeypatch, capfd):
    real = builtins.__import__

    def broken(name, *arguments, **keywords):
        if name == "tensorflow":
            os.write(2, b"a library is missing\n")
            raise ImportError("no TensorFlow")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", broken)
    assert main(["detect", scene_file]) == 1
    said = capfd.readouterr().err
    assert "a library is missing" in said
    assert "lren-tf: unexpected error: ImportError: no TensorFlow" in said
