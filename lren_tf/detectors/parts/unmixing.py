"""Linear spectral unmixing: VCA, successive projections, constrained least squares, MVC-NMF.

Pixels and endmembers are rows: X [N, L] ≈ S A with abundances S [N, p], not negative and
summing to one, and endmember spectra A [p, L].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError

Matrix = npt.NDArray[np.float64]

_FLAT = 1e-10
"""Extent of a simplex, over that of its farthest pixel, below which it is rounding."""
_CONJUGATE_STEPS = 2
"""Directions per update of the endmembers: the gradient and one conjugate to it."""
_HALVINGS = 40
"""Halvings of a step that does not lower the objective, before the endmembers stay put."""


class Unmixing(NamedTuple):
    """Result of :func:`mvc_nmf`."""

    endmembers: Matrix
    """Spectra A, ``[p, L]``."""
    abundances: Matrix
    """S, ``[N, p]``, the best for these endmembers."""
    objective: Matrix
    """The objective at the start and after each iteration; it never rises."""


def vca(X: Matrix, endmembers: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Rows of X that Vertex Component Analysis takes for the purest pixels, ``[p]``.

    J. M. P. Nascimento and J. M. B. Dias, IEEE TGRS 43(4), 2005, the projective branch: the
    data in their p leading singular directions are divided by their component along the mean,
    which makes their cone a simplex; its vertices are found one by one as the extremes along
    random directions orthogonal to those found. The other branch is for low SNR; the SNR that
    VCA estimates is infinite on data which have rank p, as they have here.

    Pixels without a component along the mean cannot be on the simplex and are left out.

    Args:
        X: pixels ``[N, L]`` of rank p or more.
        endmembers: p.
        rng: draws p directions.

    Raises:
        InputError: the simplex has fewer than p vertices.
    """
    Y = X @ _leading_axes(X.T @ X, endmembers)
    along = Y @ Y.mean(axis=0)
    candidates = np.flatnonzero(along > np.finfo(float).eps * along.max())
    Y = Y[candidates] / along[candidates, None]
    largest = np.linalg.norm(Y, axis=1).max()
    # As the original starts: the first direction is free in all but the last coordinate.
    V = np.zeros((endmembers, endmembers))
    V[-1, 0] = 1.0
    chosen = np.empty(endmembers, np.intp)
    for k in range(endmembers):
        w = rng.standard_normal(endmembers)
        direction = w - V @ (np.linalg.pinv(V) @ w)
        extent = np.abs(Y @ (direction / np.linalg.norm(direction)))
        chosen[k] = np.argmax(extent)
        _check_extent(extent[chosen[k]], largest, endmembers, k)
        V[:, k] = Y[chosen[k]]
    return candidates[chosen]


def successive_projections(X: Matrix, endmembers: int) -> npt.NDArray[np.intp]:
    """Rows of X farthest from the span of those before, the first from zero, ``[p]``.

    M. C. U. Araújo, T. C. B. Saldanha, R. K. H. Galvão, T. Yoneyama, H. C. Chame and V. Visani,
    "The successive projections algorithm for variable selection in spectroscopic multicomponent
    analysis", Chemometrics and Intelligent Laboratory Systems 57(2), 2001; known as ATGP too.
    Nothing is drawn, and norms know neither the axes nor their signs. Of rows equally far the
    first is taken.

    Args:
        X: pixels ``[N, L]`` of rank p or more.
        endmembers: p.

    Raises:
        InputError: X has a rank below p.
    """
    left = X.copy()
    chosen = np.empty(endmembers, np.intp)
    largest = 0.0
    for k in range(endmembers):
        extent = np.linalg.norm(left, axis=1)
        chosen[k] = np.argmax(extent)
        farthest = extent[chosen[k]]
        largest = max(largest, farthest)
        _check_extent(farthest, largest, endmembers, k)
        direction = left[chosen[k]] / farthest
        left -= np.outer(left @ direction, direction)
    return chosen


