"""State beyond the network: bands left out, and models that are saved and loaded."""

import keras
import numpy as np
import pytest

from lren_tf import LREN, InputError
from tests.model.small_models import PRESETS, SCENE, SMALL, baseline, fitted, trained_weights


class TestConstantBands:
    PIXELS = np.insert(SCENE.pixels, [0, 7], [5.0, -2.0], axis=1)  # at 0 and 8
    WARNING = "2 constant bands are dropped: 0, 8"

    @pytest.mark.slow
    def test_they_are_dropped_with_a_warning_and_change_nothing(self):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted(data=self.PIXELS)
        assert model.encoder_hidden.kernel.shape == (1, 20, 16)
        np.testing.assert_array_equal(
            model.score(self.PIXELS), baseline().ravel()
        )

    @pytest.mark.slow
    def test_their_reconstruction_is_their_constant(self):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted("release", data=self.PIXELS)
        reconstruction = model(self.PIXELS)["reconstruction"].numpy()
        assert reconstruction.shape == (132, 22)
        np.testing.assert_allclose(reconstruction[:, [0, 8]], [[5.0, -2.0]] * 132, rtol=1e-5)

    @pytest.mark.slow
    def test_a_saved_model_keeps_them_apart(self, tmp_path):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted(data=self.PIXELS)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.score(self.PIXELS), model.score(self.PIXELS))

    def test_a_scene_with_other_constant_bands_is_refused(self):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted(data=self.PIXELS)
        with pytest.raises(InputError, match="made for 22 bands of which 20 vary, the data has "):
            model.fit(np.insert(SCENE.pixels, [1, 2], 1.0, axis=1), epochs=1, verbose=0)

    @pytest.mark.slow
    def test_a_long_list_is_cut(self):
        pixels = np.concatenate([SCENE.pixels, np.zeros((132, 15))], axis=1)
        with pytest.warns(UserWarning, match=r"15 constant bands are dropped: 20, .*29 …\."):
            fitted(data=pixels)

    @pytest.mark.slow
    def test_a_varying_scene_gives_no_warning(self, recwarn):
        fitted()
        assert not [w for w in recwarn if "constant" in str(w.message)]


class TestFiles:
    def test_a_loaded_model_scores_bit_for_bit(self, model, tmp_path):
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert isinstance(loaded, LREN)
        assert loaded.settings == model.settings
        assert loaded.preset == model.preset
        np.testing.assert_array_equal(loaded.score(SCENE), model.score(SCENE))
        np.testing.assert_array_equal(loaded.mixture.Gamma, model.mixture.Gamma)
        assert loaded.dictionary.pixels.tolist() == model.dictionary.pixels.tolist()

    @pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m"])
    def test_a_format_that_could_not_be_read_again(self, name, tmp_path):
        for path in (tmp_path / name, str(tmp_path / name)):
            with pytest.raises(InputError, match=r"expected a name that ends in \.keras"):
                LREN("release", **SMALL).save(path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.slow
    def test_weights_travel_alone(self, model, tmp_path):
        model.save_weights(tmp_path / "model.weights.h5")
        other = LREN(model.preset, seed=77, **SMALL)
        other.build((None, 20))
        other.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(other.score(SCENE), model.score(SCENE))

    @pytest.mark.slow
    @pytest.mark.parametrize("preset", PRESETS)
    def test_training_goes_on_after_loading_as_if_it_had_not_stopped(self, preset, tmp_path):
        stopped = fitted(preset, epochs=2)
        stopped.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        history = loaded.fit(SCENE, epochs=4, initial_epoch=2, verbose=0)
        assert history.epoch == [2, 3]
        np.testing.assert_array_equal(loaded.score(SCENE), baseline(preset, 4))

    def test_the_configuration_is_the_whole_model(self):
        model = LREN("release", seed=9, lam=0.5, name="mine", **SMALL)
        again = LREN.from_config(model.get_config())
        assert again.get_config() == model.get_config()
        assert (again.settings, again.preset, again.name) == (model.settings, "release", "mine")

    def test_a_model_saved_before_fit_is_still_not_fitted(self, tmp_path):
        model = LREN(**SMALL)
        model.build((None, 20))
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        with pytest.raises(InputError, match="has not been fitted"):
            loaded.score(SCENE)
        for one, other in zip(trained_weights(model), trained_weights(loaded), strict=True):
            np.testing.assert_array_equal(one, other)
