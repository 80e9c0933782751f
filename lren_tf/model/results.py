"""Results of a fitted model: scores, evidence, low-rank step, backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.latent.mixture import Mixture
from lren_tf.low_rank.solve import LowRankResult
from lren_tf.model.energy_parts import EnergyParts, energy_parts
from lren_tf.model.inputs import ModelInput, input_of_sensor
from lren_tf.model.scored import Scored
from lren_tf.model.scoring import Scoring, residual_norms, scoring_of
from lren_tf.model.trained_network import TrainedNetwork


class Results(TrainedNetwork):
    """A network, and what it says of scenes together with the other members of its model."""

    def _members(self) -> Sequence[TrainedNetwork]:
        """Return all networks, this one first."""
        raise NotImplementedError

    def score(
        self,
        x: Any,
        *,
        lam: float | None = None,
        key: str | None = None,
        recalibrate: bool = False,
    ) -> np.ndarray:
        """Return the anomaly score of every pixel; higher = more anomalous.

        Args:
            x: data as in ``fit``, of the same sensor.
            lam: λ of eq. (1); None for the setting. Only with ``scoring="residual"``.
            key: variable of the cube in a file with several.
            recalibrate: whether evidence is compared with the background of `x`, not with that
                of the scene of ``fit``. Only where the score is made of evidence.

        Returns:
            float32 map ``[H, W]`` of a cube, or ``[N]`` of a table; NaN in pixels that a scene
            marks as no-data. Of the preset ``robust`` −log₁₀ of the share of the background that
            scores higher, else not normalised.

        Raises:
            InputError: the model is not fitted, or the data cannot be used.
        """
        return self.scored(x, lam=lam, key=key, recalibrate=recalibrate).values

    def scored(
        self,
        x: Any,
        *,
        lam: float | None = None,
        key: str | None = None,
        recalibrate: bool = False,
    ) -> Scored:
        """Return the scores together with the low-rank step or the evidence behind them.

        Args:
            x, lam, key, recalibrate: as for ``score``.
        """
        data = self._checked_input(x, key)
        with tf.device(self.device):
            return self._scoring().scores(data, lam=lam, recalibrate=recalibrate)

    def evidence(
        self, x: Any, *, key: str | None = None, recalibrate: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the evidence of every pixel, by the names of the setting ``evidence``.

        Args:
            x, key, recalibrate: as for ``score``.

        Returns:
            float32 maps as of ``score``: −log₁₀ of the share of the background that has more of
            this evidence (:mod:`lren_tf.evidence.fusion`).

        Raises:
            InputError: as ``score``, or the score is not made of evidence.
        """
        self._scoring().require_evidence()
        return self.scored(x, key=key, recalibrate=recalibrate).details.evidence

    def member_scores(self, x: Any, *, key: str | None = None) -> np.ndarray:
        """Return the scores of every member, which show how far networks disagree.

        They are energies on the scale of the scene of ``fit``. Their mean is ``score``, or, where
        the score is made of evidence, what the evidence ``"spectrum"`` is calibrated from.

        Args:
            x, key: as for ``score``.

        Returns:
            float32 ``[members, H, W]`` of a cube, or ``[members, N]`` of a table.

        Raises:
            InputError: as ``score``, or the model does not score by energy.
        """
        scoring = self._scoring()
        scoring.require_member_scores()
        data = self._checked_input(x, key)
        with tf.device(self.device):
            return scoring.member_scores(data)

    def energy_parts(
        self, x: Any, *, key: str | None = None, recalibrate: bool = False
    ) -> EnergyParts:
        """Return what energies and surroundings are computed from, for explaining them.

        Args:
            x, key, recalibrate: as for ``score``.

        Raises:
            InputError: as ``score``, or the model does not score by energy.
        """
        self._scoring().require_member_scores()
        data = self._checked_input(x, key)
        with tf.device(self.device):
            return energy_parts(self._members(), data, recalibrate=recalibrate)

    def scores_images(self) -> bool:
        """Return whether a score needs the pixel's neighbours, and so an image, not a table."""
        return self._scoring().needs_image

    @property
    def backgrounds(self) -> list[Mixture]:
        """Background of every member, NumPy: see :mod:`lren_tf.latent.background`.

        Features are the latent sample and, with a neighbourhood, its mean around the pixel.
        A component that does not belong to the background has weight 0.

        Raises:
            InputError: the model is not fitted, or does not score by energy.
        """
        self._require_fit()
        return self._scoring().backgrounds()

    def score_of(self, solution: LowRankResult) -> np.ndarray:
        """Return the scores float32 ``[N]`` of a low-rank step from ``decompose``."""
        return residual_norms(solution, self.settings)

    def decompose(
        self,
        x: Any,
        *,
        lam: float | None = None,
        key: str | None = None,
        atoms: np.ndarray | None = None,
    ) -> LowRankResult:
        """Run the low-rank step behind ``score``: residual, coefficients, multiplier, history.

        Args:
            x, lam, key: as for ``score``.
            atoms: dictionary ``[m, l]`` to use; None for that of the model.

        Returns:
            Rows are pixels, row after row; NaN in pixels that a scene marks as no-data.

        Raises:
            InputError: as ``score``, or the model scores by energy, without a low-rank step.
        """
        scoring = self._scoring()
        scoring.require_low_rank_step()
        data = self._checked_input(x, key)
        with tf.device(self.device):
            return scoring.decompose(data, lam=lam, atoms=atoms)

    def _scoring(self) -> Scoring:
        return scoring_of(self.settings, self._members(), self.workers)

    def _checked_input(self, x: Any, key: str | None) -> ModelInput:
        self._require_fit()
        return input_of_sensor(x, key, self._bands, self._used_bands())

    def _used_bands(self) -> np.ndarray | None:
        """Bands that enter the network, bool ``[L]``; None for all."""
        return None if self._used_list is None else self.scaler_state.load().used
