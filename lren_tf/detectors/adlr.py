"""ADLR: what a dictionary of typical abundances does not explain (Qu et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf import validators
from lren_tf.detectors.base import Detector
from lren_tf.detectors.parts.mean_shift import mean_shift
from lren_tf.detectors.parts.unmixing import mvc_nmf, vca
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import centroid_and_farthest

# The weight of the abundances' sum, on data of at most 1 (release).
_SUM_WEIGHT = 20.0
_SOLVER = {"mu": 1e-6, "rho": 1.1, "mu_max": 1e10, "tolerance": 1e-6, "max_iterations": 1000}
# Entries of a converged solution below ten times its tolerance are the solver's, not the data's.
_NOTHING = 1e-5


@dataclass(frozen=True)
class ADLR(Detector):
    """Abundance- and dictionary-based low-rank decomposition.

    Source: Y. Qu, W. Wang, R. Guo, B. Ayhan, C. Kwan, S. Vance and H. Qi, "Hyperspectral
    anomaly detection through spectral unmixing and dictionary-based low-rank decomposition",
    IEEE TGRS 56(8), 4391-4405, 2018, and the authors' release, github.com/aicip/ADLR, which
    holds one simulated scene and its settings. The steps are the release's; the numbers
    after them are its values where no other source is named.

    1. X, pixels over the largest magnitude of the cube, in their p leading singular directions.
    2. Unmixing X ≈ S A, S ≥ 0 with rows that sum to one: VCA, fully constrained least squares,
       then MVC-NMF (:mod:`lren_tf.detectors.parts.unmixing`).
    3. Mean shift over the abundances S [N, p] (:mod:`lren_tf.detectors.parts.mean_shift`).
    4. Dictionary D: of every cluster its mode and the member farthest from it.
    5. min ‖Z‖_* + λ ‖E‖₁  s.t.  S = Z D + E, by
       :func:`lren_tf.low_rank.solve.solve_low_rank`, whose order J, W, A is the release's
       J, Z, E, with its μ = 1e-6, ρ = 1.1, tolerance 1e-6.
    6. Score: the sum over each row of E, with its sign. Where the sign varies the background
       lies in the middle of the range, so AUC(Pf, τ) is far from 0.

    λ. The release's 0.15 belongs to its scene, and is no default here. With λ at or below
    1/‖sign(S)ᵀ D‖₂ the background part Z is zero and E is S, the score then being how far a sum
    of abundances is from one; with a large λ, the sooner the more atoms there are, E is
    zero. Both ends are refused. With the other settings of the release 0.15 leaves E = 0 on three
    scenes of the LREN paper, and E on a few pixels of the fourth (Coast). λ has to fall with
    the number of pixels N, as the entries of the singular vectors of S do, so the default is
    1/√N, the weight of robust PCA (E. J. Candès, X. Li, Y. Ma and J. Wright, J. ACM 58(3),
    2011), where the dictionary is the identity.

    Assumptions, where the paper was not at hand and the release says nothing or cannot be meant:

    - The number of endmembers is a setting, as in the release, for every scene.
    - The scale is the largest magnitude, which for radiance or reflectance is the largest value.
    - VCA draws normal directions, as its paper says (release: uniform on [0, 1]), and takes its
      projective branch, which the release always takes too: the data have rank p.
    - S is the exact minimiser in every iteration. The release follows projected gradients for
      at most 200 steps, and on the LREN paper's scenes it stops there, above its minimum. An
      exact S does not depend on where it starts, so the release's first S, from a
      sum-to-one row of weight 1e5, is not needed; every S here has the weight 20.
    - A moves by two conjugate-gradient steps per iteration. The release's first has the fixed
      length 1e-3, too long where Sᵀ S has an eigenvalue above 2000 (as scenes of 10⁴ pixels
      do), and its second adds the old gradient where it should subtract it. Here both have
      the best length for the data term and are shortened until the objective falls, so the
      release's rules for an objective that rises have nothing to do. In as many iterations
      the objective falls further than the release's, and the endmembers end farther out.
    - The release makes 11 iterations of S, A and keeps S: 10 updates of A, as here.
    - Two modes become one at their weighted mean. The release weights a mode with its own
      previous position, which replaces the older mode.
    - The Gaussian kernel is exact (release: a table of 1001 values).
    - A mode that is no pixel's first choice gives no atoms (release: its mode, and the farthest
      member of the cluster before it).
    - The solver's stopping rule also looks at the change of Z and E.
    """

    name: ClassVar[str] = "adlr"
    title: ClassVar[str] = "ADLR"
    stochastic: ClassVar[bool] = True
    spatial: ClassVar[bool] = False

    endmembers: int = 6
    """p, number of endmembers and width of the abundances (release: 6)."""
    volume_weight: float = 0.015
    """T, weight of the simplex volume in MVC-NMF (release: 0.015)."""
    iterations: int = 10
    """Most updates of the endmembers in MVC-NMF (release: 10)."""
    bandwidth: float = 0.1
    """b, radius of the mean shift's window, in abundances (release: 0.1)."""
    lam: float | None = None
    """λ, weight of the anomalous part; None for 1/√N, N the number of pixels (see above)."""
    signed: bool = True
    """Score the sum over a pixel's entries of E (release), or of |E|."""
    seed: int = 0
    """Seeds VCA's directions and the mean shift's starts."""

    def __post_init__(self) -> None:
        validators.whole("endmembers", self.endmembers, 2)
        validators.not_negative("volume_weight", self.volume_weight)
        validators.whole("iterations", self.iterations, 0)
        validators.positive("bandwidth", self.bandwidth)
        if self.lam is not None:
            validators.positive("lam", self.lam)
        validators.whole("seed", self.seed, 0)
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
        from lren_tf.low_rank.solve import solve_low_rank

        lam = 1.0 / np.sqrt(len(S)) if self.lam is None else self.lam
        result = solve_low_rank(S, D, lam, loss="l1", order="JWA", **_SOLVER)
        parts = (("background", result.W, "more"), ("anomalous", result.A, "less"))
        for part, values, remedy in parts:
            if np.abs(values).max() < _NOTHING:
                raise InputError(
                    f"setting 'lam' is {lam:.3g}, with which the {part} part is zero and the "
                    f"score says nothing; expected {remedy}, from about 0.5 to 3 over "
                    f"√(number of pixels), {0.5 / np.sqrt(len(S)):.2g} to "
                    f"{3 / np.sqrt(len(S)):.2g}."
                )
        return result.A
