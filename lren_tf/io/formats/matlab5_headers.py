"""The headers of a MATLAB version 5 to 7 file, checked before SciPy reads any values.

SciPy's reader indexes a C table with the type code of the values as it stands in the file
(scipy pull request 25349), so one damaged byte can end the whole process, and it asks for
as much memory as a damaged byte count says. Both are read and checked here first.

The layout is that of MathWorks' "MAT-File Format": a file header of 128 bytes, then one
element per variable, each possibly deflated, which holds flags, dimensions, name and values.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import IO

from lren_tf.io.base.variable import Variable

FILE_HEADER_BYTES = 128

_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32, _UTF8 = 1, 5, 6, 16
# Type code of stored values -> bytes of one value.
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_KINDS = (
    *("", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8"),
    *("int16", "uint16", "int32", "uint32", "int64", "uint64", "function", "opaque"),
)
_DENSE = range(6, 16)
_OPAQUE = 17
_FLAG_LOGICAL, _FLAG_COMPLEX = 0x02, 0x08
# Flags, up to 32 dimensions, a name of 63 letters and the tag of the values need 300 bytes.
_PREFIX_BYTES = 4096


def mat5_variables(stream: IO[bytes], size: int, order: str) -> list[Variable]:
    """The variables of a file in its order.

    Args:
        stream: a MATLAB 5 to 7 file.
        size: its length in bytes.
        order: its byte order, `<` or `>`.

    Returns:
        One `Variable` each; `readable` promises that the type code of the values is known
        and that their byte count is that of the shape.

    Raises:
        ValueError, struct.error, zlib.error: the file is damaged.
    """
    found: dict[str, Variable] = {}
    position = FILE_HEADER_BYTES
    while position < size:
        stream.seek(position)
        code, count = struct.unpack(order + "II", stream.read(8))
        position += 8 + count
        if count == 0 or position > size:
            raise ValueError(f"an element of {count} bytes does not fit the file")
        variable = _variable(_prefix(stream, code, count, order), order)
        if variable.name in found:
            raise ValueError(f"'{variable.name}' is stored twice")
        if variable.name:  # MATLAB keeps its workspace of functions under no name
            found[variable.name] = variable
    return list(found.values())


def _prefix(stream: IO[bytes], code: int, count: int, order: str) -> bytes:
    """The first bytes of a matrix element's content, inflated."""
    raw = stream.read(min(count, _PREFIX_BYTES))
    if code == _COMPRESSED:
        raw = zlib.decompressobj().decompress(raw, _PREFIX_BYTES)
        code, _ = struct.unpack_from(order + "II", raw)
        raw = raw[8:]
    if code != _MATRIX:
        raise ValueError(f"element type {code} is not a matrix")
    return raw


def _variable(content: bytes, order: str) -> Variable:
    (flags,) = struct.unpack_from(order + "I", content, 8)
    class_code, bits = flags & 0xFF, flags >> 8 & 0xFF
    if not 0 < class_code < len(_KINDS):
        raise ValueError(f"array class {class_code} does not exist")
    kind = _KINDS[class_code]
    if class_code == _OPAQUE:
        return Variable("", (), kind, readable=False)
    code, count, start, position = _element(content, 16, order)
    if code not in (_INT32, _UINT32) or count % 4 or count < 8:
        raise ValueError(f"dimensions of type {code} and {count} bytes")
    shape = struct.unpack_from(f"{order}{count // 4}i", content, start)
    if min(shape) < 0:
        raise ValueError(f"negative length in shape {shape}")
    code, count, start, position = _element(content, position, order)
    if code not in (_INT8, _UTF8) or start + count > len(content):
        raise ValueError(f"a name of type {code} and {count} bytes")
    name = content[start : start + count].decode("latin-1")
    if class_code not in _DENSE:
        return Variable(name, shape, kind, readable=False)
    if bits & _FLAG_COMPLEX:
        return Variable(name, shape, f"complex {kind}", readable=False)
    code, count, _, _ = _element(content, position, order)
    if code not in _VALUE_BYTES or count != math.prod(shape) * _VALUE_BYTES[code]:
        raise ValueError(f"'{name}' of shape {shape} in {count} bytes of type {code}")
    return Variable(name, shape, "logical" if bits & _FLAG_LOGICAL else kind, readable=True)


def _element(content: bytes, position: int, order: str) -> tuple[int, int, int, int]:
    """(type code, byte count, start of the data, start of the next element)."""
    first, count = struct.unpack_from(order + "II", content, position)
    if first >> 16:  # at most four bytes of data, inside the tag
        if first >> 16 > 4:
            raise ValueError(f"{first >> 16} bytes in a small element")
        return first & 0xFFFF, first >> 16, position + 4, position + 8
    return first, count, position + 8, position + 8 + count + -count % 8
