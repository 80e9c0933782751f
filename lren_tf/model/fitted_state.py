"""Non-trainable state learned from the scene, stored as weights, so that models save it.

Four Keras layers without a `call`: the standardisation, the mixture with its dictionary, the
background that the preset ``robust`` scores by, and the reference that its evidence is compared
with. `fit` sets them; training steps do not change them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.standardisation import Scaler
from lren_tf.evidence.calibration import KNOTS, Calibration
from lren_tf.evidence.fusion import CALIBRATED, LIMITED, Reference
from lren_tf.evidence.structure import component_count
from lren_tf.evidence.surroundings import SceneMoments, moment_count
from lren_tf.latent.background import (
    background_energy,
    background_mixture,
    level_and_spread,
)
from lren_tf.latent.dictionary import Dictionary
from lren_tf.latent.mixture import PIXELS_AT_A_TIME, Mixture
from lren_tf.latent.neighbourhood import with_neighbourhood
from lren_tf.model.inputs import ModelInput
from lren_tf.model.network import load_stored
from lren_tf.settings import Settings
from lren_tf.training.batches import sample_rows

MIXTURE_PIXELS = 131_072
"""Pixels of a scene that its background mixture is estimated from: all, or a sample of so many.

The mean of a component with a hundredth of them is then off by 3 % of its standard deviation."""


class _State(keras.layers.Layer):
    """A layer of weights that are set instead of trained."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False, autocast=False, dtype="float32")
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], dtype: str = "float64") -> Any:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip


