"""Writing of maps, with their georeference, in any format."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lren_tf.data.georeference import Georeference, LookupTable
from lren_tf.errors import InputError
from lren_tf.io.base.layer import Layer
from lren_tf.io.formats import geotiff
from lren_tf.io.registry import MAP_FORMATS, MapFormat
from lren_tf.runtime.files import as_path, atomic_paths

_BY_SUFFIX = {suffix: form for form in MAP_FORMATS.values() for suffix in form.suffixes}
_BY_SUFFIX |= dict.fromkeys(geotiff.SUFFIXES, MAP_FORMATS["geotiff"])


class MapWriter:
    """Writes the maps of one scene in one format.

    In formats with a georeference, a map in sensor geometry with a lookup table is laid out on the
    table's map grid; in others it keeps the grid of the scene. The constructor warns with a
    `UserWarning` about the part of the georeference that a file will not hold.

    Args:
        form: the format.
        georeference: of the scene, or None.

    Attributes:
        form: the format.
        lookup: the table by which maps are laid out, or None.
        grid: the georeference of the written maps, as far as it is known and the format holds it.

    Raises:
        InputError: a package is not installed.
    """

    def __init__(self, form: MapFormat, georeference: Georeference | None) -> None:
        self.form = form
        self.lookup: LookupTable | None = None
        lookup = None
        if form.has_georeference and georeference is not None and georeference.transform is None:
            lookup = georeference.lookup
        if georeference is not None and lookup is not None:
            self.lookup = lookup
            georeference = Georeference(georeference.crs, lookup.transform)
        self.grid = grid = form.storable(georeference)
        if form.has_georeference and grid is not None and grid.transform is None and not grid.envi:
            warnings.warn(
                "nothing says how the pixels of the scene lie on a map grid: the "
                f"{form.title} map has no coordinates.",
                stacklevel=2,
            )

    def write(
        self,
        files: Sequence[Path],
        values: np.ndarray,
        name: str,
        no_data: float | None,
        unit: str = "",
    ) -> None:
        """Write one map; not atomic, so pass temporary paths.

        Args:
            files: one for each of `form.suffixes`.
            values: [H, W] real numbers.
            name: `score` or `mask`.
            no_data: value of pixels that hold no data; also fills what a map grid leaves empty.
            unit: of the values; of the formats GeoTIFF says it.

        Raises:
            InputError: the values are not a map, or cannot be written in this format.
        """
        layer = Layer(values, name, no_data, self.grid, unit)
        if self.lookup is not None:
            fill = np.nan if no_data is None else no_data
            layer = replace(layer, values=self.laid_out(layer.values, fill), no_data=fill)
        self.form.write(files, layer)


    def laid_out(self, values: np.ndarray, fill: float) -> np.ndarray:
        """Return a map ``[H, W]`` of the scene on the grid that files of this writer have.

        Args:
            values: real numbers.
            fill: for cells of the grid that no pixel lies in.
        """
        return values if self.lookup is None else self.lookup.orthorectified(values, fill)


def map_format(source_format: str | None, georeference: Georeference | None) -> MapFormat:
    """The format in the family of a scene.

    That of its file for ENVI, GeoTIFF and MATLAB. GeoTIFF for HDF5 and netCDF whose pixels lie
    on a map grid, or come with a table that leads to one. NumPy for everything else.
    """
    for form in MAP_FORMATS.values():
        if form.title == source_format:
            return form
    on_a_grid = georeference is not None and (
        georeference.transform is not None or georeference.lookup is not None
    )
    return MAP_FORMATS["geotiff" if source_format == "HDF5" and on_a_grid else "npy"]


def save_map(
    path: str | os.PathLike[str],
    values: npt.ArrayLike,
    *,
    name: str = "score",
    no_data: float | None = None,
    georeference: Georeference | None = None,
) -> list[Path]:
    """Write a map as NumPy, MATLAB, ENVI or GeoTIFF: all of its files completely, or none.

    Args:
        path: its suffix determines the format: `.npy`, `.mat`, `.tif` or `.tiff`, and `.img` or
            `.hdr` for both files of an ENVI image.
        values: [H, W] real numbers.
        name: the variable in MATLAB, the band's name in ENVI and GeoTIFF.
        no_data: the value of pixels that hold no data; None means NaN for floats, and no such value
            for integers.
        georeference: of the scene. ENVI and GeoTIFF hold it; a map in sensor geometry
            with a lookup table is laid out on its grid there, `no_data` in empty cells (None is
            NaN, and makes floats of integers). NumPy and MATLAB hold none.

    Returns:
        The files written.

    Raises:
        InputError: another suffix, values that are not a map, a `no_data` that their type cannot
            hold, a package that is not installed, or files that cannot be written.
    """
    target = as_path(path)
    form = _BY_SUFFIX.get(target.suffix.lower())
    if form is None:
        raise InputError(
            f"{target.name} ends in '{target.suffix}'; expected one of {', '.join(_BY_SUFFIX)}, "
            "rename the output."
        )
    values = np.asarray(values)
    if no_data is None and values.dtype.kind == "f":
        no_data = np.nan
    writer = MapWriter(form, georeference)
    targets = [target]
    if len(form.suffixes) > 1:
        targets = [target.with_suffix(suffix) for suffix in form.suffixes]
    with atomic_paths(*targets) as temporary:
        writer.write(temporary, values, name, no_data)
    return targets
