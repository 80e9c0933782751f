"""GeoTIFF images through rasterio (GDAL): values in blocks, no data, wavelengths, georeference.

The file is read block by block, so that memory never holds more than the cube itself and a few
blocks. Scales and offsets of bands are applied, which makes a float32 copy
(float64 for doubles) with NaN where the stored value is the no-data value of its band. Maps are
written with one band, compressed without loss.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.data.valid_pixels import NoData
from lren_tf.io.base import large_array
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.crs import understood_crs
from lren_tf.io.base.failures import damaged, reading
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.metadata import Details, in_nanometres, wavelength_in
from lren_tf.io.base.optional import needs
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.variable import Variable, check_block_size, check_declared_size

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

SUFFIXES = (".tif", ".tiff")
_ACQUIRED = ("acquisitiondatetime", "acquisitiontime", "timecoveragestart")

_TITLES = ("title", "name", "long_name", "description", "layer_type")

_WHAT = "GeoTIFF"
# Of GDAL's own cache of blocks: each is read once, and by default it takes a share of all memory.
# GDAL takes the limit with the first block of a process and keeps it.
_CACHE = {"GDAL_CACHEMAX": 64 << 20}


class Image:
    """One image of a TIFF, opened once; a context manager that closes it.

    Args:
        file: the TIFF.
        page: of several images, counted from 1; None for the first.

    Attributes:
        variable: without a name, of the shape (rows, columns, bands), or (rows, columns) of an
            image with one band.
        itemsize: bytes of one value.
        pages: how many images the file holds, without overviews and masks.
        description: the text that the file's program has left in it.
        titles: what it calls its bands, where it does.

    Raises:
        InputError: no GeoTIFF, a damaged one, one whose declared size cannot be right, or
            rasterio is not installed.
    """

    def __init__(self, file: Path, page: int | None = None) -> None:
        self.file = file
        with needs("rasterio", "reading a GeoTIFF"):
            import rasterio
        name = str(file) if page is None else f"GTIFF_DIR:{page}:{file}"
        with self._library():
            # One driver: the others of GDAL would follow a path or an address inside the file.
            self._image: DatasetReader = rasterio.open(name, driver="GTiff")
            _check_sizes(file, self._image)
            self._shape = (self._image.height, self._image.width, self._image.count)
            self._dtype = _dtype(self._image)
            self.pages = max(1, len(self._image.subdatasets))
            self.description = str(self._image.tags().get("TIFFTAG_IMAGEDESCRIPTION", ""))
            self.titles = _titles(self._image)
        self.itemsize = self._dtype.itemsize
        is_complex = self._dtype.kind == "c"
        kind = f"complex {self._dtype.name}" if is_complex else self._dtype.name
        grid = self._shape[:2] if self._shape[2] == 1 else self._shape
        self.variable = Variable("", grid, kind, readable=not is_complex)

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *error: object) -> None:
        self._image.close()

    def read(
        self,
        how: Reading = AS_MEANT,
        no_data: tuple[NoData, ...] = (),
        scaling: Scaling | None = None,
    ) -> np.ndarray:
        """The values, with the shape of `variable`.

        Args:
            how: whether they are scaled, and whether missing ones become NaN.
            no_data: stored values that mark missing data, where the file itself says none.
            scaling: of the bands, instead of the file's own.

        Raises:
            InputError: damaged values.
        """
        from rasterio.windows import Window

        shape, dtype, image = self._shape, self._dtype, self._image
        with self._library():
            scaling = Scaling() if how.raw else scaling or _scaling(image)
            no_data = (_no_data(image) or no_data) if how.fill else ()
            out = large_array.empty(shape, np.result_type(dtype, np.float32) if scaling else dtype)
            high, wide = image.block_shapes[0]
            # Where this fails, GDAL would fail with every band, each time after all of them.
            image.read(1, window=Window(0, 0, min(wide, shape[1]), min(high, shape[0])))
            for place in large_array.blocks(shape, (high, wide, _bands_of_block(image))):
                rows, columns, bands = place
                window = Window.from_slices(rows, columns)
                values = image.read(list(image.indexes[bands]), window=window)
                values = np.moveaxis(values, 0, -1)
                if scaling:
                    values = scaling.of_bands(bands).applied(values, _of_bands(no_data, bands))
                out[place] = values
        return out[:, :, 0] if shape[2] == 1 else out

    def details(self, how: Reading = AS_MEANT) -> Details:
        """No-data values, the file's own mask, wavelengths and georeference.

        Raises:
            InputError: damaged values.
        """
        image = self._image
        with self._library():
            scaling = _scaling(image)
            text = scaling.text(how.raw)
            valid, alpha = _masks(image)
            place, problem = _georeference(image)
            found = Details(
                no_data=() if scaling and not how.raw else _no_data(image),
                filled=bool(scaling and not how.raw and _no_data(image)),
                valid=valid,
                good_bands=None if not alpha.any() else ~alpha,
                wavelengths=_wavelengths(image, alpha),
                reading=(text,) if text else (),
                acquired=_acquired(image),
                unit=(image.units[0] or "") if image.count == 1 else "",
            )
        # Outside of what keeps the warnings of libraries quiet.
        if problem:
            warnings.warn(
                f"{self.file.name} has {problem}: the scene has no coordinates.", stacklevel=2
            )
        return replace(found, georeference=checked_place(self.file.name, place, *self._shape[:2]))

    @contextmanager
    def _library(self) -> Iterator[None]:
        import rasterio

        # Without an environment GDAL writes to stderr what its exceptions say.
        cache = {} if "GDAL_CACHEMAX" in os.environ else _CACHE
        with reading(self.file, _WHAT), rasterio.Env(**cache):
            yield


def _acquired(image: DatasetReader) -> str | None:
    """Time of the measurement; the time in TIFF's own tag is that of the file."""
    said = {**image.tags(), **image.tags(ns="IMAGERY")}
    named = {re.sub(r"[ _-]", "", name).lower(): value for name, value in said.items()}
    return next((iso_time(named[name]) for name in _ACQUIRED if name in named), None)


