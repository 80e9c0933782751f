"""How much memory there is, and how much a training is held to take."""

from __future__ import annotations

import pytest

from lren_tf import presets
from lren_tf.runtime import memory


def test_free_memory_is_less_than_what_the_machine_has():
    free = memory.free_memory()
    if free is None:
        pytest.skip("this system does not say how much memory is free")
    assert 2**20 < free < 2**50


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("3000000\n")
    (tmp_path / "current").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    files = [(tmp_path / "max", tmp_path / "current"), (tmp_path / "none", tmp_path / "current")]
    monkeypatch.setattr(memory, "_CGROUPS", files)
    assert memory.free_memory() == 2_000_000


def test_half_of_what_is_free_by_itself(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert memory.fits(500, None)
    assert not memory.fits(501, None)
    assert memory.fits(900, 900)
    assert not memory.fits(901, 900)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert memory.fits(10**18, None)  # where nobody knows, nothing is held back


def test_a_training_takes_what_grows_with_its_batch():
    whole = presets.resolve("paper")
    batches = presets.resolve("paper", batch_size=1000)
    pixels, bands = 100_000, 200
    held = 4 * pixels * (bands + 208)  # rows, and rows aligned to 208 columns
    assert memory.training_bytes(pixels, bands, batches) - held == pytest.approx(
        (memory.training_bytes(pixels, bands, whole) - held) / 100
    )
    # The activations of 400 units, three layers, float32: the least that a batch can take.
    assert memory.training_bytes(pixels, bands, whole) > held + 4 * pixels * 3 * 400


def test_keeping_the_pixels_takes_less_than_holding_everything():
    settings = presets.PRESETS["paper"]
    whole = memory.training_bytes(1_000_000, 200, settings)
    kept = memory.kept_bytes(1_000_000, 200, settings, 16384)
    assert 4 * 200 * 1_000_000 < kept < whole / 5
    # Twice the pixels take what those pixels are kept in.
    more = memory.kept_bytes(2_000_000, 200, settings, 16384) - kept
    assert more == 4 * 1_000_000 * (208 + 2 * settings.latent_units)
