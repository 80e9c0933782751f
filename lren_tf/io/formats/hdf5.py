"""HDF5 and netCDF-4 files in general: whatever holds one cube.

Arrays are named by their path in the file, without the first slash. The only 3-D numeric array is
the cube, and `lren_tf.io.axes` tells the order of its axes. Products that are known
(`lren_tf.io.formats.emit`, `lren_tf.io.formats.prisma`) have readers of their own, made of this.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import h5py
import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.attributes import plain, words
from lren_tf.io.base.cf_grid import Place
from lren_tf.io.base.failures import damaged, failure
from lren_tf.io.base.hdf5_arrays import array_of, details_of
from lren_tf.io.base.hdf5_attributes import attributes
from lren_tf.io.base.hdf5_evidence import attribute_tables, dimension_names, unit_of
from lren_tf.io.base.hdf5_nodes import array_at
from lren_tf.io.base.hdf5_places import place_of
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, listed

_TITLES = ("longname", "standardname", "title", "description")
_MEANINGS, _FLAGS = "flagmeanings", "flags, by its attribute flag_meanings"


class Hdf5Reader(Reader):
    """The arrays of a file, by path.

    A reader of a product is a subclass: `recognises` looks at `source.hdf5`, the constructor may
    replace `variables`, and `read` and `details` know what the general ones cannot.

    Attributes:
        hdf: the open file.

    Raises:
        InputError: not a complete HDF5 file.
    """

    title = "HDF5"
    suffixes = (".nc", ".nc4", ".he5", ".h5", ".hdf5", ".hdf")
    product = True
    what = "HDF5 file"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        if source.hdf5 is None:
            raise failure(self.file, self.what, "its first bytes are not those of HDF5")
        self.hdf: h5py.File = source.hdf5
        with self.library():
            self.variables = self._arrays()

    @classmethod
    def holds(cls, source: Source, *paths: str) -> bool:
        """Return whether a file is HDF5 of this class's suffixes with arrays at these paths."""
        if source.path.suffix.lower() not in cls.suffixes:
            return False
        try:
            hdf = source.hdf5
            return hdf is not None and all(array_at(hdf, path) is not None for path in paths)
        except Exception:  # h5py raises nearly anything on damaged content; who reads it says so
            return False

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """One array of the file, scaled as its attributes say."""
        variable = next((v for v in self.variables if v.name == name and v.readable), None)
        if variable is None:
            raise InputError(
                argument="key",
                received=f"{self.file.name} has no array of real numbers at '{name}'",
                expected="the path of one",
                remedy=f"pass another (found: {listed(self.variables)})",
            )
        notes: list[str] = []
        with self.library():
            array = array_of(self.node(name), how, notes)
            if array.shape != variable.shape:
                raise damaged(
                    self.file, self.what, f"'{name}' is {array.shape}, declared {variable.shape}"
                )
        for note in notes:
            warnings.warn(note, stacklevel=3)
        return array

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """Return scale, no data and georeference of an array from its attributes."""
        with self.library():
            node = self.node(name)
            place = self.place(node) if node.ndim in (2, 3) else Place()
        if place.problem:
            warnings.warn(
                f"{self.file.name} has {place.problem}: the scene has no coordinates.",
                stacklevel=2,
            )
        found = details_of(self.file, node, how)
        return replace(
            found,
            georeference=place.georeference,
            grid_axes=place.axes,
            reading=(*found.reading, place.reading) if place.reading else found.reading,
        )

    def words(self, name: str) -> tuple[str, ...]:
        """Return titles of an array, and the meanings of flags among its attributes."""
        with self.library():
            said = {plain(key): value for key, value in attributes(self.node(name))}
        found = [text for key in _TITLES for text in words(said.get(key, ()), split=False)]
        return (*found, *[_FLAGS] * (_MEANINGS in said))

    def place(self, node: h5py.Dataset) -> Place:
        """Return the georeference of an array, or why none is claimed."""
        return place_of(self.hdf, node)

    def node(self, name: str) -> h5py.Dataset:
        """The array at a path.

        Raises:
            ValueError: there is none inside the file.
        """
        node = array_at(self.hdf, name)
        if node is None:
            raise ValueError(f"'{name}' is not there")
        return node

    def _arrays(self) -> list[Variable]:
        found: list[Variable] = []

        def visit(name: str | bytes, node: h5py.Group | h5py.Dataset) -> None:
            # A name that is no text arrives as bytes; nobody could ask for it.
            if isinstance(name, str) and isinstance(node, h5py.Dataset) and node.shape is not None:
                found.append(_variable(name, node))

        self.hdf.visititems(visit)
        return found


def _variable(name: str, node: h5py.Dataset) -> Variable:
    kind = node.dtype.name if node.dtype.kind in "biuf" else str(node.dtype)[:40]
    # Values in another file are not those of this one.
    elsewhere = node.is_virtual or bool(node.external)
    readable = node.dtype.kind in "biuf" and not elsewhere
    return Variable(
        name, node.shape, kind, readable,
        dimension_names(node) if readable and node.ndim in (2, 3) else (),
        unit_of(node) if readable and node.ndim == 1 else None,
        attribute_tables(node) if readable and node.ndim == 3 else (),
    )  # fmt: skip
