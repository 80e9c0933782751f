"""Lines, notices and results of a command: on a terminal, as one JSON object, or not at all."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lren_tf.errors import InputError
from lren_tf.records import json_text
from lren_tf.runtime import progress

OPTIONS = ("quiet", "json")
"""Options of this module, as attributes of the arguments."""


@dataclass
class Console:
    """Everything that one command tells.

    Attributes:
        command: its name; None where there is none.
        quiet: True to print nothing but errors.
        as_json: True to print one JSON object at the end, and nothing else on stdout.
        lines: that were printed, or would have been.
        notices: likewise.
        results: entries of the JSON object.
        unprinted: why lines could not be printed on stdout; empty where they could, or where
            nobody reads them.
    """

    command: str | None = None
    quiet: bool = False
    as_json: bool = False
    lines: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    unprinted: str = ""

    @classmethod
    def of(cls, words: Sequence[str]) -> Console:
        """The console that words of a command line ask for.

        The words are enough, since a command line that argparse refuses is answered too.
        """
        options = words[: words.index("--")] if "--" in words else words
        command = next((word for word in words if not word.startswith("-")), None)
        return cls(command, "--quiet" in options, "--json" in options)

    @property
    def speaks(self) -> bool:
        """True if lines, notices and progress are printed."""
        return not (self.quiet or self.as_json)

    def say(self, text: str) -> None:
        """Print lines on stdout, at once even into a file or a pipe."""
        self.lines += text.splitlines()
        if self.speaks:
            self._print(text)

    def note(self, text: str) -> None:
        """Print a notice on stderr."""
        self.notices.append(text)
        if self.speaks:
            _print(f"lren-tf: note: {text}", sys.stderr)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Tell what the body says by `say`, `note` and `result`, and what the library logs."""
        token = _current.set(self)
        logger, handler = logging.getLogger("lren_tf"), _Handler()
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)
            _current.reset(token)

    def conclude(self, error: str | None = None, code: int = 0) -> int:
        """Print the error of the command, if any, and the JSON object, if it is asked for.

        Returns:
            The exit code: 1 in place of 0 where something could not be printed.
        """
        if error is not None:
            _print(f"lren-tf: {error}", sys.stderr)
        if self.as_json:
            ending = {} if error is None else {"error": error, "exit_code": code}
            entries = {**self.results, "notices": self.notices, "lines": self.lines}
            found = {"command": self.command, **ending, **entries}
            self._print(json_text(found).rstrip("\n"))
        if not self.unprinted or code != 0:
            return code
        _print(
            f"lren-tf: what was to be printed is lost ({self.unprinted}); expected an output that "
            "takes it. Files that the command writes are written.",
            sys.stderr,
        )
        return 1

    def _print(self, text: str) -> None:
        self.unprinted = _print(text, sys.stdout) or self.unprinted


def _print(text: str, stream: TextIO) -> str:
    """Print at once; where nothing can be printed any more, print nothing from then on.

    Returns:
        Why it cannot, such as a full disk; empty where the reader has gone, as ``head`` does.
    """
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        # The work goes on: its files count, and Python would complain once more at its end.
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        return "" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
    return ""


_current: ContextVar[Console | None] = ContextVar("console", default=None)


def add_console_options(parser: argparse.ArgumentParser) -> None:
    """``--quiet`` and ``--json``."""
    parser.add_argument(
        "--quiet", action="store_true", help="print only errors; files are still written"
    )
    parser.add_argument(
        "--json", action="store_true",
        help="print only one JSON object: results, files, notices, and the lines that would have "
        "been printed; if the command fails, its error",
    )  # fmt: skip


def say(text: str) -> None:
    """Print a line on stdout, or keep it for ``--json``."""
    _console().say(text)


def note(text: str) -> None:
    """Print a notice on stderr, or keep it for ``--json``."""
    _console().note(text)


def result(**entries: Any) -> None:
    """Add entries to the object of ``--json``."""
    _console().results.update(entries)


def tell_files(targets: Mapping[str, Path]) -> None:
    """Say which files were written, a line for each."""
    result(files={what: str(target) for what, target in targets.items()})
    for what, target in targets.items():
        say(f"{what}: {target}")


def speaks() -> bool:
    """Return whether lines, notices and progress are printed."""
    return _console().speaks


def showing_progress() -> contextlib.AbstractContextManager[None]:
    """Show the progress of what a body computes, unless nothing is to be printed."""
    return progress.shown() if speaks() else contextlib.nullcontext()


def mute() -> None:
    """Print nothing any more but errors, for a process whose chief prints."""
    console = _console()
    console.quiet, console.as_json = True, False


@contextmanager
def unheard() -> Iterator[None]:
    """Tell nothing of the body: what it comes to is told elsewhere."""
    token = _current.set(Console(quiet=True))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Enter the duration of the body into `seconds` under the name of the stage."""
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 4)


@contextmanager
def collected_notices(told: bool = True) -> Iterator[list[str]]:
    """Warnings meant for users, told at once and collected for the report.

    One that repeats the one before, as explaining a score repeats what scoring said, is left out.

    Args:
        told: False to collect them only, in a process other than the chief.
    """
    collected: list[str] = []

    def show(message: Warning | str, category: type[Warning], *origin: Any) -> None:
        if category is UserWarning and collected[-1:] != [str(message)]:
            collected.append(str(message))
            if told:
                note(str(message))

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


class _Handler(logging.Handler):
    """Messages of the library as lines, its warnings as notices."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        (say if record.levelno < logging.WARNING else note)(text)


def _console() -> Console:
    """The console of the running command; one that speaks where there is none."""
    return _current.get() or Console()
