"""Adversarial training: fully connected networks, their losses, and the training loop.

Everything random comes from one `numpy.random.Generator`: it draws the seeds of the weights,
of the prior and of dropout, and the order of the pixels. TensorFlow's and NumPy's global
states are neither read nor written, and the same seed gives the same bits on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lren_tf.detectors.parts.second_moments import Pixels
from lren_tf.errors import TrainingDiverged
from lren_tf.runtime.progress import tracked

_LEAK = 0.2
PIXELS_AT_A_TIME = 65536
"""Pixels passed through a network at a time outside training."""
TRAINED_PIXELS = 1 << 18
"""Most pixels that are held for a training. Of more, so many are drawn without replacement; the
default budgets take no more than 200,000 before a pixel would come a second time."""
_STEPS_PER_CALL = 100
"""Steps between two looks at whether the training is still sound."""

Step = Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]
"""One training step: pixels [n, L] and the step's number → its losses, scalars."""


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for a stateless or local generator."""
    return int(rng.integers(2**31 - 1))


class UnitRange:
    """Pixels [N, L] float32, scaled from low … high to [0, 1], read on access.

    One scale for all bands keeps the shape of the spectra; a gain per band would not.
    """

    def __init__(self, pixels: Pixels, low: float, high: float) -> None:
        self._pixels = pixels
        self.shape = pixels.shape
        self._low, self._high = low, high

    def __getitem__(self, pixels: slice | np.ndarray) -> npt.NDArray[np.float32]:
        """Some of them, [n, L]."""
        x = self._pixels[pixels].astype(np.float64)
        return ((x - self._low) / (self._high - self._low)).astype(np.float32)


def network(
    name: str,
    widths: tuple[int, ...],
    rng: np.random.Generator,
    *,
    weights: Callable[[int], keras.initializers.Initializer],
    output_activation: str = "linear",
    output_bias: bool = True,
    batch_norm: bool = False,
    input_dropout: float = 0.0,
) -> keras.Sequential:
    """Fully connected network with leaky ReLUs (slope 0.2) between its layers.

    Args:
        name: of the network; all names are fixed, because TensorFlow's graph optimiser orders
            operands by name, and names which Keras counts up would change the rounding from
            one training to the next.
        widths: of the input, the hidden layers and the output.
        rng: source of the seeds.
        weights: makes the initialiser of a weight matrix from its seed; biases start at 0.
        output_activation: Keras' name of it.
        output_bias: whether the output layer has biases.
        batch_norm: whether hidden layers are batch-normalised before their leaky ReLU.
        input_dropout: fraction of the inputs set to 0 in training.
    """
    layers: list[Any] = [keras.Input((widths[0],), name=f"{name}_input")]
    if input_dropout:
        layers.append(
            keras.layers.Dropout(input_dropout, seed=draw_seed(rng), name=f"{name}_dropout")
        )
    for k, width in enumerate(widths[1:-1]):
        layers.append(
            keras.layers.Dense(
                width, kernel_initializer=weights(draw_seed(rng)), name=f"{name}_hidden_{k}"
            )
        )
        if batch_norm:
            layers.append(keras.layers.BatchNormalization(name=f"{name}_norm_{k}"))
        layers.append(keras.layers.LeakyReLU(negative_slope=_LEAK, name=f"{name}_relu_{k}"))
    layers.append(
        keras.layers.Dense(
            widths[-1],
            activation=output_activation,
            use_bias=output_bias,
            kernel_initializer=weights(draw_seed(rng)),
            name=f"{name}_output",
        )
    )
    return keras.Sequential(layers, name=name)


def recognised(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Mean cross-entropy of a discriminator's logits [n, 1] with "all real" or "all made"."""
    labels = tf.fill(tf.shape(logits), 1.0 if real else 0.0)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def discriminator_step(
    discriminator: keras.Sequential,
    optimizer: keras.optimizers.Optimizer,
    real: tf.Tensor,
    made: tf.Tensor,
) -> tf.Tensor:
    """Teach a discriminator to tell real samples [n, d] from made ones; its loss."""
    with tf.GradientTape() as tape:
        loss = recognised(discriminator(real, training=True), True)
        loss += recognised(discriminator(made, training=True), False)
    descend(optimizer, tape.gradient(loss, discriminator.trainable_weights), discriminator)
    return loss


