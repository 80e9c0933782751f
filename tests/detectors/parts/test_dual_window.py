"""Dual windows: what is refused, which pixels are in a ring, and blocks of bounded size."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene
from lren_tf.detectors.parts import dual_window
from lren_tf.errors import InputError
from tests.detectors import plain


def image(height: int, width: int, bands: int = 1) -> FilledPixels:
    return FilledPixels(Scene(np.random.default_rng(0).random((height, width, bands))))


@pytest.mark.parametrize(
    ("inner", "outer", "message"),
    [
        (4, 9, "'inner' is 4; expected an odd number.* choose 3 or 5"),
        (3, 10, "'outer' is 10; expected an odd number.* choose 9 or 11"),
        (9, 9, "'inner' is 9 and 'outer' is 9; expected an inner window smaller"),
        (11, 9, "'inner' is 11 and 'outer' is 9"),
        (0, 9, "'inner' is 0; expected 1 or more"),
        (1, 1, "'outer' is 1; expected 3 or more"),
        (3.5, 9, "'inner' is 3.5; expected a whole number"),
        (3, "9", "'outer' is '9'; expected a whole number"),
    ],
)
def test_windows_that_make_no_ring_are_refused(inner, outer, message) -> None:
    with pytest.raises(InputError, match=message):
        dual_window.checked_windows(inner, outer)


def test_whole_floats_are_taken() -> None:
    assert dual_window.checked_windows(3.0, np.int64(5)) == (3, 5)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8)])
def test_a_window_larger_than_either_axis_is_refused(shape) -> None:
    with pytest.raises(InputError, match=r"'outer' is 9, larger than the image .* 8 or less"):
        dual_window.Rings(*shape, 3, 9)
    dual_window.Rings(*shape, 3, 7)


@pytest.mark.parametrize(("inner", "outer"), [(1, 3), (3, 9), (5, 7)])
def test_rings_are_those_of_the_definition(inner, outer) -> None:
    height, width = 9, 12
    image = np.arange(height * width, dtype=np.float64).reshape(height, width, 1)
    expected = [ring[:, 0] for *_, ring in plain.rings(image, inner, outer)]
    found = dual_window.Rings(height, width, inner, outer).of(slice(0, height * width))
    assert found.shape == (height * width, dual_window.ring_size(inner, outer))
    np.testing.assert_allclose(found / (height * width - 1), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("elements", "largest"), [(1, 108), (dual_window.BLOCK_ELEMENTS // 7, 7), (1 << 40, 1)]
)
def test_a_map_is_made_in_blocks_of_bounded_size(elements, largest) -> None:
    sizes = []

    def function(block: dual_window.Block) -> np.ndarray:
        own = block.own
        sizes.append(own.stop - own.start)
        return np.arange(own.start, own.stop, dtype=np.float64)

    found = dual_window.Rings(9, 12, 1, 3).map(image(9, 12), function, elements, "test")
    np.testing.assert_array_equal(found, np.arange(108).reshape(9, 12))
    assert max(sizes) == largest and sum(sizes) == 108


@pytest.mark.parametrize("rows", [1, 2, 5, 9])
@pytest.mark.parametrize(("inner", "outer"), [(1, 3), (3, 9), (7, 9)])
def test_strips_hold_what_the_whole_image_holds(
    rows: int, inner: int, outer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = image(9, 12, 2)
    low, high = of.extremes()
    whole = (of[:] - low) / (high - low)
    monkeypatch.setattr(dual_window, "STRIP_ELEMENTS", rows * 12 * 2)
    rings, seen = dual_window.Rings(9, 12, inner, outer), []

    def function(block: dual_window.Block) -> np.ndarray:
        np.testing.assert_array_equal(block.spectra, whole[block.own])
        np.testing.assert_array_equal(block.rings, rings.of(block.own))
        np.testing.assert_array_equal(block.of(block.rings), whole[block.rings])
        seen.extend(range(block.own.start, block.own.stop))
        return np.zeros(block.own.stop - block.own.start)

    rings.map(of, function, dual_window.BLOCK_ELEMENTS // 7, "test")
    assert sorted(seen) == list(range(108))


def test_the_linear_algebra_library_keeps_its_threads() -> None:
    before = [info["num_threads"] for info in threadpool_info()]

    def fail(block: dual_window.Block) -> np.ndarray:
        raise np.linalg.LinAlgError

    with pytest.raises(np.linalg.LinAlgError):
        dual_window.Rings(9, 12, 1, 3).map(image(9, 12), fail, 1, "test")
    assert [info["num_threads"] for info in threadpool_info()] == before


def test_the_range_is_common_to_all_bands() -> None:
    cube, seen = np.array([[[2.0, 4.0], [6.0, 10.0]]] * 3), []

    def function(block: dual_window.Block) -> np.ndarray:
        seen.append(block.spectra)
        return np.zeros(len(block.spectra))

    pixels = FilledPixels(Scene(np.concatenate([cube, cube[:, :1]], axis=1)))
    dual_window.Rings(3, 3, 1, 3).map(pixels, function, 1, "test")
    np.testing.assert_allclose(seen[0], [[0, 0.25], [0.5, 1], [0, 0.25]] * 3)


def test_a_range_beyond_float64_is_refused() -> None:
    with pytest.raises(InputError, match="too far to scale"):
        dual_window.checked_range(-1.5e308, 1.5e308)
