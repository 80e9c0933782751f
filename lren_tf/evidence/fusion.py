"""Fusion of the evidence of an image into one score, in decades of rarity.

Every evidence is calibrated on its own background (:mod:`lren_tf.evidence.calibration`):

* *spectrum* a: the mean energy of a pixel over the networks, under the mixture of the background
  (:mod:`lren_tf.latent.background`);
* *structure* b: what stands out in the principal components of the standardised spectra
  (:mod:`lren_tf.evidence.structure`);
* *surroundings* c: the mean over the networks of the distance of a pixel's latent features to
  those of the pixels around it (:mod:`lren_tf.evidence.surroundings`).

The surroundings leave out likely anomalies: the :data:`TRIMMED` share of the pixels with the
highest first guess T(a + b), and the same share with the highest a. The sum of the evidence

    t = Σ WEIGHTS · (a, b, c)

gives T(t) = what stands out of t as a small object + KEPT · t, with the openings of the structure,
and T(t), calibrated once more, is the score: −log₁₀ of the share of the scene's background that
scores higher. The calibration of the result takes the dependence of the evidence into account:
whatever the joint distribution of a, b and c is, T(t) is compared with its own.

Where some evidence is left out, its term of t is left out; what the surroundings leave out stays
the same. A table has no neighbours, so its score is a.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.evidence.calibration import (
    Calibration,
    calibration,
    decades,
    rising,
    with_background_tail,
)
from lren_tf.evidence.structure import standing_out, structure
from lren_tf.evidence.surroundings import SceneMoments, scene_moments, surroundings

WEIGHTS = {"spectrum": 0.125, "structure": 0.25, "surroundings": 1.0}
"""Weight of every evidence in the sum."""
KEPT = 0.125
"""Share of the sum that counts whatever the size of the object: large targets stay visible."""
TRIMMED = 0.05
"""Share of the pixels that the surroundings leave out: those with the highest first guess, and
again those with the highest evidence of the spectrum."""

SPECTRUM, STRUCTURE, SURROUNDINGS = WEIGHTS
GUESS, TOTAL = "guess", "total"
CALIBRATED = (*WEIGHTS, TOTAL)
"""Names of everything that has a calibration."""
LIMITED = (GUESS, SPECTRUM)
"""Names of everything with a limit above which the surroundings leave a pixel out."""


class Samples(NamedTuple):
    """Input of the evidence of a scene; rows are the n pixels that hold data."""

    energy: tf.Tensor
    """``[n]``: energy, mean over the networks."""
    components: tf.Tensor
    """``[n, c]``: principal components of unit variance."""
    features: Iterable[tf.Tensor]
    """Features of every network, float64 ``[n, d]``: latent sample and its mean around the pixel.
    Read once, one after the other."""
    grid: tuple[Any, ...]
    """(H, W) of an image, numbers or scalar tensors; (N,) of a table."""
    valid: np.ndarray | None
    """``[H, W]`` bool, True n times; None where all pixels hold data."""
    counted: np.ndarray | None = None
    """``[n]`` bool, the only pixels that surroundings may count; None for all."""


class Reference(NamedTuple):
    """Background that evidence is compared with: that of the scene it was estimated on."""

    calibrations: Mapping[str, Calibration]
    """Calibrations by the names of CALIBRATED that are used."""
    limits: Mapping[str, tf.Tensor]
    """Limits by the names of LIMITED; empty without surroundings, as `scenes` is."""
    scenes: tuple[SceneMoments, ...]
    """Moments of the features of every network."""


class Weighed(NamedTuple):
    """Score and evidence of pixels, float64 ``[n]``, in decades."""

    score: tf.Tensor
    evidence: dict[str, tf.Tensor]


def estimated(samples: Samples, evidence: tuple[str, ...]) -> tuple[Reference, Weighed]:
    """Return the background of a scene, and the scene's evidence compared with it.

    Args:
        samples: of the scene.
        evidence: names that enter the score.
    """
    own = _Estimate()
    weighed = _weighed(samples, evidence, own)
    return Reference(own.calibrations, own.limits, tuple(own.scenes)), weighed


def compared(samples: Samples, evidence: tuple[str, ...], reference: Reference) -> Weighed:
    """Return the evidence of a scene, compared with a background; in a graph too.

    Args:
        samples: of the scene.
        evidence: names that enter the score.
        reference: background of that scene or another, with the same evidence.
    """
    return _weighed(samples, evidence, _Given(reference))


def window_weights(samples: Samples, reference: Reference) -> tf.Tensor:
    """Return the weights of an image's pixels in their surroundings, float64 ``[n]``: 0 or 1.

    Args:
        samples: of an image.
        reference: with surroundings.
    """
    place = _Place(samples.grid, samples.valid)
    standing = structure(place.image(samples.components), samples.valid)
    scores = {SPECTRUM: samples.energy, STRUCTURE: place.rows(standing)}
    found = {
        name: decades(values, reference.calibrations[name]) for name, values in scores.items()
    }
    return _counted(found, place, _Given(reference), samples.counted)


def shares(evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each evidence in the sum at one pixel, by name; they sum to 1.

    Args:
        evidence: decades of the pixel by name. Below 0 they count as 0; where none is above 0,
            every share is 0.
    """
    parts = {name: WEIGHTS[name] * max(float(value), 0.0) for name, value in evidence.items()}
    total = sum(parts.values())
    return {name: part / total if total > 0 else 0.0 for name, part in parts.items()}


