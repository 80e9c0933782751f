"""A folder that one process at a time writes to, and what killed processes leave in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lren_tf.errors import InputError

_LOCK = "lock"
_TEMPORARY = re.compile(r"\.{1,2}[0-9a-f]{16}(\..*)?|tmp[a-z0-9_]{8}")
"""Files that a killed process can leave: one half written by `runtime.files.atomic_paths`, and
the test whether the folder is writable. Two dots: a writer that is atomic by itself, within it."""


@contextmanager
def exclusive_use(folder: Path, by: str) -> Iterator[None]:
    """Lock the folder against others of a kind; the lock of a killed process does not count.

    Where the system has no locks of files, a file that exists is the lock. Where a file system has
    none, nothing is locked.

    Args:
        folder: exists.
        by: the kind, such as "training".

    Raises:
        InputError: another one has the folder.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{folder} is in use by another {by}; expected a folder of its own for each, "
            "wait for the other or choose another folder."
        ) from error
    except (OSError, NotImplementedError):  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        lock.release()


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files of killed processes; nobody else may be writing to the folder."""
    for path in list(folder.iterdir()):
        # Other programs use names like that of the writable test's file, but it is always empty.
        if _TEMPORARY.fullmatch(path.name) and (
            path.name.startswith(".") or path.stat().st_size == 0
        ):
            path.unlink()
