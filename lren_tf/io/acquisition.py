"""When a scene was acquired, where its file says so."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from pathlib import Path

# Names in ENVI headers, TIFF tags and attributes of HDF5 files (EMIT, PRISMA, and others).
_NAMES = (
    "acquisition time", "acquisition_time", "acquisition_datetime", "time_coverage_start",
    "product_starttime", "start_time", "startTime", "acquisition date", "acquisition_date",
    "TIFFTAG_DATETIME",
)  # fmt: skip
_MOST_TEXT = 1 << 16


def acquisition_time(path: str | os.PathLike[str]) -> datetime | None:
    """Return when a scene was acquired, in UTC; None where its file does not say so.

    A time without a zone is taken for UTC, which the products of the sensors use.

    Args:
        path: an ENVI, GeoTIFF, HDF5 or netCDF-4 file.
    """
    file = Path(path)
    kind = file.suffix.lower()
    if kind in (".h5", ".he5", ".hdf5", ".nc", ".hdf"):
        found = _of_hdf5(file)
    elif kind in (".tif", ".tiff"):
        found = _of_tiff(file)
    else:
        found = _of_header(file)
    lowered = {name.lower(): value for name, value in found.items()}
    for name in _NAMES:
        time = _parsed(lowered.get(name.lower(), ""))
        if time is not None:
            return time
    return None


def _of_header(file: Path) -> dict[str, str]:
    for header in (file.with_suffix(".hdr"), file.with_name(file.name + ".hdr")):
        if header.is_file():
            text = header.read_text("latin-1")[:_MOST_TEXT]
            pairs = re.findall(r"^([^=\n;]+)=\s*\{?([^{}\n]*)", text, re.M)
            return {name.strip(): value.strip() for name, value in pairs}
    return {}


def _of_tiff(file: Path) -> dict[str, str]:
    try:
        import rasterio

        with rasterio.Env(), rasterio.open(file, driver="GTiff") as image:
            return {str(name): str(value) for name, value in image.tags().items()}
    except Exception:  # not installed, or GDAL's own errors, which have no class in common
        return {}


def _of_hdf5(file: Path) -> dict[str, str]:
    import h5py

    try:
        with h5py.File(file, "r") as hdf:
            return {
                str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
                for name, value in hdf.attrs.items()
            }
    except OSError:
        return {}


def _parsed(text: str) -> datetime | None:
    text = text.strip().strip("\"'")
    # EXIF's dates have colons.
    text = re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", text).replace("Z", "+00:00")
    # Python 3.10 reads three or six decimals of seconds, and +00:00 but not +0000.
    text = re.sub(r"(\.\d{1,9})(?=$|[+-])", lambda m: (m[1] + "000000")[:7], text)
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    zoned = found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
    return zoned.astimezone(timezone.utc)
