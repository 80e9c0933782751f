"""AAE: an adversarial autoencoder's latent space, scored by RX, without and with filtering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import ndimage

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts import adversarial
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.detectors.parts.min_max import MinMax
from lren_tf.detectors.parts.spatial import attribute_difference, guided_filter, morphology
from lren_tf.detectors.rx import global_rx
from lren_tf.evaluation.metrics import normalise
from lren_tf.runtime.device import resolve_device
from lren_tf.runtime.precision import single_precision
from lren_tf.validators import not_negative, positive, whole

_WEIGHT_DEVIATION = 0.01
_BETA_1 = 0.8
_COSINE_MARGIN = 1e-6
"""The slope of the arc cosine is infinite at ±1."""
_GRADIENT_KERNEL = np.array([[-3.0, 0.0, 3.0], [-10.0, 0.0, 10.0], [-3.0, 0.0, 3.0]]) / 32.0
_LEVELS = 1000
"""Grey levels at which the attribute filter sees a map: mean ± 3 standard deviations."""
_DISPLAY_LEVELS = 255.0
"""Divisor of the filtered map in the released code; with `guided_eps` it sets the scale."""


class LatentBackground(NamedTuple):
    """State that AAE-RX learns from a scene."""

    low: float
    """Value that the encoder sees as 0."""
    high: float
    """Value that it sees as 1."""
    encoder: keras.Sequential
    """Trained."""
    background: GlobalBackground
    """Statistics of the latent samples of the scene."""


class LatentTraining(NamedTuple):
    """Result of training an encoder on a scene."""

    low: float
    """Value that the encoder sees as 0."""
    high: float
    """Value that it sees as 1."""
    encoder: keras.Sequential
    """Trained."""
    samples: npt.NDArray[np.float64]
    """Latent samples [N, z] of the scene's pixels."""

    def with_background(self) -> tuple[LatentBackground, npt.NDArray[np.float64]]:
        """State that AAE-RX learns, and the samples."""
        background = GlobalBackground.of(self.samples)
        return LatentBackground(self.low, self.high, self.encoder, background), self.samples


