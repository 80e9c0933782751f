"""Arrays that are decoded from a file: small ones in memory, large ones in a temporary file.

What a reader decodes belongs to no file: in memory it could not be dropped when memory gets scarce,
as a mapped file can. So an array above :data:`LARGEST_IN_MEMORY` lies in a temporary file that is
mapped into memory, and everything that works on mapped scenes piece by piece works on it too.

The file lies where `tempfile` puts its files (``TMPDIR``) and has no name: it ends with the last
array that shows it, and with the process, however that ends. Its room on the disk is taken before
anything is written, since a mapped page that the disk has no room for would kill the process. A
disk without that room is no reason to refuse a scene that memory can hold; the log tells of it.
"""

from __future__ import annotations

import errno
import itertools
import logging
import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from lren_tf.data import array_checks
from lren_tf.data.pixel_matrix import is_mapped, lies_in
from lren_tf.errors import InputError
from lren_tf.runtime.memory import free_memory

LARGEST_IN_MEMORY = 1 << 28
"""Bytes of the largest decoded array that is held in memory; one that is larger is mapped."""

ELEMENTS_AT_A_TIME = 1 << 22
"""Elements of a part of an array that is decoded or converted at a time."""

# Rows copied at a time into another order: fewer would use a part of each line of the cache.
_FEWEST_ROWS = 16
_ZEROS = bytes(1 << 20)
# Said by file systems that cannot take room in advance: then zeros are written.
_CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

_log = logging.getLogger(__name__)


class _TemporaryMap(mmap.mmap):
    """A mapped temporary file: by its class known from files that belong to somebody."""


def empty(shape: Sequence[int], dtype: Any, order: Literal["C", "F"] = "C") -> np.ndarray:
    """An array to decode values into, in memory or mapped from a temporary file.

    Args:
        shape, dtype, order: as of `numpy.empty`.

    Returns:
        A plain array that can be written; its values may be anything.

    Raises:
        InputError: neither the folder of temporary files nor memory has room for it.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    buffer = _room(size) if size > LARGEST_IN_MEMORY else None
    if buffer is None:
        return np.empty(shape, dtype, order)
    return np.ndarray(shape, dtype, buffer, order=order)


def settled(cube: np.ndarray) -> np.ndarray:
    """A cube as scenes work on it: a large one in a file, with the bands of a pixel side by side.

    A file that its owner maps stays as it is, and so does a small cube.

    Args:
        cube: [H, W, B] as a reader returns it, a view in another order of axes too.

    Returns:
        The cube itself, or a copy in C order and native byte order.

    Raises:
        InputError: as `empty`.
    """
    temporary = lies_in(cube, _TemporaryMap)
    if cube.nbytes <= LARGEST_IN_MEMORY or (is_mapped(cube) and not temporary):
        return cube
    in_order = cube.flags.c_contiguous and cube.dtype.isnative
    if in_order and temporary:
        return cube
    buffer = _room(cube.nbytes)
    if buffer is None and in_order:
        return cube
    native = cube.dtype.newbyteorder("=")
    out = np.empty(cube.shape, native) if buffer is None else np.ndarray(cube.shape, native, buffer)
    for rows in row_parts(cube.shape, _FEWEST_ROWS):
        out[rows] = cube[rows]
    return out


def converted(array: np.ndarray, dtype: Any) -> np.ndarray:
    """An array in another dtype; itself where it has that already.

    Raises:
        InputError: as `empty`.
    """
    dtype = np.dtype(dtype)
    if array.dtype == dtype:
        return array
    if array.size * dtype.itemsize <= LARGEST_IN_MEMORY:
        return array.astype(dtype)
    out = empty(array.shape, dtype)
    for rows in row_parts(array.shape):
        out[rows] = array[rows]
    return out


def row_parts(shape: Sequence[int], fewest: int = 1) -> Iterator[slice]:
    """Slices of the first axis of an array with about `ELEMENTS_AT_A_TIME` elements each.

    Args:
        shape: of the array, with an axis at least.
        fewest: rows of a slice.
    """
    return array_checks.row_parts(shape, ELEMENTS_AT_A_TIME, fewest)


def blocks(shape: Sequence[int], unit: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Parts of an array that hold whole blocks of its file, so that each is decoded once.

    Args:
        shape: of the array.
        unit: of a block of the file, along every axis.

    Yields:
        Slices of all axes, in C order: a block, or as many beside each other as make about
        `ELEMENTS_AT_A_TIME` elements.
    """
    size = [max(1, min(pair)) for pair in zip(unit, shape, strict=True)]
    for axis in reversed(range(len(size))):
        size[axis] *= max(1, ELEMENTS_AT_A_TIME // math.prod(size))
        if size[axis] < shape[axis]:
            break
        size[axis] = max(1, shape[axis])
    starts = (range(0, length, step) for length, step in zip(shape, size, strict=True))
    for corner in itertools.product(*starts):
        yield tuple(
            slice(first, min(first + step, length))
            for first, step, length in zip(corner, size, shape, strict=True)
        )


def _room(size: int) -> _TemporaryMap | None:
    """A mapped temporary file of so many bytes; None where only memory has room for them.

    Raises:
        InputError: memory has none either.
    """
    try:
        with tempfile.TemporaryFile(prefix="lren_tf_") as file:
            _take(file.fileno(), size)
            return _TemporaryMap(file.fileno(), size)
    except OSError as error:
        # None where there is no folder that files can be made in.
        folder, reason = tempfile.tempdir, error.strerror or error
        free = free_memory()
        if free is not None and size > free:
            raise InputError(
                received=f"the decoded values take {size} bytes, which the folder of temporary "
                f"files ({folder}) cannot hold ({reason}), nor memory, of which {free} bytes are "
                "free",
                expected="room in one of the two",
                remedy="free some, or name a folder with room in the environment variable TMPDIR",
            ) from error
        _log.warning(
            "the folder of temporary files (%s) cannot hold %d bytes of decoded values (%s): they "
            "are held in memory. Name a folder with room in the environment variable TMPDIR.",
            folder, size, reason,
        )  # fmt: skip
        return None


def _take(file: int, size: int) -> None:
    """Take room on the disk for so many bytes of an open file.

    Raises:
        OSError: there is none.
    """
    take = getattr(os, "posix_fallocate", None)
    if take is not None:
        try:
            take(file, 0, size)
            return
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    left = size
    while left:
        left -= os.write(file, _ZEROS[: min(left, len(_ZEROS))])
