"""Contributions of the bands to LREN's energy and evidence: gradients through the encoder.

What is explained is the part of a pixel's score that its spectrum decides:

* scores made of evidence: WEIGHTS · (spectrum, surroundings) of :mod:`lren_tf.evidence.fusion`,
  in decades, before what stands out of the sum is taken and calibrated once more. The evidence
  *structure* looks at principal components of an image and has no bands: its share is reported;
* scores that are energies: the energy, mean over the networks.

Along the path the pixel, and the pixels of its detection near it, go from the mean of the
:data:`NEAREST` background pixels that are most like it (α = 0) to their own spectra (α = 1). They
move together because the features of a pixel hold a mean of latent samples around it: a target of
several pixels at whose middle one pixel alone became background would not be background.
Everything else stays: other pixels, the statistics of the window around the pixel, and the
calibrations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.data.scene import Scene
from lren_tf.evidence.calibration import decades
from lren_tf.evidence.fusion import SPECTRUM, SURROUNDINGS, WEIGHTS, shares
from lren_tf.evidence.surroundings import RADIUS, RIDGE, SCENE_PIXELS, SceneMoments
from lren_tf.explain.background import SpectralBackground, spectra_at
from lren_tf.explain.explanation import GRADIENTS, Explanation
from lren_tf.explain.gradients import integrated
from lren_tf.latent.mixture import mixture_energy
from lren_tf.latent.neighbourhood import with_neighbourhood
from lren_tf.model.energy_parts import EnergyParts

if TYPE_CHECKING:
    from lren_tf.model.lren import LREN

NEAREST = 30
"""Background pixels whose mean the path begins at. The mean of a whole component of the background
is often anomalous itself where it is compared with surroundings."""
_REACH = 4.0
"""Standard deviations at which the neighbourhood's Gaussian ends."""
_ELEMENTS = 1 << 22
"""Values of spectra that pass the encoder at a time."""


class _Line(NamedTuple):
    """The path of one pixel and its companions."""

    start: np.ndarray
    """``[B]``, spectrum at α = 0, in the sensor's units as all spectra."""
    ends: np.ndarray
    """``[g, B]``, the pixel first."""
    weights: np.ndarray
    """``[g]``, of each in the mean around the pixel."""
    around: list[np.ndarray]
    """Mean ``[l]`` around the pixel of every network; empty without a neighbourhood."""
    windows: list[tuple[np.ndarray, np.ndarray]]
    """Mean ``[d]`` and inverse Cholesky factor ``[d, d]`` of the window, of every network."""


def explain_network(
    model: LREN,
    scene: Scene,
    at: Sequence[tuple[int, int]],
    background: SpectralBackground,
    labels: np.ndarray | None = None,
    *,
    recalibrate: bool = False,
) -> list[Explanation]:
    """Explain the energy or the evidence of pixels.

    Args:
        model: fitted, with ``scoring="energy"``.
        scene: of the model's sensor.
        at: row and column of each pixel; each holds data.
        background: of the scene.
        labels: ``[H, W]``, 0 for background, else the label of a detection, whose pixels move
            together; None where each pixel moves alone.
        recalibrate: as for ``model.score``.
    """
    if not at:
        return []
    parts = model.energy_parts(scene, recalibrate=recalibrate)
    evidence = None
    if parts.reference is not None:
        evidence = model.evidence(scene, recalibrate=recalibrate)
    place = _Place(scene, parts, labels, model.settings.neighbourhood)
    lines = [place.line(row, column, background) for row, column in at]
    names = None if evidence is None else tuple(evidence)
    with tf.device(model.device):
        function = _path(model, parts, lines, _explained(parts, names))
        found = integrated(function, len(lines))
    quantity = (
        "energy" if names is None
        else f"evidence {' and '.join(n for n in names if n in (SPECTRUM, SURROUNDINGS))}, decades"
    )  # fmt: skip
    return [
        Explanation(
            row, column, GRADIENTS, quantity, each.end, each.start,
            np.where(np.isfinite(line.start), each.parts, np.nan), each.completeness,
            None if evidence is None
            else shares({name: values[row, column] for name, values in evidence.items()}),
        )
        for (row, column), line, each in zip(at, lines, found, strict=True)
    ]  # fmt: skip


