"""Every measure against a reference that shares no code with it, and every refusal."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat
from scipy.stats import pearsonr
from sklearn.metrics import roc_curve as sklearn_roc_curve

from lren_tf import metrics
from lren_tf.errors import InputError
from tests.fuzzing import cases

# Two background and two anomalous pixels, one tie across the classes:
# pairs (1>0) (1=1) (3>0) (3>1) -> 3.5 of 4; normalised background 0, 1/3; anomalies 1/3, 1.
SMALL_SCORES = np.array([[0.0, 1.0], [1.0, 3.0]])
SMALL_TRUTH = np.array([[0, 0], [1, 1]])


def pd_at_one_percent(scores, truth):
    return metrics.pd_at_pf(scores, truth, 0.01)


JUDGES = [
    metrics.auc_pd_pf,
    metrics.auc_pf_tau,
    metrics.auc_pd_tau,
    metrics.average_precision,
    metrics.evaluate,
    metrics.paper_grid_auc_pf_tau,
    pd_at_one_percent,
    metrics.roc_curve,
    metrics.box_whisker,
]


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Integer scores (many ties) and a truth that holds both classes."""
    size = draw(st.integers(2, 40))
    values = draw(st.lists(st.integers(-6, 6), min_size=size, max_size=size))
    truth = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    truth[0], truth[1] = True, False
    return np.array(values, float), np.array(truth)


def pair_count(s: np.ndarray, truth: np.ndarray) -> float:
    wins = [1.0 if t > b else 0.5 if t == b else 0.0 for t in s[truth != 0] for b in s[truth == 0]]
    return sum(wins) / len(wins)


def staircase_area(members: np.ndarray, cells: int = 20_000) -> float:
    """Midpoint rule for the integral over [0, 1] of the fraction with score >= tau."""
    tau = (np.arange(cells) + 0.5) / cells
    return float(np.mean([np.mean(members >= t) for t in tau]))


# --- values ---------------------------------------------------------------------------------


def test_hand_computed_values():
    got = metrics.evaluate(SMALL_SCORES, SMALL_TRUTH)
    df, ft, dt = 3.5 / 4, 1 / 6, 2 / 3
    want = {
        "auc_pd_pf": df,
        "auc_pf_tau": ft,
        "auc_pd_tau": dt,
        "auc_td": 0.875 + 2 / 3,
        "auc_bs": 0.875 - 1 / 6,
        "auc_tdbs": 0.5,
        "auc_odp": 1.5,
        "auc_od": 1.375,
        "auc_snpr": 4.0,
        "adp": 2 / 3,
        "bdp": 5 / 6,
        "jad": 0.875 + 2 / 3,
        "jbs": 0.875 + 5 / 6,
        "adbs": 1.5,
        "oadp": 2.375,
        "pd_at_1_percent": 0.5,
        "pd_at_1_permille": 0.5,
        "average_precision": (1 + 2 / 3) / 2,
    }
    assert got == pytest.approx(want, abs=1e-15)
    assert list(got) == list(metrics.FORMULAS)


@given(judged())
def test_auc_pd_pf_counts_pairs(case):
    s, truth = case
    assert metrics.auc_pd_pf(s, truth) == pytest.approx(pair_count(s, truth), abs=1e-12)


@settings(max_examples=cases(15), deadline=None)
@given(judged())
def test_threshold_areas_match_numerical_integration(case):
    s, truth = case
    unit = metrics.normalise(s)
    # One staircase has at most 13 steps, each misplaced by at most half a cell.
    tolerance = 13 * 0.5 / 20_000
    assert metrics.auc_pf_tau(s, truth) == pytest.approx(
        staircase_area(unit[~truth]), abs=tolerance
    )
    assert metrics.auc_pd_tau(s, truth) == pytest.approx(staircase_area(unit[truth]), abs=tolerance)


