"""Mean-shift clustering with a truncated Gaussian kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Modes(NamedTuple):
    """Result of :func:`mean_shift`."""

    modes: npt.NDArray[np.float64]
    """``[K, p]``, in the order they were found."""
    votes: npt.NDArray[np.int32]
    """Counts ``[N, K]`` of each point in the windows of walks that ended at each mode.
    A point belongs to the mode with most votes, the earlier one where they tie."""


def mean_shift(
    points: npt.NDArray[np.float64], bandwidth: float, rng: np.random.Generator | None
) -> Modes:
    """Modes of the points' density, and who walked to them.

    A walk starts at a point that no window has covered yet, and moves to the mean of
    the points closer than b, weighted by exp(−d²/2b²), until a move is shorter than b/1000.
    Where it ends within b/2 of a mode, the two become one at their mean, weighted by the
    numbers of points their walks covered; elsewhere it is a new mode.

    `sklearn.cluster.MeanShift` cannot stand in: its kernel is flat, it walks from every point
    or from the centres of a grid, drops the weaker of two near modes and gives points to the
    nearest mode; how many modes there are, and so the dictionary, would be another.

    The walks follow one another, since each start depends on what the earlier ones covered;
    a walk's step is one pass over all points.

    Args:
        points: ``[N, p]``.
        bandwidth: b > 0, in the points' unit.
        rng: draws the order in which points are tried as starts; None: from the point nearest to
            the mean of all outwards.
    """
    squares = np.einsum("ij,ij->i", points, points)
    covered = np.zeros(len(points), bool)
    modes: list[np.ndarray] = []
    sizes: list[int] = []
    votes: list[np.ndarray] = []
    for start in _outwards(points) if rng is None else rng.permutation(len(points)):
        if covered[start]:
            continue
        mode, seen = _walk(points, squares, points[start], bandwidth)
        covered |= seen > 0
        size = np.count_nonzero(seen)
        gaps = np.linalg.norm(np.asarray(modes) - mode, axis=1) if modes else np.empty(0)
        near = np.flatnonzero(gaps < bandwidth / 2)
        if near.size:
            k = near[0]
            modes[k] = (sizes[k] * modes[k] + size * mode) / (sizes[k] + size)
            sizes[k] += size
            votes[k] += seen
        else:
            modes.append(mode)
            sizes.append(int(size))
            votes.append(seen)
    return Modes(np.stack(modes), np.stack(votes, axis=1))


def _outwards(points: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.argsort(np.linalg.norm(points - points.mean(axis=0), axis=1), kind="stable")


def _walk(
    points: np.ndarray, squares: np.ndarray, mean: np.ndarray, bandwidth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the end of a walk from `mean`, and in how many of its windows each point lay.

    The window is never empty: the weighted mean is at least as near, in the mean square, to
    the points it was made of as the window's centre was, so one of them is closer than b.
    """
    seen = np.zeros(len(points), np.int32)
    while True:
        distances = squares - 2.0 * (points @ mean) + mean @ mean  # squared
        near = np.flatnonzero(distances < bandwidth**2)
        seen[near] += 1
        weights = np.exp(distances[near] / (-2.0 * bandwidth**2))
        moved = weights @ points[near] / weights.sum()
        step = np.linalg.norm(moved - mean)
        mean = moved
        if step < 1e-3 * bandwidth:
            return mean, seen
