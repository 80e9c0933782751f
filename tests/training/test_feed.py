"""How much memory a training is estimated to take, and which batches it therefore gets."""

import numpy as np
import pytest

from lren_tf import presets
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.runtime.workers import Workers
from lren_tf.training import feed
from lren_tf.training.batches import sample_rows


def test_a_training_takes_what_grows_with_its_batch():
    whole = presets.resolve("paper")
    batches = presets.resolve("paper", batch_size=1000)
    pixels, bands = 100_000, 200
    held = 4 * pixels * (bands + 208)  # rows, and rows aligned to 208 columns
    assert feed.training_bytes(pixels, bands, batches) - held == pytest.approx(
        (feed.training_bytes(pixels, bands, whole) - held) / 100
    )
    # The activations of 400 units, three layers, float32: the least that a batch can take.
    assert feed.training_bytes(pixels, bands, whole) > held + 4 * pixels * 3 * 400


def test_keeping_the_pixels_takes_less_than_holding_everything():
    settings = presets.PRESETS["paper"]
    whole = feed.training_bytes(1_000_000, 200, settings)
    kept = feed.kept_bytes(1_000_000, 200, settings, 16384)
    assert 4 * 200 * 1_000_000 < kept < whole / 5
    # Twice the pixels take what those pixels are kept in.
    more = feed.kept_bytes(2_000_000, 200, settings, 16384) - kept
    assert more == 4 * 1_000_000 * (208 + 2 * settings.latent_units)


@pytest.mark.parametrize(
    ("limit", "batch_size", "by_chunks", "in_memory"),
    [(None, None, False, True), (1, 10, False, False), (1, None, True, False)],
)
def test_the_feed_follows_the_memory(limit, batch_size, by_chunks, in_memory, monkeypatch):
    monkeypatch.setattr(feed, "CHUNK", 20)
    x = np.random.default_rng(0).normal(size=(30, 4))
    pixels, scaler = PixelMatrix(x), fit_scaler(x, "zscore")
    chosen = feed.choose_feed(
        pixels,
        scaler,
        presets.resolve("paper", batch_size=batch_size),
        network=list,
        optimizer=None,
        workers=Workers(),
        memory_limit=limit,
    )
    assert (chosen.chunked_step is not None) == by_chunks
    assert isinstance(chosen.standardised, np.ndarray) == in_memory
    np.testing.assert_array_equal(chosen.standardised[:], standardise(pixels, scaler))
    batches = [batch.numpy() for batch in chosen.batches]
    if by_chunks:
        assert [int(number) for number in batches] == [0]
    else:
        assert [len(batch) for batch in batches] == ([10] * 3 if batch_size else [30])


@pytest.mark.parametrize("limit", [None, 1])
def test_of_a_large_scene_a_sample_is_trained_on_and_all_is_learned_from(limit):
    x = np.random.default_rng(0).normal(size=(6, 5, 4))
    pixels = PixelMatrix(x, np.arange(30).reshape(6, 5) != 3)
    scaler = fit_scaler(pixels, "zscore")
    settings = presets.resolve("robust", batch_size=4, training_pixels=8)
    chosen = feed.choose_feed(
        pixels, scaler, settings, network=list, optimizer=None, workers=Workers(),
        memory_limit=limit,
    )  # fmt: skip
    np.testing.assert_array_equal(chosen.standardised[:], standardise(pixels, scaler))
    batches = [batch.numpy() for batch in chosen.batches]
    assert [len(batch) for batch in batches] == [4, 4]
    rows = sample_rows(29, 8, settings.batch_seed)
    expected = standardise(pixels[rows], scaler)
    found = np.concatenate(batches)[:, :4]
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), atol=1e-6)
    everything = feed.choose_feed(
        pixels, scaler, presets.resolve("robust", batch_size=4, training_pixels=29),
        network=list, optimizer=None, workers=Workers(), memory_limit=limit,
    )  # fmt: skip
    assert sum(len(batch) for batch in everything.batches) == 29