class _Estimate:
    """Statistics estimated on the scene that they are used for."""

    def __init__(self) -> None:
        self.calibrations: dict[str, Calibration] = {}
        self.limits: dict[str, tf.Tensor] = {}
        self.scenes: list[SceneMoments] = []

    def calibration(self, name: str, scores: tf.Tensor) -> Calibration:
        of = calibration(scores)
        self.calibrations[name] = with_background_tail(of, scores) if name == TOTAL else of
        return self.calibrations[name]

    def limit(self, name: str, scores: tf.Tensor) -> tf.Tensor:
        n = tf.shape(scores)[0]
        last = n - 1 - tf.cast(TRIMMED * tf.cast(n, tf.float64), tf.int32)
        s = rising(scores)
        # Halfway to the next pixel, so that rounding does not move a pixel across.
        self.limits[name] = 0.5 * (s[last] + s[tf.minimum(last + 1, n - 1)])
        return self.limits[name]

    def scene(self, number: int, features: tf.Tensor, weights: tf.Tensor) -> SceneMoments:
        self.scenes.append(scene_moments(features, weights))
        return self.scenes[number]


class _Given:
    """Statistics of a reference."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def calibration(self, name: str, scores: tf.Tensor) -> Calibration:
        return self._reference.calibrations[name]

    def limit(self, name: str, scores: tf.Tensor) -> tf.Tensor:
        return self._reference.limits[name]

    def scene(self, number: int, features: tf.Tensor, weights: tf.Tensor) -> SceneMoments:
        return self._reference.scenes[number]


def _weighed(
    samples: Samples, evidence: tuple[str, ...], statistics: _Estimate | _Given
) -> Weighed:
    def calibrated(name: str, scores: tf.Tensor) -> tf.Tensor:
        return decades(scores, statistics.calibration(name, scores))

    found = {SPECTRUM: calibrated(SPECTRUM, samples.energy)}
    if len(samples.grid) != 2:
        return Weighed(found[SPECTRUM], found)
    place = _Place(samples.grid, samples.valid)
    if evidence != (SPECTRUM,):
        standing = structure(place.image(samples.components), samples.valid)
        found[STRUCTURE] = calibrated(STRUCTURE, place.rows(standing))
    if SURROUNDINGS in evidence:
        weights = _counted(found, place, statistics, samples.counted)
        around = _around(samples.features, weights, place, statistics)
        found[SURROUNDINGS] = calibrated(SURROUNDINGS, around)
    found = {name: found[name] for name in evidence}
    total = tf.add_n([WEIGHTS[name] * values for name, values in found.items()])
    return Weighed(calibrated(TOTAL, _standing(total, place)), found)


def _counted(
    found: Mapping[str, tf.Tensor],
    place: _Place,
    statistics: _Estimate | _Given,
    counted: np.ndarray | None,
) -> tf.Tensor:
    """Weights of the pixels in the surroundings: 0 for likely anomalies."""
    weights = tf.ones_like(found[SPECTRUM])
    if counted is not None:
        weights *= counted.astype(np.float64)
    guess = _standing(found[SPECTRUM] + found[STRUCTURE], place)
    for name, scores in ((GUESS, guess), (SPECTRUM, found[SPECTRUM])):
        weights *= tf.cast(scores <= statistics.limit(name, scores), tf.float64)
    return weights


def _standing(total: tf.Tensor, place: _Place) -> tf.Tensor:
    """T of rows ``[n]``, see the module."""
    small = standing_out(place.image(total)[..., None], place.valid)[..., 0]
    return place.rows(small) + KEPT * total


def _around(
    features: Iterable[tf.Tensor],
    weights: tf.Tensor,
    place: _Place,
    statistics: _Estimate | _Given,
) -> tf.Tensor:
    """Mean over the networks of the distance to the surroundings, rows ``[n]``."""
    weight_map = place.image(weights)
    distances = []
    for number, of_network in enumerate(features):
        scene = statistics.scene(number, of_network, weights)
        distances.append(place.rows(surroundings(place.image(of_network), weight_map, scene)))
        del of_network  # before the next ones are made
    return tf.add_n(distances) / len(distances)


class _Place:
    """Places of the pixels that hold data in an image.

    Args:
        grid, valid: as in :class:`Samples`.
    """

    def __init__(self, grid: tuple[Any, ...], valid: np.ndarray | None) -> None:
        self._grid = grid
        self.valid = valid
        self._places = None if valid is None else np.flatnonzero(valid)

    def image(self, rows: tf.Tensor) -> tf.Tensor:
        """Return rows ``[n, ...]`` as ``[H, W, ...]``, 0 in pixels without data."""
        if self._places is not None:
            shape = [self._grid[0] * self._grid[1], *rows.shape[1:]]
            rows = tf.scatter_nd(self._places[:, None], rows, shape)
        return tf.reshape(rows, [*self._grid, *rows.shape[1:]])

    def rows(self, image: tf.Tensor) -> tf.Tensor:
        """Return ``[H, W]`` as the rows ``[n]`` of the pixels that hold data."""
        flat = tf.reshape(image, [-1])
        return flat if self._places is None else tf.gather(flat, self._places)
