"""The low-rank step: min ‖W‖_* + λ loss(A)  s.t.  X = W D + A, by ADMM as one graph.

Samples are rows in every signature here (``X [N, l]``, ``D [m, l]``, ``A [N, l]``,
``W [N, m]``): the paper's columns are our rows. The paper's problem (1) and its
augmented Lagrangian (12)-(14) are solved by the recursion (scaled multipliers
U1 = Y1/μ, U2 = Y2/μ)::

    J  = argmin ‖J‖_* + μ/2 ‖J − (W + U2)‖²_F                                    (15)
    W  = ((X − A + U1) Dᵀ + J − U2) (D Dᵀ + I)⁻¹                            (16)-(17)
    A  = argmin λ loss(A) + μ/2 ‖A − (X − W D + U1)‖²_F                          (18)
    U1 = U1 + (X − W D − A),   U2 = U2 + (W − J)                            (19), (20)
    μ  = min(ρ μ, μ_max)

from zeros, in the order J, W, A (as the paper lists them) or J, A, W (as the release
computes them). (18) is printed without its μ/2; the threshold of its closed form is λ/μ.
The paper sums ‖A‖₂,₁ over rows of its l × N matrix by the printed formula; what it shrinks,
and what is meant, is a pixel.

:mod:`lren_tf.low_rank.admm` explains how this is computed, a block of pixels at a time.
Where there are far fewer atoms than dimensions, as with spectra,
:mod:`lren_tf.low_rank.compact` reduces the problem to m + 1 dimensions first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.low_rank import admm
from lren_tf.low_rank.compact import compact_problem, compact_residual, compacts
from lren_tf.low_rank.problem import ORDERS
from lren_tf.low_rank.proximal import LOSSES
from lren_tf.runtime.workers import Workers


class LowRankResult(NamedTuple):
    """Result of :func:`solve_low_rank`; arrays in the solver's precision."""

    A: np.ndarray
    """Residual ``[N, l]``: what the dictionary does not represent."""
    W: np.ndarray
    """Coefficients ``[N, m]``."""
    Y: np.ndarray
    """Multiplier of X = W D + A, ``[N, l]``; at a solution a subgradient of λ loss at A. A growing
    μ magnifies what the Gram matrix loses of small singular values: with the default ρ expect
    it to a few hundredths, with ρ near 1 to many digits."""
    iterations: int
    """Iterations made."""
    converged: bool
    """False if the largest number of iterations ended the run."""
    objective: np.ndarray
    """‖J‖_* + λ loss(A) after each iteration, ``[iterations]``."""
    residuals: np.ndarray
    """‖X − W D − A‖_F and ‖W − J‖_F after each iteration, ``[iterations, 2]``."""


