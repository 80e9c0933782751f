"""``lren-tf benchmark`` in processes: a command that is killed, and workers that finish it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lren_tf import datasets

ROOT = Path(__file__).parents[2]
COMMAND = ("benchmark", "in", "--detectors", "rx,lrx", "--out", "out")


def start(folder: Path, *more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "lren_tf", *COMMAND, *more], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_and_finished_by_workers(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        made = datasets.simulate(40, 30, 10, seed=number, anomalies=6)
        np.savez(tmp_path / f"in/s{number}.npz", cube=made.cube, truth=made.truth)
    process = start(tmp_path)
    runs = tmp_path / "out" / "runs"
    while len(list(runs.glob("*/[!.]*.json"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.read_bytes() for path in runs.glob("*/[!.]*.json")}
    assert 2 <= len(before) < 8 and not (tmp_path / "out" / "leaderboard.json").exists()

    process = start(tmp_path, "--workers", "2", "--threads", "1")
    try:
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err
    assert f"8 runs: 8 done ({len(before)} of them before)" in out
    assert {path: path.read_bytes() for path in before} == before
    told = json.loads((tmp_path / "out" / "leaderboard.json").read_text("ascii"))
    assert {key: row["mean"]["scenes"] for key, row in told["methods"].items()} == {
        "rx": 4, "lrx": 4
    }  # fmt: skip
    threads = [json.loads(path.read_text("ascii"))["machine"]["threads"]
               for path in runs.glob("*/[!.]*.json") if path not in before]  # fmt: skip
    assert set(threads) == {1}
