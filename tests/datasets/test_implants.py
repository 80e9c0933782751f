"""Implants: mixing, places, reproducibility, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lren_tf import datasets, metrics
from lren_tf.data.scene import Scene
from lren_tf.datasets import implant
from lren_tf.detectors.rx import RX
from lren_tf.errors import InputError

TARGETS = datasets.simulate(40, 40, 12, seed=1, fill=(1.0, 1.0))
BACKGROUND = datasets.simulate(70, 60, 12, seed=2)


@pytest.fixture(scope="module")
def made() -> datasets.Implants:
    return implant(TARGETS, BACKGROUND, seed=3)


def test_every_target_has_its_size_and_one_fill(made):
    sizes = np.bincount(made.labels.ravel())[1:]
    assert tuple(sizes) == datasets.IMPLANT_SIZES
    for label in range(1, len(sizes) + 1):
        fills = made.fills[made.labels == label]
        assert 0.05 <= fills.min() == fills.max() <= 1
    np.testing.assert_array_equal(made.scene.truth, made.labels > 0)
    np.testing.assert_array_equal(made.fills > 0, made.labels > 0)


def test_pixels_are_mixed_linearly_with_spectra_of_the_targets(made):
    spectra = TARGETS.cube[TARGETS.truth].astype(float)
    before, after = BACKGROUND.cube.astype(float), made.scene.cube.astype(float)
    np.testing.assert_array_equal(after[made.labels == 0], before[made.labels == 0])
    for label in range(1, made.labels.max() + 1):
        at = made.labels == label
        fraction = made.fills[at][0]
        implanted = (after[at] - (1 - fraction) * before[at]) / fraction
        gains = implanted @ spectra.T / np.square(spectra).sum(axis=1)
        off = np.abs(implanted[:, None] - gains[..., None] * spectra).max(axis=(0, 2))
        found = off.argmin()
        assert off[found] < 1e-4
        assert 0.949 < gains[:, found].min() <= gains[:, found].max() < 1.051


def test_targets_lie_apart_from_each_other_and_from_anomalies(made):
    margin = np.ones((5, 5))
    existing = ndimage.binary_dilation(BACKGROUND.truth, margin)
    assert not (existing & (made.labels > 0)).any()
    for label in range(1, made.labels.max() + 1):
        near = ndimage.binary_dilation(made.labels == label, margin)
        assert set(np.unique(made.labels[near])) <= {0, label}
    # What was anomalous before is not judged.
    np.testing.assert_array_equal(made.scene.valid, ~BACKGROUND.truth)


def test_pixels_without_data_stay_free():
    valid = np.zeros((70, 60), bool)
    valid[:, :30] = True
    made = implant(TARGETS, replace(BACKGROUND, valid=valid), seed=0, sizes=[1, 9, 9])
    rows, columns = np.nonzero(made.labels)
    assert rows.size == 19
    assert columns.max() < 28


def test_the_seed_decides(made):
    again = implant(TARGETS, BACKGROUND, seed=3)
    np.testing.assert_array_equal(again.scene.cube, made.scene.cube)
    assert (implant(TARGETS, BACKGROUND, seed=4).labels != made.labels).any()


def test_the_scene_is_told_from_a_real_one_and_the_sources_stay_as_they_are(made):
    assert made.scene.simulated
    assert made.scene.name == "simulated with targets of simulated"
    assert made.scene.cube.dtype == np.float32
    untouched = datasets.simulate(70, 60, 12, seed=2)
    np.testing.assert_array_equal(BACKGROUND.cube, untouched.cube)


def test_full_pixels_are_found_and_faint_ones_less():
    areas = []
    for fill in ((0.9, 1.0), (0.05, 0.06)):
        scene = implant(TARGETS, BACKGROUND, seed=5, sizes=[1] * 15, fill=fill).scene
        areas.append(metrics.auc_pd_pf(RX().score(scene), scene.truth))
    assert areas[0] > 0.99
    assert areas[1] < areas[0]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 12, 50, 99, 100])
def test_sizes_that_are_not_squares(size):
    made = implant(TARGETS, BACKGROUND, sizes=[size])
    assert made.scene.truth.sum() == size
    assert ndimage.label(made.labels)[1] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": []}, "sizes is empty"),
        ({"sizes": [0]}, "'sizes' is 0"),
        ({"sizes": [101]}, "'sizes' is 101"),
        ({"sizes": [100] * 40}, "no room for a target of 100 pixels"),
        ({"fill": (0.01, 0.5)}, "fill is"),
        ({"fill": (0.5, 0.4)}, "fill is"),
        ({"fill": 0.5}, "fill is 0.5"),
        ({"seed": -1}, "'seed' is -1"),
    ],
)
def test_refused_arguments(change, said):
    with pytest.raises(InputError, match=said):
        implant(TARGETS, BACKGROUND, **change)


def test_refused_scenes():
    cube = TARGETS.cube
    with pytest.raises(InputError, match="has no anomalous pixel; expected"):
        implant(Scene(cube), BACKGROUND)
    with pytest.raises(InputError, match="no anomalous pixel with data"):
        implant(replace(TARGETS, valid=~TARGETS.truth), BACKGROUND)
    with pytest.raises(InputError, match="have 11 and 12 bands"):
        implant(Scene(cube[..., :11], TARGETS.truth), BACKGROUND)
    nanometres = np.linspace(400, 900, 12)
    with pytest.raises(InputError, match="differ by up to 10 nm"):
        implant(
            replace(TARGETS, wavelengths=nanometres),
            replace(BACKGROUND, wavelengths=nanometres + 10),
        )
    with pytest.raises(InputError, match="do not have the same good bands"):
        implant(replace(TARGETS, good_bands=np.arange(12) > 0), BACKGROUND)
    with pytest.raises(InputError, match="no room"):
        implant(TARGETS, datasets.simulate(4, 4, 12, anomalies=0), sizes=[100])
