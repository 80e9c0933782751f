"""The low-rank step: min ‖W‖_* + λ loss(A)  s.t.  X = W D + A, by ADMM as one graph.

Samples are rows in every signature here (``X [N, l]``, ``D [m, l]``, ``A [N, l]``,
``W [N, m]``): the paper's columns are our rows, said once. The paper's problem (1) and its
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

Everything happens in the singular bases of the dictionary. With D = V diag(s) Qᵀ the
substitution W̃ = W V, X̃ = X Q turns every product with D into a scaling by s and leaves
singular values and row norms as they are, so the iteration is elementwise work on
[l, N] arrays, one l × l Gram matrix, and one [l × l]·[l × N] product. It is the same
iteration: W never leaves the row space of Dᵀ. Pixels are the last axis inside, so that the
shrinkage runs along contiguous memory.

The W step leaves a relation that makes U2 redundant: its normal equations say
U2 = (U1 + ΔA) Dᵀ after the multipliers have moved, where ΔA is the change of A made after
W (0 in the order J, A, W). The iteration therefore carries ΔA instead of U2, and of the
multipliers only −ΔA is left in the W step.

Where there are far fewer atoms than dimensions, as among spectra, what no atom reaches is
one number a pixel (:func:`_compact`), and the arrays are [m + 1, N].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.errors import InputError

LOSSES = ("l21", "l1", "frobenius")
"""Losses on the residual: Σᵢ‖Aᵢ‖₂ over pixels i, Σᵢⱼ|Aᵢⱼ|, ½‖A‖²_F."""
ORDERS = ("JWA", "JAW")
"""Orders of the updates within an iteration."""


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
    dtype: str = "float64",
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
        dtype: ``"float64"``, or ``"float32"``: half the memory; singular values below about
            3e-4 of the largest are then lost in the Gram matrix, the tolerance is
            never met, and A differs by about 1e-3 of its largest entry.

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
    if max_iterations < 1:
        raise InputError(f"max_iterations is {max_iterations}; expected 1 or more.")
    if loss not in LOSSES:
        raise InputError(f"loss {loss!r} is unknown; expected one of {', '.join(LOSSES)}.")
    if order not in ORDERS:
        raise InputError(f"order {order!r} is unknown; expected one of {', '.join(ORDERS)}.")

    def number(value: float) -> tf.Tensor:
        return tf.constant(value, X.dtype)

    compact = _compact(X, D) if _compacts(D, loss) else None
    A, W, Y, iterations, converged, objective, residuals = _admm(
        tf.convert_to_tensor(X if compact is None else compact.X),
        tf.convert_to_tensor(D if compact is None else compact.D),
        number(lam),
        number(mu),
        number(rho),
        number(mu_max),
        number(tolerance),
        tf.constant(max_iterations, tf.int32),
        loss=loss,
        order=order,
    )
    A, Y = A.numpy(), Y.numpy()
    if compact is not None:
        A, Y = compact.expand(A), compact.expand(Y)
    return LowRankResult(
        A, W.numpy(), Y, int(iterations), bool(converged), objective.numpy(), residuals.numpy()
    )


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
    """The residual A of :func:`solve_low_rank` as a tensor, for a graph that is kept.

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
        numbers = [tf.constant(value, X.dtype) for value in (lam, mu, rho, mu_max, tolerance)]
        iterations = tf.constant(max_iterations, tf.int32)
        return _admm(samples, tf.constant(atoms), *numbers, iterations, loss=loss, order=order)[0]

    if not _compacts(D, loss):
        return residual(X, D)
    # As _compact, on tensors.
    basis = np.linalg.qr(D.T)[0]
    inside = tf.matmul(X, basis)
    rest = X - tf.matmul(inside, basis, transpose_b=True)
    length = tf.norm(rest, axis=1, keepdims=True)
    A = residual(tf.concat([inside, length], axis=1), np.pad(D @ basis, [(0, 0), (0, 1)]))
    beyond = A[:, -1:] * tf.math.divide_no_nan(rest, length)
    return tf.matmul(A[:, :-1], basis, transpose_b=True) + beyond


