"""What the command line says and where: progress, notices, refusals, silence at start."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lren_tf.errors import InputError, WorkerLost

# Of `load_scene` and `load_map`; the longer name first where one ends in another.
_ARGUMENTS = "truth_key|key|truth|mask|no_data|bands|drop_water|axes"


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
def collected_notices(said: bool = True) -> Iterator[list[str]]:
    """Warnings meant for users, said on stderr at once and collected for the report.

    Args:
        said: False to collect them only, in a process beside the one that speaks.
    """
    collected: list[str] = []

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category is UserWarning:
            collected.append(str(message))
            if not said:
                return
            print(f"lren-tf: note: {message}", file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield collected


@contextmanager
def worded(**options: str) -> Iterator[None]:
    """Say `--key` where a refusal of the library says `key=`.

    Args:
        **options: Python's argument -> the command's option.
    """

    def option(found: re.Match[str]) -> str:
        return options.get(found[1], f"--{found[1]}") + (" " if found[2] else "")

    try:
        yield
    except InputError as error:
        text = re.sub(rf'\b({_ARGUMENTS})=(?=("")?)', option, str(error))
        raise InputError(text) from error


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's start-up messages off stderr; they come out if the start fails.

    They are written by C++ before any logging level applies, hence the descriptor.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed by whoever started us
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException as error:
            os.dup2(kept, 2)
            if not isinstance(error, (InputError, WorkerLost, KeyboardInterrupt)):
                said.seek(0)
                sys.stderr.write(said.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
