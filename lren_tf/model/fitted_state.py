"""What a model keeps of its scene besides the network, as weights: saved and exported with it.

Three Keras layers without a `call`: the standardisation, the mixture with its dictionary, and the
background that the preset ``robust`` scores by. None of them is trained; `fit` fills them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.standardisation import Scaler
from lren_tf.latent.background import (
    background_energy,
    background_mixture,
    level_and_spread,
    with_neighbourhood,
)
from lren_tf.latent.dictionary import Dictionary
from lren_tf.latent.mixture import Mixture
from lren_tf.model.inputs import Samples
from lren_tf.settings import Settings


class _Kept(keras.layers.Layer):
    """A layer of weights that are set and not trained."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False, autocast=False)
        self.built = True

    def _keep(self, name: str, shape: tuple[int, ...], dtype: str = "float64") -> Any:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip


class KeptScaler(_Kept):
    """A :class:`lren_tf.data.standardisation.Scaler`.

    Args:
        bands: L of the sensor.
    """

    def __init__(self, bands: int) -> None:
        super().__init__("scaler")
        self._low, self._span = self._keep("low", ()), self._keep("span", ())
        self._mean, self._std = self._keep("mean", (bands,)), self._keep("std", (bands,))
        self._used = self._keep("used", (bands,), "bool")

    def keep(self, scaler: Scaler) -> None:
        """Set all of it."""
        for weight, value in zip(self._weights_of_it(), scaler, strict=True):
            weight.assign(value)

    def value(self) -> Scaler:
        """What is kept, NumPy."""
        return Scaler(*(weight.numpy() for weight in self._weights_of_it()))

    def standardised(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels of the sensor ``[N, L]`` as float32 ``[N, U]``, U bands that are used."""
        raw = tf.cast(pixels, tf.float64)
        unit = ((raw - self._low) / self._span - self._mean) / self._std
        return tf.cast(tf.gather(unit, tf.where(self._used)[:, 0], axis=1), tf.float32)

    def in_sensor_units(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Standardised pixels ``[N, U]`` as float32 of the shape of `like`, ``[N, L]``."""
        shape = tf.shape(tf.transpose(like), tf.int64)
        x = tf.transpose(tf.cast(x, tf.float64))
        full = tf.transpose(tf.scatter_nd(tf.where(self._used), x, shape))
        return tf.cast((full * self._std + self._mean) * self._span + self._low, tf.float32)

    def _weights_of_it(self) -> tuple[Any, ...]:
        return self._low, self._span, self._mean, self._std, self._used


class KeptDictionary(_Kept):
    """The mixture of a training and the atoms that were taken from it.

    Args:
        settings: of the model.
        atom_length: l, or U with atoms among the spectra.
    """

    def __init__(self, settings: Settings, atom_length: int) -> None:
        super().__init__("dictionary")
        l, k = settings.latent_units, settings.components
        self._phi, self._mu = self._keep("phi", (k,)), self._keep("mu", (k, l))
        self._Gamma = self._keep("Gamma", (k, l, l))
        # Rows of zeros are inert in the low-rank step.
        self.atoms = self._keep("atoms", (2 * k, atom_length))
        self._component = self._keep("atom_component", (2 * k,), "int32")
        self._pixel = self._keep("atom_pixel", (2 * k,), "int32")
        self._count = self._keep("atom_count", (), "int32")

    @property
    def empty(self) -> bool:
        """Whether nothing is kept, as before a training and while one goes on."""
        return int(self._count.numpy()) == 0

    def forget(self) -> None:
        """Keep nothing: the atoms belong to other weights."""
        self._count.assign(0)

    def keep(self, mixture: Mixture, chosen: Dictionary) -> None:
        """Set all of it.

        Args:
            mixture: of all pixels, tensors.
            chosen: its atoms, at most 2k.
        """
        count = len(chosen.atoms)

        def padded(values: np.ndarray, fill: float, dtype: type) -> np.ndarray:
            out = np.full((self.atoms.shape[0], *values.shape[1:]), fill, dtype)
            out[:count] = values
            return out

        for weight, value in zip((self._phi, self._mu, self._Gamma), mixture[:3], strict=True):
            weight.assign(tf.cast(value, tf.float64))
        self.atoms.assign(padded(chosen.atoms, 0.0, np.float64))
        self._component.assign(padded(chosen.components, -1, np.int32))
        self._pixel.assign(padded(chosen.pixels, -1, np.int32))
        self._count.assign(count)

    def mixture(self) -> Mixture:
        """What is kept of the mixture, NumPy."""
        phi, mu, Gamma = (weight.numpy() for weight in (self._phi, self._mu, self._Gamma))
        return Mixture(phi, mu, Gamma, phi > 0)

    def value(self) -> Dictionary:
        """The atoms, NumPy."""
        parts = (self.atoms, self._component, self._pixel)
        return Dictionary(*(part.numpy()[: int(self._count.numpy())] for part in parts))


class KeptBackground(_Kept):
    """The background of a scene and the scale of its energies (:mod:`lren_tf.latent.background`).

    Args:
        settings: of the model.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__("background")
        self._settings = settings
        k = settings.components
        d = settings.latent_units * (2 if settings.neighbourhood else 1)
        self._phi, self._mu = self._keep("phi", (k,)), self._keep("mu", (k, d))
        self._Gamma = self._keep("Gamma", (k, d, d))
        self._level, self._spread = self._keep("level", ()), self._keep("spread", ())
        self._image = self._keep("image", (), "bool")

    @property
    def of_image(self) -> bool:
        """Whether the scene was an image, whose pixels have neighbours, and no table."""
        return bool(self._image.numpy())

    def keep(self, z: np.ndarray, beta: np.ndarray, data: Samples) -> None:
        """Learn it from all pixels of a scene.

        Args:
            z: latent samples ``[n, l]``.
            beta: assignments ``[n, k]``.
            data: where the pixels belong.
        """
        s = self._settings
        features = self._features(z, data.grid, data.valid)
        background = background_mixture(
            features,
            beta,
            component_share=s.component_share,
            trimmed_share=s.trimmed_share,
            ridge=s.ridge,
        )
        level, spread = level_and_spread(background_energy(features, background))
        for weight, value in zip((self._phi, self._mu, self._Gamma), background[:3], strict=True):
            weight.assign(value)
        self._level.assign(level)
        self._spread.assign(spread)
        self._image.assign(len(data.grid) == 2)

    def mixture(self) -> Mixture:
        """What is kept of the mixture, tensors."""
        weights = (self._phi, self._mu, self._Gamma)
        phi, mu, Gamma = (tf.convert_to_tensor(weight) for weight in weights)
        return Mixture(phi, mu, Gamma, phi > 0)

    def energy(
        self, z: tf.Tensor, grid: tuple[Any, ...], valid: np.ndarray | None = None
    ) -> tf.Tensor:
        """Energies on the scale of the scene, float64 ``[n]``; in a graph too.

        Args:
            z: latent samples ``[n, l]``.
            grid, valid: as for :func:`lren_tf.latent.background.with_neighbourhood`.
        """
        energy = background_energy(self._features(z, grid, valid), self.mixture())
        return (energy - self._level) / self._spread

    def _features(self, z: Any, grid: tuple[Any, ...], valid: np.ndarray | None) -> tf.Tensor:
        z = tf.cast(z, tf.float64)
        return with_neighbourhood(z, grid, self._settings.neighbourhood, valid)
