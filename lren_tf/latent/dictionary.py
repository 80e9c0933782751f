"""Dictionary atoms from latent samples: the paper's rule, the release's, and k-means.

Every rule gives each component that has members (pixels assigned to it by the largest
βᵢₖ) two atoms. They run once per fit on [N, l] and [N, k] arrays, so they are NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lren_tf.runtime.threads import one_thread
from lren_tf.settings import Settings


class Dictionary(NamedTuple):
    """Atoms of the low-rank step."""

    atoms: np.ndarray
    """Rows d, ``[m, l]``, m ≤ 2k: two for each component with members."""
    components: np.ndarray
    """Component of each atom, ``[m]`` int."""
    pixels: np.ndarray
    """Pixel each atom was copied from, ``[m]`` int; −1 for a centroid."""


def centroid_and_farthest(z: np.ndarray, beta: np.ndarray, mu: np.ndarray) -> Dictionary:
    """Choose each component's centroid and the member farthest from it (paper, "Dictionary
    construction module"; Euclidean distance, since the text names no other).

    Args:
        z: latent samples ``[N, l]``.
        beta: responsibilities ``[N, k]``.
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
    """Choose each component's members with the largest and the smallest βₖ (release).

    The release finds the pixel by searching the *whole* β matrix for that value and
    taking the first row that holds it, whatever the column. Where values tie (a
    saturated softmax gives many exact ones) the atom can therefore be another pixel,
    even one of another component; reproducing its maps needs the same pixel.

    Args:
        z: latent samples ``[N, l]``.
        beta: responsibilities ``[N, k]``, in the precision of the network: ties are exact.
    """
    assigned = np.argmax(beta, axis=1)
    components, pixels = [], []
    for component in np.unique(assigned):
        values = beta[assigned == component, component]
        for extreme in (values.max(), values.min()):
            components.append(component)
            pixels.append(np.flatnonzero((beta == extreme).any(axis=1))[0])
    return Dictionary(z[pixels], np.array(components), np.array(pixels))


def atoms_by_rule(
    settings: Settings, z: np.ndarray, beta: np.ndarray, mu: np.ndarray, alive: np.ndarray
) -> tuple[Dictionary, np.ndarray]:
    """Atoms by the rule of the settings.

    Args:
        settings: whose ``dictionary`` names the rule.
        z: latent samples ``[N, l]``.
        beta: responsibilities ``[N, k]``.
        mu, alive: means ``[k, l]`` of the mixture, and which components are not empty, ``[k]``.

    Returns:
        The atoms, and the weights ``[N, k]`` of the means that are their centroids.
    """
    if settings.dictionary == "kmeans":
        weights, centres = kmeans_assignments(z, settings.components, settings.seed)
        return centroid_and_farthest(z, weights, centres), weights
    if settings.dictionary == "centroid_farthest":
        chosen = centroid_and_farthest(z, beta, mu)
    else:
        chosen = extreme_assignments(z, beta)
    # A component can have members and still be empty if empty_mass is above 1/k pixels.
    kept = alive[chosen.components]
    return Dictionary(*(part[kept] for part in chosen)), beta


def kmeans_assignments(z: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of the latent samples, in the form of assignments and means.

    With them :func:`centroid_and_farthest` is the dictionary that stands where the density
    estimation stood (Table 1, scenario B).

    Args:
        z: latent samples ``[N, l]``, N ≥ ``count``.
        count: number of clusters, k.
        seed: of the ten k-means++ starts, of which the best is kept.

    Returns:
        Assignments 0 or 1 ``[N, k]`` and means ``[k, l]``, float64. Where fewer than k samples
        differ, the clusters that are left have no members and mean 0.
    """
    from sklearn.cluster import KMeans  # of one setting, and slow to import

    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    z = np.asarray(z, np.float64)
    # Threads add partial sums in the order in which they end.
    with one_thread():
        labels = KMeans(count, n_init=10, random_state=state).fit_predict(z)
    assigned = np.zeros((len(z), count))
    assigned[np.arange(len(z)), labels] = 1.0
    return assigned, weighted_means(assigned, z)


def weighted_means(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Means Σᵢ wᵢₖ xᵢ / Σᵢ wᵢₖ ``[k, d]``, float64, as eq. (10); 0 where all weights are."""
    weights = np.asarray(weights, np.float64)
    mass = weights.sum(axis=0)[:, None]
    return np.divide(weights.T @ x, mass, out=np.zeros((len(mass), x.shape[1])), where=mass > 0)


def as_spectra(chosen: Dictionary, x: np.ndarray, weights: np.ndarray) -> Dictionary:
    """The same choice with spectra for atoms: of each pixel its own, of a centroid the mean.

    Args:
        chosen: a dictionary of latent samples.
        x: standardised spectra ``[N, U]`` of the same pixels.
        weights: what the centroids are means by, ``[N, k]``.
    """
    centroid = (chosen.pixels < 0)[:, None]
    means = weighted_means(weights, x) if centroid.any() else np.zeros((weights.shape[1], 1))
    return chosen._replace(atoms=np.where(centroid, means[chosen.components], x[chosen.pixels]))
