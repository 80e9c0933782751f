"""A fit: steps and initial weights against references, batches, Keras' callbacks, divergence."""

import csv
import itertools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, TrainingDiverged
from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform
from tests.model.small_models import (
    OTHER,
    PRESETS,
    SCENE,
    SMALL,
    baseline,
    fitted,
    largest,
    reference_gradients,
    trained_weights,
    zscore,
)


class TestTrainingStep:
    # Fewer latent units than the paper keep Γ well conditioned on a scene this small, so
    # that float32 layers and the float64 reference can be compared closely.
    SIZES = types.MappingProxyType({"latent_units": 3, "components": 2})

    def started(self, preset, scene=SCENE, **settings):
        model = LREN(preset, **SMALL, **self.SIZES, **settings)
        model.build((None, scene.bands))
        return model, trained_weights(model)

    @pytest.mark.parametrize("latent", ["linear", "tanh"])
    def test_one_sgd_step_of_the_paper(self, latent):
        rate = 1e-2
        model, before = self.started("paper", learning_rate=rate, latent_activation=latent)
        history = model.fit(SCENE, epochs=1, verbose=0).history
        activation = {"linear": tf.identity, "tanh": tf.tanh}[latent]
        loss, terms, gradients = reference_gradients(
            before, zscore(SCENE.pixels), 1.0, 0.0, latent=activation
        )
        assert history["loss"][0] == pytest.approx(loss, rel=1e-5)
        assert history["reconstruction"][0] == pytest.approx(terms["reconstruction"], rel=1e-5)
        assert history["energy"][0] == pytest.approx(terms["energy"], rel=1e-4)
        assert history["covariance_penalty"] == [0.0]
        for old, new, gradient in zip(before, trained_weights(model), gradients, strict=True):
            # A weight of 0.3 moved by 1e-3 is known to 3e-5 of its move in float32.
            np.testing.assert_allclose(
                (old - new) / rate, gradient, rtol=1e-3, atol=1e-4 * largest(gradients)
            )

    def test_a_step_over_thousands_of_pixels(self):
        # Long batches are worked on in slices of uneven length; the sum must not notice.
        scene = Scene(np.random.default_rng(0).normal(size=(67, 75, 6)) ** 3)
        model, before = self.started("paper", scene, learning_rate=1e-2)
        history = model.fit(scene, epochs=1, verbose=0).history
        loss, _, gradients = reference_gradients(before, zscore(scene.pixels), 1.0, 0.0)
        assert history["loss"][0] == pytest.approx(loss, rel=1e-5)
        for old, new, gradient in zip(before, trained_weights(model), gradients, strict=True):
            np.testing.assert_allclose(
                (old - new) / 1e-2, gradient, rtol=1e-3, atol=1e-4 * largest(gradients)
            )

    @pytest.mark.slow
    def test_the_releases_steps_with_adam_as_tensorflow_1_places_it(self):
        rate, steps = 1e-3, 3
        model, weights = self.started("release", learning_rate=rate)
        history = model.fit(SCENE, epochs=steps, verbose=0).history
        weights = [w.astype(np.float64) for w in weights]
        start = [w.copy() for w in weights]
        m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
        sure = [np.ones(w.shape, bool) for w in weights]
        for t in range(1, steps + 1):
            loss, terms, gradients = reference_gradients(weights, zscore(SCENE.pixels), 0.1, 1e-4)
            assert history["loss"][t - 1] == pytest.approx(loss, rel=1e-4)
            assert history["covariance_penalty"][t - 1] == pytest.approx(
                terms["covariance_penalty"], rel=1e-4
            )
            step = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            for i, g in enumerate(gradients):
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g**2
                weights[i] -= step * m[i] / (np.sqrt(v[i]) + 1e-8)
                # Adam takes the sign of a gradient, which rounding decides near zero.
                sure[i] &= np.abs(g) > 1e-3 * largest(gradients)
        assert np.mean([s.mean() for s in sure]) > 0.5
        for old, new, expected, mask in zip(
            start, trained_weights(model), weights, sure, strict=True
        ):
            np.testing.assert_allclose(
                (new - old)[mask], (expected - old)[mask], rtol=1e-2, atol=1e-2 * rate
            )

    @pytest.mark.slow
    def test_float32_mixture_statistics_stay_near_float64(self):
        losses = [
            LREN("paper", **SMALL, **self.SIZES, mixture_dtype=dtype)
            .fit(SCENE, epochs=1, verbose=0)
            .history["energy"][0]
            for dtype in ("float64", "float32")
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert losses[0] != losses[1]

    @pytest.mark.slow
    def test_training_lowers_the_loss(self):
        history = fitted("release", learning_rate=1e-2, epochs=30).history.history
        assert history["loss"][-1] < 0.5 * history["loss"][0]


class RecordingLREN(LREN):
    """Keeps the bands of every batch it is trained on."""

    def train_step(self, data):
        self.seen.append(np.array(data)[:, : SCENE.bands])
        return super().train_step(data)


def recorded_batches(epochs, **settings):
    model = RecordingLREN("release", **SMALL, **settings)
    model.seen = []
    model.compile(optimizer=keras.optimizers.SGD(1e-5), run_eagerly=True)
    model.fit(SCENE, epochs=epochs, verbose=0)
    return model.seen


@pytest.mark.slow
class TestBatches:
    def test_the_releases_permutation_cut_in_order_the_same_every_epoch(self):
        seen = recorded_batches(2, batch_size=50)
        order = np.arange(132)
        np.random.RandomState(123).shuffle(order)
        pixels = zscore(SCENE.pixels)[order]
        expected = [pixels[:50], pixels[50:100], pixels[100:]] * 2
        assert [len(batch) for batch in seen] == [50, 50, 32] * 2
        for got, batch in zip(seen, expected, strict=True):
            np.testing.assert_allclose(got, batch, rtol=1e-4, atol=1e-5)

    def test_the_paper_takes_all_pixels_in_their_order(self):
        (batch,) = recorded_batches(1, batch_size=None)
        np.testing.assert_allclose(batch, zscore(SCENE.pixels), rtol=1e-4, atol=1e-5)

    def test_the_batch_seed_is_a_setting(self):
        assert not np.allclose(
            recorded_batches(1, batch_size=50, batch_seed=1)[0],
            recorded_batches(1, batch_size=50)[0],
        )

    def test_fit_can_replace_the_batch_size(self):
        a = fitted("release", epochs=2)
        b = LREN("release", **SMALL)
        b.fit(SCENE, epochs=2, batch_size=50, verbose=0)
        assert int(a.optimizer.iterations) == 2
        assert int(b.optimizer.iterations) == 6

    def test_epoch_values_are_means_over_pixels_not_over_batches(self):
        model = LREN("release", **SMALL, batch_size=100)
        model.compile(optimizer=keras.optimizers.SGD(0.0))
        got = model.fit(SCENE, epochs=1, verbose=0).history["reconstruction"][0]
        _, terms, _ = reference_gradients(trained_weights(model), zscore(SCENE.pixels), 0.1, 0.0)
        assert got == pytest.approx(terms["reconstruction"], rel=1e-4)


class TestInitialWeights:
    def test_the_release_starts_from_tensorflow_1s_draws(self):
        model = LREN("release", seed=7, **SMALL)
        model.build((None, 20))
        for name, operation_seed in RELEASE_OPERATION_SEEDS.items():
            layer = getattr(model, name)
            (kernel,), (bias,) = layer.get_weights()
            expected = TF1GlorotUniform(7, operation_seed)(kernel.shape)
            np.testing.assert_array_equal(kernel, expected)
            np.testing.assert_array_equal(bias, np.zeros(kernel.shape[1]))

    @pytest.mark.parametrize("preset", PRESETS)
    def test_the_seed_decides_and_nothing_else(self, preset):
        def weights(seed):
            model = LREN(preset, seed=seed, **SMALL)
            model.build((None, 20))
            return np.concatenate([w.ravel() for w in trained_weights(model)])

        first = weights(1)
        keras.utils.set_random_seed(99)
        np.testing.assert_array_equal(weights(1), first)
        assert not np.array_equal(weights(2), first)

    def test_layers_of_one_shape_start_differently(self):
        model = LREN("paper", hidden_units=9, estimator_units=9, components=9)
        model.build((None, 9))
        kernels = [getattr(model, name).kernel.numpy() for name in RELEASE_OPERATION_SEEDS]
        for one, other in itertools.combinations(kernels, 2):
            assert not np.array_equal(one, other)

    @pytest.mark.slow
    @pytest.mark.parametrize("preset", PRESETS)
    def test_the_same_seed_gives_the_same_bits_after_training(self, preset):
        again, other = (fitted(preset, seed=seed).score(SCENE) for seed in (123, 6))
        np.testing.assert_array_equal(again, baseline(preset))
        assert not np.array_equal(other, baseline(preset))


class TestKerasHabits:
    def fit(self, *callbacks, epochs=3, **settings):
        model = LREN(**SMALL, **settings)
        return model, model.fit(SCENE, epochs=epochs, verbose=0, callbacks=list(callbacks))

    def test_history_holds_every_term_of_every_epoch(self):
        history = self.fit()[1].history
        assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
            ("loss", "reconstruction", "energy", "covariance_penalty"), 3
        )
        total = np.add(history["reconstruction"], history["energy"])
        np.testing.assert_allclose(history["loss"], total, rtol=1e-6)

    @pytest.mark.slow
    def test_trackers_start_anew_every_epoch(self):
        # With a rate too small to move a float32 weight every epoch has the same loss, and
        # a running mean from one fit into the next would show.
        model, history = self.fit(learning_rate=1e-30)
        assert len(set(history.history["loss"])) == 1
        assert {metric.name for metric in model.metrics} == set(history.history)
        model, history = self.fit(learning_rate=1e-2, epochs=4)
        shorter = self.fit(learning_rate=1e-2, epochs=3)[1]
        assert shorter.history["loss"] == history.history["loss"][:3]

    @pytest.mark.slow
    def test_early_stopping_on_the_loss(self):
        stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
        model, history = self.fit(stop, epochs=50)
        assert len(history.epoch) == 2
        assert model.score(SCENE).shape == (12, 11)

    @pytest.mark.slow
    def test_early_stopping_restores_the_best_weights_before_the_dictionary_is_made(self):
        stop = keras.callbacks.EarlyStopping(
            "loss", patience=1, min_delta=1e9, restore_best_weights=True
        )
        model, _ = self.fit(stop, epochs=50, learning_rate=1e-2)
        np.testing.assert_array_equal(
            model.score(SCENE), self.fit(epochs=1, learning_rate=1e-2)[0].score(SCENE)
        )

    @pytest.mark.slow
    def test_csv_logger(self, tmp_path):
        _, history = self.fit(keras.callbacks.CSVLogger(tmp_path / "log.csv"))
        with open(tmp_path / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
        np.testing.assert_allclose(
            [float(row["loss"]) for row in rows], history.history["loss"], rtol=1e-6
        )

    @pytest.mark.slow
    def test_checkpoints_hold_the_weights_and_training_goes_on_from_them(self, tmp_path):
        path = str(tmp_path / "{epoch}.keras")
        model, _ = self.fit(keras.callbacks.ModelCheckpoint(path), epochs=3)
        loaded = keras.models.load_model(tmp_path / "2.keras")
        with pytest.raises(InputError, match="weights of an unfinished training"):
            loaded.score(SCENE)  # the dictionary is made when training ends
        loaded.fit(SCENE, epochs=3, initial_epoch=2, verbose=0)
        np.testing.assert_array_equal(loaded.score(SCENE), model.score(SCENE))

    @pytest.mark.slow
    def test_lambda_callback_and_terminate_on_nan(self):
        seen = []
        self.fit(
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs)))
            ),
            keras.callbacks.TerminateOnNaN(),
        )
        names = ["covariance_penalty", "energy", "loss", "reconstruction"]
        assert seen == [(0, names), (1, names), (2, names)]

    @pytest.mark.slow
    def test_a_compiled_optimizer_is_kept(self):
        model = LREN("paper", **SMALL)
        optimizer = keras.optimizers.SGD(1e-2, momentum=0.9)
        model.compile(optimizer=optimizer)
        model.fit(SCENE, epochs=3, verbose=0)
        assert model.optimizer is optimizer
        assert int(optimizer.iterations) == 3
        assert not np.array_equal(
            model.encoder_hidden.kernel, fitted(learning_rate=1e-2).encoder_hidden.kernel
        )

    def test_the_presets_optimizer_otherwise(self, model):
        expected = {"paper": keras.optimizers.SGD, "release": keras.optimizers.Adam}
        assert type(model.optimizer) is expected[model.preset]

    @pytest.mark.slow
    def test_a_second_fit_goes_on(self):
        model = fitted("release", epochs=2)
        model.fit(SCENE, epochs=2, verbose=0)
        np.testing.assert_array_equal(model.score(SCENE), baseline("release", 4))

    @pytest.mark.slow
    def test_initial_epoch_counts_towards_epochs(self):
        model = LREN(**SMALL)
        assert model.fit(SCENE, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]

    def test_two_messages_of_progress_by_default(self, capsys, caplog):
        caplog.set_level("INFO", "lren_tf")
        LREN("release", **SMALL, device="/CPU:0").fit(SCENE, epochs=2)
        assert capsys.readouterr() == ("", "")
        first, second = caplog.messages
        assert first == "LREN (release), 132 pixels × 20 bands, /CPU:0: 2 epochs"
        assert second.startswith("LREN (release), 132 pixels × 20 bands, /CPU:0: trained in ")

    @pytest.mark.slow
    def test_verbose_0_prints_nothing(self, capsys):
        fitted()
        assert capsys.readouterr().out == ""


