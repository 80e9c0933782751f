"""``--workers``, ``--threads`` and ``--scheduler``: the processes that work on many tasks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lren_tf.cli.console import note, say
from lren_tf.errors import InputError
from lren_tf.runtime.threads import usable_cores
from lren_tf.tasks.dask_workers import local_workers, workers_of
from lren_tf.tasks.run import Engine, Here, Outcome

OPTIONS = ("workers", "threads", "scheduler")
"""Options of this module, as attributes of the arguments."""


def add_worker_options(made: argparse.ArgumentParser) -> None:
    """``--workers``, ``--threads`` and ``--scheduler``."""
    made.add_argument(
        "--workers", metavar="N",
        help="worker processes on this computer, started through Dask (default: 0, run in this "
        "process, without Dask)",
    )  # fmt: skip
    made.add_argument(
        "--threads", metavar="N",
        help="with --workers: threads of each worker (default: an equal share of the cores)",
    )  # fmt: skip
    made.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="use the workers of this running Dask scheduler, such as tcp://host:8786",
    )  # fmt: skip


class WorkerOptions:
    """The options of this module, checked.

    Raises:
        InputError: an option that cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._scheduler = arguments.scheduler
        if self._scheduler is not None:
            for name in ("workers", "threads"):
                if getattr(arguments, name) is not None:
                    raise InputError(
                        f"--{name} was given with --scheduler, which has workers of its own; "
                        "expected one of the two, leave one out."
                    )
        self.workers = _whole("--workers", arguments.workers, 0, "of processes, 0 or more") or 0
        threads = _whole("--threads", arguments.threads, 1, "of threads, 1 or more")
        if threads is not None and not self.workers:
            raise InputError(
                "--threads was given without --workers; expected the number of processes with it, "
                "add --workers N."
            )
        self._threads = threads or max(1, usable_cores() // max(1, self.workers))

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Start the engine that works on tasks.

        Raises:
            InputError: Dask is not installed, or the scheduler does not answer.
            WorkerLost: the processes could not be started.
        """
        if self._scheduler is not None:
            with workers_of(self._scheduler) as engine:
                count = len(engine.workers())
                waits = "" if count else ", waiting for the first"
                say(f"{self._scheduler}: {count} worker{'' if count == 1 else 's'}{waits}")
                yield engine
        elif self.workers:
            with local_workers(self.workers, self._threads) as engine:
                yield engine
        else:
            yield Here()


def _whole(option: str, text: str | None, smallest: int, what: str) -> int | None:
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = smallest - 1
    if number < smallest:
        raise InputError(f"{option} is {text!r}; expected a whole number {what}.")
    return number


def tell_failure(outcome: Outcome, again: bool, *, debug: bool) -> None:
    """Tell a try that failed and is made again; with ``--debug`` the last one too, and its trace.

    Args:
        outcome: of any try.
        again: True if another follows.
        debug: ``--debug``.
    """
    if outcome.failure is None or not (again or debug):
        return
    then = "; it is tried again" if again else ""
    note(f"{outcome.task.name}: {outcome.failure}{then}.")
    if debug:
        print(outcome.trace, file=sys.stderr)
