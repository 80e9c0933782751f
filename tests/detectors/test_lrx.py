"""LRX against a plain loop over pixels, SPy, and the values measured on the real scenes."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.lrx import LRX
from lren_tf.detectors.parts import dual_window
from lren_tf.errors import InputError
from tests.detectors import plain


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return 40 + 300 * simulate(22, 25, 30, seed=5).cube.astype(np.float64)


def reference(cube: np.ndarray, inner: int, outer: int, delta: float) -> np.ndarray:
    score = np.empty(cube.shape[:2])
    for row, column, y, ring in plain.rings(cube, inner, outer):
        m = ring.mean(axis=0)
        C = np.cov(ring, rowvar=False) + delta * np.eye(len(y))
        score[row, column] = (y - m) @ np.linalg.solve(C, y - m)
    return score


# 16, 80, 40 and 216 pixels in a ring: fewer and more than the 30 bands.
@pytest.mark.parametrize(("inner", "outer"), [(3, 5), (19, 21), (9, 11), (3, 15)])
@pytest.mark.parametrize("delta", [1e-5, 1e-2])
def test_lrx_equals_a_loop_over_pixels(cube, inner, outer, delta) -> None:
    np.testing.assert_allclose(
        LRX(inner, outer, delta).score(cube), reference(cube, inner, outer, delta), rtol=1e-6
    )


@pytest.mark.parametrize("bands", [24, 25])
def test_both_forms_meet_where_a_ring_has_as_many_pixels_as_bands(cube, bands) -> None:
    some = cube[:, :, :bands]  # the ring of 5 and 7 has 24 pixels
    np.testing.assert_allclose(LRX(5, 7).score(some), reference(some, 5, 7, 1e-5), rtol=1e-6)


def test_lrx_tends_to_spy_where_no_ring_is_mirrored(cube) -> None:
    spectral = pytest.importorskip("spectral")
    progress = spectral.settings.show_progress
    spectral.settings.show_progress = False
    try:
        theirs = spectral.rx(cube, window=(5, 13))
    finally:
        spectral.settings.show_progress = progress
    ours = LRX(5, 13, delta=1e-12).score(cube)
    np.testing.assert_allclose(ours[6:-6, 6:-6], theirs[6:-6, 6:-6], rtol=1e-5)


def test_the_size_of_the_blocks_changes_nothing(cube, monkeypatch) -> None:
    whole = LRX(5, 9).score(cube)
    monkeypatch.setattr(dual_window, "BLOCK_ELEMENTS", 1)
    np.testing.assert_allclose(LRX(5, 9).score(cube), whole, rtol=1e-6)


def test_a_flat_region_scores_zero() -> None:
    cube = simulate(20, 20, 12, seed=1).cube.astype(np.float64)
    cube[:12, :12] = cube[0, 0]
    for outer in (5, 7):  # 16 and 40 pixels
        assert LRX(3, outer).score(cube)[:8, :8].max() < 1e-12


def test_a_small_target_stands_out_if_the_inner_window_covers_it() -> None:
    scene = simulate(24, 24, 20, seed=2, anomalies=0)
    cube = scene.cube.astype(np.float64)
    cube[10:13, 10:13] = cube[10:13, 10:13, ::-1] + 0.2
    guarded, open_ = LRX(5, 11).score(cube), LRX(1, 11).score(cube)
    assert np.unravel_index(guarded.argmax(), guarded.shape) in {
        (row, column) for row in (10, 11, 12) for column in (10, 11, 12)
    }
    assert guarded[11, 11] / np.median(guarded) > 10 * open_[11, 11] / np.median(open_)


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="'inner' is 4; expected an odd number"):
        LRX(inner=4)
    with pytest.raises(InputError, match=r"'delta' is 0\.0; expected a number above 0"):
        LRX(delta=0)
    with pytest.raises(InputError, match="'outer' is 21, larger than the image of 20 × 40"):
        LRX().score(simulate(20, 40, 6, seed=0))


@pytest.mark.parametrize(("inner", "outer"), [(3, 5), (3, 11)])
def test_a_delta_lost_in_rounding_is_refused(inner, outer) -> None:
    cube = simulate(16, 16, 20, seed=0).cube.astype(np.float64)
    cube[:, :, 1] = cube[:, :, 0]
    with pytest.raises(InputError, match="'delta' is 1e-30, lost in the rounding"):
        LRX(inner, outer, delta=1e-30).score(cube)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "pd_pf", "pf_tau"),
    [
        ("sandiego", 0.9735, 0.0014),
        ("hydice", 0.9928, 0.0038),
        ("coast", 0.9680, 0.0002),
        ("pavia", 0.9760, 0.0157),
    ],
)
def test_lrx_on_the_real_scenes(name: str, pd_pf: float, pf_tau: float) -> None:
    """Measured before, by another program with the same definition; not the paper's values."""
    try:
        scene = datasets.load(name, download=False)
    except InputError as error:
        pytest.skip(str(error))
    found = metrics.evaluate(LRX().score(scene), scene.truth)
    assert (round(found["auc_pd_pf"], 4), round(found["auc_pf_tau"], 4)) == (pd_pf, pf_tau)
