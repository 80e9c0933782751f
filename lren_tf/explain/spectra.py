"""Spectra of a detection and of what lies around it, in the image and among spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.evaluation.detections import Detections, detection_labels
from lren_tf.explain.background import SpectralBackground, spectra_at, spectral_background

GUARD, RING = 1, 3
"""Pixels between a detection and its ring, and the width of the ring."""


@dataclass(frozen=True, eq=False)
class DetectionSpectra:
    """Spectra float64 ``[B]`` of one detection, NaN in bands that are not good.

    Attributes:
        label: of the detection.
        peak: of the pixel with the highest score.
        mean: of the pixels of the detection.
        ring: mean of the pixels 2 to 4 pixels around it that are in no detection; None where
            there are none.
        ring_pixels: how many these are.
        component: number of the group of background pixels whose mean is nearest to the peak,
            from 0.
        component_mean, component_low, component_high: its mean and its 5th and 95th percentiles.
        nearest: of the background pixel that is most like the peak.
        nearest_row, nearest_column: where that is.
    """

    label: int
    peak: np.ndarray
    mean: np.ndarray
    ring: np.ndarray | None
    ring_pixels: int
    component: int
    component_mean: np.ndarray
    component_low: np.ndarray
    component_high: np.ndarray
    nearest: np.ndarray
    nearest_row: int
    nearest_column: int


def detection_spectra(
    scene: Scene,
    detections: Detections,
    *,
    background: SpectralBackground | None = None,
    model: object = None,
    most: int | None = None,
) -> list[DetectionSpectra]:
    """Return the spectra of every detection, in the order of the list.

    Nearest means nearest in bands of unit variance, among a sample of the background
    (:mod:`lren_tf.explain.background`).

    Args:
        scene: the scene.
        detections: from :func:`lren_tf.find_detections` with a score map of the scene.
        background: from `spectral_background`; None to sample it here.
        model: a fitted :class:`lren_tf.LREN` whose components group the background, or None.
        most: of the first so many; None for all.

    Raises:
        InputError: no pixel is background.
    """
    labels = detection_labels(detections)
    if background is None:
        background = spectral_background(scene, labels > 0, model)
    free = labels == 0
    if scene.valid is not None:
        free &= scene.valid
    listed = detections.listed[:most]
    if not listed:
        return []
    peaks = spectra_at(
        scene, np.array([each.peak_row * scene.width + each.peak_column for each in listed])
    )
    components = background.distances(peaks, background.means).argmin(axis=1)
    nearest = background.distances(peaks, background.spectra).argmin(axis=1)
    found = []
    for detection, peak, component, like in zip(listed, peaks, components, nearest, strict=True):
        reach = GUARD + RING
        box = (
            slice(max(detection.first_row - reach, 0), detection.last_row + reach + 1),
            slice(max(detection.first_column - reach, 0), detection.last_column + reach + 1),
        )
        own = labels[box] == detection.label
        around = _dilated(own, reach) & ~_dilated(own, GUARD) & free[box]
        row, column = np.divmod(background.places[like], scene.width)
        found.append(
            DetectionSpectra(
                detection.label,
                peak,
                _mean(scene, own, box),
                _mean(scene, around, box) if around.any() else None,
                int(around.sum()),
                int(component),
                background.means[component],
                background.low[component],
                background.high[component],
                background.spectra[like],
                int(row),
                int(column),
            )
        )
    return found


def _dilated(own: np.ndarray, steps: int) -> np.ndarray:
    from scipy import ndimage

    return ndimage.binary_dilation(own, np.ones((3, 3)), iterations=steps)


def _mean(scene: Scene, marked: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    rows, columns = np.nonzero(marked)
    places = (rows + box[0].start) * scene.width + columns + box[1].start
    return spectra_at(scene, places).mean(axis=0)
