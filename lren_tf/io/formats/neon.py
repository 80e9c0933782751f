"""NEON AOP reflectance (DP1.30006, DP3.30006), HDF5: one group named for the site, whatever it is.

The cube is rows × columns × bands of whole numbers; `Scale_Factor` and `Data_Ignore_Value` are its
attributes. `Map_Info` is that of ENVI, on a north-up grid. Bands within the windows that the file
lists as absorbed by water vapour are not good ones.

Source: NEON imaging spectrometer HDF5 format (NEON.DOC.003788), NEON tutorials.
"""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.cf_grid import Place
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_attributes import attributes
from lren_tf.io.base.hdf5_nodes import array_at, values
from lren_tf.io.base.metadata import Details, in_nanometres
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.formats.hdf5 import Hdf5Reader

_CUBE = "Reflectance/Reflectance_Data"
_METADATA = "Reflectance/Metadata"
_WINDOW = "Band_Window_"
_LONGEST_TEXT = 1 << 16


class NeonReader(Hdf5Reader):
    """A flight line or a tile of a mosaic."""

    @classmethod
    def recognises(cls, source: Source) -> bool:
        site = _site(source) if cls.holds(source) else None
        return site is not None

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._site = _site(source)
        assert self._site is not None

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        found = super().details(name, how)
        if name != f"{self._site}/{_CUBE}":
            return found
        with self.library():
            good = self._good_bands(self.node(name).shape[-1])
        return replace(found, good_bands=good)

    def place(self, node: h5py.Dataset) -> Place:
        """The grid of an image, from `Map_Info` and the EPSG code."""
        if node.name.strip("/") != f"{self._site}/{_CUBE}":
            return super().place(node)
        system = f"{self._site}/{_METADATA}/Coordinate_System"
        info = [part.strip() for part in self._text(f"{system}/Map_Info").split(",")]
        code = self._text(f"{system}/EPSG Code").strip()
        try:
            column, row, x, y, wide, high = (float(part) for part in info[1:7])
            turned = _rotation(info)
            epsg = int(code)
        except ValueError:
            return Place(problem="a Map_Info that is not understood")
        if not np.isfinite([column, row, x, y, wide, high]).all() or wide <= 0 or high <= 0:
            return Place(problem="a Map_Info that is not understood")
        if turned:
            return Place(problem="a grid that is turned, of which readers disagree")
        if info[0].upper() == "UTM" and not _same_zone(info, epsg):
            return Place(problem=f"a Map_Info of another zone than EPSG:{epsg}")
        # ENVI counts the outer corner of the first pixel as 1, 1.
        left, top = x - (column - 1) * wide, y + (row - 1) * high
        crs = wkt_of_epsg(epsg) or f"EPSG:{epsg}"
        return Place(Georeference(crs, (wide, 0.0, left, 0.0, -high, top)))

    def _text(self, path: str) -> str:
        node = array_at(self.hdf, path)
        if node is None or node.size != 1 or node.dtype.itemsize > _LONGEST_TEXT:
            return ""
        text = np.asarray(values(node)).ravel()[0]
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)

    def _good_bands(self, count: int) -> np.ndarray | None:
        """[B] bool, False on bands within a window of water vapour; None where none is listed."""
        table = array_at(self.hdf, f"{self._site}/{_METADATA}/Spectral_Data/Wavelength")
        if table is None or table.shape != (count,):
            return None
        centres = in_nanometres(values(table), None)
        if centres is None:
            return None
        good = np.ones(count, bool)
        for key, value in attributes(self.hdf[f"{self._site}/Reflectance"]):
            limits = np.asarray(value)
            if key.startswith(_WINDOW) and limits.dtype.kind in "iuf" and limits.size == 2:
                low, high = sorted(limits.astype(np.float64).ravel())
                good &= ~((centres >= low) & (centres <= high))
        return None if good.all() else good


def _site(source: Source) -> str | None:
    """The group that a site is called after."""
    try:
        hdf = source.hdf5
        names = [] if hdf is None else list(hdf)
        found = [name for name in names if array_at(hdf, f"{name}/{_CUBE}") is not None]
    except Exception:  # h5py raises nearly anything on damaged content; who reads it says so
        return None
    return found[0] if len(found) == 1 else None


def _rotation(info: list[str]) -> float:
    """Degrees, which stand behind the unit, with the word or without.

    Raises:
        ValueError: they are no number.
    """
    last = info[-1].lower()
    if len(info) < 12 and not last.startswith("rotation"):
        return 0.0
    return float(last.rpartition("=")[2])


def _same_zone(info: list[str], epsg: int) -> bool:
    """Return whether a UTM zone is that of its code; nothing is concluded of other datums."""
    if epsg // 100 not in (326, 327) or len(info) < 9:
        return True
    south = info[8].lower().startswith("s")
    return info[7].isdigit() and epsg == (32700 if south else 32600) + int(info[7])