def descend(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    *networks: keras.Sequential,
) -> None:
    """One step of an optimiser made by `optimizer_for` of the same networks."""
    optimizer.apply(gradients, [w for part in networks for w in part.trainable_weights])


def optimizer_for(
    optimizer: keras.optimizers.Optimizer, *networks: keras.Sequential
) -> keras.optimizers.Optimizer:
    """The optimiser with its slots created, which has to happen outside a compiled loop."""
    optimizer.build([w for part in networks for w in part.trainable_weights])
    return optimizer


def normal(shape: tf.Tensor, seed: int, step: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers which depend on the seed and the step's number alone."""
    return tf.random.stateless_normal(shape, tf.stack([tf.constant(seed, tf.int64), step]))


def train(
    step: Step,
    pixels: Pixels,
    *,
    steps: int,
    batch_size: int,
    rng: np.random.Generator,
    title: str,
) -> None:
    """Take `steps` training steps on shuffled mini-batches.

    Args:
        step: see `Step`.
        pixels: [N, L] float32, of more than :data:`TRAINED_PIXELS` so many; each pass over them
            is a new permutation, cut into batches, and leaves out the pixels that do not fill
            the last one.
        steps: how many.
        batch_size: pixels per step; all of them where there are fewer.
        rng: draws the pixels, if not all are held, and the permutations.
        title: how the message calls the detector.

    Raises:
        TrainingDiverged: a loss became NaN or infinite.
    """
    data = tf.convert_to_tensor(_held(pixels, rng))
    count = int(data.shape[0])
    size = min(batch_size, count)

    @tf.function(
        input_signature=[tf.TensorSpec([None, size], tf.int64), tf.TensorSpec([], tf.int64)]
    )
    def advance(batches: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        sound = tf.constant(True)
        for k in tf.range(tf.shape(batches, tf.int64)[0]):
            losses = tf.stack(step(tf.gather(data, batches[k]), first + k))
            sound = tf.logical_and(sound, tf.reduce_all(tf.math.is_finite(losses)))
        return sound

    stream = _batches(count, size, rng)
    calls = range(0, steps, _STEPS_PER_CALL)
    for first in tracked(calls, "training", unit=f"{_STEPS_PER_CALL} steps"):
        taken = min(_STEPS_PER_CALL, steps - first)
        if not advance(np.stack([next(stream) for _ in range(taken)]), np.int64(first)):
            raise TrainingDiverged(
                f"{title}: a loss became NaN or infinite between step {first + 1} and step "
                f"{first + taken} of {steps}; lower the learning rates."
            )


def _held(pixels: Pixels, rng: np.random.Generator) -> np.ndarray:
    """The pixels [n, L] of a training."""
    count = pixels.shape[0]
    if count <= TRAINED_PIXELS:
        return pixels[:]
    # In their order in the file, which reads it once.
    return pixels[np.sort(rng.choice(count, TRAINED_PIXELS, replace=False))]


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices [size] of one batch after another, without end."""
    while True:
        order = rng.permutation(n)
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]


def apply(part: keras.Sequential, pixels: Pixels, title: str) -> npt.NDArray[np.float32]:
    """Output [N, d] of a trained network for inputs [N, c] float32, a chunk at a time.

    Raises:
        TrainingDiverged: it is not finite, because the last steps spoilt the weights.
    """
    count = pixels.shape[0]
    out = np.empty((count, part.output_shape[-1]), np.float32)
    for first in tracked(range(0, count, PIXELS_AT_A_TIME), "applying the network", unit="chunk"):
        chunk = slice(first, min(first + PIXELS_AT_A_TIME, count))
        out[chunk] = part(tf.convert_to_tensor(pixels[chunk]), training=False).numpy()
        if not np.isfinite(out[chunk]).all():
            raise TrainingDiverged(
                f"{title}: the trained network gives NaN or infinite values; lower the learning "
                "rates."
            )
    return out
