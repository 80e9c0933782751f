"""The three steps of AED against plain loops, and the detector as a whole."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import ndimage, signal

from lren_tf import datasets, metrics
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors.aed import AED, boolean_fusion, domain_transform_filter
from lren_tf.detectors.parts.principal_components import principal_maps
from lren_tf.errors import InputError

pytest.importorskip("skimage")

from lren_tf.detectors.parts.spatial import attribute_difference


def smooth(seed: int, height: int = 23, width: int = 19, sigma: float = 1.5) -> np.ndarray:
    """A random image in [0, 1] with hills and hollows of all sizes."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    image = ndimage.gaussian_filter(noise, sigma)
    return (image - image.min()) / np.ptp(image)


def opening_by_labels(image: np.ndarray, area: int) -> np.ndarray:
    """Area opening: the highest level at which a pixel's component has `area` pixels."""
    opened = np.full(image.shape, image.min())
    for level in np.unique(image):
        labels, _ = ndimage.label(image >= level)
        opened[(np.bincount(labels.ravel()) >= area)[labels] & (labels > 0)] = level
    return opened


@pytest.mark.parametrize("area", [2, 9, 25])
def test_the_attribute_difference_is_that_of_labelled_level_sets(area: int) -> None:
    image = smooth(area)
    bright = image - opening_by_labels(image, area)
    dark = -image - opening_by_labels(-image, area)
    assert bright.max() > 0 and dark.max() > 0
    np.testing.assert_allclose(attribute_difference(image, area), bright + dark, atol=1e-12)


def test_a_structure_of_exactly_the_area_stays() -> None:
    image = np.zeros((9, 9))
    image[2:4, 2:5] = 1
    assert attribute_difference(image, 6).max() == 0
    np.testing.assert_array_equal(attribute_difference(image, 7), image)


def fusion_by_labels(image: np.ndarray, levels: int, area: int) -> np.ndarray:
    """Mean of the cut and cleared maps, one labelling per level."""
    total = np.zeros(image.shape)
    for q in range(levels):
        labels, _ = ndimage.label(image > q / levels)
        total += (np.bincount(labels.ravel()) <= area)[labels] & (labels > 0)
    return total / levels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("area", [1, 4, 25])
def test_the_fusion_in_one_tree_is_that_of_all_cuts(seed: int, area: int) -> None:
    image = smooth(seed)
    # Plateaus, and values which are levels themselves.
    for values in (image, np.round(image * 16) / 16, np.where(image > 0.5, image, 0)):
        plain = fusion_by_labels(values, 256, area)
        assert plain.max() > 0
        np.testing.assert_array_equal(boolean_fusion(values, 256, area), plain)


def test_the_fusion_takes_any_number_of_levels() -> None:
    image = smooth(7)
    np.testing.assert_allclose(boolean_fusion(image, 10, 9), fusion_by_labels(image, 10, 9))


def filter_by_pixels(
    image: np.ndarray, guide: np.ndarray, sigma_s: float, sigma_r: float, iterations: int
) -> np.ndarray:
    """The recursive domain transform, pixel after pixel."""
    J = image.copy()
    for i in range(iterations):
        sigma = sigma_s * 3**0.5 * 2 ** (iterations - i - 1) / (4**iterations - 1) ** 0.5
        a = np.exp(-(2**0.5) / sigma)
        for J_line, g_line in [*zip(J, guide, strict=True), *zip(J.T, guide.T, strict=True)]:
            last = len(J_line) - 1
            for n in range(1, last + 1):
                w = a ** (1 + sigma_s / sigma_r * abs(g_line[n] - g_line[n - 1]))
                J_line[n] = (1 - w) * J_line[n] + w * J_line[n - 1]
            for n in range(last - 1, -1, -1):
                w = a ** (1 + sigma_s / sigma_r * abs(g_line[n + 1] - g_line[n]))
                J_line[n] = (1 - w) * J_line[n] + w * J_line[n + 1]
    return J


