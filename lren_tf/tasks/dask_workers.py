"""Tasks on the workers of Dask: processes of this computer, or of a running cluster.

A worker makes one call at a time, whatever number of threads it offers: TensorFlow uses the
cores of a machine by itself, and the messages of a process cannot be separated by thread.

When a worker dies, Dask restarts its task on another one by itself, as often as the scheduler's own
setting allows. So the starts of a task are counted on the scheduler, which outlives workers, and a
call that was started often enough is not made again. The result of a call is stored there too, so
the work is not lost if a worker dies before Dask has fetched its result.
"""

from __future__ import annotations

import importlib
import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lren_tf.errors import InputError, WorkerLost
from lren_tf.tasks.run import Attempt, Ended, Task, attempted, sentence_of
from lren_tf.version import __version__

CONNECT_S = 10.0
"""Seconds in which a scheduler has to answer."""
LOOP_ENDS_S = 1.0
"""Seconds in which the event loop of a closed client ends."""
_LOOK_S = 1.0
"""Seconds between two looks for workers that have come."""
_MOST_SUBMISSIONS = 6
"""Most times that one task is given to Dask. More than its tries, since Dask also blames a task
that a worker was given and had not begun when it died."""
_DIED = "the process that worked on it ended each time (killed, or out of memory)"
_NOTHING = (0, 0, b"")
"""Record of a task that has not been started: starts, submission that returned, its attempt."""
_THREADS = (
    "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip

_one_call = threading.Lock()


class DaskWorkers:
    """The engine that hands tasks to the workers of a Dask scheduler.

    Args:
        client: connected.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._running: dict[Any, int] = {}
        self._records: dict[int, Any] = {}
        self._submissions: dict[int, int] = {}

    def workers(self) -> list[str]:
        """Addresses of the workers that are there.

        Raises:
            WorkerLost: the scheduler does not answer.
        """
        with _scheduler_needed():
            return sorted(self._client.nthreads())

    def free(self) -> int:
        """Number of workers that have nothing to do.

        One task a worker, so that one that dies takes no other task with it, and none waits for a
        busy worker while another has nothing to do.
        """
        return max(0, len(self.workers()) - len(self._running))

    def start(self, number: int, task: Task, tries: int) -> None:
        """Hand a task to the scheduler, which chooses the worker with the least to do."""
        from distributed import Variable

        with _scheduler_needed():
            if number not in self._records:
                # Of no other client of the same scheduler, hence more than the number.
                record = Variable(f"{self._client.id}-{number}", client=self._client)
                record.set(_NOTHING)
                self._records[number] = record
            submission = self._submissions.get(number, 0) + 1
            self._submissions[number] = submission
            record = self._records[number]
            future = self._client.submit(
                _called, record.name, submission, tries, task.call, task.arguments,
                key=f"{task.name}-{record.name}-{submission}", pure=False,
            )  # fmt: skip
        self._running[future] = number

    def ended(self) -> list[Ended]:
        """The tasks that have ended, after a second at most."""
        from distributed import wait

        if not self._running:
            time.sleep(_LOOK_S)
        else:
            with suppress(TimeoutError), _scheduler_needed():
                wait(list(self._running), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        done = [future for future in self._running if future.done()]
        return [self._ended(future, self._running.pop(future)) for future in done]

    def close(self) -> None:
        """Give up what is still running."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._running), force=True)
        for record in self._records.values():
            with suppress(Exception):
                record.delete()

    def _ended(self, future: Any, number: int) -> Ended:
        from distributed import KilledWorker

        if future.status not in ("finished", "error"):
            raise WorkerLost(_GONE)
        if future.status == "finished":
            tries, attempt = future.result()
            return Ended(number, tries, attempt)
        error = future.exception()
        with _scheduler_needed():
            begun = int(self._records[number].get(timeout=CONNECT_S)[0])
        submitted = self._submissions[number]
        if isinstance(error, KilledWorker):
            tries = begun if submitted < _MOST_SUBMISSIONS else max(begun, submitted)
            return Ended(number, tries, Attempt(failure=_DIED))
        # It came to no call, for example because the worker cannot import the function.
        return Ended(number, max(begun, submitted), Attempt(failure=sentence_of(error)))


_GONE = (
    "the connection to the scheduler was lost; expected it to be there to the end: run the same "
    "command again for the rest."
)


@contextmanager
def local_workers(count: int, threads: int) -> Iterator[DaskWorkers]:
    """Processes of this computer, which end with this one.

    Args:
        count: 1 or more.
        threads: that each of them computes with.

    Raises:
        InputError: Dask is not installed.
        WorkerLost: they could not be started.
    """
    distributed = _imported(f"--workers {count}")
    environment = {
        **dict.fromkeys(_THREADS, str(threads)),
        "TF_NUM_INTEROP_THREADS": "1",
        # Workers share a GPU, of which TensorFlow takes all memory by default.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    with _quiet():
        try:
            cluster = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None,
                # Without a dashboard Dask still serves a page, by default on port 8787, and warns
                # where another run has that port.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                # A detector looks after its memory; Dask would stop it at a share of the whole.
                memory_limit=0, silence_logs=logging.CRITICAL, env=environment,
            )  # fmt: skip
        except (RuntimeError, OSError, TimeoutError) as error:
            raise WorkerLost(
                f"--workers {count}: the processes could not be started ({_reason(error)}); "
                "expected them to, see what the system allows, or leave the option out."
            ) from error
        with cluster, distributed.Client(cluster, timeout=CONNECT_S) as client:
            engine = DaskWorkers(client)
            try:
                yield engine
            finally:
                engine.close()


@contextmanager
def workers_of(address: str) -> Iterator[DaskWorkers]:
    """The workers of a scheduler that is running.

    Args:
        address: such as ``tcp://host:8786``.

    Raises:
        InputError: Dask is not installed, nothing answers there, or a worker that is there has
            not this version of the package.
    """
    distributed = _imported(f"--scheduler {address}")
    with _quiet():
        try:
            client = _client(distributed, address)
        except (OSError, ValueError, TimeoutError, TypeError) as error:
            raise InputError(
                f"--scheduler {address} does not answer ({_reason(error)}); expected "
                "the address of a running Dask scheduler, such as tcp://host:8786, start one with "
                "'dask scheduler' or check the address."
            ) from error
        with client:
            _check_versions(client)
            engine = DaskWorkers(client)
            try:
                yield engine
            finally:
                engine.close()


def _client(distributed: Any, address: str) -> Any:
    """A client of a scheduler; a second time where the loop of an earlier client is just ending,
    which distributed takes for one that runs."""
    try:
        return distributed.Client(address, timeout=CONNECT_S)
    except AssertionError:
        time.sleep(LOOP_ENDS_S)
        return distributed.Client(address, timeout=CONNECT_S)


def _called(
    record: str, submission: int, tries: int, call: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[int, Attempt]:
    """Make a call on a worker; return how often it was started, and its attempt.

    The record on the scheduler holds the number of starts and, once a call has returned, its
    submission and its pickled attempt.
    """
    from distributed import Variable

    with _one_call:
        variable = Variable(record)
        begun, of, kept = variable.get(timeout=CONNECT_S)
        if of == submission:
            return begun, pickle.loads(kept)
        if begun >= tries:
            return tries, Attempt(failure=_DIED)
        variable.set((begun + 1, 0, b""))
        attempt = attempted(call, arguments)
        variable.set((begun + 1, submission, pickle.dumps(attempt)))
        return begun + 1, attempt


def _version() -> str:
    return __version__


def _check_versions(client: Any) -> None:
    try:
        found = client.run(_version)
    except Exception as error:  # of unpickling, on any worker
        raise InputError(
            f"a worker of {client.scheduler.address} cannot import lren_tf "
            f"({_reason(error)}); expected lren-tf {__version__} on every worker, "
            "install it there."
        ) from error
    for worker, version in found.items():
        if version != __version__:
            raise InputError(
                f"worker {worker} has lren-tf {version}, and this command {__version__}; expected "
                "one version everywhere, install it there."
            )


def _reason(error: Exception) -> str:
    """Text of an exception, as a part of a sentence."""
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__


def _imported(option: str) -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise InputError(
            f"{option} needs the package distributed, which is not installed; run pip install "
            "'lren-tf[cluster]', or leave the option out to work in this process."
        ) from error


@contextmanager
def _scheduler_needed() -> Iterator[None]:
    """Turn failures of a body that talks to the scheduler into `WorkerLost`."""
    from distributed import CancelledError

    try:
        yield
    except (OSError, CancelledError) as error:
        if isinstance(error, TimeoutError) and not str(error):
            raise
        raise WorkerLost(_GONE) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Dask logs off stderr; what matters is told in sentences."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)
