"""Scenes made to break the arithmetic: training, history and scores stay finite.

Each is small and hostile in one way that real data are: repeated pixels, dead or copied
bands, saturation, huge offsets, hot pixels, hardly more pixels than components.
"""

import functools
import warnings

import numpy as np
import pytest

from lren_tf import LREN
from lren_tf.datasets import simulate
from lren_tf.training.optimizer import make_optimizer

EPOCHS = 25
SMALL = {"hidden_units": 16, "estimator_units": 8, "learning_rate": 1e-3}


def base(height=10, width=10, bands=12, seed=0):
    return simulate(height, width, bands, seed=seed).cube.astype(np.float64)


def rng():
    return np.random.default_rng(7)


def duplicate_pixels():
    cube = base()
    cube[:9] = cube[0, 0]
    return cube


def all_but_one_pixel_equal():
    cube = np.tile(base()[0, 0], (10, 10, 1))
    cube[5, 5] *= 2
    return cube


def three_distinct_spectra():
    return base()[0, :3][rng().integers(3, size=(10, 10))]


def seven_distinct_spectra():
    # As many as components: each component may collapse on one of them.
    return base()[0, :7][rng().integers(7, size=(10, 10))]


def copied_bands():
    return np.repeat(base()[..., :1], 12, axis=2)


def near_singular_bands():
    return base()[..., :1] + 1e-9 * rng().normal(size=(10, 10, 12))


def bands_of_every_scale():
    return base() * 10.0 ** np.linspace(-12, 12, 12)


def one_giant_outlier():
    cube = base()
    cube[3, 3] *= 1e8
    return cube


def one_hot_value():
    cube = base()
    cube[3, 3, 3] = 1e30
    return cube


def heavy_tails():
    return rng().standard_cauchy(size=(10, 10, 12))


def fill_values():
    cube = base()
    cube[2:4] = -3.4e38
    return cube


def saturated_integers():
    return np.clip(base() * 40000, 0, 20000).round().astype(np.uint16)


def two_levels():
    return (base() > np.median(base())).astype(np.uint8)


def huge_offset_small_spread():
    return base() + 1e6


def tiny_values():
    return base() * 1e-30


def large_values():
    return base() * 1e30


def barely_more_pixels_than_components():
    return base(2, 4)


def as_many_pixels_as_components():
    return base(1, 7)


def a_single_band():
    return base(bands=1)


def more_bands_than_pixels():
    return base(4, 4, 60)


def mostly_constant_bands():
    cube = base()
    cube[..., 1:] = 5.0
    cube[0, 0, 5] = 6.0
    return cube


def a_ramp():
    # Perfectly correlated with position and between bands, one negative.
    return np.arange(100.0).reshape(10, 10, 1) * np.linspace(-1, 1, 12)


SCENES = (
    duplicate_pixels, all_but_one_pixel_equal, three_distinct_spectra, seven_distinct_spectra,
    copied_bands, near_singular_bands, bands_of_every_scale, one_giant_outlier, one_hot_value,
    heavy_tails, fill_values, saturated_integers, two_levels, huge_offset_small_spread,
    tiny_values, large_values, barely_more_pixels_than_components, as_many_pixels_as_components,
    a_single_band, more_bands_than_pixels, mostly_constant_bands, a_ramp,
)


@functools.cache
def started(preset, bands):
    """A built model with the weights and optimiser state it starts from."""
    model = LREN(preset, **SMALL)
    model.build((None, bands))
    model.compile(optimizer=make_optimizer(model.settings), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model, model.get_weights(), [v.numpy() for v in model.optimizer.variables]


def new_model(preset, cube):
    """A model at its start; scenes of one size share a graph, since tracing is what costs."""
    if (cube == cube[:1, :1]).all(axis=(0, 1)).any():
        return LREN(preset, **SMALL)  # constant bands change the network
    model, weights, state = started(preset, cube.shape[2])
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, state, strict=True):
        variable.assign(value)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "release"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_training_and_scores_stay_finite(scene, preset):
    cube = scene()
    model = new_model(preset, cube)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*constant bands are dropped")
        history = model.fit(cube, epochs=EPOCHS, verbose=0).history
    assert all(len(values) == EPOCHS for values in history.values())
    assert all(np.isfinite(values).all() for values in history.values())
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.get_weights())
    scores = model.score(cube)
    assert scores.shape == cube.shape[:2]
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


@pytest.mark.slow
def test_collapsing_components_stay_finite():
    # Long enough at a high rate for covariances to shrink towards the floor.
    cube = three_distinct_spectra()
    model = LREN("paper", **SMALL | {"learning_rate": 3e-3})
    history = model.fit(cube, epochs=250, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.score(cube)).all()
    variances = np.diagonal(model.mixture.Gamma[model.mixture.alive], axis1=1, axis2=2)
    assert variances.min() < 1e-3  # the scene does what it is here for
