"""The model as a whole: its call, and every refusal."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene
from tests.model.small_models import SCENE, SMALL, fitted, forward, trained_weights, zscore


class TestCall:
    @pytest.mark.slow
    def test_the_reconstruction_is_in_the_sensors_units(self):
        # A network wide enough for the bands, trained a little, is near the pixels.
        cube = SCENE.cube.astype(np.float64) * 1000 + 5000
        model = fitted("release", data=cube, epochs=30, learning_rate=1e-2)
        out = model(cube.reshape(-1, 20))
        assert {name: value.shape for name, value in out.items()} == {
            "latent": (132, 9), "reconstruction": (132, 20), "assignments": (132, 7),
        }
        error = out["reconstruction"].numpy() - cube.reshape(-1, 20)
        spread = cube.std(axis=(0, 1))
        assert (np.abs(error.mean(axis=0)) < 0.2 * spread).all()
        assert (error.std(axis=0) < 0.9 * spread).all()
        np.testing.assert_allclose(tf.reduce_sum(out["assignments"], axis=1), 1, rtol=1e-5)

    def test_it_is_the_decoder_with_the_scaling_undone(self, model):
        weights = [tf.constant(w, tf.float64) for w in trained_weights(model)]
        _, x_hat, _ = forward(weights, tf.constant(zscore(SCENE.pixels)))
        expected = x_hat * SCENE.pixels.std(axis=0) + SCENE.pixels.mean(axis=0)
        np.testing.assert_allclose(model(SCENE.pixels)["reconstruction"], expected, atol=1e-4)

    @pytest.mark.slow
    def test_float64_pixels_far_from_zero_keep_their_spread(self):
        # Keras casts arguments to float32 unless told not to: 1e6 + 0.3 would be 1e6 + 0.3125.
        pixels = SCENE.pixels.astype(np.float64)
        near, far = fitted(data=pixels), fitted(data=pixels + 1e6)
        np.testing.assert_allclose(
            far(pixels + 1e6)["latent"], near(pixels)["latent"], atol=1e-4
        )


def with_nan(count=2):
    cube = SCENE.cube.copy()
    cube[3, 4, 5] = np.nan
    if count > 1:
        cube[7, 2, 1] = np.inf
    return cube


class TestRefusals:
    @pytest.mark.parametrize("method", ["score", "decompose"])
    def test_not_fitted(self, method):
        for model in (LREN(**SMALL), LREN("release", **SMALL)):
            with pytest.raises(InputError, match="has not been fitted; call fit, or load"):
                getattr(model, method)(SCENE)

    @pytest.mark.parametrize("name", ["dictionary", "mixture"])
    def test_nothing_to_look_at_before_fit(self, name):
        with pytest.raises(InputError, match="has not been fitted"):
            getattr(LREN(**SMALL), name)

    def test_unknown_preset_setting_and_value(self):
        with pytest.raises(InputError, match="preset 'best' is unknown; expected one of paper"):
            LREN("best")
        with pytest.raises(InputError, match=r"setting 'lamda' is unknown.*Did you mean 'lam'"):
            LREN(lamda=1)
        with pytest.raises(InputError, match="setting 'components' is 0"):
            LREN(components=0)
        with pytest.raises(InputError, match="setting 'seed' is -1"):
            LREN(seed=-1)

    def test_unknown_device(self):
        with pytest.raises(InputError, match="device 'tpu' is unknown"):
            LREN(device="tpu")

    @pytest.mark.skipif(
        bool(tf.config.list_logical_devices("GPU")), reason="this machine has a GPU"
    )
    def test_a_gpu_that_is_not_there(self):
        with pytest.raises(InputError, match="device '/GPU:0' was asked for, but TensorFlow finds"):
            LREN(device="/GPU:0")

    def test_fewer_pixels_than_components(self):
        with pytest.raises(InputError, match=r"6 pixels for 7 mixture comp.*lower components"):
            LREN(**SMALL).fit(SCENE.pixels[:6], epochs=1, verbose=0)
        model = LREN(**SMALL, components=6)
        model.fit(SCENE.pixels[:6], epochs=1, verbose=0)
        assert np.isfinite(model.score(SCENE.pixels[:6])).all()

    @pytest.mark.parametrize("of", ["cube", "scene", "table"])
    def test_nan_with_count_and_first_pixel(self, of):
        cube = with_nan()
        data = {"cube": cube, "scene": Scene(cube), "table": cube.reshape(-1, 20)}[of]
        where = f"sample {3 * 11 + 4}" if of == "table" else "row 3, column 4"
        with pytest.raises(
            InputError, match=f"2 values are NaN or infinite, the first at {where}, band 5"
        ):
            LREN(**SMALL).fit(data, epochs=1, verbose=0)

    def test_nan_at_scoring(self, model):
        with pytest.raises(InputError, match="1 value is NaN or infinite, the first at row 3"):
            model.score(with_nan(1))

    def test_a_constant_cube(self):
        with pytest.raises(InputError, match="all 20 bands are constant"):
            LREN(**SMALL).fit(np.ones((5, 5, 20)), epochs=1, verbose=0)

    @pytest.mark.parametrize("bands", [5, 19, 21])
    def test_another_number_of_bands(self, model, bands):
        data = np.random.default_rng(0).normal(size=(30, bands))
        with pytest.raises(InputError, match=f"data has {bands} bands; the model was fitted on 20"):
            model.score(data)

    def test_another_number_of_bands_at_a_second_fit_leaves_the_model_as_it_was(self, model):
        before = model.score(SCENE)
        with pytest.raises(InputError, match="made for 20 bands, the data has 19 bands; make a"):
            model.fit(SCENE.cube[:, :, :19], epochs=1, verbose=0)
        np.testing.assert_array_equal(model.score(SCENE), before)

    @pytest.mark.parametrize(
        "data",
        [np.ones(5), np.ones((2, 2, 2, 2)), np.ones((0, 4)), np.array([["a", "b"]]),
         np.ones((4, 4), complex), np.ones((4, 4), bool), 3.0, None],
        ids=lambda data: f"{np.shape(data)}-{np.asarray(data).dtype}",
    )
    def test_data_that_is_no_scene(self, data):
        with pytest.raises(InputError, match="expected numbers as samples × bands or rows"):
            LREN(**SMALL).fit(data, epochs=1, verbose=0)

    def test_a_dataset_of_tensorflow(self):
        data = tf.data.Dataset.from_tensor_slices(np.ones((6, 4), np.float32)).batch(2)
        with pytest.raises(InputError, match=r"of type _BatchDataset; .* as one array"):
            LREN(**SMALL).fit(data, epochs=1, verbose=0)

    def test_key_without_a_file(self):
        with pytest.raises(InputError, match="key='data' was given with an array"):
            LREN(**SMALL).fit(SCENE, key="data", epochs=1, verbose=0)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.mat"):
            LREN(**SMALL).fit(tmp_path / "none.mat", epochs=1, verbose=0)

    @pytest.mark.parametrize(
        ("argument", "value"),
        [("epochs", 0), ("epochs", -1), ("epochs", "3"), ("epochs", 2.5),
         ("batch_size", 0), ("batch_size", -1), ("batch_size", 2.5)],
    )
    def test_arguments_of_fit_are_checked_as_settings(self, argument, value):
        # −1 used to train nothing and to leave a model that scored.
        with pytest.raises(InputError, match=f"setting '{argument}' is {value!r}"):
            LREN(**SMALL).fit(SCENE, **{"epochs": 1, argument: value}, verbose=0)

    @pytest.mark.parametrize("initial", [-1, 3, 7])
    def test_an_initial_epoch_that_leaves_nothing_to_train(self, initial):
        with pytest.raises(InputError, match=f"initial_epoch is {initial} of 3 epochs"):
            LREN(**SMALL).fit(SCENE, epochs=3, initial_epoch=initial, verbose=0)
