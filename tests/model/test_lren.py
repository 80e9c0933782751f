"""LREN end to end on small simulated scenes: steps, results, files, callbacks, refusals.

The networks are narrow, so that a fit takes about a second, most of it tracing. What is
published is in test_presets; what is computed is checked here against plain references.
"""

import csv
import functools
import itertools
import types

import keras
import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, TrainingDiverged, solve_low_rank
from lren_tf.datasets import simulate
from lren_tf.latent.dictionary import centroid_and_farthest, extreme_assignments
from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform

SMALL = {"hidden_units": 16, "estimator_units": 8}
PRESETS = ("paper", "release")
SCENE = simulate(12, 11, 20, seed=1)
OTHER = simulate(12, 11, 20, seed=2)


def fitted(preset="paper", data=SCENE, epochs=3, **settings):
    model = LREN(preset, **SMALL, **settings)
    model.fit(data, epochs=epochs, verbose=0)
    return model


@functools.cache
def baseline(preset="paper", epochs=3):
    """Scores of a plain fit, for tests that arrive at the same model another way."""
    return fitted(preset, epochs=epochs).score(SCENE)


@pytest.fixture(scope="module", params=PRESETS)
def model(request):
    """A fitted model that tests only read."""
    return fitted(request.param)


def trained_weights(model):
    return [variable.numpy() for variable in model.trainable_variables]


def zscore(pixels):
    pixels = np.asarray(pixels, np.float64)
    return (pixels - pixels.mean(axis=0)) / pixels.std(axis=0)


# --- a plain reference in float64 --------------------------------------------------------


def layers(weights):
    """Kernels and biases by layer, in the order the paper lists the networks."""
    pairs = zip(weights[::2], weights[1::2], strict=True)
    return dict(zip(RELEASE_OPERATION_SEEDS, pairs, strict=True))


def forward(weights, x, latent=tf.identity):
    by_name = layers(weights)

    def dense(name, h):
        kernel, bias = by_name[name]
        return tf.matmul(h, kernel) + bias

    z = latent(dense("encoder_latent", tf.tanh(dense("encoder_hidden", x))))
    x_hat = dense("decoder_output", tf.tanh(dense("decoder_hidden", z)))
    beta = tf.nn.softmax(dense("estimator_output", tf.tanh(dense("estimator_hidden", z))))
    return z, x_hat, beta


def reference_loss(weights, x, energy_weight, penalty_weight, floor=1e-6, latent=tf.identity):
    """Eqs. (2), (5), (8)-(11), with explicit inverses and determinants."""
    z, x_hat, beta = forward(weights, x, latent)
    reconstruction = tf.reduce_mean(tf.reduce_sum((x - x_hat) ** 2, axis=1))
    mass = tf.reduce_sum(beta, axis=0)
    mu = tf.einsum("nk,nl->kl", beta, z) / mass[:, None]
    d = z[:, None, :] - mu[None]
    Gamma = tf.einsum("nk,nki,nkj->kij", beta, d, d) / mass[:, None, None]
    floored = Gamma + floor * tf.eye(z.shape[1], dtype=z.dtype)
    distances = tf.einsum("nki,kij,nkj->nk", d, tf.linalg.inv(floored), d)
    density = mass / len(x) / tf.sqrt(tf.linalg.det(2 * np.pi * floored))
    energy = tf.reduce_mean(-tf.math.log(tf.reduce_sum(density * tf.exp(-distances / 2), axis=1)))
    penalty = tf.reduce_sum(1 / tf.linalg.diag_part(Gamma))
    terms = {"reconstruction": reconstruction, "energy": energy, "covariance_penalty": penalty}
    return reconstruction + energy_weight * energy + penalty_weight * penalty, terms


def reference_gradients(weights, x, *arguments, **options):
    variables = [tf.Variable(w, dtype=tf.float64) for w in weights]
    with tf.GradientTape() as tape:
        loss, terms = reference_loss(variables, tf.constant(x), *arguments, **options)
    gradients = [g.numpy() for g in tape.gradient(loss, variables)]
    return float(loss), {name: float(term) for name, term in terms.items()}, gradients


