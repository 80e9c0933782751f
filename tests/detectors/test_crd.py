"""CRD against least squares pixel by pixel, and the values measured on the real scenes."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.crd import CRD, RIDGE
from lren_tf.detectors.parts import dual_window
from lren_tf.errors import InputError
from tests.detectors import plain


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return 40 + 300 * simulate(16, 17, 20, seed=5).cube.astype(np.float64)


def reference(cube: np.ndarray, inner: int, outer: int, lam: float) -> np.ndarray:
    """The regularised least squares as one longer least squares, without normal equations."""
    score = np.empty(cube.shape[:2])
    for row, column, y, ring in plain.rings(cube, inner, outer, without_own=True):
        penalty = np.sqrt(lam * np.square(ring - y).sum(axis=1) + RIDGE)
        system = np.vstack([ring.T, np.ones(len(ring)), np.diag(penalty)])
        target = np.concatenate([y, [1.0], np.zeros(len(ring))])
        alpha = np.linalg.lstsq(system, target, rcond=None)[0]
        score[row, column] = np.linalg.norm(y - ring.T @ alpha)
    return score


# 16, 56 and 176 pixels in a ring: fewer and more than the 20 bands.
@pytest.mark.parametrize(("inner", "outer"), [(3, 5), (5, 9), (7, 15)])
@pytest.mark.parametrize("lam", [1e-6, 1e-2])
def test_crd_equals_least_squares_pixel_by_pixel(cube, inner, outer, lam) -> None:
    np.testing.assert_allclose(
        CRD(inner, outer, lam).score(cube),
        reference(cube, inner, outer, lam),
        rtol=1e-6,
        atol=1e-9,  # an ill-conditioned system's rounding, in scores of about 0.01 to 1
    )


def test_no_pixel_is_represented_by_its_own_mirror_image() -> None:
    cube = simulate(20, 20, 30, seed=3, anomalies=0).cube.astype(np.float64)
    cube[2, 10] = cube[2, 10, ::-1]  # windows 7 and 15 mirror row 2 into its own ring
    score = CRD(7, 15, 1e-6).score(cube)
    assert score.argmax() == 2 * 20 + 10
    assert score[2:4].min() > 0.1 * np.median(score)


def test_the_size_of_the_blocks_changes_nothing(cube, monkeypatch) -> None:
    whole = CRD(5, 9).score(cube)
    monkeypatch.setattr(dual_window, "BLOCK_ELEMENTS", 1)
    np.testing.assert_allclose(CRD(5, 9).score(cube), whole, rtol=1e-6, atol=1e-9)


def test_a_combination_of_neighbours_leaves_little_and_a_new_spectrum_much() -> None:
    cube = simulate(24, 24, 40, seed=2, anomalies=0, noise_snr_db=np.inf).cube.astype(np.float64)
    cube[12, 12] = cube[12, 12, ::-1]
    score = CRD(3, 9, 1e-6).score(cube)
    assert score.argmax() == 12 * 24 + 12
    others = np.delete(score.ravel(), score.argmax())
    assert np.median(others) < 1e-3 * score.max()


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="'outer' is 14; expected an odd number"):
        CRD(outer=14)
    with pytest.raises(InputError, match=r"'lam' is 0\.0; expected a number above 0"):
        CRD(lam=0)
    with pytest.raises(InputError, match="'outer' is 21, larger than the image of 40 × 13"):
        CRD().score(simulate(40, 13, 6, seed=0))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "inner", "outer", "pd_pf", "pf_tau"),
    [("sandiego", 15, 17, 0.9652, 0.0402), ("pavia", 7, 9, 0.9738, 0.0713)],
)
def test_crd_on_the_real_scenes(name, inner, outer, pd_pf, pf_tau) -> None:
    """Measured before, by another program with the same definition; not published values."""
    try:
        scene = datasets.load(name, download=False)
    except InputError as error:
        pytest.skip(str(error))
    found = metrics.evaluate(CRD(inner, outer, 1e-6).score(scene), scene.truth)
    assert (round(found["auc_pd_pf"], 4), round(found["auc_pf_tau"], 4)) == (pd_pf, pf_tau)
