"""RX against SPy (Spectral Python), on a large simulated scene of 100 bands.

Both score the same float32 array in turn, in the same process and with all its threads. SPy
inverts the covariance and multiplies the whole cube by it; its float32 arithmetic is why the
maps agree to a thousandth or so, while both agree to 1e-6 on a float64 cube (a test has that).

Own memory is RssAnon above that of the process before, with the scene in an array and mapped from
a file.

``python -m benchmarks.rx`` measures and writes ``benchmarks/results/rx.json``; with ``--side`` it
prints only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import spectral
from threadpoolctl import threadpool_info

from benchmarks.record import keep, print_table
from benchmarks.scenes import scene_on_disk
from lren_tf.detectors.rx import RX
from lren_tf.runtime.peak_memory import PeakMemory

SIDE, BANDS = 1000, 100
ROUNDS = 5


def timed(call: Callable[[], np.ndarray]) -> tuple[float, int, np.ndarray]:
    """Seconds, bytes of own memory, and the map of a call."""
    with PeakMemory() as peak:
        start = time.perf_counter()
        score = call()
        seconds = time.perf_counter() - start
    return seconds, peak.bytes, np.asarray(score)


def compare(side: int, rounds: int) -> dict[str, Any]:
    """Seconds and memory of both, in turn."""
    seconds: dict[str, list[float]] = {"spy": [], "array": [], "file": []}
    memory: dict[str, list[int]] = {name: [] for name in seconds}
    with tempfile.TemporaryDirectory() as folder:
        path = scene_on_disk(Path(folder), side, BANDS)
        cube = np.load(path)
        calls = {
            "spy": lambda: spectral.rx(cube),
            "array": lambda: RX().score(cube),
            "file": lambda: RX().score(np.load(path, mmap_mode="r")),
        }
        maps: dict[str, np.ndarray] = {}
        for _ in range(rounds):
            for name, call in calls.items():
                took, rose, maps[name] = timed(call)
                seconds[name].append(took)
                memory[name].append(rose)
    np.testing.assert_array_equal(maps["file"], maps["array"])
    return {
        "shape": list(cube.shape),
        "threads": max(i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"),
        "seconds": seconds,
        "anonymous_bytes": {name: max(rises) for name, rises in memory.items()},
        "ratio": {
            name: float(np.median(seconds["spy"]) / np.median(seconds[name]))
            for name in ("array", "file")
        },
        "median_relative_difference": float(np.median(np.abs(maps["array"] / maps["spy"] - 1))),
    }


def main() -> None:
    """Measure and print; write ``benchmarks/results/rx.json`` at the full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, help="rows and columns, to try it out")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    spectral.settings.show_progress = False
    found = compare(options.side or SIDE, options.rounds)
    rows = [("scene", "simulated, " + " × ".join(map(str, found["shape"])))]
    for name, title in (("spy", "SPy"), ("array", "here, array"), ("file", "here, mapped file")):
        rows.append(
            (
                title,
                f"{np.median(found['seconds'][name]):.2f} s, "
                f"{found['anonymous_bytes'][name] / 2**20:.0f} MiB of own memory",
            )
        )
    rows += [(f"ratio, {name}", f"{ratio:.1f}") for name, ratio in found["ratio"].items()]
    rows.append(("median relative difference", f"{found['median_relative_difference']:.1e}"))
    print_table("RX against SPy's", rows)
    if options.side is None:
        keep({"benchmark": "rx", "reference": f"spectral {spectral.__version__}", **found})


if __name__ == "__main__":
    main()
