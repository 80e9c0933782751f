"""Detections as polygons that agree with the mask to the pixel."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.evaluation.detections import Detection
from lren_tf.io.base.crs import understood_crs
from lren_tf.io.base.optional import needs
from lren_tf.io.detections import attribute_names, attributes_of
from lren_tf.runtime.files import atomic_path

_WGS84 = "EPSG:4326"
IN_PIXELS = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Transform of a scene without a place: x is the column, y the row downwards, as GIS show it."""
_PLACES = 9
"""Decimals of degrees, a tenth of a millimetre."""


def detection_polygons(
    labels: np.ndarray, transform: Sequence[float]
) -> dict[int, dict[str, Any]]:
    """Return the outline of every detection along the edges of its pixels.

    Rasterised again, they give the same pixels.

    Args:
        labels: whole numbers ``[H, W]``, 0 for none.
        transform: of the pixels, as `Georeference.transform`.

    Returns:
        By label a GeoJSON geometry, a MultiPolygon: pixels that touch at a corner only are two
        polygons of it.

    Raises:
        InputError: rasterio is not installed.
    """
    with needs("rasterio", "writing polygons", "vector"):
        from rasterio.features import shapes
        from rasterio.transform import Affine

    parts: dict[int, list[Any]] = {}
    labels = np.ascontiguousarray(labels, np.int32)
    for geometry, label in shapes(
        labels, mask=labels > 0, connectivity=4, transform=Affine(*transform)
    ):
        parts.setdefault(int(label), []).append(_wound(geometry["coordinates"]))
    return {
        label: {"type": "MultiPolygon", "coordinates": polygons}
        for label, polygons in sorted(parts.items())
    }


def write_polygons_geojson(
    path: str | os.PathLike[str],
    listed: Sequence[Detection],
    labels: np.ndarray,
    georeference: Georeference | None,
) -> None:
    """Write detections as GeoJSON polygons in longitude and latitude on WGS 84 (RFC 7946).

    Detections of which longitude and latitude are not known have no geometry. A `UserWarning`
    tells of a coordinate reference system that is not understood.

    Args:
        path: the file.
        listed: from `find_detections`.
        labels: ``[H, W]`` of the grid of `georeference`.
        georeference: of the labels, or None.

    Raises:
        InputError: rasterio is not installed, or the file cannot be written.
    """
    found = _on_the_globe(labels, georeference)
    text = json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": found.get(each.label),
                    "properties": attributes_of(each),
                }
                for each in listed
            ],
        },
        indent=1,
        allow_nan=False,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="ascii")


def write_geopackage(
    path: str | os.PathLike[str],
    listed: Sequence[Detection],
    labels: np.ndarray,
    georeference: Georeference | None,
    evidence: Sequence[str] = (),
) -> None:
    """Write detections as a GeoPackage in the scene's coordinates: layers `polygons`, `points`.

    A point lies inside of its detection. Without a georeference x is the
    column and y the row downwards, counted from the outer corner of the first pixel, in an
    undefined system.

    Args:
        path: the file.
        listed, labels, georeference: as for `write_polygons_geojson`.
        evidence: names of the evidence, whose shares get a column each.

    Raises:
        InputError: pyogrio, shapely or rasterio is not installed, or the file cannot be written.
    """
    check_geopackage()
    import pyogrio.raw
    import shapely
    import shapely.geometry

    transform = _transform(georeference)
    outlines = detection_polygons(labels, transform)
    # A detection may have no pixel on a map grid that its scene was laid out on.
    shown = [each for each in listed if each.label in outlines]
    names = attribute_names(shown, evidence)
    table = [attributes_of(each) for each in shown]
    columns = [_column([row.get(name) for row in table]) for name in names]
    polygons = [shapely.geometry.shape(outlines[each.label]) for each in shown]
    system = None if georeference is None else understood_crs(georeference.crs)
    layers = {
        "polygons": (polygons, "MultiPolygon"),
        "points": ([shape.representative_point() for shape in polygons], "Point"),
    }
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        for layer, (shapes, kind) in layers.items():
            pyogrio.raw.write(
                str(temporary), np.array(shapely.to_wkb(shapes), dtype=object), columns, names,
                layer=layer, driver="GPKG", geometry_type=kind,
                crs=None if system is None else system.to_wkt(),
            )  # fmt: skip


def check_polygons() -> None:
    """Refuse at once what writing polygons would refuse.

    Raises:
        InputError: rasterio is not installed.
    """
    with needs("rasterio", "writing polygons", "vector"):
        import rasterio  # noqa: F401


def check_geopackage() -> None:
    """Refuse at once what writing a GeoPackage would refuse.

    Raises:
        InputError: pyogrio or shapely is not installed.
    """
    for package in ("pyogrio", "shapely"):
        with needs(package, "writing a GeoPackage", "vector"):
            __import__(package)


def _transform(georeference: Georeference | None) -> Sequence[float]:
    known = georeference is not None and georeference.transform is not None
    return georeference.transform if known else IN_PIXELS  # type: ignore[union-attr, return-value]


def _column(values: list[Any]) -> np.ndarray:
    if all(isinstance(value, int) for value in values):
        return np.array(values, np.int64)
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _on_the_globe(
    labels: np.ndarray, georeference: Georeference | None
) -> dict[int, dict[str, Any]]:
    with needs("rasterio", "writing polygons", "vector"):
        import rasterio
        from rasterio.warp import transform_geom

    if georeference is None or georeference.transform is None or georeference.crs is None:
        return {}
    system = understood_crs(georeference.crs)
    if system is None:
        return {}
    outlines = detection_polygons(labels, georeference.transform)
    with rasterio.Env():
        moved = transform_geom(system, _WGS84, list(outlines.values()))
    return {
        label: {
            "type": "MultiPolygon",
            "coordinates": [_rounded(polygon) for polygon in _polygons(geometry)],
        }
        for label, geometry in zip(outlines, moved, strict=True)
    }


def _polygons(geometry: dict[str, Any]) -> list[Any]:
    many = geometry["type"] == "MultiPolygon"
    return geometry["coordinates"] if many else [geometry["coordinates"]]


def _rounded(polygon: Any) -> Any:
    return _wound([[(round(x, _PLACES), round(y, _PLACES)) for x, y in ring] for ring in polygon])


def _wound(rings: Any) -> list[Any]:
    """Rings as RFC 7946 winds them: the outer one against the clock, holes with it."""
    out = []
    for number, ring in enumerate(rings):
        x, y = np.transpose(ring)
        area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])
        out.append(list(ring) if (area > 0) == (number == 0) else list(ring)[::-1])
    return out
