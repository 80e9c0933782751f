"""Scores of a fitted model, whatever the data are passed as, and what they are computed from."""

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from lren_tf import LREN, InputError, solve_low_rank
from lren_tf.latent.dictionary import centroid_and_farthest, extreme_assignments
from tests.model.small_models import (
    OTHER,
    SCENE,
    SMALL,
    baseline,
    fitted,
    forward,
    trained_weights,
    zscore,
)


class TestInputs:
    @pytest.fixture
    def expected(self):
        return baseline()

    def test_a_scene_gives_a_map(self, expected):
        assert expected.shape == (12, 11)
        assert expected.dtype == np.float32
        assert np.isfinite(expected).all()
        assert expected.std() > 0

    @pytest.mark.slow
    def test_a_cube(self, expected):
        np.testing.assert_array_equal(fitted(data=SCENE.cube).score(SCENE.cube), expected)

    @pytest.mark.slow
    def test_a_table_gives_one_score_per_sample(self, expected):
        scores = fitted(data=SCENE.pixels).score(SCENE.pixels)
        assert scores.shape == (132,)
        np.testing.assert_array_equal(scores.reshape(12, 11), expected)

    @pytest.mark.slow
    def test_the_path_of_a_matlab_file(self, tmp_path, expected):
        path = tmp_path / "scene.mat"
        scipy.io.savemat(path, {"data": SCENE.cube, "map": SCENE.truth.astype(np.uint8)})
        np.testing.assert_array_equal(fitted(data=str(path)).score(path), expected)

    @pytest.mark.slow
    def test_key_chooses_the_variable(self, tmp_path, expected):
        path = tmp_path / "scene.mat"
        scipy.io.savemat(path, {"one": OTHER.cube, "two": SCENE.cube})
        model = LREN(**SMALL)
        model.fit(path, key="two", epochs=3, verbose=0)
        np.testing.assert_array_equal(model.score(path, key="two"), expected)
        assert model.decompose(path, key="two").A.shape == (132, 9)

    @pytest.mark.slow
    def test_integers_are_numbers(self):
        cube = np.round(SCENE.cube * 1000).astype(np.uint16)
        np.testing.assert_array_equal(
            fitted(data=cube).score(cube), fitted(data=cube.astype(float)).score(cube)
        )

    def test_another_scene_of_the_sensor_can_be_scored(self, model):
        part = model.score(SCENE.cube[:5])
        assert part.shape == (5, 11)

    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_settings_of_the_solver_reach_it(self):
        for name, value in {"solver_iterations": 3, "solver_dtype": "float32"}.items():
            result = fitted(**{name: value}).decompose(SCENE)
            assert (result.iterations if name == "solver_iterations" else result.A.dtype) == value

    @pytest.mark.slow
    def test_higher_scores_on_anomalies(self):
        # Not a benchmark: a gross outlier has to stand out for the direction to be right.
        cube = SCENE.cube.copy()
        cube[4, 5] += 30 * cube.std() * np.sin(np.arange(20))
        scores = fitted("release", data=cube, epochs=20).score(cube)
        assert np.mean(scores < scores[4, 5]) > 0.9

    @pytest.mark.slow
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
