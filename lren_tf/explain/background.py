"""The background of a scene as spectra: a sample of its pixels and their groups.

Spectra of detections are compared with this sample: pixels that hold data and are not detected, at
most `MOST_PIXELS` of them at equal distances in the image. A scene of a fitted LREN
is grouped by its components (the largest responsibility of the first network), any other by
k-means on bands of unit variance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError

MOST_PIXELS = 20_000
GROUPS = 5
"""Groups of k-means."""
SPREAD = (5.0, 95.0)
"""Percentiles of a group's spectra."""
_GROUPED = 5_000
"""Pixels that k-means finds its groups by."""
_SMALLEST_SHARE = 0.01
"""Share of the sample that makes a group one of the background."""


class SpectralBackground(NamedTuple):
    """Sample of background pixels with K groups; all spectra have the B bands of the scene."""

    spectra: np.ndarray
    """float64 ``[n, B]``, NaN in bands that are not good."""
    places: np.ndarray
    """``[n]``: the number of each in the image, row after row."""
    group: np.ndarray
    """``[n]``: group of each, from 0."""
    means: np.ndarray
    """``[K, B]``."""
    low: np.ndarray
    """``[K, B]``, the 5th percentile."""
    high: np.ndarray
    """``[K, B]``, the 95th percentile."""
    scale: np.ndarray
    """``[B]``: deviation of every band over the sample; NaN where it is 0 or not good."""

    def distances(self, x: np.ndarray, to: np.ndarray) -> np.ndarray:
        """Return distances ``[p, q]`` of spectra ``[p, B]``, ``[q, B]``, bands of unit variance."""
        good = np.isfinite(self.scale)
        a, b = x[:, good] / self.scale[good], to[:, good] / self.scale[good]
        centre = b.mean(axis=0)
        a, b = a - centre, b - centre
        squares = (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)
        return np.sqrt(np.maximum(squares, 0))


def spectra_at(scene: Scene, places: np.ndarray) -> np.ndarray:
    """Return spectra float64 ``[n, B]`` of pixels, NaN in bands that are not good.

    Args:
        scene: the scene.
        places: ``[n]``, numbers of pixels, row after row.
    """
    rows, columns = np.divmod(np.asarray(places), scene.width)
    spectra = scene.cube[rows, columns].astype(np.float64)
    if scene.good_bands is not None:
        spectra[:, ~scene.good_bands] = np.nan
    return spectra


def spectral_background(
    scene: Scene, detected: np.ndarray | None = None, model: object = None
) -> SpectralBackground:
    """Sample the background of a scene.

    Args:
        scene: the scene.
        detected: bool ``[H, W]``, pixels that are no background; None for none.
        model: a fitted :class:`lren_tf.LREN` whose components group the pixels, or None.

    Raises:
        InputError: every pixel is detected or without data.
    """
    background = np.ones(scene.shape[:2], bool) if scene.valid is None else scene.valid.copy()
    if scene.background is not None:
        background &= scene.background
    if detected is not None:
        background &= ~detected
    places = np.flatnonzero(background)
    if not places.size:
        raise InputError(
            f"{scene.name} has no pixel outside the detections; expected some background to "
            "compare with, choose a smaller false-alarm rate."
        )
    if places.size > MOST_PIXELS:
        places = places[np.linspace(0, places.size - 1, MOST_PIXELS).astype(np.intp)]
    spectra = spectra_at(scene, places)
    deviation = spectra.std(axis=0)
    scale = np.where(deviation > 0, deviation, np.nan)
    labels = _k_means(spectra, scale) if model is None else _components(scene, places, model)
    counts = np.bincount(labels)
    kept = np.flatnonzero(counts >= min(_SMALLEST_SHARE * places.size, counts.max()))
    members = [spectra[labels == number] for number in kept]
    low, high = (
        np.stack([np.percentile(each, at, axis=0) for each in members]) for at in SPREAD
    )
    means = np.stack([each.mean(axis=0) for each in members])
    found = SpectralBackground(spectra, places, labels, means, low, high, scale)
    # Numbers without gaps; a pixel of a group that is too small belongs to the nearest one.
    group = np.searchsorted(kept, labels)
    lost = ~np.isin(labels, kept)
    if lost.any():
        group[lost] = found.distances(spectra[lost], means).argmin(axis=1)
    return found._replace(group=group)


def _k_means(spectra: np.ndarray, scale: np.ndarray) -> np.ndarray:
    good = np.isfinite(scale)
    if not good.any():
        return np.zeros(len(spectra), np.intp)
    from sklearn.cluster import KMeans

    points = spectra[:, good] / scale[good]
    groups = min(GROUPS, len(np.unique(points[:: -(-len(points) // _GROUPED)], axis=0)))
    points -= points.mean(axis=0)
    made = KMeans(groups, n_init=1, random_state=0).fit(points[:: -(-len(points) // _GROUPED)])
    return made.predict(points).astype(np.intp)


def _components(scene: Scene, places: np.ndarray, model: object) -> np.ndarray:
    rows, columns = np.divmod(places, scene.width)
    assignments = model(scene.cube[rows, columns])["assignments"]  # type: ignore[operator]
    first = model.settings.components  # type: ignore[attr-defined]
    return np.asarray(assignments)[:, :first].argmax(axis=1)
