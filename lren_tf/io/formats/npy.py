"""NumPy's `.npy` (one unnamed array) and `.npz` (several named ones). Nothing is unpickled."""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from lren_tf.errors import InputError
from lren_tf.io.base.variable import Variable, check_declared_size, damaged, existing_file, reading
from lren_tf.runtime.files import as_path, atomic_path

_MEMBER_SUFFIX = ".npy"
# What NumPy itself takes of a header is less; but it reads first all that a header declares.
_LARGEST_HEADER_BYTES = 1 << 16
# The others gain so much that a small archive fills any memory; NumPy writes neither.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def npy_variables(path: str | os.PathLike[str]) -> list[Variable]:
    """The one array of a `.npy` file, from its header.

    Returns:
        A list of one `Variable` with an empty name.

    Raises:
        InputError: no such file, not a `.npy` file, truncated, or a pickled object.
    """
    file = existing_file(path)
    with reading(file, "NumPy .npy file"), file.open("rb") as stream:
        return [_header(stream, file, "", file.stat().st_size)]


def read_npy(path: str | os.PathLike[str], name: str = "") -> np.ndarray:
    """The array of a `.npy` file, with the shape and dtype it was saved with.

    Raises:
        InputError: as `npy_variables`; also when the dtype is not bool or real numbers.
    """
    file = existing_file(path)
    _require_readable(file, npy_variables(file)[0])
    with reading(file, "NumPy .npy file"):
        return np.load(file, mmap_mode="r", allow_pickle=False)


def npz_variables(path: str | os.PathLike[str]) -> list[Variable]:
    """The arrays of a `.npz` archive, from their headers, in the archive's order.

    Raises:
        InputError: no such file, not an archive, or a damaged one.
    """
    file = existing_file(path)
    with reading(file, "NumPy .npz archive"), zipfile.ZipFile(file) as archive:
        found = []
        for member in archive.infolist():
            if member.filename.endswith(_MEMBER_SUFFIX):
                name = member.filename.removesuffix(_MEMBER_SUFFIX)
                if member.compress_type not in _COMPRESSIONS:
                    raise ValueError(f"'{name}' is not compressed as NumPy does it")
                with archive.open(member) as stream:
                    found.append(_header(stream, file, name, member.file_size))
        return found


def read_npz(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """One array of a `.npz` archive, with the shape and dtype it was saved with.

    Raises:
        InputError: as `npz_variables`; also when there is no such array, its dtype is not
            bool or real numbers, or its checksum does not agree.
    """
    file = existing_file(path)
    with reading(file, "NumPy .npz archive"), zipfile.ZipFile(file) as archive:
        try:
            member = archive.getinfo(name + _MEMBER_SUFFIX)
        except KeyError:
            raise InputError(
                f"{file.name} has no variable '{name}'; expected one of its arrays, pass the name "
                "of one."
            ) from None
        with archive.open(member) as stream:
            variable = _header(stream, file, name, member.file_size)
        _require_readable(file, variable)
        with archive.open(member) as stream:
            array = npy_format.read_array(stream, allow_pickle=False)
            # The archive's checksum is compared only when the end of the member is read.
            if stream.read(1):
                raise damaged(file, "NumPy .npz archive", f"'{name}' has trailing bytes")
        return array


def write_npy(path: str | os.PathLike[str], array: np.ndarray) -> Path:
    """Write one array as `.npy`; the file appears whole or not at all.

    Args:
        path: ends in `.npy`; its folder is created when missing.
        array: any shape; bool, integer, real or complex dtype.

    Returns:
        The path written.

    Raises:
        InputError: another suffix, a dtype that would need pickling, or a folder that
            cannot be written.
    """
    target = as_path(path)
    if target.suffix.lower() != _MEMBER_SUFFIX:
        raise InputError(
            f"{target.name} ends in '{target.suffix}'; expected '.npy', rename the output."
        )
    array = np.asarray(array)
    if array.dtype.kind not in "biufc":
        raise InputError(
            f"cannot write dtype {array.dtype} to {target.name}; expected numbers, convert the "
            "array first."
        )
    array = np.asarray(array, order="C")
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        # What `np.save` writes, without its `tofile`, whose error does not say why it failed.
        npy_format.write_array_header_1_0(stream, npy_format.header_data_from_array_1_0(array))
        stream.write(array.data)
    return target


def _header(stream: IO[bytes], file: Path, name: str, size: int) -> Variable:
    """Parse a `.npy` header at the start of `stream`, whose whole length is `size`."""
    stream = io.BytesIO(stream.read(_LARGEST_HEADER_BYTES))
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = npy_format.read_array_header_2_0(stream)
    else:
        # Version 3 exists for field names outside Latin-1 only: a structured array.
        raise ValueError(f"format version {version[0]}.{version[1]} holds no plain array")
    if any(length < 0 for length in shape):
        raise ValueError(f"negative length in shape {shape}")
    if dtype.hasobject:
        return Variable(name, shape, "pickled object", readable=False)
    needed = math.prod(shape) * dtype.itemsize
    held = size - stream.tell()
    if needed > held:
        raise ValueError(f"the header declares {needed} bytes of values, the file holds {held}")
    check_declared_size(file, name, shape, dtype.itemsize)
    return Variable(name, shape, str(dtype), readable=dtype.kind in "biuf")


def _require_readable(file: Path, variable: Variable) -> None:
    if not variable.readable:
        called = f"variable '{variable.name}'" if variable.name else "the array"
        raise InputError(
            f"{file.name}: {called} is of type {variable.kind}; expected real numbers, save it as "
            "a plain numeric array."
        )
