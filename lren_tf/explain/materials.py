"""Materials of a library that are nearest to a spectrum by spectral angle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lren_tf.errors import InputError

_FEWEST_BANDS = 3
"""Bands that scene and library need in common; with fewer all angles are small."""


class Material(NamedTuple):
    """A spectrum of a library beside that of a detection."""

    name: str
    angle: float
    """Spectral angle in degrees: 0 for equal shapes."""


def nearest_materials(
    spectra: np.ndarray,
    library: np.ndarray,
    names: Sequence[str],
    *,
    wavelengths: np.ndarray | None = None,
    library_wavelengths: np.ndarray | None = None,
    count: int = 3,
) -> list[list[Material]]:
    """Return the materials that are nearest to each spectrum, the nearest first.

    The angle is that of Kruse et al. (1993), arccos(xᵀy / ‖x‖‖y‖), over the bands that both have.
    Where both have wavelengths, those of the library are interpolated at those of the scene;
    bands beyond the ends of the library are left out.

    Args:
        spectra: ``[n, B]``, NaN in bands that are not used.
        library: ``[m, C]``.
        names: of the m materials.
        wavelengths: of the scene ``[B]`` in nanometres, or None.
        library_wavelengths: ``[C]`` in nanometres, or None.
        count: how many to return.

    Raises:
        InputError: the bands of both cannot be brought together.
    """
    x, y = np.asarray(spectra, np.float64), np.asarray(library, np.float64)
    used = np.isfinite(x).all(axis=0)
    if wavelengths is not None and library_wavelengths is not None:
        order = np.argsort(library_wavelengths)
        known = library_wavelengths[order]
        used &= (wavelengths >= known[0]) & (wavelengths <= known[-1])
        y = np.stack([np.interp(wavelengths, known, each[order]) for each in y])
    elif x.shape[1] != y.shape[1]:
        missing = "the scene" if wavelengths is None else "the library"
        raise InputError(
            f"the library has {y.shape[1]} bands and the scene {x.shape[1]}, and {missing} has no "
            "wavelengths; expected wavelengths in both, or the same bands, pass another library."
        )
    if np.count_nonzero(used) < _FEWEST_BANDS:
        raise InputError(
            f"scene and library have {np.count_nonzero(used)} bands in common; expected at least "
            f"{_FEWEST_BANDS}, pass a library of these wavelengths."
        )
    angles = np.degrees(_angles(x[:, used], y[:, used]))
    best = np.argsort(angles, axis=1, kind="stable")[:, :count]
    return [
        [Material(str(names[place]), float(row[place])) for place in order]
        for row, order in zip(angles, best, strict=True)
    ]


def margin(found: Sequence[Material]) -> float | None:
    """Return the angle in degrees by which the nearest material is nearer than the next one."""
    return found[1].angle - found[0].angle if len(found) > 1 else None


def _angles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    cosines = np.divide(x @ y.T, lengths, out=np.zeros((len(x), len(y))), where=lengths > 0)
    return np.arccos(np.clip(cosines, -1, 1))
