"""Networks of random weights, in either precision, and the rows that they work on."""

import dataclasses

import numpy as np
import tensorflow as tf

from lren_tf import presets
from lren_tf.training.backprop import Affine, align
from lren_tf.training.losses import Network

PIXELS, BANDS = 61, 20
SMALL = {"hidden_units": 16, "estimator_units": 8}
# The weights are powers of two, which float32 holds: the rest is compared to 1e-10.
SETTINGS = presets.resolve(
    "paper", **SMALL, components=3, latent_units=4,
    energy_weight=0.125, covariance_penalty=2.0**-10,
)  # fmt: skip


class Rows:
    """Aligned rows of a precision."""

    def __init__(self, dtype):
        x = np.random.default_rng(0).normal(size=(PIXELS, BANDS))
        self.all = align(x).astype(dtype)

    def chunks(self, parts):
        return (self.all[part] for part in parts)


def network(dtype, latent_activation="linear", seed=5):
    rng = np.random.default_rng(seed)
    s = dataclasses.replace(SETTINGS, latent_activation=latent_activation)
    sizes = [(BANDS, 16), (16, 4), (4, 16), (16, BANDS), (4, 8), (8, 3)]
    layers = [
        Affine(*(tf.Variable(rng.normal(0, 0.4, shape), dtype=dtype) for shape in (size, size[1:])))
        for size in sizes
    ]
    flat = [t for layer in layers for t in layer]
    return Network(layers[:4], flat[8:], flat, s)


def several(networks):
    """The same networks as members of one model."""
    settings = dataclasses.replace(
        networks[0].settings, members=len(networks), scoring="energy"
    )
    flat = [tf.stack(each) for each in zip(*(net.variables for net in networks), strict=True)]
    layers = [Affine(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
    return Network(layers[:4], flat[8:], flat, settings)
