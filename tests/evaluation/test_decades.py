"""Scores in decades of the false-alarm rate: consistent with thresholds, rising, finite."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lren_tf.errors import InputError
from lren_tf.evaluation.decades import MOST_DECADES, false_alarm_decades
from lren_tf.evaluation.threshold import PARETO, threshold_at
from tests.fuzzing import cases


def background(count: int = 4000, anomalies: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate((rng.chisquare(10, count - anomalies), rng.uniform(80, 400, anomalies)))


def test_they_are_the_true_ones_of_the_background():
    from scipy.stats import chi2

    score = background()
    decades = false_alarm_decades(score)
    for rate in (0.5, 0.2, 0.03, 0.01, 1e-3):
        at = np.interp(chi2.isf(rate, 10), np.sort(score), np.sort(decades))
        assert at == pytest.approx(-np.log10(rate), abs=0.25)
    # The 1 % of anomalies do not count as false alarms.
    assert decades[score > 80].min() > 4


def test_a_threshold_cuts_at_its_own_decade():
    score = background(seed=1)
    decades = false_alarm_decades(score)
    for rate in (0.05, 1e-2, 1e-3):
        found = threshold_at(score, rate)
        assert found.method == PARETO
        above = score > found.threshold
        assert np.array_equal(above, decades > -np.log10(rate))


@settings(max_examples=cases(20))
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 400, 1500]), st.sampled_from([0, 1, 9]))
def test_higher_scores_never_have_fewer_decades(seed, count, digits):
    rng = np.random.default_rng(seed)
    score = np.round(rng.standard_t(3, count) * np.exp(rng.normal(size=count)), digits)
    decades = false_alarm_decades(score)
    assert np.isfinite(decades).all()
    assert 0 <= decades.min() <= decades.max() <= MOST_DECADES
    assert np.all(np.diff(decades[np.argsort(score, kind="stable")]) >= 0)


def test_without_a_tail_scores_are_counted():
    score = np.arange(100.0).reshape(10, 10)
    score[0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decades = false_alarm_decades(score)
    assert np.isnan(decades[0, 0])
    assert decades[9, 9] == pytest.approx(np.log10(99))
    assert decades[0, 1] == 0
    assert (false_alarm_decades(np.full((3, 4), 7.0)) == 0).all()


def test_a_tail_that_ends_has_finite_decades():
    rng = np.random.default_rng(2)
    far = rng.uniform(1e5, 1e6, 40)
    decades = false_alarm_decades(np.concatenate((rng.chisquare(10, 4000), far)))
    assert decades[-40:].tolist() == [MOST_DECADES] * 40


def test_refusals_are_those_of_scores():
    with pytest.raises(InputError, match="infinite"):
        false_alarm_decades([1.0, np.inf])
    with pytest.raises(InputError, match="dtype"):
        false_alarm_decades(["a"])
