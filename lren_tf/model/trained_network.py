"""The networks of a model as a Keras model, with the state that they learned of their scene."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.same_sensor import SensorRecord
from lren_tf.data.standardisation import Scaler
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import Dictionary, as_spectra, atoms_by_rule
from lren_tf.latent.mixture import Mixture, mixture_statistics
from lren_tf.model.first_score import FirstScore
from lren_tf.model.fitted_state import AtomState, BackgroundState, EvidenceState, ScalerState
from lren_tf.model.forward_pass import embed_all, on_last_axis
from lren_tf.model.inputs import ModelInput
from lren_tf.model.network import LAYERS, make_layers, network_of
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.losses import Network
from lren_tf.training.pixel_reader import StandardisedPixels


class Learned(NamedTuple):
    """Latent samples and energies of a scene that backgrounds and mixture were learned from."""

    samples: np.ndarray
    """Float32 ``[n, m, l]``."""
    energies: tf.Tensor | None
    """Float64 ``[m, n]``, on the scales of the scene; None with ``scoring="residual"``."""


class TrainedNetwork(keras.Model):
    """Layers of all members, their standardisation, mixture, dictionary and backgrounds.

    Mixture and dictionary are those of the first member; a model of several has no low-rank step.

    Args:
        settings: settings of the model.
        device: name of the device.
        workers: processes and devices that share the work.
        name: name of the Keras model.
    """

    def __init__(self, settings: Settings, device: str, workers: Workers, name: str) -> None:
        # Without autocast: Keras would round the sensor's float64 to float32 before `call`,
        # which costs a band far from zero its spread. With a dtype of its own, whatever the global
        # policy: in half precision the loss would stand still.
        super().__init__(name=name, autocast=False, dtype="float32")
        self.settings = settings
        self.device = device
        self.workers = workers
        self._bands: int | None = None
        self._used_list: list[int] | None = None
        self._wavelengths: tuple[float, ...] | None = None
        self._first_score = FirstScore()

    @property
    def sensor(self) -> SensorRecord:
        """Wavelengths, means and deviations of the bands of the scene that was fitted on."""
        scaler = self.scaler_state.load()
        return SensorRecord(
            self._wavelengths,
            tuple((scaler.mean * scaler.span + scaler.low).tolist()),
            tuple((scaler.std * scaler.span).tolist()),
            tuple(scaler.used.tolist()),
        )

    @property
    def where(self) -> str:
        """Device, with the numbers of replicas and processes where there are several."""
        replicas, processes = self.workers.replicas, self.workers.processes
        several = f" × {replicas} replicas" if replicas > 1 else ""
        return self.device + several + (f" in {processes} processes" if processes > 1 else "")

    # --- weights -------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the weights for pixels of ``input_shape[-1]`` bands, all of them used."""
        self.create(int(input_shape[-1]), None)

    def get_build_config(self) -> dict[str, Any]:
        """Return what ``build_from_config`` creates the weights again from."""
        if self._bands is None:
            return {}
        members = self.settings.members
        config = {"bands": self._bands, "used": self._used_list, "members": members}
        # Only where they are known: other models are saved as they were before.
        known = self._wavelengths
        return config if known is None else {**config, "wavelengths": list(known)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights of a saved model.

        Raises:
            InputError: an earlier version saved the model, with every member as a model.
        """
        if config and config.get("members", 1) != self.settings.members:
            raise InputError(
                f"the file has a model of {self.settings.members} members that an earlier version "
                "saved, which kept each of them apart; expected one of this version: fit it again."
            )
        if config:
            self.create(config["bands"], config["used"])
            listed = config.get("wavelengths")
            self._wavelengths = None if listed is None else tuple(listed)

    def create(self, bands: int, used: list[int] | None) -> None:
        """Create layers and state.

        Args:
            bands: L, number of bands of the sensor.
            used: numbers of the bands that enter the network; None for all.
        """
        s = self.settings
        self._bands = bands
        self._used_list = used
        width = bands if used is None else len(used)
        with tf.device(self.device):
            for name, layer in make_layers(s, width).items():
                setattr(self, name, layer)
            self.scaler_state = ScalerState(bands)
            atom_length = width if s.low_rank_space == "original" else s.latent_units
            self.atom_state = AtomState(s, atom_length)
            if s.scoring == "energy":
                self.background_state = BackgroundState(s)
            if s.fuses_evidence:
                self.evidence_state = EvidenceState(s, width)
        self.built = True

    def create_for(self, scaler: Scaler) -> None:
        """Create layers and state for the bands of a scene, or check that they fit.

        Raises:
            InputError: the network exists and was made for other bands.
        """
        bands = len(scaler.used)
        used = None if scaler.used.all() else [int(band) for band in np.flatnonzero(scaler.used)]
        if self._bands is None:
            self.create(bands, used)
        elif self._bands != bands or self._used_list != used:
            raise InputError(
                f"the model was made for {_bands_text(self._bands, self._used_list)}, the data "
                f"has {_bands_text(bands, used)}; make a new LREN for it."
            )

    def copy_networks(self, source: TrainedNetwork, members: slice = slice(None)) -> None:
        """Take weights and standardisation of another model with layers of the same widths.

        Args:
            source: model with the weights.
            members: of its members those to take, as many as this model has.
        """
        for name in LAYERS:
            weights = [weight[members] for weight in getattr(source, name).get_weights()]
            getattr(self, name).set_weights(weights)
        self.scaler_state.store(source.scaler_state.load())

    def network(self) -> Network:
        """Return the weights in the form a training step needs them."""
        return network_of(self, self.settings)

    # --- forward pass --------------------------------------------------------------------

    def call(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pass pixels of the sensor through the networks.

        Args:
            pixels: ``[N, L]`` in the sensor's units; or an image ``[H, W, L]``, whose outputs are
                images too.

        Returns:
            float32 ``latent [N, l]``, ``reconstruction [N, L]`` in the sensor's units (constant
            bands at their constant, those marked as not good at 0) and ``assignments [N, k]``,
            the responsibilities. With several members latent samples and responsibilities are
            concatenated, ``[N, members·l]`` and ``[N, members·k]``, and the reconstruction is the
            mean.
        """
        return on_last_axis(self._outputs, pixels, self._band_count)

    def _outputs(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        z = self.encoder_latent(self.encoder_hidden(self.standardised(pixels)))  # eq. (3)
        beta = self.estimator_output(self.estimator_hidden(z))  # eq. (7)
        x_hat = self.decoder_output(self.decoder_hidden(z))  # eq. (4)
        if self.settings.members > 1:
            x_hat = tf.reduce_mean(x_hat, axis=0)
        return {
            "latent": self._side_by_side(z),
            "reconstruction": self.scaler_state.in_sensor_units(x_hat, pixels),
            "assignments": self._side_by_side(beta),
        }

    def standardised(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return the network's input of pixels: ``[N, U]`` float32, U bands that vary.

        Args:
            pixels: ``[N, L]`` in the sensor's units.
        """
        return self.scaler_state.standardised(pixels)

    def embed(self, pixels: np.ndarray | StandardisedPixels) -> tuple[np.ndarray, np.ndarray]:
        """Return latent samples and responsibilities of all pixels, NumPy.

        Args:
            pixels: standardised pixels ``[N, U]``.

        Returns:
            float32 ``[N, m, l]`` and ``[N, m, k]``.
        """
        m = self.settings.members
        z, beta = embed_all(self._embed, pixels, self.workers)
        return z.reshape(len(z), m, -1), beta.reshape(len(beta), m, -1)

    def _embed(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z = self.encoder_latent(self.encoder_hidden(x))
        beta = self.estimator_output(self.estimator_hidden(z))
        return self._side_by_side(z), self._side_by_side(beta)

    def _side_by_side(self, values: tf.Tensor) -> tf.Tensor:
        """Return values ``[m, n, c]`` of several members as ``[n, m·c]``; of one as they are."""
        if self.settings.members == 1:
            return values
        m, _, c = values.shape
        return tf.reshape(tf.transpose(values, [1, 0, 2]), [-1, m * c])

    # --- state learned of a scene --------------------------------------------------------

    def forget(self, scaler: Scaler) -> None:
        """Take the standardisation of a training that begins, and drop results of the last one."""
        self.atom_state.clear()
        if self.settings.scoring == "energy":
            self.background_state.clear()
        if self.settings.fuses_evidence:
            self.evidence_state.clear()
        self.scaler_state.store(scaler)

    def learn(
        self, standardised: np.ndarray | StandardisedPixels, data: ModelInput
    ) -> Learned:
        """Store backgrounds, mixture and dictionary of all pixels of a scene.

        Args:
            standardised: standardised pixels ``[n, U]``.
            data: the scene.

        Returns:
            What was computed of the pixels on the way.
        """
        s, energies = self.settings, None
        samples, responsibilities = self.embed(standardised)
        z, beta = (np.ascontiguousarray(each[:, 0]) for each in (samples, responsibilities))
        dtype = tf.as_dtype(s.mixture_dtype)
        mixture = mixture_statistics(
            tf.cast(z, dtype), tf.cast(beta, dtype), empty_mass=s.empty_mass
        )
        atoms, weights = atoms_by_rule(
            s, z, beta, tf.cast(mixture.mu, tf.float64).numpy(), mixture.alive.numpy()
        )
        if s.low_rank_space == "original":
            atoms = as_spectra(atoms, standardised[:], weights)
        if s.scoring == "energy":
            rows = self.background_state.mixture_rows(len(samples))
            # Those of all pixels of a large scene go before its features are made.
            responsibilities = responsibilities[rows]
            del z, beta, weights
            energies = self.background_state.store(samples, responsibilities, rows, data)
        # Last, because the model counts as fitted from here on, or from its evidence.
        self.atom_state.store(mixture, atoms._replace(pixels=data.on_grid(atoms.pixels)))
        return Learned(samples, energies)

    def copy_results(self, source: TrainedNetwork, number: int) -> None:
        """Take what a member of another model learned of its scene."""
        if self.settings.scoring == "energy":
            self.background_state.copy_member(source.background_state, number)
        if number == 0:
            self.atom_state.set_weights(source.atom_state.get_weights())

    @property
    def fitted(self) -> bool:
        """True if a training has ended and its results are stored."""
        if self._bands is None:
            return False
        if self.settings.fuses_evidence:
            return self.evidence_state.stored
        energy = self.settings.scoring == "energy"
        return self.background_state.stored if energy else self.atom_state.stored

    @property
    def _band_count(self) -> int:
        """Number of bands L of the scenes that the network takes."""
        if self._bands is None:
            raise InputError("the model has no bands yet; call fit, or load a fitted model.")
        return self._bands

    def _require_training(self) -> None:
        """Refuse a network that no training has given its standardisation."""
        if self._bands is None or not self.scaler_state.stored:
            raise InputError("the model has not been fitted; call fit, or load a fitted model.")

    def _require_fit(self) -> None:
        self._require_training()
        if not self.fitted:
            raise InputError(
                "the model has the weights of an unfinished training, such as ModelCheckpoint "
                "writes, without the mixture, dictionary, background and calibration that fit "
                "computes at its end; call rebuild(scene) with the scene of fit."
            )

    @property
    def dictionary(self) -> Dictionary:
        """Atoms, the component of each and the pixel it was copied from, NumPy.

        Atoms are latent samples ``[m, l]``, or standardised spectra ``[m, U]`` of the U bands
        that are used where the low-rank step is in the original space. Pixels are counted row
        after row, those without data included.

        Raises:
            InputError: the model is not fitted, or is a further member of another.
        """
        self._require_atoms()
        return self.atom_state.load()

    @property
    def mixture(self) -> Mixture:
        """Weights ``[k]``, means ``[k, l]`` and covariances ``[k, l, l]`` after ``fit``, NumPy.

        Of the first member where there are several.

        Raises:
            InputError: as ``dictionary``.
        """
        self._require_atoms()
        return self.atom_state.mixture()

    def _require_atoms(self) -> None:
        self._require_fit()
        if not self.atom_state.stored:
            raise InputError(
                "mixture and dictionary of a training are kept for the first member alone; call "
                "members[0]."
            )


def _bands_text(bands: int, used: list[int] | None) -> str:
    return f"{bands} bands" if used is None else f"{bands} bands of which {len(used)} vary"
