"""Calls that workers make in tests; they import this module."""

import os
import signal
from pathlib import Path

from lren_tf.errors import InputError


def double(number: int) -> int:
    return 2 * number


def surroundings(name: str) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get(name)


def refuse() -> None:
    raise InputError("the\nnumber is 3; expected 4.")


def unreachable() -> None:
    try:
        raise OSError("the share is away")
    except OSError as error:
        try:
            raise InputError("the file cannot be read.") from error
        except InputError as told:
            raise InputError("the scene cannot be read.") from told


def crash() -> None:
    raise KeyError("gone")


def leave() -> None:
    raise SystemExit(3)


def note(folder: str, what: str) -> int:
    """Leave a file for every call; how many calls there were."""
    path = Path(folder, what)
    with path.open("a") as file:
        file.write("x")
    return path.stat().st_size


def refuse_at_first(folder: str) -> int:
    calls = note(folder, "refused")
    if calls == 1:
        raise RuntimeError("not now")
    return calls


def die(folder: str) -> None:
    note(folder, "died")
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_first(folder: str) -> int:
    calls = note(folder, "died once")
    if calls == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return calls


class Unreadable:
    """A call that can be sent and not be received."""

    def __call__(self) -> None:
        raise AssertionError("it was received")

    def __reduce__(self) -> tuple[object, ...]:
        return not_received, ()


def not_received() -> None:
    raise ImportError("no worker can read it")
