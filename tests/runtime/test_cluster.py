"""TF_CONFIG: what is understood, what is refused, and processes that wait for one another."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from lren_tf.errors import InputError, WorkerLost
from lren_tf.runtime.cluster import Cluster, cluster_of


def config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def free_port():
    try:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            return probe.getsockname()[1]
    except OSError as error:
        pytest.skip(f"no port can be bound here ({error})")


class TestReading:
    def test_workers(self):
        cluster = cluster_of(config({"worker": ["a:1", "b:2"]}, index=1))
        assert cluster == (("a:1", "b:2"), 1)
        assert cluster.port == 2

    def test_a_chief_comes_first(self):
        jobs = {"worker": ["a:1", "b:2"], "chief": ["c:3"]}
        assert cluster_of(config(jobs, "chief")) == (("c:3", "a:1", "b:2"), 0)
        assert cluster_of(config(jobs, "worker", "1")) == (("c:3", "a:1", "b:2"), 2)

    @pytest.mark.parametrize("text", [None, ""])
    def test_not_set(self, text):
        with pytest.raises(InputError, match=r"^TF_CONFIG is not set; expected the addresses"):
            cluster_of(text)

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("{", "is no JSON"),
            ("[]", "has no 'cluster'"),
            ('{"cluster": {"worker": ["a:1"]}}', "has no 'task'"),
            (config({}), "has no 'cluster'"),
            (config({"worker": []}), "has [] as the addresses of job 'worker'"),
            (config({"worker": ["a"]}), "has ['a'] as the addresses"),
            (config({"worker": ["a:70000"]}), "has ['a:70000'] as the addresses"),
            (config({"worker": "a:1"}), "has 'a:1' as the addresses"),
            (config({"worker": ["a:1", "a:1"]}), "has one address twice"),
            (config({"worker": ["a:1"]}, index=1), "has the task index 1 of 1 in job 'worker'"),
            (config({"worker": ["a:1"]}, index=None), "has the task index None of 1"),
            (config({"worker": ["a:1"]}, "chief"), "has a task of type 'chief'"),
            (config({"worker": ["a:1"], "ps": ["b:1"]}), "has a job 'ps' in its cluster"),
            (config({"chief": ["a:1", "b:1"], "worker": ["c:1"]}), "has several chiefs"),
        ],
    )
    def test_broken(self, text, what):
        with pytest.raises(InputError) as caught:
            cluster_of(text)
        said = str(caught.value)
        assert said.startswith(f"TF_CONFIG {what}")
        assert said.endswith("correct it.")


class TestMeeting:
    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with pytest.raises(InputError, match=f"port {port} cannot be used"):
                Cluster((f"127.0.0.1:{port}",), 0).check_port()

    def test_a_port_that_is_free(self):
        Cluster((f"127.0.0.1:{free_port()}",), 0).check_port()

    def test_nobody_goes_on_before_all_are_there(self):
        addresses = (f"127.0.0.1:{free_port()}", "127.0.0.1:2", "127.0.0.1:3")
        gone = []

        def wait(process):
            Cluster(addresses, process).wait_for_all(20)
            gone.append(process)

        early = [threading.Thread(target=wait, args=(n,), daemon=True) for n in (0, 1)]
        for thread in early:
            thread.start()
        early[0].join(0.5)
        assert gone == []
        wait(2)
        for thread in early:
            thread.join(20)
        assert sorted(gone) == [0, 1, 2]

    def test_a_worker_that_does_not_come(self):
        addresses = (f"127.0.0.1:{free_port()}", "127.0.0.1:2")
        with pytest.raises(WorkerLost, match=r"saw nothing of worker 1 \(127.0.0.1:2\) within 0 s"):
            Cluster(addresses, 0).wait_for_all(0.1)

    def test_a_chief_that_does_not_come(self):
        address = f"127.0.0.1:{free_port()}"
        with pytest.raises(WorkerLost, match=rf"was not called by worker 0 \({address}\)"):
            Cluster((address, "127.0.0.1:2"), 1).wait_for_all(0.1)

    def test_one_process_waits_for_nobody(self):
        Cluster(("127.0.0.1:1",), 0).wait_for_all(0.0)


def test_a_port_in_use_is_refused_on_windows_too(monkeypatch):
    # There SO_REUSEADDR would share the port. The constant of another option stands for Windows'.
    options = []
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)

    class Probe(socket.socket):
        def setsockopt(self, level, option, value):
            options.append(option)
            super().setsockopt(level, option, value)

    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(socket, "socket", Probe)
        with pytest.raises(InputError, match=f"port {port} cannot be used"):
            Cluster((f"localhost:{port}",), 0).check_port()
    assert options == [socket.SO_KEEPALIVE]