def solve_low_rank(
    X: npt.ArrayLike,
    D: npt.ArrayLike,
    lam: float,
    *,
    loss: str = "l21",
    order: str = "JWA",
    mu: float = 1e-3,
    rho: float = 1.2,
    mu_max: float = 1e10,
    tolerance: float = 1e-8,
    max_iterations: int = 500,
    settled: float = 0.0,
    dtype: str = "float64",
    workers: Workers | None = None,
) -> LowRankResult:
    """Split latent samples into a low-rank part W D and a residual A, eqs. (12)-(20).

    Args:
        X: latent samples ``[N, l]``.
        D: dictionary, one atom per row, ``[m, l]``. Rows of zeros are inert.
        lam: λ > 0.
        loss: one of :data:`LOSSES`.
        order: one of :data:`ORDERS`.
        mu, rho, mu_max: penalty at the start, its factor per iteration, its largest value.
        tolerance: stop when the largest absolute change of W, A and J and the largest
            absolute entry of both residuals are below it.
        max_iterations: stop at the latest after this many.
        settled: once the stopping rule would be met with this tolerance times the largest entry of
            X, μ grows tenfold in every iteration. 0: always by ρ, as in the paper and the release.
            The remaining steps then shrink as 1/μ; with 1e-6 a run takes a quarter to two fifths
            fewer iterations, and A changes by about 5e-5 of its largest entry. W, on which A
            depends only through W D, and the multiplier change more.
        dtype: ``"float64"``, or ``"float32"`` for the pixels, with sums in float64: half the
            memory. A differs by about 1e-5 of its largest entry. The tolerance is hardly ever met,
            so the run ends at the largest number of iterations.
        workers: their replicas hold a share of the pixels each, and exchange a few sums in every
            iteration. Every process passes the same arguments and gets the whole result. None: this
            process alone.

    Raises:
        InputError: shapes that do not fit, NaN or infinity, or a setting out of range.
    """
    X, D = _checked(X, D, dtype)
    for name, value in (("lam", lam), ("mu", mu), ("tolerance", tolerance)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; expected a finite number above 0.")
    if not (np.isfinite(rho) and rho >= 1):
        raise InputError(f"rho is {rho}; expected a finite number of at least 1.")
    if not (np.isfinite(mu_max) and mu_max >= mu):
        raise InputError(f"mu_max is {mu_max}; expected a finite number of at least mu ({mu}).")
    if not (np.isfinite(settled) and settled >= 0):
        raise InputError(f"settled is {settled}; expected a finite number of at least 0.")
    if max_iterations < 1:
        raise InputError(f"max_iterations is {max_iterations}; expected 1 or more.")
    if loss not in LOSSES:
        raise InputError(f"loss {loss!r} is unknown; expected one of {', '.join(LOSSES)}.")
    if order not in ORDERS:
        raise InputError(f"order {order!r} is unknown; expected one of {', '.join(ORDERS)}.")

    settles = tolerance
    if settled:
        settles = max(tolerance, settled * float(max(X.max(), -X.min())))
    compact = compact_problem(X, D) if compacts(D, loss) else None
    solution = admm.solve(
        tf.convert_to_tensor(X if compact is None else compact.X),
        tf.convert_to_tensor(D if compact is None else compact.D),
        _rule(lam, mu, rho, mu_max, tolerance, settles),
        tf.constant(max_iterations, tf.int32),
        loss=loss,
        order=order,
        workers=workers,
    )
    A, W, Y, iterations, converged, history = solution
    if compact is not None:
        A, Y = compact.expand(A), compact.expand(Y)
    return LowRankResult(
        A,
        W,
        Y,
        iterations,
        converged,
        objective=history[:, 0],
        residuals=history[:, 1:],
    )


def _rule(*values: float) -> admm.Rule:
    return admm.Rule(*(tf.constant(value, tf.float64) for value in values))


def residual_in_graph(
    X: tf.Tensor,
    D: np.ndarray,
    lam: float,
    *,
    loss: str,
    order: str,
    mu: float,
    rho: float,
    mu_max: float,
    tolerance: float,
    max_iterations: int,
) -> tf.Tensor:
    """Residual A of :func:`solve_low_rank` as a tensor, for a graph that is exported.

    The problem, the recursion and the arguments are the same, none of which is checked here.

    Args:
        X: latent samples ``[N, l]``, N unknown when the graph is made, in the solver's
            precision.
        D: atoms ``[m, l]``, a constant of the graph.

    Returns:
        ``[N, l]``, in the precision of X.
    """
    D = np.asarray(D, X.dtype.as_numpy_dtype)

    def residual(samples: tf.Tensor, atoms: np.ndarray) -> tf.Tensor:
        return admm.residual(
            samples,
            tf.constant(atoms),
            _rule(lam, mu, rho, mu_max, tolerance, tolerance),
            tf.constant(max_iterations, tf.int32),
            loss=loss,
            order=order,
        )

    return compact_residual(residual, X, D) if compacts(D, loss) else residual(X, D)


def row_norms(A: np.ndarray, norm: str) -> np.ndarray:
    """Norm of every row of A ``[N, l]``, ``[N]``: ``"l1"`` (paper) or ``"l2"`` (release)."""
    return np.linalg.norm(A, ord={"l1": 1, "l2": 2}[norm], axis=1)


def _checked(X: Any, D: Any, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    if dtype not in ("float64", "float32"):
        raise InputError(f"dtype {dtype!r} is unknown; expected float64 or float32.")
    X, D = np.asarray(X, dtype), np.asarray(D, dtype)
    if X.ndim != 2 or D.ndim != 2 or X.shape[1:] != D.shape[1:] or 0 in (*X.shape, *D.shape):
        raise InputError(
            f"X has shape {X.shape} and D {D.shape}; expected samples [N, l] and atoms [m, l] "
            "with the same l."
        )
    for name, array in (("X", X), ("D", D)):
        bad = array.size - np.count_nonzero(np.isfinite(array))
        if bad:
            row = int(np.argwhere(~np.isfinite(array))[0, 0])
            raise InputError(
                f"{name} holds {bad} NaN or infinite values, the first in row {row}; "
                "expected finite numbers: check the training that produced them."
            )
    if not D.any():
        raise InputError("D holds only zeros; expected at least one atom that is not zero.")
    return X, D
