"""Results of a fitted model: scores, evidence, low-rank step, backgrounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.io import scene_of
from lren_tf.latent.mixture import Mixture
from lren_tf.low_rank.solve import LowRankResult
from lren_tf.model.energy_parts import EnergyParts, energy_parts
from lren_tf.model.inputs import ModelInput, background_of, input_of_sensor
from lren_tf.model.scored import EvidenceDetails, Scored
from lren_tf.model.scoring import Scoring, residual_norms, scoring_of
from lren_tf.model.trained_network import TrainedNetwork
from lren_tf.training.feed import check_pixel_count
from lren_tf.training.pixel_reader import StandardisedPixels


class Results(TrainedNetwork):
    """Trained networks, and what they say of scenes."""

    def _learn(self, standardised: np.ndarray | StandardisedPixels, data: ModelInput) -> None:
        weighed = self._scoring().learn(standardised, self.learn(standardised, data), data)
        self._first_score.keep(self.weights, data, weighed)

    def rebuild(self, x: Any, *, key: str | None = None) -> None:
        """Compute anew what `fit` computes of the scene after the last epoch, for other weights.

        That is mixture, dictionary, background and calibration, for the weights as they are and
        the standardisation that came with them. A model with weights that a ``ModelCheckpoint``
        wrote during ``fit`` scores after it, as does one in the middle of a training, from a
        callback. ::

            model.load_weights("best.weights.h5")
            model.rebuild("scene.mat")

        Args:
            x: the data of ``fit``, or another scene of the same sensor.
            key: variable of the cube in a file with several.

        Raises:
            InputError: the weights come from no training, or the data cannot be used.
        """
        self._require_training()
        data = input_of_sensor(
            background_of(x), key, self._band_count, self._used_bands(), self._wavelengths
        )
        check_pixel_count(len(data.pixels), self.settings)
        with tf.device(self.device):
            self._learn(StandardisedPixels(data.pixels, self.scaler_state.load()), data)

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
            scores higher, else not normalised. Of an xarray object a ``DataArray`` on its
            coordinates.

        Raises:
            InputError: the model is not fitted, or the data cannot be used.
        """
        labelled = scene_of(x, key=key)
        if labelled is not None:
            return labelled.on_labels(self.score(labelled, lam=lam, recalibrate=recalibrate))
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
            return self._scoring().scores(
                data, lam=lam, recalibrate=recalibrate,
                known=self._first_score.take(self.weights, data),
            )  # fmt: skip

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
        labelled = scene_of(x, key=key)
        if labelled is not None:
            maps = self.evidence(labelled, recalibrate=recalibrate)
            return {name: labelled.on_labels(values, name) for name, values in maps.items()}
        self._scoring().require_evidence()
        details = self.scored(x, key=key, recalibrate=recalibrate).details
        assert isinstance(details, EvidenceDetails)
        return details.evidence

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
        scoring = self._scoring().require_member_scores()
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
            return energy_parts(self, data, recalibrate=recalibrate)

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
        scoring = self._scoring().require_low_rank_step()
        data = self._checked_input(x, key)
        with tf.device(self.device):
            return scoring.decompose(data, lam=lam, atoms=atoms)

    def _scoring(self) -> Scoring:
        return scoring_of(self, self.workers)

    def check_input(self, x: Any, *, key: str | None = None) -> None:
        """Refuse what `score` refuses before it computes anything.

        Args:
            x, key: as for `score`.

        Raises:
            InputError: the model is not fitted, or the data cannot be used.
        """
        self._checked_input(x, key).check_finite()

    def _checked_input(self, x: Any, key: str | None) -> ModelInput:
        self._require_fit()
        return input_of_sensor(
            x, key, self._band_count, self._used_bands(), self._wavelengths
        )

    def _used_bands(self) -> np.ndarray | None:
        """Bands that enter the network, bool ``[L]``; None for all."""
        return None if self._used_list is None else self.scaler_state.load().used
