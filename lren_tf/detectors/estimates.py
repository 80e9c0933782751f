"""Estimates of the time and the memory that a detector takes for a scene, for plans.

They are for planning, not for refusing. Times are those of runs on two cores that this project
has on record, in proportion to the size; most are right within a factor of three on such a
machine. Memory is counted from arrays (:mod:`lren_tf.detectors.working_memory`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lren_tf import presets
from lren_tf.detectors.working_memory import Size, needed_bytes
from lren_tf.runtime.memory import fits
from lren_tf.runtime.startup import quiet_start
from lren_tf.settings import Settings

RULE = (
    "an estimate: times on record of two cores, in proportion to the size; memory counted from "
    "arrays, beside the program and the scene itself"
)
"""Origin of the numbers, for whoever reads them."""

SECONDS: Mapping[str, float] = {
    "rx": 0.086,
    "lrx": 0.30,
    "crd": 0.80,
    "aed": 0.13,
    "adlr": 9.3,
    "pab_dc": 5.2,
    "aae_rx": 18.0,
    "aae": 16.0,
    "hadgan": 16.0,
    "lsdm_mog": 1.3,
    "kifd": 3.7,
    "auto_ad": 87.0,
    "pca_tlrsr": 2.6,
}
"""Seconds per million values (pixels × bands) with the defaults: medians of the runs in
``experiments/results/comparison``, ``comparators`` and ``recent_methods``."""

BATCH_RATE = 34e9
"""Counted operations per second of a training in batches, with what follows it: the runs of
``robust`` in ``experiments/results/evidence``."""
WHOLE_RATE = 174e9
"""Counted operations per second of a training with all pixels in a step:
``benchmarks/results/scaling.json``."""
START_SECONDS = 6.0
"""Seconds until TensorFlow is imported and a network is traced: the smallest scene of
``benchmarks/results/memory.json`` without its training."""
NETWORKS = frozenset({"aae_rx", "aae", "hadgan", "auto_ad"})
"""Detectors other than LREN that need them."""
SECONDS_PER_PIXEL = {"residual": 28e-6, "energy": 30e-6, "evidence": 25e-6}
"""Seconds of a pixel after the training. ``residual``: the largest scene of
``benchmarks/results/memory.json`` without its training; ``evidence``: the large scene of
``benchmarks/results/robust.json`` less its training at `BATCH_RATE`."""
BYTES_PER_PIXEL = {"residual": 430, "energy": 430, "evidence": 1240}
"""Bytes of a pixel after the training: arrays of the solver (six of l float64), or the peak of
the large scene of ``benchmarks/results/robust.json`` less what follows."""


START_BYTES = 64_000_000
"""Bytes of LREN whatever the scene: graphs, threads, weights. With the next two in agreement with
``benchmarks/results/small_scenes.json``."""
CHUNK_BYTES_PER_PIXEL, CHUNK_PIXELS = 17_000, 1 << 14
"""Bytes of a pixel among those that pass through the networks at a time, and how many these are."""


class Estimate(NamedTuple):
    """Time and memory of a detection."""

    seconds: float | None
    """None where no run of the detector is on record."""
    bytes: int | None
    """Beside the program and the scene; None where the arrays are not known."""


def estimate(
    detector: str,
    size: Size,
    settings: Mapping[str, Any] | Settings,
    *,
    memory_limit: int | None = None,
    trained: bool = False,
) -> Estimate:
    """Return the time and memory that a detector may take for a scene.

    Args:
        detector: its name in the registry.
        size: of the scene, with the bands in use.
        settings: of the detector, by name; of LREN also as :class:`lren_tf.settings.Settings`.
        memory_limit: bytes that a training may take; None for half of what is free.
        trained: True of a model of LREN that is trained already.
    """
    if isinstance(settings, Settings):
        return _of_lren(size, settings, memory_limit, trained)
    if detector == "lren":
        resolved = presets.resolve(
            settings["preset"], **{**settings["settings"], "seed": settings["seed"]}
        )
        return _of_lren(size, resolved, memory_limit, trained)
    rate = SECONDS.get(detector)
    values = size.pixels * size.bands / 1e6
    start = START_SECONDS if detector in NETWORKS else 0.0
    return Estimate(
        None if rate is None else start + rate * values, needed_bytes(detector, size, settings)
    )


def operations(bands: int, settings: Settings) -> int:
    """Floating-point operations of the layers' matrix products, per pixel and epoch.

    They are 6·P − 2·L·H of every member, with P the weights of its layers, L bands and H hidden
    units: two per multiplication and addition, three products per layer, no gradient of the input.
    """
    s = settings
    weights = 2 * (bands * s.hidden_units + s.hidden_units * s.latent_units)
    weights += s.latent_units * s.estimator_units + s.estimator_units * s.components
    return s.members * (6 * weights - 2 * bands * s.hidden_units)


def _of_lren(
    size: Size, settings: Settings, memory_limit: int | None, trained: bool
) -> Estimate:
    s = settings
    scoring = "evidence" if s.fuses_evidence else s.scoring
    seconds = START_SECONDS + SECONDS_PER_PIXEL[scoring] * size.pixels
    taken = float(BYTES_PER_PIXEL[scoring] * size.pixels)
    taken += CHUNK_BYTES_PER_PIXEL * min(size.pixels, CHUNK_PIXELS)
    if trained:
        return Estimate(seconds, START_BYTES + int(taken))
    learned = size.pixels
    if s.training_pixels is not None:
        learned = min(learned, s.training_pixels)
    rate = WHOLE_RATE if s.batch_size is None else BATCH_RATE
    seconds += operations(size.bands, s) * learned * s.total_epochs / rate
    training = _training_bytes(learned, size.bands, s, memory_limit)
    return Estimate(seconds, START_BYTES + int(max(taken, training)))


def _training_bytes(pixels: int, bands: int, settings: Settings, memory_limit: int | None) -> int:
    """Bytes of the feed that the training would choose (:mod:`lren_tf.training.feed`)."""
    with quiet_start():  # of TensorFlow
        from lren_tf.training.chunked_step import CHUNK
        from lren_tf.training.feed import kept_bytes, training_bytes

    held = training_bytes(pixels, bands, settings)
    if fits(held, memory_limit):
        return held
    kept = kept_bytes(pixels, bands, settings, CHUNK)
    return kept if fits(kept, memory_limit) else training_bytes(CHUNK, bands, settings)
