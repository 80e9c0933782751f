"""Checks of a georeference: it is claimed to the pixel, or not at all."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np

from lren_tf.data.georeference import Georeference, Transform

# A projected system has pixels of at least this many metres or feet; what has less, and lies
# within the numbers of degrees, is in degrees.
_SMALLEST_PROJECTED = 0.1
# How far a position may come back from longitude and latitude, in pixels.
_RETURNED = 0.5


def checked_place(
    name: str, place: Georeference | None, height: int, width: int
) -> Georeference | None:
    """A place, or without its transform where that cannot be; a `UserWarning` then says why.

    Args:
        name: of the file, for the message.
        place: from the file.
        height, width: of the image.
    """
    if place is None or place.transform is None:
        return place
    problem = _problem(place.crs, place.transform, height, width)
    if problem is None:
        return place
    warnings.warn(f"{name}: {problem}; the scene has no coordinates.", stacklevel=3)
    return None


def corners(transform: Transform, height: int, width: int) -> np.ndarray:
    """x and y [4, 2] of the outer corners of an image."""
    a, b, c, d, e, f = transform
    ends = [(column, row) for row in (0, height) for column in (0, width)]
    return np.array([(a * x + b * y + c, d * x + e * y + f) for x, y in ends])


def _problem(crs: str | None, transform: Transform, height: int, width: int) -> str | None:
    a, b, _, d, e, _ = transform
    if a * e == b * d:
        return "its grid puts different pixels at one place"
    if crs is None:
        return None
    try:
        import rasterio
        import rasterio.warp
        from rasterio.crs import CRS
    except ImportError:
        return None
    outer = corners(transform, height, width)
    step = max(math.hypot(a, d), math.hypot(b, e))
    with rasterio.Env():
        try:
            system = CRS.from_user_input(crs)
            geographic, projected = system.is_geographic, system.is_projected
        except Exception:  # GDAL's own errors, which have no class in common
            return None
        if geographic:
            if (np.abs(outer[:, 1]) > 90 + step).any() or (np.abs(outer[:, 0]) > 540 + step).any():
                return (
                    f"its corner {outer[0, 0]:.10g}, {outer[0, 1]:.10g} is no longitude and "
                    "latitude, which its coordinate reference system says it is"
                )
            return None
        if not projected:
            return None
        in_degrees = (np.abs(outer[:, 0]) <= 360).all() and (np.abs(outer[:, 1]) <= 90).all()
        if in_degrees and step < _SMALLEST_PROJECTED:
            return (
                f"its pixels of {step:.3g} at {outer[0, 0]:.10g}, {outer[0, 1]:.10g} are in "
                "degrees, and its coordinate reference system is projected"
            )
        try:
            there = rasterio.warp.transform(system, "EPSG:4326", *outer.T.tolist())
            back = np.array(rasterio.warp.transform("EPSG:4326", system, *there)).T
        except Exception as error:  # as above
            if not re.search("outside|domain|latitude|longitude|coordinate", str(error)):
                return None
            return "its corners lie where its coordinate reference system has no place"
    if not np.isfinite(there).all() or not np.isfinite(back).all():
        return "its corners lie where its coordinate reference system has no place"
    if np.abs(back - outer).max() > _RETURNED * step:
        return "its corners lie far outside of what its coordinate reference system describes"
    return None
