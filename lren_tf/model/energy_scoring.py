"""Scores of several networks: energy of the background, and evidence that it is part of."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.evidence.fusion import Samples, Weighed, compared, estimated
from lren_tf.evidence.structure import components_of, principal_components, projected
from lren_tf.latent.mixture import Mixture
from lren_tf.model.fitted_state import EvidenceState
from lren_tf.model.forward_pass import in_chunks
from lren_tf.model.inputs import ModelInput
from lren_tf.model.scored import (
    EvidenceDetails,
    GraphScore,
    Pixels,
    Scored,
    refuse_calibration,
)
from lren_tf.model.trained_network import TrainedNetwork
from lren_tf.settings import EVIDENCE, Settings
from lren_tf.training.pixel_reader import StandardisedPixels


class EnergyScoring:
    """Score of a pixel: mean over the members of its energy, eq. (8), under their backgrounds.

    Args:
        settings: the neighbourhood.
        members: networks with their backgrounds.
    """

    _without_neighbours = "neighbourhood=0"

    def __init__(self, settings: Settings, members: Sequence[TrainedNetwork]) -> None:
        self._settings = settings
        self._members = members

    @property
    def needs_image(self) -> bool:
        """Whether a score depends on the neighbours of the pixel."""
        return bool(self._settings.neighbourhood) and self._members[0].background_state.of_image

    def learn(self, pixels: Pixels, samples: Sequence[np.ndarray], data: ModelInput) -> None:
        """Learn nothing: what the members have learned is all there is."""

    def scores(
        self, data: ModelInput, *, lam: float | None = None, recalibrate: bool = False
    ) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: None; anything else is refused.
            recalibrate: False; True is refused.
        """
        _refuse_lam(lam)
        refuse_calibration(recalibrate)
        energies = self._energies(data).mean(axis=0).astype(np.float32)
        return Scored(data.spread(energies).reshape(data.grid), None)

    def member_scores(self, data: ModelInput) -> np.ndarray:
        """Return the scores of every member, float32 ``[members, H, W]`` or ``[members, N]``.

        Args:
            data: pixels, checked to be finite.
        """
        energies = self._energies(data).astype(np.float32)
        return np.stack([data.spread(each).reshape(data.grid) for each in energies])

    def _energies(self, data: ModelInput) -> np.ndarray:
        """Energies of every member on the scale of its scene, float64 ``[members, n]``."""
        self._check_kind(data)
        pixels = StandardisedPixels(data.pixels, self._members[0].scaler_state.load())
        return self._energies_of([member.embed(pixels)[0] for member in self._members], data)

    def _energies_of(self, samples: Sequence[np.ndarray], data: ModelInput) -> np.ndarray:
        """Energies ``[members, n]`` of latent samples ``[n, l]`` of every member."""
        energies = [
            member.background_state.energy(tf.convert_to_tensor(z), data.grid, data.valid)
            for member, z in zip(self._members, samples, strict=True)
        ]
        return np.stack([energy.numpy() for energy in energies])

    def _check_kind(self, data: ModelInput) -> None:
        """Refuse an image where the model needs a table, and the other way round."""
        image = self._members[0].background_state.of_image
        if self._depends_on_neighbours and image != (len(data.grid) == 2):
            kinds = ("an image", "a table") if image else ("a table", "an image")
            raise InputError(
                f"the model was fitted on {kinds[0]} and is given {kinds[1]}; expected the same "
                "kind, since an image has neighbourhoods: pass it as rows × columns × bands or "
                f"fit with {self._without_neighbours}."
            )

    @property
    def _depends_on_neighbours(self) -> bool:
        return bool(self._settings.neighbourhood)

    def in_graph(self, encode: Callable[[tf.Tensor], tf.Tensor]) -> GraphScore:
        """Return a function that scores pixels in a graph.

        Args:
            encode: maps pixels ``[N, L]`` to the latent samples of all members
                ``[N, members·l]``.
        """

        def score(pixels: tf.Tensor, grid: tuple[Any, ...]) -> tf.Tensor:
            parts = tf.split(encode(pixels), len(self._members), axis=1)
            energies = [
                member.background_state.energy(z, grid)
                for member, z in zip(self._members, parts, strict=True)
            ]
            return tf.add_n(energies) / len(parts)

        return score

    def require_low_rank_step(self) -> None:
        """Refuse: the scores come from no low-rank step."""
        raise InputError(
            "the model scores by the energy of the background and has no low-rank step; call "
            "score, or choose scoring='residual'."
        )

    def require_member_scores(self) -> None:
        """Accept: every member has scores."""

    def require_evidence(self) -> None:
        """Refuse: the score is one energy."""
        raise InputError(
            "the model scores by the energy as it is, not by evidence; call score, or choose "
            f"evidence={EVIDENCE}."
        )

    def backgrounds(self) -> list[Mixture]:
        """Return the background of every member, NumPy."""
        return [
            Mixture(*(part.numpy() for part in member.background_state.mixture()))
            for member in self._members
        ]


