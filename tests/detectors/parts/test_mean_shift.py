"""Mean shift against separated blobs and against the rule written out point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lren_tf.detectors.parts.mean_shift import mean_shift


def blobs(seed: int, spread: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, the blob of each, and the blobs' centres."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]])
    label = rng.integers(4, size=200)
    return centres[label] + spread * rng.standard_normal((200, 3)), label, centres


def by_the_rule(points: np.ndarray, b: float, starts: list[int]) -> tuple[list, list]:
    """Modes and votes, a dictionary per mode, with loops over points and plain floats."""
    modes: list[list[float]] = []
    sizes: list[int] = []
    votes: list[dict[int, int]] = []
    covered: set[int] = set()
    for start in starts:
        if start in covered:
            continue
        y = [float(value) for value in points[start]]
        seen: dict[int, int] = {}
        while True:
            total, mean = 0.0, [0.0] * len(y)
            for i, x in enumerate(points):
                d = math.dist(x, y)
                if d < b:
                    seen[i] = seen.get(i, 0) + 1
                    weight = math.exp(-(d**2) / (2 * b**2))
                    total += weight
                    mean = [m + weight * float(value) for m, value in zip(mean, x, strict=True)]
            mean = [m / total for m in mean]
            moved = math.dist(mean, y)
            y = mean
            if moved < 1e-3 * b:
                break
        covered |= set(seen)
        for k, mode in enumerate(modes):
            if math.dist(mode, y) < b / 2:
                both = sizes[k] + len(seen)
                modes[k] = [
                    (sizes[k] * m + len(seen) * v) / both for m, v in zip(mode, y, strict=True)
                ]
                sizes[k] = both
                for i, times in seen.items():
                    votes[k][i] = votes[k].get(i, 0) + times
                break
        else:
            modes.append(y)
            sizes.append(len(seen))
            votes.append(seen)
    return modes, votes


@pytest.mark.parametrize("bandwidth", [0.03, 0.2, 0.6])
@pytest.mark.parametrize("drawn", [True, False])
def test_it_is_the_rule_point_by_point(bandwidth: float, drawn: bool) -> None:
    points, _, _ = blobs(seed=1, spread=0.05)
    points = points[:80]
    found = mean_shift(points, bandwidth, np.random.default_rng(7) if drawn else None)
    starts = np.random.default_rng(7).permutation(len(points)).tolist()
    if not drawn:
        middle = points.mean(axis=0).tolist()
        starts = sorted(range(80), key=lambda i: math.dist(points[i], middle))
    modes, votes = by_the_rule(points, bandwidth, starts)
    np.testing.assert_allclose(found.modes, modes, atol=1e-12)
    expected = np.zeros_like(found.votes)
    for k, seen in enumerate(votes):
        expected[list(seen), k] = list(seen.values())
    np.testing.assert_array_equal(found.votes, expected)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_separated_blobs_are_found(seed: int) -> None:
    points, label, centres = blobs(seed)
    found = mean_shift(points, 0.2, np.random.default_rng(seed))
    assert len(found.modes) == 4
    nearest = np.linalg.norm(centres[:, None] - found.modes, axis=2).argmin(axis=1)
    np.testing.assert_allclose(found.modes[nearest], centres, atol=0.02)
    np.testing.assert_array_equal(found.votes.argmax(axis=1), nearest[label])


def test_every_point_has_a_vote() -> None:
    points, _, _ = blobs(seed=3, spread=0.3)
    found = mean_shift(points, 0.1, np.random.default_rng(0))
    assert len(found.modes) > 4
    assert (found.votes.max(axis=1) > 0).all()


def test_lonely_points_are_modes() -> None:
    points = np.eye(5)
    found = mean_shift(points, 0.1, np.random.default_rng(0))
    assert sorted(found.modes.argmax(axis=1)) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(np.sort(found.modes, axis=None), np.sort(points, axis=None))


def test_the_order_of_points_does_not_matter_where_none_is_drawn() -> None:
    points, _, _ = blobs(seed=4, spread=0.2)
    order = np.random.default_rng(4).permutation(len(points))
    found, moved = mean_shift(points, 0.2, None), mean_shift(points[order], 0.2, None)
    np.testing.assert_allclose(moved.modes, found.modes, atol=1e-12)
    np.testing.assert_array_equal(moved.votes, found.votes[order])