@given(judged())
def test_evaluate_agrees_with_the_single_functions_and_the_printed_formulas(case):
    s, truth = case
    got = metrics.evaluate(s, truth)
    assert got["auc_pd_pf"] == metrics.auc_pd_pf(s, truth)
    assert got["auc_pf_tau"] == metrics.auc_pf_tau(s, truth)
    assert got["auc_pd_tau"] == metrics.auc_pd_tau(s, truth)
    for name, formula in metrics.FORMULAS.items():
        if "mean of" in formula or "P(" in formula:
            continue
        if name == "auc_snpr" and got["auc_pf_tau"] == 0:
            assert got[name] is None
        else:
            assert got[name] == pytest.approx(eval(formula, {}, dict(got)), abs=1e-12)


@given(judged())
def test_identities_of_the_3d_family(case):
    got = metrics.evaluate(*case)
    assert got["auc_tdbs"] == pytest.approx(got["auc_td"] + got["auc_bs"] - 2 * got["auc_pd_pf"])
    assert got["auc_od"] == pytest.approx(got["auc_pd_pf"] + got["auc_tdbs"])
    assert got["auc_odp"] == pytest.approx(1 + got["auc_tdbs"])
    assert got["oadp"] == pytest.approx(1 + got["auc_od"])
    assert got["oadp"] == pytest.approx((got["jad"] + got["jbs"] + got["adbs"]) / 2)


@given(judged())
def test_average_precision_is_the_mean_of_the_precisions_at_the_anomalies(case):
    s, truth = case
    precisions = [truth[s >= t].mean() for t in s[truth]]
    assert metrics.average_precision(s, truth) == pytest.approx(np.mean(precisions), abs=1e-12)


@given(judged(), st.floats(0, 0.999))
def test_pd_at_pf_is_the_highest_pd_of_the_roc_curve_there(case, pf):
    s, truth = case
    curve = metrics.roc_curve(s, truth)
    assert metrics.pd_at_pf(s, truth, pf) == curve.pd[curve.pf <= pf].max()


@pytest.mark.parametrize(
    ("background", "anomalies", "pf", "want"),
    [
        (np.arange(100), [97.5, 98.5, 99.5, 200], 0.01, 3 / 4),  # one of 100 may exceed 98
        (np.arange(100), [97.5, 98.5, 99.5, 200], 0.001, 2 / 4),  # none may
        (np.arange(100), [98, 99], 0.01, 1 / 2),  # an anomaly that ties with the cut is missed
        (np.arange(100), [69.5, 70.5], 0.29, 1 / 2),  # 0.29 * 100 is below 29 in binary
        (np.repeat([0, 5], [90, 10]), [5, 4, 6], 0.05, 1 / 3),  # ten ties of which five may
        (np.zeros(5), [0, 0], 0.5, 0),
        (np.arange(4), [3, 2.5, 0.5], 0.999, 1),
    ],
)
def test_pd_at_pf_counts_ties_as_stated(background, anomalies, pf, want):
    truth = np.repeat([0, 1], [len(background), len(anomalies)])
    s = np.concatenate((background, anomalies)).astype(float)
    assert metrics.pd_at_pf(s, truth, pf) == pytest.approx(want)
    shuffled = np.random.default_rng(0).permutation(s.size)
    assert metrics.pd_at_pf(s[shuffled], truth[shuffled], pf) == pytest.approx(want)


@given(judged())
def test_operating_points_of_evaluate_do_not_depend_on_the_scale(case):
    s, truth = case
    got = metrics.evaluate(s, truth)
    assert got["pd_at_1_percent"] == metrics.pd_at_pf(1e3 * s - 7, truth, 0.01)
    assert got["pd_at_1_permille"] == metrics.pd_at_pf(s, truth, 0.001)


@pytest.mark.parametrize("pf", [-0.1, 1, 1.5, float("nan"), True, "0.01", None])
def test_pd_at_pf_refuses_what_is_not_a_share(pf):
    with pytest.raises(InputError, match=r"^pf is .*; expected a share of the background pixels"):
        metrics.pd_at_pf(SMALL_SCORES, SMALL_TRUTH, pf)


def test_snpr_has_no_value_without_background_score_and_stays_json():
    got = metrics.evaluate([0, 0, 1], [0, 0, 1])
    assert got["auc_snpr"] is None
    assert [name for name, value in got.items() if value is None] == ["auc_snpr"]
    assert json.loads(json.dumps(got, allow_nan=False)) == got


