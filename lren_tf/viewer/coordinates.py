"""Coordinates of a page: those of the map by its affine transform, longitude and latitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference

_NODES = 33
"""Most nodes along each axis of the grid between which positions are interpolated."""
_METRES_OF_A_DEGREE = 111_320.0


def coordinate_record(georeference: Georeference | None, shape: tuple[int, int]) -> dict[str, Any]:
    """Return what a page needs to tell the coordinates of a pixel.

    Args:
        georeference: of the scene, or None.
        shape: (H, W).

    Returns:
        ``transform`` and ``crs`` (a name) where the scene has them; ``positions``, x and y at
        nodes, where it has positions instead of a grid; ``globe``, longitude and latitude at
        nodes, and ``globe_error``, the largest error in metres of interpolating between these.
    """
    if georeference is None or (
        georeference.transform is None and georeference.positions is None
    ):
        return {}
    found: dict[str, Any] = {"crs": _name(georeference.crs), "transform": georeference.transform}
    rows, columns = (_nodes(length) for length in shape)
    x, y = _positions(georeference, rows, columns)
    if georeference.transform is None:
        found["positions"] = {"rows": rows, "columns": columns, "x": x, "y": y}
    globe = _globe(georeference.crs, x, y)
    if globe is not None:
        found["globe"] = {"rows": rows, "columns": columns, "x": globe[0], "y": globe[1]}
        found["globe_error"] = _error(georeference, rows, columns, *globe)
    return found


def _nodes(length: int) -> np.ndarray:
    """Whole rows or columns from the first to the last."""
    return np.unique(np.linspace(0, length - 1, min(_NODES, length)).round().astype(int))


def _positions(
    georeference: Georeference, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if georeference.transform is None:
        chosen = georeference.positions[np.ix_(rows, columns)]  # type: ignore[index]
        return chosen[..., 0].astype(np.float64), chosen[..., 1].astype(np.float64)
    a, b, c, d, e, f = georeference.transform
    right, down = columns + 0.5, rows[:, None] + 0.5
    return a * right + b * down + c, d * right + e * down + f


def _globe(
    crs: str | None, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    if crs is None:
        return None
    try:
        import rasterio
        import rasterio.warp
    except ImportError:
        return None
    with rasterio.Env():
        try:
            longitudes, latitudes = rasterio.warp.transform(
                rasterio.crs.CRS.from_user_input(crs), "EPSG:4326", x.ravel(), y.ravel()
            )
        except Exception:  # GDAL's own errors have no public class in common
            return None
    longitude, latitude = np.reshape(longitudes, x.shape), np.reshape(latitudes, x.shape)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return None
    # Past the date line they go on beyond 180, so that they can be interpolated.
    for axis in range(2):
        longitude = np.unwrap(longitude, axis=axis, period=360.0)
    return longitude, latitude


def _error(
    georeference: Georeference,
    rows: np.ndarray,
    columns: np.ndarray,
    longitudes: np.ndarray,
    latitudes: np.ndarray,
) -> float:
    """Largest distance in metres at the middles between nodes."""
    if len(rows) < 2 or len(columns) < 2:
        return 0.0
    between_rows, between_columns = (rows[1:] + rows[:-1]) // 2, (columns[1:] + columns[:-1]) // 2
    true = _globe(georeference.crs, *_positions(georeference, between_rows, between_columns))
    if true is None:
        return 0.0
    u = ((between_rows - rows[:-1]) / np.diff(rows))[:, None]
    v = (between_columns - columns[:-1]) / np.diff(columns)
    steps = []
    for nodes, exact in zip((longitudes, latitudes), true, strict=True):
        upper = nodes[:-1, :-1] * (1 - v) + nodes[:-1, 1:] * v
        lower = nodes[1:, :-1] * (1 - v) + nodes[1:, 1:] * v
        steps.append((upper * (1 - u) + lower * u - exact) * _METRES_OF_A_DEGREE)
    steps[0] = steps[0] * np.cos(np.radians(true[1]))
    return float(np.hypot(*steps).max())


def _name(crs: str | None) -> str | None:
    """A short name of a coordinate system."""
    if crs is None:
        return None
    try:
        import rasterio
        from rasterio.crs import CRS

        with rasterio.Env():
            found = CRS.from_user_input(crs)
            code = found.to_epsg()
            if code is not None:
                return f"EPSG:{code}"
    except Exception:  # as above, or not installed
        pass
    quoted = crs.split('"')
    return quoted[1] if len(quoted) > 1 else crs[:60]
