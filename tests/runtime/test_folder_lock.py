"""Locked folders: on systems with and without locks, and on a file system without."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock, SoftFileLock

from lren_tf.errors import InputError
from lren_tf.runtime import folder_lock
from lren_tf.runtime.folder_lock import exclusive_use


@pytest.mark.parametrize("kind", [FileLock, SoftFileLock])
def test_a_second_one_is_refused_until_the_first_has_ended(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "FileLock", kind)
    with (
        exclusive_use(tmp_path, "training"),
        pytest.raises(InputError, match="in use by another training; expected a folder of its own"),
        exclusive_use(tmp_path, "training"),
    ):
        pass
    with exclusive_use(tmp_path, "training"):
        pass


def test_a_body_that_fails_gives_the_folder_back(tmp_path):
    with pytest.raises(ValueError, match="body"), exclusive_use(tmp_path, "training"):
        raise ValueError("body")
    with exclusive_use(tmp_path, "training"):
        pass


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), NotImplementedError("flock")])
def test_a_file_system_without_locks(error, tmp_path, monkeypatch):
    class Without:
        def __init__(self, path: Path) -> None:
            pass

        def acquire(self, timeout: float) -> None:
            raise error

    monkeypatch.setattr(folder_lock, "FileLock", Without)
    with exclusive_use(tmp_path, "training"):
        pass
    # What the body raises is its own matter, whatever the file system can do.
    with pytest.raises(OSError, match="of the body"), exclusive_use(tmp_path, "training"):
        raise OSError("of the body")
