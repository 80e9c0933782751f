"""HADGAN: what a generative adversarial network cannot reconstruct, in space and spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts import adversarial
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.detectors.parts.min_max import MinMax
from lren_tf.detectors.parts.second_moments import Pixels, by_chunks
from lren_tf.detectors.parts.spatial import attribute_difference, guided_filter, morphology
from lren_tf.errors import InputError
from lren_tf.runtime.device import resolve_device
from lren_tf.runtime.precision import single_precision
from lren_tf.validators import not_negative, positive, real, whole


class Reconstruction(NamedTuple):
    """Network that HADGAN trains on a scene."""

    low: float
    """Value that the encoder sees as 0."""
    high: float
    """Value that it sees as 1."""
    network: keras.Sequential
    """Encoder and decoder, trained."""


class ResidualScales(NamedTuple):
    """Statistics that HADGAN's detection takes from the residual of a scene."""

    bands: npt.NDArray[np.intp]
    """Bands of least energy, in this order."""
    quiet: tuple[MinMax, ...]
    """Range of each of them."""
    small: MinMax
    """Range of the mean of their attribute differences."""
    spatial: MinMax
    """Range of the spatial map."""
    background: GlobalBackground
    """Mean and covariance."""
    spectral: MinMax
    """Range of the RX map."""


