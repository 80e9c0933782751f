"""``lren-tf detect`` with --strategy and --memory-limit, in one process."""

from __future__ import annotations

import json
import socket

import pytest

from lren_tf.cli import main
from tests.cli.common import SMALL, report

NO_DEVICE = SMALL[:-2]


def tf_config(*addresses: str) -> str:
    return json.dumps(
        {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": 0}}
    )


def test_mirrored_and_a_limit_of_memory(scene_file):
    command = ["detect", scene_file, *NO_DEVICE, "--memory-limit", "1KB", "--strategy", "mirrored"]
    assert main(command) == 0
    told = report("small_report.json")
    assert told["memory_limit"] == 1000
    assert told["distribution"]["strategy"] == "mirrored"
    assert told["distribution"]["processes"] == 1
    assert told["distribution"]["replicas"] >= 1


@pytest.mark.slow
def test_the_limit_reaches_the_training(scene_file, monkeypatch):
    from lren_tf.training import feed

    asked = []
    monkeypatch.setattr(feed, "fits", lambda needed, limit: asked.append(limit) or False)
    assert main(["detect", scene_file, *SMALL, "--memory-limit", "2 MiB"]) == 0
    assert asked == [2 * 2**20]


@pytest.mark.slow
def test_without_the_options_the_report_has_neither(scene_file):
    assert main(["detect", scene_file, *SMALL]) == 0
    assert not {"distribution", "memory_limit"} & set(report("small_report.json"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--strategy", "tpu"), "--strategy is 'tpu'; expected one of mirrored, multiworker."),
        (("--memory-limit", "much"), "--memory-limit is 'much'; expected a size such as 2GiB"),
        (("--memory-limit", "0"), "--memory-limit is '0'; expected a size"),
        (("--strategy", "mirrored", "--device", "/CPU:0"),
         "--device was given with --strategy mirrored, which has devices of its own"),
        (("--strategy", "multiworker"), "TF_CONFIG is not set; expected the addresses"),
        (("--strategy", "mirrored", "--detector", "rx"),
         "--strategy was given with the detector 'rx'; expected it with --detector lren only"),
        (("--memory-limit", "1GiB", "--detector", "rx"),
         "--memory-limit was given with the detector 'rx'"),
        (("--memory-limit", "1GiB", "--apply", "model.keras"),
         "--memory-limit was given with --apply"),
        (("--strategy", "mirrored", "--apply", "model.keras"), "--strategy was given with --apply"),
    ],
)  # fmt: skip
def test_refusals(scene_file, refused, monkeypatch, options, said):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert said in refused("detect", scene_file, *options)


def test_a_broken_tf_config(scene_file, refused, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    assert "TF_CONFIG is no JSON" in refused("detect", scene_file, "--strategy", "multiworker")


def test_a_port_that_is_taken(scene_file, refused, monkeypatch):
    try:
        server = socket.create_server(("", 0))
    except OSError as error:
        pytest.skip(f"no port can be bound here ({error})")
    with server:
        port = server.getsockname()[1]
        monkeypatch.setenv("TF_CONFIG", tf_config(f"127.0.0.1:{port}", "127.0.0.1:1"))
        said = refused("detect", scene_file, "--strategy", "multiworker")
    assert f"port {port} cannot be used" in said


def test_workers_that_do_not_come(scene_file, monkeypatch, capsys):
    from lren_tf.cli.options import distribution

    try:
        with socket.create_server(("", 0)) as probe:
            port = probe.getsockname()[1]
    except OSError as error:
        pytest.skip(f"no port can be bound here ({error})")
    monkeypatch.setattr(distribution, "WAIT_S", 0.2)
    monkeypatch.setenv("TF_CONFIG", tf_config(f"127.0.0.1:{port}", "127.0.0.1:1"))
    assert main(["detect", scene_file, *NO_DEVICE, "--strategy", "multiworker"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lren-tf: worker 0 of 2 saw nothing of worker 1 (127.0.0.1:1)")
    assert err.count("\n") == 1
