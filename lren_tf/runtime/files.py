"""Atomic writing: a reader of a file sees either the old content or the new, never a part."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lren_tf.errors import InputError

# The disk, the quota, and the largest file that the file system or the user's limit allows.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LONGEST_SHOWN = 160
"""Characters of a path in a message."""
_LONGEST_SUFFIXES = 32
"""Characters of a target's suffixes that its temporary file keeps: `.weights.h5` and the like."""


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `target`; move it onto `target` if the body succeeds.

    The temporary file keeps every suffix of the target (`model.weights.h5` stays a
    `.weights.h5`), because writers choose their format by it. It is flushed to the disk
    before it replaces the target. If the body raises, it is removed, the target keeps what
    it held, and the exception goes on. A missing folder is created; a target that is a
    symbolic link is written through.

    Raises:
        InputError: the target is a folder, its folder cannot be made or written, or the disk
            is full.
    """
    with atomic_paths(target) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*targets: str | os.PathLike[str]) -> Iterator[list[Path]]:
    """Yield a temporary path for each target; move all of them if the body succeeds.

    As `atomic_path`, for files that belong together: none is moved before all are on the
    disk, and then they are moved in the order given. If a move fails or is interrupted, those
    before it are undone, on file systems with hard links. What can still part the files is a
    process that is killed within those few calls.

    Raises:
        InputError: as `atomic_path`.
    """
    moves: list[tuple[Path, Path]] = []
    try:
        for given in targets:
            # os.path and not Path methods here and below: these never raise, whatever the path.
            target = Path(os.path.realpath(as_path(given)))
            if os.path.isdir(target):
                raise InputError(f"{given} is a folder; expected a file to write, add a file name.")
            folder = ensure_writable_folder(target.parent)
            temporary = folder / _hidden(target)
            # Created by open() and not by mkstemp(), whose mode 0600 would stay on the file.
            temporary.open("xb").close()
            moves.append((temporary, target))
        yield [temporary for temporary, _ in moves]
        for temporary, _ in moves:
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        _move_all(moves)
    except BaseException as error:
        for temporary, _ in moves:
            with suppress(OSError):
                temporary.unlink()
        if moves and (reason := _full(error)) is not None:
            raise _no_room(moves[-1][1].parent, reason) from error
        raise
    for folder in {target.parent for _, target in moves}:
        _flush_folder(folder)


@contextmanager
def atomic_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder beside `target`; put it in the place of `target` if the body succeeds.

    Its files are flushed to the disk before. A folder that was there is renamed, then removed;
    between its renaming and that of the new one lie no other steps, but no system call that
    every system has does both at once. If the body raises, the new folder is removed, the
    target keeps what it held, and the exception goes on. Missing folders above are created; a
    target that is a symbolic link is written through.

    Raises:
        InputError: the target is a file, the folder around it cannot be made or written, or the
            disk is full.
    """
    place = Path(os.path.realpath(as_path(target)))
    if os.path.lexists(place) and not os.path.isdir(place):
        raise InputError(f"{target} is a file; expected a folder to write, choose another.")
    around = ensure_writable_folder(place.parent)
    temporary, earlier = (around / f".{secrets.token_hex(8)}" for _ in range(2))
    temporary.mkdir()
    try:
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                with open(os.path.join(folder, name), "rb+") as stream:
                    os.fsync(stream.fileno())
            _flush_folder(Path(folder))
        if os.path.isdir(place):
            os.rename(place, earlier)
        try:
            os.rename(temporary, place)
        except BaseException:
            if os.path.isdir(earlier):
                os.rename(earlier, place)
            raise
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if (reason := _full(error)) is not None:
            raise _no_room(around, reason) from error
        raise
    shutil.rmtree(earlier, ignore_errors=True)
    _flush_folder(around)


def ensure_writable_target(path: str | os.PathLike[str]) -> Path:
    """Prove that `atomic_path` will be able to write a file, and leave nothing behind.

    For asking before hours of work; a missing folder is not made yet.

    Returns:
        The file as a `Path`.

    Raises:
        InputError: it is a folder, or its folder (the nearest existing one above it, when
            it is missing) cannot be written.
    """
    target = as_path(path)
    real = Path(os.path.realpath(target))
    if os.path.isdir(real):
        raise InputError(f"{path} is a folder; expected a file to write, add a file name.")
    folder = next(folder for folder in real.parents if os.path.lexists(folder))
    ensure_writable_folder(folder)
    for part in real.relative_to(folder).parts:
        as_path(folder / part)  # a name that is too long fails only in a folder that exists
    return target


def ensure_writable_folder(path: str | os.PathLike[str]) -> Path:
    """Make the folder if it is missing and prove that a file can be created in it.

    A file is really created (and removed), because permission bits say nothing for root,
    for read-only mounts and for quotas.

    Returns:
        The folder as a `Path`.

    Raises:
        InputError: it is not a folder, or cannot be made or written.
    """
    folder = as_path(path)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder} is a file; expected a folder to write into, choose another.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}); expected a folder where "
            "files can be created, choose another."
        ) from error
    return folder


def as_path(path: str | os.PathLike[str]) -> Path:
    """`path` with `~` expanded.

    Raises:
        InputError: it is not a path, or no file system could hold it.
    """
    try:
        result = Path(os.fsdecode(path)).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            result.stat()  # NUL characters and over-long names fail here and not later
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"{_shown(path)} is not a usable path ({getattr(error, 'strerror', None) or error}); "
            "expected the path of a file or folder."
        ) from error
    return result


def _shown(path: object) -> str:
    """A path as messages show it: as text, the middle of a long one left out."""
    text = repr(os.fspath(path)) if isinstance(path, os.PathLike) else repr(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:60]} … {text[-60:]}"


def _hidden(target: Path) -> str:
    """Name of a temporary file for a target, as short as the target's may be long."""
    return f".{secrets.token_hex(8)}{''.join(target.suffixes)[-_LONGEST_SUFFIXES:]}"


def _move_all(moves: list[tuple[Path, Path]]) -> None:
    """Move every file onto its target, or none."""
    begun: list[tuple[Path, Path, bool]] = []
    try:
        for temporary, target in moves:
            if len(begun) + 1 < len(moves):  # nothing comes after the last that could fail
                earlier = target.with_name(f".{secrets.token_hex(8)}")
                # Entered first, so that an interruption finds it whenever it comes.
                begun.append((target, earlier, os.path.lexists(target)))
                with suppress(OSError):  # there is none, or the file system has no links
                    os.link(target, earlier)
            os.replace(temporary, target)
    except BaseException:
        for target, earlier, existed in begun:
            with suppress(OSError):
                if not existed:
                    target.unlink()
                elif os.path.lexists(earlier):
                    os.replace(earlier, target)
        raise
    finally:
        for _, earlier, _ in begun:
            with suppress(OSError):
                earlier.unlink()


def _full(error: BaseException) -> str | None:
    """Reason of an error that says nothing more can be written; None for any other error.

    Libraries pass on the system's message and not always its number.
    """
    if not isinstance(error, OSError):
        return None
    for code in _FULL:
        if error.errno == code or os.strerror(code) in str(error):
            return os.strerror(code)
    return None


def _no_room(folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder} cannot hold what is to be written ({reason}); expected room for every file, "
        "free some or choose another folder."
    )


def _flush_folder(folder: Path) -> None:
    # Not every system can open a folder; the replacement has happened either way.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
