"""GeoTIFF images through rasterio (GDAL): values in blocks, no data, wavelengths, georeference.

Read block by block, so that beside the cube itself there is never more than one row of the
file's blocks in memory. Scales and offsets of bands are applied, which makes a float32 copy
(float64 for doubles). Maps are written with one band, compressed without loss.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.crs import understood_crs
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.optional import needs
from lren_tf.io.base.variable import (
    Variable,
    check_block_size,
    check_declared_size,
    existing_file,
    reading,
)

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

SUFFIXES = (".tif", ".tiff")

_WHAT = "GeoTIFF"
# Read in one go: what the blocks need beside the cube.
_BLOCK_ELEMENTS = 1 << 22


def geotiff_variables(path: Path) -> list[Variable]:
    """The one image of a file.

    Returns:
        A list of one `Variable` with an empty name and the shape (rows, columns, bands), or
        (rows, columns) of an image with one band.

    Raises:
        InputError: no such file, no GeoTIFF, a damaged one, one whose declared size cannot be
            right, or rasterio is not installed.
    """
    with _opened(path) as image:
        shape = (image.height, image.width, image.count)
        dtype = _dtype(image)
    kind = dtype.name if dtype.kind != "c" else f"complex {dtype.name}"
    return [Variable("", shape[:2] if shape[2] == 1 else shape, kind, dtype.kind != "c")]


def read_geotiff(path: Path, name: str = "") -> np.ndarray:
    """The values of an image, (rows, columns, bands), or (rows, columns) of one band.

    Raises:
        InputError: as `geotiff_variables`.
    """
    file = existing_file(path)
    with _opened(file) as image:
        from rasterio.windows import Window

        shape = (image.height, image.width, image.count)
        dtype = _dtype(image)
        scaled = _scaled(image)
        out = np.empty(shape, np.result_type(dtype, np.float32) if scaled else dtype)
        block = image.block_shapes[0][0]
        rows = block * max(1, _BLOCK_ELEMENTS // (block * shape[1] * shape[2]))
        for start in range(0, shape[0], rows):
            window = Window(0, start, shape[1], min(rows, shape[0] - start))
            values = np.moveaxis(image.read(window=window), 0, -1)
            if scaled:
                values = values * np.array(image.scales) + np.array(image.offsets)
            out[start : start + rows] = values
    return out[:, :, 0] if shape[2] == 1 else out


def geotiff_details(path: Path, name: str = "") -> Details:
    """No-data values, the file's own mask, wavelengths and georeference.

    Raises:
        InputError: as `geotiff_variables`.
    """
    with _opened(path) as image:
        from rasterio.enums import MaskFlags

        no_data = {float(value) for value in image.nodatavals if value is not None}
        if _scaled(image):
            no_data = {
                value * scale + offset
                for value in no_data
                for scale, offset in zip(image.scales, image.offsets, strict=True)
            }
        flags = image.mask_flag_enums[0]
        masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        valid = image.dataset_mask() != 0 if masked else None
        crs = image.crs.to_wkt() if image.crs is not None else None
        affine = tuple(image.transform)[:6]
        # rasterio's word for a file that says nothing.
        plain = crs is None and affine == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        return Details(
            no_data=tuple(sorted(no_data)),
            valid=valid,
            wavelengths=_wavelengths(image),
            georeference=None if plain else Georeference(crs, affine),
        )


def georeference_for_geotiff(georeference: Georeference | None) -> Georeference | None:
    """A georeference as `write_geotiff` needs it, its coordinate system only if understood.

    Raises:
        InputError: rasterio is not installed; also without a georeference.
    """
    with needs("rasterio", "writing a GeoTIFF"):
        import rasterio  # noqa: F401
    if georeference is None:
        return None
    system = understood_crs(georeference.crs)
    return replace(georeference, crs=None if system is None else system.to_wkt(), envi=None)


def write_geotiff(file: Path, layer: Layer) -> None:
    """Write a map as a GeoTIFF with one band, compressed without loss.

    It has the layer's coordinate system, transform and no-data value.

    Args:
        file: where to; opened for writing as it is, so pass a temporary path.
        layer: the map, its georeference from `georeference_for_geotiff`.

    Raises:
        InputError: rasterio is not installed.
    """
    with needs("rasterio", "writing a GeoTIFF"):
        import rasterio
        from rasterio.transform import Affine

    values, georeference = layer.values, layer.georeference
    georeferenced: dict[str, object] = {}
    if georeference is not None:
        georeferenced["crs"] = georeference.crs
        if georeference.transform is not None:
            georeferenced["transform"] = Affine(*georeference.transform)
    # GDAL reports neither a full disk nor a failed closing of a file reliably: it writes into
    # memory, and what is on the disk is written by Python.
    with rasterio.Env(), warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore")  # a map without a georeference is not a mistake here
        with memory.open(
            driver="GTiff",
            height=values.shape[0],
            width=values.shape[1],
            count=1,
            dtype=values.dtype,
            nodata=layer.no_data,
            compress="deflate",
            predictor=3 if values.dtype.kind == "f" else 2,
            bigtiff="if_safer",
            **georeferenced,
        ) as image:
            image.write(values, 1)
            image.set_band_description(1, layer.name)
        file.write_bytes(memory.getbuffer())


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    file = existing_file(path)
    with needs("rasterio", "reading a GeoTIFF"):
        import rasterio
    # One driver: the others of GDAL would follow a path or an address inside the file.
    with reading(file, _WHAT), rasterio.Env(), rasterio.open(file, driver="GTiff") as image:
        _check_sizes(file, image)
        yield image


def _check_sizes(file: Path, image: DatasetReader) -> None:
    """Before anything is read: a mask is as large as a band, a block is read as a whole."""
    from rasterio.enums import Interleaving

    shape, item = (image.height, image.width, image.count), _dtype(image).itemsize
    check_declared_size(file, "", shape, item)
    for rows, columns in set(image.block_shapes):
        # Of values side by side a block holds all bands.
        block = (rows, columns, image.count if image.interleaving is Interleaving.pixel else 1)
        check_block_size(file, "", block, math.prod(block) * item, math.prod(shape) * item)


def _dtype(image: DatasetReader) -> np.dtype:
    kinds = [np.dtype("c8" if kind.startswith("complex") else kind) for kind in image.dtypes]
    return np.result_type(*kinds)


def _scaled(image: DatasetReader) -> bool:
    return any(scale != 1 for scale in image.scales) or any(image.offsets)


def _wavelengths(image: DatasetReader) -> np.ndarray | None:
    """From the bands' tags or else their descriptions, if every band says one."""
    found: list[tuple[float, str]] = []
    for band in image.indexes:
        centre = image.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        tags = {name.lower(): value for name, value in image.tags(band).items()}
        try:
            if centre is not None:
                found.append((float(centre), "um"))
            elif "wavelength" in tags:
                unit = tags.get("wavelength_units", tags.get("wavelength_unit", ""))
                found.append((float(tags["wavelength"]), unit))
            else:
                named = wavelength_in(image.descriptions[band - 1] or "")
                if named is None:
                    return None
                found.append(named)
        except ValueError:
            return None
    units = {unit for _, unit in found}
    if len(units) != 1:
        return None
    wavelengths = in_nanometres([value for value, _ in found], units.pop())
    if wavelengths is None or not (np.isfinite(wavelengths) & (wavelengths > 0)).all():
        return None
    return wavelengths
