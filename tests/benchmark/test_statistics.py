"""Ranks, critical differences and intervals against values computed by hand or published."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lren_tf import datasets
from lren_tf.benchmark import statistics
from lren_tf.evaluation import metrics, objects
from lren_tf.evaluation.objects import ObjectScores


@pytest.mark.parametrize(
    ("methods", "quantile"),
    # Table 5 of Demšar (2006): q of α = 0.05 for the two-tailed Nemenyi test.
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031),
     (9, 3.102), (10, 3.164)],
)  # fmt: skip
def test_the_critical_difference_is_that_of_the_published_quantiles(methods, quantile):
    scenes = 14
    want = quantile * math.sqrt(methods * (methods + 1) / (6 * scenes))
    assert statistics.critical_difference(methods, scenes) == pytest.approx(want, rel=5e-4)


def test_the_example_of_demsar():
    """Four classifiers on fourteen data sets: CD 1.25."""
    assert statistics.critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)


def test_ranks():
    values = [[0.9, 0.8, 0.7], [0.5, 0.5, 0.9], [math.nan, 0.1, math.nan]]
    # Ties share their mean; failures share the worst places, below any area.
    want = [[1, 2, 3], [2.5, 2.5, 1], [2.5, 1, 2.5]]
    np.testing.assert_array_equal(statistics.ranks(values), want)


def test_friedman_by_hand():
    # 12N / (k(k + 1)) (Σ R² − k(k + 1)² / 4) with N = 4, k = 3.
    ranked = np.array([[1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 1, 3]], float)
    means = ranked.mean(axis=0)
    want = 12 * 4 / (3 * 4) * (np.sum(means**2) - 3 * 4**2 / 4)
    found = statistics.friedman(ranked)
    assert found.statistic == pytest.approx(want)
    assert found.p == pytest.approx(math.exp(-want / 2))  # χ² with two degrees of freedom


def test_friedman_has_nothing_to_say():
    assert statistics.friedman([[1, 2], [2, 1]]) is None
    assert statistics.friedman(np.full((6, 4), 2.5)) is None


class TestBootstrap:
    SCENE = datasets.simulate(20, 20, 6, seed=2, anomalies=9)

    @pytest.fixture
    def scores(self):
        noise = np.random.default_rng(0).random(self.SCENE.shape[:2])
        return objects.JudgedObjects.of(noise + 0.5 * self.SCENE.truth, self.SCENE.truth).scores()

    def test_it_repeats(self, scores):
        one, other = (statistics.resampled("a", scores) for _ in range(2))
        assert list(one) == ["auc_pd_pf", "pd_at_1_percent", "pd_at_1_permille"]
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
        assert not np.array_equal(one["auc_pd_pf"], statistics.resampled("b", scores)["auc_pd_pf"])

    def test_it_surrounds_the_value(self, scores):
        low, high = statistics.interval(statistics.resampled("a", scores)["auc_pd_pf"])
        value = np.average(scores.placement, weights=scores.pixels)
        assert low < value < high

    def test_the_spread_is_that_of_a_mean(self):
        """Objects of one pixel: the standard error of a mean of K values."""
        placement = np.random.default_rng(1).random(40)
        alone = ObjectScores(np.ones(40, int), placement, {})
        drawn = statistics.resampled("a", alone)["auc_pd_pf"]
        assert drawn.std() == pytest.approx(placement.std() / math.sqrt(40), rel=0.06)
        assert drawn.mean() == pytest.approx(placement.mean(), abs=0.005)

    def test_parts_of_the_draws_are_the_whole(self, scores, monkeypatch):
        whole = statistics.resampled("a", scores)["auc_pd_pf"]
        monkeypatch.setattr(statistics, "_COUNTS", 7 * scores.pixels.size)
        np.testing.assert_allclose(
            statistics.resampled("a", scores)["auc_pd_pf"], whole, rtol=1e-12
        )

    def test_objects_and_not_pixels_are_drawn(self):
        """One large object found and one small one missed: half of all draws or more differ."""
        two = ObjectScores(np.array([99, 1]), np.array([1.0, 0.0]), {})
        drawn = statistics.resampled("a", two)["auc_pd_pf"]
        assert set(np.round(drawn, 6)) == {0.0, 0.99, 1.0}

    def test_the_mean_over_seeds(self, scores):
        record = {"pixels": scores.pixels.tolist(), "placement": scores.placement.tolist(),
                  "detected": {name: each.tolist() for name, each in scores.detected.items()}}
        worse = {**record, "placement": (scores.placement / 2).tolist()}
        mean = statistics.mean_objects([record, worse])
        np.testing.assert_allclose(mean.placement, 0.75 * scores.placement)
        noise = np.random.default_rng(0).random(self.SCENE.shape[:2])
        area = metrics.auc_pd_pf(noise + 0.5 * self.SCENE.truth, self.SCENE.truth)
        assert np.average(mean.placement, weights=mean.pixels) == pytest.approx(0.75 * area)
