"""Two processes, or two devices of one, train what one trains alone; and what a death does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.integration.distributed import CASES, trained

ROOT = Path(__file__).parents[2]


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on; skips where none can be had."""
    try:
        probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    except OSError as error:
        pytest.skip(f"no port can be bound here ({error})")
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture
def workers():
    """Start a command in several processes that TF_CONFIG brings together."""
    running: list[subprocess.Popen] = []

    def start(commands: list[list[str]], folders: list[Path]) -> list[subprocess.Popen]:
        addresses = [f"127.0.0.1:{port}" for port in free_ports(len(commands))]
        made = []
        for index, (command, folder) in enumerate(zip(commands, folders, strict=True)):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            made.append(begin(command, folder, TF_CONFIG=json.dumps(config)))
        return made

    def begin(command: list[str], folder: Path, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        running.append(process)
        return process

    start.alone = begin
    yield start
    for process in running:
        process.kill()
        process.communicate()


def ended(processes: list[subprocess.Popen]) -> list[tuple[str, str]]:
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def agrees_with_one_process(found: dict[str, np.ndarray], cases: list[str]) -> None:
    for case in cases:
        for name, expected in trained(case)[1].items():
            got = found[name]
            if "/history/" in name:
                np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7, err_msg=name)
            else:
                assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max(), name


def test_two_processes(workers, tmp_path):
    command = ["tests.integration.distributed", "multiworker", str(tmp_path), *CASES]
    ended(workers([command, command], [tmp_path, tmp_path]))
    first, second = (dict(np.load(tmp_path / f"{number}.npz")) for number in range(2))
    assert (first["replicas"], first["processes"]) == (2, 2)
    for name in first:  # losses, weights, scores, and all that was exchanged: to the bit
        if name != "refused":
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    agrees_with_one_process(first, list(CASES))
    np.testing.assert_array_equal(first["gathered"], np.arange(14.0).reshape(7, 2))
    np.testing.assert_array_equal(first["alone"], [[0.0, 1.0]])
    assert first["exchanged"].tolist() == [b"xxx", b"xxxxx"]
    blue = "the scene is too blue; expected another, choose one."
    by_one, other_settings, other_data = first["refused"].tolist()
    assert by_one == f"worker 1: {blue}"
    assert second["refused"].tolist() == [blue, other_settings, other_data]
    assert other_settings == (
        "worker 1 has another setting 'epochs' than worker 0 (2; worker 0 has 1); expected the "
        "same of all: start each with the same command on the same scene."
    )
    assert other_data.startswith("worker 1 has another data than worker 0 (132 × 20 float")


def test_two_devices_of_one_process(workers, tmp_path):
    command = ["tests.integration.distributed", "mirrored", str(tmp_path), "robust"]
    ended([workers.alone(command, tmp_path)])
    found = dict(np.load(tmp_path / "0.npz"))
    assert (found["replicas"], found["processes"]) == (2, 1)
    agrees_with_one_process(found, ["robust"])
    np.testing.assert_array_equal(found["gathered"], np.arange(14.0).reshape(7, 2))
    assert found["exchanged"].tolist() == [b"xxx"]
