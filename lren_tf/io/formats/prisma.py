"""PRISMA (Italian Space Agency), level 2D reflectance, HDF-EOS5.

Two spectrometers, stored as rows × bands × columns with the longest wavelength first, in
16-bit numbers. They are joined into one cube [H, W, B] of float32 reflectances with wavelengths
rising, both spectrometers kept where they overlap (about 920 to 1010 nm). Bands without a
wavelength were not measured and are left out. A pixel whose numbers are all 0 lies outside the
acquired swath and is NaN: a single 0 is a reflectance that was cut off. The error matrices are
not read.

Source: PRISMA Products Specification Document, issue 2.3, 2020, ASI.
"""

from __future__ import annotations

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_nodes import array_at, check_readable
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, check_declared_size
from lren_tf.io.formats.hdf5 import Hdf5Reader

NAME = "VNIR_Cube and SWIR_Cube"
"""Name of the joint cube."""

_FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
_PARTS = ("Vnir", "Swir")
_LARGEST = 65535.0
_PIXEL_METRES = 30.0


class PrismaReader(Hdf5Reader):
    """A product of level 2D: the joint cube and the 2-D layers.

    Raises:
        InputError: also when the two cubes, or their wavelengths, do not fit each other.
    """

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return cls.holds(source, *(f"{_FIELDS}/{part.upper()}_Cube" for part in _PARTS))

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with self.library():
            self._joint = _joint(self.hdf)
        self.variables = [self._joint, *(v for v in self.variables if len(v.shape) != 3)]

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        if name != NAME:
            return super().read(name, how)
        check_declared_size(self.file, name, self._joint.shape, 4)
        with self.library():
            return _read_joint(self.hdf)

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        if name != NAME:
            return super().details(name, how)
        with self.library():
            return _details_joint(self.hdf)


def _joint(hdf: h5py.File) -> Variable:
    """The joint cube.

    Raises:
        ValueError, KeyError: the two cubes, or their wavelengths, do not fit each other.
    """
    rows, _, columns = _cube(hdf, "Vnir").shape
    shape = (rows, columns, len(_bands(hdf)))
    return Variable(NAME, shape, "float32", True, dimensions=("row", "column", "band"))


def _read_joint(hdf: h5py.File) -> np.ndarray:
    """Reflectance [H, W, B] float32, NaN outside the swath.

    Raises:
        ValueError, KeyError: as `_joint`; also when the limits of the scale are missing.
    """
    bands = _bands(hdf)
    rows, columns, count = _joint(hdf).shape
    out = np.empty((rows, columns, count), np.float32)
    outside = np.ones((rows, columns), bool)
    for part in _PARTS:
        cube = _cube(hdf, part)
        check_readable(cube)
        low, high = (float(hdf.attrs[f"L2Scale{part}{end}"]) for end in ("Min", "Max"))
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError(f"the scale of {part} ends at {low} and {high}")
        places = [(at, band) for at, (_, owner, band) in enumerate(bands) if owner == part]
        # A chunk holds whole rows, and a slice of one band would inflate all of them.
        for row in range(rows):
            numbers = cube[row]
            for at, band in places:
                outside[row] &= numbers[band] == 0
                out[row, :, at] = low + numbers[band] * ((high - low) / _LARGEST)
    out[outside] = np.nan
    return out


def _details_joint(hdf: h5py.File) -> Details:
    """Wavelengths, place and time of the joint cube."""
    return Details(
        wavelengths=np.array([centre for centre, _, _ in _bands(hdf)]),
        georeference=_georeference(hdf),
        acquired=iso_time(hdf.attrs.get("Product_StartTime")),
    )


def _cube(hdf: h5py.File, part: str) -> h5py.Dataset:
    cube = array_at(hdf, f"{_FIELDS}/{part.upper()}_Cube")
    if cube is None:
        raise KeyError(f"{part.upper()}_Cube")
    if cube.ndim != 3 or cube.dtype.kind != "u":
        raise ValueError(f"{part.upper()}_Cube is {cube.ndim}-D {cube.dtype}")
    return cube


def _bands(hdf: h5py.File) -> list[tuple[float, str, int]]:
    """Wavelength, spectrometer and place in its cube of every measured band, rising."""
    found, grids = [], []
    for part in _PARTS:
        shape = _cube(hdf, part).shape
        grids.append((shape[0], shape[2]))
        centres = np.asarray(hdf.attrs[f"List_Cw_{part}"], np.float64).ravel()
        if len(centres) != shape[1] or not np.isfinite(centres).all():
            raise ValueError(f"{len(centres)} wavelengths for the {shape[1]} bands of {part}")
        found += [(float(w), part, band) for band, w in enumerate(centres) if w > 0]
    if grids[0] != grids[1]:
        raise ValueError(f"the two cubes have {grids[0]} and {grids[1]} rows and columns")
    return sorted(found)


def _georeference(hdf: h5py.File) -> Georeference | None:
    names = ("ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing")
    if not all(f"Product_{name}" in hdf.attrs for name in names):
        return None
    left, top, right, bottom = (float(hdf.attrs[f"Product_{name}"]) for name in names)
    rows, _, columns = _cube(hdf, "Vnir").shape
    wide, left = _step(left, right, columns)
    high, top = _step(top, bottom, rows)
    crs = None
    if "Epsg_Code" in hdf.attrs:
        code = int(hdf.attrs["Epsg_Code"])
        crs = wkt_of_epsg(code) or f"EPSG:{code}"
    return Georeference(crs, (wide, 0.0, left, 0.0, high, top))


def _step(first: float, last: float, count: int) -> tuple[float, float]:
    """Size of a pixel and the outer edge of the first one, from the product's two corners.

    The specification leaves open whether a corner is the centre of its pixel or the pixel's own
    corner; the reading is taken that is nearer to pixels of 30 m.
    """
    by_edges = (last - first) / count
    by_centres = (last - first) / max(count - 1, 1)
    if abs(abs(by_edges) - _PIXEL_METRES) < abs(abs(by_centres) - _PIXEL_METRES):
        return by_edges, first
    return by_centres, first - by_centres / 2
