"""PRISMA (Italian Space Agency), levels 1, 2B, 2C and 2D, HDF-EOS5.

Two spectrometers, stored as rows × bands × columns with the longest wavelength first, in
16-bit numbers. They are joined into one cube [H, W, B] of float32 radiances (levels 1 and 2B) or
reflectances (2C and 2D) with wavelengths rising, both spectrometers kept where they overlap (about
920 to 1010 nm). Bands without a wavelength were not measured and are left out. A pixel whose
numbers are all 0 lies outside the acquired swath and is NaN: a single 0 is a value that was cut
off. Of level 1 the co-registered cubes are read (`PRS_L1_HCO`).

The error matrices give each value a code. What is defective or no number is NaN; saturated and
negative values are measurements that end at a limit, and count unless the caller names their flag.
Level 1 has a cloud mask and one of sun glint besides.

Only level 2D lies on a grid. Its corners are read as the centres or as the outer edges of the
outermost pixels, whichever gives pixels nearer to 30 m; public readers disagree about it by half a
pixel. The other levels have a latitude and a longitude for every pixel.

Source: PRISMA Products Specification Document, issue 2.3, 2020, ASI; for the codes of the error
matrices also the PRISMA reader of ESA SNAP.
"""

from __future__ import annotations

from typing import NamedTuple

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base import large_array
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_attributes import attribute, attributes
from lren_tf.io.base.hdf5_nodes import array_at, check_readable, values
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.quality import chosen_flags
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, check_declared_size
from lren_tf.io.formats.hdf5 import Hdf5Reader

NAME = "VNIR_Cube and SWIR_Cube"
"""Name of the joint cube."""

USUAL = ("defective", "not-finite", "invalid", "cloud")
"""The flags that leave values and pixels out unless the caller names others."""

_LEVELS = ("L2D", "L2C", "L2B", "L1")
_PARTS = ("Vnir", "Swir")
_LARGEST = 65535.0
_PIXEL_METRES = 30.0
_CORNERS = tuple(
    f"Product_{name}"
    for name in (
        "ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing",
    )
)  # fmt: skip
# The matrices of codes, and what the codes of a value mean.
_ERRORS = {
    "L1": ("PIXEL_SAT_ERR_MATRIX",
           {"defective": 1, "saturated": 2, "low-confidence": 3, "not-finite": 4}),
    "L2": ("PIXEL_L2_ERR_MATRIX", {"invalid": 1, "negative": 2, "saturated": 3}),
}  # fmt: skip
# Layers of level 1 that are 1 where a pixel is so.
_LAYERS = {"cloud": "Cloud_Mask", "sun-glint": "SunGlint_Mask"}


class PrismaReader(Hdf5Reader):
    """A product: the joint cube and the 2-D layers.

    Raises:
        InputError: also when the two cubes, or their wavelengths, do not fit each other.
    """

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return any(
            cls.holds(source, *(f"{_fields(level)}/{part.upper()}_Cube" for part in _PARTS))
            for level in _LEVELS
        )

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with self.library():
            self._product = _Product(self.hdf)
            self._joint = self._product.joint
        self.flags = self._product.flags
        self.variables = [self._joint, *(v for v in self.variables if len(v.shape) != 3)]

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        if name != NAME:
            return super().read(name, how)
        check_declared_size(self.file, name, self._joint.shape, 4)
        flags = self._flags(how)
        with self.library():
            return self._product.read(flags, how.raw)

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        if name != NAME:
            return super().details(name, how)
        flags = self._flags(how)
        with self.library():
            return self._product.details(flags, how.raw)

    def _flags(self, how: Reading) -> tuple[str, ...]:
        return chosen_flags(self.file, self.flags, USUAL, how.flags)


class _Band(NamedTuple):
    """A band of the joint cube: wavelength, spectrometer, and place in the cube of that."""

    wavelength: float
    part: str
    at: int