@dataclass(frozen=True)
class AAERX(InductiveDetector):
    """RX on the latent space of an adversarial autoencoder.

    Source: the autoencoder of W. Xie, B. Liu, Y. Li, J. Lei, C.-I. Chang and G. He,
    "Spectral adversarial feature learning for anomaly detection in hyperspectral imagery",
    IEEE TGRS 58(4), 2020. Its code was not released; network and training follow the
    adversarial autoencoder which the same group released for target detection (SSL-SSTD,
    Neural Networks, 2021). The LREN paper lists one row "AAE" and does not say how it
    detects; global RX on the latent samples is the plainest two-step reading.

    Encoder E: L-500-500-z, decoder G: z-500-500-L, discriminator D: z-500-500-1, leaky
    ReLUs between the layers, tanh after the decoder. Every step takes a mini-batch x and
    a sample p of the prior N(0, 5² I) and descends, one after the other,

    1. mean (x − x̂)² + λ_s · mean angle(x, x̂) / π, x̂ = G(E(x)), in E and G;
    2. −log D(p) − log(1 − D(E(x))) in D;
    3. −log D(E(x)) in E.

    Score: (z − m)ᵀ C⁻¹ (z − m), z = E(x), over all pixels, in float64.

    Assumptions, where the sources are silent or cannot be followed:

    - Budget: the released code takes 10,000 steps on all pixels, an hour or more a scene on
      two CPU cores. The default is 2000 steps on 100 pixels, half a minute. More steps
      bring no trend: the area under (Pd, Pf), seed 0, is 0.954, 0.976, 0.991, 0.980, 0.960
      on San Diego and 0.983, 0.984, 0.981, 0.982, 0.980 on Pavia after 250, 500, 1000, 2000,
      4000 steps, and 0.997, 0.997, 0.991 on Hydice after 2000, 5000, 10,000. At
      none of these does the latent covariance resemble the prior's: its axes have standard
      deviations from about 0.01 to 10, not 5, and RX divides by the small ones too.
    - λ_s = 0.1: the angle is in the paper, its weight is not.
    - 15 latent units, which the released code has.
    - The cube is scaled to [0, 1] by its global minimum and maximum, which leaves
      angles as the sensor saw them (but for the dark offset) and suits the tanh.
    - Adam's ε is 1e-8, TensorFlow 1's default.
    - Of more than 262,144 pixels so many, drawn with the seed, are trained on; all are scored.

    Not copied from the released code: its discriminator ends in a sigmoid, whose output it
    then passes as logits to a cross-entropy that takes the sigmoid again.
    """

    name: ClassVar[str] = "aae_rx"
    title: ClassVar[str] = "AAE-RX"
    stochastic: ClassVar[bool] = True
    spatial: ClassVar[bool] = False
    streams: ClassVar[bool] = True

    latent_units: int = 15
    """z, width of the latent space (released code)."""
    hidden_units: int = 500
    """Width of the two hidden layers of each network (released code)."""
    prior_deviation: float = 5.0
    """Standard deviation of the prior of the latent samples (released code)."""
    angle_weight: float = 0.1
    """λ_s, weight of the spectral angle beside the squared error (assumption)."""
    learning_rate: float = 1e-3
    """Adam's rate for the autoencoder and for the encoder as generator (released code)."""
    discriminator_learning_rate: float = 1e-4
    """Adam's rate for the discriminator (released code)."""
    steps: int = 2000
    """Training steps (assumption)."""
    batch_size: int = 100
    """Pixels per step (assumption)."""
    seed: int = 0
    """Seed of the weights, the prior's samples and the order of the pixels."""
    device: str | None = None
    """Device of the training; None for the first GPU if there is one, else the CPU."""

    def __post_init__(self) -> None:
        for name in ("latent_units", "hidden_units", "steps", "batch_size"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for name in ("prior_deviation", "learning_rate", "discriminator_learning_rate"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        object.__setattr__(self, "angle_weight", not_negative("angle_weight", self.angle_weight))
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))
        resolve_device(self.device)

    def train(self, pixels: FilledPixels) -> LatentTraining:
        """Encoder trained on the pixels of an image, and their latent samples.

        Raises:
            TrainingDiverged: a loss became NaN or infinite.
        """
        rng = np.random.default_rng(self.seed)
        low, high = pixels.extremes()
        unit = adversarial.UnitRange(pixels, low, high)
        with single_precision(), tf.device(resolve_device(self.device)):
            model = _Autoencoder(pixels.shape[1], self, rng)
            adversarial.train(
                model.step,
                unit,
                steps=self.steps,
                batch_size=self.batch_size,
                rng=rng,
                title=self.title,
            )
            z = adversarial.apply(model.encoder, unit, self.title)
        return LatentTraining(low, high, model.encoder, z.astype(np.float64))

    def _fit(self, pixels: FilledPixels) -> tuple[Any, np.ndarray]:
        learned, z = self.train(pixels).with_background()
        return learned, learned.background.distances_of(z)

    def _score_by(self, learned: Any, pixels: FilledPixels) -> np.ndarray:
        return learned.background.distances_of(self._encoded(learned, pixels))

    def _encoded(
        self, learned: LatentBackground, pixels: FilledPixels
    ) -> npt.NDArray[np.float64]:
        """Latent samples [N, z]."""
        unit = adversarial.UnitRange(pixels, learned.low, learned.high)
        with single_precision(), tf.device(resolve_device(self.device)):
            return adversarial.apply(learned.encoder, unit, self.title).astype(np.float64)


class Fusion(NamedTuple):
    """State that AAE learns from the latent maps of a scene, besides their background."""

    nodes: MinMax
    """Range of all maps together."""
    weights: npt.NDArray[np.float64]
    """Weights [z] of the maps in their sum."""
    fused: MinMax
    """Range of the sum."""
    levels: tuple[float, float]
    """Mean and standard deviation of the scaled sum."""
    small: MinMax
    """Range of the filtered map of small objects."""
    spectral: MinMax
    """Range of the RX map."""