@given(judged(), st.floats(0.1, 100), st.floats(-100, 100))
def test_every_measure_ignores_a_rising_affine_map(case, gain, offset):
    s, truth = case
    before = metrics.evaluate(s, truth)
    after = metrics.evaluate(gain * s + offset, truth)
    if before["auc_snpr"] is None:  # approx takes no None
        assert before.pop("auc_snpr") is after.pop("auc_snpr")
    assert after == pytest.approx(before, abs=1e-9, rel=1e-9)


@given(judged())
def test_rank_measure_ignores_any_rising_map_and_flips_under_a_falling_one(case):
    s, truth = case
    before = metrics.auc_pd_pf(s, truth)
    assert metrics.auc_pd_pf(np.exp(3 * s), truth) == pytest.approx(before, abs=1e-12)
    assert metrics.auc_pd_pf(-s, truth) == pytest.approx(1 - before, abs=1e-12)
    assert metrics.auc_pd_pf(s, ~truth) == pytest.approx(1 - before, abs=1e-12)


@given(judged(), st.randoms(use_true_random=False))
def test_order_and_shape_of_the_pixels_do_not_matter(case, random):
    s, truth = case
    order = list(range(s.size))
    random.shuffle(order)
    shuffled = metrics.evaluate(s[order].reshape(1, -1), truth[order].reshape(1, -1))
    assert shuffled == pytest.approx(metrics.evaluate(s, truth), abs=1e-12)


def test_rank_measure_keeps_scores_that_the_min_max_cannot_tell_apart():
    s = np.array([1.0, 2.0, 1e30])
    assert metrics.auc_pd_pf(s, [0, 1, 0]) == 0.5
    assert metrics.auc_pd_pf(s, [1, 0, 0]) == 0.0


def test_truth_marks_anomalies_by_any_nonzero_number():
    for truth in ([0, 255, 0, 255], [False, True, False, True], [0.0, -0.5, 0.0, 7.0]):
        assert metrics.auc_pd_pf([0, 1, 1, 3], truth) == 3.5 / 4


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int64", "bool"])
def test_narrow_types_are_widened_before_any_arithmetic(dtype):
    s = np.array([1, 0, 1, 1, 0], dtype)
    truth = np.array([1, 0, 1, 0, 0])
    assert metrics.evaluate(s, truth) == metrics.evaluate(s.astype(float), truth)


def test_integers_do_not_wrap_around():
    got = metrics.normalise(np.array([[-100, 100], [0, 50]], np.int8))
    np.testing.assert_array_equal(got, [[0.0, 1.0], [0.5, 0.75]])


# --- normalise ------------------------------------------------------------------------------


@given(judged())
def test_normalise_spans_the_unit_interval_and_keeps_shape_and_order(case):
    s = case[0].reshape(1, -1, 1)
    unit = metrics.normalise(s)
    assert unit.shape == s.shape
    assert unit.dtype == np.float64
    if np.ptp(s) > 0:
        assert (unit.min(), unit.max()) == (0.0, 1.0)
        np.testing.assert_array_equal(np.argsort(unit, axis=1, kind="stable"),
                                      np.argsort(s, axis=1, kind="stable"))  # fmt: skip


def test_a_constant_map_has_no_anomaly():
    np.testing.assert_array_equal(metrics.normalise(np.full((2, 3), 7)), np.zeros((2, 3)))
    got = metrics.evaluate(np.full(5, 7.0), [0, 1, 0, 0, 1])
    assert (got["auc_pd_pf"], got["auc_pf_tau"], got["auc_pd_tau"]) == (0.5, 0.0, 0.0)


def test_normalise_copies():
    s = np.array([0.0, 0.5, 1.0])
    metrics.normalise(s)[:] = 9
    np.testing.assert_array_equal(s, [0.0, 0.5, 1.0])


def test_the_full_range_of_float64_is_normalised_without_overflow():
    big = np.finfo(np.float64).max
    np.testing.assert_array_equal(metrics.normalise([-big, 0.0, big]), [0.0, 0.5, 1.0])
    got = metrics.evaluate([-big, 0.0, big], [0, 1, 1])
    assert (got["auc_pd_pf"], got["auc_pd_tau"]) == (1.0, 0.75)


