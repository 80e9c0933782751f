"""All pixels of a scene through the network, a chunk at a time, outside training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.runtime.workers import Workers
from lren_tf.training.batches import split_into_chunks
from lren_tf.training.pixel_reader import StandardisedPixels

CHUNK = 16384
"""Pixels passed through the network at a time: 26 MB of activations in a layer of 400 units."""


def embed_all(
    embed: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    pixels: np.ndarray | StandardisedPixels,
    workers: Workers,
) -> tuple[np.ndarray, np.ndarray]:
    """Return latent samples and responsibilities of all pixels.

    Every replica passes its share through the network; every process gets all results.

    Args:
        embed: maps standardised pixels ``[n, U]`` to ``[n, l]`` and ``[n, k]``.
        pixels: standardised pixels ``[N, U]``.
        workers: processes and devices that share the work.

    Returns:
        ``[N, l]`` and ``[N, k]``, float32.
    """
    if workers.replicas == 1:
        return _embed_alone(embed, pixels, workers)
    chunks = split_into_chunks(workers.shares(np.arange(len(pixels))), CHUNK)
    passed = tf.function(embed)
    by_replica: list[list[Any]] = [[] for _ in chunks]
    for parts in zip(*chunks, strict=True):
        results = workers.run(passed, [pixels[rows] for rows in parts])
        for of_replica, result in zip(by_replica, results, strict=True):
            of_replica.append(result)
    z, beta = (
        workers.gathered([[result[i] for result in of_replica] for of_replica in by_replica])
        for i in range(2)
    )
    return z.numpy(), beta.numpy()


def _embed_alone(
    embed: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    pixels: np.ndarray | StandardisedPixels,
    workers: Workers,
) -> tuple[np.ndarray, np.ndarray]:
    """`embed_all` on one replica: results are never held twice."""
    out: list[np.ndarray] = []
    for start in range(0, len(pixels), CHUNK):
        (results,) = workers.run(embed, [pixels[start : start + CHUNK]])
        out = out or [np.empty((len(pixels), part.shape[1]), np.float32) for part in results]
        for whole, part in zip(out, results, strict=True):
            whole[start : start + CHUNK] = part
    z, beta = out
    return z, beta


def on_last_axis(
    function: Callable[[tf.Tensor], dict[str, tf.Tensor]], pixels: tf.Tensor, bands: int
) -> dict[str, tf.Tensor]:
    """Apply a function of a table of pixels to pixels in any arrangement; in a graph too.

    Args:
        function: maps pixels ``[N, L]`` to tensors ``[N, ...]`` by name.
        pixels: ``[..., L]``, for example an image ``[H, W, L]``.
        bands: L, which the graph need not know.

    Returns:
        Tensors ``[..., columns]`` by name.
    """
    pixels = tf.convert_to_tensor(pixels)
    if pixels.shape.rank == 2:
        return function(pixels)
    grid = tf.shape(pixels)[:-1]
    outputs = function(tf.reshape(pixels, [-1, bands]))
    return {
        name: tf.reshape(rows, tf.concat([grid, [rows.shape[1]]], axis=0))
        for name, rows in outputs.items()
    }


def in_chunks(
    function: Callable[[tf.Tensor], tf.Tensor],
    pixels: tf.Tensor,
    width: int,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """Apply a function to all pixels in a graph; its temporaries are those of a chunk.

    Args:
        function: maps pixels ``[n, L]`` to ``[n, width]``.
        pixels: ``[N, L]``, whose length the graph need not know.
        width: columns of the result.
        dtype: of the result.

    Returns:
        ``[N, width]``.
    """
    count = tf.maximum(1, -(-tf.shape(pixels)[0] // CHUNK))

    def step(i: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        return i + 1, parts.write(i, function(pixels[i * CHUNK : (i + 1) * CHUNK]))

    parts = tf.TensorArray(dtype, size=count, infer_shape=False, element_shape=[None, width])
    _, parts = tf.while_loop(lambda i, _: i < count, step, (0, parts), parallel_iterations=1)
    return parts.concat()
