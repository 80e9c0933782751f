"""The command line: ``lren-tf detect``, ``batch``, ``benchmark``, ``compare``, ``evaluate``,
``threshold``, ``view``, ``export``, ``info``, ``datasets``.

Exit codes: 0 success, 2 unusable input, 1 any other error, 130 interrupted. TensorFlow is
imported only by what needs it, and only after everything that can be checked without it.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

from lren_tf.cli.console import Console
from lren_tf.cli.parser import make_parser
from lren_tf.errors import InputError, TasksFailed, TrainingDiverged, WorkerLost


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None for those of the process.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 0, after ``--help`` or ``--version``.
    """
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no "×" must not end a run that took an hour.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    words = sys.argv[1:] if arguments is None else list(arguments)
    console = Console.of(words)
    with console.listening():
        error, code = _run(words)
    return console.conclude(error, code)


def _open_streams() -> None:
    """Open the standard streams that whoever started the process has closed, to nowhere.

    A file that is opened later would take the place of a closed one, and what TensorFlow says on
    stderr would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, "r+", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)


def _run(words: Sequence[str]) -> tuple[str | None, int]:
    """Run a command; return its error, if any, and the exit code."""
    parsed = argparse.Namespace(debug=False)
    try:
        make_parser().parse_args(words, parsed)
        parsed.run(parsed)
    except InputError as error:
        return error.for_command_line(), 2
    except KeyboardInterrupt as interruption:
        return str(interruption) or "interrupted.", 130
    except (TasksFailed, TrainingDiverged, WorkerLost) as error:
        return str(error), 1
    except Exception as error:
        if parsed.debug:
            traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        hint = "" if parsed.debug else " (run again with --debug for the traceback)"
        return f"unexpected error: {reason}{hint}.", 1
    return None, 0
