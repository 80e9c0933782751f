"""Unmixing against plain references: pure pixels, SciPy's NNLS, finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from lren_tf.detectors.parts.unmixing import (
    Simplex,
    fcls,
    mvc_nmf,
    nonnegative_minimum,
    successive_projections,
    vca,
)
from lren_tf.errors import InputError


def spectra(count: int, bands: int, seed: int) -> np.ndarray:
    """Smooth positive endmembers [count, bands]."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 1, bands)
    bumps = rng.uniform(0, 1, (count, 4, 1))
    return 0.1 + np.exp(-(((at - bumps) / 0.15) ** 2)).sum(axis=1) / 4


def mixture(count: int, p: int, bands: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, A, S without noise; the pixels 0, 7, 14 ... are pure."""
    rng = np.random.default_rng(seed)
    A = spectra(p, bands, seed)
    S = rng.dirichlet(np.ones(p), count)
    S[: 7 * p : 7] = np.eye(p)
    return S @ A, A, S


@pytest.mark.parametrize("p", [2, 4, 7])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vca_finds_the_pure_pixels(p: int, seed: int) -> None:
    X, _, _ = mixture(300, p, 40, seed)
    found = vca(X, p, np.random.default_rng(seed))
    assert sorted(found) == list(range(0, 7 * p, 7))


def test_vca_draws_in_axes_whose_signs_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cloud without pure pixels what is found depends on the directions drawn."""
    X = np.random.default_rng(0).dirichlet(np.full(5, 3.0), 400) @ spectra(5, 30, 0)
    expected = vca(X, 5, np.random.default_rng(1))
    plain = np.linalg.eigh
    for seed in range(10):
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], 30)

        def eigh(matrix: np.ndarray, signs: np.ndarray = signs):
            values, vectors = plain(matrix)
            return values, vectors * signs

        monkeypatch.setattr(np.linalg, "eigh", eigh)
        np.testing.assert_array_equal(vca(X, 5, np.random.default_rng(1)), expected)


@pytest.mark.parametrize("p", [2, 4, 7])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_successive_projections_find_the_pure_pixels(p: int, seed: int) -> None:
    """With one band of each material's own they are farthest from zero, and then from the rest."""
    rng = np.random.default_rng(seed)
    S = rng.dirichlet(np.ones(p), 300)
    S[: 7 * p : 7] = np.eye(p)
    found = successive_projections(S @ np.diag(rng.uniform(1, 2, p)), p)
    assert sorted(found) == list(range(0, 7 * p, 7))


def test_successive_projections_are_those_of_least_squares() -> None:
    X, _, _ = mixture(200, 5, 40, seed=3)
    chosen: list[int] = []
    for _ in range(4):
        rest = X
        if chosen:
            rest = X - np.linalg.lstsq(X[chosen].T, X.T)[0].T @ X[chosen]
        chosen.append(int(np.linalg.norm(rest, axis=1).argmax()))
    np.testing.assert_array_equal(successive_projections(X, 4), chosen)


def test_successive_projections_do_not_know_the_axes() -> None:
    X, _, _ = mixture(200, 5, 40, seed=4)
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((40, 40)))[0]
    expected = successive_projections(X, 5)
    np.testing.assert_array_equal(successive_projections(X @ Q, 5), expected)
    np.testing.assert_array_equal(successive_projections(-1e6 * X, 5), expected)


def test_successive_projections_refuse_more_endmembers_than_the_data_have() -> None:
    X, _, _ = mixture(100, 3, 40, seed=7)
    with pytest.raises(InputError, match=r"'endmembers' is 5, but .* mixtures of only 3"):
        successive_projections(X, 5)
    with pytest.raises(InputError, match="mixtures of only 0"):
        successive_projections(np.zeros((4, 3)), 2)


def test_vca_does_not_mind_shadow() -> None:
    """Illumination scales a spectrum; the projective step takes that out."""
    X, _, _ = mixture(300, 4, 40, seed=5)
    shadow = np.random.default_rng(5).uniform(0.2, 1.0, (300, 1))
    assert sorted(vca(X * shadow, 4, np.random.default_rng(0))) == [0, 7, 14, 21]


def test_vca_leaves_out_pixels_that_point_away_from_the_mean() -> None:
    X, _, _ = mixture(300, 4, 40, seed=6)
    X[100] *= -1e-3
    X[101] = 0.0
    assert sorted(vca(X, 4, np.random.default_rng(0))) == [0, 7, 14, 21]


def test_vca_refuses_more_endmembers_than_the_data_have() -> None:
    X, _, _ = mixture(100, 3, 40, seed=7)
    with pytest.raises(InputError, match=r"'endmembers' is 5, but .* mixtures of only 3"):
        vca(X, 5, np.random.default_rng(0))