def _compacts(D: np.ndarray, loss: str) -> bool:
    """Whether the problem is solved without the dimensions that no atom of D reaches.

    Beyond the atoms' span all that counts of a pixel is a length, except to a loss that a
    rotation changes. It pays where it halves the work.
    """
    return loss != "l1" and D.shape[1] >= 2 * (len(D) + 1)


class _Compact(NamedTuple):
    """A problem of m atoms in more than m + 1 dimensions, in m + 1."""

    X: np.ndarray
    """Coordinates in the basis, and the length of the rest, ``[N, m + 1]``."""
    D: np.ndarray
    """Coordinates of the atoms, and 0, ``[m, m + 1]``."""
    basis: np.ndarray
    """Orthonormal columns that span the atoms, ``[l, m]``."""
    direction: np.ndarray
    """Unit vector of the rest of each pixel ``[N, l]``, 0 where there is none."""

    def expand(self, M: np.ndarray) -> np.ndarray:
        """Rows ``[N, l]`` of rows ``[N, m + 1]``."""
        return M[:, :-1] @ self.basis.T + M[:, -1:] * self.direction


def _compact(X: np.ndarray, D: np.ndarray) -> _Compact:
    """The same problem without the dimensions that no atom reaches.

    There W D is 0, and from zeros A and Y1 stay multiples of what a pixel has there, by the
    same factor in each of them: one number a pixel. Row norms, Gram matrix, objective and
    residuals are those of the whole problem. The stopping rule looks at the entries of these
    coordinates.
    """
    basis, _ = np.linalg.qr(D.T)
    inside = X @ basis
    rest = X - inside @ basis.T
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    direction = np.divide(rest, length, out=np.zeros_like(rest), where=length > 0)
    atoms = np.pad(D @ basis, [(0, 0), (0, 1)])
    return _Compact(np.concatenate([inside, length], axis=1), atoms, basis, direction)


def row_norms(A: np.ndarray, norm: str) -> np.ndarray:
    """Norm of every row of A ``[N, l]``, ``[N]``: ``"l1"`` (paper) or ``"l2"`` (release)."""
    return np.linalg.norm(A, ord={"l1": 1, "l2": 2}[norm], axis=1)


