"""What surrounds a training step: the optimiser, the fixed batches, progress, divergence."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.errors import TrainingDiverged
from lren_tf.settings import Settings
from lren_tf.training.backprop import align
from lren_tf.training.pixel_reader import AlignedRows, batch_rows


def make_optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """Optimiser of the settings.

    Keras' Adam takes lr·√(1−β2ᵗ)/(1−β1ᵗ)·m/(√v + ε), which is where TensorFlow 1 puts ε;
    only the value differs from its default.
    """
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(settings.learning_rate)
    return keras.optimizers.Adam(
        settings.learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8
    )


def fixed_batches(
    x: np.ndarray, batch_size: int | None, batch_seed: int
) -> tf.data.Dataset:
    """The same batches in every epoch: one permutation, cut in order, the last one short.

    Batches are aligned rows (see :mod:`lren_tf.training.backprop`).

    With one batch for all pixels the order does not matter and is left alone.

    Args:
        x: standardised pixels ``[N, U]``.
        batch_size: pixels per batch; None for all.
        batch_seed: seed of the permutation, see :func:`lren_tf.training.pixel_reader.batch_rows`.
    """
    n = len(x)
    plan = batch_rows(n, batch_size, batch_seed)
    size = len(plan[0])
    if size < n:
        x = x[np.concatenate(plan)]
    # Slices of one tensor: neither a copy per epoch nor a constant inside the graph.
    with tf.device("/CPU:0"):
        pixels = tf.convert_to_tensor(align(x))
    if size == n:  # one element, so that the graph knows how long a batch is
        return _untuned(tf.data.Dataset.from_tensors(pixels))
    starts = tf.data.Dataset.range(0, n, size)
    return _untuned(starts.map(lambda start: pixels[start : start + size]))


def read_batches(rows: AlignedRows, plan: Sequence[np.ndarray]) -> tf.data.Dataset:
    """The same batches, read from their file again in every epoch.

    Args:
        rows: of all pixels.
        plan: rows of every batch.
    """

    def batches() -> Iterator[np.ndarray]:
        yield from rows.chunks(plan)

    kind = tf.TensorSpec((None, rows.width), tf.float32)
    batched = tf.data.Dataset.from_generator(batches, output_signature=kind)
    return _untuned(batched.apply(tf.data.experimental.assert_cardinality(len(plan))))


def numbered(count: int) -> tf.data.Dataset:
    """Numbers of batches, for a step that reads their rows itself."""
    return _untuned(tf.data.Dataset.range(count))


def _untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Without autotuning, which has nothing to tune here.

    At the end of an epoch it can wait as long as the last step took: an epoch of one step then
    takes twice its time.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


class StopOnFault(keras.callbacks.Callback):
    """Ends training when a step found a non-finite loss or gradient.

    The step itself has already refused to touch the weights.

    Args:
        fault: variable the step writes: 0 sound, 1 no single component, 2 + k component k.
    """

    def __init__(self, fault: tf.Variable) -> None:
        super().__init__()
        self._fault = fault
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        fault = int(self._fault.numpy())
        if not fault:
            return
        where = "no single mixture component" if fault == 1 else f"mixture component {fault - 2}"
        raise TrainingDiverged(
            f"the loss or a gradient became NaN or infinite in epoch {self._epoch + 1} "
            f"({where} to blame); the weights of the last finite step are kept: lower "
            "learning_rate, raise covariance_floor, or use mixture_dtype='float64'."
        )


class SecondPart(keras.callbacks.Callback):
    """Switches a training in two parts to its second one, with a new optimiser.

    Args:
        second: variable that the step looks at.
        first_epoch: epoch that the second part begins with.
    """

    def __init__(self, second: tf.Variable, first_epoch: int) -> None:
        super().__init__()
        self._second = second
        self._first_epoch = first_epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._second.assign(epoch >= self._first_epoch)
        if epoch == self._first_epoch:
            used = self.model.optimizer
            fresh = type(used).from_config(used.get_config())
            fresh.build(self.model.trainable_variables)
            for variable, start in zip(used.variables, fresh.variables, strict=True):
                variable.assign(start)


class EpochProgress(keras.callbacks.Callback):
    """One progress bar over all epochs on a terminal, two plain lines elsewhere.

    Keras' own bar starts anew in every epoch, which for 1000 epochs is 2000 lines.

    Args:
        what: the work, for the lines.
        epochs: how many there are.
    """

    def __init__(self, what: str, epochs: int) -> None:
        super().__init__()
        self._what = what
        self._epochs = epochs
        self._bar: keras.utils.Progbar | None = None
        self._last: tuple[int, list[tuple[str, float]]] | None = None
        self._start = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._start = time.perf_counter()
        self._last = None
        print(f"{self._what}: {self._epochs} epochs", flush=True)
        if sys.stdout.isatty():
            self._bar = keras.utils.Progbar(self._epochs, unit_name="epoch", interval=0.2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self._last = epoch + 1, list(logs.items())
        if self._bar is not None:
            self._bar.stateful_metrics.update(logs)
            self._bar.update(*self._last, finalize=False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._bar is not None:
            # Updates closer than the interval are skipped; the last one has to be seen.
            if self._last is not None:
                self._bar.update(*self._last, finalize=True)
            return
        if self._last is None:  # nothing was left to train
            return
        loss = (logs or {}).get("loss")
        seconds = time.perf_counter() - self._start
        ending = "" if loss is None else f", loss {loss:.6g}"
        print(f"{self._what}: trained in {seconds:.1f} s{ending}", flush=True)
