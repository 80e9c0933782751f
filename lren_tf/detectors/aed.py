"""AED: small structures by attribute filtering, smoothed along edges (Kang et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts.min_max import MinMax
from lren_tf.detectors.parts.principal_components import PrincipalAxes
from lren_tf.detectors.parts.spatial import area_opening, attribute_difference, morphology
from lren_tf.errors import InputError
from lren_tf.runtime.progress import tracked
from lren_tf.validators import positive, whole


def boolean_fusion(
    image: npt.NDArray[np.float64], levels: int, area: int
) -> npt.NDArray[np.float64]:
    """Mean of the maps [f > t] without their components larger than `area` pixels, [H, W].

    t = 0, 1/levels, …, (levels − 1)/levels for f in [0, 1]; components connect by edges.

    The maps are the upper level sets {D ≥ h}, h = 1 … levels, of D = number of t below f. A
    pixel's component at h holds more than `area` pixels exactly while h is at most the area
    opening of D there, so the maps in which it remains number D − opening(D): one max-tree
    in place of `levels` labellings.
    """
    D = np.ceil(image * levels).astype(np.int64)
    return (D - area_opening(D, area + 1)) / levels


def domain_transform_filter(
    image: npt.NDArray[np.float64],
    guide: npt.NDArray[np.float64],
    sigma_s: float,
    sigma_r: float,
    iterations: int,
) -> npt.NDArray[np.float64]:
    """Recursive edge-preserving filter of a map [H, W], guided by another one [H, W].

    E. S. L. Gastal and M. M. Oliveira, "Domain transform for edge-aware image and video
    processing", ACM TOG 30(4), 2011, sec. 4.2: along a row, with the distance
    d_n = 1 + σ_s/σ_r |g_n − g_(n−1)| of neighbours in the transformed domain,

        J_n = (1 − a^(d_n)) I_n + a^(d_n) J_(n−1),   a = exp(−√2/σ_i),

    then the same from right to left, then along columns; iteration i of n repeats this with
    σ_i = σ_s √3 2^(n−i) / √(4ⁿ − 1).
    """
    across = 1 + sigma_s / sigma_r * np.abs(np.diff(guide, axis=1))
    down = 1 + sigma_s / sigma_r * np.abs(np.diff(guide, axis=0))
    for i in range(1, iterations + 1):
        sigma = sigma_s * np.sqrt(3) * 2 ** (iterations - i) / np.sqrt(4**iterations - 1)
        decay = -np.sqrt(2) / sigma
        image = _smoothed_along_rows(image, np.exp(decay * across))
        image = _smoothed_along_rows(image.T, np.exp(decay * down).T).T
    return image


class AxesAndRange(NamedTuple):
    """State that AED learns from a scene."""

    axes: PrincipalAxes
    difference: MinMax
    """Range of the mean of the maps' attribute differences."""