@dataclass(frozen=True)
class AAE(AAERX):
    """The latent space of `AAERX`, fused, filtered for small objects, and RX suppressed by it.

    Sources: Xie et al. (2020), see `AAERX`, and W. Xie, J. Lei, B. Liu, Y. Li and X. Jia,
    "Spectral constraint adversarial autoencoders approach to feature representation in
    hyperspectral anomaly detection", Neural Networks 119, 2019,
    doi 10.1016/j.neunet.2019.08.012: hidden nodes are fused with adaptive weights, attribute
    filtering keeps small regions, and an exponential of its result suppresses the
    background. The formulas are those of SSL-SSTD, adapted from targets to anomalies.

    1. Latent maps f_k are scaled jointly to [0, 1]. The weight t_k is the trace of the
       structure tensor of f_k / max f_k, summed over the image, divided by the largest;
       F = Σ_k t_k f_k, scaled to [0, 1].
    2. F is quantised to 1000 levels over mean ± 3 standard deviations;
       D = (F − γ(F)) + (φ(F) − F) with the area opening γ and closing φ.
    3. O = guided filter of D / 255 by itself, scaled to [0, 1].
    4. Score: (1 − exp(−δ·O)) · S, S = global RX of the latent samples, scaled to [0, 1].

    Assumptions, besides those of `AAERX`:

    - The released code filters 1 − F and keeps what is bright in it, as suits a target
      whose sign is known. Anomalies may be of either sign, hence opening and closing.
    - Nor is the sign of a latent node known; nodes of opposite sign weaken each other in F.
    - S is the RX of the latent samples; the target detector has its own there.
    - Gradients at the border are taken on the mirrored image.
    """

    name: ClassVar[str] = "aae"
    title: ClassVar[str] = "AAE"
    spatial: ClassVar[bool] = True

    area: int = 25
    """Smallest area in pixels of an object that the attribute filter removes (released code)."""
    radius: int = 3
    """Radius in pixels of the guided filter (released code)."""
    guided_eps: float = 0.5
    """ε of the guided filter, in squared units of D / 255 (released code)."""
    suppression: float = 5.0
    """δ of the exponential suppression (released code)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("area", "radius"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for name in ("guided_eps", "suppression"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))

    def fuse(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Score [H, W] of latent samples [H, W, z]."""
        return self._fused(z, _latent_rx(z), None)[1]

    def _fused(
        self, z: npt.NDArray[np.float64], rx: npt.NDArray[np.float64], learned: Fusion | None
    ) -> tuple[Fusion, npt.NDArray[np.float64]]:
        """Scales of the steps, where None is given those of z, and the score [H, W]."""
        nodes, weights, fused, levels, small, spectral = learned or (None,) * 6
        nodes = nodes or MinMax.of(z)
        maps = np.moveaxis(nodes.scaled(z), 2, 0)
        weights = _node_weights(maps) if weights is None else weights
        F = np.tensordot(weights, maps, 1)
        fused = fused or MinMax.of(F)
        F = fused.scaled(F)
        levels = levels or (F.mean(), F.std())
        D = attribute_difference(_quantise(F, *levels), self.area, corners=True) / _DISPLAY_LEVELS
        O = guided_filter(D, D, self.radius, self.guided_eps)
        small, spectral = small or MinMax.of(O), spectral or MinMax.of(rx)
        # Of another scene they can lie below the range: there is nothing to suppress then.
        O, S = np.maximum(small.scaled(O), 0.0), np.maximum(spectral.scaled(rx), 0.0)
        score = (1.0 - np.exp(-self.suppression * O)) * S
        return Fusion(nodes, weights, fused, levels, small, spectral), score

    def _fit(self, pixels: FilledPixels) -> tuple[Any, np.ndarray]:
        morphology()  # missing it is said before the training
        latent, z = self.train(pixels).with_background()
        rx = latent.background.distances_of(z).reshape(pixels.grid)
        fusion, score = self._fused(z.reshape(*pixels.grid, -1), rx, None)
        return (latent, fusion), score

    def _score_by(self, learned: Any, pixels: FilledPixels) -> np.ndarray:
        latent: LatentBackground
        fusion: Fusion
        latent, fusion = learned
        z = self._encoded(latent, pixels)
        rx = latent.background.distances_of(z).reshape(pixels.grid)
        return self._fused(z.reshape(*pixels.grid, -1), rx, fusion)[1]