def _check_extent(extent: float, largest: float, endmembers: int, found: int) -> None:
    if extent <= _FLAT * largest:
        raise InputError(
            f"setting 'endmembers' is {endmembers}, but the spectra are mixtures of only {found}; "
            "expected no more endmembers than that."
        )


def fcls(X: Matrix, A: Matrix, sum_weight: float) -> Matrix:
    """Abundances: argmin ‖X − S A‖²_F + w² ‖S 1 − 1‖² with S ≥ 0, ``[N, p]``.

    The sum-to-one constraint is one more band of value w in every spectrum (D. C. Heinz and
    C.-I Chang, IEEE TGRS 39(3), 2001); the larger w, the closer the sums are to one.

    Args:
        X: pixels ``[N, L]``.
        A: endmembers ``[p, L]``, linearly independent.
        sum_weight: w > 0.
    """
    return nonnegative_minimum(A @ A.T + sum_weight**2, X @ A.T + sum_weight**2)


def nonnegative_minimum(H: Matrix, F: Matrix) -> Matrix:
    """argmin ½ s H sᵀ − f sᵀ with s ≥ 0, for every row f of F ``[N, p]``; exact.

    Block principal pivoting (J. Kim and H. Park, SIAM J. Sci. Comput. 33(6), 2011) on all
    rows together: guess which entries are positive, solve for them, exchange all entries
    that contradict the optimality conditions; a row on which that does not help any more
    exchanges one at a time, which is known to end. `scipy.optimize.nnls` solves one row a
    call, in a Python loop over pixels at every iteration of MVC-NMF.

    Args:
        H: symmetric positive definite ``[p, p]``.
        F: ``[N, p]``.
    """
    count, p = F.shape
    S = np.zeros_like(F)
    positive = np.ones(F.shape, bool)
    fewest = np.full(count, p + 1)
    patience = np.full(count, 3)
    left = np.arange(count)
    slack = 1e-12
    unit = np.eye(p)
    rounds = 0
    while left.size:
        on, f = positive[left], F[left]
        systems = np.where(on[:, :, None] & on[:, None, :], H, unit)
        s = np.linalg.solve(systems, np.where(on, f, 0.0)[:, :, None])[:, :, 0]
        gradient = s @ H - f
        reach_s = slack * np.abs(s).max(axis=1, keepdims=True)
        reach_g = slack * np.abs(f).max(axis=1, keepdims=True)
        wrong = np.where(on, s < -reach_s, gradient < -reach_g)
        wrongs = wrong.sum(axis=1)
        finished = wrongs == 0
        S[left[finished]] = np.maximum(s[finished], 0.0)

        left, wrong, wrongs = left[~finished], wrong[~finished], wrongs[~finished]
        better = wrongs < fewest[left]
        fewest[left[better]] = wrongs[better]
        patience[left] = np.where(better, 3, patience[left] - 1)
        single = patience[left] < 0
        last = p - 1 - np.argmax(wrong[single, ::-1], axis=1)
        wrong[single] = unit[last].astype(bool)
        positive[left] ^= wrong
        rounds += 1
        # Rounding can make a tie contradict itself for ever; more slack accepts it.
        if rounds % (8 * p) == 0:
            slack *= 10.0
    return S


class Simplex:
    """The volume that endmembers span in the p − 1 principal axes of the data."""

    def __init__(self, X: Matrix, endmembers: int) -> None:
        self.mean = X.mean(axis=0)
        centred = X - self.mean
        self.axes = _leading_axes(centred.T @ centred, endmembers - 1)

    def determinant(self, A: Matrix) -> float:
        """det Z, (p − 1)! times the volume of the simplex of A ``[p, L]``."""
        return float(np.linalg.det(self._vertices(A)))

    def gradient(self, A: Matrix) -> Matrix:
        """Gradient of ½ det(Z)² with respect to A, ``[p, L]``."""
        Z = self._vertices(A)
        return np.linalg.det(Z) ** 2 * np.linalg.pinv(Z).T[:, 1:] @ self.axes.T

    def _vertices(self, A: Matrix) -> Matrix:
        """Z ``[p, p]``: a one and the principal coordinates of each endmember."""
        return np.concatenate([np.ones((len(A), 1)), (A - self.mean) @ self.axes], axis=1)


