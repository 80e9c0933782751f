"""Coordinate reference systems between their texts and rasterio's objects."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasterio.crs import CRS


METRES_OF_A_DEGREE = 111_320.0
"""Length of a degree of latitude, and of longitude at the equator."""


def wkt_of_epsg(code: int) -> str | None:
    """WKT of an EPSG code; None without rasterio, or where there is no such code."""
    try:
        from rasterio.crs import CRS

        return CRS.from_epsg(code).to_wkt()
    except Exception:  # not installed, or GDAL's own errors, which have no class in common
        return None


def understood_crs(text: str | None) -> CRS | None:
    """The system that a text names, WKT of any dialect or `EPSG:` and a code.

    One that GDAL knows for certain under an EPSG code is that of the code: WKT in ENVI's dialect
    says neither the code nor the order of the axes. None where the text is None, or rasterio does
    not understand it, which a `UserWarning` says.

    Raises:
        ImportError: rasterio is not installed.
    """
    import rasterio
    from rasterio.crs import CRS

    if text is None:
        return None
    # Without an environment GDAL writes to stderr what the exception says.
    with rasterio.Env():
        try:
            found = CRS.from_user_input(text)
            code = found.to_epsg(confidence_threshold=100)
            return found if code is None else CRS.from_epsg(code)
        except Exception as error:  # as above
            reason = " ".join(str(error).split()).rstrip(".")[:160]
    warnings.warn(
        f"the scene's coordinate reference system is not understood ({reason}): the map says none.",
        stacklevel=2,
    )
    return None


def metres_of_a_unit(wkt: str | None, latitude: float) -> float | None:
    """Return how many metres a unit of a map's x has; None where that is not known.

    Args:
        wkt: coordinate reference system.
        latitude: y of the middle of the scene, for systems in degrees.
    """
    if wkt is None:
        return None
    try:
        from rasterio.crs import CRS

        system = CRS.from_user_input(wkt)
        if system.is_geographic:
            return METRES_OF_A_DEGREE * math.cos(math.radians(latitude))
        return float(system.linear_units_factor[1])
    except Exception:  # not installed, or GDAL's own errors, which have no class in common
        return None


def is_geographic(wkt: str | None) -> bool:
    """Return whether the coordinates of a system are degrees; False if it is not understood."""
    if wkt is None:
        return False
    try:
        from rasterio.crs import CRS

        return bool(CRS.from_user_input(wkt).is_geographic)
    except Exception:  # as above
        return False
