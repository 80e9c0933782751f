"""ADLR: abundances split by a dictionary of their own modes (Qu et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf import checks
from lren_tf.detectors.base import Detector
from lren_tf.detectors.mean_shift import mean_shift
from lren_tf.detectors.unmixing import mvc_nmf, vca
from lren_tf.dictionary import centroid_and_farthest
from lren_tf.errors import InputError

_SUM_WEIGHT = 20.0
_SOLVER = {"mu": 1e-6, "rho": 1.1, "mu_max": 1e10, "tolerance": 1e-6, "max_iterations": 1000}
# Entries of a converged solution below ten times its tolerance are the solver's, not the data's.
_NOTHING = 1e-5


@dataclass(frozen=True)
class ADLR(Detector):
    """Abundance- and dictionary-based low-rank decomposition."""

    name: ClassVar[str] = "adlr"
    title: ClassVar[str] = "ADLR"
    stochastic: ClassVar[bool] = True

    endmembers: int = 6
    """p, number of endmembers and width of the abundances (release: 6)."""
    volume_weight: float = 0.015
    """T, weight of the simplex volume in MVC-NMF (release: 0.015)."""
    iterations: int = 10
    """Most updates of the endmembers in MVC-NMF (release: 10)."""
    bandwidth: float = 0.1
    """b, radius of the mean shift's window, in abundances (release: 0.1)."""
    lam: float = 0.15
    """λ, weight of the anomalous part (release: 0.15)."""
    signed: bool = True
    """Score the sum over a pixel's entries of E (release), or of |E|."""
    seed: int = 0
    """Seeds VCA's directions and the mean shift's starts."""

    def __post_init__(self) -> None:
        checks.whole("endmembers", self.endmembers, 2)
        checks.not_negative("volume_weight", self.volume_weight)
        checks.whole("iterations", self.iterations, 0)
        checks.positive("bandwidth", self.bandwidth)
        checks.positive("lam", self.lam)
        checks.whole("seed", self.seed, 0)
        if not isinstance(self.signed, bool):
            raise InputError(f"setting 'signed' is {self.signed!r}; expected True or False.")

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        X = self._pixels_of_rank_p(cube)
        rng = np.random.default_rng(self.seed)
        S = self._abundances(X, rng)
        D = self._dictionary(S, rng)
        E = self._anomalous_part(S, D)
        return (E if self.signed else np.abs(E)).sum(axis=1).reshape(cube.shape[:2])

    def _pixels_of_rank_p(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        """Pixels [N, L] over the largest magnitude, in their p leading singular directions."""
        X = cube.reshape(-1, cube.shape[2])
        if self.endmembers > min(X.shape):
            raise InputError(
                f"setting 'endmembers' is {self.endmembers}, but the cube has {X.shape[0]} pixels "
                f"of {X.shape[1]} bands; expected no more endmembers than either."
            )
        X = X / np.abs(X).max()
        U = np.linalg.eigh(X.T @ X)[1][:, -self.endmembers :]
        return X @ U @ U.T

    def _abundances(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """S [N, p]."""
        return mvc_nmf(
            X,
            X[vca(X, self.endmembers, rng)],
            volume_weight=self.volume_weight,
            sum_weight=_SUM_WEIGHT,
            iterations=self.iterations,
        ).abundances

    def _dictionary(self, S: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """D [m, p], m ≤ 2K: the mode of each cluster and the member farthest from it."""
        clusters = mean_shift(S, self.bandwidth, rng)
        return centroid_and_farthest(S, clusters.votes, clusters.modes).atoms

    def _anomalous_part(self, S: np.ndarray, D: np.ndarray) -> np.ndarray:
        """E [N, p]."""
        # TensorFlow's start takes seconds; settings are refused without it.
        from lren_tf.lowrank import solve_low_rank

        result = solve_low_rank(S, D, self.lam, loss="l1", order="JWA", **_SOLVER)
        parts = (("background", result.W, "more"), ("anomalous", result.A, "less"))
        for part, values, remedy in parts:
            if np.abs(values).max() < _NOTHING:
                raise InputError(
                    f"setting 'lam' is {self.lam}, with which the {part} part is zero and the "
                    f"score says nothing; expected {remedy}, for example "
                    f"{1 / np.sqrt(len(S)):.2g}, which is 1/√(number of pixels)."
                )
        return result.A
