"""Two processes, or two devices of one, train what one trains alone; and what a death does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lren_tf import LREN
from lren_tf.training import checkpoint
from tests.integration.distributed import CASES, SCENE, SMALL, trained

ROOT = Path(__file__).parents[2]
REPORTED_WITHIN_S = 60
LONG = {**SMALL, "epochs": 40, "batch_size": 70}


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


@pytest.mark.processes
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


@pytest.mark.processes
def test_two_devices_of_one_process(workers, tmp_path):
    command = ["tests.integration.distributed", "mirrored", str(tmp_path), "paper"]
    ended([workers.alone(command, tmp_path)])
    found = dict(np.load(tmp_path / "0.npz"))
    assert (found["replicas"], found["processes"]) == (2, 1)
    agrees_with_one_process(found, ["paper"])
    np.testing.assert_array_equal(found["gathered"], np.arange(14.0).reshape(7, 2))
    assert found["exchanged"].tolist() == [b"xxx"]


@pytest.mark.long
@pytest.mark.processes
def test_a_worker_that_is_killed_and_a_run_that_goes_on(workers, tmp_path):
    folders = [tmp_path / "chief", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        np.save(folder / "scene.npy", SCENE.cube)
    settings = [word for name, value in LONG.items() for word in ("--set", f"{name}={value}")]
    command = ["lren_tf", "detect", "scene.npy", "--strategy", "multiworker", "--preset", "release",
               *settings, "--resume", "run", "--checkpoint-every", "1", "--out", "out"]  # fmt: skip
    chief, other = workers([command, command], folders)
    state, limit = folders[0] / "run" / checkpoint.FILE, time.monotonic() + 200
    while not state.exists():
        assert chief.poll() is None, chief.communicate()
        assert time.monotonic() < limit
        time.sleep(0.002)
    other.kill()
    killed = time.monotonic()
    _, err = chief.communicate(timeout=REPORTED_WITHIN_S)
    assert time.monotonic() - killed < REPORTED_WITHIN_S
    assert chief.returncode == 1
    assert err.startswith("lren-tf: worker 0 of 2 lost worker 1 (")
    assert err.endswith("and start all of them again.\n")
    assert err.count("\n") == 1
    before = checkpoint.read_info(folders[0] / "run")
    assert 0 < before.epoch < LONG["epochs"]
    assert not before.finished
    assert not (folders[0] / "out").exists()

    (out, err), silent = ended(workers([command, command], folders))
    assert (err, silent) == ("", ("", ""))
    assert f"resume: goes on after epoch {before.epoch}, from run" in out
    assert os.listdir(folders[1]) == ["scene.npy"]  # the chief alone writes
    report = json.loads((folders[0] / "out" / "scene_report.json").read_text())
    assert report["distribution"] == {"strategy": "multiworker", "replicas": 2, "processes": 2}
    model = LREN("release", **LONG)
    model.fit(SCENE.cube, verbose=0)
    expected = model.score(SCENE.cube)
    score = np.load(folders[0] / "out" / "scene_score.npy")
    assert np.abs(score - expected).max() < 1e-4 * expected.max()
