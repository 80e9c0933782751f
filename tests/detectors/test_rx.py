"""RX against SPy, and against the values published for the paper's scenes."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.rx import RX
from lren_tf.errors import InputError

spectral = pytest.importorskip("spectral")


def test_rx_equals_spy() -> None:
    cube = simulate(40, 30, 25, seed=1).cube.astype(np.float64)
    np.testing.assert_allclose(RX().score(cube), spectral.rx(cube), rtol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "area"),
    [("sandiego", 0.9403), ("hydice", 0.9763), ("pavia", 0.9887), ("coast", 0.9952)],
)
def test_rx_reproduces_the_published_area(name: str, area: float) -> None:
    """Coast: the released file has 198 bands, the paper's cube 207; there it says .9946."""
    try:
        scene = datasets.load(name, download=False)
    except InputError as error:
        pytest.skip(str(error))
    score = RX().score(scene)
    assert round(metrics.auc_pd_pf(score, scene.truth), 4) == area
    np.testing.assert_allclose(
        score, spectral.rx(scene.cube.astype(np.float64)), rtol=1e-6, atol=1e-6 * score.max()
    )


def test_repeated_and_constant_bands_change_nothing() -> None:
    cube = simulate(30, 30, 12, seed=2).cube.astype(np.float64)
    constant = np.full((30, 30, 1), 3.0)
    wider = np.concatenate([cube, cube[:, :, 4:5], constant], axis=2)
    np.testing.assert_allclose(RX().score(wider), RX().score(cube), rtol=1e-5)
