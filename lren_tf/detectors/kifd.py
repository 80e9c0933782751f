"""KIFD: how easily a pixel is isolated among kernel principal components (Li et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.distance import pdist

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts.second_moments import Pixels, by_chunks, extremes
from lren_tf.detectors.parts.spatial import filters, otsu_threshold
from lren_tf.errors import InputError
from lren_tf.runtime.progress import tracked
from lren_tf.validators import real, whole

if TYPE_CHECKING:
    from sklearn.decomposition import KernelPCA
    from sklearn.ensemble import IsolationForest

_CORNERS = np.ones((3, 3), int)
"""Pixels that touch at a corner are one region."""
_FEWEST = 2
"""Pixels that a forest can tell apart."""
_DENSE = 4000
"""Samples up to which all eigenvalues of the kernel are computed: their time grows cubed."""


class KernelAxes(NamedTuple):
    """Kernel principal axes of a sample of pixels, on which others are projected."""

    low: npt.NDArray[np.float64]
    """Smallest value of each band, [L]."""
    span: npt.NDArray[np.float64]
    """Range of each band, 1 for one that does not vary, [L]."""
    kernel: KernelPCA

    @classmethod
    def of(
        cls, pixels: Pixels, components: int, samples: int, rng: np.random.Generator
    ) -> KernelAxes:
        """Compute them from `samples` of the pixels [N, L], bands scaled to [0, 1].

        The kernel is exp(−‖x − y‖² / 2σ²) with σ, the mean distance between two of the sampled
        pixels. Of the components, r at most `components`, those whose eigenvalue is rounding
        error are left out. Above 4000 samples the leading components alone are computed, by a
        randomized range finder.

        Raises:
            InputError: the sampled pixels are all alike.
        """
        from sklearn.decomposition import KernelPCA

        low, high = extremes(pixels)
        span = high - low
        span[span == 0] = 1.0
        count = pixels.shape[0]
        drawn = np.sort(rng.choice(count, min(samples, count), replace=False))
        sampled = (pixels[drawn].astype(np.float64) - low) / span
        sigma = pdist(sampled).mean()
        if not sigma > 0:
            raise InputError(
                f"the {len(sampled):,} pixels drawn for the kernel are all alike; expected at "
                "least two spectra among them, draw more with samples or others with seed."
            )
        dense = len(sampled) <= _DENSE
        kernel = KernelPCA(
            min(components, len(sampled)),
            kernel="rbf",
            gamma=1 / (2 * sigma**2),
            eigen_solver="dense" if dense else "randomized",
            remove_zero_eig=True,
            random_state=None if dense else int(rng.integers(2**31)),
        )
        return cls(low, span, kernel.fit(sampled))

    def components_of(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Kernel principal components [N, r] of pixels [N, L]."""

        def projected(chunk: slice) -> npt.NDArray[np.float32]:
            scaled = (pixels[chunk].astype(np.float64) - self.low) / self.span
            return self.kernel.transform(scaled).astype(np.float32)

        return np.concatenate(list(by_chunks(projected, pixels, "kernel principal components")))


def grown(
    features: npt.NDArray[np.float32], trees: int, sample: int, rng: np.random.Generator
) -> IsolationForest:
    """Forest grown on points [n, r].

    Args:
        features: at least two points.
        trees: how many.
        sample: points that each tree sees, at least two; all of them where there are fewer.
        rng: draws the seed of the forest.
    """
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=trees,
        max_samples=min(sample, len(features)),
        random_state=int(rng.integers(2**31 - 1)),
    )
    return forest.fit(features)


