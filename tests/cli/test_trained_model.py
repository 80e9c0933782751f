"""``lren-tf export`` and ``lren-tf detect --apply``."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from lren_tf import LREN, datasets, metrics
from lren_tf.cli import main
from lren_tf.errors import InputError
from tests.cli.common import SCENE, SMALL_SETTINGS, files, mat, report

OTHER = datasets.simulate(9, 14, 8, seed=5)


@pytest.fixture(scope="module")
def trained(trained_models, tmp_path_factory):
    """A trained model, its ``.keras`` file and its SavedModel."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(trained_models / "release.keras", folder / "model.keras")
    model = keras.models.load_model(folder / "model.keras")
    model.export(folder / "saved")
    return model, folder


@pytest.fixture
def models(trained):
    """Both in the test's folder."""
    model, folder = trained
    shutil.copytree(folder, ".", dirs_exist_ok=True)
    np.savez("other.npz", cube=OTHER.cube, truth=OTHER.truth)
    return model


class TestExport:
    def test_what_is_written_scores(self, models, capsys):
        import tensorflow as tf

        assert main(["export", "model.keras", "new/folder"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines() == [
            "endpoints: score of pixels [N, 8]; encode, reconstruct, responsibilities of [N, 8]",
            "SavedModel: new/folder",
        ]
        pixels = OTHER.pixels.astype(np.float32)
        served = tf.saved_model.load("new/folder")
        np.testing.assert_allclose(served.score(pixels), models.score(pixels), rtol=1e-5)

    def test_refusals(self, models, refused):
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save("other.keras")
        fresh = LREN("paper", **SMALL_SETTINGS)
        fresh.build((None, 8))
        fresh.save("fresh.keras")
        Path("text.keras").write_text("not a model")
        Path("thesis").mkdir()
        Path("thesis/text").touch()
        assert "nowhere.keras does not exist" in refused("export", "nowhere.keras", "new")
        assert "text.keras cannot be read as a model" in refused("export", "text.keras", "new")
        assert "other.keras holds a Sequential" in refused("export", "other.keras", "new")
        assert "has not been fitted" in refused("export", "fresh.keras", "new")
        assert "thesis is not empty" in refused("export", "model.keras", "thesis")
        assert "text is a file" in refused("export", "model.keras", "thesis/text")


class TestApply:
    def test_a_model_scores_another_scene(self, models, capsys):
        arguments = ["detect", "other.npz", "--apply", "model.keras", "--device", "/CPU:0"]
        assert main([*arguments, "--out", "out"]) == 0
        score = np.load("out/other_score.npy")
        np.testing.assert_array_equal(score, models.score(OTHER))
        told = report("out/other_report.json")
        assert told["detector"] == "lren" and told["model"] == "model.keras"
        assert told["scene"]["shape"] == [9, 14, 8]
        assert told["preset"] == "release"
        assert told["settings"] == models.settings.as_dict()
        assert told["solver"]["iterations"] == models.decompose(OTHER).iterations
        assert told["metrics"] == metrics.evaluate(score, OTHER.truth)
        assert "training" not in told and "dictionary" not in told
        out, err = capsys.readouterr()
        # It is another scene by another draw of materials.
        assert err.startswith("lren-tf: note: other: the background has drifted")
        assert err.count("\n") == 1 and told["notices"] == [err[len("lren-tf: note: ") : -1]]
        assert out.splitlines()[0].startswith("other: 9 × 14 pixels")
        assert out.splitlines()[1].startswith("LREN (release) of model.keras: ")
        assert "epochs" not in out

    def test_with_another_lam(self, models):
        assert main(["detect", "other.npz", "--apply", "model.keras", "--lam", "0.3"]) == 0
        np.testing.assert_array_equal(np.load("other_score.npy"), models.score(OTHER, lam=0.3))
        assert report("other_report.json")["settings"]["lam"] == 0.3

    def test_a_saved_model(self, models):
        assert main(["detect", "other.npz", "--apply", "saved"]) == 0
        np.testing.assert_allclose(np.load("other_score.npy"), models.score(OTHER), rtol=1e-5)
        told = report("other_report.json")
        assert told["model"] == "saved"
        assert told["metrics"] is not None

    @pytest.mark.parametrize("model", ["model.keras", "saved"])
    def test_bands_that_the_model_uses_and_the_scene_leaves_out(self, model, models, capsys):
        mat("same.mat", data=SCENE.cube)
        assert main(["detect", "same.mat", "--apply", model, "--bands", "0-4,7"]) == 0
        said = "same leaves out bands 5-6, but the model was fitted on them, and their values enter"
        assert said in capsys.readouterr().err
        (notice,) = report("same_report.json")["notices"]
        assert notice.startswith(said)
        score = np.load("same_score.npy")
        np.testing.assert_allclose(score, models.score(SCENE), rtol=1e-5)

    @pytest.mark.parametrize("model", ["model.keras", "saved"])
    def test_another_number_of_bands(self, model, models, refused):
        mat("narrow.mat", data=SCENE.cube[:, :, :5])
        message = refused("detect", "narrow.mat", "--apply", model)
        assert "the data has 5 bands; the model was fitted on 8: pass a scene of the" in message

    @pytest.mark.parametrize("model", ["model.keras", "saved"])
    def test_pixels_without_data(self, model, models, capsys):
        cube = SCENE.cube.copy()
        cube[3, 4, 2] = np.nan
        cube[7] = np.inf
        mat("gaps.mat", data=cube)
        assert main(["detect", "gaps.mat", "--apply", model, "--device", "/CPU:0"]) == 0
        assert capsys.readouterr().err == (
            "lren-tf: note: gaps: 1 pixel is left out because some of the bands hold no data there "
            "(NaN, infinity or the no-data value).\n"
        )
        valid = np.isfinite(cube).all(axis=2)
        score = np.load("gaps_score.npy")
        np.testing.assert_array_equal(np.isnan(score), ~valid)
        np.testing.assert_allclose(score[valid], models.score(SCENE.cube[valid]), rtol=1e-5)
        assert len(report("gaps_report.json")["notices"]) == 1

    def test_pixels_without_data_in_what_scores_images(
        self, models, trained_models, refused, capsys
    ):
        shutil.copy(trained_models / "robust.keras", ".")
        model = keras.models.load_model("robust.keras")
        model.export("images")
        assert main(["detect", "other.npz", "--apply", "images", "--evidence"]) == 0
        expected = model.score(OTHER)
        np.testing.assert_allclose(
            np.load("other_score.npy"), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )
        for name, values in model.evidence(OTHER).items():
            np.testing.assert_allclose(np.load(f"other_evidence_{name}.npy"), values, atol=1e-4)
        mask = np.ones(OTHER.shape[:2])
        mask[2, 3] = 0
        np.save("mask.npy", mask)
        capsys.readouterr()
        arguments = ["detect", "other.npz", "--mask", "mask.npy", "--out", "masked", "--apply"]
        message = refused(*arguments, "images")
        assert message == (
            "lren-tf: other has 1 pixel without data, and the SavedModel images scores whole "
            "images; expected data in every pixel, pass the .keras file of the model, which leaves "
            "such pixels out.\n"
        )
        assert main([*arguments, "robust.keras"]) == 0
        capsys.readouterr()
        message = refused("detect", "other.npz", "--apply", "images", "--recalibrate")
        assert "whose calibration is fixed" in message
        assert np.argwhere(np.isnan(np.load("masked/other_score.npy"))).tolist() == [[2, 3]]

    def test_a_band_without_data_is_refused_by_a_saved_model(self, models, refused):
        cube = SCENE.cube.copy()
        cube[:, :, 2] = np.nan
        np.savez("band.npz", cube=cube)
        message = refused("detect", "band.npz", "--apply", "saved", notes=1)
        assert "120 values are NaN or infinite, the first at row 0, column 0, band 2" in message

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--preset", "paper"], ["--seed", "1"], ["--epochs", "5"], ["--set", "hidden_units=9"],
            ["--save-model", "new.keras"], ["--resume", "run"], ["--log", "log.csv"],
            ["--tensorboard", "board"], ["--checkpoint-every", "5"],
        ],
    )  # fmt: skip
    def test_options_of_the_training_are_refused(self, arguments, models, refused):
        message = refused("detect", "other.npz", "--apply", "model.keras", *arguments)
        assert message.startswith(f"lren-tf: {arguments[0]} was given with --apply; expected no")

    def test_refusals(self, models, refused):
        Path("folder").mkdir()
        said = {
            "nowhere": "nowhere does not exist; expected a trained model",
            "folder": "folder is a folder without a SavedModel",
            "other.npz": "other.npz cannot be read as a model",
        }
        for model, part in said.items():
            assert part in refused("detect", "other.npz", "--apply", model)
        assert "whose λ is fixed" in refused(
            "detect", "other.npz", "--apply", "saved", "--lam", "1"
        )
        assert "setting 'lam' is 0.0" in refused(
            "detect", "other.npz", "--apply", "model.keras", "--lam", "0"
        )
        assert "nowhere.mat does not exist" in refused(
            "detect", "nowhere.mat", "--apply", "model.keras"
        )
        message = refused("detect", "other.npz", "--detector", "rx", "--apply", "model.keras")
        assert "--apply was given with the detector 'rx'" in message

    def test_a_saved_model_of_something_else(self, models, refused):
        network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
        network.export("network", verbose=False)
        message = refused("detect", "other.npz", "--apply", "network")
        assert "network is a SavedModel without the endpoint 'score' of pixels" in message

    def test_the_model_stays_as_it_was(self, models):
        before = files()
        assert main(["detect", "other.npz", "--apply", "model.keras", "--out", "out"]) == 0
        after = files()
        assert {name: after[name] for name in before} == before