# --- the paper's grid -----------------------------------------------------------------------


def grid_helper(s: np.ndarray, truth: np.ndarray) -> float:
    """The helper's recipe, one threshold at a time, on scores already in [0, 1]."""
    background = s[truth == 0]
    tau = [k / 1000 for k in range(-1, 1002)]
    pf = [sum(b > t for b in background) / len(background) for t in tau]
    return sum((pf[i] + pf[i + 1]) / 2 * (tau[i + 1] - tau[i]) for i in range(len(tau) - 1))


@settings(max_examples=cases(15), deadline=None)
@given(judged())
def test_paper_grid_follows_the_recipe(case):
    s, truth = case
    want = grid_helper(metrics.normalise(s), truth)
    assert metrics.paper_grid_auc_pf_tau(s, truth) == pytest.approx(want, abs=1e-12)


def test_paper_grid_lies_one_step_above_the_exact_area():
    rng = np.random.default_rng(0)
    s, truth = rng.gamma(2.0, size=5000), np.arange(5000) < 50
    excess = metrics.paper_grid_auc_pf_tau(s, truth) - metrics.auc_pf_tau(s, truth)
    assert excess == pytest.approx(0.001, abs=2e-5)


# --- ROC curve ------------------------------------------------------------------------------


@given(judged())
def test_roc_curve_is_exact_at_every_threshold(case):
    s, truth = case
    curve = metrics.roc_curve(s, truth)
    unit = metrics.normalise(s)
    assert curve.tau.size == curve.pd.size == curve.pf.size == np.unique(s).size + 1
    for tau, pd, pf in zip(*curve, strict=True):
        assert pd == np.mean(unit[truth] >= tau)
        assert pf == np.mean(unit[~truth] >= tau)


@given(judged())
def test_roc_curve_has_its_ends_its_order_and_its_areas(case):
    s, truth = case
    curve = metrics.roc_curve(s, truth)
    assert np.all(np.diff(curve.tau) < 0)
    assert np.isfinite(curve.tau).all()
    assert (curve.pd[0], curve.pf[0], curve.pd[-1], curve.pf[-1]) == (0, 0, 1, 1)
    assert curve.tau[0] > 1
    assert curve.tau[-1] == 0
    assert curve.auc_pd_pf == pytest.approx(metrics.auc_pd_pf(s, truth), abs=1e-12)
    assert curve.auc_pf_tau == pytest.approx(metrics.auc_pf_tau(s, truth), abs=1e-12)


@given(judged())
def test_roc_curve_agrees_with_scikit_learn(case):
    s, truth = case
    pf, pd, _ = sklearn_roc_curve(truth, s, drop_intermediate=False)
    curve = metrics.roc_curve(s, truth)
    np.testing.assert_allclose(curve.pf, pf, atol=1e-15)
    np.testing.assert_allclose(curve.pd, pd, atol=1e-15)


def test_roc_curve_of_a_constant_map_is_the_diagonal():
    curve = metrics.roc_curve(np.ones(4), [0, 1, 0, 1])
    np.testing.assert_array_equal(curve.pd, [0, 1])
    np.testing.assert_array_equal(curve.pf, [0, 1])
    assert curve.auc_pf_tau == 0


# --- separability ---------------------------------------------------------------------------


def test_box_whisker_by_hand():
    # Background 0..10 and anomalies 20..30 (times 1/30 after the min-max): the p-th percentile
    # of eleven equally spaced values is p/10 steps from the first.
    s = np.concatenate((np.arange(11), np.arange(20, 31)))
    got = metrics.box_whisker(s, s >= 20)
    assert got.background == pytest.approx(np.array([1, 2.5, 5, 7.5, 9]) / 30)
    assert got.anomaly == pytest.approx(np.array([21, 22.5, 25, 27.5, 29]) / 30)
    assert got.separability == pytest.approx(12 / 30)
    assert metrics.BOX_PERCENTILES == (10, 25, 50, 75, 90)


