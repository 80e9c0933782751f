"""LREN as a Keras model: autoencoder and mixture trained together, scored by low rank."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lren_tf import presets
from lren_tf.data.pixel_matrix import PixelRows
from lren_tf.data.standardisation import Scaler, fit_scaler, standardise
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import Dictionary, as_spectra, atoms_by_rule
from lren_tf.latent.mixture import Mixture, mixture_statistics
from lren_tf.low_rank.solve import LowRankResult, row_norms, solve_low_rank
from lren_tf.model.fitted_state import KeptBackground, KeptDictionary, KeptScaler
from lren_tf.model.initialisers import RELEASE_OPERATION_SEEDS, TF1GlorotUniform
from lren_tf.model.inputs import Samples, samples_of
from lren_tf.model.saved_model import export_saved_model
from lren_tf.runtime.device import resolve_device
from lren_tf.runtime.memory import fits, kept_bytes, training_bytes
from lren_tf.runtime.strategy import StrategyWorkers, workers_of
from lren_tf.settings import AFTER_TRAINING, Settings, unused_settings
from lren_tf.training import checkpoint
from lren_tf.training.batches import (
    EpochProgress,
    SecondPart,
    StopOnFault,
    fixed_batches,
    make_optimizer,
    numbered,
    read_batches,
)
from lren_tf.training.chunked_step import CHUNK, BoundedStep
from lren_tf.training.losses import (
    LAYERS,
    Losses,
    Network,
    Terms,
    density_losses,
    joint_losses,
    mapping_losses,
    network_of,
    step_together,
)
from lren_tf.training.pixel_reader import AlignedRows, StandardisedRows, batch_rows, row_chunks
from lren_tf.validators import size_in_bytes

_CHUNK = 65536
"""Pixels passed through the network at a time outside training."""


def seed_of_member(seed: int, number: int) -> int:
    """Seed of the initial weights of a member; member 0 has the seed of the settings."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


