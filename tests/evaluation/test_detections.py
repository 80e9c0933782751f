"""From a score map to a mask and a list of detections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lren_tf.errors import InputError
from lren_tf.evaluation.detections import Detection, find_detections

NAN = np.nan
SCORE = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 9.0],
        [0.0, 3.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 5.0, 0.0, NAN, 0.0],
        [0.0, 3.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 2.0, 2.0, 0.0],
    ],
    np.float32,
)
# 30 m pixels, north up, in UTM zone 33 north.
UTM = (30.0, 0.0, 500_000.0, 0.0, -30.0, 5_000_000.0)


class TestFindDetections:
    def test_every_figure(self):
        found = find_detections(SCORE, 1.0)
        np.testing.assert_array_equal(
            found.mask,
            [
                [0, 0, 0, 0, 0, 1],
                [0, 1, 0, 0, 0, 0],
                [0, 0, 1, 0, 255, 0],
                [0, 1, 0, 0, 0, 0],
                [0, 0, 0, 1, 1, 0],
            ],
        )
        assert found.mask.dtype == np.uint8
        # Corners touch; weights of the centroid are 2, 4 and 2.
        assert found.listed == [
            Detection(1, 1, 0.0, 5.0, 0, 5, 0, 5, 9.0, 0, 5, 9.0),
            Detection(2, 3, 2.0, 1.5, 1, 1, 3, 2, 5.0, 2, 2, pytest.approx(11 / 3)),
            Detection(3, 2, 4.0, 3.5, 4, 3, 4, 4, 2.0, 4, 3, 2.0),
        ]

    def test_the_threshold_itself_is_background(self):
        assert [one.peak_score for one in find_detections(SCORE, 2.0).listed] == [9.0, 5.0]
        assert find_detections(SCORE, 9.0).listed == []
        assert not (find_detections(SCORE, 9.0).mask == 1).any()

    def test_single_precision_is_compared_as_it_is(self):
        score = np.full((2, 2), np.float32(0.1))
        assert find_detections(score, 0.1).listed[0].pixels == 4  # float32(0.1) > 0.1
        assert find_detections(score, float(np.float32(0.1))).listed == []

    def test_small_groups_are_left_out_of_mask_and_list(self):
        found = find_detections(SCORE, 1.0, min_size=2)
        assert [(one.label, one.pixels) for one in found.listed] == [(1, 3), (2, 2)]
        assert np.count_nonzero(found.mask == 1) == 5
        assert found.mask[0, 5] == 0
        assert found.mask[2, 4] == 255
        assert find_detections(SCORE, 1.0, min_size=4).listed == []

    @pytest.mark.parametrize("size", [2, 2.0, np.int8(2), np.uint64(2), np.float64(2)])
    def test_a_whole_number_of_pixels_of_any_type(self, size):
        assert [one.pixels for one in find_detections(SCORE, 1.0, min_size=size).listed] == [3, 2]
        assert find_detections(SCORE, 1.0, min_size=2**70).listed == []

    @given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
    def test_a_centroid_lies_in_its_box(self, seed, height, width):
        rng = np.random.default_rng(seed)
        score = rng.random((height, width)) * 10.0 ** rng.integers(-300, 300, (height, width))
        score *= rng.random((height, width)) < 0.7
        for one in find_detections(score, 0.0).listed:
            assert one.first_row <= one.row <= one.last_row
            assert one.first_column <= one.column <= one.last_column

    @pytest.mark.parametrize("column", [1, 3, 5, 7, 11])
    def test_a_column_of_many_pixels_has_its_centroid_in_it(self, column):
        rng = np.random.default_rng(0)
        for height in range(1, 60):
            score = np.zeros((height, 12))
            score[:, column] = rng.uniform(1, 2, height)
            (one,) = find_detections(score, 0.5).listed
            assert one.column == column
            (one,) = find_detections(score.T, 0.5).listed
            assert one.row == column

    def test_no_data_parts_groups(self):
        score = np.array([[2.0, NAN, 2.0]])
        assert [one.pixels for one in find_detections(score, 1.0).listed] == [1, 1]

    def test_what_a_mask_hides_is_no_data(self):
        hidden = np.isnan(SCORE)
        hidden[2, 2] = True
        score = np.ma.array(np.where(hidden, 1e6, SCORE), mask=hidden)
        found = find_detections(score, 1.0)
        expected = find_detections(np.where(hidden, np.nan, SCORE), 1.0)
        np.testing.assert_array_equal(found.mask, expected.mask)
        assert found.listed == expected.listed
        assert found.mask[2, 2] == 255

    def test_equal_peaks_are_in_the_order_of_the_image(self):
        score = np.zeros((5, 5))
        score[0, 4] = score[2, 0] = score[2, 2] = score[4, 4] = 7.0
        listed = find_detections(score, 1.0).listed
        assert [(one.peak_row, one.peak_column) for one in listed] == [
            (0, 4), (2, 0), (2, 2), (4, 4),
        ]  # fmt: skip
        assert [one.label for one in listed] == [1, 2, 3, 4]

    def test_the_whole_map_and_negative_scores(self):
        score = -np.arange(1.0, 13.0).reshape(3, 4)
        found = find_detections(score, -100.0)
        assert len(found.listed) == 1
        assert found.listed[0].pixels == 12
        assert found.listed[0].mean_score == pytest.approx(-6.5)

    def test_scores_near_the_end_of_double_precision(self):
        score = np.array([[1.5e308, 1.5e308], [-1.5e308, -1.5e308]])
        one = find_detections(score, -1.4e308).listed[0]
        assert (one.row, one.column, one.mean_score) == (0.0, 0.5, pytest.approx(1.5e308))

    def test_as_many_as_a_full_search_finds(self):
        score = np.random.default_rng(0).random((40, 30))
        listed = find_detections(score, 0.8).listed
        left = {(int(r), int(c)) for r, c in np.argwhere(score > 0.8)}
        sizes = []
        while left:
            waiting, size = [left.pop()], 0
            while waiting:
                row, column = waiting.pop()
                size += 1
                touching = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
                left -= touching
                waiting += touching
            sizes.append(size)
        assert sorted(one.pixels for one in listed) == sorted(sizes)
        assert [one.peak_score for one in listed] == sorted(
            (one.peak_score for one in listed), reverse=True
        )

    def test_map_coordinates_are_those_of_pixel_centres(self):
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        assert (listed[0].x, listed[0].y) == (500_000 + 30 * 5.5, 5_000_000 - 30 * 0.5)
        turned = find_detections(SCORE, 1.0, transform=[0, 2, 10, 3, 0, 20]).listed
        assert (turned[0].x, turned[0].y) == (2 * 0.5 + 10, 3 * 5.5 + 20)

    @pytest.mark.parametrize(
        ("score", "threshold", "options", "said"),
        [
            (np.zeros(5), 1.0, {}, r"has shape \(5,\); expected rows × columns"),
            (np.zeros((2, 2), complex), 1.0, {}, "dtype complex128"),
            (np.array([[np.inf]]), 1.0, {}, "holds 1 infinite"),
            (SCORE, NAN, {}, "threshold is nan"),
            (SCORE, "3", {}, "threshold is '3'"),
            (SCORE, None, {}, "threshold is None"),
            (SCORE, True, {}, "threshold is True"),
            (SCORE, 1j, {}, "threshold is 1j"),
            (SCORE, [1.0, 2.0], {}, r"threshold is \[1.0, 2.0\]"),
            (SCORE, 10**400, {}, "expected a finite number"),
            (SCORE, 1.0, {"min_size": 0}, "min_size is 0"),
            (SCORE, 1.0, {"min_size": "2"}, "min_size is '2'"),
            (SCORE, 1.0, {"min_size": None}, "min_size is None"),
            (SCORE, 1.0, {"min_size": True}, "min_size is True"),
            (SCORE, 1.0, {"min_size": 1.5}, "min_size is 1.5"),
            (SCORE, 1.0, {"transform": (1, 2)}, "expected six finite numbers"),
            (SCORE, 1.0, {"transform": 7}, "expected six finite numbers"),
            (SCORE, 1.0, {"transform": (1, 0, NAN, 0, 1, 0)}, "expected six finite numbers"),
            (SCORE, 1.0, {"transform": (1, 2, 0, 2, 4, 0)}, "different pixels at one place"),
        ],
    )
    def test_refusals(self, score, threshold, options, said):
        with pytest.raises(InputError, match=said) as refusal:
            find_detections(score, threshold, **options)
        assert "expected" in str(refusal.value)
        assert str(refusal.value).endswith(".")


class TestStripes:
    score = np.random.default_rng(0).gamma(2.0, 1.0, (40, 30))

    def test_parts_of_a_stripe_are_marked(self):
        score = self.score.copy()
        score[:, 7] += 6
        score[20:23, 18:21] = 30
        listed = find_detections(score, 9.0).listed
        in_column = [one for one in listed if one.first_column == one.last_column == 7]
        assert len(in_column) > 3 and all(one.stripe for one in in_column)
        assert not listed[0].stripe and (listed[0].row, listed[0].column) == (21, 19)
        rows = find_detections(score.T, 9.0).listed
        assert sorted(one.stripe for one in rows) == sorted(one.stripe for one in listed)

    def test_nothing_else_is(self):
        score = self.score.copy()
        score[5:15, 7] = 30
        assert not any(one.stripe for one in find_detections(score, 9.0).listed)
