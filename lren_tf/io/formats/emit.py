"""EMIT (NASA, International Space Station), level 2A reflectance and level 1B radiance, netCDF-4.

The cube is left in sensor geometry (down-track × cross-track × bands): an anomaly detector
wants each spectrum once and next to its real neighbours, while the map grid repeats some and
turns all. The positions of the pixels (`location/lon`, `location/lat`) and the geometry lookup
table (`location/glt_x`, `location/glt_y`) are kept in the georeference, and
`LookupTable.orthorectified` lays a finished map out on the map grid. The mask file of the granule
is used if it is in the same folder (`lren_tf.io.formats.emit_mask`).

Source: EMIT L2A algorithm and user guides, LP DAAC, collection EMITL2ARFL.001.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference, LookupTable
from lren_tf.io.base.cf_grid import Place
from lren_tf.io.base.hdf5_attributes import attribute
from lren_tf.io.base.hdf5_nodes import array_at, values
from lren_tf.io.base.metadata import Details, in_nanometres
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.formats.emit_mask import flags_of, mask_beside, masked_by
from lren_tf.io.formats.hdf5 import Hdf5Reader

_FILL = -9999.0
_BANDS = "sensor_band_parameters"


class EmitReader(Hdf5Reader):
    """A granule: its arrays by path, and what is known of one with the bands of its table."""

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return cls.holds(source, f"{_BANDS}/wavelengths")

    @classmethod
    def beside(cls, source: Source) -> list[Path]:
        found = mask_beside(source.path)
        return [] if found is None else [found]

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._mask = mask_beside(self.file)
        self.flags = () if self._mask is None else flags_of(self._mask)

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """Fill value, wavelengths, bands not affected by water vapour, and georeference.

        Raises:
            InputError: also when a table does not fit the cube.
        """
        general = super().details(name, how)
        with self.library():
            node = self.node(name)
            if not _has_bands_of_emit(self.hdf, node.shape):
                return general
            known = _details(self.hdf, node)
        valid, said = self._masked(node.shape[:2], how)
        scaled = bool(general.reading) and not how.raw
        no_data = sorted({float(value) for value in (_FILL, *general.no_data)})
        return replace(
            known,
            no_data=() if scaled else tuple(no_data),
            filled=general.filled,
            reading=(*general.reading, said) if said else general.reading,
            acquired=general.acquired,
            georeference=general.georeference,
            valid=valid,
        )

    def _masked(self, grid: tuple[int, ...], how: Reading) -> tuple[np.ndarray | None, str]:
        """Return the flags of the mask file beside the granule for a cube of rows × columns."""
        if self._mask is None or not self.flags:
            return None, ""
        valid, said = masked_by(self._mask, how.flags)
        if valid.shape != grid:
            warnings.warn(
                f"{self._mask.name} masks {valid.shape[0]} × {valid.shape[1]} pixels, and "
                f"{self.file.name} has {grid[0]} × {grid[1]}: it is not used.",
                stacklevel=4,
            )
            return None, ""
        return valid, said

    def place(self, node: h5py.Dataset) -> Place:
        """Positions and lookup table of a cube; of any other array as in other files."""
        if not _has_bands_of_emit(self.hdf, node.shape):
            return super().place(node)
        return Place(_georeference(self.hdf, node.shape[:2]))


def _has_bands_of_emit(hdf: h5py.File, shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape is a cube of EMIT's, by its table of bands.

    Other products keep a table of that name for bands on another axis, or for another array.
    """
    listed = array_at(hdf, f"{_BANDS}/wavelengths")
    if listed is None or len(shape) != 3:
        return False
    more = (f"{_BANDS}/good_wavelengths", "location/glt_x")
    fits_none = not set(listed.shape) & set(shape)
    return listed.shape == shape[2:] or (
        fits_none and any(array_at(hdf, name) is not None for name in more)
    )


def _details(hdf: h5py.File, node: h5py.Dataset) -> Details:
    """Return the metadata of a cube from the tables of a granule.

    Raises:
        ValueError: a table does not fit it.
    """
    listed = array_at(hdf, f"{_BANDS}/wavelengths")
    # Shapes first, for what declares another one may declare any.
    if listed is None or node.ndim != 3 or listed.shape != node.shape[2:]:
        shape = None if listed is None else listed.shape
        raise ValueError(f"{shape} wavelengths for '{node.name[1:]}' of shape {node.shape}")
    flags = array_at(hdf, f"{_BANDS}/good_wavelengths")
    if flags is not None and flags.shape != listed.shape:
        raise ValueError(f"{flags.shape} flags of bands for {listed.shape} wavelengths")
    return Details(
        good_bands=None if flags is None else np.nan_to_num(values(flags)) != 0,
        wavelengths=in_nanometres(values(listed), "nm"),
    )


def _georeference(hdf: h5py.File, grid: tuple[int, ...]) -> Georeference | None:
    lon, lat, glt_x, glt_y = (
        array_at(hdf, f"location/{name}") for name in ("lon", "lat", "glt_x", "glt_y")
    )
    positions = lookup = None
    if lon is not None and lat is not None and lon.shape == lat.shape == grid:
        positions = np.stack([values(lon), values(lat)], axis=-1).astype(np.float64)
    numbers = attribute(hdf, "geotransform")
    if glt_x is not None and glt_y is not None and numbers is not None:
        # GDAL's order: the corner comes before the steps.
        x, a, b, y, d, e = (float(number) for number in np.asarray(numbers).ravel())
        # Counted from 1, and 0 where there is no pixel; some versions mark cells that were
        # filled from a neighbour by a minus.
        lookup = LookupTable(
            np.abs(values(glt_y).astype(np.int64)) - 1,
            np.abs(values(glt_x).astype(np.int64)) - 1,
            (a, b, x, d, e, y),
        )
    system = attribute(hdf, "spatial_ref")
    if isinstance(system, bytes):
        system = system.decode("utf-8", "replace")
    if positions is None and lookup is None:
        return None
    return Georeference(None if system is None else str(system), None, None, positions, lookup)
