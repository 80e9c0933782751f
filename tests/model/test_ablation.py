"""The choices of the paper's ablation: training in parts, k-means, low rank among spectra."""

import functools

import keras
import numpy as np
import pytest

from lren_tf import LREN, InputError, TrainingDiverged, solve_low_rank
from lren_tf.datasets import simulate
from lren_tf.latent.dictionary import (
    as_spectra,
    centroid_and_farthest,
    extreme_assignments,
    kmeans_assignments,
)

SMALL = {"hidden_units": 16, "estimator_units": 8}
SCENE = simulate(12, 11, 20, seed=1)
LAYERS = ("encoder_hidden", "encoder_latent", "decoder_hidden", "decoder_output",
          "estimator_hidden", "estimator_output")  # fmt: skip


def fitted(preset="paper", epochs=3, data=SCENE, callbacks=None, **settings):
    model = LREN(preset, **SMALL, **settings)
    model.history_of_fit = model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks).history
    return model


@functools.cache
def kept(preset="paper", **settings):
    """A fitted model that tests only read."""
    return fitted(preset, **settings)


def weights(model, names=LAYERS):
    return [w for name in names for w in getattr(model, name).get_weights()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def zscore():
    pixels = SCENE.pixels.astype(np.float64)
    return (pixels - pixels.mean(axis=0)) / pixels.std(axis=0)


class TestSeparateTraining:
    @pytest.mark.parametrize("preset", ["paper", pytest.param("release", marks=pytest.mark.slow)])
    def test_first_the_autoencoder_alone_then_the_estimator_alone(self, preset):
        seen = {}

        def look(epoch, logs):
            seen[epoch] = weights(model, LAYERS[:4]), weights(model, LAYERS[4:])

        model = LREN(preset, training="separate", batch_size=50, **SMALL)
        spy = keras.callbacks.LambdaCallback(on_epoch_end=look)
        history = model.fit(SCENE, epochs=3, verbose=0, callbacks=[spy])
        start = LREN(preset, **SMALL)
        start.build((None, 20))
        assert history.epoch == list(seen) == [0, 1, 2, 3, 4, 5]
        estimator = weights(start, LAYERS[4:])
        for epoch in (0, 1, 2):
            assert same(seen[epoch][1], estimator)
        assert not same(seen[2][0], seen[1][0])
        for epoch in (3, 4, 5):
            assert same(seen[epoch][0], seen[2][0])
        assert not same(seen[3][1], seen[2][1]) and not same(seen[5][1], seen[4][1])

    @pytest.mark.slow
    @pytest.mark.parametrize("preset", ["paper", "release"])
    def test_the_first_part_is_the_joint_training_without_the_density(self, preset):
        # A weight of zero leaves of the joint loss what eq. (5) is.
        nothing = {"energy_weight": 0.0, "covariance_penalty": 0.0}
        joint = fitted(preset, **nothing, learning_rate=1e-2)
        parts = fitted(preset, training="separate", learning_rate=1e-2)
        for one, other in zip(weights(joint, LAYERS[:4]), weights(parts, LAYERS[:4]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(
            joint.history_of_fit["reconstruction"],
            parts.history_of_fit["reconstruction"][:3], rtol=1e-5,
        )  # fmt: skip

    def test_the_history_tells_the_parts_apart(self):
        history = kept(training="separate").history_of_fit
        for name in ("energy", "covariance_penalty"):
            assert history[name][:3] == [0.0] * 3
        assert history["loss"][:3] == history["reconstruction"][:3]
        assert len(set(history["reconstruction"][3:])) == 1  # the autoencoder is frozen
        assert len(set(history["energy"][3:])) == 3
        total = np.add(history["reconstruction"], history["energy"])
        np.testing.assert_allclose(history["loss"], total, rtol=1e-6)

    @pytest.mark.slow
    def test_the_energy_of_the_second_part_is_that_of_the_frozen_samples(self):
        # The step moves the estimator as the gradient of the density alone: a second part
        # whose rate is nothing has one energy, that of the joint loss at the same weights.
        model = fitted(training="separate", learning_rate=1e-30)
        joint = fitted(learning_rate=1e-30)
        np.testing.assert_allclose(
            model.history_of_fit["energy"][3:], joint.history_of_fit["energy"], rtol=1e-5
        )

    @pytest.mark.slow
    def test_the_second_part_lowers_its_loss(self):
        energy = fitted("release", training="separate", learning_rate=1e-2, epochs=20)
        energy = energy.history_of_fit["energy"][20:]
        assert energy[-1] < energy[0]

    @pytest.mark.slow
    def test_the_second_part_starts_with_a_new_optimiser(self):
        steps = []
        spy = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: steps.append(int(model.optimizer.iterations))
        )
        model = LREN("release", training="separate", **SMALL)
        model.fit(SCENE, epochs=2, verbose=0, callbacks=[spy])
        assert steps == [1, 2, 1, 2]
        slots = [v.numpy() for v in model.optimizer.variables if "encoder" in v.path]
        assert slots and not any(slot.any() for slot in slots)

    @pytest.mark.slow
    def test_training_goes_on_after_loading_in_either_part(self, tmp_path):
        checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
        whole = fitted("release", training="separate", callbacks=[checkpoint])
        for epoch in (2, 3, 5):
            loaded = keras.models.load_model(tmp_path / f"{epoch}.keras")
            loaded.fit(SCENE, epochs=3, initial_epoch=epoch, verbose=0)
            np.testing.assert_array_equal(loaded.score(SCENE), whole.score(SCENE))

    def test_epochs_of_both_parts_are_counted(self):
        with pytest.raises(InputError, match="initial_epoch is 6 of 6 epochs"):
            LREN(training="separate", **SMALL).fit(SCENE, epochs=3, initial_epoch=6, verbose=0)

    @pytest.mark.slow
    def test_divergence_in_the_first_part_blames_no_component(self):
        model = LREN(training="separate", learning_rate=1e6, **SMALL)
        with pytest.raises(TrainingDiverged, match="no single mixture component to blame"):
            model.fit(SCENE, epochs=50, verbose=0)

    def test_kmeans_leaves_the_second_part_out(self):
        model = kept(training="separate", dictionary="kmeans")
        assert len(model.history_of_fit["loss"]) == 3
        start = LREN(**SMALL)
        start.build((None, 20))
        assert same(weights(model, LAYERS[4:]), weights(start, LAYERS[4:]))


class TestKmeans:
    def test_the_dictionary_is_centres_and_farthest_members_of_clusters(self):
        model = kept(dictionary="kmeans")
        z = model(SCENE.pixels)["latent"].numpy()
        assigned, means = kmeans_assignments(z, 7, seed=123)
        expected = centroid_and_farthest(z, assigned, means)
        np.testing.assert_allclose(model.dictionary.atoms, expected.atoms, atol=1e-4)
        assert model.dictionary.pixels.tolist() == expected.pixels.tolist()
        assert len(model.dictionary.atoms) == 14

    def test_the_training_is_that_of_the_preset(self):
        assert same(weights(kept(dictionary="kmeans")), weights(kept()))

    @pytest.mark.slow
    def test_components_that_are_empty_in_the_mixture_take_no_cluster_away(self):
        model = fitted(dictionary="kmeans", empty_mass=132 / 7)
        assert not model.mixture.alive.all()
        assert len(model.dictionary.atoms) == 14


class TestOriginalSpace:
    @pytest.mark.parametrize("preset", ["paper", pytest.param("release", marks=pytest.mark.slow)])
    def test_atoms_are_spectra_of_the_same_pixels(self, preset):
        latent, original = kept(preset), kept(preset, low_rank_space="original")
        assert original.dictionary.pixels.tolist() == latent.dictionary.pixels.tolist()
        out = latent(SCENE.pixels)
        z, beta = out["latent"].numpy(), out["assignments"].numpy()
        chosen = (
            centroid_and_farthest(z, beta, latent.mixture.mu)
            if preset == "paper" else extreme_assignments(z, beta)
        )  # fmt: skip
        expected = as_spectra(chosen, zscore(), beta)
        np.testing.assert_allclose(original.dictionary.atoms, expected.atoms, atol=1e-4)

    def test_the_score_is_the_norm_of_the_residual_of_spectra(self):
        model = kept(low_rank_space="original")
        expected = solve_low_rank(zscore(), model.dictionary.atoms, 1e-2).A
        result = model.decompose(SCENE)
        assert result.A.shape == (132, 20) and result.W.shape == (132, 14)
        np.testing.assert_allclose(result.A, expected, atol=1e-3)
        np.testing.assert_allclose(
            model.score(SCENE).ravel(), np.abs(result.A).sum(axis=1), rtol=1e-6
        )

    def test_the_training_is_that_of_the_preset(self):
        assert same(weights(kept(low_rank_space="original")), weights(kept()))

    @pytest.mark.slow
    def test_constant_bands_are_no_part_of_the_atoms(self):
        pixels = np.insert(SCENE.pixels, [0, 7], [5.0, -2.0], axis=1)
        with pytest.warns(UserWarning, match="2 constant bands"):
            model = fitted(data=pixels, low_rank_space="original")
        assert model.dictionary.atoms.shape == (14, 20)
        np.testing.assert_array_equal(
            model.score(pixels), kept(low_rank_space="original").score(SCENE).ravel()
        )

    @pytest.mark.slow
    def test_with_kmeans_a_centre_is_the_mean_spectrum_of_its_cluster(self):
        model = kept(low_rank_space="original", dictionary="kmeans")
        z = model(SCENE.pixels)["latent"].numpy()
        assigned, _ = kmeans_assignments(z, 7, seed=123)
        centres = model.dictionary.atoms[::2]
        means = [zscore()[assigned[:, k] == 1].mean(axis=0) for k in range(7)]
        np.testing.assert_allclose(centres, means, atol=1e-5)


EVERY = {"training": "separate", "dictionary": "kmeans", "low_rank_space": "original"}


@pytest.mark.slow
class TestFiles:
    @pytest.mark.parametrize(
        "settings",
        [{name: value} for name, value in EVERY.items()] + [EVERY],
        ids=[*EVERY, "all"],
    )
    def test_a_loaded_model_scores_bit_for_bit(self, settings, tmp_path):
        model = kept("release", **settings)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.settings == model.settings
        np.testing.assert_array_equal(loaded.score(SCENE), model.score(SCENE))
        np.testing.assert_array_equal(loaded.dictionary.atoms, model.dictionary.atoms)
        again = LREN.from_config(model.get_config())
        assert again.settings == model.settings

    def test_an_exported_model_serves_what_the_model_gives(self, tmp_path):
        model = kept("release", **EVERY)
        model.export(tmp_path / "served")
        pixels = SCENE.pixels.astype(np.float32)
        expected = model(pixels)
        endpoints = {
            "encode": "latent", "reconstruct": "reconstruction", "responsibilities": "assignments"
        }  # fmt: skip
        for endpoint, name in endpoints.items():
            served = keras.layers.TFSMLayer(tmp_path / "served", call_endpoint=endpoint)(pixels)
            # Keras hands an endpoint's only output over bare or by its name, by version.
            (value,) = served.values() if isinstance(served, dict) else (served,)
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6)


class TestWithSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            {"dictionary": "kmeans"},
            *(
                pytest.param(chosen, marks=pytest.mark.slow)
                for chosen in (
                    {"low_rank_space": "original"},
                    {"dictionary": "centroid_farthest"},
                    {"solver_loss": "frobenius", "lam": 0.5, "score_norm": "l1"},
                )
            ),
        ],
    )
    def test_it_is_the_model_that_a_training_with_these_settings_gives(self, settings):
        before = kept("release").score(SCENE)
        variant = kept("release").with_settings(SCENE, **settings)
        expected = fitted("release", **settings)
        assert variant.settings == expected.settings
        np.testing.assert_array_equal(variant.score(SCENE), expected.score(SCENE))
        np.testing.assert_array_equal(variant.dictionary.atoms, expected.dictionary.atoms)
        np.testing.assert_array_equal(variant.mixture.Gamma, expected.mixture.Gamma)
        np.testing.assert_array_equal(kept("release").score(SCENE), before)

    @pytest.mark.slow
    def test_kmeans_on_a_training_in_parts(self):
        variant = kept(training="separate").with_settings(SCENE, dictionary="kmeans")
        np.testing.assert_array_equal(
            variant.score(SCENE),
            kept(training="separate", dictionary="kmeans").score(SCENE),
        )

    @pytest.mark.slow
    def test_constant_bands(self):
        pixels = np.insert(SCENE.pixels, [0, 7], [5.0, -2.0], axis=1)
        with pytest.warns(UserWarning, match="2 constant bands"):
            model = fitted(data=pixels)
        variant = model.with_settings(pixels, score_norm="l2")
        np.testing.assert_array_equal(
            variant.score(pixels), kept().with_settings(SCENE, score_norm="l2").score(SCENE).ravel()
        )

    def test_refusals(self):
        with pytest.raises(InputError, match="'epochs' is one of the training; expected one of"):
            kept().with_settings(SCENE, epochs=5)
        with pytest.raises(InputError, match="'lamda' is unknown"):
            kept().with_settings(SCENE, lamda=5)
        with pytest.raises(InputError, match="has not been fitted"):
            LREN(**SMALL).with_settings(SCENE, lam=1)
        with pytest.raises(InputError, match="the data has 19 bands"):
            kept().with_settings(SCENE.cube[..., 1:], lam=1)
        model = kept(training="separate", dictionary="kmeans")
        with pytest.raises(InputError, match="estimator of this model was not trained"):
            model.with_settings(SCENE, dictionary="centroid_farthest")
