"""Variational Bayes against the evidence lower bound, written out term by term here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, psi

from lren_tf.detectors.parts import mog_rpca
from lren_tf.detectors.parts.mog_rpca import Factor, Noise, factorise
from lren_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class State:
    """Everything the bound depends on."""

    V: Factor
    U: Factor
    precisions: np.ndarray
    noise: Noise
    R: np.ndarray


def entry_moments(Y: np.ndarray, U: Factor, V: Factor) -> tuple[np.ndarray, np.ndarray]:
    """⟨e⟩ and ⟨e²⟩ of every entry, as (y − vᵀu)² plus the three terms of the variance."""
    mean, square = np.empty_like(Y), np.empty_like(Y)
    for i, (v, S) in enumerate(zip(*V, strict=True)):
        for j, (u, T) in enumerate(zip(*U, strict=True)):
            mean[i, j] = Y[i, j] - v @ u
            square[i, j] = mean[i, j] ** 2 + u @ S @ u + v @ T @ v + np.trace(S @ T)
    return mean, square


def gamma_terms(shape: float, rate: float, prior: float) -> float:
    """⟨ln p(x)⟩ − ⟨ln q(x)⟩ for x ~ q = Gamma(shape, rate), p = Gamma(prior, prior)."""
    log = psi(shape) - np.log(rate)
    expected = prior * np.log(prior) - gammaln(prior) + (prior - 1) * log - prior * shape / rate
    return float(expected + stats.gamma(shape, scale=1 / rate).entropy())


def bound(Y: np.ndarray, state: State, prior: float) -> float:
    """The evidence lower bound."""
    k, N, L = state.R.shape
    alpha, beta, m, c, d = state.noise
    log_pi = psi(alpha) - psi(alpha.sum())
    log_tau = psi(c) - np.log(d)
    mean, square = entry_moments(Y, state.U, state.V)
    total = 0.0
    for i in range(N):
        for j in range(L):
            for q in range(k):
                r = state.R[q, i, j]
                spread = 1 / beta[q] + c[q] / d[q] * (
                    square[i, j] - 2 * m[q] * mean[i, j] + m[q] ** 2
                )
                total += r * (log_tau[q] - np.log(2 * np.pi) - spread) / 2
                total += r * log_pi[q] - (r * np.log(r) if r > 0 else 0)
    total += gammaln(k * prior) - k * gammaln(prior) + (prior - 1) * log_pi.sum()
    total += stats.dirichlet(alpha).entropy()
    for q in range(k):
        total += (np.log(prior) + log_tau[q] - prior * (1 / beta[q] + c[q] / d[q] * m[q] ** 2)) / 2
        total -= (np.log(beta[q]) + log_tau[q] - 1) / 2
        total += gamma_terms(c[q], d[q], prior)
    shape = prior + (N + L) / 2
    log_gamma = psi(shape) - np.log(shape / state.precisions)
    for factor in (state.U, state.V):
        for mu, S in zip(*factor, strict=True):
            second = np.diag(S) + mu**2
            total += np.sum(log_gamma - np.log(2 * np.pi) - state.precisions * second) / 2
            total += stats.multivariate_normal(mu, S).entropy()
    return float(total + sum(gamma_terms(shape, shape / g, prior) for g in state.precisions))


def observations(
    N: int, L: int, rank: int, seed: int, widths: tuple[float, float] = (0.02, 0.5)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A low-rank matrix, the same with noise of two widths, and where it is the wide one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, rank)) @ rng.normal(size=(rank, L))
    wide = rng.random((N, L)) < 0.15
    return X, X + rng.normal(size=(N, L)) * np.where(wide, widths[1], widths[0]), wide


def update(name: str, Y: np.ndarray, s: State, prior: float) -> State:
    """The state after one update of the module."""
    if name == "U":
        U = mog_rpca.band_posterior(Y, s.R, s.noise, s.V, s.precisions)
        return dataclasses.replace(s, U=U)
    if name == "V":
        V = mog_rpca.pixel_posterior(Y, s.R, s.noise, s.U, s.precisions)
        return dataclasses.replace(s, V=V)
    if name == "precisions":
        return dataclasses.replace(s, precisions=mog_rpca.column_precisions(s.U, s.V, prior))
    moments = mog_rpca.residual_moments(Y, s.U, s.V)
    if name == "noise":
        return dataclasses.replace(s, noise=mog_rpca.noise_posterior(s.R, *moments, prior))
    R = np.empty_like(s.R)
    mog_rpca.responsibilities(s.noise, *moments, out=R)
    return dataclasses.replace(s, R=R)


def moved(name: str, s: State, rng: np.random.Generator) -> State:
    """The state with one of its parts a little off."""

    def off(values: np.ndarray) -> np.ndarray:
        return values * (1 + 0.02 * rng.normal(size=values.shape))

    if name in "UV":
        factor = getattr(s, name)
        scale = np.sqrt(1 + 0.02 * rng.normal(size=len(factor.mean)))[:, None, None]
        return dataclasses.replace(s, **{name: Factor(off(factor.mean), factor.covariance * scale)})
    if name == "precisions":
        return dataclasses.replace(s, precisions=off(s.precisions))
    if name == "noise":
        return dataclasses.replace(s, noise=Noise(*map(off, s.noise)))
    R = s.R * np.exp(0.1 * rng.normal(size=s.R.shape))
    return dataclasses.replace(s, R=R / R.sum(axis=0))


UPDATES = ("U", "V", "precisions", "noise", "R")


@pytest.mark.parametrize("prior", [1e-6, 0.3])
def test_every_update_is_the_maximum_of_the_bound(prior: float) -> None:
    rng = np.random.default_rng(1)
    _, Y, _ = observations(7, 5, 2, seed=2)
    V, U, precisions = mog_rpca.start(Y, 3)
    residual = Y - V.mean @ U.mean.T
    R = mog_rpca.first_responsibilities(residual, 2, rng)
    noise = mog_rpca.noise_posterior(R, residual, residual**2, prior)
    state = State(V, U, precisions, noise, R)
    value = bound(Y, state, prior)
    for _ in range(3):
        for name in UPDATES:
            state = update(name, Y, state, prior)
            after = bound(Y, state, prior)
            assert after >= value - 1e-9 * abs(value), name
            for _ in range(2):
                assert bound(Y, moved(name, state, rng), prior) < after, name
            value = after


def test_the_residual_moments_are_those_of_the_entries() -> None:
    rng = np.random.default_rng(3)

    def factor(rows: int) -> Factor:
        half = rng.normal(size=(rows, 3, 3))
        return Factor(rng.normal(size=(rows, 3)), half @ half.transpose(0, 2, 1))

    Y, U, V = rng.normal(size=(9, 7)), factor(7), factor(9)
    for ours, plain in zip(mog_rpca.residual_moments(Y, U, V), entry_moments(Y, U, V), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-10)


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return observations(300, 40, 3, seed=4)


@pytest.fixture(scope="module")
def fit(problem: tuple[np.ndarray, ...]) -> mog_rpca.Factorisation:
    return factorise(problem[1], 10, 2, np.random.default_rng(0), tolerance=1e-6)


def test_surplus_columns_are_pruned(fit: mog_rpca.Factorisation) -> None:
    assert fit.V.mean.shape == (300, 3)
    assert fit.U.mean.shape == (40, 3)
    assert fit.converged and fit.iterations < 300


def test_the_noise_is_told_apart(
    fit: mog_rpca.Factorisation, problem: tuple[np.ndarray, ...]
) -> None:
    _, _, wide = problem
    order = np.argsort(fit.noise.precision)
    np.testing.assert_allclose(fit.noise.precision[order] ** -0.5, (0.5, 0.02), rtol=0.06)
    np.testing.assert_allclose(
        fit.noise.alpha[order] / fit.noise.alpha.sum(), (0.15, 0.85), atol=0.02
    )
    assert np.mean((fit.responsibilities[order[0]] > 0.5) == wide) > 0.98


def test_the_low_rank_matrix_is_recovered(
    fit: mog_rpca.Factorisation, problem: tuple[np.ndarray, ...]
) -> None:
    """As least squares on the quiet entries alone could, which knows which those are."""
    X, Y, wide = problem
    np.testing.assert_allclose(fit.residual, Y - fit.V.mean @ fit.U.mean.T, atol=1e-12)

    def error(estimate: np.ndarray) -> float:
        return float(np.linalg.norm(estimate - X) / np.linalg.norm(X))

    left, singular, right = np.linalg.svd(Y, full_matrices=False)
    truncated = left[:, :3] * singular[:3] @ right[:3]
    known = truncated.copy()
    for _ in range(100):
        filled = np.where(wide, known, Y)
        left, singular, right = np.linalg.svd(filled, full_matrices=False)
        known = left[:, :3] * singular[:3] @ right[:3]
    assert error(Y - fit.residual) < 0.2 * error(truncated)
    assert error(Y - fit.residual) < 1.1 * error(known)


def test_blocks_change_nothing(
    problem: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def residual() -> np.ndarray:
        rng = np.random.default_rng(0)
        return factorise(problem[1][:50], 5, 2, rng, iterations=5, tolerance=1e-12).residual

    whole = residual()
    monkeypatch.setattr(mog_rpca, "_BLOCK", 7)
    np.testing.assert_allclose(residual(), whole, atol=1e-10)


def test_one_gaussian_needs_no_draw(problem: tuple[np.ndarray, ...]) -> None:
    def run(seed: int) -> np.ndarray:
        return factorise(problem[1], 5, 1, np.random.default_rng(seed)).residual

    np.testing.assert_array_equal(run(0), run(1))


def test_entries_go_to_the_nearest_of_distinct_centres() -> None:
    residual = np.repeat([[0.0, 1.0]], 20, axis=0)
    R = mog_rpca.first_responsibilities(residual, 2, np.random.default_rng(0))
    # The two columns hold one value each: one component has all of the first, the other the rest.
    first = R[:, 0, 0]
    assert sorted(first) == [0, 1]
    np.testing.assert_array_equal(R[:, :, 0], np.repeat(first[:, None], 20, axis=1))
    np.testing.assert_array_equal(R[:, :, 1], 1 - R[:, :, 0])
    with pytest.raises(InputError, match="fewer than 2 distinct values"):
        mog_rpca.first_responsibilities(np.zeros((4, 3)), 2, np.random.default_rng(0))
