"""Scores of several networks: energy of the background, and the evidence that includes it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

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
from lren_tf.model.trained_network import Learned, TrainedNetwork
from lren_tf.settings import EVIDENCE
from lren_tf.training.pixel_reader import StandardisedPixels


class EnergyScoring:
    """Score of a pixel: mean over the members of its energy, eq. (8), under their backgrounds.

    Args:
        model: its networks with their backgrounds.
    """

    _without_neighbours = "neighbourhood=0"

    def __init__(self, model: TrainedNetwork) -> None:
        self._settings = model.settings
        self._model = model
        self._backgrounds = model.background_state

    @property
    def needs_image(self) -> bool:
        """True if a score depends on the neighbours of the pixel."""
        return bool(self._settings.neighbourhood) and self._backgrounds.of_image

    def learn(self, pixels: Pixels, learned: Learned, data: ModelInput) -> Weighed | None:
        """Learn nothing: what the members have learned is all there is."""

    def scores(
        self,
        data: ModelInput,
        *,
        lam: float | None = None,
        recalibrate: bool = False,
        known: Weighed | None = None,
    ) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: None; anything else is refused.
            recalibrate: False; True is refused.
            known: None, since there is no evidence.
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
        samples = self._model.embed(self._standardised(data))[0]
        return self._backgrounds.energies(samples, data.grid, data.valid).numpy()

    def _standardised(self, data: ModelInput) -> StandardisedPixels:
        return StandardisedPixels(data.pixels, self._model.scaler_state.load())

    def _check_kind(self, data: ModelInput) -> None:
        """Refuse an image where the model needs a table, and the other way round."""
        image = self._backgrounds.of_image
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
            energies = self._backgrounds.energies(self._by_member(encode(pixels)), grid)
            return tf.reduce_mean(energies, axis=0)

        return score

    def _by_member(self, samples: tf.Tensor) -> tf.Tensor:
        """Return latent samples ``[N, members·l]`` as ``[N, members, l]``."""
        return tf.reshape(samples, [-1, self._settings.members, self._settings.latent_units])

    def require_low_rank_step(self) -> NoReturn:
        """Refuse: the scores come from no low-rank step."""
        raise InputError(
            "the model scores by the energy of the background and has no low-rank step; call "
            "score, or choose scoring='residual'."
        )

    def require_member_scores(self) -> EnergyScoring:
        """Accept: every member has scores."""
        return self

    def require_evidence(self) -> None:
        """Refuse: the score is one energy."""
        raise InputError(
            "the model scores by the energy as it is, not by evidence; call score, or choose "
            f"evidence={EVIDENCE}."
        )

    def backgrounds(self) -> list[Mixture]:
        """Return the background of every member, NumPy."""
        parts = (part.numpy() for part in self._backgrounds.mixture())
        return [Mixture(*of_member) for of_member in zip(*parts, strict=True)]


class EvidenceScoring(EnergyScoring):
    """Score of a pixel: its evidence, joined by :mod:`lren_tf.evidence.fusion`.

    Args:
        model: its networks with their backgrounds, and the reference.
    """

    _without_neighbours = "neighbourhood=0 and evidence=('spectrum',)"

    @property
    def needs_image(self) -> bool:
        """True if a score depends on the neighbours of the pixel."""
        return self._state.of_image

    @property
    def _depends_on_neighbours(self) -> bool:
        return super()._depends_on_neighbours or self.needs_image

    @property
    def _state(self) -> EvidenceState:
        return self._model.evidence_state

    def learn(self, pixels: Pixels, learned: Learned, data: ModelInput) -> Weighed | None:
        """Store the reference of a scene that all members have learned of.

        Args:
            pixels: standardised pixels ``[n, U]`` of the scene.
            learned: latent samples and energies of the members.
            data: the scene.

        Returns:
            The evidence of the scene.
        """
        components = principal_components(pixels)
        found = self._samples(pixels, learned.samples, components, data, learned.energies)
        reference, weighed = estimated(found, self._names)
        self._state.store(components, reference, of_image=len(data.grid) == 2)
        if len(data.grid) != 2:
            warnings.warn(
                "a table has no neighbours: the score is the evidence 'spectrum' alone, not "
                f"{', '.join(self._names)}.",
                stacklevel=4,
            )
        return weighed

    def scores(
        self,
        data: ModelInput,
        *,
        lam: float | None = None,
        recalibrate: bool = False,
        known: Weighed | None = None,
    ) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: None; anything else is refused.
            recalibrate: compare with the background of this scene instead of the training's.
            known: evidence of these pixels compared with that of the training, if it is known.
        """
        _refuse_lam(lam)
        self._check_kind(data)
        if recalibrate and data.counted is not None:
            raise InputError(
                "recalibrate is True and the scene has a background region; expected one of the "
                "two, train a model on the scene or leave the region out."
            )
        reference, weighed = self._state.load(), known
        if recalibrate or weighed is None:
            pixels = self._standardised(data)
            samples = self._model.embed(pixels)[0]
            if recalibrate:
                components = principal_components(pixels)
                found = self._samples(pixels, samples, components, data)
                reference, weighed = estimated(found, self._names)
            else:
                found = self._samples(pixels, samples, self._state.components(), data)
                weighed = compared(found, self._names, reference)

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

        def weighed(pixels: tf.Tensor, grid: tuple[Any, ...]) -> Weighed:
            samples = self._by_member(encode(pixels))
            energy = tf.reduce_mean(self._backgrounds.energies(samples, grid), axis=0)
            centre, directions = self._state.components()
            components = in_chunks(
                lambda part: components_of(self._model.standardised(part), centre, directions),
                pixels, directions.shape[1], tf.float64,
            )  # fmt: skip
            features = self._features(samples, grid, None)
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
        samples: np.ndarray,
        components: tuple[tf.Tensor, tf.Tensor],
        data: ModelInput,
        energies: tf.Tensor | None = None,
    ) -> Samples:
        """Return the input of the evidence of a scene; energies are computed if not given."""
        grid, valid = data.grid, data.valid
        if energies is None:
            energies = self._backgrounds.energies(samples, grid, valid)
        energy = tf.reduce_mean(energies, axis=0)
        features = self._features(samples, grid, valid)
        return Samples(
            energy, projected(pixels, *components), features, grid, valid, data.counted
        )

    def _features(
        self, samples: Any, grid: tuple[Any, ...], valid: np.ndarray | None
    ) -> Iterator[tf.Tensor]:
        """Features of every member, float64 ``[n, d]``, one after the other."""
        for number in range(self._settings.members):
            yield self._backgrounds.features(samples[:, number : number + 1], grid, valid)[0]


def _refuse_lam(lam: float | None) -> None:
    if lam is not None:
        raise InputError(
            f"lam is {lam} with scoring='energy'; expected None: the energy has no λ, leave it "
            "out or choose scoring='residual'."
        )
