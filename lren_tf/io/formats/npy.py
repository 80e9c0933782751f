"""NumPy's `.npy` (one unnamed array) and `.npz` (several named ones). Nothing is unpickled."""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from lren_tf.errors import InputError
from lren_tf.io.base import large_array
from lren_tf.io.base.failures import damaged
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, check_declared_size, no_variable
from lren_tf.runtime.files import as_path, atomic_path

_MEMBER_SUFFIX = ".npy"
# What NumPy itself takes of a header is less; but it reads first all that a header declares.
_LARGEST_HEADER_BYTES = 1 << 16
# The others gain so much that a small archive fills any memory; NumPy writes neither.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class NpyReader(Reader):
    """A `.npy` file: one array without a name, mapped into memory.

    Raises:
        InputError: not a `.npy` file, or truncated.
    """

    title = "NumPy"
    suffixes = (".npy",)
    what = "NumPy .npy file"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with self.library():
            self._header = _read_header(source.start_over(), self.file, "", source.size)
        self.variables = [self._header.variable]

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        """The array, with the shape and dtype it was saved with."""
        header = self._header
        _require_readable(self.file, header.variable)
        if 0 in header.variable.shape or not header.variable.shape:  # which cannot be mapped
            with self.library():
                return npy_format.read_array(self.source.start_over(), allow_pickle=False)
        with self.library():
            return np.memmap(
                self.source.start_over(), header.dtype, "r", header.start, header.variable.shape,
                "F" if header.columns_first else "C",
            )  # fmt: skip


class NpzReader(Reader):
    """A `.npz` archive: its arrays by name, in the archive's order.

    Raises:
        InputError: not an archive, or a damaged one.
    """

    title = "NumPy"
    suffixes = (".npz",)
    what = "NumPy .npz archive"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with self.library():
            self._archive = source.enter(zipfile.ZipFile(source.start_over()))
            self._members: dict[str, tuple[zipfile.ZipInfo, _Header]] = {}
            for member in self._archive.infolist():
                if member.filename.endswith(_MEMBER_SUFFIX):
                    name = member.filename.removesuffix(_MEMBER_SUFFIX)
                    self._members[name] = member, self._header(member, name)
        self.variables = [header.variable for _, header in self._members.values()]

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """One array, with the shape and dtype it was saved with; its checksum is compared."""
        if name not in self._members:
            raise no_variable(self.file, name, self.variables)
        member, header = self._members[name]
        _require_readable(self.file, header.variable)
        with self.library(), self._archive.open(member) as stream:
            array = _read_array(stream, header)
            # The archive's checksum is compared only when the end of the member is read.
            if stream.read(1):
                raise damaged(self.file, self.what, f"'{name}' has trailing bytes")
        return array

    def _header(self, member: zipfile.ZipInfo, name: str) -> _Header:
        if member.compress_type not in _COMPRESSIONS:
            raise ValueError(f"'{name}' is not compressed as NumPy does it")
        with self._archive.open(member) as stream:
            return _read_header(stream, self.file, name, member.file_size)


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
            received=f"{target.name} ends in '{target.suffix}'",
            expected="'.npy'",
            remedy="rename the output",
        )
    array = np.asarray(array)
    if array.dtype.kind not in "biufc":
        raise InputError(
            received=f"cannot write dtype {array.dtype} to {target.name}",
            expected="numbers",
            remedy="convert the array first",
        )
    array = np.asarray(array, order="C")
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        # What `np.save` writes, without its `tofile`, whose error does not say why it failed.
        npy_format.write_array_header_1_0(stream, npy_format.header_data_from_array_1_0(array))
        stream.write(array.data)
    return target


def _read_array(stream: IO[bytes], header: _Header) -> np.ndarray:
    """The array of an archive's member, at its beginning; a large one by `large_array`."""
    variable = header.variable
    if math.prod(variable.shape) * header.dtype.itemsize <= large_array.LARGEST_IN_MEMORY:
        return npy_format.read_array(stream, allow_pickle=False)
    stream.read(header.start)
    order: Literal["C", "F"] = "F" if header.columns_first else "C"
    array = large_array.empty(variable.shape, header.dtype, order)
    content = array.ravel(order).view(np.uint8)
    for rows in large_array.row_parts((content.size,)):
        part = content[rows]
        while part.size:
            count = stream.readinto(part)  # type: ignore[attr-defined]
            if not count:
                raise ValueError(f"'{variable.name}' ends early")
            part = part[count:]
    return array


class _Header(NamedTuple):
    """Header of a `.npy` file."""

    variable: Variable
    dtype: np.dtype
    columns_first: bool
    start: int
    """Byte at which the values begin."""


def _read_header(stream: IO[bytes], file: Path, name: str, size: int) -> _Header:
    """Parse a `.npy` header at the start of `stream`, whose whole length is `size`."""
    stream = io.BytesIO(stream.read(_LARGEST_HEADER_BYTES))
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, columns_first, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, columns_first, dtype = npy_format.read_array_header_2_0(stream)
    else:
        # Version 3 exists for field names outside Latin-1 only: a structured array.
        raise ValueError(f"format version {version[0]}.{version[1]} holds no plain array")
    if any(length < 0 for length in shape):
        raise ValueError(f"negative length in shape {shape}")
    start = stream.tell()
    if dtype.hasobject:
        variable = Variable(name, shape, "pickled object", readable=False)
        return _Header(variable, dtype, columns_first, start)
    needed = math.prod(shape) * dtype.itemsize
    held = size - start
    if needed > held:
        raise ValueError(f"the header declares {needed} bytes of values, the file holds {held}")
    check_declared_size(file, name, shape, dtype.itemsize)
    variable = Variable(name, shape, str(dtype), readable=dtype.kind in "biuf")
    return _Header(variable, dtype, columns_first, start)


def _require_readable(file: Path, variable: Variable) -> None:
    if not variable.readable:
        called = f"variable '{variable.name}'" if variable.name else "the array"
        raise InputError(
            received=f"{file.name}: {called} is of type {variable.kind}",
            expected="real numbers",
            remedy="save it as a plain numeric array",
        )
