"""Reconstruction by dilation outside graphs, in NumPy: sweeps, then only pixels that still change.

Vincent (1993) calls this a hybrid algorithm. A round of sweeps takes a map down, up, to the right
and to the left, as :mod:`lren_tf.evidence.structure` does in a graph, and leaves little to do: a
queue then follows the pixels that still change. If the queue gets long, another round of sweeps is
faster, since a sweep carries a value along a whole line at once; queue and sweeps alternate until
nothing changes. The result is a fixed point, which does not depend on the order of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lren_tf.runtime.threads import map_in_threads

_TOGETHER = 1 << 18
"""Pixels that are worked on at once, at least a map: of small maps several."""
_SMALL_SHARE = 0.1
"""Share of the pixels that may still change when the queue takes over from the sweeps."""
_WAVES = 200
"""Steps of the queue before another round of sweeps: they take about as long as one."""

Array = npt.NDArray[np.float64]


def reconstructed(marker: Array, mask: Array) -> Array:
    """Return the reconstruction by dilation of maps with a 3 × 3 square.

    Args:
        marker: ``[H, W, C]``, nowhere above the mask.
        mask: ``[H, W, C]``.
    """
    height, width, count = marker.shape
    out = np.empty_like(marker)
    together = max(1, _TOGETHER // (height * width))

    def some(first: int) -> None:
        part = np.s_[..., first : first + together]
        out[part] = _Maps(marker[part], mask[part]).grown()

    for _ in map_in_threads(some, range(0, count, together)):
        pass
    return out


class _Maps:
    """Maps that grow, as ``[C, H + 2, W + 2]`` with a margin that nothing grows into.

    Args:
        marker, mask: see `reconstructed`.
    """

    def __init__(self, marker: Array, mask: Array) -> None:
        self._values, self._mask = _with_margin(marker), _with_margin(mask)
        # Lines are rows of an array: columns need another one.
        self._mask_of_columns = self._mask.transpose(0, 2, 1).copy()

    def grown(self) -> Array:
        """Return the maps when nothing changes any more, ``[H, W, C]``."""
        changing = self._swept()
        while len(changing):
            if len(changing) <= _SMALL_SHARE * self._values.size:
                changing = self._followed(changing)
                if not len(changing):
                    break
            changing = self._swept()
        return self._values[:, 1:-1, 1:-1].transpose(1, 2, 0)

    def _swept(self) -> npt.NDArray[np.intp]:
        """Make a round of sweeps; returns the places of the pixels that it has changed."""
        before = self._values.copy()
        _sweep(self._values, self._mask)
        columns = self._values.transpose(0, 2, 1).copy()
        _sweep(columns, self._mask_of_columns)
        self._values = columns.transpose(0, 2, 1).copy()
        return np.flatnonzero(self._values != before)

    def _followed(self, changed: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Carry changes on from pixel to pixel; returns the places that changed last."""
        values, mask = self._values.reshape(-1), self._mask.reshape(-1)
        row = self._values.shape[2]
        around = [down + right for down in (-row, 0, row) for right in (-1, 0, 1) if down or right]
        number = np.empty(values.size, np.int32)
        for _ in range(_WAVES):
            waiting = []
            own = values[changed]
            for step in around:
                place = changed + step
                new = np.minimum(own, mask[place])
                higher = new > values[place]
                place = place[higher]
                values[place] = new[higher]
                waiting.append(place)
            changed = _once(np.concatenate(waiting), number)
            if not len(changed):
                break
        return changed


def _with_margin(maps: Array) -> Array:
    return np.pad(maps.transpose(2, 0, 1), [(0, 0), (1, 1), (1, 1)], constant_values=-np.inf)


def _once(places: npt.NDArray[np.intp], number: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Return places without repetitions; `number` is room for a number at every place."""
    own = np.arange(len(places), dtype=np.int32)
    number[places] = own
    return places[number[places] == own]


def _sweep(values: Array, mask: Array) -> None:
    """Carry values to the next line and back, within the mask, to a pixel and its neighbours."""
    count, height, width = values.shape
    carried, inner = np.empty((count, width - 2)), np.s_[:, 1:-1]
    for lines in (range(1, height - 1), range(height - 2, 0, -1)):
        last: Sequence[Array] = ()
        for line in lines:
            own = values[:, line][inner]
            if len(last):
                np.maximum(last[0], last[1], out=carried)
                np.maximum(carried, last[2], out=carried)
                np.maximum(carried, own, out=carried)
                np.minimum(carried, mask[:, line][inner], out=own)
            whole = values[:, line]
            last = (whole[:, :-2], whole[inner], whole[:, 2:])