def isolation(
    forest: IsolationForest, features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Isolation score [n] in (0, 1) of points [n, r] in a forest.

    2^(−h/c) with h, the mean depth at which the trees isolate the point, and c, the mean depth
    of the points that each tree saw (F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation forest",
    ICDM 2008).
    """
    return -forest.score_samples(features)


class Forests(NamedTuple):
    """State that KIFD learns from the components of a scene."""

    whole: IsolationForest
    """Forest of all pixels."""
    threshold: float
    """Otsu's, of their scores."""
    drawing: Mapping[str, Any]
    """State of the generator that the local forests of every scene draw from."""
    rest: IsolationForest | None
    """Forest of the pixels in no large region; None where there was no such region."""


@dataclass(frozen=True)
class KIFD(InductiveDetector):
    """Kernel isolation forest detector.

    Source: S. Li, K. Zhang, P. Duan and X. Kang, "Hyperspectral anomaly detection with kernel
    isolation forest", IEEE TGRS 58(1), 2020, doi:10.1109/TGRS.2019.2936308, of which only the
    abstract was at hand; the steps and numbers are those of the authors' program, as a published
    comparison distributes it (jeline0110/GT-HAD).

    1. The leading 300 kernel principal components of all pixels, bands scaled to [0, 1].
    2. Global forest: 1000 isolation trees, each on 3 % of the pixels; a score per pixel.
    3. Local forests: the score is cut at its Otsu threshold. Every connected region above it
       that holds at least 1/120 of the pixels is too large to be anomalous as a whole: its pixels
       are scored again by a forest of 100 trees grown in the region, each on half of it. This is
       repeated with the same threshold while there are such regions, up to five times.
    4. The pixels that were in none of these regions are scored by another forest of 1000 trees,
       grown without those that were.
    5. Score: 10 to the power of the pixel's isolation score, which enlarges differences between
       high ones and changes no order.

    Assumptions, where the program leaves something open or is not followed:
        * The kernel components come from `samples` pixels and the others are projected
          (Nyström); the program takes up to 10,000, all of them in the usual scenes, in a time
          that grows with their cube.
        * σ of the Gaussian kernel is the mean distance between two pixels, the unit of the
          program's kernel library (there not distributed with it), whose factor is 1.
        * Otsu's threshold has 256 levels between the extremes of the map.
        * The program scales each component to [0, 1], which no isolation tree notices: left out.
        * scikit-image finds the threshold, scikit-learn the components and the trees.

    On Coast, Pavia and muufl it does badly here. A lone spectrum that is not among the sampled
    pixels is near the middle of every component and hard to isolate; whether the sampling is the
    reason was not measured. In very small images a region holds too few pixels for a forest.

    Another scene is scored by the kernel components, the two global forests and the threshold of
    the fitted one. Its large regions, and the forests grown in them, are its own. Where the fitted
    scene had no large region, there is no second forest, and the first scores the rest.
    """

    name: ClassVar[str] = "kifd"
    title: ClassVar[str] = "KIFD"
    streams: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    components: int = 300
    """ζ, kernel principal components, at most (program)."""
    samples: int = 2000
    """Pixels from which the components are computed, at most (assumption)."""
    trees: int = 1000
    """Trees of the global forests (program)."""
    share: float = 0.03
    """Share of all pixels that a tree of a global forest sees (program)."""
    local_trees: int = 100
    """Trees of a local forest (program)."""
    local_share: float = 0.5
    """Share of a region that a tree of its local forest sees (program)."""
    region_share: float = 1 / 120
    """Share of all pixels from which a region is scored again (program)."""
    passes: int = 5
    """Largest number of times that regions are looked for (program)."""
    seed: int = 0
    """Seed of the sampled pixels and of the trees."""

    def __post_init__(self) -> None:
        smallest = {
            "components": 1, "samples": 2, "trees": 1, "local_trees": 1, "passes": 0, "seed": 0,
        }  # fmt: skip
        for field, least in smallest.items():
            object.__setattr__(self, field, whole(field, getattr(self, field), least))
        for field in ("share", "local_share", "region_share"):
            number = real(field, getattr(self, field))
            if not 0 < number <= 1:
                raise InputError(
                    f"setting {field!r} is {number}; expected a number above 0 and 1 or less."
                )
            object.__setattr__(self, field, number)

    def detect(
        self,
        features: npt.NDArray[np.float32],
        grid: tuple[int, int],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """Score [H, W] of the components [N, r] of an image of a grid (H, W).

        Raises:
            InputError: scikit-image is not installed.
        """
        return self._fit_forests(features, grid, rng)[1]

    def _fit_forests(
        self,
        features: npt.NDArray[np.float32],
        grid: tuple[int, int],
        rng: np.random.Generator,
    ) -> tuple[Forests, npt.NDArray[np.float64]]:
        seen = max(_FEWEST, int(self.share * len(features)))
        whole = grown(features, self.trees, seen, rng)
        score = isolation(whole, features)
        threshold = otsu_threshold(score.reshape(grid))
        drawing = rng.bit_generator.state
        rest = ~self._in_regions(features, grid, score, threshold, rng)
        second = None
        if not rest.all() and np.count_nonzero(rest) >= _FEWEST:
            second = grown(features[rest], self.trees, seen, rng)
            score[rest] = isolation(second, features[rest])
        return Forests(whole, threshold, drawing, second), 10.0 ** score.reshape(grid)

    def _in_regions(
        self,
        features: npt.NDArray[np.float32],
        grid: tuple[int, int],
        score: npt.NDArray[np.float64],
        threshold: float,
        rng: np.random.Generator,
    ) -> npt.NDArray[np.bool_]:
        """Give pixels in large regions their local scores; which ones they are, [N]."""
        count = len(features)
        smallest = max(_FEWEST, int(self.region_share * count))
        found = np.zeros(count, bool)
        for _ in tracked(range(self.passes), "local forests", unit="pass"):
            regions, number = ndimage.label(score.reshape(grid) > threshold, _CORNERS)
            sizes = np.bincount(regions.reshape(-1), minlength=number + 1)
            large = [k for k in range(1, number + 1) if sizes[k] >= smallest]
            if not large:
                break
            for k in large:
                region = np.flatnonzero(regions == k)
                half = max(_FEWEST, round(self.local_share * len(region)))
                local = grown(features[region], self.local_trees, half, rng)
                score[region] = isolation(local, features[region])
                found[region] = True
        return found

    def _fit(self, pixels: FilledPixels) -> tuple[tuple[KernelAxes, Forests], np.ndarray]:
        count = pixels.shape[0]
        if count < _FEWEST:
            raise InputError(
                f"the image has {count} pixel; expected at least {_FEWEST} for a tree to isolate "
                "one of them, take a larger image."
            )
        filters()  # missing it is said before the forests grow
        rng = np.random.default_rng(self.seed)
        axes = KernelAxes.of(pixels, self.components, self.samples, rng)
        forests, score = self._fit_forests(axes.components_of(pixels), pixels.grid, rng)
        return (axes, forests), score

    def _score_by(
        self, learned: tuple[KernelAxes, Forests], pixels: FilledPixels
    ) -> np.ndarray:
        axes, forests = learned
        features = axes.components_of(pixels)
        score = isolation(forests.whole, features)
        rng = np.random.default_rng()
        rng.bit_generator.state = forests.drawing
        rest = ~self._in_regions(features, pixels.grid, score, forests.threshold, rng)
        if forests.rest is not None and rest.any():
            score[rest] = isolation(forests.rest, features[rest])
        return 10.0 ** score.reshape(pixels.grid)
