"""The low-rank step against a column-by-column NumPy reference, on the Pavia latents.

The reference is the recursion as a reader of the paper would first write it: samples as
columns, a singular value decomposition of the 2k × N matrix in every iteration, the
residual shrunk one column after the other. Both run the release's order and stopping rule in
float64 on the latent samples and the dictionary of the preset ``release``, seed 123,
trained here first (a minute or two). Without the real scene the simulated one stands in,
and the record says so.

The same latent samples, repeated to :data:`PIXELS`, are then solved with a fixed number of
iterations, in turn with a copy of the state that a plain implementation keeps: W, J and Y2
``[N, m]``, A and Y1 ``[N, l]`` float64, read once and written once, which is what streaming it
through memory costs. float32 is measured beside float64, with the error of its A. ``settled``,
with which μ grows faster once a run has settled, is timed beside the constant ρ, and its A
compared at :data:`LAMBDA_FACTORS` times λ in both orders. Peak memory is that of a process of its
own, beyond what it holds before the call, the samples among it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import keep, print_table
from lren_tf import LREN, datasets, solve_low_rank
from lren_tf.datasets import DatasetUnavailable
from lren_tf.low_rank.solve import ORDERS, LowRankResult

SCENE = "pavia"
LAM = 1e-4
"""λ that the authors' program uses on this scene."""
REFERENCE_ROUNDS, ROUNDS = 3, 15
SETTLED, LAMBDA_FACTORS = 1e-6, (1, 10, 100)
PIXELS, SCALING_ROUNDS, SCALING_ITERATIONS = (10_000, 1_000_000), 5, (5, 45)
"""Two numbers of iterations, whose difference leaves out what a call costs besides."""


def shrink_column(column: np.ndarray, threshold: float) -> np.ndarray:
    """Proximal operator of threshold·‖·‖₂ for one column."""
    norm = np.linalg.norm(column)
    if norm > threshold:
        return (norm - threshold) / norm * column
    return np.zeros_like(column)


def reference(X: np.ndarray, D: np.ndarray, lam: float) -> tuple[np.ndarray, int]:
    """Eqs. (15)-(20) in the release's order; samples and atoms are columns.

    Args:
        X: latent samples ``[l, N]``.
        D: dictionary ``[l, m]``.
        lam: λ.

    Returns:
        A ``[l, N]`` and the number of iterations.
    """
    atoms, pixels = D.shape[1], X.shape[1]
    W = np.zeros((atoms, pixels))
    J, Y2 = W.copy(), W.copy()
    A = np.zeros_like(X)
    Y1 = A.copy()
    inverse = np.linalg.inv(D.T @ D + np.eye(atoms))
    mu = 1e-3
    for iteration in range(1, 501):
        before = W, A, J
        U, sigma, Vt = np.linalg.svd(W + Y2 / mu, full_matrices=False)
        J = U @ np.diag(np.maximum(sigma - 1 / mu, 0)) @ Vt
        R = X - D @ W + Y1 / mu
        A = np.zeros_like(R)
        for pixel in range(pixels):
            A[:, pixel] = shrink_column(R[:, pixel], lam / mu)
        W = inverse @ ((D.T @ Y1 - Y2) / mu + D.T @ (X - A) + J)
        r1, r2 = X - D @ W - A, W - J
        Y1 = Y1 + mu * r1
        Y2 = Y2 + mu * r2
        changes = [new - old for new, old in zip((W, A, J), before, strict=True)]
        if max(np.abs(change).max() for change in (*changes, r1, r2)) < 1e-8:
            break
        mu = min(1.2 * mu, 1e10)
    return A, iteration


def settled_problems(X: np.ndarray, D: np.ndarray) -> list[dict[str, Any]]:
    """Iterations with a constant ρ and with ``settled``, and how far A differs."""
    found = []
    for order in ORDERS:
        for factor in LAMBDA_FACTORS:
            lam = factor * LAM
            plain = solve_low_rank(X, D, lam, order=order)
            faster = solve_low_rank(X, D, lam, order=order, settled=SETTLED)
            difference = np.abs(faster.A - plain.A).max() / np.abs(plain.A).max()
            found.append(
                {
                    "order": order,
                    "lambda": lam,
                    "iterations": [plain.iterations, faster.iterations],
                    "relative_difference_of_A": float(difference),
                }
            )
    return found


