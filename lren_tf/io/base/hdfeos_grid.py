"""Place of an array of an HDF-EOS5 grid, from the text that lies in `StructMetadata.0`.

Grids in longitude and latitude and in UTM on WGS 84 are understood. Source: HDF-EOS interface
based on HDF5, volume 1 (NASA 175-EMD-001), chapters 4 and 6; GCTP's projection parameters.
"""

from __future__ import annotations

import math
import re

import h5py
import numpy as np

from lren_tf.data.georeference import Georeference, Transform
from lren_tf.io.base.cf_grid import Place
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.base.hdf5_nodes import array_at

_GRIDS = re.compile(r"/HDFEOS/GRIDS/([^/]+)/Data Fields/([^/]+)$")
_METADATA = "HDFEOS INFORMATION/StructMetadata.0"
_LONGEST_TEXT = 1 << 20
_WGS84_SPHERE = 12
"""GCTP's code of the ellipsoid of WGS 84."""


def hdfeos_place(hdf: h5py.File, node: h5py.Dataset) -> Place:
    """The place of an array of a grid; `Place()` for any other array."""
    found = _GRIDS.search(str(node.name))
    if found is None:
        return Place()
    said = _entries(_structure(hdf), found[1])
    if said is None:
        return Place(problem="a grid of HDF-EOS that its StructMetadata.0 does not describe")
    columns, rows = _whole(said.get("XDim")), _whole(said.get("YDim"))
    axes = _axes(said.get(f"DimList of {found[2]}"), node.shape, rows, columns)
    if axes is None:
        return Place(problem="a grid of HDF-EOS that is not the size of the array")
    origin = said.get("GridOrigin", "HE5_HDFE_GD_UL")
    registration = said.get("PixelRegistration", "HE5_HDFE_CENTER")
    upper, lower = _point(said.get("UpperLeftPointMtrs")), _point(said.get("LowerRightMtrs"))
    if not origin.endswith("GD_UL") or not registration.endswith("CENTER"):
        return Place(axes=axes, problem=f"a grid of HDF-EOS counted by {origin}, {registration}")
    if upper is None or lower is None:
        return Place(axes=axes, problem="a grid of HDF-EOS without corners")
    projection = said.get("Projection", "none").removeprefix("HE5_")
    if projection == "GCTP_GEO":
        corners = [_degrees(number) for number in (*upper, *lower)]
        transform, code = _transform(corners, rows, columns), 4326
    elif projection == "GCTP_UTM" and _whole(said.get("SphereCode")) == _WGS84_SPHERE:
        zone = int(said.get("ZoneCode", "0"))
        if not 1 <= abs(zone) <= 60:
            return Place(axes=axes, problem=f"a grid of HDF-EOS in UTM zone {zone}")
        transform = _transform([*upper, *lower], rows, columns)
        code = (32600 if zone > 0 else 32700) + abs(zone)
    else:
        return Place(axes=axes, problem=f"a grid of HDF-EOS in the projection {projection}")
    if transform is None:
        return Place(axes=axes, problem="a grid of HDF-EOS whose corners span no image")
    return Place(Georeference(wkt_of_epsg(code), transform), axes)


def _structure(hdf: h5py.File) -> str:
    node = array_at(hdf, _METADATA)
    if node is None or node.shape not in ((), (1,)) or node.dtype.itemsize > _LONGEST_TEXT:
        return ""
    text = np.asarray(node[()]).ravel()[0]
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _entries(text: str, grid: str) -> dict[str, str] | None:
    """The entries of a grid of this name, `DimList` with the name of its field behind it."""
    for part in re.split(r"GROUP\s*=\s*GRID_\d+\s", text.split("GROUP=PointStructure")[0])[1::2]:
        entries: dict[str, str] = {}
        field = ""
        for line in part.splitlines():
            name, _, value = (piece.strip() for piece in line.partition("="))
            value = value.strip('"')
            if name == "DataFieldName":
                field = value
            entries.setdefault(f"{name} of {field}" if name == "DimList" else name, value)
        if entries.get("GridName") == grid:
            return entries
    return None


def _axes(
    listed: str | None, shape: tuple[int, ...], rows: int, columns: int
) -> tuple[int, int] | None:
    """The axes of rows and columns, by the names of a field's dimensions."""
    names = re.findall(r'"([^"]+)"', f'("{listed}")'.replace('""', '"')) if listed else []
    names = [name for name in names if name.strip("(), ")]
    if len(names) == len(shape) and "YDim" in names and "XDim" in names:
        axes = names.index("YDim"), names.index("XDim")
    elif len(set(shape)) == len(shape) and rows in shape and columns in shape:
        axes = shape.index(rows), shape.index(columns)
    else:
        return None
    return axes if (shape[axes[0]], shape[axes[1]]) == (rows, columns) else None


def _point(text: str | None) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in (text or "").strip("() ").split(","))
    except ValueError:
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def _degrees(packed: float) -> float:
    """GCTP's packed degrees, minutes and seconds, DDDMMMSSS.SS, as degrees."""
    number = abs(packed)
    degrees, rest = divmod(number, 1e6)
    minutes, seconds = divmod(rest, 1e3)
    return math.copysign(degrees + minutes / 60 + seconds / 3600, packed)


def _transform(corners: list[float], rows: int, columns: int) -> Transform | None:
    left, top, right, bottom = corners
    if not rows or not columns or left == right or top == bottom:
        return None
    return ((right - left) / columns, 0.0, left, 0.0, (bottom - top) / rows, top)


def _whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        return 0
