"""How the time of a training grows with pixels and with bands.

The preset ``paper`` trains for a few epochs on simulated scenes that lie on disk: 200 bands and
10⁴, 10⁵ and 10⁶ pixels, then 10⁴ pixels and 50 to 400 bands. All but the largest scene are held
in memory; that one has a memory limit of 2 GiB, so that its steps go a chunk at a time
(``lren_tf/training/chunked_step.py``). The scene of 10⁴ pixels is measured before and after
every other one, so that a drift in the machine's speed does not look like growth. The rate of a
2048² float32 matrix product, measured with each case, is the limit.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.operations import operations_per_pixel, product_rate
from benchmarks.record import keep, print_table
from benchmarks.scenes import epoch_seconds, scene_on_disk

SIDE, BANDS = 100, 200
"""Of the scene that all others are compared with."""
PIXELS = ((316, 12, None), (316, 12, "500MB"), (1000, 5, "2GiB"))
"""Side, epochs and memory limit of scenes with `BANDS` bands."""
BAND_COUNTS = (50, 100, 200, 400)
EPOCHS = 40


def measure(path: Path, side: int, bands: int, epochs: int, limit: str | None) -> dict[str, Any]:
    """One training: seconds per pixel and epoch, and the share of the limit."""
    model, seconds = epoch_seconds(path, epochs, limit)
    pixels = side * side
    counted = pixels * operations_per_pixel(bands, model.settings)
    rate = product_rate()
    return {
        "pixels": pixels,
        "bands": bands,
        "memory_limit": limit,
        "epoch_s": seconds,
        "us_per_pixel_and_epoch": 1e6 * float(np.median(seconds)) / pixels,
        "counted_flop_per_pixel": counted / pixels,
        "matrix_product_gflop_per_s": rate / 1e9,
        "share": counted / float(np.median(seconds)) / rate,
    }


def main() -> None:
    """Measure, print and write ``benchmarks/results/scaling.json``."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)

        def small() -> dict[str, Any]:
            return measure(scene_on_disk(place, SIDE, BANDS), SIDE, BANDS, EPOCHS, None)

        before = small()
        plan = [(side, BANDS, epochs, limit) for side, epochs, limit in PIXELS]
        plan += [(SIDE, bands, EPOCHS, None) for bands in BAND_COUNTS]
        for side, bands, epochs, limit in plan:
            tf.keras.backend.clear_session()
            case = measure(scene_on_disk(place, side, bands), side, bands, epochs, limit)
            after = small()
            beside = [each["us_per_pixel_and_epoch"] for each in (before, after)]
            case["beside_us"] = beside
            case["ratio"] = case["us_per_pixel_and_epoch"] / float(np.mean(beside))
            cases.append(case)
            before = after
            print_table(
                f"{case['pixels']} pixels × {bands} bands, memory limit {limit}",
                [
                    ("per pixel and epoch", f"{case['us_per_pixel_and_epoch']:.2f} µs"),
                    (f"that of {SIDE}² pixels × {BANDS} bands", f"{np.mean(beside):.2f} µs"),
                    ("ratio", f"{case['ratio']:.2f}"),
                    ("share of the matrix product's rate", f"{case['share']:.0%}"),
                ],
            )
    keep({"benchmark": "scaling", "preset": "paper", "side": SIDE, "bands": BANDS, "cases": cases})


if __name__ == "__main__":
    main()
