"""Peak memory of whole processes: ``lren-tf detect`` on scenes of 10⁴ to 10⁶ pixels.

Each case is a process of its own that reads a simulated scene of 200 bands from disk, trains the
preset ``paper`` for three epochs, solves the low-rank step, and writes score, picture and report.
The operating system says how much memory it had at most; pages of the mapped scene count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import keep, print_table
from benchmarks.scenes import scene_on_disk

BANDS, EPOCHS = 200, 3
CASES = ((100, None), (316, None), (316, "200MB"), (1000, "2GiB"), (1000, "1MB"))
"""Side of the scene and memory limit of the training."""


def measure(path: Path, limit: str | None, out: Path) -> dict[str, Any]:
    """Peak resident memory in bytes, and seconds, of one process."""
    command = [
        sys.executable, "-m", "lren_tf", "detect", str(path), "--preset", "paper",
        "--epochs", str(EPOCHS), "--device", "/CPU:0", "--out", str(out),
    ]  # fmt: skip
    if limit is not None:
        command += ["--memory-limit", limit]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}.")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_bytes": usage.ru_maxrss * unit, "seconds": time.perf_counter() - start}


def main() -> None:
    """Measure, print and write ``benchmarks/results/memory.json``."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for side, limit in CASES:
            path = scene_on_disk(place, side, BANDS)
            found = measure(path, limit, place / "out")
            case = {"pixels": side * side, "bands": BANDS, "memory_limit": limit, **found}
            case["scene_bytes"] = path.stat().st_size
            cases.append(case)
            print_table(
                f"{side} × {side} × {BANDS}, memory limit {limit}",
                [
                    ("scene on disk", f"{case['scene_bytes'] / 2**30:.2f} GiB"),
                    ("peak resident memory", f"{case['peak_bytes'] / 2**30:.2f} GiB"),
                    ("seconds", f"{case['seconds']:.0f}"),
                ],
            )
    keep({"benchmark": "memory", "preset": "paper", "epochs": EPOCHS, "cases": cases})


if __name__ == "__main__":
    main()
