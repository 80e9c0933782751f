"""A convolutional autoencoder of whole images, with a skip connection at every scale.

The architecture of D. Ulyanov, A. Vedaldi and V. Lempitsky, "Deep image prior", CVPR 2018, in
which a network that is given noise is fitted to a single image. All names are fixed, because
TensorFlow's graph optimiser orders operands by name, and names that Keras counts up would change
the rounding from one training to the next.
"""

from __future__ import annotations

import keras
import numpy as np

from lren_tf.detectors.parts.adversarial import draw_seed

_LEAK = 0.2
_NORM_EPSILON = 1e-5


def skip_autoencoder(
    shape: tuple[int, int, int], channels: int, scales: int, rng: np.random.Generator
) -> keras.Model:
    """A network from images [1, H, W, L] to images of the same shape, with values in (0, 1).

    Scale s = 1 … S takes what scale s − 1 hands down (the input for s = 1), x, and gives

        down   two 3 × 3 convolutions, the first with stride 2; hands down to scale s + 1
        skip   a 1 × 1 convolution of x
        up     [skip, scale s + 1 (or down, at s = S) enlarged twice], normalised, then a 3 × 3
               and a 1 × 1 convolution

    and a 1 × 1 convolution with a sigmoid makes the L bands of what scale 1 gives. Every other
    convolution is normalised over the image it is applied to, always, and followed by a leaky
    ReLU of slope 0.2; it has no bias, which that would take out. Borders are mirrored: an image of
    any size fits, down to a single pixel. Weights begin uniform in ±1/√(inputs of a unit).

    Args:
        shape: H, W, L.
        channels: of every convolution but the last.
        scales: S.
        rng: draws the seeds of the weights.
    """
    image = keras.Input(batch_shape=(1, *shape), name="image")
    up = _scale(image, 1, channels, scales, rng)
    output = keras.layers.Conv2D(
        shape[2],
        1,
        activation="sigmoid",
        kernel_initializer=_uniform(rng),
        name="output",
    )(up)
    return keras.Model(image, output, name="skip_autoencoder")


def _scale(
    x: keras.KerasTensor, number: int, channels: int, scales: int, rng: np.random.Generator
) -> keras.KerasTensor:
    """What a scale gives, at the size of its input."""
    name = f"scale_{number}"
    skip = _convolved(x, channels, 1, f"{name}_skip", rng)
    down = _convolved(x, channels, 3, f"{name}_halved", rng, stride=2)
    down = _convolved(down, channels, 3, f"{name}_down", rng)
    if number < scales:
        down = _scale(down, number + 1, channels, scales, rng)
    enlarged = keras.layers.UpSampling2D(2, name=f"{name}_enlarged")(down)
    _, height, width, _ = x.shape
    # Of an odd side, half is rounded up.
    joined = keras.layers.Concatenate(name=f"{name}_joined")(
        [skip, enlarged[:, :height, :width, :]]
    )
    joined = _normalised(joined, f"{name}_joined_norm")
    up = _convolved(joined, channels, 3, f"{name}_up", rng)
    return _convolved(up, channels, 1, f"{name}_mixed", rng)


def _convolved(
    x: keras.KerasTensor,
    channels: int,
    width: int,
    name: str,
    rng: np.random.Generator,
    stride: int = 1,
) -> keras.KerasTensor:
    """Convolution with mirrored borders, normalised, leaky ReLU."""
    if width > 1:
        x = _mirrored(x)
    x = keras.layers.Conv2D(
        channels,
        width,
        stride,
        use_bias=False,
        kernel_initializer=_uniform(rng),
        name=name,
    )(x)
    x = _normalised(x, f"{name}_norm")
    return keras.layers.LeakyReLU(negative_slope=_LEAK, name=f"{name}_relu")(x)


def _mirrored(x: keras.KerasTensor) -> keras.KerasTensor:
    """An image [1, H, W, C] with a frame of one pixel, its next but one; of one pixel, itself."""
    for axis in (1, 2):
        frame = [(0, 0)] * 4
        frame[axis] = (1, 1)
        x = keras.ops.pad(x, frame, "reflect" if x.shape[axis] > 1 else "symmetric")
    return x


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Channels with mean 0 and variance 1 over the image, times a gain, plus an offset."""
    norm = keras.layers.BatchNormalization(epsilon=_NORM_EPSILON, name=name)
    return norm(x, training=True)


def _uniform(rng: np.random.Generator) -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(
        1 / 3, "fan_in", "uniform", seed=draw_seed(rng)
    )
