"""scikit-learn's interface of detectors: signs, shapes, its own checks, its tools."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from lren_tf import Scene, datasets, detectors, metrics
from lren_tf.errors import InputError
from lren_tf.evaluation.threshold import threshold_at

SCENE = datasets.simulate(30, 24, 8, seed=2)
OTHER = datasets.simulate(12, 10, 8, seed=5)
TABLE = SCENE.cube.reshape(-1, 8).astype(np.float64)

OWN_SCORE = "`score` is the project's map, higher for anomalies, and takes no y"
EXPECTED = {
    "check_fit_score_takes_y": OWN_SCORE,
    "check_n_features_in_after_fitting": OWN_SCORE + ": it fits, and has no bands to compare with",
    "check_pipeline_consistency": OWN_SCORE,
    "check_do_not_raise_errors_in_init_or_set_params": "settings are checked in the constructor, "
    "so that a command refuses them before anything is computed",
}
"""Checks of scikit-learn that fail on purpose, and why."""


@dataclass(frozen=True)
class OneScene(detectors.Detector):
    """Scores of one scene, which say nothing of another."""

    name: ClassVar[str] = "one_scene"
    title: ClassVar[str] = "One scene"
    spatial: ClassVar[bool] = False

    def _score(self, cube: np.ndarray) -> np.ndarray:
        return np.abs(cube - np.median(cube, axis=(0, 1))).sum(axis=2)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_the_checks_of_scikit_learn(ridge):
    rx = detectors.create("rx", ridge=ridge, false_alarm_rate=0.1)
    found = check_estimator(rx, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
    failed = {each["check_name"]: each["exception"] for each in found if each["status"] == "failed"}
    assert not failed
    assert {e["check_name"] for e in found if e["status"] == "xfail"} == set(EXPECTED)
    assert len(found) > 40


class TestSigns:
    def test_score_samples_is_the_map_with_its_sign_turned(self):
        rx = detectors.create("rx").fit(SCENE)
        normal = rx.score_samples(SCENE)
        np.testing.assert_array_equal(-normal, rx.score(SCENE))
        assert normal.dtype == np.float32

    def test_predict_cuts_at_the_threshold_of_the_rate(self):
        rx = detectors.create("rx", false_alarm_rate=0.02)
        score = rx.score(SCENE)
        threshold = threshold_at(score, 0.02)
        labels = rx.fit_predict(SCENE)
        np.testing.assert_array_equal(labels == -1, score > threshold.threshold)
        assert set(np.unique(labels)) == {-1, 1}
        np.testing.assert_array_equal(rx.predict(SCENE), labels)
        np.testing.assert_array_equal(rx.decision_function(SCENE) < 0, labels == -1)
        assert rx.threshold_ == threshold and rx.offset_ == -threshold.threshold

    @pytest.mark.parametrize("rate", [0.0, 0.7, "x", None])
    def test_a_rate_that_is_none(self, rate):
        with pytest.raises(InputError, match="false_alarm_rate is"):
            detectors.create("rx", false_alarm_rate=rate).fit(SCENE)


class TestFitHereScoreThere:
    def test_the_statistics_are_those_of_the_fitted_scene(self):
        there = detectors.create("rx").fit(TABLE).score_samples(OTHER.cube.reshape(-1, 8))
        off = OTHER.cube.reshape(-1, 8).astype(np.float64) - TABLE.mean(axis=0)
        C = np.linalg.inv(np.cov(TABLE, rowvar=False))
        np.testing.assert_allclose(-there, np.einsum("ij,jk,ik->i", off, C, off), rtol=1e-6)

    def test_a_region_is_what_is_learned_of(self):
        region = np.ones((30, 24), bool)
        region[5:9, 5:9] = False
        scene = Scene(SCENE.cube, background=region)
        rx = detectors.create("rx").fit(scene)
        np.testing.assert_array_equal(-rx.score_samples(SCENE), rx.score(scene))

    def test_pixels_and_bands_that_hold_no_data(self):
        valid = np.ones((30, 24), bool)
        valid[3, 4] = False
        good = np.arange(8) != 2
        cube = SCENE.cube.copy()
        cube[3, 4] = cube[..., 2] = np.nan
        rx = detectors.create("rx").fit(Scene(cube, valid=valid, good_bands=good))
        assert rx.n_features_in_ == 8
        labels = rx.predict(Scene(cube, valid=valid))  # the bands of `fit` are used
        np.testing.assert_array_equal(labels == 0, ~valid)
        assert rx.predict(SCENE).all()

    def test_bands_that_only_the_other_scene_leaves_out(self):
        rx = detectors.create("rx").fit(SCENE)
        broken = OTHER.cube.copy()
        broken[..., 2] = 9e3
        with pytest.warns(UserWarning, match="Dead leaves out band 2, but the model was fitted"):
            rx.predict(Scene(broken, name="Dead", good_bands=np.arange(8) != 2))

    def test_another_sensor_is_refused(self):
        waves = np.linspace(400, 900, 8)
        rx = detectors.create("rx").fit(Scene(SCENE.cube, wavelengths=waves))
        with pytest.raises(InputError, match="another sensor"):
            rx.predict(Scene(OTHER.cube, wavelengths=waves + 200))
        with pytest.raises(InputError, match="has 7 bands, but RX is expecting 8"):
            rx.predict(SCENE.cube[..., :7])

    def test_before_fit(self):
        with pytest.raises(NotFittedError):
            detectors.create("rx").predict(SCENE)

    def test_one_that_scores_only_its_own_scene(self):
        own = OneScene(false_alarm_rate=0.05)
        score = own.score(SCENE)
        cut = threshold_at(score, 0.05).threshold
        np.testing.assert_array_equal(own.fit_predict(SCENE) == -1, score > cut)
        for method in ("predict", "score_samples", "decision_function"):
            assert not hasattr(own, method)
            with pytest.raises(AttributeError) as refusal:
                getattr(own, method)
            assert "One scene scores only what it is fitted on" in str(refusal.value.__cause__)


@pytest.mark.parametrize("name", ["lrx", "crd"])
def test_rings_are_scaled_by_the_range_of_the_fitted_scene(name):
    by = detectors.create(name, inner=3, outer=7).fit(SCENE)
    part = SCENE.cube[:20]  # of another range
    assert part.min() > SCENE.cube.min() or part.max() < SCENE.cube.max()
    inside = slice(0, 17)  # rows whose rings lie in the part
    there = -by.score_samples(part)
    np.testing.assert_allclose(there[inside], by.score(SCENE)[inside], rtol=1e-5)
    assert not np.allclose(there[inside], by.score(part)[inside], rtol=1e-4)
    region = np.ones((20, 24), bool)
    region[4:9, 4:9] = False
    apart = -by.score_samples(Scene(part, background=region))
    assert not np.array_equal(apart, there) and np.isfinite(apart).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lren_that_was_fitted_on_good_bands():
    settings = {"epochs": 2, "hidden_units": 8, "members": 1}
    scene = Scene(SCENE.cube, good_bands=np.arange(8) != 3)
    lren = detectors.create("lren", settings=settings, false_alarm_rate=0.05).fit(scene)
    np.testing.assert_array_equal(-lren.score_samples(SCENE), lren.score(scene))
    assert lren.threshold_.method == "calibrated"
    assert lren.offset_ == pytest.approx(np.log10(0.05))


@pytest.mark.slow
def test_which_settings_of_lren_take_tables():
    assert not detectors.create("lren").takes_tables
    plain = {"evidence": ("spectrum",), "neighbourhood": 0}
    assert detectors.create("lren", settings=plain).takes_tables
    assert detectors.create("lren", preset="paper").takes_tables
    small = {"epochs": 2, "hidden_units": 8}
    lren = detectors.create("lren", preset="paper", settings=small, false_alarm_rate=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert lren.fit(TABLE).predict(TABLE[:50]).shape == (50,)


class TestShapes:
    def test_a_table_a_masked_table_and_a_data_frame(self):
        names = [f"b{band}" for band in range(8)]
        frame = pd.DataFrame(TABLE, columns=names)
        rx = detectors.create("rx").fit(frame)
        assert list(rx.feature_names_in_) == names
        assert rx.score_samples(frame).shape == (720,)
        masked = np.ma.array(TABLE, mask=np.zeros_like(TABLE, bool))
        masked[5, 1] = np.ma.masked
        scores = detectors.create("rx").fit(masked).score_samples(masked)
        np.testing.assert_array_equal(np.isnan(scores), np.arange(720) == 5)

    @pytest.mark.parametrize("name", ["lrx", "crd", "aed"])
    def test_a_table_has_no_neighbours(self, name):
        with pytest.raises(InputError, match="as a table; expected a scene, or a cube"):
            detectors.create(name).fit(TABLE)

    @pytest.mark.parametrize("X", [np.ones((2, 2, 2, 2)), np.ones(4), 3.0])
    def test_what_is_neither(self, X):
        with pytest.raises(InputError):
            detectors.create("rx").fit(X)


class TestParameters:
    def test_all_of_them_or_none(self):
        lrx = detectors.create("lrx", inner=3, outer=7)
        with pytest.raises(InputError, match="inner window smaller"):
            lrx.set_params(delta=1.0, inner=9)
        assert lrx == detectors.create("lrx", inner=3, outer=7)
        with pytest.raises(InputError, match="has no parameter 'windows'"):
            lrx.set_params(windows=3)
        assert lrx.set_params(inner=5).inner == 5

    def test_other_ones_ask_for_a_new_fit(self):
        rx = detectors.create("rx").fit(SCENE)
        rx.set_params(ridge=rx.ridge).predict(SCENE)
        with pytest.raises(NotFittedError):
            rx.set_params(ridge=1e-2).predict(SCENE)

    def test_they_change_no_other_way(self):
        rx = detectors.create("rx")
        for attribute in ("ridge", "title", "n_features_in_"):
            with pytest.raises(FrozenInstanceError):
                setattr(rx, attribute, 1)
        with pytest.raises(FrozenInstanceError):
            del rx.ridge

    @pytest.mark.parametrize("name", detectors.names())
    def test_clones(self, name):
        settings = {"settings": {"epochs": 3, "evidence": ("spectrum",)}} if name == "lren" else {}
        made = detectors.create(name, false_alarm_rate=0.01, **settings)
        assert clone(made) == made
        assert set(made.get_params()) == {*made.setting_names(), "false_alarm_rate"}
        assert "false_alarm_rate" not in made.get_config()

    def test_a_fitted_one_can_be_pickled(self):
        rx = detectors.create("rx").fit(SCENE)
        again = pickle.loads(pickle.dumps(rx))
        np.testing.assert_array_equal(again.predict(OTHER), rx.predict(OTHER))


class TestTools:
    def test_a_pipeline(self):
        made = make_pipeline(StandardScaler(), detectors.create("rx", false_alarm_rate=0.02))
        labels = made.fit(TABLE).predict(TABLE)
        plain = detectors.create("rx", false_alarm_rate=0.02).fit_predict(TABLE)
        np.testing.assert_array_equal(labels, plain)
        made.set_params(rx__ridge=1e-2)
        assert made[-1].ridge == 1e-2

    def test_a_grid_search(self):
        def area(estimator, X, y):
            return metrics.auc_pd_pf(-estimator.score_samples(X), y)

        whole = [(np.arange(30), np.arange(30))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = GridSearchCV(
                detectors.create("rx"), {"ridge": [0.0, 1e-2]}, scoring=area, cv=whole
            ).fit(SCENE.cube, SCENE.truth)
        want = [
            metrics.auc_pd_pf(detectors.create("rx", ridge=r).score(SCENE), SCENE.truth)
            for r in (0.0, 1e-2)
        ]
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], want)
