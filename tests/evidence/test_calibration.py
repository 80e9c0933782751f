"""Decades against a plain reference, and what makes them a scale."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lren_tf.evidence.calibration import (
    KNOTS,
    LARGEST_SHAPE,
    PIXELS,
    TAIL,
    calibration,
    decades,
    with_background_tail,
)

RNG = np.random.default_rng(5)


def plain(scores, at):
    """−log₁₀ of the share above, pixel by pixel."""
    coarse = np.linspace(0, 1 - TAIL, min(KNOTS, int((1 - TAIL) * len(scores) / PIXELS)) + 1)
    ranks = np.linspace(0, 1 - TAIL, KNOTS + 1)
    knots = np.interp(ranks, coarse, np.quantile(scores, coarse))
    y = np.sort(scores[scores > knots[-1]]) - knots[-1]
    m = len(y)
    b0 = y.mean()
    b1 = sum(value * (m - rank) for rank, value in enumerate(y, 1)) / (m * (m - 1))
    shape = min(max(2 - b0 / (b0 - 2 * b1), 0), LARGEST_SHAPE)
    scale = b0 * (1 - shape)
    out = []
    for s in at:
        if s <= knots[-1]:
            below = np.interp(s, knots, ranks)
            out.append(-math.log10(1 - below))
        else:
            out.append(-math.log10(TAIL * stats.genpareto.sf(s - knots[-1], shape, 0, scale)))
    return np.array(out)


@pytest.mark.parametrize("law", ["normal", "exponential", "lognormal", "cauchy"])
@pytest.mark.parametrize("n", [500, 1411, 6000])
def test_decades_are_those_of_quantiles_and_a_fitted_tail(law, n):
    scores = {
        "normal": RNG.normal(size=n),
        "exponential": RNG.exponential(size=n),
        "lognormal": RNG.lognormal(size=n),
        "cauchy": np.abs(RNG.standard_cauchy(size=n)),
    }[law]
    found = decades(scores, calibration(scores)).numpy()
    np.testing.assert_allclose(found, plain(scores, scores), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("rate", [0.3, 1e-2, 1e-3])
def test_as_many_pixels_exceed_a_value_as_it_says(rate):
    scores, fresh = RNG.gamma(3, size=(2, 200_000))
    found = decades(fresh, calibration(scores)).numpy()
    assert (found > -math.log10(rate)).mean() == pytest.approx(rate, rel=0.4)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=10),
)
def test_decades_are_finite_and_never_fall(scores, other):
    of = calibration(tf.constant(scores, tf.float64))
    found = decades(tf.constant(sorted(other), tf.float64), of).numpy()
    assert np.isfinite(found).all()
    # Of equal scores the last ones of an array may have another last bit: vector instructions.
    assert (np.diff(found) >= -1e-12 * np.abs(found).max()).all()


def test_decades_rise_strictly_in_and_beyond_the_scene():
    scores = np.sort(RNG.normal(size=4000))
    of = calibration(scores)
    assert (np.diff(decades(scores, of)) > 0).all()
    beyond = scores[-1] + np.arange(1, 2000.0)
    assert (np.diff(decades(beyond, of)) > 0).all()
    below = decades(scores[0] - np.arange(0, 5.0), of)
    assert (np.diff(below) < 0).all() and below[0] == 0


@pytest.mark.parametrize(
    "values", [[3.0], [2.0] * 50, [0.0] * 95 + [1.0] * 5, [0.0] * 80 + [1.0] * 20]
)
def test_few_different_scores_have_a_scale(values):
    of = calibration(values)
    found = decades(tf.constant([-1e5, *values, 1e5, 1e9], tf.float64), of).numpy()
    assert np.isfinite(found).all() and (np.diff(np.unique(found)) > 0).all()
    assert found[-1] > found[-2] > found[1]


def test_scale_and_origin_of_the_scores_do_not_matter():
    scores = RNG.gamma(2, size=900)
    moved = 1e3 * scores - 77
    np.testing.assert_allclose(
        decades(scores, calibration(scores)), decades(moved, calibration(moved)), rtol=1e-8
    )


def test_the_shape_of_the_scores_is_kept():
    scores = RNG.normal(size=(6, 7, 8))
    of = calibration(scores.reshape(-1))
    found = decades(scores, of)
    assert found.shape == (6, 7, 8) and found.dtype == tf.float64
    assert of.knots.shape == (KNOTS + 1,)


class TestBackgroundTail:
    """The tail of the sum of the evidence, with the anomalies set apart."""

    RNG_SEEDS = range(6)

    def scores(self, seed, anomalous=0.02):
        rng = np.random.default_rng(seed)
        background = rng.exponential(1 / math.log(10), 10_000)
        anomalies = rng.uniform(3.0, 8.0, round(anomalous * background.size))
        return background, np.concatenate([background, anomalies])

    @pytest.mark.parametrize("anomalous", [0.0, 0.005, 0.02])
    def test_rates_hold_whether_there_are_anomalies_or_not(self, anomalous):
        ratios = {1e-2: [], 1e-3: []}
        for seed in self.RNG_SEEDS:
            background, scores = self.scores(seed, anomalous)
            of = with_background_tail(calibration(scores), tf.constant(scores))
            found = decades(background, of).numpy()
            for rate, of_rate in ratios.items():
                of_rate.append(np.mean(found > -math.log10(rate)) / rate)
        assert all(0.5 <= np.median(of_rate) <= 2 for of_rate in ratios.values())

    def test_moments_alone_miss_the_low_rate(self):
        background, scores = self.scores(0)
        found = decades(background, calibration(scores)).numpy()
        assert np.mean(found > 3) < 0.5e-3

    def test_the_order_of_the_scores_stays(self):
        _, scores = self.scores(1)
        of = with_background_tail(calibration(scores), tf.constant(scores))
        found = decades(np.sort(scores), of).numpy()
        assert np.isfinite(found).all() and (np.diff(found) > 0).all()
        assert 0 < float(of.share) < TAIL

    @pytest.mark.parametrize("scores", [np.zeros(1000), np.arange(300.0), np.ones(3)])
    def test_few_or_equal_exceedances_keep_the_moments(self, scores):
        of = calibration(scores)
        assert with_background_tail(of, tf.constant(scores)) is of
