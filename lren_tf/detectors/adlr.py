"""ADLR: what a dictionary of typical abundances does not explain (Qu et al., 2018)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf import validators
from lren_tf.datasets.benchmarks import STUDIED
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts.mean_shift import mean_shift
from lren_tf.detectors.parts.unmixing import (
    Unmixing,
    fcls,
    mvc_nmf,
    successive_projections,
    vca,
)
from lren_tf.errors import InputError
from lren_tf.latent.dictionary import centroid_and_farthest

# The weight of the abundances' sum, on data of at most 1 (release).
_SUM_WEIGHT = 20.0
_SOLVER: dict[str, Any] = {
    "mu": 1e-6, "rho": 1.1, "mu_max": 1e10, "tolerance": 1e-6, "max_iterations": 1000
}  # fmt: skip
# Entries of a converged solution below ten times its tolerance are the solver's, not the data's.
_NOTHING = 1e-5

VARIANTS = ("robust", "release")
"""Names of the sets of defaults of :class:`ADLR`."""
STARTS = ("spa", "vca")
"""Starts of MVC-NMF: successive projections, which draw nothing, or VCA."""


class Axes(NamedTuple):
    """Scale and leading singular directions of the pixels of a scene."""

    largest: float
    """Largest magnitude."""
    directions: npt.NDArray[np.float64]
    """``[L, p]``."""

    def seen(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Pixels ``[N, L]`` over the largest magnitude, in these directions."""
        return X / self.largest @ self.directions @ self.directions.T


class Mixtures(NamedTuple):
    """State that ADLR learns from a scene."""

    axes: Axes
    endmembers: npt.NDArray[np.float64]
    """``[p, L]``."""
    dictionary: npt.NDArray[np.float64]
    """Atoms ``[m, p]``, in abundances."""
    magnitudes: npt.NDArray[np.float64]
    """Mean magnitude ``[p]`` of the entries of E by endmember, 0 where nothing is left of one."""