def test_abundances_of_a_noiseless_mixture_are_recovered() -> None:
    X, A, S = mixture(200, 5, 60, seed=2)
    np.testing.assert_allclose(fcls(X, A, 20.0), S, atol=1e-7)


@pytest.mark.parametrize("weight", [1.0, 20.0, 100.0])
def test_abundances_equal_those_of_nnls_pixel_by_pixel(weight: float) -> None:
    X, A, _ = mixture(150, 5, 60, seed=3)
    X = X + 0.1 * np.random.default_rng(3).standard_normal(X.shape)  # far outside the simplex
    system = np.vstack([A.T, np.full(5, weight)])
    expected = np.stack([nnls(system, np.append(x, weight))[0] for x in X])
    S = fcls(X, A, weight)
    assert (expected == 0).any(axis=0).all() and (expected > 0).any(axis=0).all()
    np.testing.assert_allclose(S, expected, atol=1e-8)
    np.testing.assert_array_equal(S > 1e-8, expected > 1e-8)


@given(
    p=st.integers(1, 9), power=st.integers(0, 7), seed=st.integers(0, 2**32 - 1)
)
def test_the_optimality_conditions_hold(p: int, power: int, seed: int) -> None:
    """s ≥ 0, gradient ≥ 0 and s·gradient = 0, for conditions up to 10^7, with ties."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((p, p)))[0]
    H = (Q * np.logspace(0, -power, p)) @ Q.T
    H = (H + H.T) / 2
    F = np.concatenate([rng.standard_normal((20, p)), rng.integers(-1, 2, (20, p)), H])
    S = nonnegative_minimum(H, F)
    gradient = S @ H - F
    assert (S >= 0).all()
    assert (gradient >= -1e-8).all()
    assert (np.abs(gradient) <= 1e-8)[1e-6 * S.max() < S].all()


def test_the_volume_is_that_of_a_simplex() -> None:
    """In two principal axes det Z is twice a triangle's area, wherever the axes point."""
    rng = np.random.default_rng(4)
    plane = np.linalg.qr(rng.standard_normal((10, 2)))[0]
    X = 3.0 + rng.standard_normal((50, 2)) @ plane.T
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]])
    simplex = Simplex(X, 3)
    assert abs(simplex.determinant(1.0 + corners @ plane.T)) == pytest.approx(12.0)


@pytest.mark.parametrize("p", [2, 3, 5])
def test_the_volume_gradient_equals_finite_differences(p: int) -> None:
    X, A, _ = mixture(80, p, 12, seed=p)
    A = A + 0.3 * np.random.default_rng(p).standard_normal(A.shape)
    simplex = Simplex(X, p)
    gradient = simplex.gradient(A)
    expected = np.empty_like(A)
    for index in np.ndindex(*A.shape):
        step = np.zeros_like(A)
        step[index] = 1e-6
        high, low = simplex.determinant(A + step), simplex.determinant(A - step)
        expected[index] = (high**2 - low**2) / 4e-6
    np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("volume_weight", [0.0, 0.015, 100.0])
def test_the_objective_falls_and_is_what_it_says(volume_weight: float) -> None:
    X, A, _ = mixture(200, 4, 30, seed=8)
    rng = np.random.default_rng(8)
    X = X + 0.02 * rng.standard_normal(X.shape)
    start = A + 0.2 * rng.standard_normal(A.shape)
    found = mvc_nmf(X, start, volume_weight=volume_weight, sum_weight=20.0, iterations=15)
    assert len(found.objective) > 2
    assert (np.diff(found.objective) <= 0).all()
    assert found.objective[-1] < 0.5 * found.objective[0]
    S, A = found.abundances, found.endmembers
    by_hand = (
        0.5 * np.linalg.norm(X - S @ A) ** 2
        + 200.0 * np.linalg.norm(S.sum(axis=1) - 1) ** 2
        + 0.5 * volume_weight * Simplex(X, 4).determinant(A) ** 2
    )
    assert found.objective[-1] == pytest.approx(by_hand)


def test_a_heavier_volume_gives_a_smaller_simplex() -> None:
    X, A, _ = mixture(200, 4, 30, seed=9)
    simplex = Simplex(X, 4)
    volumes = [
        abs(
            simplex.determinant(
                mvc_nmf(X, A, volume_weight=T, sum_weight=20.0, iterations=20).endmembers
            )
        )
        for T in (0.0, 10.0, 1000.0)
    ]
    assert volumes[0] > volumes[1] > volumes[2]


def test_no_iteration_leaves_least_squares() -> None:
    X, A, _ = mixture(100, 3, 20, seed=10)
    found = mvc_nmf(X, A, volume_weight=0.015, sum_weight=20.0, iterations=0)
    np.testing.assert_array_equal(found.endmembers, A)
    np.testing.assert_array_equal(found.abundances, fcls(X, A, 20.0))
