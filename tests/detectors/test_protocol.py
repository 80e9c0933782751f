"""What holds for every detector in the registry, whatever it computes.

What the base class does for all of them is tested once, in test_base.py.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.data.scene import Scene
from lren_tf.datasets.simulation import simulate
from lren_tf.errors import InputError

QUICK: dict[str, dict[str, object]] = {
    "lsdm_mog": {"rank": 8},
    "lren": {"settings": {"epochs": 3, "hidden_units": 8, "members": 1}},
    "pab_dc": {"clusters": 3, "sparsity": 4, "anomaly_atoms": 30},
    "aae_rx": {"steps": 20, "hidden_units": 16, "batch_size": 64},
    "aae": {"steps": 20, "hidden_units": 16, "batch_size": 64},
    "kifd": {"trees": 30, "local_trees": 10},
    "auto_ad": {"channels": 8, "scales": 3, "steps": 12, "reweighted_every": 5},
    "hadgan": {"steps": 20, "hidden_units": 16, "batch_size": 64},
}
"""Settings with which a detector is quick on a small scene, where its defaults are not."""


@pytest.fixture(scope="module")
def scene() -> Scene:
    return simulate(24, 26, 30, seed=3)


@pytest.fixture(scope="module", params=detectors.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def score(name: str, scene: Scene) -> np.ndarray:
    return detectors.create(name, **QUICK.get(name, {})).score(scene)


def test_a_score_is_a_finite_float32_map_that_varies(score: np.ndarray, scene: Scene) -> None:
    assert score.shape == scene.shape[:2]
    assert score.dtype == np.float32
    assert np.isfinite(score).all()
    assert score.min() < score.max()


@pytest.mark.slow
def test_the_same_settings_give_the_same_map(name: str, score: np.ndarray, scene: Scene) -> None:
    again = detectors.create(name, **QUICK.get(name, {})).score(scene)
    np.testing.assert_array_equal(again, score)


def test_the_configuration_makes_the_same_detector(name: str) -> None:
    detector = detectors.create(name, **QUICK.get(name, {}))
    config = json.loads(json.dumps(detector.get_config()))
    assert detectors.create(name, **config) == detector
    assert tuple(config) == detector.setting_names()


def test_names_titles_seeds_and_settings() -> None:
    classes = {name: detectors.detector_class(name) for name in detectors.names()}
    assert {name: cls.name for name, cls in classes.items()} == {name: name for name in classes}
    assert len({cls.title for cls in classes.values()}) == len(classes)
    for name, cls in classes.items():
        # A stochastic detector has a seed, and only it.
        assert cls.stochastic == ("seed" in cls.setting_names()), name
        with pytest.raises(dataclasses.FrozenInstanceError):
            detectors.create(name).title = "other"  # type: ignore[misc]


@pytest.mark.slow
def test_pixels_without_data_and_bad_bands_do_not_matter(name: str, scene: Scene) -> None:
    detector = detectors.create(name, **QUICK.get(name, {}))
    holes = np.zeros(scene.shape[:2], bool)
    holes[:3, :5] = holes[20, 20] = True
    maps = []
    for fill in (0.0, np.nan):
        cube = np.insert(scene.cube.astype(np.float64), 7, fill, axis=2)
        cube[holes] = -9999.0 if fill == 0.0 else np.inf
        masked = Scene(cube, valid=~holes, good_bands=np.arange(31) != 7)
        maps.append(detector.score(masked))
    np.testing.assert_array_equal(np.isnan(maps[0]), holes)
    np.testing.assert_array_equal(maps[0], maps[1])
    assert maps[0].dtype == np.float32
    if not detector.spatial:
        alone = detector.score(scene.cube[~holes][:, None])
        np.testing.assert_array_equal(maps[0][~holes], alone[:, 0])


@pytest.mark.slow
def test_a_scene_of_valid_pixels_and_good_bands_scores_as_its_cube(
    name: str, score: np.ndarray, scene: Scene
) -> None:
    said = Scene(scene.cube, valid=np.ones(scene.shape[:2]), good_bands=np.ones(30))
    detector = detectors.create(name, **QUICK.get(name, {}))
    np.testing.assert_array_equal(detector.score(said), score)


def test_unknown_names_are_refused_with_those_known() -> None:
    with pytest.raises(InputError, match=r"'rxx' is unknown; expected one of rx.* mean 'rx'"):
        detectors.create("rxx")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(InputError, match="'windows' is unknown to"):
        detectors.create("lrx", windows=3)


@pytest.mark.slow
def test_the_mask_of_an_array_says_where_there_is_no_data(name: str, scene: Scene) -> None:
    detector = detectors.create(name, **QUICK.get(name, {}))
    hidden = np.zeros(scene.shape, bool)
    hidden[2, 3, 4] = hidden[20, 20] = hidden[..., 7] = True
    cube = np.where(hidden, 1e6, scene.cube)
    valid = np.ones(scene.shape[:2], bool)
    valid[2, 3] = valid[20, 20] = False
    expected = detector.score(Scene(cube, valid=valid, good_bands=np.arange(30) != 7))
    score = detector.score(np.ma.array(cube, mask=hidden))
    np.testing.assert_array_equal(np.isnan(score), ~valid)
    np.testing.assert_array_equal(score, expected)
    assert type(score) is np.ndarray
