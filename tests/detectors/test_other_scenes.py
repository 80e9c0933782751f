"""Fit here, score there: detectors fitted on one half of an image score both halves."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from lren_tf import Scene, datasets, detectors, metrics
from lren_tf.detectors.base import Detector
from lren_tf.errors import InputError

WHOLE = datasets.simulate(32, 64, 12, seed=5)
HERE, THERE = (Scene(half) for half in np.split(WHOLE.cube, 2, axis=1))
TRUTH = np.split(WHOLE.truth, 2, axis=1)[1]
"""Anomalies of `THERE`, whose background materials are those of `HERE`."""

_SMALL = {"steps": 25, "hidden_units": 16, "batch_size": 64}
LEARNING = {
    "rx": {}, "lrx": {"inner": 5, "outer": 9}, "crd": {"inner": 5, "outer": 9},
    "adlr": {"iterations": 2}, "lsdm_mog": {"rank": 4}, "aed": {"area": 10},
    "kifd": {"trees": 60, "local_trees": 20, "samples": 300, "share": 0.2, "region_share": 0.05},
    "aae_rx": _SMALL, "aae": _SMALL, "hadgan": {**_SMALL, "area": 10},
    "lren": {"settings": {"epochs": 4, "hidden_units": 8, "members": 1}},
}  # fmt: skip
"""Settings with which a detector is quick and good enough here."""
_SLOW = ("adlr", "kifd", "aae_rx", "aae", "hadgan", "lren")


class Fitted(NamedTuple):
    """A detector fitted on `HERE`, and the maps of `score`."""

    by: Detector
    here: np.ndarray
    there: np.ndarray


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in _SLOW else ()) for name in LEARNING
    ],
)
def fitted(request: pytest.FixtureRequest) -> Iterator[Fitted]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = detectors.create(request.param, false_alarm_rate=0.05, **LEARNING[request.param])
        yield Fitted(made.fit(HERE), made.score(HERE), made.score(THERE))


def test_every_detector_is_tested_here_or_says_why_it_scores_one_scene_only() -> None:
    for name in detectors.names():
        made = detectors.create(name)
        assert made.inductive == (name in LEARNING)
        if not made.inductive:
            assert made.why_not_inductive != Detector.why_not_inductive
            with pytest.raises(AttributeError) as refusal:
                _ = made.predict
            assert made.why_not_inductive in str(refusal.value.__cause__)


def test_the_fitted_scene_has_the_map_of_score(fitted: Fitted) -> None:
    np.testing.assert_array_equal(-fitted.by.score_samples(HERE), fitted.here)


def test_another_scene_is_scored_by_what_was_learned(fitted: Fitted) -> None:
    state = dict(vars(fitted.by))
    there = -fitted.by.score_samples(THERE)
    assert metrics.auc_pd_pf(there, TRUTH) > 0.9
    assert not np.array_equal(there, fitted.there)
    assert fitted.by.predict(THERE).shape == TRUTH.shape and vars(fitted.by) == state


def test_a_scene_of_another_size_and_with_pixels_that_hold_no_data(fitted: Fitted) -> None:
    valid = np.ones((20, 32), bool)
    valid[2:5, 7] = False
    cube = THERE.cube[:20].copy()
    cube[~valid] = np.nan
    scores = fitted.by.score_samples(Scene(cube, valid=valid))
    np.testing.assert_array_equal(np.isnan(scores), ~valid)


def test_a_scene_of_other_bands_is_refused(fitted: Fitted) -> None:
    with pytest.raises(InputError, match=r"has 11 bands, but .* is expecting 12"):
        fitted.by.predict(THERE.cube[..., :11])


def test_it_can_be_pickled(fitted: Fitted) -> None:
    again = pickle.loads(pickle.dumps(fitted.by))
    np.testing.assert_array_equal(again.score_samples(THERE), fitted.by.score_samples(THERE))


def test_a_pixel_of_another_scene_changes_no_other_one(fitted: Fitted) -> None:
    if fitted.by.spatial or fitted.by.name == "adlr":
        return  # it looks at neighbours, or decomposes all pixels together
    some = fitted.by.score_samples(THERE.cube[:9])
    np.testing.assert_allclose(some, fitted.by.score_samples(THERE)[:9], rtol=1e-4)


def test_the_low_rank_part_of_a_pixel_does_not_depend_on_the_noise_that_it_starts_from() -> None:
    """Of LSDM-MoG: with the basis held, a second fit of the same pixels changes nothing."""
    by = detectors.create("lsdm_mog", rank=4).fit(HERE)
    pixels = THERE.cube.reshape(-1, 12).astype(np.float64)
    learned = by._learned
    Y = learned.scaled(pixels)
    residual, R = learned.background.explain(Y, iterations=2000, tolerance=1e-9)
    U, noise = learned.background.U, learned.background.noise
    # Optimal coefficients make the weighted residual orthogonal to the basis, up to the prior.
    W = np.tensordot(noise.precision, R, axes=1)
    T = np.tensordot(noise.precision * noise.mean, R, axes=1)
    V = (Y - residual) @ np.linalg.pinv(U.mean.T)
    prior = np.einsum("nl,lrs,ns->nr", W, U.covariance, V) + V * learned.background.precisions
    np.testing.assert_allclose((W * residual - T) @ U.mean, prior, rtol=1e-5, atol=1e-4)


def test_kifd_keeps_the_threshold_and_the_forests_of_the_fitted_scene() -> None:
    """The brighter half stands out beside the other one, and is common beside itself."""
    cube = np.full((20, 20, 3), 0.0)
    cube += np.random.default_rng(0).normal(0, 0.1, cube.shape)
    bright = cube + 5
    both = np.concatenate([cube, bright[:2]], axis=0)
    by = detectors.create("kifd", trees=40, local_trees=10, passes=0).fit(both)
    there = -by.score_samples(both[10:])
    np.testing.assert_array_equal(there, by.score(both)[10:])
    assert there[-2:].min() > np.median(there[:-2])