def _titles(image: DatasetReader) -> tuple[str, ...]:
    """Descriptions of the bands, and titles among their tags and those of the image."""
    tags = [image.tags(), *(image.tags(band) for band in image.indexes)]
    named = [said[key] for said in tags for key in said if key.lower() in _TITLES]
    return (*(text for text in image.descriptions if text), *named)


def _masks(image: DatasetReader) -> tuple[np.ndarray | None, np.ndarray]:
    """Valid pixels [H, W] by the masks of the file, None without one, and its alpha bands [B]."""
    from rasterio.enums import ColorInterp, MaskFlags

    alpha = np.array([kind == ColorInterp.alpha for kind in image.colorinterp])
    if alpha.all():
        alpha[:] = False  # whatever it is called, it is all there is
    valid = None
    for band, flags in zip(image.indexes, image.mask_flag_enums, strict=True):
        # Not what is made of a no-data value, which is compared value by value.
        if alpha[band - 1] or MaskFlags.nodata in flags or MaskFlags.all_valid in flags:
            continue
        if MaskFlags.alpha in flags and not alpha.any():
            continue
        found = image.read_masks(band) != 0
        valid = found if valid is None else valid & found
        if MaskFlags.per_dataset in flags:
            break
    return valid, alpha


def _georeference(image: DatasetReader) -> tuple[Georeference | None, str]:
    """The grid of an image, and what it has instead of one."""
    from rasterio.transform import from_gcps

    crs = image.crs.to_wkt() if image.crs is not None else None
    affine = tuple(image.transform)[:6]
    if affine != (1.0, 0.0, 0.0, 0.0, 1.0, 0.0):
        return Georeference(crs, affine), ""
    # rasterio's word for a file that says nothing.
    points, system = image.gcps
    if len(points) >= 3:
        affine = tuple(from_gcps(points))[:6]
        if _exact(affine, points):
            return Georeference(system.to_wkt() if system is not None else crs, affine), ""
    if points:
        return None, f"{len(points)} ground control points that lie on no grid"
    if image.rpcs is not None:
        return None, "rational polynomials (RPC) and no grid"
    return None, "" if crs is None else "a coordinate reference system and no grid"


