"""How much memory a training is estimated to take, and which batches it therefore gets."""

import pytest

from lren_tf import presets
from lren_tf.training import feed


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
