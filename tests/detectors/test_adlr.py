"""ADLR: its steps put together, what it refuses, what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from lren_tf import datasets, detectors, metrics
from lren_tf.data.scene import Scene
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.adlr import ADLR
from lren_tf.errors import InputError


def by_the_paper(S: np.ndarray, D: np.ndarray, lam: float) -> np.ndarray:
    """E of min ‖Z‖_* + λ‖E‖₁ s.t. S = D Z + E, columns as pixels, by SVD of the long matrix."""
    m, n = D.shape[1], S.shape[1]
    Z, E, Y1, Y2 = np.zeros((m, n)), np.zeros_like(S), np.zeros_like(S), np.zeros((m, n))
    inverse = np.linalg.inv(D.T @ D + np.eye(m))
    mu = 1e-6
    for _ in range(1000):
        U, sigma, Vt = np.linalg.svd(Z + Y2 / mu, full_matrices=False)
        J = U * np.maximum(sigma - 1 / mu, 0) @ Vt
        Z = inverse @ (D.T @ (S - E) + J + (D.T @ Y1 - Y2) / mu)
        R = S - D @ Z + Y1 / mu
        E = np.sign(R) * np.maximum(np.abs(R) - lam / mu, 0)
        first, second = S - D @ Z - E, Z - J
        if max(np.abs(first).max(), np.abs(second).max()) < 1e-6:
            break
        Y1 += mu * first
        Y2 += mu * second
        mu = min(1.1 * mu, 1e10)
    return E


@pytest.mark.parametrize("lam", [0.02, 0.05])
def test_the_low_rank_step_is_the_papers(lam: float) -> None:
    """The library's solver, order J W A, against the steps J, Z, E in plain NumPy."""
    rng = np.random.default_rng(3)
    S = softmax(3 * rng.standard_normal((400, 5)), axis=1)
    S[::97] = softmax(9 * rng.standard_normal((5, 5)), axis=1)
    D = S[rng.choice(400, 12, replace=False)]
    E = ADLR(lam=lam)._anomalous_part(S, D)
    expected = by_the_paper(S.T, D.T, lam).T
    assert 0 < np.count_nonzero(np.abs(expected) > 1e-4) < expected.size
    np.testing.assert_allclose(E, expected, atol=2e-5)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return simulate(40, 40, 30, seed=1, anomalies=3)


def test_implanted_targets_are_found(scene: Scene) -> None:
    """The targets are the pixels that the background's endmembers cannot mix."""
    score = ADLR().score(scene)
    assert metrics.auc_pd_pf(score, scene.truth) > 0.9


def test_seeds_give_their_own_maps(scene: Scene) -> None:
    first, again, other = (ADLR(seed=seed).score(scene) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_global_random_state_is_left_alone(scene: Scene) -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    ADLR().score(scene)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_unit_of_the_cube_does_not_matter(scene: Scene) -> None:
    cube = scene.cube.astype(np.float64)
    np.testing.assert_array_equal(ADLR().score(1024 * cube), ADLR().score(cube))


def test_signed_or_absolute() -> None:
    """On one E: the sum of its entries, or of their magnitudes."""
    cube = simulate(24, 24, 20, seed=2).cube.astype(np.float64)
    signed, absolute = ADLR().score(cube), ADLR(signed=False).score(cube)
    assert signed.min() < 0
    assert (absolute >= np.abs(signed) - 1e-6).all()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("endmembers", 1, "'endmembers' is 1; expected 2 or more"),
        ("endmembers", 2.5, "'endmembers' is 2.5; expected a whole number"),
        ("volume_weight", -1.0, "'volume_weight' is -1.0; expected 0 or a number above 0"),
        ("iterations", -1, "'iterations' is -1; expected 0 or more"),
        ("bandwidth", 0.0, "'bandwidth' is 0.0; expected a number above 0"),
        ("lam", float("nan"), "'lam' is nan; expected a finite number"),
        ("seed", -1, "'seed' is -1; expected 0 or more"),
        ("signed", 1, "'signed' is 1; expected True or False"),
    ],
)
def test_bad_settings_are_refused(setting: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        detectors.create("adlr", **{setting: value})


@pytest.mark.parametrize("shape", [(24, 24, 5), (1, 5, 20)])
def test_more_endmembers_than_bands_or_pixels_are_refused(shape: tuple[int, ...]) -> None:
    cube = np.random.default_rng(0).uniform(size=shape)
    with pytest.raises(InputError, match=r"'endmembers' is 6, but the cube has \d+ pixels"):
        ADLR().score(cube)


def test_more_endmembers_than_materials_are_refused() -> None:
    rng = np.random.default_rng(0)
    cube = rng.dirichlet(np.ones(4), (20, 20)) @ rng.uniform(size=(4, 15))
    with pytest.raises(InputError, match="mixtures of only 4"):
        ADLR().score(cube)


def test_a_weight_that_leaves_no_background_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match=r"background part is zero.* expected more"):
        ADLR(lam=1e-5).score(scene)


def test_a_weight_that_leaves_no_anomaly_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match=r"anomalous part is zero.* expected less"):
        ADLR(lam=1e3).score(scene)


def test_the_default_weight_is_that_of_robust_pca(scene: Scene) -> None:
    np.testing.assert_array_equal(ADLR().score(scene), ADLR(lam=1 / 40).score(scene))


@pytest.mark.data
def test_pavia() -> None:
    """The anomalies come out with the default weight; the release's leaves nothing to see."""
    try:
        pavia = datasets.load("pavia", download=False)
    except InputError as error:
        pytest.skip(str(error))
    assert metrics.auc_pd_pf(ADLR().score(pavia), pavia.truth) > 0.9
    with pytest.raises(InputError, match=r"'lam' is 0.15, .* anomalous part is zero"):
        ADLR(lam=0.15).score(pavia)
