"""MATLAB files: versions 5 to 7 through SciPy, version 7.3 (HDF5 inside) through h5py.

Which of the two a file is, is read from its content. MATLAB stores its axes reversed in HDF5;
they are turned back, so an array has MATLAB's axes whichever version it was saved in. An HDF5
file with neither MATLAB's header of 512 bytes nor its `MATLAB_class` on any array was written by
something else, and its arrays are as they are stored.
Only dense real arrays are read: cells, structs, text, complex and sparse arrays are listed
and refused.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from lren_tf.errors import InputError
from lren_tf.io.base.attributes import words
from lren_tf.io.base.failures import damaged, failure
from lren_tf.io.base.hdf5_arrays import array_of, details_of
from lren_tf.io.base.hdf5_attributes import attribute, attributes
from lren_tf.io.base.hdf5_evidence import attribute_tables, dimension_names, unit_of
from lren_tf.io.base.hdf5_nodes import array_at, node_at
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, check_declared_size, no_variable
from lren_tf.io.formats.matlab5_headers import FILE_HEADER_BYTES, mat5_variables
from lren_tf.runtime.files import as_path, atomic_path

_ITEM_BYTES = {
    "logical": 1,
    "single": 4,
    "double": 8,
    **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_USER_BLOCK_BYTES = 512


class MatlabReader(Reader):
    """A MATLAB file: its variables with MATLAB's axes, whichever version it was saved in.

    Kinds are MATLAB's class names (`double`, `uint16`, `logical`, `cell`, ...) and `sparse`.

    Raises:
        InputError: not a complete MATLAB file of version 5, 7 or 7.3.
    """

    title = "MATLAB"
    suffixes = (".mat",)
    what = "MATLAB file"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._hdf = source.hdf5
        with self.library():
            if self._hdf is None:
                order = _byte_order(self.file, source.start)
                found = mat5_variables(source.start_over(), source.size, order)
            else:
                self._reversed = _by_matlab(self._hdf)
                nodes = {n: node_at(self._hdf, n) for n in self._hdf if not n.startswith("#")}
                found = [
                    _variable_73(name, node, self._reversed)
                    for name, node in nodes.items()
                    if node is not None
                ]
        self.variables = found

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """One variable as a dense array.

        Returns:
            The array with MATLAB's axes and the dtype stored in the file (MATLAB shrinks doubles
            which hold small integers); `logical` becomes bool.
        """
        variable = next((v for v in self.variables if v.name == name), None)
        if variable is None:
            raise no_variable(self.file, name, self.variables)
        if not variable.readable:
            raise InputError(
                received=f"{self.file.name}: variable '{name}' is of type {variable.kind}",
                expected="a dense array of real numbers",
                remedy="save it as one (sparse ones with full)",
            )
        check_declared_size(self.file, name, variable.shape, _ITEM_BYTES[variable.kind])
        notes: list[str] = []
        with self.library():
            if self._hdf is not None:
                array = array_of(array_at(self._hdf, name), how, notes)
                array = array.T if self._reversed else array
            else:
                array = scipy.io.loadmat(self.source.start_over(), variable_names=[name])[name]
            if array.shape != variable.shape:
                raise damaged(
                    self.file, self.what, f"'{name}' is {array.shape}, declared {variable.shape}"
                )
        for note in notes:
            warnings.warn(note, stacklevel=3)
        return array != 0 if variable.kind == "logical" else array

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """Return scale and no data of a variable from attributes of version 7.3."""
        node = None if self._hdf is None else array_at(self._hdf, name)
        return Details() if node is None else details_of(self.file, node, how)


def write_mat(path: str | os.PathLike[str], variables: Mapping[str, np.ndarray]) -> Path:
    """Write arrays as a compressed MATLAB version 7 file, whole or not at all.

    Args:
        path: ends in `.mat`; its folder is created when missing.
        variables: MATLAB name -> array of bool, integer or real numbers, below 4 GiB each.
            MATLAB has no vectors: an array [N] is written as [N, 1].

    Returns:
        The path written.

    Raises:
        InputError: another suffix, no variable, a name that MATLAB does not allow, an array
            that the format cannot hold, or a folder that cannot be written.
    """
    target = as_path(path)
    if target.suffix.lower() != ".mat":
        raise InputError(
            f"{target.name} ends in '{target.suffix}'; expected '.mat', rename the output."
        )
    arrays = {name: np.asarray(array) for name, array in variables.items()}
    if not arrays:
        raise InputError(f"no variable to write to {target.name}; expected one, pass some.")
    for name, array in arrays.items():
        # SciPy drops names it does not like with a warning, and MATLAB cuts long ones.
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", name):
            raise InputError(
                f"'{name}' is not a MATLAB variable name; expected a letter followed by at most "
                "30 letters, digits or underscores, rename it."
            )
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise InputError(
                f"cannot write '{name}' of dtype {array.dtype} to {target.name}; expected real "
                "numbers of at most 64 bits, convert it first."
            )
        if array.nbytes >= 1 << 32:
            raise InputError(
                f"cannot write '{name}' of {array.nbytes} bytes to {target.name}; the format ends "
                "at 4 GiB a variable, write .npy instead."
            )
    # MATLAB has no half precision.
    arrays = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in arrays.items()
    }
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        scipy.io.savemat(stream, arrays, do_compression=True, oned_as="column")
    return target


def _byte_order(file: Path, start: bytes) -> str:
    """`<` or `>` of a file of version 5 to 7; judged by content, not by name.

    Raises:
        InputError: the content is another one.
    """
    header = start[:FILE_HEADER_BYTES]
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    version = None if order is None else struct.unpack(order + "H", header[124:126])[0]
    if order is not None and version == 0x0100:
        return order
    if version == 0x0200:
        reason = "the header says version 7.3, but no HDF5 content follows"
        raise damaged(file, MatlabReader.what, reason)
    reason = "its first bytes are not those of version 5, 7 or 7.3"
    raise failure(file, MatlabReader.what, reason)


def _by_matlab(hdf: h5py.File) -> bool:
    """Return whether MATLAB, or something that writes as it does, has written an HDF5 file."""
    if hdf.userblock_size >= _USER_BLOCK_BYTES:
        return True
    nodes = [node_at(hdf, name) for name in hdf]
    return any(node is not None and "MATLAB_class" in node.attrs for node in nodes)


def _variable_73(name: str, node: h5py.Group | h5py.Dataset, reversed_axes: bool) -> Variable:
    kind = next(iter(words(dict(attributes(node)).get("MATLAB_class", ()), split=False)), "")
    if isinstance(node, h5py.Group):
        if "MATLAB_sparse" in node.attrs:
            rows = int(np.asarray(attribute(node, "MATLAB_sparse")))
            return Variable(name, (rows, node["jc"].shape[0] - 1), "sparse", readable=False)
        return Variable(name, (1, 1), kind or "struct", readable=False)
    if "MATLAB_empty" in node.attrs:
        # An empty array's dataset holds its shape instead of its values: 32 axes at most.
        lengths = tuple(int(n) for n in node[:32])
        return Variable(name, lengths, f"empty {kind}", readable=False)
    step = -1 if reversed_axes else 1
    shape = node.shape[::step]
    if not kind:  # written by something other than MATLAB
        kind = {"float32": "single", "float64": "double", "bool": "logical"}.get(
            node.dtype.name, node.dtype.name
        )
    if node.dtype.fields and set(node.dtype.fields) == {"real", "imag"}:
        return Variable(name, shape, f"complex {kind}", readable=False)
    readable = kind in _ITEM_BYTES and node.dtype.kind in "biuf"
    return Variable(
        name, shape, kind, readable,
        dimension_names(node)[::step] if readable and node.ndim in (2, 3) else (),
        unit_of(node) if readable else None,
        attribute_tables(node) if readable and node.ndim == 3 else (),
    )  # fmt: skip
