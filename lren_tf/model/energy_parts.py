"""Parts that the energies of a scene are computed from, for explaining them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.evidence.fusion import SURROUNDINGS, Reference, Samples, estimated, window_weights
from lren_tf.evidence.structure import principal_components, projected
from lren_tf.latent.mixture import Mixture
from lren_tf.model.inputs import ModelInput
from lren_tf.model.scored import refuse_calibration
from lren_tf.model.trained_network import TrainedNetwork
from lren_tf.training.pixel_reader import StandardisedPixels


class EnergyParts(NamedTuple):
    """Parts of the energies of a scene, and of the distances to the surroundings."""

    features: list[np.ndarray]
    """Features of each member, float64 ``[n, d]``: latent samples, means around the pixels."""
    mixtures: list[Mixture]
    """Background of every member, tensors."""
    scales: list[tuple[float, float]]
    """Level and spread of every member's energies: a standardised one is (E − level) / spread."""
    reference: Reference | None = None
    """Reference that evidence is compared with; None if the score is the energy."""
    window_weights: np.ndarray | None = None
    """``[n]``, 0 or 1: which pixels the surroundings count; None without surroundings."""


def energy_parts(
    model: TrainedNetwork, data: ModelInput, *, recalibrate: bool
) -> EnergyParts:
    """Return the parts of a scene.

    Args:
        model: fitted, with ``scoring="energy"``.
        data: pixels of the model's sensor, checked to be finite.
        recalibrate: whether evidence is compared with the background of these pixels.
    """
    settings, backgrounds = model.settings, model.background_state
    pixels = StandardisedPixels(data.pixels, model.scaler_state.load())
    z, _ = model.embed(pixels)
    features = [
        backgrounds.features(z[:, number : number + 1], data.grid, data.valid)[0].numpy()
        for number in range(settings.members)
    ]
    mixtures = [Mixture(*of) for of in zip(*map(tf.unstack, backgrounds.mixture()), strict=True)]
    parts = EnergyParts(features, mixtures, backgrounds.scales())
    if not settings.fuses_evidence:
        refuse_calibration(recalibrate)
        return parts
    state = model.evidence_state
    components = principal_components(pixels) if recalibrate else state.components()
    energy = tf.reduce_mean(backgrounds.energies(z, data.grid, data.valid), axis=0)
    samples = Samples(
        energy, projected(pixels, *components), map(tf.constant, features), data.grid, data.valid,
        data.counted,
    )  # fmt: skip
    reference = state.load()
    if recalibrate:
        reference, _ = estimated(samples, settings.evidence)
    parts = parts._replace(reference=reference)
    if not state.of_image or SURROUNDINGS not in settings.evidence:
        return parts
    return parts._replace(window_weights=window_weights(samples, reference).numpy())
