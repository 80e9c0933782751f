"""LRX against the windowed RX of SPy (Spectral Python), on two simulated scenes.

One has as many bands as a scene of the paper, one as many as a sensor of the visible and near
infrared: the fewer bands, the more of SPy's time is its loop over pixels.

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

CASES = (
    # height, width, bands, inner, outer
    (36, 36, 189, 9, 19),
    (60, 60, 60, 5, 11),
)
DELTA = 1e-13
REFERENCE_ROUNDS, ROUNDS = 3, 9


def measure(cube: np.ndarray, detector: LRX, threads: int) -> tuple[dict[str, Any], float]:
    """Seconds and ratio with that many threads, and the largest relative difference inside."""
    window = (detector.inner, detector.outer)
    ours, theirs = [], []
    with threadpool_limits(threads, user_api="blas"):
        for round_number in range(ROUNDS):
            if round_number % (ROUNDS // REFERENCE_ROUNDS) == 0:
                start = time.perf_counter()
                reference = spectral.rx(cube, window=window)
                theirs.append(time.perf_counter() - start)
            start = time.perf_counter()
            score = detector.score(cube)
            ours.append(time.perf_counter() - start)
    inside = slice(detector.outer // 2, -(detector.outer // 2))
    measured = {
        "threads": threads,
        "reference_s": theirs,
        "here_s": ours,
        "ratio": float(np.median(theirs) / np.median(ours)),
    }
    return measured, float(np.abs(score / reference - 1)[inside, inside].max())


def compare(case: tuple[int, int, int, int, int], threads: int) -> dict[str, Any]:
    """One scene: with one thread, and with all."""
    height, width, bands, inner, outer = case
    scene = datasets.simulate(height, width, bands)
    cube = scene.cube.astype(np.float64)
    detector = LRX(inner, outer, DELTA)
    one, difference = measure(cube, detector, 1)
    all_ = measure(cube, detector, threads)[0] if threads > 1 else one
    return {
        "scene": scene.name,
        "simulated": scene.simulated,
        "shape": list(scene.shape),
        "inner": inner,
        "outer": outer,
        "ring": outer**2 - inner**2,
        "delta": DELTA,
        "one_thread": one,
        "all_threads": all_,
        "relative_difference_inside": difference,
    }


def main() -> None:
    """Measure, print and write ``benchmarks/results/detectors.json``."""
    spectral.settings.show_progress = False
    threads = max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")
    cases = [compare(case, threads) for case in CASES]
    rows = []
    for case in cases:
        rows += [
            ("scene", "simulated, " + " × ".join(map(str, case["shape"]))),
            ("windows", f"{case['inner']} and {case['outer']}, {case['ring']} pixels in a ring"),
            ("largest relative difference inside", f"{case['relative_difference_inside']:.1e}"),
        ]
        for measured in (case["one_thread"], case["all_threads"]):
            name = f"{measured['threads']} threads"
            rows += [
                (f"SPy, {name}, median", f"{np.median(measured['reference_s']):.2f} s"),
                (f"here, {name}, median", f"{np.median(measured['here_s']):.2f} s"),
                (f"ratio, {name}", f"{measured['ratio']:.0f}"),
            ]
    print_table("LRX against SPy's windowed RX", rows)
    keep(
        {
            "benchmark": "detectors",
            "reference": f"spectral {spectral.__version__}",
            "cases": cases,
        }
    )


if __name__ == "__main__":
    main()