class _Autoencoder:
    """Encoder, decoder and discriminator of a latent space, and their training step."""

    def __init__(self, bands: int, settings: AAERX, rng: np.random.Generator) -> None:
        h, l = settings.hidden_units, settings.latent_units
        make = partial(adversarial.network, rng=rng, weights=_weights)
        self.encoder = make("encoder", (bands, h, h, l))
        self.decoder = make("decoder", (l, h, h, bands), output_activation="tanh")
        self._discriminator = make("discriminator", (l, h, h, 1))
        self._prior_seed = adversarial.draw_seed(rng)
        self._settings = settings
        rate = settings.learning_rate
        self._reconstruct = adversarial.optimizer_for(
            _adam("reconstruct", rate), self.encoder, self.decoder
        )
        self._generate = adversarial.optimizer_for(_adam("generate", rate), self.encoder)
        self._discriminate = adversarial.optimizer_for(
            _adam("discriminate", settings.discriminator_learning_rate), self._discriminator
        )

    def step(self, x: tf.Tensor, number: tf.Tensor) -> list[tf.Tensor]:
        """Reconstruction, discrimination, generation; their losses."""
        with tf.GradientTape() as tape:
            x_hat = self.decoder(self.encoder(x, training=True), training=True)
            reconstruction = tf.reduce_mean(tf.square(x - x_hat))
            reconstruction += self._settings.angle_weight * mean_angle(x, x_hat)
        autoencoder = (self.encoder, self.decoder)
        weights = [w for part in autoencoder for w in part.trainable_weights]
        gradients = tape.gradient(reconstruction, weights)
        adversarial.descend(self._reconstruct, gradients, *autoencoder)

        with tf.GradientTape() as tape:
            z = self.encoder(x, training=True)
            with tape.stop_recording():
                prior = adversarial.normal(tf.shape(z), self._prior_seed, number)
                discrimination = adversarial.discriminator_step(
                    self._discriminator,
                    self._discriminate,
                    self._settings.prior_deviation * prior,
                    z,
                )
            generation = adversarial.recognised(self._discriminator(z, training=True), True)
        gradients = tape.gradient(generation, self.encoder.trainable_weights)
        adversarial.descend(self._generate, gradients, self.encoder)
        return [reconstruction, discrimination, generation]


def mean_angle(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Mean angle between the rows of x and y [n, L], in units of π."""
    cosine = tf.reduce_sum(tf.nn.l2_normalize(x, axis=1) * tf.nn.l2_normalize(y, axis=1), axis=1)
    bound = 1.0 - _COSINE_MARGIN
    return tf.reduce_mean(tf.acos(tf.clip_by_value(cosine, -bound, bound))) / np.pi


def fused_nodes(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Latent maps [H, W, z] fused into one [H, W] in [0, 1], weighted by their gradients."""
    nodes = np.moveaxis(normalise(z), 2, 0)
    return normalise(np.tensordot(_node_weights(nodes), nodes, 1))


def _node_weights(nodes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights [z] of latent maps [z, H, W], at most 1."""
    weights = np.array([_gradient_energy(f) for f in nodes])
    return weights / max(weights.max(), np.finfo(float).tiny)


def _gradient_energy(f: npt.NDArray[np.float64]) -> float:
    """Trace of the structure tensor, summed over the image, of f [H, W] with maximum 1."""
    f = f / max(f.max(), np.finfo(float).tiny)
    return sum(
        float(np.square(ndimage.correlate(f, kernel, mode="reflect")).sum())
        for kernel in (_GRADIENT_KERNEL, _GRADIENT_KERNEL.T)
    )


def _quantise(
    F: npt.NDArray[np.float64], mean: float, deviation: float
) -> npt.NDArray[np.float64]:
    """F [H, W] in whole levels, 0 at three standard deviations below the mean, 1000 above."""
    standard = (F - mean) / max(deviation, np.finfo(float).tiny)
    return np.rint(np.clip((standard + 3.0) * _LEVELS / 6.0, 0.0, _LEVELS))


def _latent_rx(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return global_rx(z.reshape(-1, z.shape[2])).reshape(z.shape[:2])


def _weights(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=_WEIGHT_DEVIATION, seed=seed)


def _adam(name: str, rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(rate, beta_1=_BETA_1, epsilon=1e-8, name=name)