@dataclass(frozen=True)
class HADGAN(InductiveDetector):
    """Discriminative reconstruction constrained generative adversarial network.

    Source: T. Jiang, Y. Li, W. Xie and Q. Du, "Discriminative reconstruction constrained
    generative adversarial network for hyperspectral anomaly detection", IEEE TGRS 58(7),
    2020. No code of the authors is known; the constants are those of a third party's
    re-implementation (Mampacuk/HADGAN), which itself departs from the paper, so this
    detector is indicative. The LREN paper does not list it.

    Encoder E: L-1000-1000-z with batch normalisation, no bias at z; dropout of z; decoder G:
    z-1000-1000-L, no bias at the output; discriminators D_z: z-1000-1000-1 of latent samples
    and D_x: L-1000-1000-1 of spectra; leaky ReLUs between the layers. Every step takes a
    mini-batch x and a sample p of the prior N(0, I), improves D_z (p against E(x)) and D_x
    (x against G(E(x))), and then descends in E and G, with z = E(x) and x̂ = G(z),

        α_r · mean (x − x̂)² + α_c · mean (p − E(G(p)))² + α_s · mean z²
        + α_a · (−log D_z(z) − log D_x(x̂)).

    Detection, on the residual R = |x − x̂| of the trained network without dropout:

    - spatial: the `spatial_bands` bands of R with the least energy, each scaled to [0, 1];
      mean of their area attribute differences; guided filter by itself;
    - spectral: global RX of R;
    - score: ½ · spatial + ½ · spectral, each scaled to [0, 1] first.

    Assumptions, where the re-implementation is silent or not followed:

    - Budget: `steps` steps of `batch_size` pixels; the re-implementation runs 300 passes.
    - The cube is scaled to [0, 1] by its global minimum and maximum.
    - Initial weights are Glorot-uniform, Keras' default, as there.
    - Both E and G descend the whole sum; terms without one of them do not move it.
    - Errors are squared; the re-implementation's l₂,₁ norms are its own modification, and so
      are its patches and its repeated discriminator steps, all left out.
    - Dropout is on the way from z to G: what D_z and the shrinkage see is z itself. E(G(p))
      is taken without it and with the running batch statistics. The discriminators see the
      very samples that E and G then answer for. (With dropout as part of E and with samples
      made in inference mode, as in the re-implementation, the reconstruction drifted off:
      on San Diego in [0, 1] its RMSE was 0.14, 0.17, 0.32 after 100, 200, 400 steps, where
      the mean spectrum's is 0.13.)
    - Energy of a band of R: its sum over the image.
    - Objects of fewer than 25 pixels are small, as with the same group's other detectors; the
      re-implementation has 5, "to be tuned".
    - Of more than 262,144 pixels so many, drawn with the seed, are trained on; all are scored.
    - The guided filter sees maps in [0, 1], the scale for which its authors give ε.

    Another scene is scored by the network, the bands, the statistics of RX and the ranges of all
    maps of the fitted one; what its maps have below such a range counts as the range's low end.
    """

    name: ClassVar[str] = "hadgan"
    title: ClassVar[str] = "HADGAN"
    streams: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    latent_units: int | None = None
    """z, width of the latent space; None for ⌊√L + 1⌋ (re-implementation, for the paper)."""
    hidden_units: int = 1000
    """Width of the two hidden layers of each network (re-implementation)."""
    reconstruction_weight: float = 1.0
    """α_r, weight of the reconstruction (re-implementation)."""
    consistency_weight: float = 1.0
    """α_c, weight of the latent consistency (re-implementation)."""
    shrink_weight: float = 0.1
    """α_s, weight of the latent shrinkage (re-implementation)."""
    adversarial_weight: float = 1.0
    """α_a, weight of the two adversarial terms (re-implementation)."""
    dropout: float = 0.5
    """Fraction of latent values set to 0 in training (re-implementation)."""
    learning_rate: float = 1e-4
    """Rate of RMSprop for the encoder and of Adam for the rest (re-implementation)."""
    steps: int = 400
    """Training steps (assumption)."""
    batch_size: int = 100
    """Pixels per step (assumption)."""
    spatial_bands: int = 3
    """Residual bands the spatial detector looks at (re-implementation)."""
    area: int = 25
    """Smallest area in pixels of an object that the attribute filter removes (assumption)."""
    radius: int = 3
    """Radius in pixels of the guided filter (re-implementation, for the paper)."""
    guided_eps: float = 0.5
    """ε of the guided filter, for maps in [0, 1] (re-implementation, for the paper)."""
    spatial_weight: float = 0.5
    """Weight of the spatial map in the score, from 0 to 1 (re-implementation)."""
    seed: int = 0
    """Seed of the weights, the prior's samples, dropout and the order of the pixels."""
    device: str | None = None
    """Device of the training; None for the first GPU if there is one, else the CPU."""

    def __post_init__(self) -> None:
        if self.latent_units is not None:
            object.__setattr__(self, "latent_units", whole("latent_units", self.latent_units, 1))
        for name in ("hidden_units", "steps", "batch_size", "spatial_bands", "area", "radius"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        for name in ("reconstruction", "consistency", "shrink", "adversarial"):
            name += "_weight"
            object.__setattr__(self, name, not_negative(name, getattr(self, name)))
        for name in ("learning_rate", "guided_eps"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        for name, largest in (("dropout", "below 1"), ("spatial_weight", "1 or less")):
            number = real(name, getattr(self, name))
            if not 0 <= number <= 1 or (name == "dropout" and number == 1):
                raise InputError(
                    f"setting {name!r} is {number}; expected a number of at least 0 and {largest}."
                )
            object.__setattr__(self, name, number)
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))
        resolve_device(self.device)

    def residual(self, pixels: FilledPixels) -> Residual:
        """|x − x̂| of the pixels of an image after training on them.

        Raises:
            TrainingDiverged: a loss became NaN or infinite.
        """
        return self._residual_by(self._trained(pixels), pixels)

    def detect(self, R: Pixels, grid: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Score [H, W] of the residual [N, L] of an image of a grid (H, W)."""
        return self._detected(R, grid, None)[1]

    def _trained(self, pixels: FilledPixels) -> Reconstruction:
        rng = np.random.default_rng(self.seed)
        low, high = pixels.extremes()
        with single_precision(), tf.device(resolve_device(self.device)):
            model = _Gan(pixels.shape[1], self, rng)
            adversarial.train(
                model.step,
                adversarial.UnitRange(pixels, low, high),
                steps=self.steps,
                batch_size=self.batch_size,
                rng=rng,
                title=self.title,
            )
            return Reconstruction(low, high, keras.Sequential([model.encoder, model.decoder]))

    def _residual_by(self, learned: Reconstruction, pixels: FilledPixels) -> Residual:
        unit = adversarial.UnitRange(pixels, learned.low, learned.high)
        with single_precision(), tf.device(resolve_device(self.device)):
            return Residual(unit, adversarial.apply(learned.network, unit, self.title))

    def _detected(
        self, R: Pixels, grid: tuple[int, int], learned: ResidualScales | None
    ) -> tuple[ResidualScales, npt.NDArray[np.float64]]:
        """Statistics, where None is given those of R, and the score [H, W]."""
        bands, ranges, small, spatial, background, spectral = learned or (None,) * 6
        bands = self._quietest(R) if bands is None else bands
        quiet = np.concatenate(list(by_chunks(lambda chunk: R[chunk][:, bands], R, "its bands"))).T
        ranges = ranges or tuple(MinMax.of(band) for band in quiet)
        differences = [
            attribute_difference(of.scaled(band.reshape(grid)), self.area, corners=True)
            for of, band in zip(ranges, quiet, strict=True)
        ]
        D = np.mean(differences, axis=0)
        small = small or MinMax.of(D)
        D = small.scaled(D)
        filtered = guided_filter(D, D, self.radius, self.guided_eps)
        background = background or GlobalBackground.of(R)
        rx = background.distances_of(R).reshape(grid)
        spatial, spectral = spatial or MinMax.of(filtered), spectral or MinMax.of(rx)
        # Of another scene they can lie below the range, as quiet as what is at its low end.
        in_space = np.maximum(spatial.scaled(filtered), 0.0)
        in_spectrum = np.maximum(spectral.scaled(rx), 0.0)
        w = self.spatial_weight
        kept = ResidualScales(bands, ranges, small, spatial, background, spectral)
        return kept, w * in_space + (1.0 - w) * in_spectrum

    def _quietest(self, R: Pixels) -> npt.NDArray[np.intp]:
        """Bands of R [N, L] with the least energy, `spatial_bands` of them."""
        energy = sum(by_chunks(lambda chunk: R[chunk].sum(axis=0), R, "energy of the residual"))
        return np.argsort(energy, kind="stable")[: self.spatial_bands]

    def _fit(self, pixels: FilledPixels) -> tuple[Any, np.ndarray]:
        if self.spatial_bands > pixels.shape[1]:
            raise InputError(
                f"the cube has {pixels.shape[1]} bands; expected at least the "
                f"{self.spatial_bands} of spatial_bands, lower it."
            )
        morphology()  # missing it is said before the training
        reconstruction = self._trained(pixels)
        scales, score = self._detected(
            self._residual_by(reconstruction, pixels), pixels.grid, None
        )
        return (reconstruction, scales), score

    def _score_by(self, learned: Any, pixels: FilledPixels) -> np.ndarray:
        reconstruction: Reconstruction
        scales: ResidualScales
        reconstruction, scales = learned
        return self._detected(self._residual_by(reconstruction, pixels), pixels.grid, scales)[1]


class Residual:
    """|x − x̂|, pixels [N, L] float64 computed on access from x and x̂ [N, L] float32."""

    def __init__(self, pixels: Pixels, reconstructed: npt.NDArray[np.float32]) -> None:
        self._pixels, self._reconstructed = pixels, reconstructed
        self.shape = reconstructed.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, pixels: slice | np.ndarray) -> npt.NDArray[np.float64]:
        """Some of them, [n, L]."""
        return np.abs(self._pixels[pixels] - self._reconstructed[pixels].astype(np.float64))


class _Gan:
    """Encoder, decoder and the two discriminators, and their training step."""

    def __init__(self, bands: int, settings: HADGAN, rng: np.random.Generator) -> None:
        h = settings.hidden_units
        l = settings.latent_units or math.floor(math.sqrt(bands) + 1)
        make = partial(
            adversarial.network,
            rng=rng,
            weights=lambda seed: keras.initializers.GlorotUniform(seed),
        )
        self.encoder = make("encoder", (bands, h, h, l), output_bias=False, batch_norm=True)
        self.decoder = make(
            "decoder", (l, h, h, bands), output_bias=False, input_dropout=settings.dropout
        )
        self._latent_critic = make("latent_critic", (l, h, h, 1))
        self._image_critic = make("image_critic", (bands, h, h, 1))
        self._prior_seed = adversarial.draw_seed(rng)
        self._settings = settings
        rate = settings.learning_rate
        prepare = adversarial.optimizer_for
        self._encode = prepare(keras.optimizers.RMSprop(rate, name="encode"), self.encoder)
        self._decode = prepare(keras.optimizers.Adam(rate, name="decode"), self.decoder)
        self._judge_latent = prepare(
            keras.optimizers.Adam(rate, name="judge_latent"), self._latent_critic
        )
        self._judge_image = prepare(
            keras.optimizers.Adam(rate, name="judge_image"), self._image_critic
        )

    def step(self, x: tf.Tensor, number: tf.Tensor) -> list[tf.Tensor]:
        """Train both discriminators, then encoder and decoder; return their losses."""
        judging = adversarial.discriminator_step
        with tf.GradientTape() as tape:
            z = self.encoder(x, training=True)
            x_hat = self.decoder(z, training=True)
            with tape.stop_recording():
                prior = adversarial.normal(tf.shape(z), self._prior_seed, number)
                latent = judging(self._latent_critic, self._judge_latent, prior, z)
                image = judging(self._image_critic, self._judge_image, x, x_hat)
            loss = self._loss(x, z, x_hat, prior)
        weights = (self.encoder.trainable_weights, self.decoder.trainable_weights)
        of_encoder, of_decoder = tape.gradient(loss, weights)
        adversarial.descend(self._encode, of_encoder, self.encoder)
        adversarial.descend(self._decode, of_decoder, self.decoder)
        return [latent, image, loss]

    def _loss(self, x: tf.Tensor, z: tf.Tensor, x_hat: tf.Tensor, prior: tf.Tensor) -> tf.Tensor:
        """Loss of encoder and decoder."""
        s = self._settings
        # Without dropout, which no code could undo, and outside the batch statistics, which
        # after training have to be those of the scene.
        again = self.encoder(self.decoder(prior, training=False), training=False)
        fooled = adversarial.recognised(self._latent_critic(z, training=True), True)
        fooled += adversarial.recognised(self._image_critic(x_hat, training=True), True)
        return (
            s.reconstruction_weight * tf.reduce_mean(tf.square(x - x_hat))
            + s.consistency_weight * tf.reduce_mean(tf.square(prior - again))
            + s.shrink_weight * tf.reduce_mean(tf.square(z))
            + s.adversarial_weight * fooled
        )
