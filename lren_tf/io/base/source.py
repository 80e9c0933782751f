"""A file that is opened once, for every reader that looks at it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from lren_tf.errors import InputError
from lren_tf.io.base.failures import reading
from lren_tf.io.base.hdf5_stream import CheckedStream
from lren_tf.io.base.variable import a_folder, existing_path

if TYPE_CHECKING:
    import h5py

_T = TypeVar("_T")
_START_BYTES = 4096


class Source:
    """A file or a folder, with the handles by which its content is reached.

    It is a context manager that closes whatever was opened of it.

    Args:
        path: of an existing file that is not empty, or of a folder.

    Attributes:
        path: as a `Path`.
        stream: the open file; readers share it and seek before they read. None of a folder.
        start: the first 4096 bytes, by which content is told apart; empty of a folder.

    Raises:
        InputError: it is missing, unreadable or empty.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = existing_path(path)
        self._open = ExitStack()
        self.stream: IO[bytes] | None = None
        self.start = b""
        if self.path.is_file():
            self._read_start()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def enter(self, context: AbstractContextManager[_T]) -> _T:
        """Enter a context that lasts until the source is closed."""
        return self._open.enter_context(context)

    def _read_start(self) -> None:
        try:
            self.stream = self.enter(self.path.open("rb"))
            self.start = self.stream.read(_START_BYTES)
        except OSError as error:
            raise InputError(
                received=f"{self.path} cannot be read ({error.strerror or error})",
                expected="a readable file",
                remedy="check its permissions",
            ) from error
        if not self.start:
            self._open.close()
            raise InputError(
                received=f"{self.path.name} is empty",
                expected="a scene",
                remedy="copy or download it again",
            )

    def start_over(self) -> IO[bytes]:
        """The stream at its beginning.

        Raises:
            InputError: it is a folder.
        """
        if self.stream is None:
            raise a_folder(self.path)
        self.stream.seek(0)
        return self.stream

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @cached_property
    def hdf5(self) -> h5py.File | None:
        """The file as HDF5 (netCDF-4, HDF-EOS5, MATLAB 7.3), opened once; None for other content.

        Raises:
            InputError: it has the signature of HDF5 and cannot be opened.
        """
        import h5py

        if self.stream is None or not h5py.is_hdf5(self.path):
            return None
        with reading(self.path, "HDF5 file"):
            # By its path once, for the lock that keeps those who write away.
            self.enter(h5py.File(self.path, "r"))
            stream = self.enter(CheckedStream(self.path))
            hdf = self.enter(h5py.File(stream, "r"))
            stream.length_bytes = hdf.id.get_create_plist().get_sizes()[1]
            return hdf
