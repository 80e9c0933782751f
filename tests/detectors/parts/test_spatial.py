"""The map filters against plain loops over thresholds, objects and windows."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import ndimage

from lren_tf.detectors.parts.spatial import area_opening, attribute_difference, guided_filter
from lren_tf.errors import InputError

RNG = np.random.default_rng(5)


CORNERS = np.ones((3, 3))


def opened(f: np.ndarray, area: int, touching: np.ndarray | None = CORNERS) -> np.ndarray:
    """Area opening by threshold decomposition: the highest level at which an object is large."""
    out = np.full(f.shape, f.min())
    for level in np.unique(f):
        labels, count = ndimage.label(f >= level, structure=touching)
        for label in range(1, count + 1):
            inside = labels == label
            if inside.sum() >= area:
                out[inside] = level
    return out


def windowed(f: np.ndarray, row: int, column: int, radius: int) -> np.ndarray:
    return f[
        max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1
    ]


def guided(I: np.ndarray, p: np.ndarray, radius: int, eps: float) -> np.ndarray:
    a, b = np.empty_like(I), np.empty_like(I)
    for place in np.ndindex(I.shape):
        w, q = windowed(I, *place, radius), windowed(p, *place, radius)
        a[place] = ((w * q).mean() - w.mean() * q.mean()) / (w.var() + eps)
        b[place] = q.mean() - a[place] * w.mean()
    out = np.empty_like(I)
    for place in np.ndindex(I.shape):
        mean_a = windowed(a, *place, radius).mean()
        out[place] = mean_a * I[place] + windowed(b, *place, radius).mean()
    return out


@pytest.mark.parametrize("area", [1, 3, 9])
def test_attribute_difference_equals_its_threshold_decomposition(area: int) -> None:
    f = np.rint(ndimage.gaussian_filter(RNG.normal(size=(17, 14)), 1.0) * 20)
    closed = -opened(-f, area)
    expected = (f - opened(f, area)) + (closed - f)
    np.testing.assert_array_equal(attribute_difference(f, area, corners=True), expected)
    assert expected.max() > 0 or area == 1


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (2, 40), (40, 2), (3, 9)])
def test_narrow_maps_equal_their_threshold_decomposition(
    shape: tuple[int, int], corners: bool
) -> None:
    touching = np.ones((3, 3)) if corners else None
    for seed in range(20):
        f = np.random.default_rng(seed).integers(0, 6, shape).astype(np.float64)
        for area in (2, 4, 9):
            wide = opened(f, area, touching)
            np.testing.assert_array_equal(area_opening(f, area, corners=corners), wide)
            expected = (f - wide) + (-opened(-f, area, touching) - f)
            np.testing.assert_array_equal(attribute_difference(f, area, corners=corners), expected)


def test_small_objects_of_either_sign_stay_and_large_ones_go() -> None:
    f = np.zeros((20, 20))
    f[2:4, 2:4] = 3.0  # small, bright
    f[10, 3:6] = -2.0  # small, dark
    f[8:16, 9:17] = 5.0  # large
    expected = np.zeros_like(f)
    expected[2:4, 2:4] = 3.0
    expected[10, 3:6] = 2.0
    np.testing.assert_array_equal(attribute_difference(f, 25, corners=True), expected)


def test_pixels_that_touch_at_corners_are_one_object() -> None:
    f = np.eye(8)
    assert not attribute_difference(f, 8, corners=True).any()
    assert attribute_difference(f, 9, corners=True).any()


def test_without_scikit_image_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match=r"pip install 'lren-tf\[detectors\]'"):
        attribute_difference(np.eye(3), 2, corners=True)


@pytest.mark.parametrize(("radius", "eps"), [(1, 0.01), (3, 0.5), (20, 0.1)])
def test_guided_filter_equals_plain_windows(radius: int, eps: float) -> None:
    I, p = RNG.normal(size=(2, 12, 9))
    np.testing.assert_allclose(
        guided_filter(I, p, radius, eps), guided(I, p, radius, eps), rtol=1e-9, atol=1e-12
    )


def test_guided_filter_does_not_mind_where_the_guide_starts() -> None:
    I = RNG.normal(size=(15, 15))
    np.testing.assert_allclose(
        guided_filter(I + 1e6, I, 2, 0.01), guided_filter(I, I, 2, 0.01), rtol=1e-6, atol=1e-7
    )