class EvidenceScoring(EnergyScoring):
    """Score of a pixel: its evidence, joined by :mod:`lren_tf.evidence.fusion`.

    Args:
        settings: the evidence and the neighbourhood.
        members: networks with their backgrounds; the first one has the reference.
    """

    _without_neighbours = "neighbourhood=0 and evidence=('spectrum',)"

    @property
    def needs_image(self) -> bool:
        """Whether a score depends on the neighbours of the pixel."""
        return self._state.of_image

    @property
    def _depends_on_neighbours(self) -> bool:
        return super()._depends_on_neighbours or self.needs_image

    @property
    def _state(self) -> EvidenceState:
        return self._members[0].evidence_state

    def learn(self, pixels: Pixels, samples: Sequence[np.ndarray], data: ModelInput) -> None:
        """Store the reference of a scene that all members have learned of.

        Args:
            pixels: standardised pixels ``[n, U]`` of the scene.
            samples: latent samples ``[n, l]`` of every member.
            data: the scene.
        """
        components = principal_components(pixels)
        reference, _ = estimated(self._samples(pixels, samples, components, data), self._names)
        self._state.store(components, reference, of_image=len(data.grid) == 2)
        if len(data.grid) != 2:
            warnings.warn(
                "a table has no neighbours: the score is the evidence 'spectrum' alone, not "
                f"{', '.join(self._names)}.",
                stacklevel=4,
            )

    def scores(
        self, data: ModelInput, *, lam: float | None = None, recalibrate: bool = False
    ) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: None; anything else is refused.
            recalibrate: compare with the background of this scene instead of the training's.
        """
        _refuse_lam(lam)
        self._check_kind(data)
        if recalibrate and data.counted is not None:
            raise InputError(
                "recalibrate is True and the scene has a background region; expected one of the "
                "two, train a model on the scene or leave the region out."
            )
        pixels = StandardisedPixels(data.pixels, self._members[0].scaler_state.load())
        samples = [member.embed(pixels)[0] for member in self._members]
        if recalibrate:
            components = principal_components(pixels)
            reference, weighed = estimated(
                self._samples(pixels, samples, components, data), self._names
            )
        else:
            reference = self._state.load()
            weighed = compared(
                self._samples(pixels, samples, self._state.components(), data),
                self._names, reference,
            )  # fmt: skip

        def as_map(rows: tf.Tensor) -> np.ndarray:
            return data.spread(rows.numpy().astype(np.float32)).reshape(data.grid)

        evidence = {name: as_map(rows) for name, rows in weighed.evidence.items()}
        return Scored(as_map(weighed.score), EvidenceDetails(evidence, reference, recalibrate))

    def in_graph(self, encode: Callable[[tf.Tensor], tf.Tensor]) -> GraphScore:
        """Return a function that scores pixels in a graph.

        Args:
            encode: as for :meth:`EnergyScoring.in_graph`.
        """
        weighed = self.weighed_in_graph(encode)
        return lambda pixels, grid: weighed(pixels, grid).score

    def weighed_in_graph(
        self, encode: Callable[[tf.Tensor], tf.Tensor]
    ) -> Callable[[tf.Tensor, tuple[Any, ...]], Weighed]:
        """Return a function of pixels and grid that gives score and evidence in a graph.

        Args:
            encode: as for :meth:`EnergyScoring.in_graph`.
        """
        first = self._members[0]

        def weighed(pixels: tf.Tensor, grid: tuple[Any, ...]) -> Weighed:
            samples = tf.split(encode(pixels), len(self._members), axis=1)
            states = [member.background_state for member in self._members]
            energies = [
                state.energy(z, grid) for state, z in zip(states, samples, strict=True)
            ]
            centre, directions = self._state.components()
            components = in_chunks(
                lambda part: components_of(first.standardised(part), centre, directions),
                pixels, directions.shape[1], tf.float64,
            )  # fmt: skip
            features = (
                state.features(z, grid, None) for state, z in zip(states, samples, strict=True)
            )
            energy = tf.add_n(energies) / len(energies)
            return compared(
                Samples(energy, components, features, grid, None), self._names, self._state.load()
            )

        return weighed

    def require_evidence(self) -> None:
        """Accept: the score is made of evidence."""

    @property
    def _names(self) -> tuple[str, ...]:
        return self._settings.evidence

    def _samples(
        self,
        pixels: Pixels,
        samples: Sequence[np.ndarray],
        components: tuple[tf.Tensor, tf.Tensor],
        data: ModelInput,
    ) -> Samples:
        """What the evidence of a scene is computed from; arguments as of `learn`."""
        features = (
            member.background_state.features(z, data.grid, data.valid)
            for member, z in zip(self._members, samples, strict=True)
        )
        energy = tf.constant(self._energies_of(samples, data).mean(axis=0))
        return Samples(
            energy, projected(pixels, *components), features, data.grid, data.valid, data.counted
        )


def _refuse_lam(lam: float | None) -> None:
    if lam is not None:
        raise InputError(
            f"lam is {lam} with scoring='energy'; expected None: the energy has no λ, leave it "
            "out or choose scoring='residual'."
        )
