"""One network as a Keras model, with the state that it learned of its scene."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from lren_tf.data.standardisation import Scaler
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import Dictionary, as_spectra, atoms_by_rule
from lren_tf.latent.mixture import Mixture, mixture_statistics
from lren_tf.model.fitted_state import AtomState, BackgroundState, EvidenceState, ScalerState
from lren_tf.model.forward_pass import embed_all
from lren_tf.model.inputs import ModelInput
from lren_tf.model.network import LAYERS, make_layers, network_of
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.losses import Network
from lren_tf.training.pixel_reader import StandardisedPixels


class TrainedNetwork(keras.Model):
    """Layers of one network, its standardisation, mixture, dictionary and background.

    Args:
        settings: settings of the model; those of one member where it has several.
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

    @property
    def where(self) -> str:
        """Device, with the numbers of replicas and processes where there are several."""
        replicas, processes = self.workers.replicas, self.workers.processes
        several = f" × {replicas} replicas" if replicas > 1 else ""
        return self.device + several + (f" in {processes} processes" if processes > 1 else "")

    # --- weights -------------------------------------------------------------------------

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

    def copy_network(self, source: TrainedNetwork) -> None:
        """Take weights and standardisation of another network with the same layers."""
        for name in LAYERS:
            getattr(self, name).set_weights(getattr(source, name).get_weights())
        self.scaler_state.store(source.scaler_state.load())

    def network(self) -> Network:
        """Return the weights in the form a training step needs them."""
        return network_of(self, self.settings)

    # --- forward pass --------------------------------------------------------------------

    def call_alone(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pass pixels ``[N, L]`` in the sensor's units through this network.

        Returns:
            float32 ``latent [N, l]``, ``reconstruction [N, L]`` in the sensor's units and
            ``assignments [N, k]``, the responsibilities.
        """
        z, beta = self._embed(self.standardised(pixels))
        reconstruction = self.decoder_output(self.decoder_hidden(z))  # eq. (4)
        return {
            "latent": z,
            "reconstruction": self.scaler_state.in_sensor_units(reconstruction, pixels),
            "assignments": beta,
        }

    def standardised(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return the network's input of pixels: ``[N, U]`` float32, U bands that vary.

        Args:
            pixels: ``[N, L]`` in the sensor's units.
        """
        return self.scaler_state.standardised(pixels)

    def embed(self, pixels: np.ndarray | StandardisedPixels) -> tuple[np.ndarray, np.ndarray]:
        """Return latent samples ``[N, l]`` and responsibilities ``[N, k]`` of all pixels.

        Args:
            pixels: standardised pixels ``[N, U]``.
        """
        return embed_all(self._embed, pixels, self.workers)

    def _embed(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z = self.encoder_latent(self.encoder_hidden(x))  # eq. (3)
        return z, self.estimator_output(self.estimator_hidden(z))  # eq. (7)

    # --- state learned of a scene --------------------------------------------------------

    def forget(self, scaler: Scaler) -> None:
        """Take the standardisation of a training that begins, and drop results of the last one."""
        self.atom_state.clear()
        if self.settings.fuses_evidence:
            self.evidence_state.clear()
        self.scaler_state.store(scaler)

    def learn(
        self, standardised: np.ndarray | StandardisedPixels, data: ModelInput
    ) -> np.ndarray:
        """Store background, mixture and dictionary of all pixels of a scene.

        Args:
            standardised: standardised pixels ``[n, U]``.
            data: the scene.

        Returns:
            Latent samples float32 ``[n, l]``.
        """
        s = self.settings
        z, beta = self.embed(standardised)
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
            self.background_state.store(z, beta, data)
        # Last, because the network counts as fitted from here on.
        self.atom_state.store(mixture, atoms._replace(pixels=data.on_grid(atoms.pixels)))
        return z

    @property
    def fitted(self) -> bool:
        """Whether a training has ended and its results are stored."""
        if self._bands is None or not self.atom_state.stored:
            return False
        return not self.settings.fuses_evidence or self.evidence_state.stored

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
        """
        self._require_fit()
        return self.atom_state.load()

    @property
    def mixture(self) -> Mixture:
        """Weights ``[k]``, means ``[k, l]`` and covariances ``[k, l, l]`` after ``fit``, NumPy."""
        self._require_fit()
        return self.atom_state.mixture()


def _bands_text(bands: int, used: list[int] | None) -> str:
    return f"{bands} bands" if used is None else f"{bands} bands of which {len(used)} vary"
