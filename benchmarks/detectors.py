"""LRX against the windowed RX of SPy (Spectral Python), on one simulated scene.

SPy inverts the covariance of every ring by a singular value decomposition, pixel after pixel.
It regularises nothing, so the rings have more pixels than the scene has bands, and δ is
here so small that both compute one number wherever the windows fit the image; SPy shifts
them at the border, where LRX mirrors the image.

Both run in turn in the same process: with the threads that the linear algebra library takes
by itself, and with one. SPy's small decompositions gain nothing from threads, and lose much
where other programs occupy the processor, so only the ratio on one thread holds there too.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import spectral
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.record import keep, print_table
from lren_tf import datasets
from lren_tf.detectors.lrx import LRX

HEIGHT, WIDTH, BANDS = 36, 36, 189
INNER, OUTER = 9, 19
DELTA = 1e-13
REFERENCE_ROUNDS, ROUNDS = 3, 9


def measure(cube: np.ndarray, threads: int) -> tuple[dict[str, Any], float]:
    """Seconds and ratio with that many threads, and the largest relative difference inside."""
    detector = LRX(INNER, OUTER, DELTA)
    ours, theirs = [], []
    with threadpool_limits(threads, user_api="blas"):
        for round_number in range(ROUNDS):
            if round_number % (ROUNDS // REFERENCE_ROUNDS) == 0:
                start = time.perf_counter()
                reference = spectral.rx(cube, window=(INNER, OUTER))
                theirs.append(time.perf_counter() - start)
            start = time.perf_counter()
            score = detector.score(cube)
            ours.append(time.perf_counter() - start)
    inside = slice(OUTER // 2, -(OUTER // 2))
    measured = {
        "threads": threads,
        "reference_s": theirs,
        "here_s": ours,
        "ratio": float(np.median(theirs) / np.median(ours)),
    }
    return measured, float(np.abs(score / reference - 1)[inside, inside].max())


def main() -> None:
    """Measure, print and write ``benchmarks/results/detectors.json``."""
    scene = datasets.simulate(HEIGHT, WIDTH, BANDS)
    cube = scene.cube.astype(np.float64)
    spectral.settings.show_progress = False
    threads = max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")
    one, difference = measure(cube, 1)
    all_ = measure(cube, threads)[0] if threads > 1 else one
    record = {
        "benchmark": "detectors",
        "scene": scene.name,
        "simulated": scene.simulated,
        "shape": list(scene.shape),
        "inner": INNER,
        "outer": OUTER,
        "ring": OUTER**2 - INNER**2,
        "delta": DELTA,
        "reference": f"spectral {spectral.__version__}",
        "one_thread": one,
        "all_threads": all_,
        "relative_difference_inside": difference,
    }
    rows = [
        ("scene", f"simulated, {HEIGHT} × {WIDTH} × {BANDS}"),
        ("windows", f"{INNER} and {OUTER}, {record['ring']} pixels in a ring"),
        ("largest relative difference inside", f"{difference:.1e}"),
    ]
    for name, measured in (("one thread", one), (f"{threads} threads", all_)):
        rows += [
            (f"SPy, {name}, median", f"{np.median(measured['reference_s']):.2f} s"),
            (f"here, {name}, median", f"{np.median(measured['here_s']):.2f} s"),
            (f"ratio, {name}", f"{measured['ratio']:.0f}"),
        ]
    print_table("LRX against SPy's windowed RX", rows)
    keep(record)


if __name__ == "__main__":
    main()
