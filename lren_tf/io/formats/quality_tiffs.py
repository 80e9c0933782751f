"""Quality layers of products that are TIFFs of their own, known by their names.

EnMAP has one for each flag, and one of classes in which 3 is what lies outside the swath; DESIS one
with a band for each flag; Landsat (collection 2) one whose bits are flags, and bit 0 no data. A
flag is set where a pixel is not to be used, so that as masks they are inverted.

In a layer with one flag, that flag counts. In the others, cloud, cirrus and dilated cloud leave
pixels out by default.

Source: as `lren_tf.io.formats.sidecar_tiff`; USGS LSDS-1618 and LSDS-1619, Landsat Collection 2
Level 2 Science Product Guides, `QA_PIXEL`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, partial

import numpy as np

from lren_tf.io.base.failures import damaged
from lren_tf.io.base.quality import flagged_text, unflagged
from lren_tf.io.base.scaling import Reading
from lren_tf.io.base.source import Source
from lren_tf.io.formats.sidecar_tiff import DESIS_FLAGS, ENMAP_FLAGS, ENMAP_OUTSIDE
from lren_tf.io.formats.tiff import TiffReader

USUAL = ("cloud", "cirrus", "dilated-cloud")
"""The flags that leave pixels out unless the caller names others."""

_ENMAP = re.compile(
    r"ENMAP01-.*-QL_QUALITY_(?P<layer>\w+?)(?:_COG)?\.tiff?", re.IGNORECASE
)
_DESIS = re.compile(r"DESIS-HSI-.*-QL_QUALITY-2(?:_COG)?\.tiff?", re.IGNORECASE)
_LANDSAT = re.compile(r"L[CETMO]\d\d_.*_QA_PIXEL\.tiff?", re.IGNORECASE)
_LANDSAT_FLAGS = {
    "dilated-cloud": 1, "cirrus": 2, "cloud": 3, "cloud-shadow": 4, "snow": 5, "water": 7,
}  # fmt: skip
_LANDSAT_FILL = 0
_CLASSES = "CLASSES"
_LAYERS = {name: flag for flag, name in ENMAP_FLAGS.items()}


class QualityTiffReader(TiffReader):
    """A quality layer of EnMAP, DESIS or Landsat; for all but a mask an ordinary TIFF."""

    @classmethod
    def recognises(cls, source: Source) -> bool:
        if source.stream is None:
            return False
        name = source.path.name
        enmap = _ENMAP.fullmatch(name)
        known = enmap is not None and enmap["layer"].upper() in (*_LAYERS, _CLASSES)
        return known or any(pattern.fullmatch(name) for pattern in (_DESIS, _LANDSAT))

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        if _DESIS.fullmatch(self.file.name):
            self.flags = tuple(DESIS_FLAGS)
        elif _LANDSAT.fullmatch(self.file.name):
            self.flags = tuple(_LANDSAT_FLAGS)

    def mask(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str]:
        """Pixels without a chosen flag; of a layer of one flag, whatever `flags` are."""
        enmap = _ENMAP.fullmatch(self.file.name)
        if enmap is not None:
            return self._of_one(enmap["layer"].upper())
        if _DESIS.fullmatch(self.file.name):
            return self._of_bands(flags)
        return self._of_bits(flags)

    @cached_property
    def _values(self) -> np.ndarray:
        """[H, W, bands] as stored."""
        values = self.read(self.variables[0].name, Reading(raw=True))
        return values.reshape(*values.shape[:2], -1)

    def _of_one(self, layer: str) -> tuple[np.ndarray, str]:
        outside = layer == _CLASSES
        flag = "outside the swath" if outside else _LAYERS[layer]
        stored = self._values[:, :, 0]
        flagged = stored == ENMAP_OUTSIDE if outside else stored > 0
        return ~flagged, flagged_text(self.file, (flag,), (flag,), float(flagged.mean()))

    def _of_bands(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str]:
        bands = self._values.shape[2]
        if bands < max(map(max, DESIS_FLAGS.values())):
            raise damaged(self.file, "quality layer", f"it has {bands} bands", "all its bands")
        calls: dict[str, Callable[[], np.ndarray]] = {
            flag: partial(_any_set, self._values, at) for flag, at in DESIS_FLAGS.items()
        }
        valid, text = unflagged(self.file, calls, USUAL, flags)
        return np.ones(self._values.shape[:2], bool) if valid is None else valid, text

    def _of_bits(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str]:
        stored = self._values[:, :, 0]
        if stored.dtype.kind not in "iu":
            raise damaged(self.file, "quality layer", f"it holds {stored.dtype}", "whole numbers")
        calls: dict[str, Callable[[], np.ndarray]] = {
            flag: partial(_bit, stored, at) for flag, at in _LANDSAT_FLAGS.items()
        }
        valid, text = unflagged(self.file, calls, USUAL, flags)
        measured = ~_bit(stored, _LANDSAT_FILL)
        if valid is not None:
            measured = np.logical_and(measured, valid)
        return measured, text


def _any_set(values: np.ndarray, bands: tuple[int, ...]) -> np.ndarray:
    return np.asarray((values[:, :, [band - 1 for band in bands]] > 0).any(axis=2))


def _bit(values: np.ndarray, at: int) -> np.ndarray:
    return np.not_equal(values & (1 << at), 0)
