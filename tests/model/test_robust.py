"""Members side by side, scored by the energy of the background: ``robust`` by its spectrum."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError, Scene, TrainingDiverged, datasets, detectors, metrics
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.latent.background import (
    background_energy,
    background_mixture,
    level_and_spread,
)
from lren_tf.latent.neighbourhood import with_neighbourhood
from lren_tf.model.network import MemberDense, seed_of_member

SMALL = {"hidden_units": 16, "estimator_units": 8, "epochs": 4, "members": 3,
         "evidence": ("spectrum",)}  # fmt: skip
SCENE = datasets.simulate(14, 13, 20, seed=1)


@functools.cache
def fitted(data=SCENE, **settings):
    model = LREN("robust", device="/CPU:0", **{**SMALL, **settings})
    model.fit(data, verbose=0)
    return model


@functools.cache
def alone(number):
    """A member trained by itself."""
    return fitted(seed=seed_of_member(123, number), members=1)


def test_members_have_seeds_of_their_own_that_follow_from_the_first():
    seeds = [seed_of_member(123, number) for number in range(4)]
    assert seeds[0] == 123 and len(set(seeds)) == 4
    assert seeds == [seed_of_member(123, number) for number in range(4)]
    assert seeds[1:] != [seed_of_member(124, number) for number in range(1, 4)]


@pytest.mark.slow
def test_members_are_what_trainings_by_themselves_give():
    """After twenty steps of the preset's widths on a real number of bands."""
    scene = datasets.simulate(20, 20, 100, seed=3)
    settings = {"epochs": 5, "batch_size": 100, "evidence": ("spectrum",), "device": "/CPU:0"}
    together = LREN("robust", **settings)
    together.fit(scene, verbose=0)
    assert together.optimizer.iterations == 20
    scores = []
    for number, member in enumerate(together.members):
        own = LREN("robust", **settings, seed=seed_of_member(123, number), members=1)
        own.fit(scene, verbose=0)
        for here, there in zip(member.get_weights()[:12], own.get_weights()[:12], strict=True):
            np.testing.assert_allclose(here, there, atol=1e-5)
        assert metrics.pearson(member.score(scene), own.score(scene)) > 0.9999
        scores.append(own.score(scene))
    assert metrics.pearson(together.score(scene), np.mean(scores, axis=0)) > 0.9999


@pytest.mark.slow
def test_the_score_is_the_mean_of_the_members():
    scores = [alone(number).score(SCENE) for number in range(3)]
    np.testing.assert_allclose(fitted().score(SCENE), np.mean(scores, axis=0), rtol=1e-3, atol=1e-3)


def test_members_can_be_looked_at_one_by_one():
    model = fitted()
    scores = model.member_scores(SCENE)
    assert scores.shape == (3, 14, 13) and scores.dtype == np.float32
    np.testing.assert_allclose(scores.mean(axis=0), model.score(SCENE), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores[1], model.members[1].score(SCENE), rtol=1e-5, atol=1e-6)
    assert len(model.members) == 3 and len(model.companions) == 2
    second = model.companions[0]
    assert second.settings.seed == model.members[1].settings.seed == seed_of_member(123, 1)
    assert second.members[0].settings == second.settings
    np.testing.assert_array_equal(model.members[0].dictionary.atoms, model.dictionary.atoms)
    with pytest.raises(InputError, match="kept for the first member alone"):
        _ = second.dictionary
    with pytest.raises(IndexError):
        model.members[3]
    assert not LREN("robust", device="/CPU:0", **SMALL).members[2].fitted
    residual = LREN("paper", device="/CPU:0", hidden_units=8, epochs=1)
    residual.fit(SCENE, verbose=0)
    with pytest.raises(InputError, match="members have scores of their own"):
        residual.member_scores(SCENE)


@pytest.mark.parametrize(
    "neighbourhood", [pytest.param(0.0, marks=pytest.mark.slow), 0.7]
)
def test_the_score_is_the_energy_of_the_background(neighbourhood):
    model = fitted(members=1, neighbourhood=neighbourhood)
    scaler = fit_scaler(SCENE.pixels, "zscore")
    x = tf.cast(standardise(SCENE.pixels, scaler), tf.float32)
    z = model.encoder_latent(model.encoder_hidden(x))
    beta = model.estimator_output(model.estimator_hidden(z))
    features = with_neighbourhood(tf.cast(z, tf.float64), (14, 13), neighbourhood)
    mixture = background_mixture(
        features, beta, component_share=0.05, trimmed_share=0.02, ridge=0.02
    )
    energy = background_energy(features, mixture)
    level, spread = level_and_spread(energy)
    expected = ((energy - level) / spread).numpy().reshape(14, 13)
    np.testing.assert_allclose(model.score(SCENE), expected, rtol=1e-4, atol=1e-4)
    assert model.backgrounds[0].mu.shape == (7, 18 if neighbourhood else 9)