def test_separability_changes_sign_with_the_classes_swapped():
    s = np.arange(22)
    assert metrics.box_whisker(s, s >= 11).separability > 0
    assert metrics.box_whisker(s, s < 11).separability < 0


# --- pearson --------------------------------------------------------------------------------


def test_pearson_agrees_with_scipy():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 7))
    b = a + rng.normal(size=(6, 7))
    assert metrics.pearson(a, b) == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic)


@given(judged(), st.floats(0.5, 100), st.floats(-50, 50))
def test_pearson_of_an_affine_copy_is_one(case, gain, offset):
    s = case[0]
    s[:2] = (-7, 7)  # never constant
    assert metrics.pearson(s, gain * s + offset) == pytest.approx(1.0, abs=1e-9)
    assert metrics.pearson(s, -gain * s + offset) == pytest.approx(-1.0, abs=1e-9)
    assert abs(metrics.pearson(s, s)) <= 1.0


def test_pearson_survives_scores_whose_squares_overflow():
    assert metrics.pearson([1e300, 2e300, 4e300], [1, 2, 4]) == pytest.approx(1.0)


@pytest.mark.parametrize("judge", JUDGES, ids=lambda f: f.__name__)
def test_pixels_without_data_are_left_out(judge):
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(9, 8)), rng.random((9, 8)) < 0.2
    gaps = rng.random((9, 8)) < 0.3
    with_gaps = judge(np.where(gaps, np.nan, scores), truth)
    alone = judge(scores[~gaps], truth[~gaps])
    if isinstance(alone, metrics.RocCurve):
        for found, expected in zip(with_gaps, alone, strict=True):
            np.testing.assert_array_equal(found, expected)
    else:
        assert with_gaps == alone


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("judge", JUDGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"scores has shape \(2, 3\) and truth .* \(3, 2\)"),
        (np.zeros(6), np.zeros((2, 3)), r"scores has shape \(6,\) and truth .* \(2, 3\)"),
        ([1, 2, 3], [0, 0, 0], r"no anomalous pixel \(0 of 3"),
        ([1, 2, 3], [1, 1, 2], r"no background pixel \(all 3"),
        ([1, 2, np.nan], [0, 0, 1], r"no anomalous pixel \(0 of 2 values where"),
        ([1, np.nan, 3], [1, 0, 2], r"no background pixel \(all 2 values where"),
        ([np.nan, np.nan], [0, 1], r"scores holds 2 non-finite .* of 2 \(2 NaN, 0 inf"),
        ([1, np.nan, np.inf], [0, 1, 1], r"scores holds 2 non-finite .* of 3 \(1 NaN, 1 inf"),
        ([1, 2, 3], [0, np.nan, 1], r"truth holds 1 non-finite .* of 3 \(1 NaN, 0 inf"),
        ([1, 2, 3], [0, -np.inf, 1], r"truth holds 1 non-finite .* \(0 NaN, 1 inf"),
        ([], [], r"scores is empty \(shape \(0,\)\)"),
        ([1], [], r"truth is empty"),
        ([1j, 2], [0, 1], "scores has dtype complex128"),
        (["a", "b"], [0, 1], "scores has dtype <U1"),
        ([1, 2], ["0", "1"], "truth has dtype <U1"),
        ([None, 1], [0, 1], "scores has dtype object"),
        ([[1, 2], [3]], [0, 1], "scores does not form one array"),
        (np.ma.array([1, 2, 3], mask=[0, 1, 0]), [0, 1, 0], r"no anomalous pixel \(0 of 2 values"),
        ([1, 2, 3], np.ma.array([0, 1, 1], mask=[1, 0, 0]), r"no background pixel \(all 2 values"),
        ([1, 2], np.ma.array([0, 1], mask=True), r"no anomalous pixel \(0 of 0 values"),
        (np.ma.array([1, 2], mask=True), [0, 1], r"scores holds 2 non-finite .* \(2 NaN, 0 inf"),
    ],
)
def test_every_judge_refuses(judge, scores, truth, message):
    with pytest.raises(InputError, match=message) as refusal:
        judge(scores, truth)
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert "expected" in sentence


