"""Auto-AD: what a convolutional autoencoder does not learn of a scene (Wang et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.detectors.base import Detector
from lren_tf.detectors.parts.adversarial import UnitRange, draw_seed, normal, optimizer_for
from lren_tf.detectors.parts.skip_autoencoder import skip_autoencoder
from lren_tf.errors import TrainingDiverged
from lren_tf.runtime.device import resolve_device
from lren_tf.runtime.precision import single_precision
from lren_tf.runtime.progress import bar
from lren_tf.validators import not_negative, positive, whole

_STEPS_PER_CALL = 50
"""Steps between two looks at whether to stop."""
_INPUT_RANGE = 0.1


@dataclass(frozen=True)
class AutoAD(Detector):
    """Autonomous hyperspectral anomaly detection network.

    Source: S. Wang, X. Wang, L. Zhang and Y. Zhong, "Auto-AD: autonomous hyperspectral anomaly
    detection network based on fully convolutional autoencoder", IEEE TGRS 60, 2022 (online
    2021), doi:10.1109/TGRS.2021.3057721, of which only the abstract was at hand; the steps and
    numbers are those of the authors' program (RSIDEA-WHU2020/Auto-AD).

    A fully convolutional autoencoder with skip connections at five scales
    (:func:`~lren_tf.detectors.parts.skip_autoencoder.skip_autoencoder`) is fitted to one image,
    x, the scene scaled to [0, 1]. Its input is noise of the scene's shape: uniform numbers in
    [0, 0.1], drawn once, plus normal numbers of deviation 0.1, drawn in every step. Adam descends

        mean over pixels i and bands of (wᵢ (x̂ᵢ − xᵢ))²,

    in which wᵢ = 1 at first, and every 100 steps w becomes max r − r, scaled to [0, 1], of the
    residuals rᵢ = ‖x̂ᵢ − xᵢ‖² at that step, so that pixels which are hard to learn count less and
    less. It stops when the loss changes by less than `tolerance` from step to step, in the mean of
    50 steps. The score is r after the last step.

    Assumptions, where the program leaves something open or is not followed:
        * Budget: 250 steps, two to three minutes of one core for 100 × 100 × 200 pixels; the
          program takes up to 1001 on a GPU. The weights change twice. On airport-1 this is .06
          below the published figure, and 1001 steps are within .01 of it.
        * The score is r of the last step; the program keeps that of the last change of weights,
          up to 99 steps earlier.
        * Weights begin uniform in ±1/√(inputs of a unit), as the program's library draws them;
          biases at 0, and only where a normalisation would not take them out.
        * Where all residuals are the same, the weights stay 1.
    """

    name: ClassVar[str] = "auto_ad"
    title: ClassVar[str] = "Auto-AD"
    why_not_inductive: ClassVar[str] = "its network is fitted to one image, from noise"
    streams: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    channels: int = 128
    """Channels of every convolution (program)."""
    scales: int = 5
    """Scales, each half the size of the one before (program)."""
    learning_rate: float = 0.01
    """Adam's rate (program)."""
    input_noise: float = 0.1
    """Standard deviation of the noise added to the input in every step (program)."""
    reweighted_every: int = 100
    """Steps from one change of the pixels' weights to the next (program)."""
    steps: int = 250
    """Largest number of steps (assumption; the program has 1001)."""
    tolerance: float = 1.5e-5
    """Mean change of the loss over 50 steps at which the training stops (program)."""
    seed: int = 0
    """Seed of the weights and of the noise."""
    device: str | None = None
    """Device of the training; None for the first GPU if there is one, else the CPU."""

    def __post_init__(self) -> None:
        for field in ("channels", "scales", "reweighted_every", "steps"):
            object.__setattr__(self, field, whole(field, getattr(self, field), 1))
        object.__setattr__(self, "learning_rate", positive("learning_rate", self.learning_rate))
        for field in ("input_noise", "tolerance"):
            object.__setattr__(self, field, not_negative(field, getattr(self, field)))
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))
        resolve_device(self.device)

    def _score(self, pixels: FilledPixels) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        unit = UnitRange(pixels, *pixels.extremes())
        with single_precision(), tf.device(resolve_device(self.device)):
            training = _Training(unit[:].reshape(*pixels.grid, -1), self, rng)
            training.run()
            return training.residuals().numpy()


