"""Worker processes, the time that is left, and detectors that share a training."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.runs import queue
from experiments.runs.detector_run import DetectorRun
from experiments.runs.queue import Finished, Progress
from experiments.runs.run import Workspace, is_finished, load_map
from lren_tf import Scene, datasets, detectors
from lren_tf.detectors.aae import AAERX
from tests.experiments.echo import Echo

SCENE = datasets.simulate(12, 10, 8, seed=3)


def executed(groups, space, **options) -> list[Finished]:
    ended: list[Finished] = []
    queue.execute(groups, space, ended.append, **options)
    return ended


def test_in_this_process_runs_keep_their_order(tmp_path):
    groups = [[Echo("s", "a", 1), Echo("s", "a", 2)], [Echo("s", "a", 3)]]
    ended = executed(groups, Workspace(tmp_path), processes=0)
    assert [one.record["number"] for one in ended] == [1, 2, 3]
    assert {one.record["process"] for one in ended} == {os.getpid()}


@pytest.mark.processes
def test_workers_have_one_thread_and_keep_groups_together(tmp_path):
    groups = [[Echo("s", "a", 2 * n), Echo("s", "a", 2 * n + 1)] for n in range(3)]
    before = os.environ.get("OMP_NUM_THREADS")
    ended = executed(groups, Workspace(tmp_path), processes=2)
    by_number = {one.record["number"]: one.record for one in ended}
    assert sorted(by_number) == list(range(6))
    assert os.getpid() not in {record["process"] for record in by_number.values()}
    assert {record["threads"] for record in by_number.values()} == {"1"}
    for n in range(3):
        assert by_number[2 * n]["process"] == by_number[2 * n + 1]["process"]
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert not multiprocessing.active_children()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("scene", "message"),
    [("broken", "s: broken, echo0: ValueError: no result"), ("killed", "ended during: s: killed")],
)
def test_a_run_that_raises_or_dies_ends_everything(tmp_path, scene, message):
    with pytest.raises(RuntimeError, match=message):
        executed([[Echo("s", scene)]], Workspace(tmp_path), processes=1)
    assert not multiprocessing.active_children()


@pytest.mark.processes
def test_workers_end_with_the_process_that_started_them(tmp_path):
    """Even where that one is killed and can clean up nothing."""
    program = (
        "from pathlib import Path\n"
        "from experiments.runs import queue\n"
        "from experiments.runs.run import Workspace\n"
        "from tests.experiments.echo import Echo\n"
        "if __name__ == '__main__':\n"
        f"    queue.execute([[Echo('s', 'long')]], Workspace(Path({str(tmp_path)!r})), print,\n"
        "                  processes=1)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    # A script has its own folder on the path, not the one it is started in.
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    path = Echo("s", "long").result_path(Workspace(tmp_path))
    wait_for(lambda: path.is_file() and path.read_text())
    worker = int(path.read_text())
    parent.kill()
    parent.wait()
    wait_for(lambda: not _runs(worker))


def wait_for(condition) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- the time that is left --------------------------------------------------------------------


def test_time_left_is_the_committed_time_scaled_by_this_machine(monkeypatch):
    times = {1: 100.0, 2: 60.0, 3: None}
    monkeypatch.setattr(queue, "expected_seconds", lambda run: times[run.number])
    runs = [Echo("s", "a", n) for n in times]
    progress = Progress([[run] for run in runs], processes=2)
    assert progress.total == 3
    assert progress.seconds_left == pytest.approx((100 + 60 + 80) / 2), "the usual one is 80 s"
    progress.count(Finished(runs[0], {}, 150.0))
    assert progress.seconds_left == pytest.approx(1.5 * (60 + 80) / 2)
    assert progress.line() == "[1 done, 2 left, about 2 min]"
    for run in runs[1:]:
        progress.count(Finished(run, {}, 1.0))
    assert progress.line() == "[3 done, 0 left]"


def test_what_shares_a_training_is_counted_once(monkeypatch):
    monkeypatch.setattr(queue, "expected_seconds", lambda run: 50.0)
    progress = Progress([[Echo("s", "a", 1), Echo("s", "a", 2)]], processes=1)
    assert progress.total == 2 and progress.seconds_left == 51.0


# --- one training for AAE and AAE-RX ----------------------------------------------------------


def test_aae_and_aae_rx_share_a_training_and_give_the_maps_of_two(tmp_path, monkeypatch):
    quick = (("batch_size", 20), ("hidden_units", 6), ("latent_units", 3), ("steps", 3))
    space, trained = Workspace(tmp_path), []
    train = AAERX.train
    monkeypatch.setattr(AAERX, "train", lambda *a: trained.append(1) or train(*a))
    both = [DetectorRun("s", "pavia", name, 5, quick) for name in ("aae_rx", "aae")]
    for run in both:
        record = run.execute(SCENE, space)
        assert is_finished(run, space)
    assert len(trained) == 1
    assert record["shared_seconds"] <= record["seconds"]["score"]
    for run in both:
        expected = detectors.create(run.detector, seed=5, **dict(quick)).score(SCENE)
        np.testing.assert_array_equal(load_map(run, space), expected)
    trained.clear()
    other = Scene(SCENE.cube[::-1].copy(), SCENE.truth, name="other")
    DetectorRun("s", "coast", "aae", 5, quick).execute(other, space)
    DetectorRun("s", "coast", "aae", 6, quick).execute(other, space)
    DetectorRun("s", "coast", "aae", 6, (*quick, ("prior_deviation", 1.0))).execute(other, space)
    assert len(trained) == 3, "another scene, seed or setting is another training"
    kept = json.loads(both[0].result_path(space).read_text())
    assert "shared_seconds" not in kept