def _exact(affine: tuple[float, ...], points: list[Any]) -> bool:
    """Return whether control points lie on the grid of a transform, to a hundredth of a pixel."""
    a, b, c, d, e, f = affine
    step = max(math.hypot(a, d), math.hypot(b, e))
    return step > 0 and all(
        math.hypot(a * p.col + b * p.row + c - p.x, d * p.col + e * p.row + f - p.y) < 0.01 * step
        for p in points
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
    """Write a map as a Cloud-Optimized GeoTIFF with one band, compressed without loss.

    It has the layer's coordinate system, transform, no-data value, name and unit, and overviews
    where it is larger than a tile: means of scores, single values of whole numbers.

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
            driver="COG",
            height=values.shape[0],
            width=values.shape[1],
            count=1,
            dtype=values.dtype,
            nodata=layer.no_data,
            compress="deflate",
            predictor="yes",
            bigtiff="if_safer",
            overview_resampling="average" if values.dtype.kind == "f" else "nearest",
            **georeferenced,
        ) as image:
            image.write(values, 1)
            image.set_band_description(1, layer.name)
            # Said, so that a reader need not guess that values are as they are stored.
            image.scales, image.offsets = (1.0,), (0.0,)
            if layer.unit:
                image.units = (layer.unit,)
        file.write_bytes(memory.getbuffer())


def _check_sizes(file: Path, image: DatasetReader) -> None:
    """Check sizes before anything is read: a mask is as large as a band, a block is read whole."""
    shape, item = (image.height, image.width, image.count), _dtype(image).itemsize
    check_declared_size(file, "", shape, item)
    size = file.stat().st_size
    if image.count > size:
        # Each takes at least a byte of the file, and far more than that to be looked at.
        raise damaged(file, _WHAT, f"it declares {image.count} bands in {size} bytes")
    for rows, columns in set(image.block_shapes):
        block = (rows, columns, _bands_of_block(image))
        check_block_size(file, "", block, math.prod(block) * item, math.prod(shape) * item)


def _bands_of_block(image: DatasetReader) -> int:
    """Number of bands in a block of the file: of values side by side all of them."""
    from rasterio.enums import Interleaving

    return int(image.count) if image.interleaving is Interleaving.pixel else 1


def _of_bands(no_data: tuple[NoData, ...], bands: slice) -> tuple[NoData, ...]:
    return tuple(value if np.ndim(value) == 0 else value[bands] for value in no_data)  # type: ignore[index]


def _dtype(image: DatasetReader) -> np.dtype:
    kinds = [np.dtype("c8" if kind.startswith("complex") else kind) for kind in image.dtypes]
    return np.result_type(*kinds)


def _scaling(image: DatasetReader) -> Scaling:
    return Scaling(np.array(image.scales), np.array(image.offsets))


def _no_data(image: DatasetReader) -> tuple[NoData, ...]:
    """No-data values among the stored values, band by band."""
    said = np.array([np.nan if v is None else float(v) for v in image.nodatavals], np.float64)
    if np.isnan(said).all():
        return ()
    return (float(said[0]),) if (said == said[0]).all() else (said,)


def _wavelengths(image: DatasetReader, alpha: np.ndarray) -> np.ndarray | None:
    """Wavelengths from the bands' tags or else their descriptions, if every band has one."""
    found: list[tuple[float, str]] = []
    if alpha.any():
        return None  # which has none
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