def mvc_nmf(
    X: Matrix, A: Matrix, *, volume_weight: float, sum_weight: float, iterations: int,
    tolerance: float = 1e-6,
) -> Unmixing:
    """Minimum-volume constrained NMF (L. Miao and H. Qi, IEEE TGRS 45(3), 2007).

    From the endmembers A, alternate over A and S to lower ::

        ½ ‖X − S A‖²_F + w²/2 ‖S 1 − 1‖² + T/2 det(Z)²        with S ≥ 0

    where Z holds ones and the endmembers' coordinates on the p − 1 principal axes of X. S is
    the exact minimiser, A moves as :func:`_moved_endmembers` says and may be negative.

    Args:
        X: pixels ``[N, L]``.
        A: endmembers at the start ``[p, L]``, p ≥ 2.
        volume_weight: T ≥ 0.
        sum_weight: w > 0.
        iterations: most updates of A; none leaves fully constrained least squares.
        tolerance: end when the objective falls by less than this part of itself.
    """
    simplex = Simplex(X, len(A))

    def objective(A: Matrix, S: Matrix) -> float:
        slack = sum_weight * (S.sum(axis=1) - 1.0)
        return 0.5 * (
            np.sum(np.square(X - S @ A))
            + slack @ slack
            + volume_weight * simplex.determinant(A) ** 2
        )

    S = fcls(X, A, sum_weight)
    history = [objective(A, S)]
    for _ in range(iterations):
        A = _moved_endmembers(A, S.T @ S, S.T @ X, simplex, volume_weight)
        S = fcls(X, A, sum_weight)
        history.append(objective(A, S))
        if history[-2] - history[-1] <= tolerance * history[-2]:
            break
    return Unmixing(A, S, np.array(history))


def _moved_endmembers(
    A: Matrix, SS: Matrix, SX: Matrix, simplex: Simplex, volume_weight: float
) -> Matrix:
    """A after two conjugate-gradient (Polak-Ribière) steps on the objective, S held.

    SS = Sᵀ S and SX = Sᵀ X. Every band has its own conjugation factor and its own step,
    the minimiser of the data term along the band's direction. The volume term joins the
    bands, so all steps are halved together until the objective as a whole falls.
    """

    def value(A: Matrix) -> float:  # without the terms that A does not change
        data = 0.5 * np.vdot(A, SS @ A) - np.vdot(A, SX)
        return float(data + 0.5 * volume_weight * simplex.determinant(A) ** 2)

    direction: Matrix | None = None
    before = A  # until there is a direction
    for _ in range(_CONJUGATE_STEPS):
        gradient = SS @ A - SX + volume_weight * simplex.gradient(A)
        if direction is None:
            direction = -gradient
        else:
            change = np.sum(gradient * (gradient - before), axis=0)
            size = np.sum(np.square(before), axis=0)
            factor = np.divide(change, size, out=np.zeros_like(size), where=size > 0)
            direction = -gradient + np.maximum(factor, 0.0) * direction
        slope = -np.sum(direction * gradient, axis=0)
        bend = np.sum(direction * (SS @ direction), axis=0)
        step = np.divide(slope, bend, out=np.zeros_like(bend), where=(bend > 0) & (slope > 0))
        step = step * direction
        here = value(A)
        for _ in range(_HALVINGS):
            if value(A + step) < here:
                A = A + step
                break
            step = step / 2.0
        before = gradient
    return A


def _leading_axes(gram: Matrix, count: int) -> Matrix:
    """Eigenvectors ``[L, count]`` of the largest eigenvalues of a Gram matrix ``[L, L]``.

    The entry of largest magnitude of each is positive, as in scikit-learn's components. The
    signs that `eigh` gives are rounding's, and what is drawn in these axes would follow them: a
    cube times ten would have other endmembers.
    """
    axes = np.linalg.eigh(gram)[1][:, ::-1][:, :count]
    peaks = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(peaks < 0, -1.0, 1.0)
