"""The score of LSDM-MoG, and its refusals; the decomposition has tests of its own."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.lsdm_mog import LSDMMoG, noise_distance
from lren_tf.detectors.parts.mog_rpca import factorise
from lren_tf.errors import InputError


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return simulate(32, 30, 40, seed=1).cube.astype(np.float64)


def test_the_score_is_the_distance_to_the_quietest_pixel() -> None:
    rng = np.random.default_rng(2)
    Y = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 12)) + 0.1 * rng.normal(size=(40, 12))
    Y[3, 4:7] += 1.5
    fit = factorise(Y, 2, 2, rng)
    best = None
    for R in fit.responsibilities:
        noise = R * fit.residual
        if best is None or noise.max() - noise.min() > best.max() - best.min():
            best = noise
    norms = [sum(abs(value) for value in pixel) for pixel in best]
    reference = best[norms.index(min(norms))]
    plain = [sum(abs(value) for value in pixel - reference) for pixel in best]
    np.testing.assert_allclose(noise_distance(fit), plain)
    assert int(np.argmax(plain)) == 3


def test_simulated_targets_stand_out_from_a_background_of_fewer_columns() -> None:
    """With more columns than its five endmembers need, the background learns the targets."""
    scene = simulate(48, 48, 60, seed=5, endmembers=5)
    assert metrics.auc_pd_pf(LSDMMoG(rank=4).score(scene), scene.truth) > 0.99


@pytest.mark.data
@pytest.mark.parametrize(("name", "area"), [("sandiego", 0.9305), ("pavia", 0.9528)])
def test_real_scenes_score_as_measured_before(name: str, area: float) -> None:
    """No published value exists for these scenes."""
    try:
        scene = datasets.load(name, download=False)
    except InputError as error:
        pytest.skip(str(error))
    assert metrics.auc_pd_pf(LSDMMoG().score(scene), scene.truth) == pytest.approx(area, abs=2e-3)


def test_gains_and_offsets_of_bands_change_nothing(cube: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    changed = cube * rng.uniform(0.5, 9, cube.shape[2]) + rng.normal(size=cube.shape[2])
    ours, other = (LSDMMoG(rank=8).score(each) for each in (cube, changed))
    np.testing.assert_allclose(other, ours, rtol=1e-4, atol=1e-5 * ours.max())


def test_constant_bands_are_left_out(cube: np.ndarray) -> None:
    constant = np.full((*cube.shape[:2], 1), 7.0)
    wider = np.concatenate([cube[:, :, :5], constant, cube[:, :, 5:]], axis=2)
    detector = LSDMMoG(rank=8)
    np.testing.assert_array_equal(detector.score(wider), detector.score(cube))


def test_the_seed_draws_the_start(cube: np.ndarray) -> None:
    maps = [LSDMMoG(rank=8, iterations=2, seed=seed).score(cube) for seed in (0, 1, 0)]
    np.testing.assert_array_equal(maps[0], maps[2])
    assert not np.array_equal(maps[0], maps[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "'rank' is 0; expected 1 or more"),
        ({"components": 1.5}, "'components' is 1.5; expected a whole number"),
        ({"prior": 0}, "'prior' is 0.0; expected a number above 0"),
        ({"prune_ratio": 0.5}, "'prune_ratio' is 0.5; expected 1 or more"),
        ({"tolerance": -1}, "'tolerance' is -1.0; expected a number above 0"),
        ({"iterations": 0}, "'iterations' is 0; expected 1 or more"),
        ({"seed": -1}, "'seed' is -1; expected 0 or more"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LSDMMoG(**settings)  # type: ignore[arg-type]


def test_a_rank_that_leaves_no_noise_is_refused(cube: np.ndarray) -> None:
    narrow = cube[:, :, :20].copy()
    narrow[:, :, 3] = 1.0
    with pytest.raises(InputError, match=r"'rank' is 20 for 960 pixels × 19 varying bands.* 18 or"):
        LSDMMoG().score(narrow)
