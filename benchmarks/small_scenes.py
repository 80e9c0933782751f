"""Memory of LREN on small scenes: how far a process's own memory rises above the imported library.

On a large scene the arrays of its pixels count; on a small one the rest does: TensorFlow's graphs,
threads, and the pixels that pass through the networks at a time. Estimates for plans
(:mod:`lren_tf.detectors.estimates`) have both. Each case is a process of its own that trains two
epochs on a simulated scene and scores it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import lren_tf
from benchmarks.record import keep, print_table
from lren_tf.runtime.peak_memory import PeakMemory, give_back_freed
from lren_tf.runtime.threads import usable_cores

EPOCHS = 2
SIDES, BANDS = (30, 100, 200), 50
SCORINGS: dict[str, dict[str, Any]] = {
    "residual": {"preset": "release"},
    "energy": {"preset": "robust", "evidence": ("spectrum",)},
    "evidence": {"preset": "robust"},
}


def measure(scoring: str, side: int) -> int:
    """Bytes by which this process's own memory rises during a training and a score."""
    scene = lren_tf.datasets.simulate(side, side, BANDS)
    model = lren_tf.LREN(**SCORINGS[scoring], epochs=EPOCHS, device="/CPU:0")
    give_back_freed()
    with PeakMemory() as memory:
        model.fit(scene, verbose=0)
        model.score(scene)
    if memory.bytes is None:
        raise SystemExit("The memory of a process is known on Linux only; run this there.")
    return memory.bytes


def case(scoring: str, side: int) -> dict[str, Any]:
    """One case, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.small_scenes", scoring, str(side)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {
        "settings": {**SCORINGS[scoring], "epochs": EPOCHS},
        "height": side,
        "width": side,
        "bands": BANDS,
        "peak_bytes": json.loads(done.stdout.splitlines()[-1]),
    }


def main() -> None:
    """Measure, print and write ``benchmarks/results/small_scenes.json``."""
    cases = [case(scoring, side) for scoring in SCORINGS for side in SIDES]
    print_table(
        "peak of the process's own memory",
        [
            (
                f"{found['settings']}, {found['height']} × {found['width']} × {found['bands']}",
                f"{found['peak_bytes'] / 2**20:.0f} MiB",
            )
            for found in cases
        ],
    )
    keep({"benchmark": "small_scenes", "threads": usable_cores(), "cases": cases})


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