def singular_value_shrinkage(T: tf.Tensor, threshold: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Proximal operator of ``threshold``·‖·‖_*: U diag(max(σ − threshold, 0)) Vᵀ.

    Taken through the eigen-decomposition of T Tᵀ, never an SVD of the long matrix.

    Args:
        T: ``[r, N]`` with r much smaller than N.
        threshold: scalar.

    Returns:
        The shrunk matrix ``[r, N]`` and its singular values ``[r]``.
    """
    P, shrunk = shrinkage_matrix(tf.matmul(T, T, transpose_b=True), threshold)
    return tf.matmul(P, T), shrunk


def shrinkage_matrix(gram: tf.Tensor, threshold: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """P ``[r, r]`` such that P T is T with its singular values shrunk, and those values.

    ``gram`` is T Tᵀ.
    """
    eigenvalues, basis = tf.linalg.eigh(gram)
    sigma = tf.sqrt(tf.maximum(eigenvalues, 0.0))
    shrunk = tf.maximum(sigma - threshold, 0.0)
    gain = tf.math.divide_no_nan(shrunk, sigma)
    return tf.matmul(basis * gain, basis, transpose_b=True), shrunk


def residual_shrinkage(R: tf.Tensor, threshold: tf.Tensor, loss: str) -> tf.Tensor:
    """Proximal operator of ``threshold``·loss for R ``[l, N]``, pixels last.

    ``"l21"``: each column times max(1 − threshold/‖column‖₂, 0). ``"l1"``: each entry
    moved towards 0 by the threshold. ``"frobenius"``: R / (1 + threshold).
    """
    return _shrunk(R, threshold, loss)[0]


def _shrunk(R: tf.Tensor, threshold: tf.Tensor, loss: str) -> tuple[tf.Tensor, tf.Tensor]:
    """A = :func:`residual_shrinkage` of R, and the loss of A, which falls out on the way."""
    if loss == "l21":
        norms = tf.sqrt(tf.reduce_sum(tf.square(R), axis=0))
        shrunk = tf.maximum(norms - threshold, 0.0)
        return R * tf.math.divide_no_nan(shrunk, norms), tf.reduce_sum(shrunk)
    if loss == "l1":
        A = tf.sign(R) * tf.maximum(tf.abs(R) - threshold, 0.0)
    else:
        A = R / (1.0 + threshold)
    return A, residual_loss(A, loss)


def residual_loss(A: tf.Tensor, loss: str) -> tf.Tensor:
    """Value of a loss of :data:`LOSSES` for A ``[l, N]``, pixels last."""
    if loss == "l21":
        return tf.reduce_sum(tf.sqrt(tf.reduce_sum(tf.square(A), axis=0)))
    if loss == "l1":
        return tf.reduce_sum(tf.abs(A))
    return tf.nn.l2_loss(A)


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


_BLOCK = 22_000
"""Numbers per block of pixels. TensorFlow gives an operation of this size one core, and two
blocks run at a time; spreading operations this short over the cores costs more than it
saves."""
_MOST_BLOCKS = 8
"""Each block is a copy of the iteration in the graph."""


def _blocks(M: tf.Tensor) -> list[tf.Tensor]:
    """Consecutive columns of M ``[l, N]``."""
    rows, columns = M.shape
    if columns is None:
        return [M]
    count = max(1, min(_MOST_BLOCKS, rows * columns // _BLOCK))
    size, extra = divmod(columns, count)
    return tf.split(M, [size + 1] * extra + [size] * (count - extra), axis=1)


@tf.function
def _admm(
    X: tf.Tensor,
    D: tf.Tensor,
    lam: tf.Tensor,
    mu: tf.Tensor,
    rho: tf.Tensor,
    mu_max: tf.Tensor,
    tolerance: tf.Tensor,
    max_iterations: tf.Tensor,
    loss: str,
    order: str,
) -> tuple[tf.Tensor, ...]:
    """The recursion of the module's docstring; scalars are tensors, so λ does not retrace."""
    l = D.shape[1]
    s, V, Q = tf.linalg.svd(D, full_matrices=True)
    # Dictionaries with fewer atoms than latent dimensions get inert zero directions, so
    # that the arrays below are always [l, N].
    rank = min(D.shape)
    s = tf.pad(s[:rank], [[0, l - rank]])[:, None]
    V = tf.pad(V[:, :rank], [[0, 0], [0, l - rank]])
    blocks = _blocks(tf.matmul(Q, X, transpose_a=True, transpose_b=True))
    inverse = 1.0 / (tf.square(s) + 1.0)
    inverse_s = inverse * s

    def shrink(R: tf.Tensor, threshold: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if loss == "l1":  # the one loss that a rotation of the latent space changes
            A, value = _shrunk(tf.matmul(Q, R), threshold, loss)
            return tf.matmul(Q, A, transpose_a=True), value
        return _shrunk(R, threshold, loss)

    def largest(rotation: tf.Tensor, M: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(tf.abs(tf.matmul(rotation, M)))

    weights = tf.transpose(tf.concat([tf.ones_like(s), tf.square(s)], axis=1))
    bounds = tf.square(tolerance) * tf.constant([l, D.shape[0]], X.dtype)

    def advance(Xt, state, P, mu, rescale):
        """One iteration for a block of pixels; J is known through P."""
        T, _, A, fit, U1, _, gap = state
        scaled_J = tf.matmul(inverse * P, T)
        if order == "JAW":
            A_new, value = shrink(fit + U1, lam / mu)
            step = Xt - A_new
        else:
            step = Xt - A - gap
        W_new = inverse_s * step + scaled_J
        fit = Xt - s * W_new
        if order == "JWA":
            A_new, value = shrink(fit + U1, lam / mu)
        r1 = fit - A_new
        # W − J by the relation above, without J: s times this.
        gap_new = gap if order == "JAW" else A_new - A
        change_new = r1 if order == "JAW" else r1 + (gap_new - gap)
        # Squared norms of every column of X − W D − A and of W − J: both rotate away.
        if order == "JAW":
            columns = tf.matmul(weights, tf.square(r1))
        else:
            squares = tf.square(r1), tf.square(change_new)
            columns = tf.concat(
                [tf.matmul(weights[:1], squares[0]), tf.matmul(weights[1:], squares[1])], axis=0
            )
        # Scaled multipliers are Y/μ: they are rescaled when μ moves.
        U1 = (U1 + r1) * rescale
        if order == "JAW":
            T = W_new + s * U1
        else:
            gap_new = gap_new * rescale
            T = W_new + s * (U1 + gap_new)
        new = (T, W_new, A_new, fit, U1, change_new, gap_new)
        return new, r1, value, tf.reduce_sum(columns, axis=1), tf.reduce_max(columns, axis=1)

    def largest_change(state, new, r1):
        """Largest absolute entry that the stopping rule looks at, in a block."""
        _, W, A, _, _, change, _ = state
        _, W_new, A_new, _, _, change_new, _ = new
        r2 = s * change_new
        terms = (
            largest(V, W_new - W),
            largest(V, W_new - r2 - (W - s * change)),
            largest(V, r2),
            largest(Q, A_new - A),
            largest(Q, r1),
        )
        return tf.reduce_max(tf.stack(terms))

    def body(i, mu, states, _, history):
        gram = tf.add_n([tf.matmul(state[0], state[0], transpose_b=True) for state in states])
        P, sigma = shrinkage_matrix(gram, 1.0 / mu)
        mu_new = tf.minimum(rho * mu, mu_max)
        rescale = mu / mu_new
        moved, r1s, values, sums, peaks = zip(
            *[
                advance(Xt, state, P, mu, rescale)
                for Xt, state in zip(blocks, states, strict=True)
            ],
            strict=True,
        )
        norms = tf.sqrt(tf.add_n(sums))
        objective = tf.reduce_sum(sigma) + lam * tf.add_n(values)
        history = history.write(i, tf.stack([objective, norms[0], norms[1]]))
        # The rule is on largest absolute entries in the original coordinates. Where all are
        # below the tolerance no column's norm reaches √(its length) times that, which rules
        # the rule out for all but the last few iterations.
        near = tf.reduce_all(tf.reduce_max(tf.stack(peaks), axis=0) < bounds)
        done = tf.cond(
            near,
            lambda: tf.reduce_max(
                tf.stack([largest_change(*each) for each in zip(states, moved, r1s, strict=True)])
            )
            < tolerance,
            lambda: tf.constant(False),
        )
        return i + 1, mu_new, list(moved), done, history

    history = tf.TensorArray(X.dtype, size=0, dynamic_size=True, element_shape=[3])
    start = []
    for Xt in blocks:
        zero = tf.zeros_like(Xt)
        # ΔA, the last, is carried only where it is not zero.
        gap = tf.zeros([], X.dtype) if order == "JAW" else zero
        start.append((zero, zero, zero, Xt, zero, zero, gap))
    i, mu, states, done, history = tf.while_loop(
        lambda i, mu, states, done, history: (i < max_iterations) & ~done,
        body,
        (0, mu, start, False, history),
    )
    _, W, A, _, U1, _, _ = (
        tf.concat(parts, axis=1) if parts[0].shape.rank else None
        for parts in zip(*states, strict=True)
    )
    table = history.stack()
    return (
        tf.matmul(A, Q, transpose_a=True, transpose_b=True),
        tf.matmul(W, V, transpose_a=True, transpose_b=True),
        tf.matmul(mu * U1, Q, transpose_a=True, transpose_b=True),
        i,
        done,
        table[:, 0],
        table[:, 1:],
    )
