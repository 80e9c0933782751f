"""LSDM-MoG: Manhattan distance in the noise left by a low-rank background (Li et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import data_sha256
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts.mog_rpca import Background, Factorisation, factorise
from lren_tf.errors import InputError
from lren_tf.validators import positive, whole


def noise_distance(fit: Factorisation) -> npt.NDArray[np.float64]:
    """l1 distance of every pixel's noise to that of the quietest pixel, [N].

    The noise of component k is r_ijk ⟨e_ij⟩. The component whose noise has the largest range
    of values is kept; the quietest pixel is the one with the smallest l1 norm in it.
    """
    return Reference.of(fit).distance(fit.residual, fit.responsibilities)


class Reference(NamedTuple):
    """Component of the noise that is scored, and the noise that it is compared with."""

    component: int
    quietest: npt.NDArray[np.float64]
    """[L]."""

    @classmethod
    def of(cls, fit: Factorisation) -> Reference:
        """Find them: the component of the largest range, its pixel of the smallest l1 norm."""
        # One component at a time: their product with the residual has k times its size.
        ranges = [np.ptp(R * fit.residual) for R in fit.responsibilities]
        component = int(np.argmax(ranges))
        noise = fit.responsibilities[component] * fit.residual
        return cls(component, noise[np.abs(noise).sum(axis=1).argmin()])

    def distance(
        self, residual: npt.NDArray[np.float64], responsibilities: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """l1 distances [N] from a residual [N, L] and responsibilities [k, N, L]."""
        noise = responsibilities[self.component] * residual
        return np.abs(noise - self.quietest).sum(axis=1)


class FittedNoise(NamedTuple):
    """State that LSDM-MoG learns from a scene."""

    low: npt.NDArray[np.float64]
    """Smallest value of each band, [L]."""
    high: npt.NDArray[np.float64]
    """Largest."""
    background: Background
    reference: Reference
    sha256: str
    """Hash of the pixels [N, L]."""
    scores: npt.NDArray[np.float64]
    """Scores that the fit found for these very pixels, [N]."""

    def scaled(self, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Bands that varied of pixels [N, L], in the fitted range as [0, 1]."""
        return _in_range(pixels, self.low, self.high)


@dataclass(frozen=True)
class LSDMMoG(InductiveDetector):
    """Low-rank and sparse decomposition with mixture-of-Gaussians noise.

    Source: L. Li, W. Li, Q. Du and R. Tao, "Low-rank and sparse decomposition with mixture
    of Gaussian for hyperspectral anomaly detection", IEEE Transactions on Cybernetics 51(9),
    2021, doi:10.1109/TCYB.2020.2968750, and the authors' program (l7170/LSDM-MoG); the
    decomposition is that of `mog_rpca`.

    Every band is scaled to [0, 1], the cube is split into a low-rank background and noise
    of k Gaussian components by variational Bayes, and a pixel's score is the Manhattan (l1)
    distance between its noise in the widest component and that of a reference pixel.

    Two things to know. The stopping rule looks at the low-rank part alone, which settles
    long before the noise does: on scenes of 100 × 100 pixels it ends after 4 to 13
    iterations, and the map depends on the seed. And pruning removes only columns that the
    data do not need: a rank above that of the background lets targets into it.

    Assumptions, where the sources are silent:
        * Constant bands are left out: they would form a component of variance 0.
        * The random entries nearest to which the first responsibilities are set are drawn
          again while two of them are equal (the program redraws while a component is empty,
          which is the same).
        * The reference is a single pixel of the whole scene, the first one if several have
          the smallest norm.
        * The size of the window in the authors' script belongs to local RX beside it and has
          no part here.

    Another scene is scored by the ranges of the bands, the basis of the low-rank part, the
    mixture of the noise and the reference of the fitted one. A pixel's coefficients and its
    responsibilities are its own, iterated to convergence with the rest held. The fit, which ends
    before they converge, finds them together with the basis; so the scores of the fitted pixels
    are kept, and are what the same pixels get again.
    """

    name: ClassVar[str] = "lsdm_mog"
    title: ClassVar[str] = "LSDM-MoG"
    stochastic: ClassVar[bool] = True
    spatial: ClassVar[bool] = False

    rank: int = 20
    """Rank at the start, from which columns are pruned (program)."""
    components: int = 2
    """k, Gaussian components of the noise (program)."""
    prior: float = 1e-6
    """a0 = b0 = c0 = d0 = α0 = β0: all priors nearly flat (program; the prior mean is 0)."""
    prune_ratio: float = 100.0
    """A column goes when its precision exceeds this many times the smallest (program)."""
    iterations: int = 300
    """Largest number of iterations (program)."""
    tolerance: float = 1e-3
    """Relative change of the low-rank part below which the iteration stops (program)."""
    seed: int = 0
    """Seed of the first responsibilities; nothing else is random."""

    def __post_init__(self) -> None:
        for field, smallest in (("rank", 1), ("components", 1), ("iterations", 1), ("seed", 0)):
            object.__setattr__(self, field, whole(field, getattr(self, field), smallest))
        for field in ("prior", "prune_ratio", "tolerance"):
            object.__setattr__(self, field, positive(field, getattr(self, field)))
        if self.prune_ratio < 1:
            raise InputError(
                f"setting 'prune_ratio' is {self.prune_ratio}; expected 1 or more, below it every "
                "column would be pruned."
            )

    def _fit(self, cube: npt.NDArray[np.float64]) -> tuple[FittedNoise, np.ndarray]:
        pixels = cube.reshape(-1, cube.shape[2])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        Y = _in_range(pixels, low, high)
        if self.rank >= min(Y.shape):
            raise InputError(
                f"setting 'rank' is {self.rank} for {Y.shape[0]} pixels × {Y.shape[1]} varying "
                f"bands, which leaves no noise; expected {min(Y.shape) - 1} or less, lower it."
            )
        fit = factorise(
            Y,
            self.rank,
            self.components,
            np.random.default_rng(self.seed),
            prior=self.prior,
            prune_ratio=self.prune_ratio,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
        background = Background(fit.U, fit.precisions, fit.noise)
        reference, scores = Reference.of(fit), noise_distance(fit)
        learned = FittedNoise(low, high, background, reference, data_sha256(pixels), scores)
        return learned, scores.reshape(cube.shape[:2])

    def _score_by(self, learned: FittedNoise, cube: npt.NDArray[np.float64]) -> np.ndarray:
        pixels = cube.reshape(-1, cube.shape[2])
        if data_sha256(pixels) == learned.sha256:
            return learned.scores.reshape(cube.shape[:2])
        explained = learned.background.explain(
            learned.scaled(pixels), iterations=self.iterations, tolerance=self.tolerance
        )
        return learned.reference.distance(*explained).reshape(cube.shape[:2])


def _in_range(
    pixels: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Bands with a range [v] of pixels [N, L], the range as [0, 1]: [N, v]."""
    varying = high > low
    return (pixels[:, varying] - low[varying]) / (high - low)[varying]
