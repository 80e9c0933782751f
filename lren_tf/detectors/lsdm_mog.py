"""LSDM-MoG: Manhattan distance in the noise left by a low-rank background (Li et al.)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.detectors.base import Detector
from lren_tf.detectors.parts.mog_rpca import Factorisation, factorise
from lren_tf.errors import InputError
from lren_tf.validators import positive, whole


def noise_distance(fit: Factorisation) -> npt.NDArray[np.float64]:
    """l1 distance of every pixel's noise to that of the quietest pixel, [N].

    The noise of component k is r_ijk ⟨e_ij⟩. The component whose noise has the largest range
    of values is kept; the quietest pixel is the one with the smallest l1 norm in it.
    """
    # One component at a time: their product with the residual has k times its size.
    ranges = [np.ptp(R * fit.residual) for R in fit.responsibilities]
    noise = fit.responsibilities[int(np.argmax(ranges))] * fit.residual
    quietest = noise[np.abs(noise).sum(axis=1).argmin()]
    return np.abs(noise - quietest).sum(axis=1)


@dataclass(frozen=True)
class LSDMMoG(Detector):
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
    """

    name: ClassVar[str] = "lsdm_mog"
    title: ClassVar[str] = "LSDM-MoG"
    why_not_inductive: ClassVar[str] = (
        "its low-rank part and its noise are fitted to all pixels of a scene together"
    )
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

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        pixels = cube.reshape(-1, cube.shape[2])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        varying = high > low
        Y = (pixels[:, varying] - low[varying]) / (high - low)[varying]
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
        return noise_distance(fit).reshape(cube.shape[:2])
