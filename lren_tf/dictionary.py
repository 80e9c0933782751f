"""Dictionary atoms from latent samples and the mixture: the paper's rule and the release's.

Both rules give each component that has members (pixels assigned to it by the largest
βᵢₖ) two atoms. They run once per fit on [N, l] and [N, k] arrays, so they are NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Dictionary(NamedTuple):
    """Atoms of the low-rank step."""

    atoms: np.ndarray
    """Rows d, ``[m, l]``, m ≤ 2k: two for each component with members."""
    components: np.ndarray
    """Component of each atom, ``[m]`` int."""
    pixels: np.ndarray
    """Pixel each atom was copied from, ``[m]`` int; −1 for a centroid."""


def centroid_and_farthest(z: np.ndarray, beta: np.ndarray, mu: np.ndarray) -> Dictionary:
    """Each component's centroid and the member farthest from it (paper, "Dictionary
    construction module"; Euclidean distance, since the text names no other).

    Args:
        z: latent samples ``[N, l]``.
        beta: assignments ``[N, k]``.
        mu: means ``[k, l]``, eq. (10).
    """
    assigned = np.argmax(beta, axis=1)
    atoms, components, pixels = [], [], []
    for component in np.unique(assigned):
        members = np.flatnonzero(assigned == component)
        distance = np.linalg.norm(z[members] - mu[component], axis=1)
        farthest = members[np.argmax(distance)]
        atoms += [mu[component], z[farthest]]
        components += [component, component]
        pixels += [-1, farthest]
    return Dictionary(np.stack(atoms), np.array(components), np.array(pixels))


def extreme_assignments(z: np.ndarray, beta: np.ndarray) -> Dictionary:
    """Each component's members with the largest and the smallest βₖ (release).

    The release finds the pixel by searching the *whole* β matrix for that value and
    taking the first row that holds it, whatever the column. Where values tie (a
    saturated softmax gives many exact ones) the atom can therefore be another pixel,
    even one of another component; reproducing its maps needs the same pixel.

    Args:
        z: latent samples ``[N, l]``.
        beta: assignments ``[N, k]``, in the precision of the network: ties are exact.
    """
    assigned = np.argmax(beta, axis=1)
    components, pixels = [], []
    for component in np.unique(assigned):
        values = beta[assigned == component, component]
        for extreme in (values.max(), values.min()):
            components.append(component)
            pixels.append(np.flatnonzero((beta == extreme).any(axis=1))[0])
    return Dictionary(z[pixels], np.array(components), np.array(pixels))