@dataclass(frozen=True)
class AED(InductiveDetector):
    """Attribute and edge-preserving filters.

    Source: X. Kang, X. Zhang, S. Li, K. Li, J. Li and J. A. Benediktsson, "Hyperspectral
    anomaly detection with attribute and edge-preserving filters", IEEE TGRS 55(10), 2017,
    doi:10.1109/TGRS.2017.2710145, of which only the abstract was at hand: attribute
    filtering, Boolean-map fusion, refinement by an edge-preserving filter. The numbers are
    those of a third-party program for the method.

    Small bright or dark structures of the leading principal components are what an area
    filter removes from them. Their mean over components is cut at many levels; components
    too large for a target are cleared from every cut, and the mean of the cuts is smoothed
    along the edges of the first principal component.

    Assumptions, as the full text was not available:
        * Pixels of the cube are used as they are (a min-max of the whole cube, which the
          program starts with, changes nothing); every component map is scaled to [0, 1] by
          itself, as is their mean difference before it is cut.
        * One area serves the filter and the Boolean maps; the filter removes structures of
          fewer pixels, the Boolean maps keep components of up to this many. Pixels connect
          by edges.
        * The edge-preserving filter is the recursive domain transform in its authors' three
          iterations, 5 and 0.5 are its σ_s and σ_r, and its guide is scaled to [0, 1].
        * The program's larger and smaller areas for single scenes are not followed.

    Another scene is seen along the principal axes of the fitted one and in its ranges; what is
    small or large, and where edges are, is that of the scored image.
    """

    name: ClassVar[str] = "aed"
    title: ClassVar[str] = "AED"
    streams: ClassVar[bool] = True

    area: int = 25
    """Pixels: structures smaller than this are candidates (program)."""
    components: int = 3
    """Principal components used (program)."""
    levels: int = 256
    """Levels at which the map is cut (8-bit maps; no source)."""
    sigma_s: float = 5.0
    """σ_s, spatial scale of the edge-preserving filter in pixels (program)."""
    sigma_r: float = 0.5
    """σ_r, range scale, in units of the guide's range (program)."""
    iterations: int = 3
    """Iterations of the edge-preserving filter (Gastal and Oliveira)."""

    def __post_init__(self) -> None:
        smallest = {"area": 2, "components": 1, "levels": 2, "iterations": 1}
        for field, least in smallest.items():
            object.__setattr__(self, field, whole(field, getattr(self, field), least))
        for field in ("sigma_s", "sigma_r"):
            object.__setattr__(self, field, positive(field, getattr(self, field)))

    def _fit(self, pixels: FilledPixels) -> tuple[AxesAndRange, np.ndarray]:
        height, width = pixels.grid
        bands = pixels.shape[1]
        most = min(height * width, bands)
        if self.components > most:
            raise InputError(
                f"setting 'components' is {self.components} for {height * width} pixels × "
                f"{bands} bands; expected {most} or less, lower it."
            )
        self._check_area(pixels.grid)
        morphology()
        axes = PrincipalAxes.of(pixels, self.components)
        maps = axes.maps(pixels, pixels.grid)
        difference = self._difference(maps)
        learned = AxesAndRange(axes, MinMax.of(difference))
        return learned, self._fused(learned, difference, maps[0])

    def _score_by(self, learned: AxesAndRange, pixels: FilledPixels) -> np.ndarray:
        self._check_area(pixels.grid)
        maps = learned.axes.maps(pixels, pixels.grid)
        return self._fused(learned, self._difference(maps), maps[0])

    def _check_area(self, grid: tuple[int, int]) -> None:
        height, width = grid
        if self.area >= height * width:
            raise InputError(
                f"setting 'area' is {self.area} for an image of {height} × {width} pixels; "
                f"expected less than {height * width}, lower it."
            )

    def _difference(self, maps: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Mean over maps of the structures [H, W] that the area filter removes."""
        filtered = tracked(maps, "attribute filter", unit="map")
        return np.mean([attribute_difference(image, self.area) for image in filtered], axis=0)

    def _fused(
        self,
        learned: AxesAndRange,
        difference: npt.NDArray[np.float64],
        guide: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        # Below the range of the fitted scene there is nothing, not less than nothing.
        scaled = np.maximum(learned.difference.scaled(difference), 0.0)
        initial = boolean_fusion(scaled, self.levels, self.area)
        return domain_transform_filter(
            initial, guide, self.sigma_s, self.sigma_r, self.iterations
        )


def _smoothed_along_rows(
    image: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """One pass to the right and one to the left; `weights` [H, W − 1] lie between columns."""
    # Columns become contiguous: the recursion takes one at a time.
    J, weights = image.T.copy(), weights.T.copy()
    for n in range(1, len(J)):
        J[n] += weights[n - 1] * (J[n - 1] - J[n])
    for n in range(len(J) - 2, -1, -1):
        J[n] += weights[n] * (J[n + 1] - J[n])
    return J.T
