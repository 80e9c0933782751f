"""What the protocol makes of a scene before a detector sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.data.scene import Scene
from lren_tf.detectors.usable_scene import full_cube
from lren_tf.errors import InputError

CUBE = np.random.default_rng(0).uniform(size=(4, 5, 3))
VALID = np.ones((4, 5), bool)
VALID[1, 2] = VALID[3, 0] = False


@dataclass(frozen=True)
class Seen(detectors.Detector):
    """Keeps what it is shown and scores the first band."""

    name: ClassVar[str] = "seen"
    title: ClassVar[str] = "Seen"

    def _score(self, cube: np.ndarray) -> np.ndarray:
        object.__setattr__(self, "cube", cube.copy())
        return cube[:, :, 0]


@dataclass(frozen=True)
class SeenAlone(Seen):
    spatial: ClassVar[bool] = False


def test_holes_are_filled_with_the_mean_of_the_valid_spectra():
    cube = CUBE.copy()
    cube[~VALID] = np.nan
    filled = full_cube(Scene(cube, valid=VALID))
    np.testing.assert_array_equal(filled[VALID], CUBE[VALID])
    np.testing.assert_allclose(filled[~VALID], [CUBE[VALID].mean(axis=0)] * 2)
    assert np.isnan(cube[~VALID]).all()  # a copy


def test_a_detector_of_neighbours_sees_the_whole_image():
    detector = Seen()
    score = detector.score(Scene(CUBE, valid=VALID, good_bands=[1, 0, 1]))
    assert detector.cube.shape == (4, 5, 2)
    np.testing.assert_array_equal(np.isnan(score), ~VALID)
    np.testing.assert_array_equal(score[VALID], CUBE[VALID][:, 0].astype(np.float32))


def test_a_detector_of_pixels_sees_the_valid_ones_alone():
    detector = SeenAlone()
    score = detector.score(Scene(CUBE, valid=VALID, good_bands=[1, 0, 1]))
    np.testing.assert_array_equal(detector.cube, CUBE[VALID][:, None][:, :, [0, 2]])
    np.testing.assert_array_equal(np.isnan(score), ~VALID)


def test_without_a_mask_both_see_the_cube():
    for detector in (Seen(), SeenAlone()):
        detector.score(CUBE)
        np.testing.assert_array_equal(detector.cube, CUBE)


@pytest.mark.parametrize("valid", [None, VALID])
@pytest.mark.parametrize("kind", [Seen, SeenAlone])
def test_a_detector_may_overwrite_what_it_is_given(kind, valid):
    class Overwriting(kind):
        def _score(self, cube: np.ndarray) -> np.ndarray:
            score = super()._score(cube).copy()
            cube[:] = 0
            return score

    cube = CUBE.copy()
    Overwriting().score(cube if valid is None else Scene(cube, valid=valid))
    np.testing.assert_array_equal(cube, CUBE)


@pytest.mark.parametrize("valid", [None, VALID])
def test_nan_among_the_valid_is_refused(valid):
    cube = CUBE.copy()
    cube[0, 1, 2] = np.nan
    with pytest.raises(InputError, match="row 0, column 1, band 2"):
        Seen().score(cube if valid is None else Scene(cube, valid=valid))


def test_a_constant_cube_is_refused():
    with pytest.raises(InputError, match="constant"):
        Seen().score(np.ones((4, 5, 3)))


def test_scores_that_are_not_finite_are_refused_with_the_settings():
    class Dividing(Seen):
        def _score(self, cube: np.ndarray) -> np.ndarray:
            return np.where(cube[:, :, 0] == CUBE[2, 2, 0], np.inf, 1.0)

    with pytest.raises(InputError, match="Seen gave 1 scores that are NaN or infinite"):
        Dividing().score(CUBE)


@dataclass(frozen=True)
class Singular(Seen):
    """Meets a matrix that its algebra cannot take, as spectra of 1e6 and little more make it."""

    title: ClassVar[str] = "One of algebra"

    def _score(self, cube: np.ndarray) -> np.ndarray:
        return np.linalg.solve(cube[:3, :3, 0] * 0, cube[:3, 0])


@pytest.mark.parametrize("use", [Singular().score, Singular().fit, Singular().fit_predict])
def test_algebra_that_rounding_defeats_is_a_refusal(use):
    said = r"One of algebra cannot be computed on far \(Singular matrix\); expected spectra that"
    with pytest.raises(InputError, match=said):
        use(Scene(CUBE, name="far"))
