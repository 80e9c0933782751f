"""HADGAN: its losses and its detection against plain NumPy, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.hadgan import HADGAN, _Gan
from lren_tf.detectors.parts.spatial import attribute_difference, guided_filter
from lren_tf.detectors.rx import global_rx
from lren_tf.errors import InputError, TrainingDiverged

QUICK = {"steps": 30, "hidden_units": 16, "batch_size": 64}
RNG = np.random.default_rng(8)
BATCH_NORM_EPSILON = 1e-3
"""Keras' default."""


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def unit(x: np.ndarray) -> np.ndarray:
    return (x - x.min()) / (x.max() - x.min())


def encode(x: np.ndarray, weights: list[np.ndarray], of_batch: bool) -> np.ndarray:
    """Hidden layers: kernel, bias, gain, offset, running mean, running variance; then z."""
    for first in (0, 6):
        kernel, bias, gain, offset, mean, variance = weights[first : first + 6]
        x = x @ kernel + bias
        if of_batch:
            mean, variance = x.mean(axis=0), x.var(axis=0)
        x = leaky((x - mean) / np.sqrt(variance + BATCH_NORM_EPSILON) * gain + offset)
    return x @ weights[12]


def forward(x: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    x = leaky(leaky(x @ weights[0] + weights[1]) @ weights[2] + weights[3]) @ weights[4]
    return x + weights[5] if len(weights) == 6 else x


def test_the_losses_of_a_step_are_those_of_the_formulas() -> None:
    settings = HADGAN(
        latent_units=3, hidden_units=7, dropout=0, learning_rate=1e-12,
        reconstruction_weight=1.5, consistency_weight=0.7, shrink_weight=0.2,
        adversarial_weight=0.3,
    )  # fmt: skip
    model = _Gan(6, settings, np.random.default_rng(0))
    parts = (model.encoder, model.decoder, model._latent_critic, model._image_critic)
    for part in parts:
        part.set_weights([RNG.uniform(0.1, 0.9, w.shape) for w in part.get_weights()])
    E, G, Dz, Dx = ([w.astype(np.float64) for w in part.get_weights()] for part in parts)
    x = RNG.uniform(0, 1, (9, 6))
    p = tf.random.stateless_normal([9, 3], [model._prior_seed, 2]).numpy()

    def judged(weights: list[np.ndarray], real: np.ndarray, made: np.ndarray) -> float:
        real, made = forward(real, weights), forward(made, weights)
        return np.logaddexp(0, -real).mean() + np.logaddexp(0, made).mean()

    z = encode(x, E, of_batch=True)
    x_hat = forward(z, G)
    again = encode(forward(p, G), moved_statistics(x, E), of_batch=False)
    fooled = np.logaddexp(0, -forward(z, Dz)).mean() + np.logaddexp(0, -forward(x_hat, Dx)).mean()
    expected = [
        judged(Dz, p, z),
        judged(Dx, x, x_hat),
        1.5 * np.square(x - x_hat).mean()
        + 0.7 * np.square(p - again).mean()
        + 0.2 * np.square(z).mean()
        + 0.3 * fooled,
    ]
    losses = model.step(tf.constant(x, tf.float32), tf.constant(2, tf.int64))
    np.testing.assert_allclose(losses, expected, rtol=1e-3)


def moved_statistics(x: np.ndarray, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Encoder weights with running statistics after one batch x, momentum 0.99."""
    weights = list(weights)
    for first in (0, 6):
        kernel, bias, gain, offset = weights[first : first + 4]
        h = x @ kernel + bias
        for place, value in ((4, h.mean(axis=0)), (5, h.var(axis=0))):
            weights[first + place] = 0.99 * weights[first + place] + 0.01 * value
        x = leaky((h - h.mean(0)) / np.sqrt(h.var(0) + BATCH_NORM_EPSILON) * gain + offset)
    return weights


def test_a_step_moves_every_trainable_weight() -> None:
    model = _Gan(6, HADGAN(hidden_units=7), np.random.default_rng(0))
    parts = (model.encoder, model.decoder, model._latent_critic, model._image_critic)
    trainable = [w for part in parts for w in part.trainable_weights]
    before = [w.numpy() for w in trainable]
    model.step(tf.constant(RNG.uniform(0, 1, (9, 6)), tf.float32), tf.constant(0, tf.int64))
    for weight, old in zip(trainable, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_the_width_of_the_latent_space_follows_the_bands() -> None:
    for bands, units in ((189, 14), (162, 13), (198, 15), (102, 11)):
        model = _Gan(bands, HADGAN(hidden_units=2), np.random.default_rng(0))
        assert model.encoder.output_shape == (None, units)
    assert _Gan(9, HADGAN(latent_units=7), np.random.default_rng(0)).decoder.input_shape[1] == 7


def test_the_score_fuses_space_and_spectrum_of_the_residual() -> None:
    R = RNG.uniform(0, 1, (14, 15, 6)) * np.array([5, 1, 4, 2, 6, 3])
    R[5:7, 6:8] += 3.0
    small = unit(sum(attribute_difference(unit(R[:, :, b]), 9, corners=True) for b in (1, 3)))
    spatial = guided_filter(small, small, 2, 0.3)
    spectral = global_rx(R.reshape(-1, 6)).reshape(14, 15)
    detector = HADGAN(spatial_bands=2, area=9, radius=2, guided_eps=0.3, spatial_weight=0.25)
    np.testing.assert_allclose(
        detector.detect(R.reshape(-1, 6), (14, 15)),
        0.25 * unit(spatial) + 0.75 * unit(spectral),
        rtol=1e-9,
        atol=1e-12,
    )


def test_names_do_not_depend_on_what_was_made_before() -> None:
    """TensorFlow's graph optimiser orders by name; other names would be other bits."""
    one, two = (_Gan(6, HADGAN(hidden_units=7), np.random.default_rng(0)) for _ in range(2))
    for a, b in ((one.encoder, two.encoder), (one.decoder, two.decoder)):
        assert [w.path for w in a.weights] == [w.path for w in b.weights]
    for a, b in ((one._encode, two._encode), (one._judge_image, two._judge_image)):
        assert [v.path for v in a.variables] == [v.path for v in b.variables]


def test_dropout_is_for_training_only() -> None:
    model = _Gan(6, HADGAN(latent_units=40, hidden_units=7), np.random.default_rng(0))
    z = tf.ones([1, 40])
    plain = model.decoder(z, training=False)
    np.testing.assert_array_equal(model.decoder(z, training=False), plain)
    assert (model.decoder(z, training=True) != plain).numpy().any()


@pytest.mark.slow
def test_the_seed_matters() -> None:
    scene = simulate(24, 24, 20, seed=4)
    one, two = (HADGAN(**QUICK, seed=seed).score(scene) for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("latent_units", 0, "'latent_units' is 0; expected 1 or more"),
        ("hidden_units", "wide", "'hidden_units' is 'wide'; expected a whole number"),
        ("steps", 0, "'steps' is 0"),
        ("batch_size", 0, "'batch_size' is 0"),
        ("spatial_bands", 0, "'spatial_bands' is 0"),
        ("area", 0, "'area' is 0"),
        ("radius", 0, "'radius' is 0"),
        ("reconstruction_weight", -1, "'reconstruction_weight' is -1"),
        ("consistency_weight", -1, "'consistency_weight' is -1"),
        ("shrink_weight", -1, "'shrink_weight' is -1"),
        ("adversarial_weight", np.nan, "'adversarial_weight' is nan; expected a finite number"),
        ("learning_rate", 0, "'learning_rate' is 0"),
        ("guided_eps", 0, "'guided_eps' is 0"),
        ("dropout", 1, "'dropout' is 1.0; expected a number of at least 0 and below 1"),
        ("spatial_weight", 1.5, "'spatial_weight' is 1.5; expected .* 1 or less"),
        ("seed", 0.5, "'seed' is 0.5"),
        ("device", "tpu", "device 'tpu' is unknown"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        HADGAN(**{setting: value})


def test_more_spatial_bands_than_bands_are_refused() -> None:
    with pytest.raises(InputError, match="4 bands; expected at least the 5 of spatial_bands"):
        HADGAN(spatial_bands=5).score(simulate(24, 24, 4, seed=4))


def test_too_high_a_rate_is_reported_as_divergence() -> None:
    with pytest.raises(TrainingDiverged, match=r"HADGAN: .*lower the learning rates"):
        HADGAN(**QUICK, learning_rate=1e30).score(simulate(24, 24, 20, seed=4))


@pytest.mark.data
def test_anomalies_of_a_real_scene_are_found() -> None:
    """A tenth of the default budget; it is no reproduction, nothing is published here."""
    try:
        scene = datasets.load("pavia", download=False)
    except InputError as error:
        pytest.skip(str(error))
    score = HADGAN(steps=40, hidden_units=200).score(scene)
    assert metrics.auc_pd_pf(score, scene.truth) > 0.9
