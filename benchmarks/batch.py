"""Many scenes on one worker and on two: seconds of the whole command, from start to catalogue.

The same simulated scenes are detected by one worker of one thread, by two of one thread, and by one
of two threads. A run on scenes that are small is a smoke test: the start of workers, some seconds,
is part of every figure. ``python -m benchmarks.batch SCENES`` sets the number of scenes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import keep, print_table
from experiments.reporting.provenance import ROOT
from lren_tf import datasets

HEIGHT, WIDTH, BANDS = 300, 300, 100
DETECTOR = "lren"
OPTIONS = ("--detector", DETECTOR, "--device", "/CPU:0")
RUNS = {
    "1 worker × 1 thread": (1, 1),
    "2 workers × 1 thread": (2, 1),
    "1 worker × 2 threads": (1, 2),
}
"""Workers and threads of each."""


def measured(scenes: Path, workers: int, threads: int) -> float:
    """Seconds of ``lren-tf batch`` in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "lren_tf", "batch", str(scenes), *OPTIONS, "--out", out,
             "--workers", str(workers), "--threads", str(threads)],
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
        return time.perf_counter() - started


def main(count: int = 8) -> None:
    """Measure, print and write ``benchmarks/results/batch.json``."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            cube = datasets.simulate(HEIGHT, WIDTH, BANDS, seed=number).cube
            np.save(Path(folder) / f"scene{number}.npy", cube)
        seconds = {name: measured(Path(folder), *run) for name, run in RUNS.items()}
    one, two, threaded = seconds.values()
    record: dict[str, Any] = {
        "benchmark": "batch",
        "scenes": count,
        "shape": [HEIGHT, WIDTH, BANDS],
        "detector": DETECTOR,
        "seconds": seconds,
        "two_workers_faster": one / two,
        "two_workers_against_two_threads": threaded / two,
    }
    print_table(
        f"lren-tf batch, {count} scenes of {HEIGHT} × {WIDTH} × {BANDS}, {DETECTOR}",
        [
            *((name, f"{value:.1f} s") for name, value in seconds.items()),
            ("two workers of one thread are faster", f"{one / two:.2f} times"),
            ("… than one of two threads", f"{threaded / two:.2f} times"),
        ],
    )
    keep(record)


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:2]))
