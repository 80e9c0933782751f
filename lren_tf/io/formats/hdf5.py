"""HDF5 and netCDF-4 files: EMIT, PRISMA, and any other that holds one cube.

Arrays are named by their path in the file, without the first slash. Of a product that is known
(`lren_tf.io.formats.emit`, `lren_tf.io.formats.prisma`) the cube, its bands and its place are
known too; of any other file the only 3-D numeric array is the cube, and `lren_tf.io.axes` tells
the order of its axes.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.hdf5_evidence import (
    attribute_tables,
    attributes,
    dimension_names,
    fill_values,
    scaling_of,
    unit_of,
)
from lren_tf.io.base.hdf5_nodes import array_at, values
from lren_tf.io.base.hdf5_places import place_of
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.variable import Variable, check_declared_size, damaged, existing_file, reading
from lren_tf.io.formats import emit, prisma

SUFFIXES = (".nc", ".nc4", ".he5", ".h5", ".hdf5", ".hdf")

_WHAT = "HDF5 file"


def hdf_variables(path: Path) -> list[Variable]:
    """The arrays of a file, by path; of a PRISMA product its joint cube and its 2-D layers.

    Raises:
        InputError: no such file, or not a complete HDF5 file.
    """
    file = existing_file(path)
    _check_signature(file)
    found: list[Variable] = []

    def visit(name: str | bytes, node: h5py.Group | h5py.Dataset) -> None:
        # A name that is no text arrives as bytes; nobody could ask for it.
        if isinstance(name, str) and isinstance(node, h5py.Dataset) and node.shape is not None:
            found.append(_variable(name, node))

    with reading(file, _WHAT), h5py.File(file, "r") as hdf:
        hdf.visititems(visit)
        if prisma.is_prisma(hdf):
            flat = [variable for variable in found if len(variable.shape) != 3]
            return [prisma.variable(hdf), *flat]
    return found


def read_hdf(path: Path, name: str, how: Reading = AS_MEANT) -> np.ndarray:
    """One array of a file, scaled as its attributes say, or the joint cube of a PRISMA product.

    Raises:
        InputError: as `hdf_variables`; also when there is no such array, it holds no real
            numbers, or its declared size cannot be right.
    """
    file = existing_file(path)
    _check_signature(file)
    with reading(file, _WHAT), h5py.File(file, "r") as hdf:
        if name == prisma.NAME and prisma.is_prisma(hdf):
            declared = prisma.variable(hdf)
            check_declared_size(file, name, declared.shape, 4)
            return prisma.read(hdf)
        node = array_at(hdf, name)
        if node is None or not (variable := _variable(name, node)).readable:
            raise InputError(
                f"{file.name} has no array of real numbers at '{name}'; expected the path of one, "
                "pass another."
            )
        array = values(node)
        if array.shape != variable.shape:
            raise damaged(file, _WHAT, f"'{name}' is {array.shape}, declared {variable.shape}")
        array = array.view(_unsigned(node))
        scaling = Scaling() if how.raw else scaling_of(node)
        if not scaling:
            return array
        return scaling.applied(array, fill_values(node) if how.fill else ())


def hdf_details(path: Path, name: str, how: Reading = AS_MEANT) -> Details:
    """What the file says about one of its arrays.

    Raises:
        InputError: as `hdf_variables`; also when the file's tables do not fit its cube.
    """
    file = existing_file(path)
    problem = ""
    with reading(file, _WHAT), h5py.File(file, "r") as hdf:
        if name == prisma.NAME and prisma.is_prisma(hdf):
            return prisma.details(hdf)
        node = array_at(hdf, name)
        if node is None:
            raise ValueError(f"'{name}' is not there")
        of_emit = emit.is_emit(hdf, node.shape)
        found = emit.details(hdf, name) if of_emit else Details()
        scaling = scaling_of(node)
        if scaling and not how.raw:
            found = replace(found, no_data=(), filled=bool(fill_values(node)))
        else:
            said = {float(value) for value in (*found.no_data, *fill_values(node))}
            found = replace(found, no_data=tuple(sorted(said)))
        text = scaling.text(how.raw)
        if found.georeference is None:
            place = place_of(hdf, node)
            found = replace(
                found, georeference=place.georeference, grid_axes=place.axes,
                reading=(*found.reading, place.reading) if place.reading else found.reading,
            )  # fmt: skip
            problem = place.problem
    if problem:
        warnings.warn(f"{file.name} has {problem}: the scene has no coordinates.", stacklevel=3)
    if scaling.problem:
        warnings.warn(f"{file.name}: {scaling.problem}", stacklevel=3)
    return replace(found, reading=(*found.reading, text) if text else found.reading)


def _unsigned(node: h5py.Dataset) -> np.dtype:
    """The type of the values: netCDF marks unsigned integers that are stored as signed ones."""
    said = str(dict(attributes(node)).get("_Unsigned", "")).lower()
    if "true" not in said or node.dtype.kind != "i":
        return node.dtype
    return np.dtype(node.dtype.str.replace("i", "u"))


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


def _check_signature(file: Path) -> None:
    if not h5py.is_hdf5(file):
        raise damaged(
            file, _WHAT, "its first bytes are not those of HDF5; netCDF-3 and HDF4 are not read"
        )
