"""Scores of a trained model: residual of the low-rank step, energy of the background, or evidence.

All classes have the same methods, so that neither the model, nor its export, nor a report has to
ask which of them is in use. A method that makes no sense for a scoring refuses with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.evidence.fusion import Weighed
from lren_tf.latent.mixture import Mixture
from lren_tf.low_rank.solve import (
    LowRankResult,
    residual_in_graph,
    row_norms,
    solve_low_rank,
)
from lren_tf.model.energy_scoring import EnergyScoring, EvidenceScoring
from lren_tf.model.forward_pass import in_chunks
from lren_tf.model.inputs import ModelInput
from lren_tf.model.scored import GraphScore, Pixels, Scored, refuse_calibration
from lren_tf.model.trained_network import Learned, TrainedNetwork
from lren_tf.runtime.workers import Workers
from lren_tf.settings import Settings
from lren_tf.training.pixel_reader import StandardisedPixels


def scoring_of(model: TrainedNetwork, workers: Workers) -> Scoring:
    """Return the scoring of a model's settings.

    Args:
        model: trained.
        workers: processes and devices that share the work.
    """
    if model.settings.scoring == "residual":
        return ResidualScoring(model, workers)
    return EvidenceScoring(model) if model.settings.fuses_evidence else EnergyScoring(model)


def residual_norms(result: LowRankResult, settings: Settings) -> np.ndarray:
    """Return the scores float32 ``[N]`` of a low-rank step: norms of its residual."""
    return row_norms(result.A, settings.score_norm).astype(np.float32)


class ResidualScoring:
    """Score of a pixel: norm of its residual in the low-rank step, eq. (1).

    Args:
        model: its network, dictionary and settings of the low-rank step.
        workers: processes and devices that share the work.
    """

    needs_image = False
    """True if a score depends on the neighbours of the pixel."""

    def __init__(self, model: TrainedNetwork, workers: Workers) -> None:
        self._settings = model.settings
        self._model = model
        self._workers = workers

    def learn(self, pixels: Pixels, learned: Learned, data: ModelInput) -> Weighed | None:
        """Learn nothing: what the network has learned is all there is."""

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
            lam: λ of eq. (1); None for the setting.
            recalibrate: False; True is refused.
            known: None, since there is no evidence.
        """
        refuse_calibration(recalibrate)
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
        pixels = StandardisedPixels(data.pixels, self._model.scaler_state.load())
        latent = s.low_rank_space == "latent"
        samples = self._model.embed(pixels)[0][:, 0] if latent else pixels[:]
        result = solve_low_rank(
            samples,
            self._model.atom_state.atoms.numpy() if atoms is None else atoms,
            s.lam if lam is None else lam,
            **s.solver_options(),
            dtype=s.solver_dtype,
            workers=self._workers if self._workers.replicas > 1 else None,
        )
        spread = data.spread
        return result._replace(A=spread(result.A), W=spread(result.W), Y=spread(result.Y))

    def in_graph(self, encode: Callable[[tf.Tensor], tf.Tensor]) -> GraphScore:
        """Return a function that scores pixels in a graph, with the atoms as constants.

        Args:
            encode: maps pixels ``[N, L]`` to latent samples ``[N, l]``.
        """
        s = self._settings
        atoms = self._model.atom_state.load().atoms

        def score(pixels: tf.Tensor, grid: tuple[Any, ...]) -> tf.Tensor:
            if s.low_rank_space == "latent":
                samples = encode(pixels)
            else:
                samples = in_chunks(self._model.standardised, pixels, atoms.shape[1])
            samples = tf.cast(samples, s.solver_dtype)
            A = residual_in_graph(samples, atoms, s.lam, **s.solver_options())
            return tf.norm(A, ord={"l1": 1, "l2": 2}[s.score_norm], axis=1)

        return score

    def require_low_rank_step(self) -> ResidualScoring:
        """Accept: the scores come from a low-rank step."""
        return self

    def require_member_scores(self) -> NoReturn:
        """Refuse: there is one network, so members have no scores."""
        raise InputError(
            "the model scores by the residual of one network; members have scores of their "
            "own with scoring='energy' only, call score."
        )

    def require_evidence(self) -> None:
        """Refuse: the score is a residual."""
        raise InputError(
            "the model scores by the residual of the low-rank step, not by evidence; call score, "
            "or choose the preset robust."
        )

    def backgrounds(self) -> list[Mixture]:
        """Refuse: no background is stored."""
        raise InputError(
            "the model scores by the residual of the low-rank step and keeps no background; "
            "choose scoring='energy'."
        )


Scoring = ResidualScoring | EnergyScoring | EvidenceScoring
"""Any of the scorings."""