class ScalerState(_State):
    """Stored :class:`lren_tf.data.standardisation.Scaler`.

    Args:
        bands: L, number of bands of the sensor.
    """

    def __init__(self, bands: int) -> None:
        super().__init__("scaler")
        self._low, self._span = self._weight("low", ()), self._weight("span", ())
        self._mean, self._std = self._weight("mean", (bands,)), self._weight("std", (bands,))
        self._used = self._weight("used", (bands,), "bool")

    @property
    def stored(self) -> bool:
        """True if a scaler is stored; none is before a training begins."""
        return float(self._span.numpy()) > 0

    def store(self, scaler: Scaler) -> None:
        """Store a scaler."""
        for weight, value in zip(self._in_order(), scaler, strict=True):
            weight.assign(value)

    def load(self) -> Scaler:
        """Return the stored scaler, NumPy."""
        return Scaler(*(weight.numpy() for weight in self._in_order()))

    def standardised(self, pixels: tf.Tensor) -> tf.Tensor:
        """Standardise pixels ``[N, L]`` in the sensor's units to float32 ``[N, U]``.

        U is the number of bands that enter the network.
        """
        raw = tf.cast(pixels, tf.float64)
        unit = ((raw - self._low) / self._span - self._mean) / self._std
        return tf.cast(tf.gather(unit, tf.where(self._used)[:, 0], axis=1), tf.float32)

    def in_sensor_units(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Undo the standardisation of ``[N, U]``: float32 of the shape of `like`, ``[N, L]``."""
        shape = tf.shape(tf.transpose(like), tf.int64)
        x = tf.transpose(tf.cast(x, tf.float64))
        full = tf.transpose(tf.scatter_nd(tf.where(self._used), x, shape))
        return tf.cast((full * self._std + self._mean) * self._span + self._low, tf.float32)

    def _in_order(self) -> tuple[Any, ...]:
        return self._low, self._span, self._mean, self._std, self._used


class AtomState(_State):
    """Stored mixture of a training, and the dictionary chosen from it; of the first member.

    Args:
        settings: settings of the model.
        atom_length: l, or U where the atoms are spectra.
    """

    def __init__(self, settings: Settings, atom_length: int) -> None:
        super().__init__("dictionary")
        l, k = settings.latent_units, settings.components
        self._phi, self._mu = self._weight("phi", (k,)), self._weight("mu", (k, l))
        self._Gamma = self._weight("Gamma", (k, l, l))
        # Rows of zeros are inert in the low-rank step.
        self.atoms = self._weight("atoms", (2 * k, atom_length))
        self._component = self._weight("atom_component", (2 * k,), "int32")
        self._pixel = self._weight("atom_pixel", (2 * k,), "int32")
        self._count = self._weight("atom_count", (), "int32")

    @property
    def stored(self) -> bool:
        """True if a dictionary is stored; none is before a training ends."""
        return int(self._count.numpy()) > 0

    def clear(self) -> None:
        """Remove the dictionary, which belongs to other weights."""
        self._count.assign(0)

    def store(self, mixture: Mixture, dictionary: Dictionary) -> None:
        """Store mixture and dictionary.

        Args:
            mixture: mixture of all pixels, tensors.
            dictionary: at most 2k atoms.
        """
        count = len(dictionary.atoms)

        def padded(values: np.ndarray, fill: float, dtype: type) -> np.ndarray:
            out = np.full((self.atoms.shape[0], *values.shape[1:]), fill, dtype)
            out[:count] = values
            return out

        for weight, value in zip((self._phi, self._mu, self._Gamma), mixture[:3], strict=True):
            weight.assign(tf.cast(value, tf.float64))
        self.atoms.assign(padded(dictionary.atoms, 0.0, np.float64))
        self._component.assign(padded(dictionary.components, -1, np.int32))
        self._pixel.assign(padded(dictionary.pixels, -1, np.int32))
        self._count.assign(count)

    def mixture(self) -> Mixture:
        """Return the stored mixture, NumPy."""
        phi, mu, Gamma = (weight.numpy() for weight in (self._phi, self._mu, self._Gamma))
        return Mixture(phi, mu, Gamma, phi > 0)

    def load(self) -> Dictionary:
        """Return the stored dictionary, NumPy."""
        parts = (self.atoms, self._component, self._pixel)
        return Dictionary(*(part.numpy()[: int(self._count.numpy())] for part in parts))


class BackgroundState(_State):
    """Stored backgrounds of a scene, one of each member, and the scales of their energies.

    Background and scale are those of :mod:`lren_tf.latent.background`.

    Args:
        settings: settings of the model.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__("background")
        self._settings = settings
        m, k, d = settings.members, settings.components, feature_count(settings)
        self._phi, self._mu = self._weight("phi", (m, k)), self._weight("mu", (m, k, d))
        self._Gamma = self._weight("Gamma", (m, k, d, d))
        self._level, self._spread = self._weight("level", (m,)), self._weight("spread", (m,))
        self._image = self._weight("image", (), "bool")

    @property
    def stored(self) -> bool:
        """True if backgrounds are stored; none are before a training ends."""
        return bool((self._spread.numpy() > 0).all())

    @property
    def of_image(self) -> bool:
        """True if the scene was an image, whose pixels have neighbours, instead of a table."""
        return bool(self._image.numpy())

    def clear(self) -> None:
        """Remove the backgrounds, which belong to other weights."""
        self._spread.assign(tf.zeros_like(self._spread))

    def mixture_rows(self, pixels: int) -> np.ndarray | slice:
        """Return the pixels of a scene that mixtures are estimated from, in their order.

        They are at most `MIXTURE_PIXELS`.

        Args:
            pixels: n, of the scene.
        """
        if pixels <= MIXTURE_PIXELS:
            return slice(None)
        return sample_rows(pixels, MIXTURE_PIXELS, self._settings.seed)

    def store(
        self, z: np.ndarray, beta: np.ndarray, rows: np.ndarray | slice, data: ModelInput
    ) -> tf.Tensor:
        """Estimate the backgrounds from the pixels of a scene, and store them.

        The scales of their energies are those of all pixels.

        Args:
            z: latent samples ``[n, m, l]``.
            beta: responsibilities of some of the pixels ``[r, m, k]``.
            rows: these, from :meth:`mixture_rows`.
            data: the scene, for the positions of its pixels.

        Returns:
            Energies as of :meth:`energies`.
        """
        s = self._settings
        parts, energies = [], []
        for some in self._groups(len(z)):
            features = self.features(z[:, some], data.grid, data.valid)
            background = background_mixture(
                features if isinstance(rows, slice) else tf.gather(features, rows, axis=1),
                beta[:, some].swapaxes(0, 1),
                component_share=s.component_share,
                trimmed_share=s.trimmed_share,
                ridge=s.ridge,
            )
            energy = background_energy(features, background)
            level, spread = level_and_spread(energy)
            parts.append([*background[:3], level, spread])
            energies.append((energy - level[:, None]) / spread[:, None])
            del features  # before the next ones are made
        weights = self._phi, self._mu, self._Gamma, self._level, self._spread
        for weight, values in zip(weights, zip(*parts, strict=True), strict=True):
            weight.assign(tf.concat(values, axis=0))
        self._image.assign(len(data.grid) == 2)
        return tf.concat(energies, axis=0)

    def load_own_variables(self, store: Any) -> None:
        """Load the weights of a file, also of one without a member axis, of a single member.

        Raises:
            InputError: the file is of another number of members, or of other settings.
        """
        load_stored(self, store)

    def copy_member(self, source: BackgroundState, number: int) -> None:
        """Take the background of one member of another state."""
        for weight, other in zip(self.weights, source.weights, strict=True):
            weight.assign(other if weight is self._image else other[number : number + 1])

    def mixture(self) -> Mixture:
        """Return the stored backgrounds, tensors with a leading member axis."""
        weights = (self._phi, self._mu, self._Gamma)
        phi, mu, Gamma = (tf.convert_to_tensor(weight) for weight in weights)
        return Mixture(phi, mu, Gamma, phi > 0)

    def scales(self) -> list[tuple[float, float]]:
        """Return level and spread of the energies of the stored scene, of every member."""
        levels, spreads = self._level.numpy().tolist(), self._spread.numpy().tolist()
        return list(zip(levels, spreads, strict=True))

    def energies(
        self, z: Any, grid: tuple[Any, ...], valid: np.ndarray | None = None
    ) -> tf.Tensor:
        """Return energies on the scales of the stored scene, float64 ``[m, n]``; in a graph too.

        Args:
            z: latent samples ``[n, m, l]``.
            grid, valid: as for :func:`lren_tf.latent.neighbourhood.with_neighbourhood`.
        """
        parts = []
        for some in self._groups(z.shape[0]):
            background = Mixture(*(part[some] for part in self.mixture()))
            energy = background_energy(self.features(z[:, some], grid, valid), background)
            parts.append((energy - self._level[some, None]) / self._spread[some, None])
        return tf.concat(parts, axis=0)

    def features(self, z: Any, grid: tuple[Any, ...], valid: np.ndarray | None) -> tf.Tensor:
        """Return latent samples with their neighbourhoods, float64; in a graph too.

        Args:
            z: latent samples ``[n, members, l]`` of any members.
            grid, valid: as for :func:`lren_tf.latent.neighbourhood.with_neighbourhood`.

        Returns:
            ``[members, n, d]``.
        """
        members, l = z.shape[1:]
        if isinstance(z, np.ndarray):
            rows = z.astype(np.float64).reshape(-1, members * l)
        else:
            rows = tf.reshape(tf.cast(z, tf.float64), [-1, members * l])
        rows = with_neighbourhood(rows, grid, self._settings.neighbourhood, valid)
        if members == 1:
            return rows[None]
        # A pixel's samples of all members, and after them their neighbourhoods.
        parts = tf.reshape(rows, [tf.shape(rows)[0], -1, members, l])
        parts = tf.transpose(parts, [2, 0, 1, 3])
        return tf.reshape(parts, [members, -1, rows.shape[1] // members])

    def _groups(self, pixels: int | None) -> list[slice]:
        """Members that are worked on at once: all, or one after the other where it saves memory."""
        m = self._settings.members
        if pixels is not None and m * pixels <= PIXELS_AT_A_TIME:
            return [slice(0, m)]
        return [slice(number, number + 1) for number in range(m)]


class EvidenceState(_State):
    """Stored :class:`lren_tf.evidence.fusion.Reference`, and principal components of the spectra.

    Args:
        settings: settings of the model.
        bands: U, number of bands that enter the network.
    """

    def __init__(self, settings: Settings, bands: int) -> None:
        super().__init__("evidence")
        m, d, count = settings.members, feature_count(settings), len(CALIBRATED)
        self._stored = self._weight("stored", (), "bool")
        self._image = self._weight("image", (), "bool")
        self._centre = self._weight("centre", (bands,))
        self._directions = self._weight("directions", (bands, component_count(bands)))
        self._knots = self._weight("knots", (count, KNOTS + 1))
        self._scale, self._shape = self._weight("scale", (count,)), self._weight("shape", (count,))
        self._share = self._weight("share", (count,))
        self._limits = self._weight("limits", (len(LIMITED),))
        self._mean, self._spread = self._weight("mean", (m, d)), self._weight("spread", (m, d))
        self._moments = self._weight("moments", (m, moment_count(d)))

    @property
    def stored(self) -> bool:
        """True if a reference is stored; none is before a training ends."""
        return bool(self._stored.numpy())

    @property
    def of_image(self) -> bool:
        """True if the scene was an image instead of a table, which has the spectrum alone."""
        return bool(self._image.numpy())

    def clear(self) -> None:
        """Remove the reference, which belongs to other weights."""
        self._stored.assign(False)

    def store(
        self, components: tuple[tf.Tensor, tf.Tensor], reference: Reference, *, of_image: bool
    ) -> None:
        """Store principal components and reference of a scene.

        Args:
            components: from :func:`lren_tf.evidence.structure.principal_components`.
            reference: of the scene; what it lacks becomes 0.
            of_image: whether the scene is an image.
        """
        for weight, value in zip((self._centre, self._directions), components, strict=True):
            weight.assign(value)
        nothing = Calibration(tf.zeros([KNOTS + 1]), tf.ones([]), tf.zeros([]), tf.ones([]))
        all_of_them = [reference.calibrations.get(name, nothing) for name in CALIBRATED]
        weights = (self._knots, self._scale, self._shape, self._share)
        for weight, values in zip(weights, zip(*all_of_them, strict=True), strict=True):
            weight.assign(tf.stack([tf.cast(value, tf.float64) for value in values]))
        self._limits.assign([reference.limits.get(name, 0.0) for name in LIMITED])
        scenes = (self._mean, self._spread, self._moments)
        for weight, values in zip(scenes, zip(*reference.scenes, strict=True), strict=False):
            weight.assign(tf.stack(values))
        self._image.assign(of_image)
        self._stored.assign(True)

    def components(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the stored principal components, tensors."""
        return tf.convert_to_tensor(self._centre), tf.convert_to_tensor(self._directions)

    def load(self) -> Reference:
        """Return the stored reference, tensors; in a graph too."""
        parts = [tf.unstack(w) for w in (self._knots, self._scale, self._shape, self._share)]
        scenes = [tf.unstack(w) for w in (self._mean, self._spread, self._moments)]
        return Reference(
            dict(zip(CALIBRATED, map(Calibration, *parts), strict=True)),
            dict(zip(LIMITED, tf.unstack(self._limits), strict=True)),
            tuple(map(SceneMoments, *scenes)),
        )


def feature_count(settings: Settings) -> int:
    """Return the number of features of a pixel: its latent sample, and its neighbourhood's."""
    return settings.latent_units * (2 if settings.neighbourhood else 1)
