"""What a model keeps besides its network: set, given back, saved with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import presets
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.latent.background import background_energy, background_mixture, level_and_spread
from lren_tf.latent.dictionary import Dictionary
from lren_tf.latent.mixture import Mixture
from lren_tf.model.fitted_state import AtomState, BackgroundState, ScalerState
from lren_tf.model.inputs import as_model_input

RNG = np.random.default_rng(4)


class TestScaler:
    def pixels(self):
        x = RNG.normal(5, 2, (30, 6))
        x[:, 4] = 7
        return x

    def test_what_is_stored_standardises_as_the_scaler(self):
        x = self.pixels()
        scaler = fit_scaler(x, "minmax_zscore")
        state = ScalerState(6)
        state.store(scaler)
        for got, expected in zip(state.load(), scaler, strict=True):
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_allclose(state.standardised(x), standardise(x, scaler), atol=1e-6)

    def test_back_in_the_units_of_the_sensor(self):
        x = self.pixels()
        state = ScalerState(6)
        state.store(fit_scaler(x, "zscore"))
        np.testing.assert_allclose(state.in_sensor_units(state.standardised(x), x), x, rtol=1e-5)


class TestDictionary:
    settings = presets.resolve("paper", components=3, latent_units=2)

    def test_nothing_is_stored_before_the_first_time_and_after_clearing(self):
        state = AtomState(self.settings, 2)
        assert not state.stored
        mixture = Mixture(
            tf.constant([0.5, 0.0, 0.5]), tf.ones((3, 2)), tf.eye(2, batch_shape=[3]), None
        )
        atoms = RNG.normal(size=(4, 2))
        chosen = Dictionary(atoms, np.array([0, 0, 2, 2]), np.array([-1, 5, -1, 9]))
        state.store(mixture, chosen)
        assert state.stored
        for got, expected in zip(state.load(), chosen, strict=True):
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(state.mixture().alive, [True, False, True])
        np.testing.assert_array_equal(state.atoms[4:], 0)
        state.clear()
        assert not state.stored

    def test_its_weights_are_not_trained(self):
        assert not AtomState(self.settings, 2).trainable_variables


class TestBackground:
    def test_energies_on_the_scale_of_the_scene(self):
        s = presets.resolve("robust", components=3, latent_units=2, neighbourhood=0, members=2)
        z, beta = RNG.normal(size=(60, 2, 2)), RNG.dirichlet(np.ones(3), (60, 2))
        state = BackgroundState(s)
        assert not state.stored
        energies = state.store(z, beta, slice(None), as_model_input(RNG.normal(size=(60, 5))))
        np.testing.assert_allclose(state.energies(z, (60,)), energies, rtol=1e-12)
        assert state.stored and not state.of_image
        for member in range(2):
            background = background_mixture(
                tf.constant(z[:, member]), beta[:, member], component_share=s.component_share,
                trimmed_share=s.trimmed_share, ridge=s.ridge,
            )  # fmt: skip
            energy = background_energy(z[:, member], background)
            level, spread = level_and_spread(energy)
            expected = (energy - level) / spread
            np.testing.assert_allclose(state.energies(z, (60,))[member], expected, rtol=1e-9)
        state.clear()
        assert not state.stored

    @pytest.mark.parametrize("at_a_time", [1, 60, 10**6])
    def test_members_at_once_or_one_after_the_other(self, at_a_time, monkeypatch):
        s = presets.resolve("robust", components=3, latent_units=2, members=3)
        z, beta = RNG.normal(size=(60, 3, 2)), RNG.dirichlet(np.ones(3), (60, 3))
        monkeypatch.setattr("lren_tf.model.fitted_state.PIXELS_AT_A_TIME", at_a_time)
        state, alone = BackgroundState(s), BackgroundState(dataclasses.replace(s, members=1))
        data = as_model_input(RNG.normal(size=(6, 10, 5)))
        state.store(z, beta, slice(None), data)
        together = state.energies(z, (6, 10))
        for member in range(3):
            alone.store(z[:, [member]], beta[:, [member]], slice(None), data)
            expected = alone.energies(z[:, [member]], (6, 10))[0]
            np.testing.assert_allclose(together[member], expected, rtol=1e-9)
            alone.clear()
            alone.copy_member(state, member)
            copied = alone.energies(z[:, [member]], (6, 10))[0]
            np.testing.assert_allclose(together[member], copied, rtol=1e-9)

    def test_the_mixture_of_a_large_scene_is_that_of_a_sample_and_its_scale_that_of_all(
        self, monkeypatch
    ):
        s = presets.resolve("robust", components=2, latent_units=2, neighbourhood=0, members=1)
        n = 20000
        z = RNG.normal(size=(n, 1, 2))
        beta = np.zeros((n, 1, 2))
        beta[np.arange(n), 0, RNG.integers(0, 2, n)] = 1
        z[:, 0] += 8 * beta[:, 0]
        data = as_model_input(RNG.normal(size=(n, 3)))
        whole, sampled = BackgroundState(s), BackgroundState(s)
        of_whole = whole.store(z, beta, whole.mixture_rows(n), data)[0].numpy()
        monkeypatch.setattr("lren_tf.model.fitted_state.MIXTURE_PIXELS", 5000)
        rows = sampled.mixture_rows(n)
        assert len(rows) == 5000
        of_sample = sampled.store(z, beta[rows], rows, data)[0].numpy()
        off = np.abs(whole.mixture().mu - sampled.mixture().mu)
        assert 0 < off.max() < 5 / np.sqrt(5000 / 2)
        assert np.median(of_sample) == pytest.approx(0, abs=1e-6)
        assert np.corrcoef(of_whole, of_sample)[0, 1] > 0.999

    def test_that_of_an_image_looks_around_a_pixel(self):
        s = presets.resolve("robust", components=3, latent_units=2)
        s = dataclasses.replace(s, members=1)
        z, beta = RNG.normal(size=(60, 1, 2)), RNG.dirichlet(np.ones(3), (60, 1))
        state = BackgroundState(s)
        state.store(z, beta, slice(None), as_model_input(RNG.normal(size=(6, 10, 5))))
        assert state.of_image and state.mixture().mu.shape == (1, 3, 4)
        moved = z.copy()
        moved[0] += 1
        energies = (state.energies(each, (6, 10))[0] for each in (z, moved))
        changed = np.not_equal(*energies)
        assert changed[[0, 1, 10]].all() and not changed[-10:].any()
