"""``lren-tf batch`` in processes: workers and whole commands that are killed, a real scheduler."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from lren_tf import datasets

ROOT = Path(__file__).parents[2]
OPTIONS = ("--detector", "rx", "--false-alarm-rate", "0.02", "--out", "out")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def write_scenes(folder: Path, count: int, cut: int | None = None) -> None:
    folder.mkdir()
    for number in range(count):
        path = folder / f"s{number:02}.npy"
        np.save(path, datasets.simulate(30, 25, 12, seed=number, anomalies=6).cube)
        if number == cut:
            path.write_bytes(path.read_bytes()[:-100])
        os.utime(path, (1e9, 1e9))


@pytest.fixture
def start(tmp_path):
    """Start a process in the folder of the test; those that are left are ended."""
    running = []

    def run(*words: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=tmp_path, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        running.append(process)
        return process

    yield run
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def reports(folder: Path) -> dict[str, dict]:
    """Reports that are there, by scene; each has to be whole, and so have the files it names."""
    found = {}
    for path in (folder / "out" / "scenes").glob("*/*_report.json"):
        report = json.loads(path.read_text("ascii"))
        assert len(report["batch"]["key"]) == 64
        for what, name in report["files"].items():
            assert Path(name).is_file(), f"{path} names {what}, which is not there"
        assert np.load(report["files"]["score"]).shape == (30, 25)
        found[path.parent.name] = report
    return found


def wait_for(count: int, folder: Path, process: subprocess.Popen) -> None:
    limit = time.monotonic() + 400
    while len(list((folder / "out").glob("scenes/*/*_report.json"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)


def written(folder: Path) -> dict[str, int]:
    scores = (folder / "out" / "scenes").glob("*/*_score.npy")
    return {path.name: path.stat().st_mtime_ns for path in scores}


def a_worker(process: subprocess.Popen) -> psutil.Process:
    """One of the workers that a command has started."""
    children = psutil.Process(process.pid).children(recursive=True)
    return next(c for c in children if "multiprocessing.spawn" in " ".join(c.cmdline()))


def check_catalogue(folder: Path, done: int, failed: list[str]) -> None:
    """All but the failed are done, and sums of the catalogue are those of the reports."""
    told = reports(folder)
    with (folder / "out/scenes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scene"] for row in rows if row["status"] == "failed"] == failed
    assert sum(row["status"] == "done" for row in rows) == len(told) == done
    for name, key in (("detections", "detections"), ("detected_pixels", "detected_pixels")):
        expected = sum(report["threshold"][key] for report in told.values())
        assert sum(int(row[name] or 0) for row in rows) == expected
    features = json.loads((folder / "out/detections.geojson").read_text("ascii"))["features"]
    assert len(features) == sum(report["threshold"]["detections"] for report in told.values())
    assert not list((folder / "out").rglob(".*"))


@pytest.mark.processes
def test_two_workers(start, tmp_path):
    write_scenes(tmp_path / "in", 3, cut=1)
    process = start("lren_tf", "batch", "in", *OPTIONS, "--workers", "2")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "1 of 3 scenes failed: s01 (s01.npy: not a readable" in err
    # What workers print, and Dask's own messages, is not shown; what is refused is not tried again.
    assert len(err.splitlines()) == 1
    assert len([line for line in out.splitlines() if line.startswith("[")]) == 3
    check_catalogue(tmp_path, 2, ["s01"])


@pytest.mark.long
def test_a_killed_worker_costs_one_try(start, tmp_path):
    write_scenes(tmp_path / "in", 20, cut=7)
    process = start("lren_tf", "batch", "in", *OPTIONS, "--workers", "2")
    wait_for(8, tmp_path, process)
    a_worker(process).kill()
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "1 of 20 scenes failed: s07 " in err
    check_catalogue(tmp_path, 19, ["s07"])
    before = written(tmp_path)
    again = start("lren_tf", "batch", "in", *OPTIONS, "--workers", "2")
    out, err = again.communicate(timeout=600)
    assert again.returncode == 1
    assert "20 scenes: 19 done (19 of them before), 1 failed" in out
    assert written(tmp_path) == before


@pytest.mark.long
def test_killed_again_and_again(start, tmp_path):
    """The whole command with its workers, at any moment, also while a scene is being written."""
    write_scenes(tmp_path / "in", 12)
    moments, kills = random.Random(3), 0
    for _ in range(40):
        before = set(reports(tmp_path))
        kept = {name: at for name, at in written(tmp_path).items() if name[:3] in before}
        process = start("lren_tf", "batch", "in", *OPTIONS)
        while process.poll() is None and len(reports(tmp_path)) <= len(before):
            time.sleep(0.01)
        try:
            process.wait(moments.random())
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
        assert set(reports(tmp_path)) >= before
        now = written(tmp_path)
        assert {name: now[name] for name in kept} == kept
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert kills > 2
    check_catalogue(tmp_path, 12, [])


@pytest.mark.long
def test_workers_end_with_the_command(start, tmp_path):
    write_scenes(tmp_path / "in", 12)
    process = start("lren_tf", "batch", "in", *OPTIONS, "--workers", "2")
    wait_for(1, tmp_path, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    again = start("lren_tf", "batch", "in", *OPTIONS)
    again.communicate(timeout=600)
    assert again.returncode == 0
    check_catalogue(tmp_path, 12, [])


@pytest.mark.long
def test_an_interrupted_command(start, tmp_path):
    write_scenes(tmp_path / "in", 12)
    process = start("lren_tf", "batch", "in", *OPTIONS, "--workers", "2")
    wait_for(2, tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "of 12 scenes are finished; run the same command again for the rest." in err


@pytest.mark.long
def test_a_scheduler(start, tmp_path):
    write_scenes(tmp_path / "in", 20, cut=7)
    start(
        "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", "scheduler.json",
    )  # fmt: skip
    limit = time.monotonic() + 120
    while not (tmp_path / "scheduler.json").exists():
        assert time.monotonic() < limit
        time.sleep(0.1)
    time.sleep(0.5)
    address = json.loads((tmp_path / "scheduler.json").read_text())["address"]
    process = start("lren_tf", "batch", "in", *OPTIONS, "--scheduler", address)
    # Workers may come after the command, offer several threads, and die.
    workers = [
        start("dask", "worker", address, "--nthreads", "4", "--no-dashboard", "--no-nanny")
        for _ in range(2)
    ]
    wait_for(6, tmp_path, process)
    workers[0].kill()
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "1 of 20 scenes failed: s07 " in err
    check_catalogue(tmp_path, 19, ["s07"])
    before = written(tmp_path)
    again = start("lren_tf", "batch", "in", *OPTIONS, "--scheduler", address)
    out, err = again.communicate(timeout=600)
    assert "19 done (19 of them before)" in out
    assert written(tmp_path) == before
