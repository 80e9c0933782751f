"""The shared room of the adversarial detectors."""

from __future__ import annotations

from functools import partial
from itertools import islice

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf.detectors.parts import adversarial
from lren_tf.errors import TrainingDiverged

RNG = np.random.default_rng(6)
glorot = keras.initializers.GlorotUniform


def test_scaling_keeps_the_shape_of_spectra() -> None:
    cube = RNG.normal(size=(4, 5, 6))
    unit = adversarial.UnitRange(cube.reshape(20, 6), cube.min(), cube.max())
    pixels = unit[:]
    assert unit.shape == pixels.shape == (20, 6)
    assert pixels.dtype == np.float32 and pixels.min() == 0 and pixels.max() == 1
    span = cube.max() - cube.min()
    np.testing.assert_allclose(
        np.diff(pixels), np.diff(cube.reshape(20, 6)) / span, rtol=1e-4, atol=1e-6
    )


def test_a_network_computes_what_its_weights_say() -> None:
    part = adversarial.network(
        "part", (5, 4, 3, 2), np.random.default_rng(0), weights=glorot, output_activation="tanh"
    )
    for bias in part.weights[1::2]:
        bias.assign(RNG.normal(size=bias.shape))
    x = RNG.normal(size=(7, 5)).astype(np.float32)
    h = x
    for kernel, bias in zip(part.weights[:4:2], part.weights[1:4:2], strict=True):
        h = h @ kernel.numpy() + bias.numpy()
        h = np.where(h > 0, h, 0.2 * h)
    expected = np.tanh(h @ part.weights[4].numpy() + part.weights[5].numpy())
    np.testing.assert_allclose(part(x), expected, rtol=1e-5, atol=1e-6)


def test_the_seed_and_nothing_else_decides_the_weights() -> None:
    make = partial(adversarial.network, "part", (5, 4, 2), weights=glorot)
    one = make(np.random.default_rng(1)).get_weights()
    keras.utils.set_random_seed(99)
    again = make(np.random.default_rng(1)).get_weights()
    other = make(np.random.default_rng(2)).get_weights()
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], other[0])


def test_every_pass_is_another_permutation() -> None:
    batches = list(islice(adversarial._batches(12, 4, np.random.default_rng(0)), 6))
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    np.testing.assert_array_equal(np.sort(first), np.arange(12))
    np.testing.assert_array_equal(np.sort(second), np.arange(12))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("pixels", "size"), [(10, 4), (3, 3)])
def test_training_takes_the_steps_it_was_asked_for(pixels: int, size: int) -> None:
    """More than one call of the compiled loop, and a batch larger than a small scene."""
    taken = tf.Variable(tf.zeros([], tf.int64))

    def step(x: tf.Tensor, number: tf.Tensor) -> list[tf.Tensor]:
        tf.debugging.assert_equal(tf.shape(x), [size, 2])
        tf.debugging.assert_equal(number, taken)
        taken.assign_add(1)
        return [tf.constant(0.0)]

    adversarial.train(
        step,
        np.ones((pixels, 2), np.float32),
        steps=230,
        batch_size=4,
        rng=np.random.default_rng(0),
        title="test",
    )
    assert taken.numpy() == 230


@pytest.mark.parametrize("most", [12, 11, 4])
def test_of_too_many_pixels_a_seeded_sample_is_trained_on(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial, "TRAINED_PIXELS", most)
    pixels = np.arange(12, dtype=np.float32)[:, None]
    seen = tf.Variable(tf.zeros([12], tf.int64))

    def step(x: tf.Tensor, number: tf.Tensor) -> list[tf.Tensor]:
        seen.scatter_nd_add(tf.cast(x, tf.int64), tf.ones([2], tf.int64))
        return [tf.constant(0.0)]

    def counts(seed: int) -> np.ndarray:
        seen.assign(tf.zeros([12], tf.int64))
        adversarial.train(
            step, pixels, steps=most // 2 * 3, batch_size=2, rng=np.random.default_rng(seed),
            title="test",
        )  # fmt: skip
        return seen.numpy()

    first = counts(0)
    assert np.count_nonzero(first) == most and first.max() <= 3
    np.testing.assert_array_equal(counts(0), first)
    if most == 4:
        assert any((counts(seed) != first).any() for seed in (1, 2))


def test_a_loss_that_is_not_finite_ends_training() -> None:
    def step(x: tf.Tensor, number: tf.Tensor) -> list[tf.Tensor]:
        return [tf.constant(1.0), tf.where(number == 150, np.nan, 0.0)]

    with pytest.raises(TrainingDiverged, match=r"AAE: .* between step 101 and step 200 of 300"):
        adversarial.train(
            step,
            np.ones((5, 2), np.float32),
            steps=300,
            batch_size=5,
            rng=np.random.default_rng(0),
            title="AAE",
        )


def test_a_network_that_gives_nan_is_refused() -> None:
    part = adversarial.network("part", (2, 3, 1), np.random.default_rng(0), weights=glorot)
    part.weights[0].assign(np.full((2, 3), np.nan, np.float32))
    with pytest.raises(TrainingDiverged, match="NaN or infinite"):
        adversarial.apply(part, np.ones((4, 2), np.float32), "AAE")


def test_a_network_is_applied_a_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    part = adversarial.network("part", (2, 3, 1), np.random.default_rng(0), weights=glorot)
    pixels = RNG.normal(size=(11, 2)).astype(np.float32)
    whole = adversarial.apply(part, pixels, "AAE")
    monkeypatch.setattr(adversarial, "PIXELS_AT_A_TIME", 4)
    found = adversarial.apply(part, pixels, "AAE")
    assert found.dtype == np.float32 and found.shape == (11, 1)
    np.testing.assert_allclose(found, whole, rtol=1e-6)


def test_prior_samples_depend_on_seed_and_step() -> None:
    draw = partial(adversarial.normal, tf.constant([200, 50]))
    sample = draw(3, tf.constant(8, tf.int64)).numpy()
    np.testing.assert_array_equal(sample, draw(3, tf.constant(8, tf.int64)))
    assert abs(sample.mean()) < 0.05 and abs(sample.std() - 1) < 0.05
    for seed, step in ((3, 9), (4, 8)):
        other = draw(seed, tf.constant(step, tf.int64)).numpy()
        assert abs(np.corrcoef(sample.ravel(), other.ravel())[0, 1]) < 0.05


def test_a_discriminator_learns_the_difference() -> None:
    part = adversarial.network("part", (2, 16, 1), np.random.default_rng(0), weights=glorot)
    optimizer = adversarial.optimizer_for(keras.optimizers.Adam(1e-2), part)
    real = tf.constant(RNG.normal(1.0, 0.3, (64, 2)), tf.float32)
    made = tf.constant(RNG.normal(-1.0, 0.3, (64, 2)), tf.float32)
    logits = part(real).numpy(), part(made).numpy()
    first = adversarial.discriminator_step(part, optimizer, real, made)
    expected = np.log1p(np.exp(-logits[0])).mean() + np.log1p(np.exp(logits[1])).mean()
    np.testing.assert_allclose(first, expected, rtol=1e-5)
    for _ in range(100):
        last = adversarial.discriminator_step(part, optimizer, real, made)
    assert last < 0.1 * first