def seconds_per_iteration(X: np.ndarray, D: np.ndarray, dtype: str) -> float:
    """Of one run, without its first graph, its start and its results."""
    times = []
    for iterations in SCALING_ITERATIONS:
        start = time.perf_counter()
        solve_low_rank(X, D, LAM, order="JAW", dtype=dtype, max_iterations=iterations)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / (SCALING_ITERATIONS[1] - SCALING_ITERATIONS[0])


def scaling(X: np.ndarray, D: np.ndarray, pixels: int) -> dict[str, Any]:
    """Time of an iteration and of streaming the state, in turn, at a number of pixels."""
    X = np.resize(X, (pixels, X.shape[1]))
    (m, l), rounds = D.shape, []
    state = [np.zeros((pixels, width)) for width in (m, m, m, l, l)]
    copies = [np.ones_like(each) for each in state]
    for dtype in ("float64", "float32"):
        seconds_per_iteration(X, D, dtype)  # traced here, not while timed
    for _ in range(SCALING_ROUNDS):
        repeats = max(1, 1_000_000 // pixels)
        start = time.perf_counter()
        for _ in range(repeats):
            for each, copy in zip(state, copies, strict=True):
                np.copyto(copy, each)
        streaming = (time.perf_counter() - start) / repeats
        rounds.append(
            {
                "streaming": streaming,
                **{dtype: seconds_per_iteration(X, D, dtype) for dtype in ("float64", "float32")},
            }
        )
    medians = {name: float(np.median([each[name] for each in rounds])) for name in rounds[0]}
    return {
        "pixels": pixels,
        "rounds_s": rounds,
        "ns_per_pixel_and_iteration": {
            name: 1e9 * value / pixels for name, value in medians.items()
        },
        "times_streaming": float(
            np.median([each["float64"] / each["streaming"] for each in rounds])
        ),
        "peak_memory_mb": {dtype: peak_memory(X, D, dtype) for dtype in ("float64", "float32")},
    }


def peak_memory(X: np.ndarray, D: np.ndarray, dtype: str) -> float | None:
    """Megabytes that a call takes at its peak, results included; None where it is unknown."""
    if not Path("/proc/self/status").exists():
        return None
    code = (
        "import sys, json, numpy as np; from lren_tf import solve_low_rank\n"
        "def kb(name):\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return int(dict(line.split(':', 1) for line in lines)[name].split()[0])\n"
        "X, D = (np.load(f'{sys.argv[1]}/{name}.npy') for name in 'XD')\n"
        "settings = dict(order='JAW', dtype=sys.argv[2], max_iterations=3)\n"
        "solve_low_rank(X[:1000], D, 1e-4, **settings)\n"
        "before = kb('VmRSS')\n"
        "solve_low_rank(X, D, 1e-4, **settings)\n"
        "print(json.dumps((kb('VmHWM') - before) / 1000))\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("X", X), ("D", D)):
            np.save(Path(folder) / f"{name}.npy", array)
        done = subprocess.run(
            [sys.executable, "-c", code, folder, dtype],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return json.loads(done.stdout)


def main() -> None:
    """Measure, print and write ``benchmarks/results/solver.json``."""
    try:
        scene = datasets.load(SCENE)
    except DatasetUnavailable as error:
        print(f"{error} The simulated scene stands in.")
        scene = datasets.simulate(100, 100, 102)
    model = LREN("release", lam=LAM)
    model.fit(scene)
    X = model.predict(scene.pixels, verbose=0, batch_size=len(scene.pixels))["latent"]
    X, D = X.astype(np.float64), model.dictionary.atoms
    XT, DT = np.ascontiguousarray(X.T), np.ascontiguousarray(D.T)

    def ours() -> LowRankResult:
        return solve_low_rank(X, D, LAM, order="JAW")

    def settling() -> LowRankResult:
        return solve_low_rank(X, D, LAM, order="JAW", settled=SETTLED)

    timed: dict[Callable, list[float]] = {ours: [], settling: []}
    ours()  # traced here, not while timed
    theirs = []
    for round_number in range(ROUNDS):
        if round_number % (ROUNDS // REFERENCE_ROUNDS) == 0:
            start = time.perf_counter()
            A, iterations = reference(XT, DT, LAM)
            theirs.append(time.perf_counter() - start)
        for call, times in timed.items():
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    result, faster = ours(), settling()
    scale = float(np.abs(A).max())
    difference = float(np.abs(result.A.T - A).max()) / scale
    settings = {"order": "JAW", "max_iterations": result.iterations}
    single = solve_low_rank(X, D, LAM, dtype="float32", **settings)
    error = float(np.abs(single.A - result.A).max()) / scale
    sizes = [scaling(X, D, pixels) for pixels in PIXELS]
    growth = {
        dtype: sizes[-1]["ns_per_pixel_and_iteration"][dtype]
        / sizes[0]["ns_per_pixel_and_iteration"][dtype]
        for dtype in ("float64", "float32")
    }
    ratio, ratio_settled = (
        float(np.median(theirs) / np.median(times)) for times in timed.values()
    )
    record = {
        "benchmark": "solver",
        "scene": scene.name,
        "simulated": scene.simulated,
        "pixels": len(X),
        "latent": X.shape[1],
        "atoms": len(D),
        "lambda": LAM,
        "device": model.device,
        "iterations": {"reference": iterations, "here": result.iterations},
        "reference_s": theirs,
        "here_s": timed[ours],
        "ratio": ratio,
        "settled": {
            "value": SETTLED,
            "iterations": faster.iterations,
            "here_s": timed[settling],
            "ratio": ratio_settled,
            "problems": settled_problems(X, D),
        },
        "relative_difference_of_A": difference,
        "float32_relative_difference_of_A": error,
        "scaling": sizes,
        "growth": growth,
    }
    print_table(
        "low-rank step against the column-by-column reference",
        [
            ("scene", f"{scene.name}{' (simulated)' if scene.simulated else ''}"),
            ("iterations, reference and here", f"{iterations} and {result.iterations}"),
            ("reference, median", f"{np.median(theirs):.2f} s"),
            ("here, median", f"{1e3 * np.median(timed[ours]):.0f} ms"),
            ("ratio", f"{ratio:.0f}"),
            (f"settled {SETTLED}, median", f"{1e3 * np.median(timed[settling]):.0f} ms"),
            ("its iterations", f"{faster.iterations}"),
            ("its ratio", f"{ratio_settled:.0f}"),
            *(
                (
                    f"order {each['order']}, λ {each['lambda']:g}: iterations, difference of A",
                    "{} and {}, ".format(*each["iterations"])
                    + f"{each['relative_difference_of_A']:.0e}",
                )
                for each in record["settled"]["problems"]
            ),
            ("largest difference of A, relative", f"{difference:.1e}"),
            ("the same of float32", f"{error:.1e}"),
            *(
                (
                    f"{size['pixels']} pixels: {name}, per pixel and iteration",
                    f"{value:.0f} ns",
                )
                for size in sizes
                for name, value in size["ns_per_pixel_and_iteration"].items()
            ),
            *(
                (f"{size['pixels']} pixels: times streaming", f"{size['times_streaming']:.1f}")
                for size in sizes
            ),
            *(
                (f"{size['pixels']} pixels: peak memory, {dtype}", f"{megabytes:.0f} MB")
                for size in sizes
                for dtype, megabytes in size["peak_memory_mb"].items()
                if megabytes is not None
            ),
            *(
                (f"time per pixel, {PIXELS[-1]} against {PIXELS[0]}, {dtype}", f"{value:.2f} times")
                for dtype, value in growth.items()
            ),
        ],
    )
    keep(record)


if __name__ == "__main__":
    main()
