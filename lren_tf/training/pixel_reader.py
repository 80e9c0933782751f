"""Pixels read in parts: standardised, as the training step needs them, cached or read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import Scaler, standardise
from lren_tf.training.backprop import aligned_width

_ROWS_IN_CACHE = 1024
"""Rows standardised at a time: in float32 they stay in the cache between the operations."""
_CACHED_ARRAY_BYTES = 64 << 20
"""Bytes of chunks cached as one array: more than the system's allocator ever withholds."""
_EXACT_IN_FLOAT32 = {np.dtype(name) for name in ("i1", "u1", "i2", "u2", "f2", "f4")}


class StandardisedPixels:
    """Standardised pixels ``[n, U]`` float32, computed for the rows that an index selects."""

    def __init__(self, pixels: PixelMatrix, scaler: Scaler) -> None:
        self._pixels, self._scaler = pixels, scaler

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return standardise(self._pixels[rows], self._scaler)


class AlignedPixels:
    """Standardised pixels as aligned rows (:mod:`lren_tf.training.backprop`), read on demand.

    They are standardised in one operation, (x − m)·(1/s), with m as the sum of two float32
    numbers where float32 represents the values of the file exactly. The result is that of
    :func:`standardise` to rounding, at a fraction of the work, which counts because every epoch
    reads every pixel.

    Args:
        pixels: ``[n, L]`` in the sensor's units.
        scaler: mean and deviation of the training's scene.
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
        """P, columns of an aligned row."""
        return aligned_width(self._bands)

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return aligned rows ``[m, P]`` float32 of a slice or of indices."""
        found = self._pixels[rows]
        out = np.zeros((len(found), self.width), np.float32)
        out[:, self._bands] = 1.0
        for start in range(0, len(found), _ROWS_IN_CACHE):
            block = found[start : start + _ROWS_IN_CACHE]
            into = out[start : start + _ROWS_IN_CACHE, : self._bands]
            centred = block - self._offsets[0]
            for more in self._offsets[1:]:
                centred -= more
            np.multiply(centred, self._scale, out=into, casting="same_kind")
        return out

    def chunks(self, parts: Sequence[np.ndarray | slice]) -> Iterator[np.ndarray]:
        """Yield the aligned rows of each part; a thread reads the next part meanwhile."""
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(self.read, part) for part in parts[:1]]
            for number in range(len(parts)):
                rows = coming.pop().result()
                coming += [reader.submit(self.read, part) for part in parts[number + 1 :][:1]]
                yield rows


class ChunkCache:
    """Chunks of a batch for every epoch: cached after the first reading, or read each time.

    Args:
        pixels: source of the chunks.
        parts: indices of each chunk.
        keep: whether to cache the chunks; otherwise every iteration reads them.
    """

    def __init__(
        self, pixels: AlignedPixels, parts: Sequence[np.ndarray | slice], keep: bool
    ) -> None:
        self._pixels, self._parts, self._keep = pixels, parts, keep
        self._cached: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[np.ndarray]:
        if len(self._cached) == len(self._parts):
            yield from self._cached
            return
        # An iteration that was abandoned starts again.
        self._cached, waiting = [], []
        for chunk in self._pixels.chunks(self._parts):
            yield chunk
            if self._keep:
                waiting.append(chunk)
                if sum(each.nbytes for each in waiting) >= _CACHED_ARRAY_BYTES:
                    self._cached += _as_views_of_one_array(waiting)
                    waiting = []
        self._cached += _as_views_of_one_array(waiting)


def _as_views_of_one_array(chunks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the chunks as views of one array, whose memory the system gets back when it is freed.

    They are not tensors, because TensorFlow's allocator keeps freed memory. A copy of a chunk
    costs a hundredth of the work on it.
    """
    if not chunks:
        return []
    return np.split(np.concatenate(chunks), np.cumsum([len(each) for each in chunks[:-1]]))
