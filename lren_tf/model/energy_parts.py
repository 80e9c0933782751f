"""What the energies of a scene are computed from, for explaining them."""

from __future__ import annotations

from collections.abc import Sequence
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
    """What the energies of a scene, and the distances to the surroundings, are computed from."""

    features: list[np.ndarray]
    """Of every member float64 ``[n, d]``: latent samples, then their means around the pixels."""
    mixtures: list[Mixture]
    """Background of every member, tensors."""
    scales: list[tuple[float, float]]
    """Level and spread of every member's energies: a standardised one is (E − level) / spread."""
    reference: Reference | None = None
    """What evidence is compared with; None where the score is the energy."""
    window_weights: np.ndarray | None = None
    """``[n]``, 0 or 1: which pixels the surroundings count; None without surroundings."""


def energy_parts(
    members: Sequence[TrainedNetwork], data: ModelInput, *, recalibrate: bool
) -> EnergyParts:
    """Return the parts of a scene.

    Args:
        members: networks of a fitted model with ``scoring="energy"``, whose settings the first
            one has.
        data: pixels of the model's sensor, checked to be finite.
        recalibrate: whether evidence is compared with the background of these pixels.
    """
    settings = members[0].settings
    states = [member.background_state for member in members]
    pixels = StandardisedPixels(data.pixels, members[0].scaler_state.load())
    features, energies = [], []
    for member, state in zip(members, states, strict=True):
        z = member.embed(pixels)[0]
        features.append(state.features(z, data.grid, data.valid).numpy())
        energies.append(state.energy(tf.convert_to_tensor(z), data.grid, data.valid).numpy())
    parts = EnergyParts(
        features, [state.mixture() for state in states], [state.scale() for state in states]
    )
    names = settings.evidence
    if not settings.fuses_evidence:
        refuse_calibration(recalibrate)
        return parts
    state = members[0].evidence_state
    components = principal_components(pixels) if recalibrate else state.components()
    shown = projected(pixels, *components)
    energy = tf.constant(np.stack(energies).mean(axis=0))
    samples = Samples(
        energy, shown, map(tf.constant, features), data.grid, data.valid, data.counted
    )
    reference = state.load()
    if recalibrate:
        reference, _ = estimated(samples, names)
    parts = parts._replace(reference=reference)
    if not state.of_image or SURROUNDINGS not in names:
        return parts
    return parts._replace(window_weights=window_weights(samples, reference).numpy())
