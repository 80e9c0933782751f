"""Georeference of an ENVI image: the entries of its header, read and written.

Of a scene that was read from an ENVI header the entries go back as they were. For any other GDAL
makes them: it knows the names that ENVI has for projections and datums.
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from lren_tf.data.georeference import Georeference, Transform
from lren_tf.io.base.crs import understood_crs, wkt_of_epsg
from lren_tf.io.base.failures import reading
from lren_tf.io.base.optional import needs
from lren_tf.io.formats.envi_header import as_number

Header = dict[str, "str | list[str]"]
"""Entries of a header: names in lower case, lists for what braces enclose."""

_ENTRIES = (
    "map info", "coordinate system string", "projection info", "pixel size", "geo points",
    "x start", "y start",
)  # fmt: skip
# Of the size of a pixel: by this much the numbers in a header may differ from what they say.
_TOLERANCE = 1e-6


def georeference_of(file: Path, header: Header) -> Georeference | None:
    """Georeference of a header, with the entries that describe it as they were read.

    GDAL reads them, if rasterio is installed; where the reading of this module differs, neither
    is claimed. A `UserWarning` says what is not.
    """
    entries = {entry: header[entry] for entry in _ENTRIES if entry in header}
    if not entries.keys() - {"x start", "y start"}:  # which only say what was cut out of what
        if "rpc info" in header:
            _not_claimed(file, "it has rational polynomials (rpc info) and no 'map info'")
        return None
    system = entries.get("coordinate system string")
    # A list, because braces enclose it and commas part it.
    crs = ",".join(system) if isinstance(system, list) else system
    info = entries.get("map info")
    transform = None
    if isinstance(info, list):
        own = _transform(info)
        by_gdal, crs_of_gdal = _of_gdal(entries)
        half_turn = own is not None and _turned(info) in (180.0, -180.0)
        if own is None:
            _not_claimed(file, "'map info' is not understood")
        elif by_gdal is None:
            transform = None if half_turn else own
        elif _same(own, by_gdal):
            transform = by_gdal
        elif half_turn and _keeps_tie_point(by_gdal, info):
            transform = by_gdal
            warnings.warn(
                f"{file.name}: 'rotation={_turned(info):g}' in 'map info' is read as GDAL writes "
                "it, an image whose first row is the southernmost; ENVI would turn the image.",
                stacklevel=3,
            )
        else:
            _not_claimed(file, "GDAL and this reader understand 'map info' differently")
        if not crs and crs_of_gdal and transform is not None and not _has_datum(info):
            datum = re.search(r'DATUM\["([^"]+)"', crs_of_gdal)
            name = "its own" if datum is None else datum[1].replace("_", " ")
            warnings.warn(
                f"{file.name}: 'map info' names no datum; GDAL's choice, {name}, is taken.",
                stacklevel=3,
            )
        # A text with a code of EPSG is what others know a system by; GDAL's has none for what
        # 'map info' alone describes.
        if _with_code(crs_of_gdal):
            crs = crs_of_gdal
        elif not crs:
            crs = (None if _in_feet(info) else _crs_of(info)) or crs_of_gdal
        if transform is not None and _in_feet(info) and not _has_feet(crs):
            _not_claimed(file, "'map info' is in feet, and its coordinate reference system is not")
            transform = None
    elif "geo points" in entries:
        _not_claimed(file, "it has corners (geo points) and no 'map info'")
    return Georeference(crs or None, transform, entries)


def _not_claimed(file: Path, why: str) -> None:
    warnings.warn(f"{file.name}: {why}; the scene has no coordinates.", stacklevel=4)


def with_entries(georeference: Georeference) -> Georeference | None:
    """A georeference with the entries of a header that say it, if it has none yet.

    None where `map info` cannot describe how the pixels lie: sheared, mirrored, some that are
    turned, or without a coordinate system. A `UserWarning` says so.

    Raises:
        InputError: rasterio is needed and not installed.
    """
    if georeference.envi or georeference.transform is None:
        return georeference
    with needs("rasterio", "writing the coordinates of another format into an ENVI header"):
        entries, by_gdal = _by_gdal(georeference.crs, georeference.transform)
    info = entries.get("map info")
    by_us = _transform(info) if isinstance(info, list) else None
    if _same(by_gdal, georeference.transform) and _same(by_us, georeference.transform):
        return replace(georeference, envi=entries)
    warnings.warn(
        "an ENVI header cannot say how these pixels lie on the map (sheared, mirrored, turned in "
        "a way of their own, or without a coordinate reference system): the ENVI map has no "
        "coordinates; write a GeoTIFF to keep them.",
        stacklevel=2,
    )
    return None


def entries_of(georeference: Georeference | None) -> dict[str, str]:
    """The entries of a georeference as they stand in a header; empty where it has none."""
    if georeference is None or georeference.envi is None:
        return {}
    return _texts(dict(georeference.envi))


def _by_gdal(crs: str | None, transform: Transform) -> tuple[Header, Transform]:
    """The entries that GDAL writes for a georeference, and what it reads from them again."""
    import rasterio
    from rasterio.transform import Affine
    from spectral.io import envi

    system = understood_crs(crs)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Else what the header cannot say goes into a file of GDAL's own.
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        file = Path(folder, "place.img")
        profile = {"width": 1, "height": 1, "count": 1, "dtype": "uint8"}
        with rasterio.open(
            file, "w", driver="ENVI", crs=system, transform=Affine(*transform), **profile
        ):
            pass
        header = envi.read_envi_header(str(file.with_suffix(".hdr")))
        with rasterio.open(file, driver="ENVI") as image:
            understood = tuple(image.transform)[:6]
    return {name: header[name] for name in _ENTRIES if name in header}, understood


def _of_gdal(entries: Header) -> tuple[Transform | None, str | None]:
    """Transform and WKT that GDAL reads from entries; None without rasterio, or for none."""
    try:
        import rasterio
    except ImportError:
        return None, None
    image = {"samples": "4", "lines": "4", "bands": "1", "data type": "1", "interleave": "bsq",
             "byte order": "0"}  # fmt: skip
    lines = [f"{name} = {value}" for name, value in image.items()]
    lines += [f"{name} = {value}" for name, value in _texts(entries).items()]
    with (
        tempfile.TemporaryDirectory() as folder,
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
        reading(Path("map info"), "place"),
    ):
        file = Path(folder, "place.img")
        file.write_bytes(bytes(16))  # GDAL opens no file of a single byte
        file.with_suffix(".hdr").write_text("\n".join(["ENVI", *lines, ""]), encoding="utf-8")
        try:
            with rasterio.open(file, driver="ENVI") as opened:
                crs = None if opened.crs is None else opened.crs
                placed = crs is not None and (crs.is_projected or crs.is_geographic)
                return tuple(opened.transform)[:6], crs.to_wkt() if crs and placed else None
        except Exception:  # GDAL's own errors, which have no class in common
            return None, None


def _with_code(crs: str | None) -> bool:
    """Return whether a WKT as a whole has the code of an authority."""
    return crs is not None and bool(re.search(r'AUTHORITY\["\w+",\s*"?\d+"?\]\s*\]\s*$', crs))


def _texts(entries: Header) -> dict[str, str]:
    """Entries as they stand in a header."""
    # WKT is one text, which the reader of headers parts at its commas.
    commas = {"coordinate system string": ","}
    return {
        name: value if isinstance(value, str) else "{" + commas.get(name, ", ").join(value) + "}"
        for name, value in entries.items()
    }


def _turned(info: list[str]) -> float:
    """The rotation of `map info` in degrees."""
    found = [part.split("=")[1] for part in info if part.lower().startswith("rotation")]
    try:
        return float(found[0]) if found else 0.0
    except ValueError:
        return 0.0


def _has_datum(info: list[str]) -> bool:
    """Return whether a datum follows: more than numbers, hemisphere, units and rotation."""
    words = [word.strip().lower() for word in info[7:]]
    return any(
        word and "=" not in word and word not in ("north", "south") and as_number(word) is None
        for word in words
    )


def _keeps_tie_point(transform: Transform, info: list[str]) -> bool:
    """Return whether a transform puts the tie point of `map info` where `map info` says it lies."""
    column, row, x, y = (float(value) for value in info[1:5])
    a, b, c, d, e, f = transform
    there = a * (column - 1) + b * (row - 1) + c, d * (column - 1) + e * (row - 1) + f
    step = max(map(abs, (a, b, d, e)))
    return math.hypot(there[0] - x, there[1] - y) <= _TOLERANCE * step


def _in_feet(info: list[str]) -> bool:
    units = [part.split("=")[-1].strip().lower() for part in info if "units" in part.lower()]
    return any("feet" in unit or "foot" in unit for unit in units)


def _has_feet(crs: str | None) -> bool:
    return crs is None or bool(re.search(r"feet|foot|ftus|us survey", crs, re.IGNORECASE))


def _same(found: Transform | None, expected: Transform) -> bool:
    a, b, _, d, e, _ = expected
    largest = _TOLERANCE * max(map(abs, (a, b, d, e)))
    return found is not None and bool(np.allclose(found, expected, rtol=1e-12, atol=largest))


def _transform(info: list[str]) -> Transform | None:
    """The affine numbers of `map info`: name, tie point, its coordinates, pixel size, ...

    The tie point counts from 1, where 1 is the outer corner of the first pixel; a rotation is
    in degrees, counter-clockwise.
    """
    if info[0].strip().lower() == "arbitrary":
        return None
    try:
        column, row, x, y, wide, high = (float(value) for value in info[1:7])
        turned = [part.split("=")[1] for part in info if part.lower().startswith("rotation")]
        angle = math.radians(float(turned[0])) if turned else 0.0
    except (ValueError, IndexError):
        return None
    a, d = wide * math.cos(angle), wide * math.sin(angle)
    b, e = high * math.sin(angle), -high * math.cos(angle)
    across, down = column - 1, row - 1
    numbers = (a, b, x - a * across - b * down, d, e, y - d * across - e * down)
    return numbers if all(map(math.isfinite, numbers)) and wide and high else None


def _crs_of(info: list[str]) -> str | None:
    """WKT of the two systems that `map info` names completely, if rasterio is installed."""
    words = [word.strip().lower() for word in info]
    code = None
    if "wgs-84" in words or "wgs84" in words:
        if words[0].startswith("geographic"):
            code = 4326
        elif words[0] == "utm" and len(words) > 8 and words[7].isdigit():
            zone = int(words[7])
            code = (32600 if words[8] == "north" else 32700) + zone if 0 < zone <= 60 else None
    return None if code is None else wkt_of_epsg(code)
