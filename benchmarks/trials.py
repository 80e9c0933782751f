"""What was tried to bring the training step nearer to the limit, each beside the step as it is.

Every trial changes one thing of the compiled ``train_step`` of the preset ``paper`` on 10,000
pixels of 189 bands; it is timed in turn with the step and with a 2048² float32 matrix product,
so that all meet the same machine. What was expected of it was written down before it was run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.operations import SIDE, operations_per_pixel
from benchmarks.record import keep, print_table
from benchmarks.scenes import epoch_seconds, median_seconds
from lren_tf import LREN
from lren_tf.training import backprop, losses
from lren_tf.training.batches import fixed_batches

PIXELS, BANDS = 10_000, 189
ROUNDS = 9
ONE_CORE = "one core for an operation"
"""The trial that needs a process of its own."""
STEP_ALONE = "--step-alone"
"""Argument with which the step alone is measured and its seconds printed."""

EXPECTED = {
    "one slice": "activations of 16 MB leave the cache between operations: 10 % slower",
    "two slices": "8 MB do not fit either: 5 % slower",
    "four slices": "4 MB fit: equal",
    "sixteen slices": "half the length, twice the operations to start: equal",
    "XLA": "biases, tanh and residual become one pass each, 4 ms of 50; its products are "
    "Eigen's as well: 5 % faster",
    "gradient tape": "the step as Keras users write it, layers and a tape: sums of biases, copies "
    "of the residual and a loss of its own, 10 ms: 20 % slower",
    ONE_CORE: "two slices at a time, each of which stays in the cache of a core "
    "instead of being shared by both: 10 % faster",
    "no density": "what is left if the mixture cost nothing, 5 ms: 10 % faster",
    "products alone": "the eleven products of the autoencoder, nothing between them: the best that "
    "these shapes allow, 85 to 90 % of the limit",
    "bfloat16 products": "without units for it (AMX, AVX512_BF16) it is widened and rounded in "
    "software: slower; with them, twice as fast",
}
"""What was expected of each trial, before it was run."""

Step = Callable[[tf.Tensor], tf.Tensor]


@contextmanager
def _slices(count: int) -> Iterator[None]:
    before = backprop._MOST_SLICES, backprop._SLICE
    backprop._MOST_SLICES, backprop._SLICE = count, PIXELS // count
    try:
        yield
    finally:
        backprop._MOST_SLICES, backprop._SLICE = before


def _compiled(model: LREN, batch: tf.Tensor, jit: bool = False) -> Step:
    step = tf.function(lambda x: model.train_step(x)["loss"], jit_compile=jit)
    step(batch)
    return step


def _tape(model: LREN, batch: tf.Tensor) -> Step:
    """The same losses through Keras layers and a gradient tape."""
    network = model.network()
    variables = network.variables
    names = ("encoder_hidden", "encoder_latent", "decoder_hidden", "decoder_output")
    layers = [getattr(model, name) for name in names]

    @tf.function
    def step(x: tf.Tensor) -> tf.Tensor:
        pixels = x[:, :BANDS]
        with tf.GradientTape() as tape:
            z = layers[1](layers[0](pixels))
            x_hat = layers[3](layers[2](z))
            loss = tf.reduce_mean(tf.reduce_sum(tf.square(pixels - x_hat), axis=1))
            loss += losses.density_terms(model.network(), z)[0]
        gradients = tape.gradient(loss, [v.value for v in variables])
        model.optimizer.apply(gradients, variables)
        return loss

    step(batch)
    return step


def _without_density(model: LREN, batch: tf.Tensor) -> Step:
    @tf.function
    def step(x: tf.Tensor) -> tf.Tensor:
        found = losses.mapping_losses(model.network(), x)
        variables = model.trainable_variables
        moving = [
            tf.reshape(gradient, variable.shape)
            for gradient, variable in zip(found.gradients, variables, strict=False)
        ]
        still = map(tf.zeros_like, variables[len(moving) :])
        model.optimizer.apply([*moving, *still], variables)
        return found.terms.loss

    step(batch)
    return step


def _products(dtype: tf.DType, hidden: int, latent: int) -> Step:
    """The eleven products of the autoencoder's way forward and back, and nothing else."""

    def matrix(rows: int, columns: int) -> tf.Tensor:
        return tf.cast(tf.random.normal((rows, columns)), dtype)

    width = backprop.aligned_width(BANDS)
    x, residual = matrix(PIXELS, width), matrix(PIXELS, width)
    h, dh, g, dg = (matrix(PIXELS, hidden) for _ in range(4))
    z, dz = matrix(PIXELS, latent), matrix(PIXELS, latent)
    K1, K4 = matrix(width, hidden), matrix(hidden, width)
    K2, K3 = matrix(hidden, latent), matrix(latent, hidden)

    @tf.function
    def run(_: tf.Tensor) -> tf.Tensor:
        # All factors differ, lest one product serve for two.
        found = [
            tf.matmul(x, K1), tf.matmul(h, K2), tf.matmul(z, K3), tf.matmul(g, K4),
            tf.matmul(residual, K4, transpose_b=True), tf.matmul(g, residual, transpose_a=True),
            tf.matmul(dg, K3, transpose_b=True), tf.matmul(z, dg, transpose_a=True),
            tf.matmul(dz, K2, transpose_b=True), tf.matmul(h, dz, transpose_a=True),
            tf.matmul(x, dh, transpose_a=True),
        ]  # fmt: skip
        return tf.add_n([tf.cast(each[0, 0], tf.float32) for each in found])

    return run


