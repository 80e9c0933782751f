"""Lengths of texts and lists in attributes of HDF5, found in the bytes of a file.

An attribute of any length holds, for each of its values, a length and the place of the content.
HDF5 takes memory for the length before it looks at the content, and its functions do not give the
length without the content; so the message that an attribute is stored as is recognised as it is
read.

Source: HDF5 File Format Specification 3.0, IV.A.2.m, attribute message; IV.A.2.d, datatype message;
IV.A.2.b, dataspace message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ANY_LENGTH = re.compile(
    # Class 9 with its version, text or list, padding, characters; bytes of a length and a place.
    rb"[\x19\x29\x39\x49][\x00\x01\x10\x11\x20\x21][\x00\x01]\x00([\x0c\x10])\x00\x00\x00"
)
_SIZES = (b"\x10\0\0\0", b"\x0c\0\0\0")
_PADDED = 8
"""Parts of a message of version 1 begin at multiples of this."""


def lengths_beyond(content: bytes, size: int, length_bytes: int = 8) -> Iterator[tuple[int, int]]:
    """Find the values of attributes whose lengths add up to more than their file has.

    Args:
        content: bytes of the file.
        size: of the file in bytes.
        length_bytes: how many bytes a length takes in the file.

    Returns:
        Where such values begin and end in `content`.
    """
    if not any(each in content for each in _SIZES):
        return
    for found in _ANY_LENGTH.finditer(content):
        begin = _values_at(content, found.start(), length_bytes)
        if begin is None:
            continue
        at, count = begin
        width = found[1][0]
        count = min(count, max(0, len(content) - at) // width)
        # The type of what the list holds: its own size follows four bytes behind its class.
        each = max(1, _number(content, found.end() + 4, 4))
        total = sum(_number(content, at + width * k, 4) for k in range(count))
        if total * each > size:
            yield at, at + width * count


def _values_at(content: bytes, kind: int, length_bytes: int) -> tuple[int, int] | None:
    """Place and number of the values of an attribute; None of anything else.

    Args:
        kind: where its type begins.
    """
    last = kind
    while last and not content[last - 1] and kind - last < _PADDED:
        last -= 1
    before = content.rfind(b"\0", 0, last)
    # Version 3 has a byte for the characters of the name, which may be 1.
    for start in (before + 1, before + 2):
        for version, header in ((1, 8), (2, 8), (3, 9)):
            at = start - header
            if at < 0 or start >= last or content[at] != version:
                continue
            name, of_kind, of_space = (_number(content, at + k, 2) for k in (2, 4, 6))
            if name != last - start + 1 or start + _held(name, version) != kind:
                continue
            space = kind + _held(of_kind, version)
            count = _count(content, space, of_space, length_bytes)
            return space + _held(of_space, version), count
    return None


def _held(length: int, version: int) -> int:
    """Bytes that a part of a message takes."""
    return -(-length // _PADDED) * _PADDED if version == 1 else length


def _count(content: bytes, at: int, length: int, length_bytes: int) -> int:
    """Number of values, from a dataspace; 1 of one that is stored elsewhere."""
    version, axes = content[at : at + 1], _number(content, at + 1, 1)
    first = {b"\1": 8, b"\2": 4}.get(version)
    if first is None or first + axes * length_bytes > length:
        return 1
    count = 1
    for axis in range(axes):
        count *= _number(content, at + first + axis * length_bytes, length_bytes)
    return count


def _number(content: bytes, at: int, length: int) -> int:
    return int.from_bytes(content[at : at + length], "little")