@dataclass(frozen=True)
class ADLR(InductiveDetector):
    """Abundance- and dictionary-based low-rank decomposition.

    Source: Y. Qu, W. Wang, R. Guo, B. Ayhan, C. Kwan, S. Vance and H. Qi, "Hyperspectral
    anomaly detection through spectral unmixing and dictionary-based low-rank decomposition",
    IEEE TGRS 56(8), 4391-4405, 2018, and the authors' release, github.com/aicip/ADLR, which
    holds one simulated scene and its settings. The steps are the release's.

    1. X, pixels over the largest magnitude of the cube, in their p leading singular directions.
    2. Unmixing X ≈ S A, S ≥ 0 with rows that sum to one: endmembers to start with, fully
       constrained least squares, then MVC-NMF (:mod:`lren_tf.detectors.parts.unmixing`).
    3. Mean shift over the abundances S [N, p] (:mod:`lren_tf.detectors.parts.mean_shift`).
    4. Dictionary D: of every cluster its mode and the member farthest from it.
    5. min ‖Z‖_* + λ ‖E‖₁  s.t.  S = Z D + E, by
       :func:`lren_tf.low_rank.solve.solve_low_rank`, whose order J, W, A is the release's
       J, Z, E, with its μ = 1e-6, ρ = 1.1, tolerance 1e-6.
    6. Score: a sum over each row of E.

    Two variants fill in what is None, each the same on every scene. Tables 2 and 3 of this project
    have ``"release"``, beside the published figures; ``make comparators`` has ``"robust"``.

    ==============  ==========================  =============================================
    setting         release                     robust
    ==============  ==========================  =============================================
    start           VCA, random directions;     successive projections; walks start at the
                    walks from random pixels    pixel nearest the mean, then outwards
    bandwidth       0.1                         0.3
    λ               1/√N                        5 times λ₀ = 1/‖sign(S)ᵀ D‖₂
    score           the entries of E, with      their magnitudes, each over the mean
                    their signs                 magnitude of its endmember's
    ==============  ==========================  =============================================

    Endmembers (6), volume weight (0.015) and iterations (10) are the release's in both.

    Robust draws nothing: every seed gives the same map, and so do the cube in another unit, its
    bands in another order and its pixels in another order, up to rounding (pixels of equal
    spectra aside). Why each choice:

    - *Start.* With VCA the directions drawn decide whether an endmember lies among the anomalies,
      and with it what the map ranks.
    - *λ.* At or below λ₀ the background part Z is zero, E is S, and the score is how far a sum of
      abundances is from one; a large λ leaves E zero, the sooner the more atoms there are. Both
      ends are refused; where 5 leaves E zero, as on images of a few hundred pixels it can, 3, 2
      and 1.5 are tried in turn. In units of λ₀ neither the number of pixels nor that of atoms
      matters.
    - *Score.* With signs, or with magnitudes as they are, endmembers that cover the scene have
      most of the say, as their abundances vary most, and a rare material has little.

    Start, bandwidth, λ / λ₀, endmembers and score were chosen with the truth of eleven real scenes
    (the four of the LREN paper, airport-1, airport-3, beach-2, muufl, sandiego-58, urban-3,
    urban-4), one rule for all, by looking at the mean of AUC(Pd,Pf) for about sixty settings: 6, 9
    and 12 endmembers, plain and projective successive projections, bandwidths of 0.3 and 0.5,
    λ / λ₀ from 2 to 8, and scores with and without signs and scale. From 4 to 6 the ratio hardly
    matters; what the scale of the score gives is more than all the rest together. None of these
    scenes can therefore say how well the rule does on a scene it has not seen.

    Tried, and not taken: the number of endmembers by HySime, which finds from 17 to 63 on these
    scenes; projective successive projections, as VCA starts; abundances scaled to unit variance
    before step 3.

    Release. Its λ = 0.15 belongs to its scene, and is no default here: with its other settings it
    depends on the draws whether 0.15 leaves anything in E (on Pavia nothing with seeds 1 and 2).
    λ has to fall with the number of pixels N, as the entries of the singular vectors of
    S do, so the default is the weight of robust PCA (E. J. Candès, X. Li, Y. Ma and J. Wright,
    J. ACM 58(3), 2011), where the dictionary is the identity. Where the sign of its score varies
    the background lies in the middle of the range, so AUC(Pf, τ) is far from 0.

    Another scene is scored by the scale, the singular directions, the endmembers, the dictionary
    and, in the variant robust, the mean magnitudes of the fitted one. Its abundances and the
    decomposition of step 5 are its own: the nuclear norm joins all pixels that are scored
    together, so a score depends on them, and λ on λ₀ or N of that scene. A few pixels alone say
    little.

    Assumptions, where the paper was not at hand and the release says nothing or cannot be meant:

    - The scale is the largest magnitude, which for radiance or reflectance is the largest value.
    - VCA draws normal directions, as its paper says (release: uniform on [0, 1]), in axes whose
      largest entry is positive, and takes its projective branch, which the release always takes
      too: the data have rank p.
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
    named_by: ClassVar[str] = "variant"
    stochastic: ClassVar[bool] = True
    spatial: ClassVar[bool] = False

    variant: str = "robust"
    """Meaning of None in the other settings, one of :data:`VARIANTS` (see above)."""
    endmembers: int = 6
    """p, number of endmembers and width of the abundances (release: 6)."""
    start: str | None = None
    """One of :data:`STARTS`. ``"vca"`` draws, also the order of the mean shift's walks."""
    volume_weight: float = 0.015
    """T, weight of the simplex volume in MVC-NMF (release: 0.015)."""
    iterations: int = 10
    """Most updates of the endmembers in MVC-NMF (release: 10)."""
    bandwidth: float | None = None
    """b, radius of the mean shift's window, in abundances."""
    lam: float | None = None
    """λ, weight of the anomalous part."""
    lam_ratio: float | None = None
    """λ over λ₀, in place of `lam`; above 1."""
    signed: bool | None = None
    """Sum the entries of E, or their magnitudes."""
    scaled: bool | None = None
    """Divide the entries of E by the mean magnitude of their endmember's."""
    seed: int = 0
    """Seeds VCA's directions and the order of the walks; nothing else is drawn."""

    def __post_init__(self) -> None:
        for name, known in (("variant", VARIANTS), ("start", (*STARTS, None))):
            if getattr(self, name) not in known:
                raise InputError(
                    f"setting {name!r} is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(filter(None, known))}."
                )
        validators.whole("endmembers", self.endmembers, 2)
        validators.not_negative("volume_weight", self.volume_weight)
        validators.whole("iterations", self.iterations, 0)
        for name in ("bandwidth", "lam", "lam_ratio"):
            if getattr(self, name) is not None:
                validators.positive(name, getattr(self, name))
        if self.lam_ratio is not None and (self.lam_ratio <= 1 or self.lam is not None):
            raise InputError(
                f"setting 'lam_ratio' is {self.lam_ratio} and 'lam' {self.lam}; expected a ratio "
                "above 1, and only one of the two."
            )
        validators.whole("seed", self.seed, 0)
        for name in ("signed", "scaled"):
            if not isinstance(getattr(self, name), (bool, type(None))):
                raise InputError(
                    f"setting {name!r} is {getattr(self, name)!r}; expected True or False."
                )

    def prepare(self) -> None:
        """Import the solver, which imports TensorFlow."""
        importlib.import_module("lren_tf.low_rank.solve")

    def effective_config(self) -> dict[str, Any]:
        """All settings by name, None replaced by what the variant has, but for λ."""
        filled = {name: self.resolved(name) for name in _DEFAULTS[self.variant]}
        return {**self.get_config(), **filled}

    @property
    def chosen_on(self) -> tuple[str, ...]:
        """Scenes with whose truth the variant robust was chosen; none of release."""
        return STUDIED if self.variant == "robust" else ()

    @property
    def draws(self) -> bool:
        """True if the map depends on the seed with these settings."""
        return self.resolved("start") == "vca"

    def resolved(self, name: str) -> Any:
        """The value of a setting, where it is None the variant's."""
        value = getattr(self, name)
        return _DEFAULTS[self.variant][name] if value is None else value

    def _fit(self, cube: npt.NDArray[np.float64]) -> tuple[Mixtures, np.ndarray]:
        axes = self._axes(cube)
        X = axes.seen(cube.reshape(-1, cube.shape[2]))
        rng = np.random.default_rng(self.seed) if self.draws else None
        found = self._unmixed(X, rng)
        D = self._dictionary(found.abundances, rng)
        E = self._anomalous_part(found.abundances, D)
        magnitudes = _magnitudes(E)
        learned = Mixtures(axes, found.endmembers, D, magnitudes)
        return learned, self._sums(E, magnitudes).reshape(cube.shape[:2])

    def _score_by(self, learned: Mixtures, cube: npt.NDArray[np.float64]) -> np.ndarray:
        X = learned.axes.seen(cube.reshape(-1, cube.shape[2]))
        S = fcls(X, learned.endmembers, _SUM_WEIGHT)
        E = self._anomalous_part(S, learned.dictionary)
        return self._sums(E, learned.magnitudes).reshape(cube.shape[:2])

    def _axes(self, cube: npt.NDArray[np.float64]) -> Axes:
        X = cube.reshape(-1, cube.shape[2])
        if self.endmembers > min(X.shape):
            raise InputError(
                f"setting 'endmembers' is {self.endmembers}, but the cube has {X.shape[0]} pixels "
                f"of {X.shape[1]} bands; expected no more endmembers than either."
            )
        largest = float(np.abs(X).max())
        X = X / largest
        return Axes(largest, np.linalg.eigh(X.T @ X)[1][:, -self.endmembers :])

    def _unmixed(self, X: np.ndarray, rng: np.random.Generator | None) -> Unmixing:
        p = self.endmembers
        return mvc_nmf(
            X,
            X[successive_projections(X, p) if rng is None else vca(X, p, rng)],
            volume_weight=self.volume_weight,
            sum_weight=_SUM_WEIGHT,
            iterations=self.iterations,
        )

    def _dictionary(self, S: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """D [m, p], m ≤ 2K: the mode of each cluster and the member farthest from it."""
        clusters = mean_shift(S, self.resolved("bandwidth"), rng)
        return centroid_and_farthest(S, clusters.votes, clusters.modes).atoms

    def _weights(self, S: np.ndarray, lowest: float) -> list[float]:
        """λ, and what is tried in its place where it leaves nothing in E, from λ₀."""
        if self.lam is not None:
            return [self.lam]
        if self.lam_ratio is not None:
            return [self.lam_ratio * lowest]
        if self.variant == "release":
            return [float(1.0 / np.sqrt(len(S)))]
        return [ratio * lowest for ratio in _RATIOS]

    def _anomalous_part(self, S: np.ndarray, D: np.ndarray) -> np.ndarray:
        """E [N, p]."""
        # TensorFlow's start takes seconds; settings are refused without it.
        from lren_tf.low_rank.solve import solve_low_rank

        lowest = lowest_weight(S, D)
        for lam in self._weights(S, lowest):
            result = solve_low_rank(S, D, lam, loss="l1", order="JWA", **_SOLVER)
            if np.abs(result.A).max() >= _NOTHING:
                break
        parts = (("background", result.W, "more"), ("anomalous", result.A, "less"))
        for part, values, remedy in parts:
            if np.abs(values).max() < _NOTHING:
                raise InputError(
                    f"λ is {lam:.3g}, with which the {part} part is zero and the score says "
                    f"nothing; expected {remedy}, {1.5 * lowest:.2g} to {8 * lowest:.2g}: set "
                    "'lam', or 'lam_ratio' from 1.5 to 8."
                )
        return result.A

    def _sums(self, E: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
        """Scores [N] from E [N, p] and mean magnitudes [p]."""
        entries = E if self.resolved("signed") else np.abs(E)
        if self.resolved("scaled"):
            out = np.zeros_like(entries)
            entries = np.divide(entries, magnitudes, out=out, where=magnitudes > 0)
        return entries.sum(axis=1)


_DEFAULTS: dict[str, dict[str, Any]] = {
    "robust": {"start": "spa", "bandwidth": 0.3, "signed": False, "scaled": True},
    "release": {"start": "vca", "bandwidth": 0.1, "signed": True, "scaled": False},
}
"""Settings that None stands for, by variant, but for λ."""
_RATIOS = (5.0, 3.0, 2.0, 1.5)
"""λ / λ₀ of the variant `robust`, the first that leaves something in E."""


def _magnitudes(E: np.ndarray) -> np.ndarray:
    """Mean magnitudes [p] of the entries of E [N, p], 0 where nothing is left."""
    # Entries of an endmember of which nothing is left are what the solver rounds to.
    left = np.abs(E).max(axis=0) >= _NOTHING
    return np.where(left, np.abs(E).mean(axis=0), 0.0)


def lowest_weight(S: npt.NDArray[np.float64], D: npt.NDArray[np.float64]) -> float:
    """λ₀ = 1/‖sign(S)ᵀ D‖₂ of S [N, p] and D [m, p]: up to it Z = 0 is a solution.

    Y = λ sign(S) is then the multiplier of S = Z D + E: a subgradient of λ‖E‖₁ at E = S, with
    ‖Y Dᵀ‖₂ ≤ 1, as a subgradient of ‖Z‖_* at 0 asks.
    """
    # Zeros of S are exact; what is next to them is rounding, on abundances of about 1.
    R = np.linalg.qr((np.abs(S) > _NOTHING) * np.sign(S), mode="r")
    return float(1.0 / np.linalg.norm(R @ D.T, 2))
