"""Weights without a model: those of an unfinished training, and those of some of the bands."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene
from lren_tf.model.endpoints import endpoints_of
from tests.model.small_models import OTHER, SCENE, SMALL


def with_bands(scene, bad=np.nan):
    cube = np.insert(scene.cube, 7, bad, axis=2)
    cube = np.insert(cube, 0, 0.5, axis=2)
    return Scene(cube, truth=scene.truth, good_bands=np.arange(22) != 8)


DATA, SHIFTED = with_bands(SCENE), with_bands(OTHER, np.inf)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def model(folder):
    """A model fitted in two epochs, at whose ends weights and model were written."""
    model = LREN("release", **SMALL)
    written = [
        keras.callbacks.ModelCheckpoint(folder / name, save_weights_only="weights" in name)
        for name in ("epoch{epoch}.weights.h5", "epoch{epoch}.keras")
    ]
    with pytest.warns(UserWarning, match="1 constant bands are dropped: 0"):
        model.fit(DATA, epochs=2, verbose=0, callbacks=written)
    model.save_weights(folder / "fitted.weights.h5")
    return model


def new(**settings):
    return LREN("release", seed=77, **{**SMALL, **settings})


class TestRebuild:
    def test_weights_written_during_fit_score_after_it(self, model, folder):
        expected = model.score(DATA)
        other = new()
        other.load_weights(folder / "epoch2.weights.h5")
        for refused in (other.score, other.decompose):
            with pytest.raises(InputError, match=r"unfinished training.*call rebuild\(scene\)"):
                refused(DATA)
        other.rebuild(DATA)
        np.testing.assert_array_equal(other.score(DATA), expected)
        assert other.dictionary.pixels.tolist() == model.dictionary.pixels.tolist()
        # Of an earlier epoch they differ, and of another scene the dictionary is its own.
        other.load_weights(folder / "epoch1.weights.h5")
        other.rebuild(DATA)
        assert not np.array_equal(other.score(DATA), expected)
        other.rebuild(SHIFTED)
        assert np.isfinite(other.score(SHIFTED)).all()

    @pytest.mark.slow
    def test_so_does_a_whole_model_written_during_fit(self, model, folder):
        loaded = keras.models.load_model(folder / "epoch2.keras")
        with pytest.raises(InputError, match=r"call rebuild\(scene\)"):
            _ = loaded.dictionary
        loaded.rebuild(DATA)
        np.testing.assert_array_equal(loaded.score(DATA), model.score(DATA))

    @pytest.mark.slow
    def test_and_a_fitted_model_that_loads_them(self, model, folder):
        other = new()
        other.load_weights(folder / "fitted.weights.h5")
        np.testing.assert_array_equal(other.score(DATA), model.score(DATA))
        other.load_weights(folder / "epoch2.weights.h5")
        with pytest.raises(InputError, match=r"call rebuild\(scene\)"):
            other.score(DATA)
        other.rebuild(DATA)
        np.testing.assert_array_equal(other.score(DATA), model.score(DATA))

    @pytest.mark.long
    def test_all_members_background_and_calibration_of_robust(self, tmp_path):
        settings = {**SMALL, "members": 2, "components": 3}
        robust = LREN("robust", **settings)
        scores = []

        def look(epoch, logs):
            robust.rebuild(SCENE)
            scores.append(robust.score(SCENE))

        write = keras.callbacks.ModelCheckpoint(
            tmp_path / "last.weights.h5", save_weights_only=True
        )
        looking = keras.callbacks.LambdaCallback(on_epoch_end=look)
        robust.fit(SCENE, epochs=2, verbose=0, callbacks=[write, looking])
        # A callback sees the scores of every epoch.
        assert not np.array_equal(*scores)
        np.testing.assert_array_equal(scores[1], robust.score(SCENE))
        other = LREN("robust", seed=5, **settings)
        other.load_weights(tmp_path / "last.weights.h5")
        other.rebuild(SCENE)
        np.testing.assert_array_equal(other.score(SCENE), robust.score(SCENE))
        np.testing.assert_array_equal(other.member_scores(SCENE), robust.member_scores(SCENE))

    def test_what_cannot_be_rebuilt_is_refused(self, model, folder):
        unbuilt, built = new(), new()
        built.build((None, 22))
        for untrained in (unbuilt, built):
            with pytest.raises(InputError, match="has not been fitted"):
                untrained.rebuild(DATA)
        other = new()
        other.load_weights(folder / "epoch2.weights.h5")
        with pytest.raises(InputError, match="the data has 20 bands; the model was fitted on 22"):
            other.rebuild(SCENE)
        with pytest.raises(InputError, match="3 pixels for 7 mixture components"):
            other.rebuild(DATA.cube[:1, :3])


class TestBands:
    def test_the_file_says_which_are_used(self, model, folder):
        built, unbuilt = new(), new()
        built.build((None, 22))
        for other in (built, unbuilt):
            other.load_weights(folder / "fitted.weights.h5")
            assert other.encoder_hidden.kernel.shape[-2:] == (20, 16)
            assert len(other.weights) == len(model.weights)
            np.testing.assert_array_equal(other.score(DATA), model.score(DATA))
        # Layers of `build` are gone, and the training goes on with the others.
        assert len(built.layers) == len(model.layers)
        assert len(built.trainable_variables) == len(model.trainable_variables)

    @pytest.mark.long
    def test_a_model_with_such_weights_can_be_trained_and_saved(self, model, folder, tmp_path):
        other = new()
        other.build((None, 22))
        other.load_weights(folder / "fitted.weights.h5")
        with pytest.warns(UserWarning, match="constant bands are dropped"):
            other.fit(DATA, epochs=1, verbose=0)
        other.save(tmp_path / "other.keras")
        loaded = keras.models.load_model(tmp_path / "other.keras")
        np.testing.assert_array_equal(loaded.score(DATA), other.score(DATA))

    def test_weights_of_another_model_are_refused(self, model, folder):
        for other, bands in ((new(), 20), (new(hidden_units=5), None)):
            if bands is not None:
                other.build((None, bands))
            with pytest.raises(InputError, match=r"fitted\.weights\.h5 cannot be loaded into this"):
                other.load_weights(folder / "fitted.weights.h5")
        with pytest.raises(InputError, match=r"scene\.mat cannot be loaded into this model"):
            new().load_weights("scene.mat")
        missing = new()
        with pytest.raises(OSError, match=r"nothing\.weights\.h5"):
            missing.load_weights(folder / "nothing.weights.h5")
        assert not missing.built


class TestBandsThatAreNotUsed:
    """They may hold anything where a model scores, and in what it exports."""

    @pytest.mark.parametrize(
        "value", [np.nan, *(pytest.param(v, marks=pytest.mark.long) for v in (np.inf, -1e300))]
    )
    def test_the_exported_functions_take_what_score_takes(self, model, value):
        cube = DATA.cube.copy()
        with np.errstate(over="ignore"):
            cube[..., 8] = value
            cube[::2, :, 0] = value  # the constant band, which fit dropped
        pixels = tf.constant(cube.reshape(-1, 22))
        expected = model.score(cube).reshape(-1)
        np.testing.assert_array_equal(expected, model.score(DATA).reshape(-1))
        endpoints = endpoints_of(
            model.call, model._scoring(), model.settings, 22, model._used_bands()
        )
        found = endpoints["score"].function(pixels)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        for name in ("encode", "reconstruct", "responsibilities"):
            assert np.isfinite(endpoints[name].function(pixels)).all(), name

    def test_the_others_may_not(self, model):
        endpoints = endpoints_of(
            model.call, model._scoring(), model.settings, 22, model._used_bands()
        )
        for band in (1, 7, 9, 21):
            cube = DATA.cube.copy()
            cube[3, 4, band] = np.nan
            with pytest.raises(tf.errors.InvalidArgumentError, match="hold NaN or infinity"):
                endpoints["score"].function(tf.constant(cube.reshape(-1, 22)))
            with pytest.raises(InputError, match=f"row 3, column 4, band {band}"):
                model.score(cube)

    @pytest.mark.long
    def test_a_saved_model_on_disk_and_the_command_that_applies_it(self, model, folder):
        from lren_tf.cli.trained_model import Applied

        model.export(folder / "served")
        applied = Applied(str(folder / "served"), "/CPU:0", None)
        score, _, _ = applied.score(DATA)
        np.testing.assert_allclose(score, model.score(DATA), rtol=1e-3, atol=1e-5)
        cube = DATA.cube.copy()
        cube[3, 4, 9] = np.nan
        for data in (Scene(cube, good_bands=DATA.good_bands), Scene(cube)):
            with pytest.raises(InputError, match="NaN or infinite, the first at row"):
                applied.score(data)
