"""How pixels reach the training step: which rows make a batch, and rows read from a file.

A training that fits into memory holds all its pixels, standardised, as one tensor
(:func:`lren_tf.training.batches.fixed_batches`). One that does not reads them through
:class:`AlignedRows`, again in every epoch, or keeps what it has read once (:class:`Chunks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import Scaler, standardise
from lren_tf.training.backprop import aligned_width

_BLOCK = 1024
"""Rows standardised at a time: in float32 they stay in the cache between the operations."""
_TOGETHER = 64 << 20
"""Bytes of chunks that are kept as one array, more than the system's allocator ever keeps."""
_EXACT_IN_FLOAT32 = {np.dtype(name) for name in ("i1", "u1", "i2", "u2", "f2", "f4")}


def batch_rows(n: int, batch_size: int | None, batch_seed: int) -> list[np.ndarray]:
    """Rows of every batch, the same in every epoch: one permutation, cut in order.

    With one batch for all pixels the order does not matter and is left alone.

    Args:
        n: number of pixels.
        batch_size: pixels per batch; None for all.
        batch_seed: seed of the permutation, drawn as the release draws it.
    """
    size = n if batch_size is None else min(batch_size, n)
    order = np.arange(n)
    if size < n:
        np.random.RandomState(batch_seed).shuffle(order)
    return [order[start : start + size] for start in range(0, n, size)]


def row_chunks(shares: Sequence[np.ndarray], chunk: int) -> list[list[np.ndarray | slice]]:
    """The rows of every share in chunks, as many of each.

    Args:
        shares: rows that belong to one another, such as those of each replica.
        chunk: rows of a chunk; the last ones of a share are shorter, or empty.

    Returns:
        For every share its chunks; consecutive rows as slices, which a file is read faster by.
    """
    count = max(1, *(-(-len(share) // chunk) for share in shares))
    return [
        [_as_slice(share[start : start + chunk]) for start in range(0, count * chunk, chunk)]
        for share in shares
    ]


def _as_slice(rows: np.ndarray) -> np.ndarray | slice:
    consecutive = len(rows) and bool((np.diff(rows) == 1).all())
    return slice(int(rows[0]), int(rows[-1]) + 1) if consecutive else rows


class StandardisedRows:
    """Standardised pixels ``[n, U]`` float32, made when they are asked for."""

    def __init__(self, pixels: PixelMatrix, scaler: Scaler) -> None:
        self._pixels, self._scaler = pixels, scaler

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return standardise(self._pixels[rows], self._scaler)


class AlignedRows:
    """Standardised pixels as aligned rows (:mod:`lren_tf.training.backprop`), read when asked for.

    In one step, (x − m)·(1/s), with m in two parts of float32 where that holds the values of
    the file exactly: what :func:`standardise` gives, to rounding, at a fraction of the work.
    Since every epoch reads every pixel, the work counts.

    Args:
        pixels: ``[n, L]``.
        scaler: learned from them, or from the scene that the training is about.
    """

    def __init__(self, pixels: PixelMatrix, scaler: Scaler) -> None:
        self._pixels = pixels if scaler.used.all() else pixels.of_bands(scaler.used)
        mean = (scaler.low + scaler.span * scaler.mean)[scaler.used]
        scale = 1.0 / (scaler.span * scaler.std)[scaler.used]
        self._bands = len(mean)
        if pixels.dtype in _EXACT_IN_FLOAT32:
            leading = mean.astype(np.float32)
            self._offsets = [leading, (mean - leading).astype(np.float32)]
            self._scale = scale.astype(np.float32)
        else:
            self._offsets, self._scale = [mean], scale

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def width(self) -> int:
        """Columns of a row."""
        return aligned_width(self._bands)

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Aligned rows ``[m, width]`` float32 of a slice or of indices."""
        found = self._pixels[rows]
        out = np.zeros((len(found), self.width), np.float32)
        out[:, self._bands] = 1.0
        for start in range(0, len(found), _BLOCK):
            block = found[start : start + _BLOCK]
            into = out[start : start + _BLOCK, : self._bands]
            centred = block - self._offsets[0]
            for more in self._offsets[1:]:
                centred -= more
            np.multiply(centred, self._scale, out=into, casting="same_kind")
        return out

    def chunks(self, parts: Sequence[np.ndarray | slice]) -> Iterator[np.ndarray]:
        """The rows of each part, the next one read while one is worked on."""
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(self.read, part) for part in parts[:1]]
            for number in range(len(parts)):
                rows = coming.pop().result()
                coming += [reader.submit(self.read, part) for part in parts[number + 1 :][:1]]
                yield rows


class Chunks:
    """The chunks of a batch, for every epoch: read again each time, or kept once read.

    Args:
        rows: where they are read.
        parts: rows of each chunk.
        keep: whether there is memory for all of them.
    """

    def __init__(
        self, rows: AlignedRows, parts: Sequence[np.ndarray | slice], keep: bool
    ) -> None:
        self._rows, self._parts, self._keep = rows, parts, keep
        self._kept: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[np.ndarray]:
        if len(self._kept) == len(self._parts):
            yield from self._kept
            return
        # A reading that was broken off begins anew.
        self._kept, waiting = [], []
        for chunk in self._rows.chunks(self._parts):
            yield chunk
            if self._keep:
                waiting.append(chunk)
                if sum(each.nbytes for each in waiting) >= _TOGETHER:
                    self._kept += _side_by_side(waiting)
                    waiting = []
        self._kept += _side_by_side(waiting)


def _side_by_side(chunks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Chunks as parts of one array: memory in large pieces is given back when it is free.

    No tensors, since TensorFlow keeps for itself what it has had once. A copy of a chunk costs a
    hundredth of the work on it.
    """
    if not chunks:
        return []
    return np.split(np.concatenate(chunks), np.cumsum([len(each) for each in chunks[:-1]]))
