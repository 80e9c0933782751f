"""KIFD, Auto-AD and PCA-TLRSR against plain computations, and what they find."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import IsolationForest

from lren_tf import detectors, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors import kifd
from lren_tf.detectors.auto_ad import AutoAD, _Training, weights_of
from lren_tf.detectors.kifd import KernelAxes, grown, isolation
from lren_tf.detectors.parts.skip_autoencoder import skip_autoencoder
from lren_tf.errors import InputError, TrainingDiverged


def drawn() -> np.random.Generator:
    """A generator of the same numbers in every test, whichever ran before it."""
    return np.random.default_rng(6)


def test_isolation_is_the_score_of_an_isolation_forest() -> None:
    points = np.concatenate([drawn().normal(size=(60, 3)), [[9, 9, 9]]]).astype(np.float32)
    found = isolation(grown(points, 50, 32, np.random.default_rng(0)), points)
    seed = int(np.random.default_rng(0).integers(2**31 - 1))
    forest = IsolationForest(n_estimators=50, max_samples=32, random_state=seed).fit(points)
    np.testing.assert_array_equal(found, -forest.score_samples(points))
    assert found.argmax() == 60 and 0 < found.min() < found.max() < 1


def test_kernel_components_are_those_of_the_centred_kernel_matrix() -> None:
    x = drawn().normal(size=(30, 4)) * [1, 10, 100, 1000]
    found = KernelAxes.of(x, 5, 100, np.random.default_rng(0)).components_of(x)
    z = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    squares = ((z[:, None] - z[None]) ** 2).sum(axis=2)
    sigma = np.sqrt(squares)[np.triu_indices(30, 1)].mean()
    K = np.exp(-squares / (2 * sigma**2))
    C = np.eye(30) - 1 / 30
    values, axes = np.linalg.eigh(C @ K @ C)
    expected = axes[:, ::-1][:, :5] * np.sqrt(values[::-1][:5])
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_many_samples_give_the_same_leading_components(monkeypatch) -> None:
    x = np.random.default_rng(7).normal(size=(60, 3))
    dense = KernelAxes.of(x, 4, 60, np.random.default_rng(0)).components_of(x)
    monkeypatch.setattr(kifd, "_DENSE", 50)
    leading = KernelAxes.of(x, 4, 60, np.random.default_rng(0)).components_of(x)
    np.testing.assert_allclose(np.abs(leading), np.abs(dense), rtol=1e-3, atol=1e-4)


def test_spectra_that_are_all_alike_are_refused() -> None:
    x = np.ones((50, 3))
    x[7] = 2
    with pytest.raises(InputError, match="drawn for the kernel are all alike; expected"):
        KernelAxes.of(x, 2, 2, np.random.default_rng(1))


def test_a_region_too_large_is_judged_by_itself() -> None:
    """A fifth of the image stands out as a whole; alone, only its odd pixel does."""
    features = drawn().normal(0, 0.1, size=(400, 2)).astype(np.float32)
    features[:80] += 5
    features[10] += 3
    settings = {"trees": 60, "local_trees": 60, "share": 0.3}
    with_regions = detectors.create("kifd", **settings)
    without = detectors.create("kifd", passes=0, **settings)
    maps = [
        d.detect(features, (20, 20), np.random.default_rng(0)) for d in (with_regions, without)
    ]
    medians = [np.median(m.reshape(-1)[:80]) - np.median(m.reshape(-1)[80:]) for m in maps]
    assert medians[0] < 0.5 * medians[1]
    assert maps[0].reshape(-1)[:80].argmax() == 10


def test_hard_pixels_count_less() -> None:
    weights = weights_of(tf.constant([[1.0, 2.0], [3.0, 5.0]])).numpy()
    np.testing.assert_allclose(weights, [[1, 0.75], [0.5, 0]])
    np.testing.assert_array_equal(weights_of(tf.fill([2, 2], 3.0)), np.ones((2, 2)))


def test_a_loss_is_weighted_and_the_weights_change_when_they_are_due() -> None:
    image = drawn().uniform(size=(6, 5, 3)).astype(np.float32)
    settings = AutoAD(channels=4, scales=2, reweighted_every=2, learning_rate=1e-12)
    training = _Training(image, settings, np.random.default_rng(0))
    for number in range(3):
        made = training._made(tf.constant(number, tf.int64)).numpy()[0]
        r = ((made - image) ** 2).sum(axis=2)
        w = (r.max() - r) / np.ptp(r) if number == 2 else np.ones_like(r)
        loss = training.step(tf.constant(number, tf.int64)).numpy()
        assert loss == pytest.approx((w[..., None] * (made - image) ** 2 * w[..., None]).mean())
        np.testing.assert_allclose(training.weights.numpy(), w, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 7, 3), (9, 6, 3)])
def test_the_network_keeps_the_shape_of_an_image(shape: tuple[int, int, int]) -> None:
    network = skip_autoencoder(shape, 4, 3, np.random.default_rng(0))
    made = network(tf.ones((1, *shape))).numpy()
    assert made.shape == (1, *shape) and (made > 0).all() and (made < 1).all()


def test_too_high_a_rate_is_reported_as_divergence() -> None:
    cube = simulate(8, 9, 5, seed=1).cube
    detector = AutoAD(channels=4, scales=2, steps=60, learning_rate=1e38)
    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        detector.score(cube)


def test_a_training_stops_where_its_loss_no_longer_changes() -> None:
    image = drawn().uniform(size=(6, 5, 3)).astype(np.float32)
    settings = AutoAD(channels=4, scales=2, steps=200, tolerance=1e9)
    training = _Training(image, settings, np.random.default_rng(0))
    training.run()
    assert training.taken == 50


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr], ids=["up", "left"])
def test_pca_tlrsr_of_a_flipped_image_is_the_flipped_map(turn) -> None:
    cube = simulate(14, 12, 8, seed=2).cube.astype(np.float64)
    detector = detectors.create("pca_tlrsr", components=4)
    expected = detector.score(cube)
    tolerance = 1e-4 * expected.max()
    np.testing.assert_allclose(detector.score(turn(cube)), turn(expected), atol=tolerance)
    order = np.random.default_rng(0).permutation(8)
    np.testing.assert_allclose(detector.score(cube[:, :, order]), expected, atol=tolerance)


def test_pca_tlrsr_finds_targets() -> None:
    scene = simulate(32, 32, 24, seed=3)
    score = detectors.create("pca_tlrsr").score(scene)
    assert metrics.evaluate(score, scene.truth)["auc_pd_pf"] > 0.9


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("kifd", "share", 0), ("kifd", "local_share", 1.5), ("kifd", "samples", 1),
        ("auto_ad", "steps", 0), ("auto_ad", "learning_rate", 0),
        ("pca_tlrsr", "pivot", 0), ("pca_tlrsr", "anomaly_weight", -1),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name: str, setting: str, value: float) -> None:
    with pytest.raises(InputError, match=f"setting '{setting}' is .*expected"):
        detectors.create(name, **{setting: value})


def test_kifd_refuses_a_single_pixel() -> None:
    with pytest.raises(InputError, match="has 1 pixel; expected at least 2"):
        detectors.create("kifd")._score(_OnePixel())


class _OnePixel:
    shape, grid = (1, 3), (1, 1)