def _one_core_seconds() -> float:
    """The step in a process that gives an operation one core and runs as many at a time."""
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": str(os.cpu_count())}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.trials", STEP_ALONE],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | threads,
    )
    return float(done.stdout.split()[-1])


def trials(model: LREN, batch: tf.Tensor) -> dict[str, Step]:
    """The step as it is under ``"here"``, and every trial."""
    hidden, latent = model.settings.hidden_units, model.settings.latent_units
    made: dict[str, Step] = {"here": _compiled(model, batch)}
    counts = {"one slice": 1, "two slices": 2, "four slices": 4, "sixteen slices": 16}
    for name, count in counts.items():
        with _slices(count):
            made[name] = _compiled(model, batch)
    made["XLA"] = _compiled(model, batch, jit=True)
    made["gradient tape"] = _tape(model, batch)
    made["no density"] = _without_density(model, batch)
    made["products alone"] = _products(tf.float32, hidden, latent)
    made["bfloat16 products"] = _products(tf.bfloat16, hidden, latent)
    return made


def _prepared() -> tuple[LREN, tf.Tensor, list[float]]:
    """A model, the batch of its step, and the seconds of its epochs."""
    pixels = np.random.default_rng(0).normal(size=(PIXELS, BANDS)).astype(np.float32)
    model, epochs = epoch_seconds(pixels, 40, None)
    with tf.device(model.device):
        return model, next(iter(fixed_batches(pixels, None, 0))), epochs


def step_alone() -> None:
    """Print the seconds of the step as it is."""
    model, batch, _ = _prepared()
    with tf.device(model.device):
        step = _compiled(model, batch)
        print(median_seconds(lambda: step(batch).numpy(), 3 * ROUNDS))


def main() -> None:
    """Measure, print and write ``benchmarks/results/trials.json``."""
    alone = [_one_core_seconds() for _ in range(3)]
    model, batch, epochs = _prepared()
    with tf.device(model.device):
        matrix = tf.random.normal((SIDE, SIDE))
        product = tf.function(tf.matmul)
        made = trials(model, batch)
        calls = {name: lambda step=step: step(batch).numpy() for name, step in made.items()}
        calls["limit"] = lambda: product(matrix, matrix)[0, 0].numpy()
        for call in calls.values():
            median_seconds(call, 3)
        rounds = [
            {name: median_seconds(call, 3) for name, call in calls.items()} for _ in range(ROUNDS)
        ]
    for i, each in enumerate(rounds):
        each[ONE_CORE] = alone[i % len(alone)]
    counted = PIXELS * operations_per_pixel(BANDS, model.settings)
    limit = 2 * SIDE**3
    record: dict[str, Any] = {
        "benchmark": "trials", "preset": "paper", "pixels": PIXELS, "bands": BANDS,
        "device": model.device, "matrix_product_gflop_per_s":
        limit / float(np.median([each["limit"] for each in rounds])) / 1e9,
        "epoch_of_fit_ms": 1e3 * float(np.median(epochs)), "trials": {},
    }  # fmt: skip
    for name in ["here", *EXPECTED]:
        times = [each[name] for each in rounds]
        shares = [counted / each[name] * each["limit"] / limit for each in rounds]
        record["trials"][name] = {
            "expected": EXPECTED.get(name),
            "ms": 1e3 * float(np.median(times)),
            "share": float(np.median(shares)),
            "of_here": float(np.median([each[name] / each["here"] for each in rounds])),
        }
    print_table(
        "trials around the training step",
        [
            (name, f"{each['ms']:.1f} ms, {each['share']:.0%} of the limit, {each['of_here']:.2f}")
            for name, each in record["trials"].items()
        ]
        + [("an epoch of fit", f"{record['epoch_of_fit_ms']:.1f} ms")],
    )
    keep(record)


if __name__ == "__main__":
    if STEP_ALONE in sys.argv[1:]:
        step_alone()
    else:
        main()
