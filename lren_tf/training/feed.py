"""Choice of the batches of a training by the memory it needs: held, read again, or by chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import Scaler, standardise
from lren_tf.errors import InputError
from lren_tf.runtime.memory import fits
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.backprop import aligned_width
from lren_tf.training.batches import (
    batch_rows,
    fixed_batches,
    numbered,
    read_batches,
    sample_rows,
)
from lren_tf.training.chunked_step import CHUNK, ChunkedStep
from lren_tf.training.losses import Network
from lren_tf.training.pixel_reader import AlignedPixels, StandardisedPixels


class Feed(NamedTuple):
    """Batches of a training."""

    batches: tf.data.Dataset
    """Aligned rows of every batch; the numbers of the batches where `chunked_step` is set."""
    standardised: np.ndarray | StandardisedPixels
    """All standardised pixels ``[n, U]``, for the work after the training."""
    chunked_step: ChunkedStep | None
    """Step that reads the pixels itself; None where a step gets them from the dataset."""


def check_pixel_count(pixels: int, settings: Settings) -> None:
    """Refuse a scene or a sample with fewer pixels than mixture components.

    Args:
        pixels: number of pixels of the scene.
        settings: settings of the training.

    Raises:
        InputError: it has fewer.
    """
    components, sample = settings.components, settings.training_pixels
    if pixels < components:
        raise InputError(
            f"the scene has {pixels} pixels for {components} mixture components; "
            "expected at least one pixel per component: lower components."
        )
    if sample is not None and sample < components:
        raise InputError(
            f"setting 'training_pixels' is {sample} for {components} mixture components; "
            "expected at least one pixel per component: raise it."
        )


def choose_feed(
    pixels: PixelMatrix,
    scaler: Scaler,
    settings: Settings,
    *,
    network: Callable[[], Network],
    optimizer: keras.optimizers.Optimizer,
    workers: Workers,
    memory_limit: int | None,
) -> Feed:
    """Return the fastest feed that the memory allows.

    Of a scene with more than ``training_pixels`` pixels it has a sample.

    Args:
        pixels: ``[n, L]`` in the sensor's units.
        scaler: standardisation of the pixels.
        settings: settings of the training.
        network: returns the networks of the model, with the values of their variables.
        optimizer: built for the variables of all networks.
        workers: processes and devices that share the work.
        memory_limit: bytes that the training may take; None for half of the free memory.
    """
    s = settings
    if s.training_pixels is not None and s.samples(len(pixels)):
        rows = sample_rows(len(pixels), s.training_pixels, s.batch_seed)
        feed = choose_feed(
            pixels.of_rows(rows), scaler, s, network=network, optimizer=optimizer,
            workers=workers, memory_limit=memory_limit,
        )  # fmt: skip
        return feed._replace(standardised=StandardisedPixels(pixels, scaler))
    n, bands = len(pixels), int(np.count_nonzero(scaler.used))
    alone = workers.replicas == 1
    if alone and fits(training_bytes(n, bands, s), memory_limit):
        standardised = standardise(pixels, scaler)
        return Feed(fixed_batches(standardised, s.batch_size, s.batch_seed), standardised, None)
    aligned, read_again = AlignedPixels(pixels, scaler), StandardisedPixels(pixels, scaler)
    plan = batch_rows(n, s.batch_size, s.batch_seed)
    if alone and len(plan[0]) <= CHUNK:
        return Feed(read_batches(aligned, plan), read_again, None)
    keep = fits(kept_bytes(n, bands, s, CHUNK), memory_limit)
    step = ChunkedStep(network, optimizer, aligned, plan, workers, CHUNK, keep)
    return Feed(numbered(len(plan)), read_again, step)


def training_bytes(pixels: int, bands: int, settings: Settings) -> int:
    """Estimate the bytes of a training in memory, in addition to the scene.

    They are the standardised pixels twice (as rows and as aligned rows) and, of a batch, for
    every member, the activations stored for the backward pass and those of the slices that are in
    work, and the mixture's temporaries: k·l numbers a pixel in its precision, a few times.

    Args:
        pixels: n, number of pixels.
        bands: U, number of bands that enter the network.
        settings: settings of the training.
    """
    s = settings
    batch = pixels if s.batch_size is None else min(s.batch_size, pixels)
    width = aligned_width(bands)
    activations = 4 * (3 * s.hidden_units + 2 * width)
    wide = 8 if s.mixture_dtype == "float64" else 4
    mixture = 5 * wide * s.components * s.latent_units + 4 * 2 * s.estimator_units
    return 4 * pixels * (bands + width) + batch * s.members * (activations + mixture)


def kept_bytes(pixels: int, bands: int, settings: Settings, chunk: int) -> int:
    """Estimate the bytes of a training by chunks that keeps its standardised pixels in memory.

    They are the pixels, the needs of one chunk, and the latent samples of a batch for every
    member.

    Args:
        pixels, bands, settings: as for :func:`training_bytes`.
        chunk: pixels in a chunk.
    """
    s = settings
    at_once = training_bytes(chunk, bands, s)
    return 4 * pixels * (aligned_width(bands) + 2 * s.members * s.latent_units) + at_once
