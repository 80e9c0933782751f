"""Attributes of an untrusted HDF5 file, read in bounded memory.

h5py takes memory for what an attribute declares before anything of it is read: as many bytes as its
type has, which for texts and lists of any length HDF5 then multiplies by the lengths that are
stored. The first is asked for here; the second is looked at where the bytes of the file come by
(:mod:`lren_tf.io.base.hdf5_lengths`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import h5py
from h5py import h5t

# What an attribute may hold at most: tables of bands, or a text.
_LARGEST = 8 << 20
_MOST_AXES = 4
_LISTS_OF_REFERENCES = ("DIMENSION_LIST", "REFERENCE_LIST")


def attribute(node: h5py.Dataset | h5py.Group, name: str) -> object | None:
    """The value of an attribute, or None where there is none of that name.

    Raises:
        ValueError: it is larger than any that a scene needs, or of a type whose size is not known
            before it is read.
        OSError, RuntimeError, TypeError: damaged content, or a type that h5py does not know.
    """
    if name not in node.attrs:
        return None
    found = node.attrs.get_id(name)
    if found.shape is not None:
        kind = found.get_type()
        if len(found.shape) > _MOST_AXES or math.prod(found.shape) * kind.get_size() > _LARGEST:
            raise ValueError(f"the attribute '{name}' of '{node.name}' declares {found.shape}")
        if not _is_bounded(kind):
            raise ValueError(f"the attribute '{name}' of '{node.name}' holds lists in lists")
    value: object = node.attrs[name]
    return value


def attributes(node: h5py.Dataset | h5py.Group) -> Iterator[tuple[str, object]]:
    """Names and values of the attributes that can be read, without lists of references."""
    try:
        keys = list(node.attrs)
    except Exception:  # h5py raises nearly anything on damaged content
        return
    for key in keys:
        if not isinstance(key, str) or key in _LISTS_OF_REFERENCES:
            continue
        try:
            value = attribute(node, key)
        except Exception:  # as above
            continue
        yield key, value


def _is_bounded(kind: h5t.TypeID) -> bool:
    """Return whether the lengths in values of a type, if any, are those that were looked at."""
    whole = kind.get_class()
    if whole == h5t.VLEN:
        return not kind.committed() and _is_plain(kind.get_super())
    if whole == h5t.STRING:
        return not (kind.is_variable_str() and kind.committed())
    return _is_plain(kind)


def _is_plain(kind: h5t.TypeID) -> bool:
    """Return whether every value of a type has the size of the type."""
    if kind.get_class() == h5t.STRING:
        return not kind.is_variable_str()
    return not (kind.detect_class(h5t.VLEN) or kind.detect_class(h5t.STRING))
