"""The low-rank step against a column-by-column NumPy reference, on the Pavia latents.

The reference is the recursion as a reader of the paper would first write it: samples as
columns, a singular value decomposition of the 2k × N matrix in every iteration, the
residual shrunk one column after the other. Both run the release's order and stopping rule in
float64 on the latent samples and the dictionary of the preset ``release``, seed 123,
trained here first (a minute or two). Without the real scene the simulated one stands in,
and the record says so.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.record import keep, print_table
from experiments.published import LAMBDA
from lren_tf import LREN, datasets, solve_low_rank
from lren_tf.datasets import DatasetUnavailable

SCENE = "pavia"
LAM = LAMBDA["release"][SCENE]
REFERENCE_ROUNDS, ROUNDS = 3, 15


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

    result = solve_low_rank(X, D, LAM, order="JAW")  # traced here, not while timed
    ours, theirs = [], []
    for round_number in range(ROUNDS):
        if round_number % (ROUNDS // REFERENCE_ROUNDS) == 0:
            start = time.perf_counter()
            A, iterations = reference(XT, DT, LAM)
            theirs.append(time.perf_counter() - start)
        start = time.perf_counter()
        result = solve_low_rank(X, D, LAM, order="JAW")
        ours.append(time.perf_counter() - start)
    difference = float(np.abs(result.A.T - A).max() / np.abs(A).max())
    ratio = float(np.median(theirs) / np.median(ours))
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
        "here_s": ours,
        "ratio": ratio,
        "relative_difference_of_A": difference,
    }
    print_table(
        "low-rank step against the column-by-column reference",
        [
            ("scene", f"{scene.name}{' (simulated)' if scene.simulated else ''}"),
            ("iterations, reference and here", f"{iterations} and {result.iterations}"),
            ("reference, median", f"{np.median(theirs):.2f} s"),
            ("here, median", f"{1e3 * np.median(ours):.0f} ms"),
            ("ratio", f"{ratio:.0f}"),
            ("largest difference of A, relative", f"{difference:.1e}"),
        ],
    )
    keep(record)


if __name__ == "__main__":
    main()
