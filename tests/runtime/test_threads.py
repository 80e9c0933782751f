"""One BLAS thread while anyone asks for it, and the old number when the last one leaves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.crd import CRD
from lren_tf.detectors.lrx import LRX
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import kmeans_assignments
from lren_tf.runtime import threads
from lren_tf.runtime.threads import map_in_threads, one_blas_thread, one_thread


def blas() -> set[int]:
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        yield


def side_by_side(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("limited", [one_blas_thread, one_thread])
def test_the_first_to_enter_may_leave_first(limited) -> None:
    entered, left = threading.Event(), threading.Event()

    def first() -> None:
        with limited():
            assert entered.wait(10)
        left.set()

    def second() -> None:
        with limited():
            entered.set()
            assert left.wait(10)
            seen.append(blas())

    seen: list[set[int]] = []
    side_by_side(first, second)
    assert seen == [{1}]
    assert blas() == {2}


def test_nested_in_one_thread_and_after_an_error() -> None:
    def fail() -> None:
        with one_blas_thread() as outer, one_thread(), one_blas_thread() as inner:
            assert outer == inner == 2
            assert blas() == {1}
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert blas() == {2}


def test_local_detectors_and_k_means_at_a_time() -> None:
    cube = simulate(24, 24, 8, seed=0).cube
    z = np.random.default_rng(0).normal(size=(400, 3))
    works = [
        lambda: LRX(inner=3, outer=5).score(cube),
        lambda: CRD(inner=3, outer=5).score(cube),
        lambda: kmeans_assignments(z, 3, 0),
    ]
    side_by_side(*works * 3)
    assert blas() == {2}


def test_results_come_in_order_and_few_of_them_wait() -> None:
    begun: list[int] = []

    def work(part: int) -> int:
        begun.append(part)
        assert blas() == {1}
        return part

    for taken, found in enumerate(map_in_threads(work, range(40))):
        assert found == taken
        assert len(begun) <= taken + 6  # two threads' worth, and what is being worked on
    assert sorted(begun) == list(range(40)) and blas() == {2}


def test_what_a_part_raises_ends_the_map() -> None:
    def work(part: int) -> int:
        if part == 3:
            raise InputError("the third part")
        return part

    with pytest.raises(InputError, match="the third part"):
        list(map_in_threads(work, range(40)))
    assert blas() == {2}


def test_cores_of_a_system_without_affinity(monkeypatch):
    assert 1 <= threads.usable_cores() <= os.cpu_count()
    process = type("Process", (), {})  # as psutil's on macOS
    monkeypatch.setattr(threads.psutil, "Process", process)
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 6)
    assert threads.usable_cores() == 6
    monkeypatch.setattr(threads.os, "cpu_count", lambda: None)
    assert threads.usable_cores() == 1
