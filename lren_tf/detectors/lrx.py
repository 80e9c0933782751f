"""LRX: regularised Mahalanobis distance of a pixel to the ring of pixels around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf import validators
from lren_tf.detectors.parts import dual_window
from lren_tf.detectors.parts.background_only import Own
from lren_tf.detectors.rings import RingDetector
from lren_tf.errors import InputError


def ring_distances(spectra: npt.NDArray[np.float64], delta: float) -> npt.NDArray[np.float64]:
    """(y − m)ᵀ (C + δI)⁻¹ (y − m) for every ring and its pixel y, the last of [b, n + 1, L].

    m and C are the mean and the covariance (divisor n − 1) of the ring; `spectra` is
    overwritten. With d = y − m, B the centred ring [n, L] and ε = (n − 1)δ, that is

        (n − 1) dᵀ (BᵀB + εI)⁻¹ d  =  [dᵀd − (Bd)ᵀ (BBᵀ + εI)⁻¹ (Bd)] / δ

    (Woodbury's identity); the form with the smaller matrix is taken. Each needs vᵀK⁻¹v, which
    is ‖l‖² for the last row [lᵀ, ·] of the Cholesky factor of [[K, v], [vᵀ, c]],
    whatever c is above it: one factorisation and no solve.

    Raises:
        numpy.linalg.LinAlgError: δ is lost in the rounding of the covariance.
    """
    n, bands = spectra.shape[1] - 1, spectra.shape[2]
    spectra -= spectra[:, :n].mean(axis=1, keepdims=True)
    d = spectra[:, n]
    squares = np.square(d).sum(axis=1)
    if n < bands:
        K = spectra @ spectra.transpose(0, 2, 1)  # BBᵀ bordered by Bd and dᵀd
        _add_to_diagonal(K, (n - 1) * delta)
        # Never negative but for rounding.
        return np.maximum(squares - _form(K), 0) / delta
    B = spectra[:, :n]
    K = np.empty((len(spectra), bands + 1, bands + 1))
    np.matmul(B.transpose(0, 2, 1), B, out=K[:, :bands, :bands])
    K[:, bands, :bands] = d
    K[:, bands, bands] = squares / ((n - 1) * delta) + 1
    _add_to_diagonal(K[:, :bands, :bands], (n - 1) * delta)
    return (n - 1) * _form(K)


def _form(bordered: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """vᵀK⁻¹v from the lower triangles of [[K, v], [vᵀ, c]], matrices [b, k + 1, k + 1]."""
    return np.square(np.linalg.cholesky(bordered)[:, -1, :-1]).sum(axis=1)


def _add_to_diagonal(matrices: npt.NDArray[np.float64], value: float) -> None:
    at = np.arange(matrices.shape[1])
    matrices[:, at, at] += value


@dataclass(frozen=True)
class LRX(RingDetector):
    """Local RX with a dual window.

    The score of a pixel y is (y − m)ᵀ (C + δI)⁻¹ (y − m), with m and C the mean and the
    covariance of its ring: the outer window without the inner one (see `windows`). The cube
    is first scaled to [0, 1] as a whole, which gives δ its unit.

    Source: the detector of I. S. Reed and X. Yu (IEEE TASSP 38(10), 1990) with local
    statistics. The comparisons name S. Matteoli, T. Veracini, M. Diani and G. Corsini, "A
    locally adaptive background density estimator: an evolution for RX-based anomaly
    detectors" (IEEE GRSL 11(1), 2014, doi:10.1109/LGRS.2013.2257670) for it.

    Assumptions, where the paper that compares with LRX says nothing:

    - That reference estimates a kernel density. "LRX" is read as the Gaussian detector with a
      dual window, which is what the name means in practice.
    - One pair of windows for all scenes. Nothing is published for these comparisons; 19 and
      21 is the pair reported for the scene Texas Coast in Remote Sensing 13:3954 (2021).
    - Past the border the image is mirrored. Public codes wrap it around, or shift the window.
    - A ring near the border therefore holds pixels twice. It can even hold the pixel under
      test, if the ring is wider than one pixel or its reach, (outer − 1) / 2, is odd: not
      with 19 and 21.
    - Every pixel counts once per place in the ring, anomalous or not.

    Not copied from the public code lzw-lzw/Hyperspectral-anomaly-detection-methods: the
    scatter about zero, neither centred nor divided by the number of pixels, which is no
    covariance.
    """

    name: ClassVar[str] = "lrx"
    title: ClassVar[str] = "LRX"

    inner: int = 19
    """Width of the inner window in pixels, odd; source: see the assumptions."""
    outer: int = 21
    """Width of the outer window in pixels, odd; source: see the assumptions."""
    delta: float = 1e-5
    """Added to the variances, in squared units of the cube scaled to [0, 1]; the value
    of the public code lzw-lzw/Hyperspectral-anomaly-detection-methods."""

    @property
    def chosen_on(self) -> tuple[str, ...]:
        """Texas Coast, for which the windows are reported: see the assumptions."""
        return ("coast",)

    def __post_init__(self) -> None:
        inner, outer = dual_window.checked_windows(self.inner, self.outer)
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "outer", outer)
        object.__setattr__(self, "delta", validators.positive("delta", self.delta))

    def _against_rings(self, image: dual_window.Image, own: Own) -> npt.NDArray[np.float64]:
        bands = image.shape[1]
        rings = dual_window.Rings(*image.grid, self.inner, self.outer)
        n = dual_window.ring_size(self.inner, self.outer)

        def distances(block: dual_window.Block) -> npt.NDArray[np.float64]:
            spectra = np.concatenate([block.of(block.rings), own(block)[:, None]], axis=1)
            return ring_distances(spectra, self.delta)

        elements = (n + 1) * bands + 2 * (min(n, bands) + 1) ** 2
        try:
            return rings.map(image, distances, elements, "distances to the rings")
        except np.linalg.LinAlgError:
            raise InputError(
                f"setting 'delta' is {self.delta}, lost in the rounding of a ring's covariance; "
                "expected a regularisation that float64 can tell from 0 beside the variances of "
                "the cube scaled to [0, 1], such as 1e-5."
            ) from None
