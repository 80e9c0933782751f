"""Tasks on workers of Dask: values, failures, workers that die, schedulers that are not there."""

from __future__ import annotations

import pickle
import sys

import distributed
import pytest

from lren_tf.errors import InputError, WorkerLost
from lren_tf.tasks import dask_workers
from lren_tf.tasks.dask_workers import local_workers, workers_of
from lren_tf.tasks.run import Attempt, Task, run_tasks
from tests.tasks import calls

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.mark.processes
def test_workers_that_live_and_die(tmp_path):
    folder = str(tmp_path)
    tasks = [
        Task("dies", calls.die, (folder,)),
        Task("crashes", calls.crash),
        Task("dies once", calls.die_at_first, (folder,)),
        *(Task(f"t{n}", calls.double, (n,)) for n in range(6)),
        Task("blas", calls.surroundings, ("OMP_NUM_THREADS",)),
        Task("tensorflow", calls.surroundings, ("TF_NUM_INTRAOP_THREADS",)),
        Task("finished", calls.die, (folder,), lambda: "before"),
    ]
    with local_workers(2, threads=3) as engine:
        assert engine.free() == len(engine.workers()) == 2
        dies, crashes, once, *others, blas, tensorflow, finished = run_tasks(tasks, engine)
    assert "killed, or out of memory" in dies.failure
    # Started twice and no more, however often Dask would have.
    assert (dies.tries, (tmp_path / "died").stat().st_size) == (2, 2)
    assert (crashes.failure, crashes.tries) == ("unexpected error: KeyError: 'gone'", 2)
    assert (once.value, once.failure, once.tries) == (2, None, 2)
    assert [(o.value, o.tries) for o in others] == [(2 * n, 1) for n in range(6)]
    assert (blas.value[1], tensorflow.value[1]) == ("3", "3")
    assert (finished.value, finished.tries) == ("before", 0)


@pytest.fixture
def threads(monkeypatch):
    """Make the workers of `local_workers` threads of this process, which start at once."""
    made = distributed.LocalCluster

    def cluster(*, env, processes, **settings):
        assert processes
        assert env["OMP_NUM_THREADS"] == "3"
        return made(processes=False, protocol="tcp://", **settings)

    monkeypatch.setattr(distributed, "LocalCluster", cluster)


def test_values_and_failures_of_local_workers(threads):
    tasks = [Task("crashes", calls.crash), *(Task(f"t{n}", calls.double, (n,)) for n in range(4))]
    with local_workers(2, threads=3) as engine:
        assert engine.free() == len(engine.workers()) == 2
        crashes, *others = run_tasks(tasks, engine)
        assert engine.free() == 2
    assert (crashes.failure, crashes.tries) == ("unexpected error: KeyError: 'gone'", 2)
    assert [(o.value, o.tries) for o in others] == [(2 * n, 1) for n in range(4)]


def test_values_of_a_scheduler_that_is_there(threads, tmp_path):
    with (
        local_workers(1, threads=3) as own,
        workers_of(own._client.scheduler.address) as engine,
    ):
        (once,) = run_tasks([Task("once", calls.refuse_at_first, (str(tmp_path),))], engine)
    assert (once.value, once.failure, once.tries) == (2, None, 2)


class TestStartedAgainByDask:
    """A worker that dies leaves its task to Dask, which starts it elsewhere by itself."""

    @staticmethod
    def called(engine, record, tries, call, *arguments):
        submission = 1
        name = f"record of {call.__name__}"
        distributed.Variable(name, client=engine._client).set(record)
        return engine._client.submit(
            dask_workers._called, name, submission, tries, call, arguments, pure=False
        ).result()

    def test_too_often(self, threads, tmp_path):
        with local_workers(1, threads=3) as engine:
            tries, attempt = self.called(engine, (2, 0, b""), 2, calls.note, str(tmp_path), "died")
        assert (tries, attempt.value) == (2, None)
        assert "killed, or out of memory" in attempt.failure
        assert not list(tmp_path.iterdir())

    def test_what_was_done_is_not_done_again(self, threads, tmp_path):
        before = pickle.dumps(Attempt(7))
        with local_workers(1, threads=3) as engine:
            arguments = (calls.note, str(tmp_path), "done")
            assert self.called(engine, (2, 1, before), 2, *arguments) == (2, Attempt(7))
            assert not list(tmp_path.iterdir())
            # An earlier submission failed: this is another try.
            tries, attempt = self.called(engine, (1, 0, before), 2, *arguments)
        assert (tries, attempt.value) == (2, 1)


def test_a_call_that_cannot_be_sent(threads):
    with local_workers(1, threads=3) as engine:
        (outcome,) = run_tasks([Task("a", calls.Unreadable(), ())], engine)
    assert outcome.tries == 2
    assert "Error during deserialization" in outcome.failure


@pytest.mark.filterwarnings("error:Port")
def test_two_runs_at_the_same_time(threads):
    with local_workers(1, threads=3), local_workers(1, threads=3) as engine:
        assert engine.free() == 1


def test_processes_that_do_not_start(monkeypatch):
    def none(**settings):
        raise RuntimeError("Cannot start workers.")

    monkeypatch.setattr(distributed, "LocalCluster", none)
    said = r"^--workers 2: the processes could not be started \(Cannot start workers\); expected"
    with pytest.raises(WorkerLost, match=said), local_workers(2, 1):
        pass


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(dask_workers, "CONNECT_S", 0.5)
    for address in ("tcp://127.0.0.1:9", "nowhere", "tcp://", "http://127.0.0.1:9"):
        with (
            pytest.raises(InputError, match=r"does not answer .*start one with 'dask scheduler'"),
            workers_of(address),
        ):
            pass


@pytest.mark.parametrize("made", [lambda: local_workers(2, 1), lambda: workers_of("tcp://h:1")])
def test_without_dask(monkeypatch, made):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'lren-tf\[cluster\]', or leave"), made():
        pass


class Client:
    """A client of workers that answer what they are told to."""

    def __init__(self, answer):
        self.answer = answer
        self.scheduler = type("Scheduler", (), {"address": "tcp://here:1"})()

    def run(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def nthreads(self):
        raise OSError("closed")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ModuleNotFoundError("No module named 'lren_tf'"), "cannot import lren_tf"),
        ({"tcp://w:1": "0.0.1"}, "worker tcp://w:1 has lren-tf 0.0.1, and this command"),
    ],
)
def test_workers_of_another_version(answer, said):
    with pytest.raises(InputError, match=said):
        dask_workers._check_versions(Client(answer))


def test_a_scheduler_that_goes():
    engine = dask_workers.DaskWorkers(Client(None))
    with pytest.raises(WorkerLost, match="run the same command again for the rest"):
        engine.free()
