"""Moments of pixels that are read by chunks, against NumPy on all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lren_tf.detectors.parts import second_moments
from lren_tf.detectors.parts.second_moments import moments, projected, squared_lengths, whitening
from lren_tf.detectors.rx import global_rx


class Counted:
    """Pixels that count how many of them are read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.shape = pixels.shape
        self.read = 0

    def __getitem__(self, pixels):
        found = self._pixels[pixels]
        if isinstance(pixels, slice):
            self.read += len(found)
        return found

    @property
    def passes(self) -> float:
        return self.read / self.shape[0]


@pytest.fixture(autouse=True, params=[1, 50, 1 << 17])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(second_moments, "CHUNK_ELEMENTS", request.param)
    return


def correlated(bands: int = 7, count: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, bands)) @ rng.normal(size=(bands, bands)) + 100


def plain(pixels: np.ndarray) -> np.ndarray:
    """Distances from the lengths of an orthonormal basis' rows."""
    centred = pixels - pixels.mean(axis=0)
    centred -= centred.mean(axis=0)
    return (len(pixels) - 1) * np.square(np.linalg.qr(centred)[0]).sum(axis=1)


def test_moments_are_those_of_numpy() -> None:
    pixels = correlated()
    of = moments(pixels)
    assert of.number == 400 and of.varying.all()
    np.testing.assert_allclose(of.mean, pixels.mean(axis=0), rtol=1e-13)
    scaled = pixels * of.scale
    np.testing.assert_allclose(of.covariance, np.cov(scaled.T, bias=True), rtol=1e-9, atol=1e-11)


def test_projections_and_their_lengths() -> None:
    pixels, matrix = correlated(), np.random.default_rng(1).normal(size=(7, 3))
    of = moments(pixels)
    expected = (pixels - pixels.mean(axis=0)) * of.scale @ matrix
    found = np.concatenate(list(projected(pixels, of, matrix, "test")))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        squared_lengths(pixels, of, matrix), np.square(expected).sum(axis=1), rtol=1e-9
    )


@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_two_passes_suffice_for_most_scenes(ridge: float) -> None:
    pixels = Counted(correlated())
    found = global_rx(pixels, ridge)
    assert pixels.passes == 2
    if not ridge:
        np.testing.assert_allclose(found, plain(correlated()), rtol=1e-9)


def test_a_nearly_singular_covariance_takes_a_third() -> None:
    values = correlated()
    values[:, 6] = values[:, 0] + 1e-6 * values[:, 6]
    pixels = Counted(values)
    np.testing.assert_allclose(global_rx(pixels), plain(values), rtol=1e-5)
    assert pixels.passes == 3


def test_a_constant_band_takes_a_look_at_the_extremes() -> None:
    values = correlated()
    values[:, 3] = 1 / 3
    pixels = Counted(values)
    of = moments(pixels)
    assert pixels.passes == 2 and list(of.varying) == [True] * 3 + [False] + [True] * 3
    expected = plain(np.delete(values, 3, axis=1))
    np.testing.assert_allclose(
        squared_lengths(pixels, of, whitening(pixels, of)), expected, rtol=1e-9
    )


def test_one_pixel_that_differs_by_little_makes_a_band_vary() -> None:
    values = correlated()
    values[:, 3] = 1000.0
    values[77, 3] = np.nextafter(np.float32(1000), np.float32(2000))
    assert moments(values).varying.all()
    assert global_rx(values)[77] == pytest.approx(plain(values)[77], rel=1e-6)


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e-300])
def test_squares_beyond_float64_are_scaled(scale: float) -> None:
    values = correlated()
    unlike = values.copy()
    unlike[:, ::2] *= scale
    np.testing.assert_allclose(global_rx(unlike), plain(values), rtol=1e-8)


def test_a_pilot_far_from_the_mean_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_moments, "_PILOT_PIXELS", 1)  # the first pixel
    values = correlated()
    values[0] = 1e9
    pixels = Counted(values)
    found = moments(pixels)
    np.testing.assert_allclose(found.covariance, np.cov(values.T, bias=True), rtol=1e-9)
    np.testing.assert_allclose(global_rx(values), plain(values), rtol=1e-5)


def test_float32_is_converted_and_not_summed_as_it_is() -> None:
    values = correlated(count=3000).astype(np.float32) + np.float32(1e4)
    np.testing.assert_allclose(global_rx(values), plain(values.astype(np.float64)), rtol=1e-7)
    whole = np.rint(values * 8).astype(np.uint32)
    np.testing.assert_allclose(global_rx(whole), plain(whole.astype(np.float64)), rtol=1e-7)