@pytest.fixture(scope="module")
def remembered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remembered")
    scene = dataclasses.replace(SCENE, wavelengths=np.linspace(400.0, 750.0, 8))
    model = LREN("release", **{**SMALL_SETTINGS, "epochs": 1})
    model.fit(scene, verbose=0)
    model.save(folder / "model.keras")
    model.export(folder / "saved")
    return model, folder


class TestAnotherSensor:
    """What a model remembers of its scene, in both forms."""

    def scene(self, wavelengths, factor=1.0):
        np.savez("s.npz", data=SCENE.cube * factor, wavelength=wavelengths)
        return "s.npz"

    @pytest.mark.parametrize("form", ["model.keras", "saved"])
    def test_on_the_command_line(self, remembered, form, refused, capsys):
        model = str(remembered[1] / form)
        run = ("--apply", model, "--out", "out")
        assert main(["detect", self.scene(np.linspace(403.0, 753.0, 8)), *run]) == 0
        assert "drifted" not in capsys.readouterr().err
        said = refused("detect", self.scene(np.linspace(900.0, 2500.0, 8)), *run)
        assert "s is of another sensor: its band 7 lies at 2500.0 nm and that of the model" in said
        assert main(["detect", self.scene(np.linspace(400.0, 750.0, 8), 1000.0), *run]) == 0
        assert "the background has drifted from that of the model" in capsys.readouterr().err

    def test_in_python(self, remembered):
        model, folder = remembered
        other = dataclasses.replace(SCENE, wavelengths=np.linspace(900.0, 2500.0, 8))
        for one in (model, keras.models.load_model(folder / "model.keras")):
            assert one.sensor == model.sensor and len(one.sensor.wavelengths) == 8
            one.score(SCENE)  # says no wavelengths
            with pytest.raises(InputError, match="is of another sensor"):
                one.score(other)
