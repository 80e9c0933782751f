"""Exact contributions of the bands to a squared Mahalanobis distance.

    (x − m)ᵀ C⁻¹ (x − m) = Σ_b (x − m)_b [C⁻¹ (x − m)]_b

Each term belongs to a band, and their sum is the distance. A term may be negative: a band that
deviates less than the other bands would lead you to expect makes the pixel less anomalous.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf.errors import InputError


def mahalanobis(
    x: npt.ArrayLike, mean: npt.ArrayLike, covariance: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the contributions of the bands to squared Mahalanobis distances.

    Args:
        x: spectra ``[..., L]``.
        mean: m ``[L]``.
        covariance: C ``[L, L]``, symmetric and positive definite.

    Returns:
        float64 in the shape of `x`; the sum over the last axis is the distance.

    Raises:
        InputError: the shapes do not fit, or the covariance is not positive definite.
    """
    spectra, m = np.asarray(x, np.float64), np.asarray(mean, np.float64)
    C = np.asarray(covariance, np.float64)
    bands = m.size
    if m.ndim != 1 or C.shape != (bands, bands) or spectra.shape[-1:] != (bands,):
        raise InputError(
            f"x, mean and covariance have shapes {spectra.shape}, {m.shape} and {C.shape}; "
            "expected [..., L], [L] and [L, L] with one number of bands L."
        )
    try:
        factor = linalg.cho_factor(C)
    except (linalg.LinAlgError, ValueError):
        raise InputError(
            "the covariance is not positive definite and finite; expected one that has an "
            "inverse, add a little to its diagonal or leave bands out."
        ) from None
    d = spectra - m
    return d * linalg.cho_solve(factor, d.reshape(-1, bands).T).T.reshape(d.shape)
