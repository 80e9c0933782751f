"""Groups and arrays of an untrusted HDF5 file: nothing outside the file, bounded memory.

A link can lead into any other file, and opening one that is a pipe never ends. An array can
declare any size, and so can the blocks it is stored in, which are inflated as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeAlias

import h5py
import numpy as np
from h5py import h5z

from lren_tf.io.base import large_array
from lren_tf.io.base.hdf5_stream import path_of
from lren_tf.io.base.variable import check_block_size, check_declared_size

# Bytes by which a text or list of any length is stored: its length, and where its content lies.
_REFERENCE = 16

Node: TypeAlias = h5py.Group | h5py.Dataset


def node_at(group: h5py.Group, path: str) -> Node | None:
    """Find the node at a path inside the file; None for nothing, or a link to elsewhere."""
    node: Node = group
    for part in path.strip("/").split("/"):
        name = part.encode()
        if not isinstance(node, h5py.Group) or not node.id.links.exists(name):
            return None
        if node.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            return None
        node = node[part]
    return node


def array_at(group: h5py.Group, path: str) -> h5py.Dataset | None:
    """The array at a path inside the file, or None."""
    node = node_at(group, path)
    return node if isinstance(node, h5py.Dataset) else None


def check_readable(node: h5py.Dataset) -> None:
    """Refuse an array that cannot be read in bounded memory, before any of it is.

    Raises:
        ValueError: its values lie in other files.
        InputError: a size that it declares cannot be right.
    """
    name = node.name.lstrip("/")
    if node.is_virtual or node.external:
        raise ValueError(f"the values of '{name}' lie in other files")
    _bring_filters(node)
    file, item = path_of(node.file.filename), node.dtype.itemsize
    check_declared_size(file, name, node.shape, item)
    if node.chunks is not None:
        check_block_size(
            file, name, node.chunks, math.prod(node.chunks) * item, math.prod(node.shape) * item
        )


def _bring_filters(node: h5py.Dataset) -> None:
    """Import hdf5plugin, if it is installed, for a compression that HDF5 itself lacks."""
    creation = node.id.get_create_plist()
    codes = [creation.get_filter(at)[0] for at in range(creation.get_nfilters())]
    if not all(map(h5z.filter_avail, codes)):
        with suppress(ImportError):
            import hdf5plugin  # noqa: F401


def values(node: h5py.Dataset) -> np.ndarray:
    """All values of an array, as they are stored; many numbers in a `large_array`.

    Raises:
        ValueError, InputError: as `check_readable`.
        OSError, RuntimeError: damaged content.
    """
    check_readable(node)
    if node.dtype.kind == "O":
        _check_lengths(node)
    if node.dtype.kind not in "iuf" or node.nbytes <= large_array.LARGEST_IN_MEMORY:
        return node[()]
    out = large_array.empty(node.shape, node.dtype)
    node.read_direct(out)  # a chunk at a time
    return out


def _check_lengths(node: h5py.Dataset) -> None:
    """Refuse texts and lists that are longer together than their file.

    HDF5 takes memory for a length before it looks at what is there. They are looked at where
    they are stored as they are, without filters.

    Raises:
        ValueError: they are.
    """
    size, total = path_of(node.file.filename).stat().st_size, 0
    listed = h5py.check_vlen_dtype(node.dtype)
    each = np.dtype(listed).itemsize if listed not in (None, str, bytes) else 1
    for stored in _stored(node):
        whole = len(stored) // _REFERENCE * _REFERENCE
        lengths = np.frombuffer(stored[:whole], "<u4").reshape(-1, _REFERENCE // 4)[:, 0]
        total += int(lengths.sum(dtype=np.int64))
        if total * each > size:
            raise ValueError(f"'{node.name}' holds {total} entries in {size} bytes")


def _stored(node: h5py.Dataset) -> Iterator[bytes]:
    """The bytes of an array as they are stored, where no filter has changed them."""
    if node.chunks is None:
        offset, length = node.id.get_offset(), node.id.get_storage_size()
        if offset is not None:
            with path_of(node.file.filename).open("rb") as file:
                file.seek(offset)
                yield file.read(length)
    elif not node.id.get_create_plist().get_nfilters():
        for at in range(node.id.get_num_chunks()):
            yield node.id.read_direct_chunk(node.id.get_chunk_info(at).chunk_offset)[1]
