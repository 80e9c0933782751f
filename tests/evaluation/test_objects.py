"""Objects found and missed, counted by hand and pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import metrics
from lren_tf.errors import InputError
from lren_tf.evaluation.objects import JudgedObjects, truth_objects

TRUTH = np.zeros((20, 20), np.uint8)
TRUTH[2:4, 2:4] = 7
TRUTH[4, 4] = 1  # touches the square at a corner
TRUTH[10, 10] = 1
TRUTH[15:18, 5] = 1


def scores(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=TRUTH.shape) + 2 * (TRUTH > 0), 1)


def test_objects_touch_at_corners():
    labels = truth_objects(TRUTH)
    assert labels.max() == 3
    assert labels[2, 2] == labels[4, 4] != labels[10, 10]
    assert truth_objects(TRUTH, TRUTH != 7).max() == 3


def test_found_objects_and_false_alarms():
    score = np.zeros(TRUTH.shape)
    score[3, 3] = 5  # one pixel of the first object
    score[10, 10:12] = 5, 4  # the second, and a pixel beside it in the same group
    score[0, 18:20] = 4  # a group of two without an object
    record = JudgedObjects.of(score, TRUTH).record(250_000.0)
    # Of 391 background pixels 3 may exceed the cut: it lies at 0.
    assert record == {
        "count": 3,
        "area_km2": 100.0,
        "at_1_percent": {"found": 2 / 3, "false_alarms": 1, "false_alarms_per_km2": 0.01},
        # None may: the cut lies at 4.
        "at_1_permille": {"found": 2 / 3, "false_alarms": 0, "false_alarms_per_km2": 0.0},
    }
    unknown = JudgedObjects.of(score, TRUTH).record()
    assert unknown["area_km2"] is None
    assert unknown["at_1_percent"]["false_alarms_per_km2"] is None
    assert unknown["at_1_percent"]["false_alarms"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_objects_make_up_the_areas(seed):
    score = scores(seed)
    objects = JudgedObjects.of(score, TRUTH).scores()
    assert objects.pixels.tolist() == [5, 1, 3]
    weighted = {"area": objects.placement, **objects.detected}
    means = {name: np.average(each, weights=objects.pixels) for name, each in weighted.items()}
    assert means["area"] == pytest.approx(metrics.auc_pd_pf(score, TRUTH))
    assert means["1_percent"] == pytest.approx(metrics.pd_at_pf(score, TRUTH, 0.01))
    assert means["1_permille"] == pytest.approx(metrics.pd_at_pf(score, TRUTH, 0.001))


def test_pixels_without_data_are_nobody_s():
    score = scores()
    score[10, 10] = score[2:4, 2:4] = np.nan  # all of one object, most of another
    score[0] = np.nan
    objects = JudgedObjects.of(score, TRUTH).scores()
    assert objects.pixels.tolist() == [1, 3]
    record = JudgedObjects.of(score, TRUTH).record(1e6)
    assert (record["count"], record["area_km2"]) == (2, 400 - 25)
    hidden = np.ma.masked_array(np.where(np.isnan(score), 9.0, score), np.isnan(score))
    assert JudgedObjects.of(hidden, TRUTH).record(1e6) == record
    masked = np.ma.masked_array(TRUTH, np.isnan(score))
    assert JudgedObjects.of(np.where(np.isnan(score), 9.0, score), masked).record(1e6) == record


def test_refusals():
    with pytest.raises(InputError, match="no anomalous pixel"):
        JudgedObjects.of(scores(), 0 * TRUTH)
    with pytest.raises(InputError, match="expected rows × columns"):
        JudgedObjects.of(scores().ravel(), TRUTH.ravel())
    with pytest.raises(InputError, match="expected equal shapes"):
        JudgedObjects.of(scores()[:5], TRUTH)
