"""What a fit has computed is taken for the same pixels and weights alone, and once."""

import keras
import numpy as np

from lren_tf import Scene
from lren_tf.model.first_score import FirstScore
from lren_tf.model.inputs import as_model_input

CUBE = np.random.default_rng(0).normal(size=(4, 5, 3))
EVIDENCE = object()


def kept(cube, weights):
    first = FirstScore()
    first.keep(weights, as_model_input(cube), EVIDENCE)
    return first


def test_the_same_pixels_and_weights_once():
    weights = [keras.Variable([1.0, 2.0])]
    first = kept(CUBE, weights)
    assert first.take(weights, as_model_input(Scene(CUBE.copy()))) is EVIDENCE
    assert first.take(weights, as_model_input(CUBE)) is None


def test_nothing_where_nothing_was_kept():
    first = FirstScore()
    first.keep([], as_model_input(CUBE), None)
    assert first.take([], as_model_input(CUBE)) is None


def test_not_for_other_pixels_places_bands_or_weights():
    weights = [keras.Variable([1.0, 2.0])]
    changed = CUBE.copy()
    first = kept(changed, weights)
    changed[3, 4, 2] += 1  # in place
    assert first.take(weights, as_model_input(changed)) is None
    valid = np.ones((4, 5), bool)
    valid[0, 0] = False
    bands = np.array([True, False, True])
    for other in (
        CUBE.reshape(5, 4, 3), CUBE.reshape(20, 3), CUBE.astype(np.float32),
        Scene(CUBE, valid=valid), Scene(CUBE, good_bands=bands),
    ):  # fmt: skip
        assert kept(CUBE, weights).take(weights, as_model_input(other)) is None
    first = kept(CUBE, weights)
    weights[0].assign([1.0, 3.0])
    assert first.take(weights, as_model_input(CUBE)) is None