@keras.saving.register_keras_serializable(package="lren_tf")
class LREN(keras.Model):
    """Low-Rank Embedded Network (Jiang et al., AAAI 2021).

    An autoencoder and a softmax mixture estimator are trained together on the pixels of
    one scene (eqs. 2-11); atoms drawn from the latent samples form a dictionary; the
    low-rank step (eqs. 12-20) explains the samples by it, and the norm of what is left of
    a pixel is its score. The preset ``robust`` trains several small networks side by side
    and scores by the energy (8) under the background's mixture instead. Higher score = more
    anomalous. ::

        model = LREN("release")
        model.fit("scene.mat")
        score = model.score("scene.mat")  # [H, W] float32

    ``fit`` compiles the model from its preset unless it has been compiled. What ``fit``
    learns besides the network (standardisation, mixture, dictionary) is kept in
    non-trainable weights, so a saved model scores as the original does.

    Args:
        preset: ``"paper"`` (the text), ``"release"`` (what the authors ran) or ``"robust"``
            (one setting for every scene).
        seed: seed of the initial weights; None for the preset's, 123.
        device: where to run; None for the first GPU, else the CPU. A strategy has its own.
        memory_limit: bytes, or text such as ``"2GiB"``, that training may take beside the
            scene; None for half of what is free when it begins. A training that would take more
            works on a chunk of a batch at a time (:mod:`lren_tf.training.chunked_step`): the same steps, to
            rounding. Where not even the standardised pixels fit, they are read again in every
            epoch.
        strategy: a ``tf.distribute`` strategy (``MirroredStrategy`` or
            ``MultiWorkerMirroredStrategy``) over whose replicas the pixels are spread; None for
            one device. No ``strategy.scope()`` is needed. With several processes each makes the
            same calls on the same data (``docs/distributed.md``); ``workers.chief`` says which
            of them writes.
        name: name of the Keras model.
        **settings: single settings to replace, see :class:`lren_tf.settings.Settings`.

    Raises:
        InputError: unknown preset, setting or device, or a value that is not allowed; a device
            beside a strategy.
    """

    def __init__(
        self,
        preset: str = "paper",
        seed: int | None = None,
        device: str | None = None,
        *,
        memory_limit: int | str | None = None,
        strategy: tf.distribute.Strategy | None = None,
        name: str = "lren",
        **settings: Any,
    ) -> None:
        if seed is not None:
            settings["seed"] = seed
        resolved = presets.resolve(preset, **settings)
        # Without autocast: Keras would round the sensor's float64 to float32 before `call`,
        # which costs a band far from zero its spread.
        super().__init__(name=name, autocast=False)
        self.preset = preset
        self.settings = resolved
        self.memory_limit = (
            None if memory_limit is None else size_in_bytes("memory_limit", memory_limit)
        )
        self._strategy = strategy
        self.workers = workers_of(strategy)
        self._bounded: BoundedStep | None = None
        if isinstance(self.workers, StrategyWorkers):
            if device is not None:
                raise InputError(
                    f"device is {device!r} beside a strategy; expected one of the two, since a "
                    "strategy has devices of its own: leave device out."
                )
            self.device = self.workers.device
        else:
            self.device = resolve_device(device)
        self._bands: int | None = None
        self._fault = tf.Variable(0, dtype=tf.int32, trainable=False, name="fault")
        self._second_part = tf.Variable(False, trainable=False, name="second_part")
        # A further member is a model of its own in everything but the training.
        self.companions = [
            LREN(
                preset, device=device, strategy=strategy, name=f"{name}_{number}",
                **{**resolved.as_dict(), "seed": seed_of_member(resolved.seed, number),
                   "members": 1},
            )
            for number in range(1, resolved.members)
        ]  # fmt: skip
        self._trackers = {
            tracked: keras.metrics.Mean(name=tracked)
            for tracked in ("loss", "reconstruction", "energy", "covariance_penalty")
        }

    # --- construction and serialisation ---------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the weights for pixels of ``input_shape[-1]`` bands, all of them used."""
        self._create(int(input_shape[-1]), None)

    def get_build_config(self) -> dict[str, Any]:
        """What ``build_from_config`` needs to create the weights again."""
        return {} if self._bands is None else {"bands": self._bands, "used": self._used_list}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights of a saved model."""
        if config:
            self._create(config["bands"], config["used"])

    def get_config(self) -> dict[str, Any]:
        """Preset and all settings; device, memory and workers are the loading machine's."""
        return {"preset": self.preset, "name": self.name, **self.settings.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> LREN:
        """The model that ``get_config`` describes, not fitted."""
        return cls(**config)

    def _create(self, bands: int, used: list[int] | None) -> None:
        """Create layers and weights for ``bands`` bands; ``used`` enter the network (None: all)."""
        s = self.settings
        self._bands = bands
        self._used_list = used
        width = bands if used is None else len(used)
        l, k = s.latent_units, s.components
        plan = (
            (width, s.hidden_units, "tanh"),
            (s.hidden_units, l, s.latent_activation),
            (l, s.hidden_units, "tanh"),
            (s.hidden_units, width, "linear"),
            (l, s.estimator_units, "tanh"),
            (s.estimator_units, k, "softmax"),
        )
        with tf.device(self.device):
            for layer, initialiser, (fan_in, units, activation) in zip(
                LAYERS, self._initialisers(), plan, strict=True
            ):
                dense = keras.layers.Dense(
                    units, activation=activation, kernel_initializer=initialiser, name=layer
                )
                dense.build((None, fan_in))
                setattr(self, layer, dense)

            self._kept_scaler = KeptScaler(bands)
            self._kept = KeptDictionary(s, width if s.low_rank_space == "original" else l)
            if s.scoring == "energy":
                self._background = KeptBackground(s)
        for companion in self.companions:
            companion._create(bands, used)
        self.built = True

    def _initialisers(self) -> list[keras.initializers.Initializer]:
        s = self.settings
        if s.initial_weights == "tf1_glorot_uniform":
            return [TF1GlorotUniform(s.seed, RELEASE_OPERATION_SEEDS[name]) for name in LAYERS]
        seeds = np.random.SeedSequence(s.seed).generate_state(len(LAYERS)) >> 1
        return [keras.initializers.GlorotUniform(seed=int(seed)) for seed in seeds]

    @property
    def where(self) -> str:
        """The device, and how many replicas and processes there are where there are several."""
        replicas, processes = self.workers.replicas, self.workers.processes
        several = f" × {replicas} replicas" if replicas > 1 else ""
        return self.device + several + (f" in {processes} processes" if processes > 1 else "")

    # --- the network -----------------------------------------------------------------

    def call(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pass pixels of the sensor through the network.

        Args:
            pixels: ``[N, L]`` in the sensor's units.

        Returns:
            ``latent [N, l]``, ``reconstruction [N, L]`` in the sensor's units (constant
            bands at their constant, those marked as not good at 0) and ``assignments
            [N, k]``, float32; of several members latent samples and assignments side by side,
            and the mean reconstruction.
        """
        found = [member._pass(pixels) for member in self._members()]
        if len(found) == 1:
            return found[0]
        return {
            "latent": tf.concat([each["latent"] for each in found], axis=1),
            "reconstruction": tf.add_n([each["reconstruction"] for each in found]) / len(found),
            "assignments": tf.concat([each["assignments"] for each in found], axis=1),
        }

    def _members(self) -> list[LREN]:
        # No property: Keras walks through those when it saves, and this one leads back.
        return [self, *self.companions]

    def _pass(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """``call`` of one member."""
        z, beta = self._embed(self.standardised(pixels))
        return {
            "latent": z,
            "reconstruction": self._kept_scaler.in_sensor_units(self._decode(z), pixels),
            "assignments": beta,
        }

    def standardised(self, pixels: tf.Tensor) -> tf.Tensor:
        """What the network sees of pixels of the sensor: ``[N, U]`` float32, U bands that vary.

        Args:
            pixels: ``[N, L]`` in the sensor's units.
        """
        return self._kept_scaler.standardised(pixels)

    def export(
        self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: Any
    ) -> None:
        """Write what scores pixels as a SavedModel that serves without this package.

        Its endpoints ``score``, ``encode``, ``reconstruct`` and ``responsibilities`` are
        described in :func:`lren_tf.model.saved_model.export_saved_model`. The low-rank step couples the
        pixels of a batch: the scores of a scene are those of all its pixels sent at once.

        Args:
            filepath: folder to write; a SavedModel there is replaced.
            format: ``"tf_saved_model"``; any other format of ``keras.Model.export`` gets the
                network alone, which returns what ``call`` returns.
            **options: ``verbose``; with another format, as for ``keras.Model.export``.

        Raises:
            InputError: the model is not fitted, or the folder holds something else or cannot
                be written.
        """
        self._require_fit()
        if format == "tf_saved_model":
            export_saved_model(self, filepath, **options)
            return
        signature = [keras.InputSpec(shape=(None, self._bands), dtype="float32")]
        options = {"input_signature": signature, "verbose": False, **options}
        super().export(filepath, format=format, **options)

    def _embed(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Latent samples ``[N, l]`` (3) and assignments ``[N, k]`` (7) of standardised pixels."""
        z = self.encoder_latent(self.encoder_hidden(x))
        return z, self.estimator_output(self.estimator_hidden(z))

    def _decode(self, z: tf.Tensor) -> tf.Tensor:
        """Reconstruction (4) of standardised pixels from latent samples."""
        return self.decoder_output(self.decoder_hidden(z))

    # --- training --------------------------------------------------------------------

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The trackers, which Keras resets at the start of every epoch."""
        return list(self._trackers.values())

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step on aligned rows ``[n, P]`` of pixels: eqs. (2)-(11) and the optimiser.

        A step with a non-finite loss or gradient leaves weights and optimiser untouched
        and reports the fault, on which ``fit`` ends.
        """
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if self._bounded is not None:
            # The rows of the batch are read by the step; what comes in is its number.
            with tf.device(self.device):
                fault, terms, n = self._bounded.step(int(x), self._kind())
                return self._noted(fault, terms, tf.constant(n, tf.float32))
        with tf.device(self.device):
            if self.settings.training == "joint":
                fault, terms = self._step(x, joint_losses)
            else:
                fault, terms = tf.cond(
                    self._second_part,
                    lambda: self._step(x, density_losses),
                    lambda: self._step(x, mapping_losses),
                )
            return self._noted(fault, terms, tf.cast(tf.shape(x)[0], tf.float32))

    def _noted(self, fault: tf.Tensor, terms: Terms, n: tf.Tensor) -> dict[str, tf.Tensor]:
        """Note what came of a step on n pixels."""
        # Several steps may run before anybody looks: the fault of one is not forgotten.
        self._fault.assign(tf.maximum(self._fault, fault))
        for tracker, value in zip(self._trackers.values(), terms, strict=True):
            tracker.update_state(value, sample_weight=n)
        return {name: tracker.result() for name, tracker in self._trackers.items()}

    def _kind(self) -> str:
        """What the next step of a training that reads its rows is about."""
        if self.settings.training == "joint":
            return "joint"
        return "density" if bool(self._second_part.numpy()) else "mapping"

    def make_train_function(self, force: bool = False) -> Callable[[Any], Any]:
        """What Keras calls for a step. One that reads its rows is no single graph."""
        if self._bounded is None:
            return super().make_train_function(force)
        self.train_function = lambda iterator: self.train_step(next(iterator))
        return self.train_function

    def _step(
        self, x: tf.Tensor, losses: Callable[[Network, tf.Tensor], Losses]
    ) -> tuple[tf.Tensor, Terms]:
        """One step of all members on a batch."""
        found = [losses(network_of(member), x) for member in self._members()]
        return step_together(self.optimizer, self.settings, found)

    def fit(
        self,
        x: Any,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        callbacks: list[keras.callbacks.Callback] | None = None,
        initial_epoch: int = 0,
        key: str | None = None,
        resume: str | os.PathLike[str] | None = None,
        checkpoint_every: int = checkpoint.EVERY,
    ) -> keras.callbacks.History:
        """Train on one scene or table, then keep its mixture and dictionary.

        Args:
            x: ``[N, L]`` or ``[H, W, L]`` array, a :class:`Scene`, or the path of a file
                that :func:`lren_tf.load_scene` reads. Pixels that a scene says hold no data
                are left out, and so are bands that it marks as not good.
            epochs: None for the setting (1000); of each part where the training has two.
            batch_size: pixels per step; None for the setting (all of them in ``paper``).
            verbose: ``"auto"`` is one progress bar on a terminal and two lines elsewhere;
                0, 1, 2 as in Keras.
            callbacks: Keras callbacks.
            initial_epoch: epoch to start at, to go on with a training.
            key: variable of the cube in a file with several.
            resume: folder that keeps the state of this training (:mod:`lren_tf.training.checkpoint`).
                A training that was interrupted, even killed, goes on from there: the same call
                again gives the bits that the uninterrupted one gives, on the CPU of the same
                machine. One that is finished is not run again. State of callbacks is not kept.
            checkpoint_every: epochs between two writings of that state.

        Returns:
            Keras' history: loss, reconstruction, energy and covariance_penalty per epoch.

        Raises:
            InputError: the data cannot be used (NaN, constant, too few pixels, …), or the
                folder holds the state of another training.
            TrainingDiverged: a loss or gradient became NaN or infinite.
            WorkerLost: another process of the strategy has ended, or hangs.
        """
        s = self.settings
        if epochs is not None:
            s = dataclasses.replace(s, epochs=epochs)
        if batch_size is not None:
            s = dataclasses.replace(s, batch_size=batch_size)
        if not 0 <= initial_epoch < s.total_epochs:
            raise InputError(
                f"initial_epoch is {initial_epoch} of {s.total_epochs} epochs; expected 0 or more "
                "and less than epochs, which counts all epochs and not those still to come."
            )
        if resume is not None and initial_epoch:
            raise InputError(
                f"initial_epoch is {initial_epoch} beside resume; expected one of the two: the "
                "folder knows its epoch."
            )
        workers = self.workers
        with workers.agreed():
            data = samples_of(x, key)
            data.check_finite()
            pixels = data.pixels
            if len(pixels) < s.components:
                raise InputError(
                    f"the scene has {len(pixels)} pixels for {s.components} mixture components; "
                    "expected at least one pixel per component: lower components."
                )
            scaler = fit_scaler(pixels, s.scaling, good_bands=data.good_bands)
            if resume is not None or workers.processes > 1:
                optimizer = self.optimizer if self.compiled else make_optimizer(s)
                training = checkpoint.identity(s, optimizer, self.device, pixels, scaler.used)
            if resume is not None and workers.chief:
                checkpoint.check(resume, checkpoint_every, training)
        if workers.processes > 1:
            asked = {"resume": resume is not None, "initial_epoch": initial_epoch, **s.as_dict()}
            checkpoint.check_alike({**training, "setting": asked}, workers)
        self._adopt(scaler, data.good_bands)
        with tf.device(self.device):
            if not self.compiled:
                self.compile(optimizer=make_optimizer(s), jit_compile=False)
            # Slots have to exist before the conditional that applies gradients is traced.
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
            self._fault.assign(0)

            batches, standardised = self._fed(pixels, scaler, s)
            own: list[keras.callbacks.Callback] = [StopOnFault(self._fault)]
            if s.training == "separate":
                own.append(SecondPart(self._second_part, s.epochs))
            if not workers.chief:
                verbose = 0
            if verbose == "auto":
                size = f"{len(pixels)} pixels × {np.count_nonzero(scaler.used)} bands"
                title = f"LREN ({self.preset}), {size}, {self.where}"
                own.append(EpochProgress(title, s.total_epochs))
                verbose = 0
            keras_fit = super().fit

            def run(start: int, keepers: list[keras.callbacks.Callback]) -> Any:
                return keras_fit(
                    batches,
                    epochs=s.total_epochs,
                    initial_epoch=start,
                    verbose=verbose,
                    callbacks=[*own, *(callbacks or []), *keepers],
                    shuffle=False,
                )

            try:
                if resume is None:
                    history = run(initial_epoch, [])
                else:
                    history = checkpoint.train(
                        run, self, resume, checkpoint_every, training, workers
                    )
            finally:
                if self._bounded is not None:
                    self._bounded.close()
                self._bounded = None
            for member in self._members():
                member._keep(standardised, data)
        return history

    def _fed(
        self, pixels: PixelRows, scaler: Scaler, s: Settings
    ) -> tuple[tf.data.Dataset, np.ndarray | StandardisedRows]:
        """Batches of an epoch, and the standardised pixels for what comes after the training.

        Where memory or workers ask for it, the batches are numbers, and `_bounded` reads rows.
        """
        self.train_function = None  # of a training that was fed otherwise
        n, bands = len(pixels), int(np.count_nonzero(scaler.used))
        alone = self.workers.replicas == 1
        if alone and fits(training_bytes(n, bands, s), self.memory_limit):
            standardised = standardise(pixels, scaler)
            return fixed_batches(standardised, s.batch_size, s.batch_seed), standardised
        rows, standing = AlignedRows(pixels, scaler), StandardisedRows(pixels, scaler)
        plan = batch_rows(n, s.batch_size, s.batch_seed)
        if alone and len(plan[0]) <= CHUNK:
            return read_batches(rows, plan), standing
        keep = fits(kept_bytes(n, bands, s, CHUNK), self.memory_limit)
        self._bounded = BoundedStep(
            lambda: [network_of(member) for member in self._members()],
            self.optimizer,
            rows,
            plan,
            self.workers,
            CHUNK,
            keep,
        )
        return numbered(len(plan)), standing

    def _adopt(self, scaler: Scaler, good_bands: np.ndarray | None) -> None:
        """Create the weights for these bands, or check that they fit, and set the scaler."""
        bands = len(scaler.used)
        used = None if scaler.used.all() else [int(band) for band in np.flatnonzero(scaler.used)]
        if self._bands is None:
            self._create(bands, used)
        elif self._bands != bands or self._used_list != used:
            raise InputError(
                f"the model was made for {_bands_text(self._bands, self._used_list)}, the data "
                f"has {_bands_text(bands, used)}; make a new LREN for it."
            )
        dropped = np.flatnonzero(~scaler.used & (True if good_bands is None else good_bands))
        if dropped.size:
            warnings.warn(
                f"{len(dropped)} constant bands are dropped: "
                f"{', '.join(map(str, dropped[:10]))}{' …' if len(dropped) > 10 else ''}.",
                stacklevel=3,
            )
        # Until this training ends there is no dictionary: an earlier one belongs to other
        # weights and another scaler.
        for member in self._members():
            member._kept.forget()
            member._kept_scaler.keep(scaler)

    def _keep(self, standardised: np.ndarray | StandardisedRows, data: Samples) -> None:
        """Mixture, dictionary and background of the network over all pixels that hold data."""
        s = self.settings
        z, beta = self._embed_all(standardised)
        dtype = tf.as_dtype(s.mixture_dtype)
        mixture = mixture_statistics(
            tf.cast(z, dtype), tf.cast(beta, dtype), empty_mass=s.empty_mass
        )
        chosen, weights = atoms_by_rule(
            s, z, beta, tf.cast(mixture.mu, tf.float64).numpy(), mixture.alive.numpy()
        )
        if s.low_rank_space == "original":
            chosen = as_spectra(chosen, standardised[:], weights)
        self._kept.keep(mixture, chosen._replace(pixels=data.on_grid(chosen.pixels)))
        if s.scoring == "energy":
            self._background.keep(z, beta, data)

    def _embed_all(
        self, standardised: np.ndarray | StandardisedRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Latent samples and assignments of all pixels, a chunk at a time.

        Every replica passes its share through the network; every process gets all of them.
        """
        workers = self.workers
        chunks = row_chunks(workers.shares(np.arange(len(standardised))), _CHUNK)
        embed = self._embed if workers.replicas == 1 else tf.function(self._embed)
        found: list[list[Any]] = [[] for _ in chunks]
        for parts in zip(*chunks, strict=True):
            passed = workers.run(embed, [standardised[rows] for rows in parts])
            for of_replica, result in zip(found, passed, strict=True):
                of_replica.append(result)
        z, beta = (
            workers.gathered([[result[i] for result in of_replica] for of_replica in found])
            for i in range(2)
        )
        return z.numpy(), beta.numpy()

    # --- results ---------------------------------------------------------------------

    def score(self, x: Any, *, lam: float | None = None, key: str | None = None) -> np.ndarray:
        """Anomaly score of every pixel; higher = more anomalous.

        Args:
            x: data as in ``fit``, of the same sensor.
            lam: λ of eq. (1); None for the setting. Only with ``scoring="residual"``.
            key: variable of the cube in a file with several.

        Returns:
            float32 map ``[H, W]`` of a cube, or ``[N]`` of a table, not normalised; NaN in
            pixels that a scene says hold no data.

        Raises:
            InputError: the model is not fitted, or the data cannot be used.
        """
        data = self._samples(x, key)
        if self.settings.scoring == "residual":
            return self.score_of(self._solve(data, lam)).reshape(data.grid)
        if lam is not None:
            raise InputError(
                f"lam is {lam} with scoring='energy'; expected None: the energy has no λ, leave it "
                "out or choose scoring='residual'."
            )
        energies = self._energies(data).mean(axis=0).astype(np.float32)
        return data.spread(energies).reshape(data.grid)

    def member_scores(self, x: Any, *, key: str | None = None) -> np.ndarray:
        """Scores of every member, whose mean is ``score``: how far networks disagree.

        Args:
            x, key: as for ``score``.

        Returns:
            float32 ``[members, H, W]`` of a cube, or ``[members, N]`` of a table.

        Raises:
            InputError: as ``score``, or the model does not score by energy.
        """
        if self.settings.scoring != "energy":
            raise InputError(
                "the model scores by the residual of one network; members have scores of their "
                "own with scoring='energy' only, call score."
            )
        data = self._samples(x, key)
        energies = self._energies(data).astype(np.float32)
        return np.stack([data.spread(each).reshape(data.grid) for each in energies])

    def _energies(self, data: Samples) -> np.ndarray:
        """Energies of every member on the scale of its scene, float64 ``[members, n]``."""
        with tf.device(self.device):
            standardised = StandardisedRows(data.pixels, self._scaler())
            return np.stack(
                [member._background_score(standardised, data) for member in self._members()]
            )

    def _background_score(self, standardised: StandardisedRows, data: Samples) -> np.ndarray:
        """Energy under this member's background on the scale of its scene, float64 ``[n]``."""
        image = self._background.of_image
        if self.settings.neighbourhood and image != (len(data.grid) == 2):
            kinds = ("an image", "a table") if image else ("a table", "an image")
            raise InputError(
                f"the model was fitted on {kinds[0]} and is given {kinds[1]}; expected the same "
                "kind, since an image has neighbourhoods: pass it as rows × columns × bands or "
                "fit with neighbourhood=0."
            )
        z, _ = self._embed_all(standardised)
        return self._background.energy(tf.convert_to_tensor(z), data.grid, data.valid).numpy()

    def energy_scores(self, latent: tf.Tensor, grid: tuple[Any, ...]) -> tf.Tensor:
        """Scores with ``scoring="energy"`` as a tensor, for a graph that is kept.

        Args:
            latent: ``[N, members·l]`` as ``call`` returns it.
            grid: (H, W), numbers or scalar tensors, of an image; (N,) of a table.

        Returns:
            ``[N]`` float64.
        """
        parts = tf.split(latent, len(self._members()), axis=1)
        return tf.add_n(
            [
                member._background.energy(z, grid)
                for member, z in zip(self._members(), parts, strict=True)
            ]
        ) / len(parts)

    def scores_images(self) -> bool:
        """Whether a score needs the pixel's neighbours, and so an image instead of a table."""
        s = self.settings
        if s.scoring == "residual" or not s.neighbourhood:
            return False
        return self._background.of_image

    @property
    def backgrounds(self) -> list[Mixture]:
        """The background of every member, NumPy: see :mod:`lren_tf.latent.background`.

        Features are the latent sample and, with a neighbourhood, its mean around the pixel.
        A component that is no background has weight 0.

        Raises:
            InputError: the model is not fitted, or does not score by energy.
        """
        self._require_fit()
        if self.settings.scoring != "energy":
            raise InputError(
                "the model scores by the residual of the low-rank step and keeps no background; "
                "choose scoring='energy'."
            )
        return [
            Mixture(*(part.numpy() for part in member._background.mixture()))
            for member in self._members()
        ]

    def score_of(self, solution: LowRankResult) -> np.ndarray:
        """Scores float32 ``[N]`` of a solution that ``decompose`` returned."""
        return row_norms(solution.A, self.settings.score_norm).astype(np.float32)

    def decompose(
        self,
        x: Any,
        *,
        lam: float | None = None,
        key: str | None = None,
        atoms: np.ndarray | None = None,
    ) -> LowRankResult:
        """The low-rank step behind ``score``: residual, coefficients, multiplier, history.

        Arguments and refusals are those of ``score``; rows are pixels, row after row, and NaN
        where a scene holds no data. With
        ``scoring="energy"`` the score does not come from it: it is refused.

        Args:
            x, lam, key: as for ``score``.
            atoms: another dictionary ``[m, l]``; None for the model's own.
        """
        if self.settings.scoring != "residual":
            raise InputError(
                "the model scores by the energy of the background and has no low-rank step; call "
                "score, or choose scoring='residual'."
            )
        return self._solve(self._samples(x, key), lam, atoms)

    def _solve(
        self, data: Samples, lam: float | None, atoms: np.ndarray | None = None
    ) -> LowRankResult:
        s = self.settings
        with tf.device(self.device):
            standardised = StandardisedRows(data.pixels, self._scaler())
            if s.low_rank_space == "latent":
                samples, _ = self._embed_all(standardised)
            else:
                samples = standardised[:]
            result = solve_low_rank(
                samples,
                self._kept.atoms.numpy() if atoms is None else atoms,
                s.lam if lam is None else lam,
                loss=s.solver_loss,
                order=s.solver_order,
                mu=s.solver_mu,
                rho=s.solver_rho,
                mu_max=s.solver_mu_max,
                tolerance=s.solver_tolerance,
                max_iterations=s.solver_iterations,
                dtype=s.solver_dtype,
                workers=self.workers if self.workers.replicas > 1 else None,
            )
        rows = {name: data.spread(getattr(result, name)) for name in ("A", "W", "Y")}
        return result._replace(**rows)

    def with_settings(self, x: Any, *, key: str | None = None, **settings: Any) -> LREN:
        """The same trained network with other settings of dictionary and low-rank step.

        What a new model with these settings and the same training would be, without the
        training. This model stays as it is.

        Args:
            x: the data this model was fitted on, as in ``fit``.
            key: variable of the cube in a file with several.
            **settings: settings of :data:`lren_tf.settings.AFTER_TRAINING` to replace.

        Raises:
            InputError: the model is not fitted, the data cannot be used, or a setting needs
                another training.
        """
        scaler = self._scaler()
        for name in settings:
            if name in presets.setting_names() and name not in AFTER_TRAINING:
                raise InputError(
                    f"setting {name!r} is one of the training; expected one of "
                    f"{', '.join(AFTER_TRAINING)}: make a new LREN for it."
                )
        merged = {**self.settings.as_dict(), **settings}
        # What the other scoring does not use goes back to the preset's value.
        for name in unused_settings(merged["scoring"]):
            if name not in settings:
                merged[name] = getattr(presets.PRESETS[self.preset], name)
        other = LREN(
            self.preset,
            device=None if self._strategy is not None else self.device,
            strategy=self._strategy,
            name=self.name,
            **merged,
        )
        if other.settings.total_epochs > self.settings.total_epochs:
            raise InputError(
                f"the estimator of this model was not trained, which the dictionary "
                f"{other.settings.dictionary!r} needs; make a new LREN with it."
            )
        data = self._samples(x, key)
        other._create(self._bands, self._used_list)
        with tf.device(self.device):
            standardised = StandardisedRows(data.pixels, scaler)
            for to, source in zip(other._members(), self._members(), strict=True):
                for layer in LAYERS:
                    getattr(to, layer).set_weights(getattr(source, layer).get_weights())
                to._kept_scaler.keep(scaler)
                to._keep(standardised, data)
        return other

    def _samples(self, x: Any, key: str | None) -> Samples:
        """Pixels of the sensor that the model was fitted on.

        Which bands matter is the model's choice, not that of the scene.
        """
        self._require_fit()
        data = samples_of(x, key)
        if data.pixels.shape[1] != self._bands:
            raise InputError(
                f"the data has {data.pixels.shape[1]} bands; the model was fitted on "
                f"{self._bands}: pass a scene of the same sensor, or fit a new model."
            )
        data = data._replace(good_bands=None if self._used_list is None else self._scaler().used)
        data.check_finite()
        return data

    def _scaler(self) -> Scaler:
        self._require_fit()
        return self._kept_scaler.value()

    def _require_fit(self) -> None:
        if self._bands is None or self._kept.empty:
            raise InputError("the model has not been fitted; call fit, or load a fitted model.")

    @property
    def dictionary(self) -> Dictionary:
        """The atoms, the component of each and the pixel it was copied from.

        Atoms are latent samples ``[m, l]``, or standardised spectra ``[m, U]`` of the U bands
        that are used where the low-rank step is in the original space. Pixels are counted row
        after row, those without data included.
        """
        self._require_fit()
        return self._kept.value()

    @property
    def mixture(self) -> Mixture:
        """Weights ``[k]``, means ``[k, l]`` and covariances ``[k, l, l]`` after ``fit``, NumPy."""
        self._require_fit()
        return self._kept.mixture()


def _bands_text(bands: int, used: list[int] | None) -> str:
    return f"{bands} bands" if used is None else f"{bands} bands of which {len(used)} vary"
