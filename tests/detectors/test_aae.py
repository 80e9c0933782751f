"""AAE: its losses and its fusion against plain NumPy, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import datasets, metrics
from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.aae import AAE, AAERX, LatentTraining, _Autoencoder, fused_nodes, mean_angle
from lren_tf.detectors.parts.spatial import attribute_difference, guided_filter
from lren_tf.detectors.rx import global_rx
from lren_tf.errors import InputError, TrainingDiverged

QUICK = {"steps": 30, "hidden_units": 16, "batch_size": 64}
RNG = np.random.default_rng(7)


def forward(x: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = x @ kernel + bias
        x = np.where(x > 0, x, 0.2 * x)
    return x @ weights[-2] + weights[-1]


def angle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    return np.arccos(cosine) / np.pi


def test_mean_angle() -> None:
    x, y = RNG.uniform(0.1, 1, (2, 30, 8))
    np.testing.assert_allclose(
        mean_angle(tf.constant(x), tf.constant(y)), angle(x, y).mean(), rtol=1e-9
    )


def test_mean_angle_has_a_slope_where_spectra_agree_and_where_one_is_zero() -> None:
    x = tf.constant([[1.0, 2.0], [0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = mean_angle(x, 2.0 * x)
    assert np.isfinite(value) and np.isfinite(tape.gradient(value, x)).all()


def test_the_losses_of_a_step_are_those_of_the_formulas() -> None:
    settings = AAERX(
        latent_units=3, hidden_units=7, angle_weight=0.4, prior_deviation=2.0,
        learning_rate=1e-12, discriminator_learning_rate=1e-12,
    )  # fmt: skip
    model = _Autoencoder(6, settings, np.random.default_rng(0))
    parts = (model.encoder, model.decoder, model._discriminator)
    for part in parts:  # the initial ones are so small that everything is nearly 0
        part.set_weights([RNG.normal(0, 0.5, w.shape) for w in part.get_weights()])
    E, G, D = ([w.astype(np.float64) for w in part.get_weights()] for part in parts)
    x = RNG.uniform(0.1, 1, (9, 6))
    number = tf.constant(4, tf.int64)
    prior = tf.random.stateless_normal([9, 3], [model._prior_seed, 4]).numpy()

    z = forward(x, E)
    x_hat = np.tanh(forward(z, G))
    made, real = forward(z, D), forward(2.0 * prior, D)
    expected = [
        np.square(x - x_hat).mean() + 0.4 * angle(x, x_hat).mean(),
        np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(made)).mean(),
        np.log1p(np.exp(-made)).mean(),
    ]
    losses = model.step(tf.constant(x, tf.float32), number)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_a_step_moves_every_weight() -> None:
    model = _Autoencoder(6, AAERX(latent_units=3, hidden_units=7), np.random.default_rng(0))
    parts = (model.encoder, model.decoder, model._discriminator)
    before = [w for part in parts for w in part.get_weights()]
    model.step(tf.constant(RNG.uniform(0.1, 1, (9, 6)), tf.float32), tf.constant(0, tf.int64))
    after = [w for part in parts for w in part.get_weights()]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def test_nodes_are_weighted_by_their_gradients() -> None:
    z = RNG.normal(size=(8, 9, 3))
    z[:, :, 1] = np.linspace(-1, 1, 9)  # smooth: little weight
    low, high = z.min(), z.max()
    kernel = np.array([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]) / 32
    weights, nodes = [], []
    for k in range(3):
        node = (z[:, :, k] - low) / (high - low)
        mirrored = np.pad(node / node.max(), 1, mode="symmetric")
        energy = 0.0
        for row, column in np.ndindex(node.shape):
            window = mirrored[row : row + 3, column : column + 3]
            energy += (window * kernel).sum() ** 2 + (window * kernel.T).sum() ** 2
        weights.append(energy)
        nodes.append(node)
    assert weights[1] < 0.3 * min(weights[0], weights[2])
    fused = sum(weight / max(weights) * node for weight, node in zip(weights, nodes, strict=True))
    fused = (fused - fused.min()) / (fused.max() - fused.min())
    np.testing.assert_allclose(fused_nodes(z), fused, rtol=1e-9, atol=1e-12)


def test_the_score_is_the_suppressed_rx_of_the_fused_nodes() -> None:
    z = RNG.normal(size=(14, 15, 4))
    z[5:7, 6:8] += 6.0
    F = fused_nodes(z)
    levels = np.round(np.clip(((F - F.mean()) / F.std() + 3) * 1000 / 6, 0, 1000))
    D = attribute_difference(levels, 9, corners=True) / 255
    O = guided_filter(D, D, 2, 0.3)
    O = (O - O.min()) / np.ptp(O)
    S = global_rx(z.reshape(-1, 4)).reshape(14, 15)
    S = (S - S.min()) / np.ptp(S)
    detector = AAE(area=9, radius=2, guided_eps=0.3, suppression=2.0)
    np.testing.assert_allclose(
        detector.fuse(z), (1 - np.exp(-2.0 * O)) * S, rtol=1e-9, atol=1e-12
    )


def test_latent_maps_without_contrast_score_nothing() -> None:
    assert not AAE().fuse(np.ones((9, 9, 2))).any()


def test_both_rows_score_the_same_latent_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    z = RNG.normal(size=(24, 24, 5))
    trained = LatentTraining(0.0, 1.0, None, z.reshape(-1, 5))
    monkeypatch.setattr(AAERX, "train", lambda self, pixels: trained)
    scene = simulate(24, 24, 20, seed=4)
    rx = global_rx(z.reshape(-1, 5)).reshape(24, 24)
    np.testing.assert_array_equal(AAERX().score(scene), rx.astype(np.float32))
    np.testing.assert_array_equal(AAE().score(scene), AAE().fuse(z).astype(np.float32))


def test_names_do_not_depend_on_what_was_made_before() -> None:
    """TensorFlow's graph optimiser orders by name; other names would be other bits."""
    one, two = (_Autoencoder(6, AAERX(hidden_units=7), np.random.default_rng(0)) for _ in range(2))
    for a, b in ((one.encoder, two.encoder), (one.decoder, two.decoder)):
        assert [w.path for w in a.weights] == [w.path for w in b.weights]
    for a, b in ((one._generate, two._generate), (one._reconstruct, two._reconstruct)):
        assert [v.path for v in a.variables] == [v.path for v in b.variables]


