"""Standardisation: the values, the bands that are left out, and the digits that are kept."""

import numpy as np
import pytest

from lren_tf.data import standardisation
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.errors import InputError


def pixels(n=500, bands=6, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.gamma(3.0, 200.0, size=(n, bands)) * np.arange(1, bands + 1)).astype(dtype)


def zscore(x):
    x = x.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_bands_get_mean_zero_and_population_deviation_one(method, dtype):
    data = (pixels() % 251).astype(dtype)
    out = standardise(data, fit_scaler(data, method))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, zscore(data), rtol=1e-5, atol=1e-6)


def test_the_zscore_alone_leaves_the_global_range_alone():
    scaler = fit_scaler(pixels(), "zscore")
    assert (scaler.low, scaler.span) == (0, 1)
    np.testing.assert_allclose(scaler.mean, pixels().mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(scaler.std, pixels().std(axis=0), rtol=1e-12)


def test_minmax_takes_the_whole_cube_first():
    data = pixels()
    scaler = fit_scaler(data, "minmax_zscore")
    assert (scaler.low, scaler.span) == (data.min(), data.max() - data.min())
    unit = (data - data.min()) / (data.max() - data.min())
    np.testing.assert_allclose(scaler.mean, unit.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.std, unit.std(axis=0), rtol=1e-12)


def test_the_range_of_integers_does_not_wrap_around():
    data = np.array([[-32768, 0], [32767, 1], [0, 2]], np.int16)
    scaler = fit_scaler(data, "minmax_zscore")
    assert (scaler.low, scaler.span) == (-32768, 65535)
    np.testing.assert_allclose(standardise(data, scaler), zscore(data), rtol=1e-6)


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_constant_bands_are_left_out(method):
    data = np.insert(pixels(), [0, 3], 7.0, axis=1)
    scaler = fit_scaler(data, method)
    assert scaler.used.tolist() == [False, True, True, True, False, True, True, True]
    assert scaler.std[[0, 4]].tolist() == [1, 1]
    np.testing.assert_allclose(standardise(data, scaler), zscore(pixels()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_a_constant_cube_is_refused_by_name(method):
    with pytest.raises(InputError, match="field: all 3 bands are constant"):
        fit_scaler(np.full((10, 3), 5.0), method, what="field")


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_a_spread_that_float64_cannot_square_counts_as_constant(method):
    data = np.zeros((10, 2))
    data[:, 0] = np.arange(10)
    data[3, 1] = 1e-200
    scaler = fit_scaler(data, method)
    assert scaler.used.tolist() == [True, False]
    assert np.isfinite(standardise(data, scaler)).all()


def test_nothing_but_such_bands_is_refused_as_constant():
    # Used to give a scaler without a band, and a network of width 0.
    data = np.zeros((10, 2))
    data[3] = 1e-200
    with pytest.raises(InputError, match="vary by too little"):
        fit_scaler(data, "zscore")


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_a_range_beyond_float64_is_refused(method):
    # max − min and the squares overflow: every standardised value would be NaN or 0.
    data = pixels()
    data[0, 0], data[1, 0] = 1.7e308, -1.7e308
    with pytest.raises(InputError, match="too large"):
        fit_scaler(data, method)


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_a_small_spread_far_from_zero_keeps_its_digits(method):
    # In float32 the spread of 1e-2 at 1e6 would be gone before the mean is taken off.
    small = pixels() / 1e5
    data = small + 1e6
    np.testing.assert_allclose(
        standardise(data, fit_scaler(data, method)), zscore(small), rtol=1e-5, atol=1e-5
    )


def test_other_pixels_are_scaled_by_the_scene_that_was_learned():
    learned, other = pixels(), pixels(seed=1)
    expected = (other - learned.mean(axis=0)) / learned.std(axis=0)
    np.testing.assert_allclose(
        standardise(other, fit_scaler(learned, "zscore")), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_chunks_change_nothing(monkeypatch, method):
    data = np.insert(pixels(), 2, 1.0, axis=1)
    whole = fit_scaler(data, method)
    out = standardise(data, whole)
    monkeypatch.setattr(standardisation, "PIXELS_AT_A_TIME", 7)
    for one, other in zip(fit_scaler(data, method), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_array_equal(standardise(data, whole), out)


def test_the_input_is_not_changed():
    data = pixels()
    standardise(data, fit_scaler(data, "minmax_zscore"))
    np.testing.assert_array_equal(data, pixels())


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
def test_bands_that_are_not_good_play_no_part(method):
    good = np.array([1, 0, 1, 1, 0, 1, 1, 1], bool)
    data = np.insert(pixels(), [1, 3], [1e9, np.nan], axis=1)
    scaler = fit_scaler(data, method, good_bands=good)
    alone = fit_scaler(pixels(), method)
    assert (scaler.low, scaler.span) == (alone.low, alone.span)
    assert scaler.used.tolist() == good.tolist()
    np.testing.assert_array_equal(scaler.mean[good], alone.mean)
    np.testing.assert_array_equal(scaler.std[good], alone.std)
    np.testing.assert_array_equal(standardise(data, scaler), standardise(pixels(), alone))
    # 0 in the data's units, so that a reconstruction has nothing there.
    np.testing.assert_allclose(scaler.mean[~good] * scaler.span + scaler.low, 0, atol=1e-9)


@pytest.mark.parametrize("method", ["zscore", "minmax_zscore"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_many_pixels_are_read_once_and_have_the_statistics_of_all(method, offset, monkeypatch):
    data = np.insert(pixels(n=5000), 2, 7.0, axis=1) + offset
    whole = fit_scaler(data, method)
    monkeypatch.setattr(standardisation, "PIXELS_AT_A_TIME", 100)
    monkeypatch.setattr("lren_tf.data.array_checks.ELEMENTS_AT_A_TIME", 700)
    for found, expected in zip(fit_scaler(data, method), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("at_a_time", [10, 1000])
def test_what_is_not_finite_is_looked_for_where_it_may_be(at_a_time, monkeypatch):
    monkeypatch.setattr(standardisation, "PIXELS_AT_A_TIME", at_a_time)
    data = pixels()
    fit_scaler(data, "zscore", refuse_non_finite=None)

    def refuse():
        raise InputError("found")

    fit_scaler(data, "minmax_zscore", refuse_non_finite=refuse)
    for value in (np.nan, np.inf):
        data[499, 5] = value
        with pytest.raises(InputError, match="found"):
            fit_scaler(data, "zscore", refuse_non_finite=refuse)
    fit_scaler(data, "zscore", good_bands=np.arange(6) < 5, refuse_non_finite=refuse)
