"""The fused score: what enters it, what it is compared with, and on which pixels."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.evidence.calibration import calibration, decades, with_background_tail
from lren_tf.evidence.fusion import (
    KEPT,
    TRIMMED,
    WEIGHTS,
    Samples,
    compared,
    estimated,
    shares,
)
from lren_tf.evidence.structure import standing_out, structure
from lren_tf.evidence.surroundings import scene_moments, surroundings
from lren_tf.settings import EVIDENCE

SHAPE = (24, 31)


def scene(shape=SHAPE, valid=None, seed=1):
    rng = np.random.default_rng(seed)
    n = shape[0] * shape[1] if valid is None else int(valid.sum())
    energy = rng.gamma(2, size=n)
    energy[[20, 45]] += 30
    return Samples(
        tf.constant(energy),
        tf.constant(rng.normal(size=(n, 3))),
        [tf.constant(rng.normal(size=(n, 4)) + energy[:, None]) for _ in range(2)],
        shape,
        valid,
    )


def plain(samples):
    """The formulas of the module, on a whole image."""

    def image(rows):
        return tf.reshape(rows, [*samples.grid, *rows.shape[1:]])

    def calibrated(values):
        return decades(values, calibration(tf.reshape(values, [-1])))

    def standing(total):
        return standing_out(total[..., None])[..., 0] + KEPT * total

    a = calibrated(image(samples.energy))
    b = calibrated(structure(image(samples.components)))
    guess = standing(a + b).numpy()
    count = int(TRIMMED * guess.size)
    weights = np.ones(samples.grid)
    for values in (guess, a.numpy()):
        weights.flat[np.argsort(values, axis=None)[guess.size - count:]] = 0
    distances = []
    for features in samples.features:
        of_scene = scene_moments(features, weights.reshape(-1))
        distances.append(surroundings(image(features), tf.constant(weights), of_scene).numpy())
    c = calibrated(np.mean(distances, axis=0))
    total = sum(w * each for w, each in zip(WEIGHTS.values(), (a, b, c), strict=True))
    raw = tf.reshape(standing(total), [-1])
    score = decades(raw, with_background_tail(calibration(raw), raw))
    return [each.numpy().ravel() for each in (score, a, b, c)]


def test_the_score_is_that_of_the_formulas():
    _, weighed = estimated(scene(), EVIDENCE)
    expected = plain(scene())
    for found, values in zip([weighed.score, *weighed.evidence.values()], expected, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-12)
    assert tuple(weighed.evidence) == EVIDENCE == tuple(WEIGHTS)


@pytest.mark.parametrize(
    "evidence",
    [("spectrum",), ("structure",), ("surroundings",), ("spectrum", "surroundings"), EVIDENCE],
)
def test_a_scene_compared_with_itself_has_the_score_of_its_estimate(evidence):
    reference, weighed = estimated(scene(), evidence)
    again = compared(scene(), evidence, reference)
    np.testing.assert_array_equal(weighed.score, again.score)
    assert tuple(again.evidence) == evidence
    score = weighed.score.numpy()
    assert np.isfinite(score).all()
    # Most pixels of an image have no structure at all.
    assert len(np.unique(score)) == score.size or evidence == ("structure",)


def test_another_scene_is_compared_with_the_first():
    reference, _ = estimated(scene(), EVIDENCE)
    other = compared(scene((20, 26), seed=2), EVIDENCE, reference)
    _, own = estimated(scene((20, 26), seed=2), EVIDENCE)
    assert np.isfinite(other.score).all()
    assert not np.allclose(other.score, own.score)


def test_pixels_without_data_are_in_no_sum():
    """A hole at the edge is no image there: the others score as on the smaller image."""
    valid = np.ones(SHAPE, bool)
    valid[:, 25:] = False
    small = scene((24, 25))
    _, expected = estimated(small, EVIDENCE)
    _, found = estimated(small._replace(grid=SHAPE, valid=valid), EVIDENCE)
    np.testing.assert_allclose(found.score, expected.score, rtol=1e-9)


def test_a_table_is_scored_by_its_spectrum_alone():
    table = scene()._replace(grid=(SHAPE[0] * SHAPE[1],))
    reference, weighed = estimated(table, EVIDENCE)
    assert tuple(reference.calibrations) == tuple(weighed.evidence) == ("spectrum",)
    np.testing.assert_array_equal(
        weighed.score, decades(table.energy, calibration(table.energy))
    )
    np.testing.assert_array_equal(compared(table, EVIDENCE, reference).score, weighed.score)


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (2, 50), (1, 60)])
def test_narrow_images_have_scores(shape):
    reference, weighed = estimated(scene(shape), EVIDENCE)
    assert np.isfinite(weighed.score).all()
    np.testing.assert_array_equal(
        compared(scene(shape), EVIDENCE, reference).score, weighed.score
    )


def test_shares_are_of_the_weighted_sum():
    found = shares({"spectrum": 2.0, "structure": 1.0, "surroundings": -0.5})
    total = 2 * WEIGHTS["spectrum"] + WEIGHTS["structure"]
    assert found == {
        "spectrum": 2 * WEIGHTS["spectrum"] / total,
        "structure": WEIGHTS["structure"] / total,
        "surroundings": 0.0,
    }
    assert shares({"spectrum": 0.0}) == {"spectrum": 0.0}
