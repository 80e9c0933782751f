"""HDF5 and netCDF-4 files: EMIT, PRISMA, and any other whose cube can be told.

Arrays are named by their path in the file, without the first slash. Of a product that is known
(`lren_tf.io.formats.emit`, `lren_tf.io.formats.prisma`) the cube, its bands and its place are
known too; of any other file the only 3-D numeric array is the cube, and `lren_tf.io.axes` tells
the order of its axes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.hdf5_evidence import attribute_tables, dimension_names, unit_of
from lren_tf.io.base.hdf5_nodes import array_at, values
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.variable import Variable, check_declared_size, damaged, existing_file, reading
from lren_tf.io.formats import emit, prisma

SUFFIXES = (".nc", ".nc4", ".he5", ".h5", ".hdf5", ".hdf")

_WHAT = "HDF5 file"
_NO_DATA_ATTRIBUTES = ("_FillValue", "missing_value", "Data_Ignore_Value")


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


def read_hdf(path: Path, name: str) -> np.ndarray:
    """One array of a file as it is stored, or the joint cube of a PRISMA product.

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
        return array


def hdf_details(path: Path, name: str) -> Details:
    """What the file says about one of its arrays.

    Raises:
        InputError: as `hdf_variables`; also when the file's tables do not fit its cube.
    """
    file = existing_file(path)
    with reading(file, _WHAT), h5py.File(file, "r") as hdf:
        if name == prisma.NAME and prisma.is_prisma(hdf):
            return prisma.details(hdf)
        node = array_at(hdf, name)
        if node is None:
            raise ValueError(f"'{name}' is not there")
        of_emit = emit.is_emit(hdf, node.shape)
        found = emit.details(hdf, name) if of_emit else Details()
        return _with_fill_values(node, found)


def _with_fill_values(node: h5py.Dataset, found: Details) -> Details:
    said = [
        float(np.asarray(node.attrs[key]).flat[0])
        for key in _NO_DATA_ATTRIBUTES
        if key in node.attrs and np.asarray(node.attrs[key]).dtype.kind in "iuf"
    ]
    return replace(found, no_data=tuple(sorted({*found.no_data, *said})))


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
