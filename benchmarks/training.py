"""Share of the machine's float32 matrix-product rate that a training step reaches.

The step is the compiled ``train_step`` of the preset ``paper``, optimiser and trackers
included, on 10,000 pixels of 189 bands (the size of SanDiego) as one batch. The limit is a
2048 × 2048 × 2048 float32 matrix product, timed in turn with the step so that both meet
the same machine. The product of the first layer alone, 10,000 × 189 by 189 × 400, is timed
too: it shows what the step's own shapes allow.

What is counted is said in ``benchmarks/operations.py``.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.operations import SIDE, operations_per_pixel
from benchmarks.record import keep, print_table
from benchmarks.scenes import median_seconds
from lren_tf import LREN
from lren_tf.training.batches import fixed_batches

PIXELS, BANDS = 10_000, 189
ROUNDS = 15


def main() -> None:
    """Measure, print and write ``benchmarks/results/training.json``."""
    pixels = np.random.default_rng(0).normal(size=(PIXELS, BANDS)).astype(np.float32)
    model = LREN("paper")
    model.fit(pixels, epochs=2, verbose=0)
    with tf.device(model.device):
        batch = next(iter(fixed_batches(pixels, None, 0)))
        step = tf.function(model.train_step, jit_compile=False)
        matrix = tf.random.normal((SIDE, SIDE))
        product = tf.function(tf.matmul)

        def run_step() -> None:
            step(batch)["loss"].numpy()

        def run_product() -> None:
            product(matrix, matrix)[0, 0].numpy()

        kernel = model.encoder_hidden.kernel.value
        raw = tf.convert_to_tensor(pixels)

        def run_layer() -> None:
            product(raw, kernel)[0, 0].numpy()

        calls = (run_product, run_step, run_layer)
        for call in calls:
            median_seconds(call, 5)
        rounds = [tuple(median_seconds(call, 5) for call in calls) for _ in range(ROUNDS)]
    operations = PIXELS * operations_per_pixel(BANDS, model.settings)
    limits = [2 * SIDE**3 / product_time for product_time, _, _ in rounds]
    rates = [operations / step_time for _, step_time, _ in rounds]
    layer = 2 * PIXELS * BANDS * model.settings.hidden_units
    layers = [layer / layer_time for _, _, layer_time in rounds]
    shares = [rate / limit for rate, limit in zip(rates, limits, strict=True)]
    record = {
        "benchmark": "training",
        "pixels": PIXELS,
        "bands": BANDS,
        "preset": "paper",
        "device": model.device,
        "counted_gflop": operations / 1e9,
        "matrix_product_gflop_per_s": float(np.median(limits)) / 1e9,
        "first_layer_gflop_per_s": float(np.median(layers)) / 1e9,
        "step_ms": 1e3 * float(np.median([step_time for _, step_time, _ in rounds])),
        "share": {
            "median": float(np.median(shares)),
            "min": min(shares),
            "max": max(shares),
            "rounds": shares,
        },
    }
    print_table(
        "training step against matrix product",
        [
            ("counted arithmetic", f"{record['counted_gflop']:.2f} GFLOP"),
            (f"matrix product {SIDE}²", f"{record['matrix_product_gflop_per_s']:.0f} GFLOP/s"),
            ("first layer's product", f"{record['first_layer_gflop_per_s']:.0f} GFLOP/s"),
            ("step, median", f"{record['step_ms']:.1f} ms"),
            ("share, median of rounds", f"{np.median(shares):.1%}"),
            ("share, smallest and largest", f"{min(shares):.1%} to {max(shares):.1%}"),
        ],
    )
    keep(record)


if __name__ == "__main__":
    main()
