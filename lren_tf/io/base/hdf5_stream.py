"""The bytes of an HDF5 file, with what would make HDF5 read without an end or bound taken out.

Texts and lists of any length lie in collections of a global heap, one object behind the other. In
a damaged one an object of no size can follow, at which HDF5 1.14 stays for ever; so each collection
is walked through before HDF5 sees it, and one that does not end loses its signature, which HDF5
refuses in its own words. Attributes that declare more than the file holds become empty.

Source: HDF5 File Format Specification 3.0, III.E, global heap.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from lren_tf.io.base.hdf5_lengths import lengths_beyond

_SIGNATURE = b"GCOL"
# A header of a collection, and of each of its objects: eight bytes and a length, at most eight.
_HEADER = 16
# How far before a read the attribute may begin that its bytes belong to.
_BEFORE = 4096
# Bytes looked at in one go, and what an attribute that begins there may take beyond.
_PIECE, _LARGEST_MESSAGE = 1 << 20, 1 << 16


class CheckedStream(io.FileIO):
    """A file open for reading, as h5py takes it in place of a path.

    Its `repr` is what `h5py.File.filename` says; `path_of` has the path again.

    Args:
        path: of the file.

    Attributes:
        length_bytes: how many bytes a length takes in the file, 8 in nearly all.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self.length_bytes = 8
        self._name = quote_from_bytes(os.fsencode(path))

    def __repr__(self) -> str:
        return self._name

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as the file goes; systems read 2 GiB at a time at most."""
        view, done, at = memoryview(buffer), 0, self.tell()
        while done < len(view):
            count = super().readinto(view[done:])
            if not count:
                break
            done += count
        if view[: len(_SIGNATURE)] == _SIGNATURE and not self._ends(view[:done]):
            view[: len(_SIGNATURE)] = bytes(len(_SIGNATURE))
        self._empty_too_long(view[:done], at)
        return done

    def _empty_too_long(self, view: memoryview, at: int) -> None:
        """Set lengths and places of attributes to 0 where these are longer than the file.

        Args:
            view: what was read.
            at: where in the file it begins.
        """
        before = b""
        if at and len(view):
            self.seek(max(0, at - _BEFORE))
            before = self.read(min(at, _BEFORE))
            self.seek(at + len(view))
        size = os.fstat(self.fileno()).st_size
        for piece in range(0, len(view), _PIECE):
            kept = max(0, piece - _BEFORE)
            content = bytes(view[kept : piece + _PIECE + _LARGEST_MESSAGE])
            shift = kept
            if not piece:
                content, shift = before + content, -len(before)
            for start, end in lengths_beyond(content, size, self.length_bytes):
                first, last = max(0, start + shift), end + shift
                if last > first:
                    view[first:last] = bytes(last - first)

    def _ends(self, collection: memoryview) -> bool:
        """Return whether one object after the other leads to the end of a collection.

        Args:
            collection: as far as it was read.
        """
        size = self._length_at(collection, 0)
        at = _HEADER
        while at + _HEADER <= min(size, len(collection)):
            length = self._length_at(collection, at)
            # Object 0 is the space that is left, its own header included.
            is_object = collection[at] or collection[at + 1]
            step = _HEADER + -(-length // 8) * 8 if is_object else length
            if not step or at + step > size:
                return False
            at += step
        return True

    def _length_at(self, collection: memoryview, at: int) -> int:
        return int.from_bytes(collection[at + 8 : at + 8 + self.length_bytes], "little")


def path_of(filename: str) -> Path:
    """The path of a file by the name under which h5py knows its `CheckedStream`."""
    return Path(os.fsdecode(unquote_to_bytes(filename)))
