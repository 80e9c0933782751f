"""Registry of the formats: readers by the suffix of a file's name, and writers of maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details, no_details
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.variable import Variable, existing_file
from lren_tf.io.formats import envi, envi_bands, envi_pair, geotiff, hdf5, tiff_pages
from lren_tf.io.formats.matlab import mat_variables, read_mat, write_mat
from lren_tf.io.formats.npy import npy_variables, npz_variables, read_npy, read_npz, write_npy


@dataclass(frozen=True)
class Format:
    """The calls that every format offers."""

    title: str
    variables: Callable[[Path], list[Variable]]
    read: Callable[..., np.ndarray]
    details: Callable[[Path, str, Reading], Details] = no_details
    product: bool = False
    """Whether the layers beside a cube are those of a product, not what its owner put there."""
    scales: bool = False
    """Whether values can be scaled: `read` then takes a `Reading` too."""

    def values(self, file: Path, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """The values of one array."""
        return self.read(file, name, how) if self.scales else self.read(file, name)


_ENVI = Format("ENVI", envi.envi_variables, envi.read_envi, envi.envi_details, scales=True)
_GEOTIFF = Format(
    "GeoTIFF", tiff_pages.tiff_variables, envi_bands.read_tiff, envi_bands.tiff_details, scales=True
)
_HDF = Format(
    "HDF5", hdf5.hdf_variables, hdf5.read_hdf, hdf5.hdf_details, product=True, scales=True
)

FORMATS = {
    ".mat": Format("MATLAB", mat_variables, read_mat),
    ".npy": Format("NumPy", npy_variables, read_npy),
    ".npz": Format("NumPy", npz_variables, read_npz),
    **dict.fromkeys(envi_pair.SUFFIXES, _ENVI),
    **dict.fromkeys(geotiff.SUFFIXES, _GEOTIFF),
    **dict.fromkeys(hdf5.SUFFIXES, _HDF),
}


def _all_of_it(georeference: Georeference | None) -> Georeference | None:
    return georeference


@dataclass(frozen=True)
class MapFormat:
    """How a format writes one map.

    Attributes:
        name: the value of ``--format``.
        title: as `Scene.source_format`.
        suffixes: of the files that are written, in this order.
        write: writes the files of a `Layer`; not atomic, so it is given temporary paths.
        storable: the part of a georeference that such a file can hold, which `write` gets. It
            warns with a `UserWarning` about the part left out, and refuses, even without a
            georeference, what writing would refuse whatever the map is.
        has_georeference: whether such a file says where its pixels lie.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    write: Callable[[Sequence[Path], Layer], object]
    storable: Callable[[Georeference | None], Georeference | None] = _all_of_it
    has_georeference: bool = False


MAP_FORMATS = {
    form.name: form
    for form in (
        MapFormat(
            "envi", "ENVI", (".img", ".hdr"),
            lambda files, layer: envi.write_envi(files[0], files[1], layer),
            envi.georeference_for_envi, has_georeference=True,
        ),
        MapFormat(
            "geotiff", "GeoTIFF", (".tif",),
            lambda files, layer: geotiff.write_geotiff(files[0], layer),
            geotiff.georeference_for_geotiff, has_georeference=True,
        ),
        MapFormat(
            "mat", "MATLAB", (".mat",),
            lambda files, layer: write_mat(files[0], {layer.name: layer.values}),
        ),
        MapFormat(
            "npy", "NumPy", (".npy",), lambda files, layer: write_npy(files[0], layer.values)
        ),
    )
}  # fmt: skip
"""What a map can be written as, by name."""


def opened(path: object) -> tuple[Path, Format, list[Variable]]:
    """A file, its format, and what it holds.

    Raises:
        InputError: the file is missing, damaged or of another format.
    """
    file = existing_file(path)  # type: ignore[arg-type]
    form = FORMATS.get(file.suffix.lower())
    if form is None and envi_pair.header_of(file) is not None:
        form = _ENVI  # whose files of values are called anything, often without a suffix
    if form is None:
        raise InputError(
            f"{file.name} ends in '{file.suffix}'; expected one of {', '.join(FORMATS)}, or an "
            "ENVI header beside it, convert the file."
        )
    return file, form, form.variables(file)