def largest(arrays):
    return max(np.abs(array).max() for array in arrays)


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

    def test_float32_mixture_statistics_stay_near_float64(self):
        losses = [
            LREN("paper", **SMALL, **self.SIZES, mixture_dtype=dtype)
            .fit(SCENE, epochs=1, verbose=0)
            .history["energy"][0]
            for dtype in ("float64", "float32")
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert losses[0] != losses[1]

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
            expected = TF1GlorotUniform(7, operation_seed)(layer.kernel.shape)
            np.testing.assert_array_equal(layer.kernel, expected)
            np.testing.assert_array_equal(layer.bias, np.zeros(layer.units))

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

    @pytest.mark.parametrize("preset", PRESETS)
    def test_the_same_seed_gives_the_same_bits_after_training(self, preset):
        again, other = (fitted(preset, seed=seed).score(SCENE) for seed in (123, 6))
        np.testing.assert_array_equal(again, baseline(preset))
        assert not np.array_equal(other, baseline(preset))


class TestInputs:
    @pytest.fixture
    def expected(self):
        return baseline()

    def test_a_scene_gives_a_map(self, expected):
        assert expected.shape == (12, 11)
        assert expected.dtype == np.float32
        assert np.isfinite(expected).all()
        assert expected.std() > 0

    def test_a_cube(self, expected):
        np.testing.assert_array_equal(fitted(data=SCENE.cube).score(SCENE.cube), expected)

    def test_a_table_gives_one_score_per_sample(self, expected):
        scores = fitted(data=SCENE.pixels).score(SCENE.pixels)
        assert scores.shape == (132,)
        np.testing.assert_array_equal(scores.reshape(12, 11), expected)

    def test_the_path_of_a_matlab_file(self, tmp_path, expected):
        path = tmp_path / "scene.mat"
        scipy.io.savemat(path, {"data": SCENE.cube, "map": SCENE.truth.astype(np.uint8)})
        np.testing.assert_array_equal(fitted(data=str(path)).score(path), expected)

    def test_key_chooses_the_variable(self, tmp_path, expected):
        path = tmp_path / "scene.mat"
        scipy.io.savemat(path, {"one": OTHER.cube, "two": SCENE.cube})
        model = LREN(**SMALL)
        model.fit(path, key="two", epochs=3, verbose=0)
        np.testing.assert_array_equal(model.score(path, key="two"), expected)
        assert model.decompose(path, key="two").A.shape == (132, 9)

    def test_integers_are_numbers(self):
        cube = np.round(SCENE.cube * 1000).astype(np.uint16)
        np.testing.assert_array_equal(
            fitted(data=cube).score(cube), fitted(data=cube.astype(float)).score(cube)
        )

    def test_another_scene_of_the_sensor_can_be_scored(self, model):
        part = model.score(SCENE.cube[:5])
        assert part.shape == (5, 11)

    def test_the_input_is_left_alone(self):
        cube = SCENE.cube.copy()
        fitted(data=cube).score(cube)
        np.testing.assert_array_equal(cube, SCENE.cube)


class TestResults:
    def latent(self, model):
        return model(SCENE.pixels)["latent"].numpy()

    def test_the_latent_is_the_network_on_standardised_pixels(self, model):
        z, _, beta = forward(
            [tf.constant(w, tf.float64) for w in trained_weights(model)],
            tf.constant(zscore(SCENE.pixels)),
        )
        np.testing.assert_allclose(self.latent(model), z, atol=1e-4)
        np.testing.assert_allclose(model(SCENE.pixels)["assignments"], beta, atol=1e-4)

    def test_the_mixture_is_that_of_all_pixels_after_training(self, model):
        out = {name: value.numpy().astype(float) for name, value in model(SCENE.pixels).items()}
        z, beta = out["latent"], out["assignments"]
        mass = beta.sum(axis=0)
        mu = beta.T @ z / mass[:, None]
        np.testing.assert_allclose(model.mixture.phi, mass / 132, rtol=1e-4)
        np.testing.assert_allclose(model.mixture.mu, mu, atol=1e-4)
        for k in range(7):
            Gamma = (beta[:, k, None] * (z - mu[k])).T @ (z - mu[k]) / mass[k]
            np.testing.assert_allclose(model.mixture.Gamma[k], Gamma, atol=1e-4)
        assert model.mixture.alive.all()

    def test_the_dictionary_follows_the_presets_rule(self, model):
        out = {name: value.numpy() for name, value in model(SCENE.pixels).items()}
        if model.preset == "paper":
            expected = centroid_and_farthest(
                out["latent"], out["assignments"], model.mixture.mu
            )
        else:
            expected = extreme_assignments(out["latent"], out["assignments"])
        assert model.dictionary.components.tolist() == expected.components.tolist()
        assert model.dictionary.pixels.tolist() == expected.pixels.tolist()
        np.testing.assert_allclose(model.dictionary.atoms, expected.atoms, atol=1e-5)

    def test_the_score_is_the_norm_of_the_residual(self, model):
        z, atoms = self.latent(model), model.dictionary.atoms
        order = {"paper": "JWA", "release": "JAW"}[model.preset]
        result = solve_low_rank(z, atoms, 1e-2, order=order)
        norm = {"paper": 1, "release": 2}[model.preset]
        expected = np.linalg.norm(result.A, ord=norm, axis=1)
        np.testing.assert_allclose(model.score(SCENE).ravel(), expected, rtol=1e-3, atol=1e-4)

    def test_decompose_gives_what_the_score_is_made_of(self, model):
        result = model.decompose(SCENE)
        norm = {"paper": 1, "release": 2}[model.preset]
        np.testing.assert_allclose(
            np.linalg.norm(result.A, ord=norm, axis=1), model.score(SCENE).ravel(), rtol=1e-6
        )
        assert result.W.shape == (132, 14)
        used = len(model.dictionary.atoms)
        np.testing.assert_allclose(
            result.W[:, :used] @ model.dictionary.atoms + result.A, self.latent(model), atol=1e-5
        )

    def test_lambda_can_be_replaced_per_call(self, model):
        np.testing.assert_array_equal(model.score(SCENE, lam=1e-2), model.score(SCENE))
        assert model.score(SCENE, lam=10.0).sum() < 0.1 * model.score(SCENE).sum()
        with pytest.raises(InputError, match="lam is 0"):
            model.score(SCENE, lam=0)

    def test_settings_of_the_solver_reach_it(self):
        for name, value in {"solver_iterations": 3, "solver_dtype": "float32"}.items():
            result = fitted(**{name: value}).decompose(SCENE)
            assert (result.iterations if name == "solver_iterations" else result.A.dtype) == value

    def test_higher_scores_on_anomalies(self):
        # Not a benchmark: a gross outlier has to stand out for the direction to be right.
        cube = SCENE.cube.copy()
        cube[4, 5] += 30 * cube.std() * np.sin(np.arange(20))
        scores = fitted("release", data=cube, epochs=20).score(cube)
        assert np.mean(scores < scores[4, 5]) > 0.9

    def test_components_below_the_empty_mass_give_no_atoms(self):
        # Setting empty_mass near the mean soft count empties about half of them.
        model = fitted(empty_mass=132 / 7)
        assert 0 < model.mixture.alive.sum() < 7
        assert model.mixture.alive[model.dictionary.components].all()
        assert (model.mixture.phi[~model.mixture.alive] == 0).all()

    def test_chunks_outside_training_change_no_shape_and_little_else(self, model, monkeypatch):
        whole = model.score(SCENE)
        monkeypatch.setattr("lren_tf.model.forward_pass.CHUNK", 50)
        np.testing.assert_allclose(model.score(SCENE), whole, rtol=1e-3, atol=1e-4)


class TestCall:
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

    def test_float64_pixels_far_from_zero_keep_their_spread(self):
        # Keras casts arguments to float32 unless told not to: 1e6 + 0.3 would be 1e6 + 0.3125.
        pixels = SCENE.pixels.astype(np.float64)
        near, far = fitted(data=pixels), fitted(data=pixels + 1e6)
        np.testing.assert_allclose(
            far(pixels + 1e6)["latent"], near(pixels)["latent"], atol=1e-4
        )


class TestConstantBands:
    PIXELS = np.insert(SCENE.pixels, [0, 7], [5.0, -2.0], axis=1)  # at 0 and 8
    WARNING = "2 constant bands are dropped: 0, 8"

    def test_they_are_dropped_with_a_warning_and_change_nothing(self):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted(data=self.PIXELS)
        assert model.encoder_hidden.kernel.shape == (20, 16)
        np.testing.assert_array_equal(
            model.score(self.PIXELS), baseline().ravel()
        )

    def test_their_reconstruction_is_their_constant(self):
        with pytest.warns(UserWarning, match=self.WARNING):
            model = fitted("release", data=self.PIXELS)
        reconstruction = model(self.PIXELS)["reconstruction"].numpy()
        assert reconstruction.shape == (132, 22)
        np.testing.assert_allclose(reconstruction[:, [0, 8]], [[5.0, -2.0]] * 132, rtol=1e-5)

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

    def test_a_long_list_is_cut(self):
        pixels = np.concatenate([SCENE.pixels, np.zeros((132, 15))], axis=1)
        with pytest.warns(UserWarning, match=r"15 constant bands are dropped: 20, .*29 …\."):
            fitted(data=pixels)

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

    def test_weights_travel_alone(self, model, tmp_path):
        model.save_weights(tmp_path / "model.weights.h5")
        other = LREN(model.preset, seed=77, **SMALL)
        other.build((None, 20))
        other.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(other.score(SCENE), model.score(SCENE))

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

    def test_trackers_start_anew_every_epoch(self):
        # With a rate too small to move a float32 weight every epoch has the same loss, and
        # a running mean from one fit into the next would show.
        model, history = self.fit(learning_rate=1e-30)
        assert len(set(history.history["loss"])) == 1
        assert {metric.name for metric in model.metrics} == set(history.history)
        model, history = self.fit(learning_rate=1e-2, epochs=4)
        shorter = self.fit(learning_rate=1e-2, epochs=3)[1]
        assert shorter.history["loss"] == history.history["loss"][:3]

    def test_early_stopping_on_the_loss(self):
        stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
        model, history = self.fit(stop, epochs=50)
        assert len(history.epoch) == 2
        assert model.score(SCENE).shape == (12, 11)

    def test_early_stopping_restores_the_best_weights_before_the_dictionary_is_made(self):
        stop = keras.callbacks.EarlyStopping(
            "loss", patience=1, min_delta=1e9, restore_best_weights=True
        )
        model, _ = self.fit(stop, epochs=50, learning_rate=1e-2)
        np.testing.assert_array_equal(
            model.score(SCENE), self.fit(epochs=1, learning_rate=1e-2)[0].score(SCENE)
        )

    def test_csv_logger(self, tmp_path):
        _, history = self.fit(keras.callbacks.CSVLogger(tmp_path / "log.csv"))
        with open(tmp_path / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
        np.testing.assert_allclose(
            [float(row["loss"]) for row in rows], history.history["loss"], rtol=1e-6
        )

    def test_checkpoints_hold_the_weights_and_training_goes_on_from_them(self, tmp_path):
        path = str(tmp_path / "{epoch}.keras")
        model, _ = self.fit(keras.callbacks.ModelCheckpoint(path), epochs=3)
        loaded = keras.models.load_model(tmp_path / "2.keras")
        with pytest.raises(InputError, match="has not been fitted"):
            loaded.score(SCENE)  # the dictionary is made when training ends
        loaded.fit(SCENE, epochs=3, initial_epoch=2, verbose=0)
        np.testing.assert_array_equal(loaded.score(SCENE), model.score(SCENE))

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

    def test_a_second_fit_goes_on(self):
        model = fitted("release", epochs=2)
        model.fit(SCENE, epochs=2, verbose=0)
        np.testing.assert_array_equal(model.score(SCENE), baseline("release", 4))

    def test_initial_epoch_counts_towards_epochs(self):
        model = LREN(**SMALL)
        assert model.fit(SCENE, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]

    def test_two_lines_of_progress_by_default(self, capsys):
        LREN("release", **SMALL, device="/CPU:0").fit(SCENE, epochs=2)
        first, second = capsys.readouterr().out.splitlines()
        assert first == "LREN (release), 132 pixels × 20 bands, /CPU:0: 2 epochs"
        assert second.startswith("LREN (release), 132 pixels × 20 bands, /CPU:0: trained in ")

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

    def test_the_component_named_is_the_one_that_broke(self):
        # Components 0 to 2 are empty, hence sound; the others share a covariance of rank one
        # so large that the floor is lost in its rounding, and its factor is NaN.
        model = LREN("paper", **SMALL | {"hidden_units": 1})
        model.build((None, 20))
        model.encoder_latent.kernel.assign(1e8 * model.encoder_latent.kernel)
        model.estimator_output.kernel.assign(tf.zeros([8, 7]))
        model.estimator_output.bias.assign([-1e4] * 3 + [0.0] * 4)
        with pytest.raises(TrainingDiverged, match=r"in epoch 1 \(mixture component 3 to blame"):
            model.fit(SCENE, epochs=2, verbose=0)

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

    def test_a_diverged_model_is_not_fitted_even_if_it_was_before(self):
        # Else score would answer with a dictionary of other weights and another scaler.
        model = fitted()
        assert model.score(SCENE).shape == (12, 11)
        model.optimizer.learning_rate = 1e30
        with pytest.raises(TrainingDiverged):
            model.fit(OTHER, epochs=9, verbose=0)
        with pytest.raises(InputError, match="has not been fitted"):
            model.score(OTHER)

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
