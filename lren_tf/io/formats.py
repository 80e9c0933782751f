"""The formats there are, by the suffix of a file's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io import envi, geotiff, hdf
from lren_tf.io.details import Details, no_details
from lren_tf.io.mat import mat_variables, read_mat
from lren_tf.io.numpy import npy_variables, npz_variables, read_npy, read_npz
from lren_tf.io.variable import Variable, existing_file


@dataclass(frozen=True)
class Format:
    """The calls that every format offers."""

    title: str
    variables: Callable[[Path], list[Variable]]
    read: Callable[[Path, str], np.ndarray]
    details: Callable[[Path, str], Details] = no_details
    product: bool = False
    """Whether the layers beside a cube are those of a product, not what its owner put there."""


_ENVI = Format("ENVI", envi.envi_variables, envi.read_envi, envi.envi_details)
_GEOTIFF = Format(
    "GeoTIFF", geotiff.geotiff_variables, geotiff.read_geotiff, geotiff.geotiff_details
)
_HDF = Format("HDF5", hdf.hdf_variables, hdf.read_hdf, hdf.hdf_details, product=True)

FORMATS = {
    ".mat": Format("MATLAB", mat_variables, read_mat),
    ".npy": Format("NumPy", npy_variables, read_npy),
    ".npz": Format("NumPy", npz_variables, read_npz),
    **dict.fromkeys(envi.SUFFIXES, _ENVI),
    **dict.fromkeys(geotiff.SUFFIXES, _GEOTIFF),
    **dict.fromkeys(hdf.SUFFIXES, _HDF),
}


def opened(path: object) -> tuple[Path, Format, list[Variable]]:
    """A file, its format, and what it holds.

    Raises:
        InputError: the file is missing, damaged or of another format.
    """
    file = existing_file(path)  # type: ignore[arg-type]
    form = FORMATS.get(file.suffix.lower())
    if form is None and envi.header_of(file) is not None:
        form = _ENVI  # whose files of values are called anything, often without a suffix
    if form is None:
        raise InputError(
            f"{file.name} ends in '{file.suffix}'; expected one of {', '.join(FORMATS)}, or an "
            "ENVI header beside it, convert the file."
        )
    return file, form, form.variables(file)