@pytest.mark.slow
def test_losses_are_means_over_members():
    history = LREN("robust", device="/CPU:0", **SMALL).fit(SCENE, verbose=0).history
    alones = [
        LREN("robust", device="/CPU:0", **{**SMALL, "members": 1, "seed": seed_of_member(123, n)})
        .fit(SCENE, verbose=0)
        .history
        for n in range(3)
    ]
    for name in ("loss", "reconstruction", "energy", "covariance_penalty"):
        expected = np.mean([each[name] for each in alones], axis=0)
        np.testing.assert_allclose(history[name], expected, rtol=1e-4)


@pytest.mark.slow
def test_it_finds_what_is_simulated():
    scene = datasets.simulate(40, 40, 30, seed=3)
    model = LREN(
        "robust", device="/CPU:0", members=2, epochs=40, hidden_units=40, evidence="spectrum"
    )
    model.fit(scene, verbose=0)
    assert metrics.auc_pd_pf(model.score(scene), scene.truth) > 0.95


@pytest.mark.slow
def test_again_gives_the_same_bits():
    model = LREN("robust", device="/CPU:0", **SMALL)
    model.fit(SCENE, verbose=0)
    np.testing.assert_array_equal(model.score(SCENE), fitted().score(SCENE))


@pytest.mark.slow
def test_a_saved_model_scores_to_the_bit(tmp_path):
    fitted().save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.score(SCENE), fitted().score(SCENE))
    assert loaded.encoder_hidden.kernel.shape == (3, 20, 16)
    assert len(loaded.trainable_weights) == 12
    other = datasets.simulate(9, 16, 20, seed=5)
    np.testing.assert_array_equal(loaded.score(other), fitted().score(other))


def test_a_table_is_scored_without_a_neighbourhood():
    model = fitted(members=2)
    table = LREN("robust", device="/CPU:0", **{**SMALL, "members": 2})
    table.fit(SCENE.pixels, verbose=0)
    score = table.score(SCENE.pixels)
    assert score.shape == (14 * 13,) and np.isfinite(score).all()
    flat = LREN("robust", device="/CPU:0", **{**SMALL, "members": 2}, neighbourhood=0)
    flat.fit(SCENE.pixels, verbose=0)
    np.testing.assert_allclose(score, flat.score(SCENE.pixels), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(
        flat.score(SCENE.pixels), flat.score(SCENE.cube).reshape(-1)
    )
    with pytest.raises(InputError, match="fitted on an image and is given a table"):
        model.score(SCENE.pixels)
    with pytest.raises(InputError, match="fitted on a table and is given an image"):
        table.score(SCENE)


def test_what_it_has_not_is_refused():
    model = fitted()
    with pytest.raises(InputError, match="has no low-rank step"):
        model.decompose(SCENE)
    with pytest.raises(InputError, match=r"lam is 0\.1 with scoring='energy'"):
        model.score(SCENE, lam=0.1)
    with pytest.raises(InputError, match="not been fitted"):
        _ = LREN("robust", **SMALL).backgrounds
    residual = LREN("paper", device="/CPU:0", hidden_units=8, epochs=1)
    residual.fit(SCENE, verbose=0)
    with pytest.raises(InputError, match="keeps no background"):
        _ = residual.backgrounds


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "release"])
def test_a_trained_network_can_be_scored_either_way(preset):
    model = LREN(preset, device="/CPU:0", hidden_units=16, epochs=2, lam=0.003)
    model.fit(SCENE, verbose=0)
    energy = model.with_settings(SCENE, scoring="energy", ridge=0.1)
    direct = LREN(
        preset, device="/CPU:0", hidden_units=16, epochs=2, scoring="energy", ridge=0.1
    )
    direct.fit(SCENE, verbose=0)
    np.testing.assert_array_equal(energy.score(SCENE), direct.score(SCENE))


@pytest.mark.slow
def test_other_settings_of_the_score_keep_all_members():
    found = fitted().with_settings(SCENE, neighbourhood=0.0)
    direct = fitted(neighbourhood=0.0)
    np.testing.assert_array_equal(found.score(SCENE), direct.score(SCENE))


def test_the_network_of_all_members_is_called_at_once():
    model = fitted()
    out = model(SCENE.pixels)
    assert out["latent"].shape == (182, 27) and out["assignments"].shape == (182, 21)
    each = [member(SCENE.pixels) for member in model.members]
    np.testing.assert_allclose(out["latent"][:, 9:18], each[1]["latent"], rtol=1e-5, atol=1e-6)
    mean = np.mean([one["reconstruction"] for one in each], axis=0)
    np.testing.assert_allclose(out["reconstruction"], mean, rtol=1e-5)
    table = out["assignments"].numpy().reshape(182, 3, 7)
    np.testing.assert_allclose(table.sum(axis=2), 1, rtol=1e-5)


