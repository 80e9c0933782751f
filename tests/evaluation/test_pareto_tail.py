"""The fitted tail: its density, its parts, and what it finds in exceedances."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import genpareto

from lren_tf.evaluation import pareto_tail
from lren_tf.evaluation.pareto_tail import Tail, fit_tail

MIXED = Tail(
    0.2, 2.0, flat=0.1, low=5.0, high=30.0, logarithmic=True,
    groups=((0.05, 12.0, 0.1), (0.02, 40.0, 0.3)),
)  # fmt: skip


def exceedances(count: int, *anomalous: np.ndarray, shape: float = -0.1, seed: int = 0):
    rng = np.random.default_rng(seed)
    background = genpareto.rvs(shape, scale=3.0, size=count, random_state=rng)
    return np.sort(np.concatenate((background, *anomalous)))


@pytest.mark.parametrize("shape", [-0.4, -1e-3, 0.0, 1e-7, 0.3, 1.0])
def test_log_density_is_that_of_scipy_and_its_slopes_are_right(shape):
    y = np.array([1e-9, 0.1, 1.0, 3.0, 4.9, 5.1, 40.0])
    got, slopes = pareto_tail._log_density(y, shape, 2.0)
    np.testing.assert_allclose(got, genpareto.logpdf(y, shape, 0, 2.0), rtol=1e-9, atol=1e-7)
    inside = np.isfinite(got)
    step = 1e-4
    for row, (s, log_scale) in enumerate(((step, 0.0), (0.0, step))):
        up, down = (
            pareto_tail._log_density(y, shape + sign * s, 2.0 * np.exp(sign * log_scale))[0]
            for sign in (1, -1)
        )
        numeric = (up[inside] - down[inside]) / (2 * step)
        np.testing.assert_allclose(slopes[row][inside], numeric, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "start",
    [
        Tail(0, 1),
        Tail(0, 1, flat=0.1, low=3.0, high=20.0),
        Tail(0, 1, flat=0.1, low=3.0, high=20.0, logarithmic=True),
        Tail(0, 1, groups=((0.1, 4.0, 0.2), (0.05, 12.0, 0.4))),
    ],
)
def test_the_gradient_is_that_of_the_likelihood(start, monkeypatch):
    import scipy.optimize

    y = exceedances(300, np.linspace(10, 60, 30)) / 3

    def looked_at(loss, first, jac, method, bounds):
        at = np.array(first) + np.linspace(0.01, 0.05, len(first))
        error = check_grad(lambda p: loss(p)[0], lambda p: loss(p)[1], at, epsilon=1e-6)
        assert error < 1e-2 * np.linalg.norm(loss(at)[1])
        if start.anomalous == 0:  # a score beyond the end of the tail gives a number all the same
            assert loss(np.array([-0.5, -4.0]))[0] == pareto_tail._IMPOSSIBLE
        return minimize(loss, first, jac=jac, method=method, bounds=bounds)

    minimize = scipy.optimize.minimize
    monkeypatch.setattr(scipy.optimize, "minimize", looked_at)
    assert pareto_tail._maximised(y, start) is not None


def test_cdf_is_that_of_a_mixture():
    at = np.linspace(1e-6, 200, 4001)
    below = MIXED.cdf(at)
    assert MIXED.anomalous == pytest.approx(0.17)
    assert np.all(np.diff(below) >= 0)
    assert below[0] == pytest.approx(0, abs=1e-5)
    assert below[-1] == pytest.approx(1, abs=2e-2)
    # The share of background beyond a point is what is left of it alone.
    beyond = MIXED.background_above(0.01)
    assert genpareto.sf(beyond, MIXED.shape, 0, MIXED.scale) == pytest.approx(0.01)


def test_flat_density_integrates_to_its_cdf():
    for logarithmic in (False, True):
        part = Tail(0.1, 1.0, flat=1.0, low=2.0, high=7.0, logarithmic=logarithmic)
        density = functools.partial(pareto_tail._flat_density, tail=part)
        area = quad(lambda y, f=density: float(f(np.array([y]))[0, 0]), 2, 5)[0]
        assert part.cdf(np.array([5.0])) == pytest.approx(area)
        assert part.cdf(np.array([7.0])) == pytest.approx(1.0)


def test_another_unit_is_the_same_distribution():
    y = np.linspace(0.1, 100, 50)
    np.testing.assert_allclose(MIXED.times(7.0).cdf(7.0 * y), MIXED.cdf(y), rtol=1e-12)


@pytest.mark.parametrize("shape", [-0.3, -0.15, 0.0])
def test_a_tail_without_anomalies_is_found(shape):
    y = exceedances(4000, shape=shape, seed=1)
    found = fit_tail(y, 40_000)
    assert found.anomalous == 0
    assert found.shape == pytest.approx(shape, abs=0.07)
    assert found.scale == pytest.approx(3.0, rel=0.1)
    np.testing.assert_allclose(fit_tail(100 * y, 40_000).scale, 100 * found.scale, rtol=1e-3)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
@pytest.mark.parametrize(
    "anomalies",
    [
        lambda rng, n: rng.uniform(40, 200, n),
        lambda rng, n: rng.normal(50, 2, n),
        lambda rng, n: np.exp(rng.uniform(np.log(40), np.log(2000), n)),
        lambda rng, n: np.concatenate((rng.normal(40, 4, n - n // 4), rng.normal(300, 90, n // 4))),
    ],
)
def test_anomalies_are_set_apart(anomalies, share):
    count = round(2000 * share)
    y = exceedances(2000 - count, np.abs(anomalies(np.random.default_rng(3), count)), seed=2)
    found = fit_tail(y, 20_000)
    assert found.anomalous == pytest.approx(share, abs=0.02)
    assert found.shape == pytest.approx(-0.1, abs=0.12)
    assert np.abs(found.cdf(y) - np.arange(1, 2001) / 2000).max() < 0.05


def test_many_exceedances_are_thinned_not_cut():
    y = exceedances(50_000)
    whole, thinned = fit_tail(y, 500_000), fit_tail(y[12::25], 20_000)
    assert whole.shape == pytest.approx(thinned.shape, abs=0.02)
    assert whole.scale == pytest.approx(thinned.scale, rel=0.03)


def test_no_fit_is_none(monkeypatch):
    monkeypatch.setattr(pareto_tail, "_LEAST_DENSITY", np.inf)
    assert fit_tail(exceedances(100), 1000) is None