@pytest.mark.skipif(np.finfo(np.longdouble).max <= np.finfo(float).max, reason="no long double")
def test_a_long_double_beyond_float64_is_refused():
    with pytest.raises(InputError, match="1 infinite"):
        metrics.normalise(np.array([0, np.finfo(np.longdouble).max]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_what_a_mask_hides_is_left_out(dtype):
    scores = np.array([1, 5, 2, 9, 4, 3], dtype)
    truth = np.array([0, 1, 0, 0, 1, 1])
    in_scores, in_truth = np.arange(6) == 3, np.arange(6) == 5
    kept = ~(in_scores | in_truth)
    found = metrics.evaluate(np.ma.array(scores, mask=in_scores), np.ma.array(truth, mask=in_truth))
    assert found == metrics.evaluate(scores[kept], truth[kept])
    gaps = np.where(in_scores, np.nan, scores)
    assert metrics.evaluate(gaps, np.ma.array(truth, mask=in_truth)) == found


def test_hidden_values_may_be_anything():
    scores = np.ma.array([1.0, 2.0, np.inf, np.nan], mask=[0, 0, 1, 1])
    assert metrics.auc_pd_pf(scores, [0, 1, 1, 0]) == 1.0
    truth = np.ma.array([0.0, 1.0, np.inf, np.nan], mask=[0, 0, 1, 1])
    assert metrics.auc_pd_pf([1, 2, 3, 4], truth) == 1.0


def test_a_truth_that_is_nan_where_the_scores_hold_no_data_is_left_out():
    assert metrics.auc_pd_pf([1, 2, np.nan], [0, 1, np.nan]) == 1.0
    assert metrics.auc_pd_pf([1, 2, np.nan], [0, 1, np.inf]) == 1.0


def test_a_map_with_hidden_values_has_no_range():
    with pytest.raises(InputError, match="masked array with 1 hidden"):
        metrics.normalise(np.ma.array([1, 2, 3], mask=[0, 1, 0]))
    with pytest.raises(InputError, match="b is a masked array"):
        metrics.pearson([1, 2, 3], np.ma.array([1, 2, 3], mask=[0, 1, 0]))


def test_a_masked_array_that_hides_nothing_is_taken():
    assert metrics.auc_pd_pf(np.ma.array([1, 2], mask=[0, 0]), [0, 1]) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "empty"), ([np.nan], "1 NaN"), ([1j], "complex128"), (["x"], "<U1")],
)
def test_normalise_refuses(values, message):
    with pytest.raises(InputError, match=message):
        metrics.normalise(values)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1, 2, 3], r"a has shape \(2,\) and b has shape \(3,\)"),
        ([1, 1], [1, 2], "a holds one value only"),
        ([1, 2], [3, 3], "b holds one value only"),
        ([1, np.nan], [1, 2], "a holds 1 non-finite"),
        ([1, 2], [1, np.inf], "b holds 1 non-finite"),
    ],
)
def test_pearson_refuses(a, b, message):
    with pytest.raises(InputError, match=message):
        metrics.pearson(a, b)


# --- outside --------------------------------------------------------------------------------


@pytest.mark.data
def test_the_released_map_of_san_diego_scores_as_published():
    folder = os.environ.get("LREN_TF_DATA")
    if not folder:
        pytest.skip("LREN_TF_DATA is not set: the released scenes are not at hand")
    scene_file = Path(folder, "sandiego_plane.mat")
    map_file = Path(folder, "published_maps", "sandiego_plane.mat")
    if not (scene_file.is_file() and map_file.is_file()):
        pytest.skip("LREN_TF_DATA holds no sandiego_plane.mat with its published map")
    truth = loadmat(scene_file)["map"]
    score = loadmat(map_file)["array"]
    got = metrics.evaluate(score, truth)
    assert got["auc_pd_pf"] == pytest.approx(0.99002, abs=1e-5)
    assert got["auc_pf_tau"] == pytest.approx(0.00906, abs=1e-5)
    assert math.isclose(metrics.roc_curve(score, truth).auc_pd_pf, got["auc_pd_pf"], abs_tol=1e-12)
