"""Execution of runs in worker processes, and how long the rest will take.

A worker takes one group of runs after the other, and the runs of a group in their order: those
that share a training stay together. Each has one thread, since one training keeps a second
thread busy for a fraction of its time only, and two trainings keep two cores busy. A worker
ends at once when the process that started it does, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from experiments.runs.run import REFERENCE, Run, Workspace, load_result
from lren_tf.runtime.threads import usable_cores

MOST_PROCESSES = 8
_ENVIRONMENT = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Workers share a GPU, of which TensorFlow takes all memory by default.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""What differs in the environment of a worker."""


class Finished(NamedTuple):
    """A run that has ended, with its record and the seconds it took on the clock."""

    run: Run
    record: dict[str, Any]
    seconds: float


def usable_processes() -> int:
    """Return how many runs go at a time: one a core that this process may use."""
    return min(usable_cores(), MOST_PROCESSES)


def execute(
    groups: Sequence[Sequence[Run]],
    space: Workspace,
    ended: Callable[[Finished], None],
    *,
    processes: int | None = None,
) -> None:
    """Execute groups of runs, in their order as far as several at a time allow.

    Args:
        groups: runs that one process executes one after the other.
        space: where records and maps go.
        ended: called in this process after every run.
        processes: worker processes; 0 for none, everything in this process; None for
            :func:`usable_processes`.

    Raises:
        RuntimeError: a worker ended in the middle of a run, or a run raised what no result is.
    """
    if processes is None:
        processes = usable_processes()
    if processes == 0:
        for run in (run for group in groups for run in group):
            ended(_timed(run, space))
        return
    waiting = [list(group) for group in groups if group]
    with _workers(min(processes, len(waiting))) as workers:
        busy: dict[Connection, list[Run]] = {}
        while waiting or busy:
            for worker in workers:
                if worker not in busy and waiting:
                    busy[worker] = waiting.pop(0)
                    worker.send((busy[worker], space))
            for worker in wait(list(busy)):
                try:
                    answer = worker.recv()  # type: ignore[union-attr]
                except EOFError:
                    names = ", ".join(run.label for run in busy[worker])  # type: ignore[index]
                    raise RuntimeError(f"a worker process ended during: {names}") from None
                if answer is None:
                    del busy[worker]  # type: ignore[arg-type]
                elif isinstance(answer, Finished):
                    ended(answer)
                else:
                    raise RuntimeError(answer)


def _timed(run: Run, space: Workspace) -> Finished:
    started = time.perf_counter()
    record = run.execute(run.load(), space)
    return Finished(run, record, time.perf_counter() - started)


@contextmanager
def _workers(count: int) -> Iterator[list[Connection]]:
    """Worker processes of one thread each, by the pipe to each."""
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], []
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there,), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            pipes.append(here)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    try:
        yield pipes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _work(pipe: Connection) -> None:
    """Execute the groups that come through a pipe until it closes."""
    # Ctrl-C reaches the whole group of processes; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    groups: list[Any] = []
    arrived = threading.Condition()

    def listen() -> None:
        while True:
            try:
                group = pipe.recv()
            except (EOFError, OSError):
                os._exit(1)
            with arrived:
                groups.append(group)
                arrived.notify()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        with arrived:
            arrived.wait_for(lambda: groups)
            runs, space = groups.pop()
        for run in runs:
            try:
                answer: Any = _timed(run, space)
            except Exception as error:
                answer = f"{run.label}: {type(error).__name__}: {error}"
            pipe.send(answer)
        pipe.send(None)


def expected_seconds(run: Run) -> float | None:
    """Return the seconds that the committed record of a run reports; None if there is none."""
    record = load_result(run, REFERENCE)
    if record is None:
        return None
    return float(sum(record["seconds"].values()))


@dataclass
class Progress:
    """How many runs are done and left, and the time that the rest will take.

    The estimate is the time in the committed records, scaled by the ratio of the times measured
    here to the committed times of the same runs, over the number of processes.
    """

    groups: Sequence[Sequence[Run]]
    processes: int
    done: int = 0
    _measured: float = 0.0
    _committed: float = 0.0
    _expected: dict[Run, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {run: expected_seconds(run) for group in self.groups for run in group}
        times = [time for time in known.values() if time is not None]
        usual = sum(times) / len(times) if times else 0.0
        for group in self.groups:
            # The later runs of a group share the training of the first.
            for place, run in enumerate(group):
                time = known[run]
                self._expected[run] = 1.0 if place else usual if time is None else time
        self._left = dict(self._expected)

    @property
    def total(self) -> int:
        """Number of runs."""
        return len(self._expected)

    def count(self, finished: Finished) -> None:
        """Take a finished run into account."""
        self.done += 1
        self._measured += finished.seconds
        self._committed += self._expected[finished.run]
        self._left.pop(finished.run, None)

    @property
    def seconds_left(self) -> float:
        """Estimate of the time that the rest takes."""
        scale = 1.0
        # A second of an import weighs too much beside the first short runs.
        if self._committed > 10.0:
            scale = self._measured / self._committed
        return scale * sum(self._left.values()) / max(self.processes, 1)

    def line(self) -> str:
        """Return runs done, runs left and time left as one line."""
        left = self.total - self.done
        minutes = self.seconds_left / 60.0
        time = f"about {minutes:.0f} min" if minutes >= 1.5 else "less than 2 min"
        return f"[{self.done} done, {left} left{f', {time}' if left else ''}]"
