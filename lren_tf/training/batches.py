"""Batches of a training: fixed for all epochs, from memory, from a file, or by number.

A training that fits into memory keeps all its pixels, standardised, as one tensor
(:func:`fixed_batches`). One that does not reads them through
:class:`lren_tf.training.pixel_reader.AlignedPixels`, again in every epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from lren_tf.training.backprop import align
from lren_tf.training.pixel_reader import AlignedPixels


def batch_rows(n: int, batch_size: int | None, batch_seed: int) -> list[np.ndarray]:
    """Return the pixels of every batch: one permutation, cut in order, for all epochs.

    A single batch of all pixels keeps their order, which does not matter there.

    Args:
        n: number of pixels.
        batch_size: pixels per batch; None for all.
        batch_seed: seed of the permutation, drawn as the release draws it.

    Returns:
        Index arrays; the last one may be shorter.
    """
    size = n if batch_size is None else min(batch_size, n)
    order = np.arange(n)
    if size < n:
        np.random.RandomState(batch_seed).shuffle(order)
    return [order[start : start + size] for start in range(0, n, size)]


def sample_rows(n: int, count: int, seed: int) -> np.ndarray:
    """Return the pixels of a sample of a scene, in their order.

    The scene is divided into `count` stretches of consecutive pixels, equal to a pixel, and one
    pixel is drawn of each. So every part of the image has its share, and a file is read from its
    beginning to its end.

    Args:
        n: number of pixels.
        count: number of pixels of the sample, at most n.
        seed: seed of the draws.
    """
    edges = np.arange(count + 1, dtype=np.int64) * n // count
    return np.random.default_rng(seed).integers(edges[:-1], edges[1:])


def split_into_chunks(shares: Sequence[np.ndarray], chunk: int) -> list[list[np.ndarray | slice]]:
    """Split the rows of every share into chunks, the same number for each share.

    Args:
        shares: index arrays, one for each replica.
        chunk: rows in a chunk; the last chunks of a share are shorter, or empty.

    Returns:
        For every share its chunks. Consecutive rows are slices, by which a file is read faster.
    """
    count = max(1, *(-(-len(share) // chunk) for share in shares))
    return [
        [_as_slice(share[start : start + chunk]) for start in range(0, count * chunk, chunk)]
        for share in shares
    ]


def _as_slice(rows: np.ndarray) -> np.ndarray | slice:
    consecutive = len(rows) and bool((np.diff(rows) == 1).all())
    return slice(int(rows[0]), int(rows[-1]) + 1) if consecutive else rows


def fixed_batches(x: np.ndarray, batch_size: int | None, batch_seed: int) -> tf.data.Dataset:
    """Batches of pixels in memory, the same in every epoch.

    Args:
        x: standardised pixels ``[N, U]``.
        batch_size, batch_seed: as for :func:`batch_rows`.

    Returns:
        Dataset of aligned rows ``[n, P]`` float32 (:mod:`lren_tf.training.backprop`).
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


def read_batches(pixels: AlignedPixels, plan: Sequence[np.ndarray]) -> tf.data.Dataset:
    """The same batches, read again from their file in every epoch.

    Args:
        pixels: all pixels of the training.
        plan: indices of every batch, from :func:`batch_rows`.
    """

    def batches() -> Iterator[np.ndarray]:
        yield from pixels.chunks(plan)

    kind = tf.TensorSpec((None, pixels.width), tf.float32)
    batched = tf.data.Dataset.from_generator(batches, output_signature=kind)
    return _untuned(batched.apply(tf.data.experimental.assert_cardinality(len(plan))))


def numbered(count: int) -> tf.data.Dataset:
    """Numbers 0 to count − 1 of batches, for a step that reads the pixels itself."""
    return _untuned(tf.data.Dataset.range(count))


def _untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Turn off autotuning, which has nothing to tune here.

    At the end of an epoch it can wait as long as the last step took: an epoch of one step then
    takes twice its time.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