def test_the_filter_is_the_recursion_over_pixels() -> None:
    image, guide = smooth(8), smooth(9)
    before = image.copy()
    ours = domain_transform_filter(image, guide, 5.0, 0.5, 3)
    np.testing.assert_allclose(ours, filter_by_pixels(image, guide, 5.0, 0.5, 3), rtol=1e-12)
    np.testing.assert_array_equal(image, before)


def test_without_edges_the_filter_is_a_linear_recursion() -> None:
    image = smooth(10)
    a = np.exp(-np.sqrt(2) / 4.0)
    plain = image
    for axis in (1, 0):
        for _ in range(2):
            state = a * np.take(plain, [0], axis=axis)
            plain, _ = signal.lfilter([1 - a], [1, -a], plain, axis=axis, zi=state)
            plain = np.flip(plain, axis)
    ours = domain_transform_filter(image, np.zeros_like(image), 4.0, 0.5, 1)
    np.testing.assert_allclose(ours, plain, rtol=1e-10)


def test_nothing_leaks_across_an_edge_of_the_guide() -> None:
    guide = np.zeros((12, 14))
    guide[:, 7:] = 1
    image = np.where(guide > 0, 0.25, 0.75)
    sharp = domain_transform_filter(image, guide, 5.0, 0.01, 3)
    np.testing.assert_allclose(sharp, image, atol=1e-12)
    blurred = domain_transform_filter(image, np.zeros_like(guide), 5.0, 0.01, 3)
    assert np.abs(blurred - image).max() > 0.1


def test_components_without_variance_are_left_out() -> None:
    plane = smooth(11)
    cube = plane[:, :, None] * np.array([1.0, 2.0, 3.0, 4.0])
    maps = principal_maps(cube.reshape(-1, 4), plane.shape, 3)
    assert len(maps) == 1
    flipped = 1 - plane
    assert min(np.abs(maps[0] - plane).max(), np.abs(maps[0] - flipped).max()) < 1e-10
    assert np.isfinite(AED().score(cube)).all()


def test_contrast_has_no_sign() -> None:
    cube = simulate(30, 32, 20, seed=12).cube.astype(np.float64)
    np.testing.assert_allclose(AED().score(-cube), AED().score(cube), atol=1e-6)


def test_simulated_targets_stand_out() -> None:
    scene = simulate(64, 64, 40, seed=13)
    assert metrics.auc_pd_pf(AED().score(scene), scene.truth) > 0.9


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "area"),
    [("sandiego", 0.9657), ("hydice", 0.9506), ("coast", 0.9942), ("pavia", 0.9977)],
)
def test_real_scenes_score_as_measured_before(name: str, area: float) -> None:
    """No published value exists for these scenes."""
    try:
        scene = datasets.load(name, download=False)
    except InputError as error:
        pytest.skip(str(error))
    assert metrics.auc_pd_pf(AED().score(scene), scene.truth) == pytest.approx(area, abs=2e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"area": 1}, "'area' is 1; expected 2 or more"),
        ({"components": 0}, "'components' is 0; expected 1 or more"),
        ({"levels": 1}, "'levels' is 1; expected 2 or more"),
        ({"iterations": 0}, "'iterations' is 0; expected 1 or more"),
        ({"sigma_s": 0}, "'sigma_s' is 0.0; expected a number above 0"),
        ({"sigma_r": "wide"}, "'sigma_r' is 'wide'; expected a finite number"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AED(**settings)  # type: ignore[arg-type]


def test_settings_that_do_not_fit_the_cube_are_refused() -> None:
    cube = np.random.default_rng(0).normal(size=(5, 4, 2))
    with pytest.raises(InputError, match="'components' is 3 for 20 pixels × 2 bands; expected 2"):
        AED().score(cube)
    with pytest.raises(InputError, match=r"'area' is 25 for an image of 5 × 4 pixels; .* than 20"):
        AED(components=2).score(cube)


def test_a_missing_scikit_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    cube = simulate(24, 24, 10, seed=1).cube
    with pytest.raises(InputError, match=r"needs scikit-image.*pip install 'lren-tf\[detectors\]'"):
        AED().score(cube)
    with pytest.raises(InputError, match="needs scikit-image"):
        attribute_difference(np.zeros((9, 9)), 4)
