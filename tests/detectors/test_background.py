"""`Scene.background`: statistics from a region, scores everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf import InputError, datasets, detectors, explain
from lren_tf.data.scene import Scene

CUBE = datasets.simulate(16, 14, 6, seed=4).cube
REGION = np.ones((16, 14), bool)
REGION[5:12, 4:11] = False
MADE = [
    detectors.create("rx"), detectors.create("rx", ridge=1e-2),
    detectors.create("lrx", inner=3, outer=7), detectors.create("crd", inner=3, outer=7),
]  # fmt: skip


def scored(by, cube, region=REGION, **more) -> np.ndarray:
    return by.score(Scene(cube, background=region, **more))


@pytest.mark.parametrize("by", MADE, ids=lambda by: by.name)
class TestRegion:
    def test_a_pixel_outside_changes_its_own_score_alone(self, by):
        changed = CUBE.copy()
        changed[8, 7] += 3.0
        before, after = scored(by, CUBE), scored(by, changed)
        assert after[8, 7] > before[8, 7]
        after[8, 7] = before[8, 7]
        np.testing.assert_array_equal(after, before)

    def test_a_pixel_inside_changes_others(self, by):
        changed = CUBE.copy()
        changed[2, 2] += 3.0
        before, after = scored(by, CUBE), scored(by, changed)
        assert np.count_nonzero(before != after) > 1

    def test_all_is_the_same_as_none(self, by):
        np.testing.assert_array_equal(scored(by, CUBE, np.ones((16, 14))), by.score(CUBE))

    def test_gaps(self, by):
        valid = np.ones((16, 14), bool)
        valid[0, :3] = valid[8, 5] = False
        holed = np.where(valid[..., None], CUBE, np.nan)
        score = scored(by, holed, valid=valid)
        np.testing.assert_array_equal(np.isnan(score), ~valid)


@pytest.mark.parametrize("by", MADE[:3], ids=lambda by: by.name)
def test_explanations_add_up(by):
    scene = Scene(CUBE, background=REGION)
    score = by._scores_of_valid(scene).reshape(16, 14)
    for each in explain.explain_pixels(by, scene, [(8, 7), (1, 1)]):
        assert each.bands.sum() == pytest.approx(score[each.row, each.column], rel=1e-9)


class TestRefusals:
    def test_a_detector_without_a_region(self):
        with pytest.raises(InputError, match="expected rx, lrx, crd or lren"):
            scored(detectors.create("aed"), CUBE)

    @pytest.mark.parametrize(
        ("region", "said"),
        [
            (np.ones((3, 3)), "has shape"),
            (np.arange(224).reshape(16, 14) < 9, "has 9 pixels with data"),
            (np.full((16, 14), np.nan), "NaN or infinite"),
        ],
    )
    def test_regions_that_are_none(self, region, said):
        with pytest.raises(InputError, match="expected") as refusal:
            Scene(CUBE, background=region)
        assert said in str(refusal.value)

    def test_fewer_pixels_than_bands(self):
        cube = datasets.simulate(16, 14, 20, seed=4).cube
        region = np.arange(224).reshape(16, 14) < 15
        with pytest.raises(InputError, match="more pixels than bands"):
            scored(detectors.create("rx"), cube, region)
