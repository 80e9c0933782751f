"""A process killed while it trains, or interrupted, and started again: the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lren_tf import LREN, datasets
from lren_tf.training import checkpoint

ROOT = Path(__file__).parents[2]
SCENE = datasets.simulate(12, 10, 8, seed=1)
SETTINGS = {
    "epochs": 400, "training": "separate", "batch_size": 50, "hidden_units": 16,
    "estimator_units": 8, "components": 3, "latent_units": 4,
}  # fmt: skip
KILLS = int(os.environ.get("LREN_TF_KILLS", "3"))
"""How often the process is killed; more than the three of the suite by hand."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def start(tmp_path):
    """Start ``lren-tf detect`` with --resume in a process of its own."""
    np.save(tmp_path / "scene.npy", SCENE.cube)
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    running = []

    def run() -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "lren_tf", "detect", "scene.npy", "--preset", "release",
             *settings, "--device", "/CPU:0", "--resume", "run", "--checkpoint-every", "1",
             "--log", "log.csv"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A shell starts what runs in its background with interrupts ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def wait_for_progress(process: subprocess.Popen, folder: Path) -> None:
    """Until the process has written a state of its own."""

    def written():
        path = folder / "checkpoint.npz"
        return path.stat().st_mtime_ns if path.exists() else None

    before, limit = written(), time.monotonic() + 120
    while written() == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.002)


def uninterrupted() -> np.ndarray:
    model = LREN("release", device="/CPU:0", **SETTINGS)
    model.fit(SCENE.cube, verbose=0)
    return model.score(SCENE.cube)


@pytest.mark.long
@pytest.mark.processes
def test_killed_again_and_again(start, tmp_path):
    moments = random.Random(7)
    folder, epochs = tmp_path / "run", []
    for _ in range(KILLS):
        process = start()
        wait_for_progress(process, folder)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
        # Else it was not killed in its training, and nothing is tested here.
        assert process.returncode == -signal.SIGKILL
        state = checkpoint.read_info(folder)
        assert not state.finished
        epochs.append(state.epoch)
    assert sorted(set(epochs)) == epochs  # each process went on from where the last was killed
    process = start()
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert f"goes on after epoch {epochs[-1]}, from run" in out
    np.testing.assert_array_equal(np.load(tmp_path / "scene_score.npy"), uninterrupted())
    assert {*os.listdir(folder)} - {"lock"} == {"checkpoint.npz"}
    rows = (tmp_path / "log.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == list(range(800))


@pytest.mark.processes
def test_interrupted(start, tmp_path):
    process = start()
    wait_for_progress(process, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    epoch = checkpoint.read_info(tmp_path / "run").epoch
    assert err == (
        f"lren-tf: interrupted after epoch {epoch} of 800, run the same command again to go on "
        "from run.\n"
    )
    assert {*os.listdir(tmp_path / "run")} - {"lock"} == {"checkpoint.npz"}
    assert sorted(os.listdir(tmp_path)) == ["log.csv", "run", "scene.npy"]
