"""Messages of the command line: progress and results, notices, refusals."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lren_tf.errors import InputError


def say(line: str) -> None:
    """One line on stdout, at once even into a file or a pipe."""
    print(line, flush=True)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Enter the duration of the body into `seconds` under the name of the stage."""
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 4)


@contextmanager
def collected_notices(printed: bool = True) -> Iterator[list[str]]:
    """Warnings meant for users, printed on stderr at once and collected for the report.

    Args:
        printed: False to collect them only, in a process other than the chief.
    """
    collected: list[str] = []

    def show(message: Warning | str, category: type[Warning], *origin: Any) -> None:
        if category is UserWarning:
            collected.append(str(message))
            if not printed:
                return
            print(f"lren-tf: note: {message}", file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield collected


@contextmanager
def renamed(**options: str) -> Iterator[None]:
    """Rename arguments in refusals of a body, for options that have other names.

    Args:
        **options: the library's argument -> the command's, both as Python writes them.
    """
    try:
        yield
    except InputError as error:
        error.rename(**options)
        raise
