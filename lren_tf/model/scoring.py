"""Scores of a trained model: the residual of the low-rank step, or the energy of the background.

Both classes have the same methods, so that neither the model, nor its export, nor a report has to
ask which of them is in use. A method that makes no sense for a scoring refuses with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.latent.mixture import Mixture
from lren_tf.low_rank.solve import (
    LowRankResult,
    residual_in_graph,
    row_norms,
    solve_low_rank,
)
from lren_tf.model.forward_pass import in_chunks
from lren_tf.model.inputs import ModelInput
from lren_tf.model.trained_network import TrainedNetwork
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.pixel_reader import StandardisedPixels

GraphScore = Callable[[tf.Tensor, tuple[Any, ...]], tf.Tensor]
"""Maps pixels ``[N, L]`` in the sensor's units, and their grid, to scores ``[N]`` of float32 or
float64. The grid is (H, W), numbers or scalar tensors, of an image; (N,) of a table."""


class Scored(NamedTuple):
    """Scores of a scene."""

    values: np.ndarray
    """float32 ``[H, W]`` of a cube, ``[N]`` of a table; NaN in pixels without data."""
    details: LowRankResult | None
    """Low-rank step that the scores were computed from; None with ``scoring="energy"``."""


def scoring_of(
    settings: Settings, members: Sequence[TrainedNetwork], workers: Workers
) -> ResidualScoring | EnergyScoring:
    """Return the scoring of the settings.

    Args:
        settings: settings of the model.
        members: networks of the model, trained.
        workers: processes and devices that share the work.
    """
    if settings.scoring == "residual":
        return ResidualScoring(settings, members[0], workers)
    return EnergyScoring(settings, members)


def residual_norms(result: LowRankResult, settings: Settings) -> np.ndarray:
    """Return the scores float32 ``[N]`` of a low-rank step: norms of its residual."""
    return row_norms(result.A, settings.score_norm).astype(np.float32)


class ResidualScoring:
    """Score of a pixel: norm of its residual in the low-rank step, eq. (1).

    Args:
        settings: solver, norm and space of the low-rank step.
        member: the only network.
        workers: processes and devices that share the work.
    """

    needs_image = False
    """Whether a score depends on the neighbours of the pixel."""

    def __init__(self, settings: Settings, member: TrainedNetwork, workers: Workers) -> None:
        self._settings = settings
        self._member = member
        self._workers = workers

    def scores(self, data: ModelInput, *, lam: float | None = None) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: λ of eq. (1); None for the setting.
        """
        result = self.decompose(data, lam=lam)
        return Scored(residual_norms(result, self._settings).reshape(data.grid), result)

    def decompose(
        self, data: ModelInput, *, lam: float | None = None, atoms: np.ndarray | None = None
    ) -> LowRankResult:
        """Run the low-rank step; rows are pixels, NaN where a scene holds no data.

        Args:
            data: pixels, checked to be finite.
            lam: λ of eq. (1); None for the setting.
            atoms: dictionary ``[m, l]``; None for that of the model.
        """
        s = self._settings
        pixels = StandardisedPixels(data.pixels, self._member.scaler_state.load())
        if s.low_rank_space == "latent":
            samples, _ = self._member.embed(pixels)
        else:
            samples = pixels[:]
        result = solve_low_rank(
            samples,
            self._member.atom_state.atoms.numpy() if atoms is None else atoms,
            s.lam if lam is None else lam,
            **s.solver_options(),
            dtype=s.solver_dtype,
            workers=self._workers if self._workers.replicas > 1 else None,
        )
        rows = {name: data.spread(getattr(result, name)) for name in ("A", "W", "Y")}
        return result._replace(**rows)

    def in_graph(self, encode: Callable[[tf.Tensor], tf.Tensor]) -> GraphScore:
        """Return a function that scores pixels in a graph, with the atoms as constants.

        Args:
            encode: maps pixels ``[N, L]`` to latent samples ``[N, l]``.
        """
        s = self._settings
        atoms = self._member.atom_state.load().atoms

        def score(pixels: tf.Tensor, grid: tuple[Any, ...]) -> tf.Tensor:
            if s.low_rank_space == "latent":
                samples = encode(pixels)
            else:
                samples = in_chunks(self._member.standardised, pixels, atoms.shape[1])
            samples = tf.cast(samples, s.solver_dtype)
            A = residual_in_graph(samples, atoms, s.lam, **s.solver_options())
            return tf.norm(A, ord={"l1": 1, "l2": 2}[s.score_norm], axis=1)

        return score

    def require_low_rank_step(self) -> None:
        """Accept: the scores come from a low-rank step."""

    def require_member_scores(self) -> None:
        """Refuse: there is one network, so members have no scores."""
        raise InputError(
            "the model scores by the residual of one network; members have scores of their "
            "own with scoring='energy' only, call score."
        )

    def backgrounds(self) -> list[Mixture]:
        """Refuse: no background is stored."""
        raise InputError(
            "the model scores by the residual of the low-rank step and keeps no background; "
            "choose scoring='energy'."
        )


class EnergyScoring:
    """Score of a pixel: mean over the members of its energy, eq. (8), under their backgrounds.

    Args:
        settings: the neighbourhood.
        members: networks with their backgrounds.
    """

    def __init__(self, settings: Settings, members: Sequence[TrainedNetwork]) -> None:
        self._settings = settings
        self._members = members

    @property
    def needs_image(self) -> bool:
        """Whether a score depends on the neighbours of the pixel."""
        return bool(self._settings.neighbourhood) and self._members[0].background_state.of_image

    def scores(self, data: ModelInput, *, lam: float | None = None) -> Scored:
        """Score all pixels.

        Args:
            data: pixels, checked to be finite.
            lam: None; anything else is refused.
        """
        if lam is not None:
            raise InputError(
                f"lam is {lam} with scoring='energy'; expected None: the energy has no λ, leave it "
                "out or choose scoring='residual'."
            )
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
        pixels = StandardisedPixels(data.pixels, self._members[0].scaler_state.load())
        return np.stack([self._energy(member, pixels, data) for member in self._members])

    def _energy(
        self, member: TrainedNetwork, pixels: StandardisedPixels, data: ModelInput
    ) -> np.ndarray:
        state = member.background_state
        image = state.of_image
        if self._settings.neighbourhood and image != (len(data.grid) == 2):
            kinds = ("an image", "a table") if image else ("a table", "an image")
            raise InputError(
                f"the model was fitted on {kinds[0]} and is given {kinds[1]}; expected the same "
                "kind, since an image has neighbourhoods: pass it as rows × columns × bands or "
                "fit with neighbourhood=0."
            )
        z, _ = member.embed(pixels)
        return state.energy(tf.convert_to_tensor(z), data.grid, data.valid).numpy()

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

    def backgrounds(self) -> list[Mixture]:
        """Return the background of every member, NumPy."""
        return [
            Mixture(*(part.numpy() for part in member.background_state.mixture()))
            for member in self._members
        ]