class _Place:
    """Neighbours of pixels in the image of a scene.

    Args:
        scene: the scene.
        parts: of the scene.
        labels: as for `explain_network`.
        sigma: standard deviation of the neighbourhood in pixels, 0 for none.
    """

    def __init__(
        self, scene: Scene, parts: EnergyParts, labels: np.ndarray | None, sigma: float
    ) -> None:
        self._scene, self._parts, self._labels = scene, parts, labels
        self._sigma = sigma
        self._reach = math.ceil(_REACH * sigma)
        valid = np.ones(scene.shape[:2], bool) if scene.valid is None else scene.valid
        self._valid = valid
        self._number = np.cumsum(valid).reshape(valid.shape) - 1  # of the pixels that hold data

    def line(self, row: int, column: int, background: SpectralBackground) -> _Line:
        """Return the path of a pixel."""
        own = spectra_at(self._scene, np.array([row * self._scene.width + column]))
        order = np.argsort(background.distances(own, background.spectra)[0], kind="stable")
        start = background.spectra[order[:NEAREST]].mean(axis=0)
        rows, columns, weights = self._companions(row, column)
        number = self._number[row, column]
        ends = spectra_at(self._scene, rows * self._scene.width + columns)
        around = []
        if self._sigma:
            around = [each[number, each.shape[1] // 2 :] for each in self._parts.features]
        windows = []
        if self._parts.window_weights is not None and self._parts.reference is not None:
            windows = [
                self._window(row, column, features, moments)
                for features, moments in zip(
                    self._parts.features, self._parts.reference.scenes, strict=True
                )
            ]
        return _Line(start, ends, weights, around, windows)

    def _companions(self, row: int, column: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and weights of the pixels that move, the pixel itself first."""
        if not self._sigma:
            return np.array([row]), np.array([column]), np.zeros(1)
        height, width = self._valid.shape
        rows, down = self._along(row, height)
        columns, right = self._along(column, width)
        weights = down[:, None] * right
        valid = self._valid[np.ix_(rows, columns)]
        weights = np.where(valid, weights, 0.0)
        weights /= weights.sum()
        moves = np.zeros(weights.shape, bool)
        if self._labels is not None and self._labels[row, column]:
            moves = (self._labels[np.ix_(rows, columns)] == self._labels[row, column]) & valid
        here = rows.tolist().index(row), columns.tolist().index(column)
        moves[here] = False
        i, j = np.nonzero(moves)
        i, j = np.append(here[0], i), np.append(here[1], j)
        return rows[i], columns[j], weights[i, j]

    def _along(self, at: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions along an axis near one, and their weights in its mean."""
        # Twice the reach: there a mirror at the end of the part changes no weight of `at`.
        low, high = max(0, at - 2 * self._reach), min(length, at + 2 * self._reach + 1)
        steps = tf.eye(high - low, dtype=tf.float64)
        means = with_neighbourhood(steps, (high - low, 1), self._sigma).numpy()
        return np.arange(low, high), means[at - low, high - low :]

    def _window(
        self, row: int, column: int, features: np.ndarray, scene: SceneMoments
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and inverse Cholesky factor of the standardised features around a pixel."""
        box = (
            slice(max(row - RADIUS, 0), row + RADIUS + 1),
            slice(max(column - RADIUS, 0), column + RADIUS + 1),
        )
        numbers = self._number[box][self._valid[box]]
        numbers = numbers[self._parts.window_weights[numbers] > 0]  # type: ignore[index]
        z = (features[numbers] - scene.mean.numpy()) / scene.spread.numpy()
        d = z.shape[1]
        moments = SCENE_PIXELS * scene.moments.numpy()
        products = np.zeros((d, d))
        products[np.triu_indices(d)] = moments[1 + d :]
        products = products + np.triu(products, 1).T + z.T @ z
        count = moments[0] + len(z)
        mean = (moments[1 : d + 1] + z.sum(axis=0)) / count
        covariance = products / count - np.outer(mean, mean) + RIDGE * np.eye(d)
        return mean, np.linalg.inv(np.linalg.cholesky(covariance))


def _explained(
    parts: EnergyParts, names: tuple[str, ...] | None
) -> Callable[[list[tf.Tensor], list[tuple[tf.Tensor, tf.Tensor]]], tf.Tensor]:
    """The function of features ``[p, d]`` of every network, and windows, that is explained."""

    def value(features: list[tf.Tensor], windows: list[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
        energies = [
            (mixture_energy(each, mixture, covariance_floor=0.0) - level) / spread
            for each, mixture, (level, spread) in zip(
                features, parts.mixtures, parts.scales, strict=True
            )
        ]
        energy = tf.add_n(energies) / len(energies)
        if names is None or parts.reference is None:
            return energy
        reference, total = parts.reference, tf.zeros_like(energy)
        if SPECTRUM in names:
            total += WEIGHTS[SPECTRUM] * decades(energy, reference.calibrations[SPECTRUM])
        if SURROUNDINGS in names and windows:
            distances = []
            for each, scene, (mean, inverse) in zip(
                features, reference.scenes, windows, strict=True
            ):
                z = (each - scene.mean) / scene.spread - mean
                distances.append(tf.reduce_sum(tf.linalg.matvec(inverse, z) ** 2, axis=-1))
            distance = tf.add_n(distances) / len(distances)
            calibration = reference.calibrations[SURROUNDINGS]
            total += WEIGHTS[SURROUNDINGS] * decades(distance, calibration)
        return total

    return value


def _path(
    model: LREN, parts: EnergyParts, lines: list[_Line], value: Callable[..., tf.Tensor]
) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The path function of `integrated` for these lines."""
    most = max(len(line.ends) for line in lines)
    bands = lines[0].start.size
    # Bands that are not good never enter the network; whatever is finite will do.
    start = np.nan_to_num(np.stack([line.start for line in lines]))
    ends = np.zeros((len(lines), most, bands))
    weights = np.zeros((len(lines), most))
    for number, line in enumerate(lines):
        ends[number, : len(line.ends)] = np.nan_to_num(line.ends)
        ends[number, len(line.ends) :] = start[number]
        weights[number, : len(line.ends)] = line.weights
    members = len(parts.features)
    neighbours, windowed = bool(lines[0].around), bool(lines[0].windows)
    around = [np.stack([line.around[m] for line in lines]) if neighbours else np.empty(0)
              for m in range(members)]  # fmt: skip
    windows = [
        tuple(np.stack(each) for each in zip(*(line.windows[m] for line in lines), strict=True))
        for m in range(members if windowed else 0)
    ]

    def latent(x: tf.Tensor) -> list[tf.Tensor]:
        """Latent samples ``[p, g, l]`` of every network for spectra ``[p, g, B]``."""
        z = tf.cast(model(tf.reshape(x, [-1, bands]))["latent"], tf.float64)
        z = tf.reshape(z, [-1, most, z.shape[-1]])
        return tf.split(z, members, axis=-1)

    reached = latent(tf.constant(ends))

    def evaluated(line: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step = tf.constant(ends[line] - start[line][:, None])
        x = tf.constant(start[line][:, None] + alpha[:, None, None] * step.numpy())
        with tf.GradientTape() as tape:
            tape.watch(x)
            features = []
            for m, z in enumerate(latent(x)):
                own = z[:, 0]
                if neighbours:
                    moved = z - tf.gather(reached[m], line)
                    mean = around[m][line] + tf.reduce_sum(weights[line][..., None] * moved, 1)
                    own = tf.concat([own, mean], axis=1)
                features.append(own)
            here = [(mean[line], inverse[line]) for mean, inverse in windows]
            values = value(features, here)
            total = tf.reduce_sum(values)
        slope = tf.reduce_sum(tape.gradient(total, x) * step, axis=1)
        return values.numpy(), slope.numpy()

    def path(line: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = max(1, _ELEMENTS // (most * bands))
        pieces = [evaluated(line[i : i + size], alpha[i : i + size])
                  for i in range(0, line.size, size)]  # fmt: skip
        values, slopes = zip(*pieces, strict=True)
        return np.concatenate(values), np.concatenate(slopes)

    return path
