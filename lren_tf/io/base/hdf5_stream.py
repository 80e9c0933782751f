"""The bytes of an HDF5 file, with what would make HDF5 read without an end taken out.

Texts and lists of any length lie in collections of a global heap, one object behind the other. In
a damaged one an object of no size can follow, at which HDF5 1.14 stays for ever; so each collection
is walked through before HDF5 sees it, and one that does not end loses its signature, which HDF5
refuses in its own words.

Source: HDF5 File Format Specification 3.0, III.E, global heap.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_SIGNATURE = b"GCOL"
# A header of a collection, and of each of its objects: eight bytes and a length, at most eight.
_HEADER = 16


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
        view, done = memoryview(buffer), 0
        while done < len(view):
            count = super().readinto(view[done:])
            if not count:
                break
            done += count
        if view[: len(_SIGNATURE)] == _SIGNATURE and not self._ends(view[:done]):
            view[: len(_SIGNATURE)] = bytes(len(_SIGNATURE))
        return done

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