class TestDivergence:
    def test_the_message_names_epoch_component_and_remedy_and_weights_stay_finite(self):
        kept = {}
        model = LREN("paper", learning_rate=1e6, **SMALL)
        after_step = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: kept.update(
                {int(model.optimizer.iterations): trained_weights(model)}
            )
        )
        with pytest.raises(TrainingDiverged) as stop:
            model.fit(SCENE, epochs=50, verbose=0, callbacks=[after_step])
        message = str(stop.value)
        steps = int(model.optimizer.iterations)  # a refused step is not counted
        assert steps >= 1
        assert f"in epoch {steps + 1} (" in message
        assert "mixture component" in message
        assert "lower learning_rate" in message
        assert all(np.isfinite(w).all() for w in trained_weights(model))
        for last, now in zip(kept[steps], trained_weights(model), strict=True):
            np.testing.assert_array_equal(now, last)

    @pytest.mark.slow
    def test_the_component_named_is_the_one_that_broke(self):
        # Components 0 to 2 are empty, hence sound; the others share a covariance of rank one
        # so large that the floor is lost in its rounding, and its factor is NaN.
        model = LREN("paper", **SMALL | {"hidden_units": 1})
        model.build((None, 20))
        model.encoder_latent.kernel.assign(1e8 * model.encoder_latent.kernel)
        model.estimator_output.kernel.assign(tf.zeros([1, 8, 7]))
        model.estimator_output.bias.assign([[-1e4] * 3 + [0.0] * 4])
        with pytest.raises(TrainingDiverged, match=r"in epoch 1 \(mixture component 3 to blame"):
            model.fit(SCENE, epochs=2, verbose=0)

    @pytest.mark.slow
    def test_the_optimizers_state_is_kept_too(self):
        model = LREN("release", **SMALL)
        model.fit(SCENE, epochs=2, verbose=0)
        for variable in model.trainable_variables:
            variable.assign(1e30 * variable)
        before = [variable.numpy() for variable in model.optimizer.variables]
        with pytest.raises(TrainingDiverged, match="in epoch 1 "):
            model.fit(SCENE, epochs=2, verbose=0)
        for old, variable in zip(before, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(variable, old)

    @pytest.mark.slow
    def test_a_diverged_model_is_not_fitted_even_if_it_was_before(self):
        # Else score would answer with a dictionary of other weights and another scaler.
        model = fitted()
        assert model.score(SCENE).shape == (12, 11)
        model.optimizer.learning_rate = 1e30
        with pytest.raises(TrainingDiverged):
            model.fit(OTHER, epochs=9, verbose=0)
        with pytest.raises(InputError, match="weights of an unfinished training"):
            model.score(OTHER)

    @pytest.mark.slow
    def test_training_can_be_tried_again(self):
        model = LREN("paper", learning_rate=1e6, **SMALL)
        with pytest.raises(TrainingDiverged):
            model.fit(SCENE, epochs=50, verbose=0)
        again = LREN(**SMALL)
        again.build((None, 20))
        for variable, start in zip(
            model.trainable_variables, again.trainable_variables, strict=True
        ):
            variable.assign(start)
        model.optimizer.learning_rate = 1e-4
        model.fit(SCENE, epochs=1, verbose=0)
        assert np.isfinite(model.score(SCENE)).all()