@pytest.mark.slow
def test_a_fault_of_one_member_stops_all_and_is_named():
    model = LREN("robust", device="/CPU:0", **SMALL | {"hidden_units": 1, "batch_size": None})
    model.fit(SCENE, verbose=0)
    third = np.array([0.0, 0.0, 1.0], np.float32)
    latent, output = model.encoder_latent.kernel, model.estimator_output
    latent.assign(latent * (1 + 1e8 * third)[:, None, None])
    output.kernel.assign(output.kernel * (1 - third)[:, None, None])
    output.bias.assign(output.bias + third[:, None] * ([-1e4] * 3 + [0.0] * 4))
    before = model.encoder_hidden.get_weights()
    # Components are counted on: those of the third member begin at 14.
    with pytest.raises(TrainingDiverged, match=r"mixture component 17 to blame"):
        model.fit(SCENE, epochs=1, verbose=0)
    for here, there in zip(model.encoder_hidden.get_weights(), before, strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.slow
def test_as_a_detector_it_is_the_default():
    detector = detectors.create("lren")
    assert detector.preset == "robust"
    small = detectors.create("lren", settings=SMALL, device="/CPU:0")
    np.testing.assert_array_equal(small.score(SCENE), fitted().score(SCENE))


@pytest.mark.slow
def test_pixels_without_data_change_nothing_and_come_out_as_nan():
    valid = np.ones((14, 13), bool)
    valid[:3, :4] = False
    scores = []
    for filler in (0, 1e6):
        cube = np.where(valid[..., None], SCENE.cube, np.float32(filler))
        scene = Scene(cube, valid=valid)
        model = LREN("robust", device="/CPU:0", **SMALL)
        model.fit(scene, verbose=0)
        scores.append(model.score(scene))
        assert (np.isnan(scores[-1]) == ~valid).all()
        assert (np.isnan(model.member_scores(scene)) == ~valid).all()
    np.testing.assert_array_equal(scores[0], scores[1])


@pytest.mark.slow
def test_of_a_large_scene_a_sample_is_trained_on_and_every_pixel_scored():
    model = LREN("robust", device="/CPU:0", **SMALL, training_pixels=50, batch_size=20)
    model.fit(SCENE, verbose=0)
    assert int(model.optimizer.iterations) == 4 * 3
    assert np.isfinite(model.score(SCENE)).all()
    again = LREN("robust", device="/CPU:0", **SMALL, training_pixels=50, batch_size=20)
    again.fit(SCENE, verbose=0)
    np.testing.assert_array_equal(model.score(SCENE), again.score(SCENE))
    with pytest.raises(InputError, match="'training_pixels' is 6 for 7 mixture components"):
        LREN("robust", device="/CPU:0", **SMALL, training_pixels=6).fit(SCENE, verbose=0)


@pytest.mark.slow
def test_a_sample_has_a_learning_rate_of_its_own():
    rates = {"learning_rate": 0.25, "sample_learning_rate": 0.125, "epochs": 1}
    model = LREN("robust", device="/CPU:0", **SMALL | rates, training_pixels=50)
    small = SCENE.cube[:4, :5]
    for data, rate in ((SCENE, 0.125), (small, 0.25), (SCENE, 0.125)):
        model.fit(data, verbose=0)
        assert float(model.optimizer.learning_rate) == rate
    model.optimizer.learning_rate = 0.5  # by hand
    for data in (small, SCENE):
        model.fit(data, verbose=0)
        assert float(model.optimizer.learning_rate) == 0.5
    whole = LREN("robust", device="/CPU:0", **SMALL | rates, training_pixels=None)
    whole.fit(small, verbose=0)
    assert float(whole.optimizer.learning_rate) == 0.25
    assert whole.settings.learning_rate == 0.25


def test_a_model_of_several_members_that_an_earlier_version_saved_is_refused():
    before = {"bands": 20, "used": None}
    with pytest.raises(InputError, match="a model of 3 members that an earlier version saved"):
        LREN("robust", **SMALL).build_from_config(before)
    model = LREN("paper", hidden_units=16)
    model.build_from_config(before)
    assert model.encoder_hidden.kernel.shape == (1, 20, 16)


def test_weights_without_a_member_axis_load_into_a_single_member():
    kernel, bias = np.arange(12.0).reshape(3, 4), np.arange(4.0)
    one, two = (
        MemberDense(4, "tanh", [keras.initializers.GlorotUniform(1)] * members, "encoder_hidden")
        for members in (1, 2)
    )
    for layer in (one, two):
        layer.build((None, 3))
    one.load_own_variables({"0": kernel, "1": bias})
    np.testing.assert_array_equal(one.get_weights()[0], [kernel])
    np.testing.assert_array_equal(one.get_weights()[1], [bias])
    with pytest.raises(InputError, match=r"'encoder_hidden' of the file has weights of shape \(3"):
        two.load_own_variables({"0": kernel, "1": bias})