class _Product:
    """The two cubes of a product and what belongs to them.

    Raises:
        ValueError, KeyError: the two cubes, or their wavelengths, do not fit each other.
    """

    def __init__(self, hdf: h5py.File) -> None:
        self.hdf = hdf
        self.level = next(
            level for level in _LEVELS if array_at(hdf, f"{_fields(level)}/VNIR_Cube") is not None
        )
        self.bands = self._bands()
        rows, _, columns = self._cube("Vnir").shape
        self.grid = rows, columns
        self.joint = Variable(
            NAME, (*self.grid, len(self.bands)), "float32", True,
            dimensions=("row", "column", "band"),
        )  # fmt: skip

    @property
    def flags(self) -> tuple[str, ...]:
        _, codes = _ERRORS[self.level[:2]]
        of_values = codes if any(self._errors(part) is not None for part in _PARTS) else ()
        return (*of_values, *(flag for flag in _LAYERS if self._layer(flag) is not None))

    def read(self, flags: tuple[str, ...], raw: bool) -> np.ndarray:
        """Values [H, W, B] float32, NaN outside the swath and where a flag is set.

        Raises:
            ValueError, KeyError: also when the numbers of the scale are missing.
        """
        rows, columns, count = self.joint.shape
        out = large_array.empty((rows, columns, count), np.float32)
        outside = np.ones((rows, columns), bool)
        _, known = _ERRORS[self.level[:2]]
        codes = [code for flag, code in known.items() if flag in flags]
        for part in _PARTS:
            cube, errors = self._cube(part), self._errors(part)
            check_readable(cube)
            if codes and errors is not None:
                check_readable(errors)
            gain, offset = (1.0, 0.0) if raw else self._scale(part)
            places = [(at, band.at) for at, band in enumerate(self.bands) if band.part == part]
            # A chunk holds whole rows, and a slice of one band would inflate all of them.
            for row in range(rows):
                numbers = cube[row]
                wrong = None
                if codes and errors is not None:
                    wrong = np.isin(errors[row], codes)
                for at, band in places:
                    outside[row] &= numbers[band] == 0
                    out[row, :, at] = offset + numbers[band] * gain
                    if wrong is not None:
                        out[row, wrong[band], at] = np.nan
        out[outside] = np.nan
        return out

    def details(self, flags: tuple[str, ...], raw: bool) -> Details:
        """Wavelengths, place, time and flagged pixels of the joint cube."""
        place, reading = self._place()
        texts = [self._scale_text(raw)]
        if reading:
            texts.append(reading)
        layers = [flag for flag in flags if flag in _LAYERS]
        valid = None
        for flag in layers:
            found = values(self._layer(flag)) != 1
            valid = found if valid is None else valid & found
        unused = [flag for flag in self.flags if flag not in flags]
        if flags:
            texts.append(f"no data where the product says {', '.join(flags)}")
        if unused:
            texts.append(f"flags not used: {', '.join(unused)}")
        return Details(
            wavelengths=np.array([band.wavelength for band in self.bands]),
            georeference=place,
            acquired=iso_time(dict(attributes(self.hdf)).get("Product_StartTime")),
            valid=valid,
            reading=tuple(texts),
            filled=True,
        )

    def _cube(self, part: str) -> h5py.Dataset:
        cube = array_at(self.hdf, f"{_fields(self.level)}/{part.upper()}_Cube")
        if cube is None:
            raise KeyError(f"{part.upper()}_Cube")
        if cube.ndim != 3 or cube.dtype.kind != "u":
            raise ValueError(f"{part.upper()}_Cube is {cube.ndim}-D {cube.dtype}")
        return cube

    def _errors(self, part: str) -> h5py.Dataset | None:
        """The codes of a spectrometer's values, None where there are none."""
        name, _ = _ERRORS[self.level[:2]]
        found = array_at(self.hdf, f"{_fields(self.level)}/{part.upper()}_{name}")
        if found is not None and (
            found.shape != self._cube(part).shape or found.dtype.kind not in "ui"
        ):
            raise ValueError(f"{name} of {part} is {found.shape} {found.dtype}")
        return found

    def _layer(self, flag: str) -> h5py.Dataset | None:
        found = array_at(self.hdf, f"{_fields(self.level)}/{_LAYERS[flag]}")
        if found is not None and found.shape != self.grid:
            raise ValueError(f"{_LAYERS[flag]} is {found.shape}, the cube {self.grid}")
        return found

    def _bands(self) -> list[_Band]:
        """Every measured band, wavelengths rising."""
        found, grids = [], []
        for part in _PARTS:
            shape = self._cube(part).shape
            grids.append((shape[0], shape[2]))
            centres = np.asarray(self._said(f"List_Cw_{part}"), np.float64).ravel()
            if len(centres) != shape[1] or not np.isfinite(centres).all():
                raise ValueError(f"{len(centres)} wavelengths for the {shape[1]} bands of {part}")
            found += [_Band(float(w), part, band) for band, w in enumerate(centres) if w > 0]
        if grids[0] != grids[1]:
            raise ValueError(f"the two cubes have {grids[0]} and {grids[1]} rows and columns")
        return sorted(found)

    def _scale(self, part: str) -> tuple[float, float]:
        """Gain and offset of a spectrometer's numbers."""
        if self.level == "L1":
            factor = self._number(f"ScaleFactor_{part}")
            offset = -self._number(f"Offset_{part}")
            if not (np.isfinite([factor, offset]).all() and factor > 0):
                raise ValueError(f"{part} is to be divided by {factor}, less {-offset}")
            return 1 / factor, offset
        low, high = (self._number(f"L2Scale{part}{end}") for end in ("Min", "Max"))
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError(f"the scale of {part} ends at {low} and {high}")
        return (high - low) / _LARGEST, low

    def _number(self, name: str) -> float:
        """An attribute of the file that is one number."""
        return float(np.asarray(self._said(name), np.float64))

    def _said(self, name: str) -> object:
        """An attribute of the file, which has to be there."""
        value = attribute(self.hdf, name)
        if value is None:
            raise ValueError(f"it has no attribute '{name}'")
        return value

    def _scale_text(self, raw: bool) -> str:
        kind = "radiances" if self.level in ("L1", "L2B") else "reflectances"
        if raw:
            return "numbers as they are stored, not scaled (--raw)"
        return f"{kind} of level {self.level[1:]}, by the scale of each spectrometer"

    def _place(self) -> tuple[Georeference | None, str]:
        """Return the georeference, and by which reading of the product."""
        if self.level == "L2D" and all(name in self.hdf.attrs for name in _CORNERS):
            return self._grid()
        positions = self._positions()
        if positions is None:
            return None, ""
        # Not written into the product, and used throughout: WGS 84.
        place = Georeference(wkt_of_epsg(4326), positions=positions)
        return place, "positions of its pixels from latitudes and longitudes"

    def _grid(self) -> tuple[Georeference, str]:
        left, top, right, bottom = (self._number(name) for name in _CORNERS)
        rows, columns = self.grid
        wide, left, centres = _step(left, right, columns)
        high, top, _ = _step(top, bottom, rows)
        crs = None
        if "Epsg_Code" in self.hdf.attrs:
            code = int(self._number("Epsg_Code"))
            crs = wkt_of_epsg(code) or f"EPSG:{code}"
        what = "centres" if centres else "outer edges"
        return Georeference(crs, (wide, 0.0, left, 0.0, high, top)), (
            f"corners of the product as {what} of the outermost pixels (the specification leaves "
            f"it open, and readers disagree by half a pixel, {abs(wide) / 2:g} m)"
        )

    def _positions(self) -> np.ndarray | None:
        """Longitude and latitude [H, W, 2] of every pixel; None where they are not there."""
        path = f"HDFEOS/SWATHS/PRS_{self.level}_HCO/Geolocation Fields"
        # The co-registered cubes of level 1 follow the VNIR spectrometer.
        for end in ("", "_VNIR"):
            pair = [array_at(self.hdf, f"{path}/{name}{end}") for name in ("Longitude", "Latitude")]
            if all(one is not None and one.shape == self.grid for one in pair):
                x, y = (values(one).astype(np.float64) for one in pair)
                break
        else:
            return None
        none = ~(np.isfinite(x) & np.isfinite(y)) | (np.abs(y) > 90) | (np.abs(x) > 360)
        if none.all():
            return None
        x[none] = y[none] = np.nan
        return np.stack([x, y], axis=-1)


def _fields(level: str) -> str:
    return f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"


def _step(first: float, last: float, count: int) -> tuple[float, float, bool]:
    """Size of a pixel, the outer edge of the first, and whether corners are centres of pixels.

    The specification leaves open whether a corner is the centre of its pixel or the pixel's own
    corner; the reading is taken that is nearer to pixels of 30 m.
    """
    by_edges = (last - first) / count
    by_centres = (last - first) / max(count - 1, 1)
    if abs(abs(by_edges) - _PIXEL_METRES) < abs(abs(by_centres) - _PIXEL_METRES):
        return by_edges, first, False
    return by_centres, first - by_centres / 2, True