@pytest.mark.slow
def test_the_seed_matters_and_global_random_states_do_not() -> None:
    scene = simulate(24, 24, 20, seed=4)
    tf.random.set_seed(5)
    first, second = tf.random.uniform([]), tf.random.uniform([])
    np_state = np.random.get_state()[1].copy()  # noqa: NPY002
    tf.random.set_seed(5)
    assert tf.random.uniform([]) == first
    score = AAERX(**QUICK).score(scene)
    assert tf.random.uniform([]) == second
    np.testing.assert_array_equal(np.random.get_state()[1], np_state)  # noqa: NPY002
    assert not np.array_equal(AAERX(**QUICK, seed=1).score(scene), score)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("latent_units", 0, "'latent_units' is 0; expected 1 or more"),
        ("hidden_units", 2.5, "'hidden_units' is 2.5; expected a whole number"),
        ("steps", 0, "'steps' is 0"),
        ("batch_size", None, "'batch_size' is None"),
        ("prior_deviation", 0.0, "'prior_deviation' is 0.0; expected a number above 0"),
        ("learning_rate", -1.0, "'learning_rate' is -1.0"),
        ("discriminator_learning_rate", "fast", "'discriminator_learning_rate' is 'fast'"),
        ("angle_weight", -0.1, "'angle_weight' is -0.1; expected 0 or"),
        ("seed", -1, "'seed' is -1"),
        ("device", "tpu", "device 'tpu' is unknown"),
        ("area", 0, "'area' is 0"),
        ("radius", 0, "'radius' is 0"),
        ("guided_eps", 0, "'guided_eps' is 0"),
        ("suppression", np.inf, "'suppression' is inf; expected a finite number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        AAE(**{setting: value})


def test_too_high_a_rate_is_reported_as_divergence() -> None:
    with pytest.raises(TrainingDiverged, match=r"AAE-RX: .*lower the learning rates"):
        AAERX(**QUICK, learning_rate=1e30).score(simulate(24, 24, 20, seed=4))


@pytest.mark.data
def test_anomalies_of_a_real_scene_are_found() -> None:
    """A fraction of the default budget, and no reproduction of a published value."""
    try:
        scene = datasets.load("pavia", download=False)
    except InputError as error:
        pytest.skip(str(error))
    z = AAE(steps=150).train(FilledPixels(scene)).samples.reshape(*scene.shape[:2], 15)
    score = global_rx(z.reshape(-1, 15)).reshape(scene.shape[:2])
    assert metrics.auc_pd_pf(score, scene.truth) > 0.95
    assert metrics.auc_pd_pf(AAE().fuse(z), scene.truth) > 0.95
