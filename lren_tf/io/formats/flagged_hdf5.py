"""Products in HDF5 whose cube has a known path and flags beside it: Tanager (Planet), PACE OCI.

Both keep uncertainties and the like as further arrays of three axes, which are not the scene. The
order of the axes, wavelengths, scale and place are read as in any other file. Layers of flags of
Tanager are maps of their own, with `nodata_pixels` for what lies outside the strip; those of PACE
are the bits of `l2_flags`, with the names in `flag_meanings`.

Source: Planet, Tanager imagery product specification, `basic` products; NASA OB.DAAC, PACE OCI
level 2 (AOP, SFREFL), and the CF conventions 1.11, section 3.5, for the bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import h5py
import numpy as np

from lren_tf.io.base.hdf5_attributes import attributes
from lren_tf.io.base.hdf5_nodes import array_at, values
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.quality import unflagged
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.formats.hdf5 import Hdf5Reader

_TANAGER = tuple(f"HDFEOS/{kind}/HYP/Data Fields" for kind in ("SWATHS", "GRIDS"))
_TANAGER_CUBES = ("surface_reflectance", "toa_radiance")
_TANAGER_FLAGS = {"cloud": "beta_cloud_mask", "cirrus": "beta_cirrus_mask"}
_PACE_CUBES = ("geophysical_data/Rrs", "geophysical_data/rhos")
_PACE_FLAGS = "geophysical_data/l2_flags"


class FlaggedReader(Hdf5Reader):
    """A product with one cube and flags; subclasses say where they are.

    The other arrays of three axes are not listed.
    """

    usual: tuple[str, ...] = ()

    @classmethod
    def cube_path(cls, source: Source) -> str | None:
        """The path of the cube in a file of the product; None in any other file."""
        return None

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return cls.cube_path(source) is not None

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._cube = self.cube_path(source)
        self.variables = [v for v in self.variables if len(v.shape) != 3 or v.name == self._cube]
        with self.library():
            self._flags = self.found_flags()
        self.flags = tuple(self._flags)

    def found_flags(self) -> dict[str, Callable[[], np.ndarray]]:
        """Names of flags, and calls that read their pixels [H, W] bool."""
        return {}

    def outside(self) -> np.ndarray | None:
        """[H, W] bool, True on pixels that were not measured; None where nothing says so."""
        return None

    def good_bands(self, node: h5py.Dataset) -> np.ndarray | None:
        """[B] bool, False on bands listed as bad; None where none is listed."""
        return None

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        found = super().details(name, how)
        if name != self._cube:
            return found
        with self.library():
            valid, text = unflagged(self.file, self._flags, self.usual, how.flags)
            outside, good = self.outside(), self.good_bands(self.node(name))
        if outside is not None:
            valid = ~outside if valid is None else valid & ~outside
        reading = (*found.reading, text) if text else found.reading
        return replace(found, valid=valid, good_bands=good, reading=reading)

    def layer(self, path: str) -> h5py.Dataset | None:
        """A layer of the rows and columns of the cube, None where there is none.

        Raises:
            ValueError: it has another size.
        """
        found = array_at(self.hdf, path)
        assert self._cube is not None
        shape = self.node(self._cube).shape
        if found is not None and found.shape not in (shape[1:], shape[:2]):
            raise ValueError(f"'{path}' is {found.shape}, the cube {shape}")
        return found


class TanagerReader(FlaggedReader):
    """Radiance or reflectance of Tanager, bands first."""

    usual = ("cloud", "cirrus")

    @classmethod
    def cube_path(cls, source: Source) -> str | None:
        paths = [f"{fields}/{name}" for fields in _TANAGER for name in _TANAGER_CUBES]
        return next((path for path in paths if cls.holds(source, path)), None)

    def found_flags(self) -> dict[str, Callable[[], np.ndarray]]:
        layers = {flag: self._beside(name) for flag, name in _TANAGER_FLAGS.items()}
        return {flag: partial(_above_0, node) for flag, node in layers.items() if node is not None}

    def outside(self) -> np.ndarray | None:
        layer = self._beside("nodata_pixels")
        return None if layer is None else values(layer) > 0

    def good_bands(self, node: h5py.Dataset) -> np.ndarray | None:
        listed = dict(attributes(node)).get("good_wavelengths")
        if listed is None:
            return None
        good = np.asarray(listed).ravel() != 0
        # The bands come first, as the names of the product's fields say.
        if good.shape != node.shape[:1]:
            raise ValueError(f"{good.size} flags of bands for a cube of shape {node.shape}")
        return good

    def _beside(self, name: str) -> h5py.Dataset | None:
        assert self._cube is not None
        return self.layer(f"{self._cube.rpartition('/')[0]}/{name}")


class PaceReader(FlaggedReader):
    """Reflectances of PACE OCI, level 2."""

    usual = ("cldice", "atmfail", "navfail")

    @classmethod
    def cube_path(cls, source: Source) -> str | None:
        if not cls.holds(source, "sensor_band_parameters/wavelength_3d"):
            return None
        return next((path for path in _PACE_CUBES if cls.holds(source, path)), None)

    def found_flags(self) -> dict[str, Callable[[], np.ndarray]]:
        layer = self.layer(_PACE_FLAGS)
        if layer is None:
            return {}
        said = dict(attributes(layer))
        text = said.get("flag_meanings", "")
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        meanings = [name.lower() for name in text.split()]
        masks = np.asarray(said.get("flag_masks", []))
        if masks.dtype.kind not in "iu" or masks.size != len(meanings):
            masks = 1 << np.arange(len(meanings), dtype=np.int64)
        return {
            name: partial(_bits, layer, int(bits))
            for name, bits in zip(meanings, masks.ravel().tolist(), strict=True)
            if name != "spare"
        }


def _above_0(layer: h5py.Dataset) -> np.ndarray:
    return values(layer) > 0


def _bits(layer: h5py.Dataset, bits: int) -> np.ndarray:
    # The highest bit makes a signed number negative.
    return (values(layer).astype(np.int64) & (bits & 0xFFFFFFFF)) != 0
