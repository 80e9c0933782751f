"""A scene whose targets differ from the background in known bands, their neighbours in others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lren_tf import datasets
from lren_tf.data.scene import Scene
from lren_tf.evaluation.detections import DETECTED, Detections, find_detections

TARGET_BANDS = range(8, 13)
NEIGHBOUR_BANDS = range(22, 27)


class Known(NamedTuple):
    scene: Scene
    places: list[tuple[int, int]]
    """The targets' pixels, one of each."""
    detections: Detections
    """One detection for each target, which covers it exactly."""


def known_bands(count: int = 10, size: int = 100, bands: int = 30, seed: int = 0) -> Known:
    """Targets of one and of 2 × 2 pixels, in a ring of pixels that are strange elsewhere."""
    rng = np.random.default_rng(seed)
    scene = datasets.simulate(size, size, bands, seed=seed, anomalies=0, noise_snr_db=35.0)
    cube = scene.cube.copy()
    step = size // 4
    corners = [
        (row, column)
        for row in range(step // 2, size - 3, step)
        for column in range(step // 2, size - 3, step)
    ]
    chosen = rng.permutation(len(corners))[:count]
    truth = np.zeros((size, size), bool)
    lines = 0.3 * np.array([1, -1, 1, -1, 1])  # narrow, as absorption and emission are
    faint = 0.03 * np.hanning(len(NEIGHBOUR_BANDS) + 2)[1:-1]
    places = []
    for number in chosen:
        row, column = corners[number]
        extent = 1 + number % 2
        own = np.s_[row : row + extent, column : column + extent]
        around = np.zeros((size, size), bool)
        around[row - 1 : row + extent + 1, column - 1 : column + extent + 1] = True
        around[own] = False
        cube[around, NEIGHBOUR_BANDS.start : NEIGHBOUR_BANDS.stop] += faint
        cube[own][..., TARGET_BANDS.start : TARGET_BANDS.stop] += lines
        truth[own] = True
        places.append((row, column))
    made = Scene(cube, truth, name="known", simulated=True)
    detections = find_detections(truth.astype(float), 0.5)
    assert np.array_equal(detections.mask == DETECTED, truth)
    return Known(made, places, detections)
