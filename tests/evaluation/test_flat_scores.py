"""A map that singles out nothing is told."""

import warnings

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.data.scene import Scene
from lren_tf.evaluation.score_array import warn_of_flat_scores

NOISE = np.random.default_rng(0).random((20, 20))


@pytest.mark.parametrize("value", [0.0, 3.0, -1e20, 398.0])
def test_all_the_same(value):
    score = np.full((5, 5), value) * (1 + 1e-9 * NOISE[:5, :5])
    score[0, 0] = np.nan
    with pytest.warns(UserWarning, match="RX gives every pixel of s the same score"):
        warn_of_flat_scores(score, "RX", "s")


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_all_but_one(scale):
    score = np.full((20, 20), 0.0025) + 1e-9 * NOISE
    score[3, 3] = 398.0
    with pytest.warns(UserWarning, match="all but 1 pixel of s the same score.*--no-data or"):
        warn_of_flat_scores(score * scale, "RX", "s")


def sparse():
    score = np.zeros((20, 20))
    score[3:6, 3:6] = NOISE[3:6, 3:6]
    return score


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("score", [NOISE, NOISE * 1e-6 + 1, sparse(), NOISE**20, np.eye(2)])
def test_scores_that_say_something(score):
    warn_of_flat_scores(score, "AED", "s")


@pytest.mark.parametrize("value", [1e38, -1e38, 3e38, 1e300])
@pytest.mark.parametrize("name", ["rx", "lrx"])
def test_one_pixel_that_dwarfs_the_others(name, value):
    cube = np.random.default_rng(0).normal(10, 1, (16, 15, 8))
    cube[5, 5] = value
    settings = {"outer": 7, "inner": 3} if name == "lrx" else {}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        score = detectors.create(name, **settings).score(Scene(cube, name="s"))
    assert np.isfinite(score).all() and score.argmax() == 5 * 15 + 5
    if name == "rx":
        assert any("all but 1 pixel of s" in str(one.message) for one in told)
