"""``--workers``, ``--threads``, ``--scheduler``: which engine they mean, and what is refused."""

from __future__ import annotations

import argparse
from contextlib import contextmanager

import pytest

from lren_tf.cli.options import workers
from lren_tf.cli.options.workers import WorkerOptions
from lren_tf.errors import InputError
from lren_tf.tasks.run import Here


def options(**given):
    return WorkerOptions(
        argparse.Namespace(**{"workers": None, "threads": None, "scheduler": None, **given})
    )


@pytest.fixture
def started(monkeypatch):
    """What would have been started."""
    calls = []

    class Engine:
        def workers(self):
            return []

    def made(name):
        @contextmanager
        def make(*arguments):
            calls.append((name, *arguments))
            yield Engine()

        return make

    monkeypatch.setattr(workers, "local_workers", made("local"))
    monkeypatch.setattr(workers, "workers_of", made("scheduler"))
    monkeypatch.setattr(workers, "usable_cores", lambda: 7)
    return calls


@pytest.mark.parametrize("given", [{}, {"workers": "0"}])
def test_this_process(given, started):
    with options(**given).engine() as engine:
        assert isinstance(engine, Here)
    assert started == []


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ({"workers": "3"}, ("local", 3, 2)),
        ({"workers": "9"}, ("local", 9, 1)),
        ({"workers": "2", "threads": "1"}, ("local", 2, 1)),
        ({"scheduler": "tcp://h:1"}, ("scheduler", "tcp://h:1")),
    ],
)
def test_others(given, call, started, capsys):
    with options(**given).engine():
        assert started == [call]
    if "scheduler" in given:
        assert "0 workers, waiting for the first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": "two"}, "--workers is 'two'; expected a whole number of processes, 0 or"),
        ({"workers": "-1"}, "--workers is '-1'"),
        ({"workers": "2", "threads": "0"}, "--threads is '0'; expected a whole number of threads"),
        ({"threads": "2"}, "--threads was given without --workers"),
        ({"threads": "2", "workers": "0"}, "--threads was given without --workers"),
        ({"scheduler": "tcp://h:1", "workers": "1"}, "--workers was given with --scheduler"),
        ({"scheduler": "tcp://h:1", "threads": "1"}, "--threads was given with --scheduler"),
    ],
)
def test_refusals(given, said):
    with pytest.raises(InputError, match=said):
        options(**given)
