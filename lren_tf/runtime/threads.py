"""Threads that share work, while the numerical libraries are limited to one thread each."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psutil
import threadpoolctl
from threadpoolctl import threadpool_info, threadpool_limits

Part = TypeVar("Part")
Result = TypeVar("Result")

_lock = threading.Lock()
_inside = 0
_limits: Any = None
_threads = 1


def usable_cores() -> int:
    """Number of cores that this process may use; all of them where the system has no affinity."""
    try:
        return len(psutil.Process().cpu_affinity() or [])
    except (AttributeError, psutil.Error):  # macOS, or a system that hides it
        return os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Linear algebra in one thread for as long as anyone is inside; yields how many there were.

    The libraries have one number of threads for the whole process. If two threads each kept what
    they found and put it back at their end, the second would find the first one's 1 and leave it
    behind. So the first to enter sets the limit and the last to leave takes it back.
    """
    global _inside, _limits, _threads
    with _lock:
        if _inside == 0:
            counts = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
            _threads = max(counts, default=1)
            _any_thread_may_set()
            _limits = threadpool_limits(1, user_api="blas")
            _any_thread_may_set()
        _inside += 1
        threads = _threads
    try:
        yield threads
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _any_thread_may_set()
                _limits.restore_original_limits()
                _any_thread_may_set()
                _limits = None


def _any_thread_may_set() -> None:
    """Lift threadpoolctl's rule (from 3.8) that ignores all threads but the first to set a number.

    Here the last to leave is as good as the first to enter, and the lock keeps them apart.
    """
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    lift = getattr(controller, "clear_controlling_thread", None)
    if lift is not None:
        lift(force=True)


def map_in_threads(function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
    """Yield a function's results in the order of the parts, which are worked on side by side.

    There are as many threads as linear algebra would take, and linear algebra has one in each:
    for matrices that are too small to be shared out.

    No more than a few results wait to be taken, so they may be large.

    Args:
        function: called from several threads.
        parts: taken one after the other.
    """
    with one_blas_thread() as threads, ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for part in parts:
            waiting.append(pool.submit(function, part))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def one_thread() -> Iterator[None]:
    """`one_blas_thread`, and OpenMP in one thread too, so that sums have one order."""
    # OpenMP's number belongs to the calling thread, so every one sets its own.
    with one_blas_thread(), threadpool_limits(1, user_api="openmp"):
        yield
