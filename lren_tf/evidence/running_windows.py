"""Distances to the surroundings with running sums of windows, row after row in NumPy.

The formula, its constants and a form of it for graphs are in :mod:`lren_tf.evidence.surroundings`.
This form is several times as fast: the sums of a row of windows are those of the row above, with
one row of pixels more and one less; and pixels lie along the last axis of every array, so that a
whole block of them is factored at once. Strips of rows are processed in parallel. Their height
does not depend on the number of threads, so the result does not either.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lren_tf.runtime.threads import map_in_threads

_ROWS = 64
"""Rows of a strip. Each strip begins its sums anew: what rounding leaves in them stays small."""
_PIXELS = 1024
"""Pixels whose covariances are factored together, at least a row: 1.5 MB with 18 features."""
_SUMS = 1 << 15
"""Sums of columns that are added up along a row together: their partial sums stay in the cache."""

Array = npt.NDArray[np.float64]


def window_distances(
    features: Array, weights: Array, scale: tuple[Array, Array], prior: Array,
    *, radius: int, ridge: float,
) -> Array:  # fmt: skip
    """Return (z − m)ᵀ (C + ridge · I)⁻¹ (z − m) of every pixel, ``[H, W]``.

    Args:
        features: ``[H, W, d]``, finite.
        weights: ``[H, W]``, 0 or 1.
        scale: mean and standard deviation ``[d]`` by which the features become z.
        prior: ``[1 + d + d (d + 1) / 2]``, added to the sums of every window: number of pixels,
            sums of z, and of its products, the upper triangle row after row.
        radius: of the window of 2 · radius + 1 pixels, which the image clips.
        ridge: added to the diagonal of C.
    """
    height, width, _ = features.shape
    out = np.empty((height, width))
    together = max(1, _PIXELS // width)

    def strip(top: int) -> None:
        bottom = min(top + _ROWS, height)
        first, last = max(top - radius, 0), min(bottom + radius, height)
        mean, spread = scale
        # Features of a row as [d, W].
        z = np.ascontiguousarray(((features[first:last] - mean) / spread).transpose(0, 2, 1))
        columns = _ColumnSums(z.shape[1], width, radius)
        below, above = first, first
        # Taken once: pages that are new for every block would cost as much as the sums.
        all_sums = np.empty((len(prior), together, width))
        elimination = _Elimination(z.shape[1], (together, width))
        for start in range(top, bottom, together):
            rows = range(start, min(start + together, bottom))
            sums = all_sums[:, : len(rows)]
            for row in rows:
                while below < min(row + radius + 1, height):
                    columns.add(z[below - first], weights[below])
                    below += 1
                while above < row - radius:
                    columns.remove(z[above - first], weights[above])
                    above += 1
                columns.window_sums(sums[:, row - start])
            sums += prior[:, None, None]
            own = z[rows.start - first : rows.stop - first].transpose(1, 0, 2)
            elimination.distances(own, sums, ridge, out[rows.start : rows.stop])

    for _ in map_in_threads(strip, range(0, height, _ROWS)):
        pass
    return out


class _ColumnSums:
    """Sums over the rows of the windows around a row of pixels.

    Args:
        d, width: number of features, and of pixels in a row.
        radius: see `window_distances`.
    """

    def __init__(self, d: int, width: int, radius: int) -> None:
        self._d, self._radius = d, radius
        # With a margin of zeros: windows are clipped at the border.
        self._all = np.zeros((1 + d + d * (d + 1) // 2, width + 2 * radius))
        self._sums = self._all[:, radius : radius + width]
        self._products = np.empty((d, width))

    def add(self, z: Array, weights: Array) -> None:
        """Add a row of features ``[d, W]`` with weights ``[W]``."""
        self._accumulate(np.add, z, weights)

    def remove(self, z: Array, weights: Array) -> None:
        """Take away a row that was added."""
        self._accumulate(np.subtract, z, weights)

    def _accumulate(self, operation: np.ufunc, z: Array, weights: Array) -> None:
        d, sums = self._d, self._sums
        weighted = z * weights
        operation(sums[0], weights, out=sums[0])
        operation(sums[1 : 1 + d], weighted, out=sums[1 : 1 + d])
        at = 1 + d
        for i in range(d):
            products = np.multiply(weighted[i], z[i:], out=self._products[: d - i])
            to = sums[at : at + d - i]
            operation(to, products, out=to)
            at += d - i

    def window_sums(self, out: Array) -> None:
        """Write the sums over whole windows to `out`, ``[1 + d + d (d + 1) / 2, W]``."""
        together = max(1, _SUMS // self._all.shape[1])
        for first in range(0, len(out), together):
            some = slice(first, first + together)
            _sums_of_neighbours(self._all[some], 2 * self._radius + 1, out[some])


def _sums_of_neighbours(values: Array, count: int, out: Array) -> None:
    """Write sums of `count` values next to each other, ``[c, m − count + 1]`` of ``[c, m]``.

    From sums of 2, 4, 8, … values: no difference of large sums, which would cost digits.
    """
    length = out.shape[1]
    total: Array | None = None
    power, at, power_sums = 1, 0, values
    while True:
        if count & power:
            part = power_sums[:, at : at + length]
            total = part if total is None else np.add(total, part, out=out)
            at += power
        if 2 * power > count:
            if total is not out:  # a single sum, of a power of two
                out[...] = total
            return
        power_sums = power_sums[:, :-power] + power_sums[:, power:]
        power *= 2


class _Elimination:
    """Elimination of many small matrices together, with room for all of their numbers.

    Args:
        d: number of features.
        shape: of the largest block of pixels.
    """

    def __init__(self, d: int, shape: tuple[int, int]) -> None:
        self._d = d
        self._rows = [np.empty((d - i + 1, *shape)) for i in range(d)]
        self._factors, self._products = np.empty((d + 1, *shape)), np.empty((d + 1, *shape))

    def distances(self, z: Array, sums: Array, ridge: float, out: Array) -> None:
        """Write distances to `out`, ``[r, W]``, of features under sums, which change.

        C = L D Lᵀ: the rows of the upper triangle hold D Lᵀ in the end, and the number after each
        of them D L⁻¹ (z − m).

        Args:
            z: ``[d, r, W]``.
            sums: ``[1 + d + d (d + 1) / 2, r, W]``.
            ridge: added to the diagonal of C.
            out: the distances.
        """
        d = self._d
        some = slice(z.shape[1])
        factors, products = self._factors[:, some], self._products[:, some]
        sums[1:] *= 1.0 / sums[0]
        mean = sums[1 : 1 + d]
        rows = [row[:, some] for row in self._rows]
        at = 1 + d
        for i, row in enumerate(rows):
            np.multiply(mean[i], mean[i:], out=row[:-1])
            np.subtract(sums[at : at + d - i], row[:-1], out=row[:-1])
            row[0] += ridge
            np.subtract(z[i], mean[i], out=row[-1])
            at += d - i
        out[...] = 0.0
        for k, row in enumerate(rows):
            factor = np.multiply(row, 1.0 / row[0], out=factors[: d - k + 1])
            out += np.multiply(factor[-1], row[-1], out=products[0])
            for i in range(k + 1, d):
                taken = np.multiply(factor[i - k], row[i - k :], out=products[: d - i + 1])
                np.subtract(rows[i], taken, out=rows[i])
