"""Which detector runs on a scene of which size: seconds, own memory, or why not.

Every case is a process of its own, which maps a simulated scene of 100 bands from disk and scores
it with a detector's defaults. Its memory is RssAnon above that of the process with everything
imported, so pages of the scene do not count. A detector may refuse because of the memory that it
would need, or be stopped after :data:`LIMIT_S`.

``python -m benchmarks.large_scenes`` measures everything and writes
``benchmarks/results/large_scenes.json``. With ``--sides`` or ``--detectors`` it prints only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import keep, print_table
from benchmarks.scenes import scene_on_disk
from lren_tf import detectors, metrics
from lren_tf.datasets import simulate
from lren_tf.detectors.working_memory import Size, needed_bytes
from lren_tf.errors import InputError, TrainingDiverged
from lren_tf.runtime.peak_memory import PeakMemory

BANDS = 100
SIDES = (1000,)
"""Rows and columns of the scenes."""
LIMIT_S = 300
"""Seconds after which a process is stopped."""


def measure(name: str, path: Path) -> dict[str, Any]:
    """One detector on one scene, in this process."""
    cube = np.load(path, mmap_mode="r")
    detector = detectors.create(name)
    if name == "lren":
        import lren_tf.model.lren  # noqa: F401, its own module leaves this to the first score
    case: dict[str, Any] = {"detector": name, "shape": list(cube.shape)}
    case["estimated_bytes"] = needed_bytes(name, Size(*cube.shape), detector.get_config())
    start = time.perf_counter()
    with PeakMemory() as peak:
        try:
            score = detector.score(cube)
        except (InputError, TrainingDiverged) as error:
            return {**case, "outcome": "refused", "reason": str(error)}
    truth = np.load(path.with_suffix(".truth.npy"))
    return {
        **case,
        "outcome": "ran",
        "seconds": time.perf_counter() - start,
        "anonymous_bytes": peak.bytes,
        "auc_pd_pf": float(metrics.auc_pd_pf(score, truth)),
    }


def in_a_process(name: str, path: Path, limit: float) -> dict[str, Any]:
    """The same in a process of its own, stopped after so many seconds."""
    command = [sys.executable, "-m", "benchmarks.large_scenes", "--one", name, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        shape = np.load(path, mmap_mode="r").shape
        estimate = needed_bytes(name, Size(*shape), detectors.create(name).get_config())
        return {
            "detector": name, "shape": list(shape), "estimated_bytes": estimate,
            "outcome": "stopped", "seconds": limit,
        }  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def said(case: dict[str, Any]) -> str:
    """One line about a case."""
    if case["outcome"] == "refused":
        return case["reason"]
    if case["outcome"] == "stopped":
        return f"stopped after {case['seconds']:.0f} s"
    estimate = case["estimated_bytes"]
    expected = "" if estimate is None else f" ({estimate / 2**30:.2f} estimated)"
    return (
        f"{case['seconds']:.1f} s, {case['anonymous_bytes'] / 2**30:.2f} GiB{expected}, "
        f"AUC {case['auc_pd_pf']:.4f}"
    )


def main() -> None:
    """Measure; write and render only what is complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("DETECTOR", "SCENE"), help=argparse.SUPPRESS)
    parser.add_argument("--sides", type=int, nargs="+")
    parser.add_argument("--detectors", nargs="+", choices=detectors.names())
    parser.add_argument("--limit", type=float, default=LIMIT_S)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], Path(options.one[1]))))
        return
    names = options.detectors or detectors.names()
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides or SIDES:
            path = scene_on_disk(Path(folder), side, BANDS)
            np.save(path.with_suffix(".truth.npy"), simulate(side, side, BANDS, seed=1).truth)
            found = [in_a_process(name, path, options.limit) for name in names]
            print_table(f"{side} × {side} × {BANDS}", [(c["detector"], said(c)) for c in found])
            cases += found
    if options.sides or options.detectors:
        return
    keep({"benchmark": "large_scenes", "limit_s": options.limit, "cases": cases})


if __name__ == "__main__":
    main()
