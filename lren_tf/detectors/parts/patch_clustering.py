"""k-means of square windows under the image-patch distance.

The distance of two windows P and Q with pixels p_k and q_k at the positions k is::

    d(P, Q) = Σ_k max( min_q ‖p_k − q‖, min_p ‖p − q_k‖ )

so a structure may move inside the window without the windows becoming distant. As the
windows of an image share their pixels, every ‖p − q‖ is computed once per pixel and position
of a centre, not once per window, and the two minima are a minimum over a few columns and a
minimum over the window's members.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def window_members(height: int, width: int, window: int) -> Indices:
    """Pixel indices [H·W, window²] of the window around every pixel, both row after row.

    Beyond the border the image is mirrored without repeating the border itself. Every
    window's own pixel is in the middle column, window² // 2.
    """
    index = np.arange(height * width).reshape(height, width)
    padded = np.pad(index, window // 2, mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
    return views.reshape(height * width, window * window)


def patch_distances(features: Floats, members: Indices, centres: Floats) -> Floats:
    """Image-patch distances [n, C] of n windows to C centres.

    Args:
        features: pixels [N, d].
        members: pixel indices [n, K] of the windows.
        centres: [C, K, d].
    """
    count, positions, d = centres.shape
    apart = cdist(features, centres.reshape(-1, d)).reshape(-1, count, positions)
    pixel_to_centre = apart.min(axis=2)
    centre_to_window = apart[members[:, 0]]
    for member in members.T[1:]:
        np.minimum(centre_to_window, apart[member], out=centre_to_window)
    total = np.zeros((len(members), count))
    for k, member in enumerate(members.T):
        total += np.maximum(pixel_to_centre[member], centre_to_window[:, :, k])
    return total


def cluster_windows(
    features: Floats,
    members: Indices,
    clusters: int,
    rng: np.random.Generator | None,
    *,
    smallest: int = 2,
    max_iterations: int = 50,
    steady: float = 0.1,
) -> Indices:
    """Labels [n] of n windows, 0, 1, …, without gaps; at most `clusters` different ones.

    Centres start at windows drawn without replacement or, where `rng` is None, at those evenly
    spaced in the order of the first feature of their own pixels. They move to the mean of their
    windows, position by position. A cluster with fewer than `smallest` windows is dissolved
    for good, its windows go to the nearest centre left. The iteration ends when no label
    changes, or when ‖(d_1, …, d_n)‖₂, d_i being window i's distance to its centre, changes
    by less than `steady`, or after `max_iterations`.
    """
    if rng is None:
        order = np.argsort(features[members[:, members.shape[1] // 2], 0], kind="stable")
        first = order[(2 * np.arange(clusters) + 1) * len(members) // (2 * clusters)]
    else:
        first = rng.choice(len(members), clusters, replace=False)
    centres = features[members[first]]
    labels, spread = np.full(len(members), -1), np.inf
    for _ in range(max_iterations):
        distances = patch_distances(features, members, centres)
        new, kept = _assign(distances, smallest)
        new_spread = float(np.linalg.norm(distances[:, kept].min(axis=1)))
        centres = _means(features, members, new, len(kept))
        finished = np.array_equal(new, labels) or abs(new_spread - spread) < steady
        labels, spread = new, new_spread
        if finished:
            break
    return labels


def _assign(distances: Floats, smallest: int) -> tuple[Indices, Indices]:
    """Labels [n] among the columns of `distances` [n, C] that are kept, and those columns.

    The smallest cluster goes first, since its windows may rescue another one.
    """
    kept = np.arange(distances.shape[1])
    while True:
        labels = distances[:, kept].argmin(axis=1)
        sizes = np.bincount(labels, minlength=len(kept))
        if sizes.min() >= smallest or len(kept) == 1:
            return labels, kept
        kept = np.delete(kept, sizes.argmin())


def _means(features: Floats, members: Indices, labels: Indices, count: int) -> Floats:
    """Mean window [C, K, d] of every cluster."""
    belongs = (labels == np.arange(count)[:, None]).astype(np.float64)
    belongs /= belongs.sum(axis=1, keepdims=True)
    return np.stack([belongs @ features[member] for member in members.T], axis=1)