class _Training:
    """The network, its input, the image [H, W, L] that it is fitted to, and the weights [H, W]."""

    def __init__(
        self, image: npt.NDArray[np.float32], settings: AutoAD, rng: np.random.Generator
    ) -> None:
        self._settings = settings
        self._image = tf.constant(image[None])
        drawn = rng.uniform(0, _INPUT_RANGE, image.shape).astype(np.float32)
        self._input = tf.constant(drawn[None])
        self._noise_seed = draw_seed(rng)
        self.network = skip_autoencoder(image.shape, settings.channels, settings.scales, rng)
        self._optimizer = optimizer_for(
            keras.optimizers.Adam(settings.learning_rate, epsilon=1e-8, name="fit"), self.network
        )
        self.weights = tf.Variable(tf.ones(image.shape[:2]), trainable=False)
        self.taken = 0

    def run(self) -> None:
        """Train until the loss hardly changes, or for all steps.

        Raises:
            TrainingDiverged: a loss became NaN or infinite.
        """
        limit, last = self._settings.steps, np.zeros(0, np.float32)
        with bar("training", limit) as counter:
            while self.taken < limit:
                count = min(_STEPS_PER_CALL, limit - self.taken)
                losses = self._advance(np.int64(self.taken), np.int64(count)).numpy()
                if not np.isfinite(losses).all():
                    raise TrainingDiverged(
                        f"{AutoAD.title}: a loss became NaN or infinite between step "
                        f"{self.taken + 1} and step {self.taken + count} of {limit}; lower "
                        "learning_rate."
                    )
                self.taken += count
                counter.update(count)
                changes = np.abs(np.diff(np.concatenate([last, losses])))
                if count == _STEPS_PER_CALL and changes.mean() < self._settings.tolerance:
                    break
                last = losses[-1:]

    @tf.function
    def residuals(self) -> tf.Tensor:
        """r [H, W] with the noise of the next step."""
        return self._squared(self._made(tf.constant(self.taken, tf.int64)))

    @tf.function(
        input_signature=[tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.int64)]
    )
    def _advance(self, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Losses [count] of the next steps."""
        losses = tf.TensorArray(tf.float32, tf.cast(count, tf.int32))
        for k in tf.range(count):
            losses = losses.write(tf.cast(k, tf.int32), self.step(first + k))
        return losses.stack()

    def step(self, number: tf.Tensor) -> tf.Tensor:
        """One step, with new weights of the pixels first where they are due; its loss."""
        with tf.GradientTape() as tape:
            r = self._squared(self._made(number))
            with tape.stop_recording():
                due = (number > 0) & (number % self._settings.reweighted_every == 0)
                self.weights.assign(tf.where(due, weights_of(r), self.weights))
            bands = tf.cast(tf.shape(self._image)[-1], tf.float32)
            loss = tf.reduce_mean(tf.square(self.weights) * r) / bands
        trainable = self.network.trainable_weights
        self._optimizer.apply(tape.gradient(loss, trainable), trainable)
        return loss

    def _made(self, number: tf.Tensor) -> tf.Tensor:
        """The network's image [1, H, W, L] in a step."""
        noise = normal(tf.shape(self._input), self._noise_seed, number)
        return self.network(self._input + self._settings.input_noise * noise)

    def _squared(self, made: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.math.squared_difference(made, self._image), axis=-1)[0]


def weights_of(residuals: tf.Tensor) -> tf.Tensor:
    """Weights [H, W] of pixels with these residuals [H, W]: 1 for the smallest, 0 for the largest.

    All 1 where the residuals are the same.
    """
    low, high = tf.reduce_min(residuals), tf.reduce_max(residuals)
    return tf.where(
        high > low, tf.math.divide_no_nan(high - residuals, high - low), tf.ones_like(residuals)
    )
