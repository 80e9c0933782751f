"""What a model keeps besides its network: set, given back, saved with it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lren_tf import presets
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.latent.background import background_energy, background_mixture, level_and_spread
from lren_tf.latent.dictionary import Dictionary
from lren_tf.latent.mixture import Mixture
from lren_tf.model.fitted_state import KeptBackground, KeptDictionary, KeptScaler
from lren_tf.model.inputs import samples_of

RNG = np.random.default_rng(4)


class TestScaler:
    def pixels(self):
        x = RNG.normal(5, 2, (30, 6))
        x[:, 4] = 7
        return x

    def test_what_is_kept_standardises_as_the_scaler(self):
        x = self.pixels()
        scaler = fit_scaler(x, "minmax_zscore")
        kept = KeptScaler(6)
        kept.keep(scaler)
        for got, expected in zip(kept.value(), scaler, strict=True):
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_allclose(kept.standardised(x), standardise(x, scaler), atol=1e-6)

    def test_back_in_the_units_of_the_sensor(self):
        x = self.pixels()
        kept = KeptScaler(6)
        kept.keep(fit_scaler(x, "zscore"))
        np.testing.assert_allclose(kept.in_sensor_units(kept.standardised(x), x), x, rtol=1e-5)


class TestDictionary:
    settings = presets.resolve("paper", components=3, latent_units=2)

    def test_it_is_empty_until_something_is_kept_and_after_it_was_forgotten(self):
        kept = KeptDictionary(self.settings, 2)
        assert kept.empty
        mixture = Mixture(
            tf.constant([0.5, 0.0, 0.5]), tf.ones((3, 2)), tf.eye(2, batch_shape=[3]), None
        )
        atoms = RNG.normal(size=(4, 2))
        chosen = Dictionary(atoms, np.array([0, 0, 2, 2]), np.array([-1, 5, -1, 9]))
        kept.keep(mixture, chosen)
        assert not kept.empty
        for got, expected in zip(kept.value(), chosen, strict=True):
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(kept.mixture().alive, [True, False, True])
        np.testing.assert_array_equal(kept.atoms[4:], 0)
        kept.forget()
        assert kept.empty

    def test_its_weights_are_not_trained(self):
        assert not KeptDictionary(self.settings, 2).trainable_variables


class TestBackground:
    def test_energies_on_the_scale_of_the_scene(self):
        s = presets.resolve("robust", components=3, latent_units=2, neighbourhood=0)
        z, beta = RNG.normal(size=(60, 2)), RNG.dirichlet(np.ones(3), 60)
        kept = KeptBackground(s)
        kept.keep(z, beta, samples_of(RNG.normal(size=(60, 5))))
        assert not kept.of_image
        background = background_mixture(
            z, beta, component_share=s.component_share, trimmed_share=s.trimmed_share,
            ridge=s.ridge,
        )  # fmt: skip
        energy = background_energy(z, background)
        level, spread = level_and_spread(energy)
        np.testing.assert_allclose(kept.energy(z, (60,)), (energy - level) / spread, rtol=1e-12)

    def test_that_of_an_image_looks_around_a_pixel(self):
        s = presets.resolve("robust", components=3, latent_units=2)
        z, beta = RNG.normal(size=(60, 2)), RNG.dirichlet(np.ones(3), 60)
        kept = KeptBackground(s)
        kept.keep(z, beta, samples_of(RNG.normal(size=(6, 10, 5))))
        assert kept.of_image and kept.mixture().mu.shape == (3, 4)
        moved = z.copy()
        moved[0] += 1
        changed = kept.energy(z, (6, 10)).numpy() != kept.energy(moved, (6, 10)).numpy()
        assert changed[[0, 1, 10]].all() and not changed[-10:].any()
