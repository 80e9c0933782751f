"""Results of a scene as items of a SpatioTemporal Asset Catalog (STAC 1.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.io.base.crs import understood_crs
from lren_tf.io.base.optional import needs
from lren_tf.version import __version__

_ASSETS = {
    # ending of a file's name: media type, roles
    ".tif": ("image/tiff; application=geotiff; profile=cloud-optimized", ["data"]),
    ".npy": ("application/octet-stream", ["data"]),
    ".geojson": ("application/geo+json", ["data"]),
    ".gpkg": ("application/geopackage+sqlite3", ["data"]),
    ".csv": ("text/csv", ["data"]),
    ".html": ("text/html", ["overview"]),
    ".png": ("image/png", ["thumbnail"]),
    ".json": ("application/json", ["metadata"]),
    ".qml": ("application/xml", ["metadata"]),
    ".sli": ("application/octet-stream", ["data"]),
    ".hdr": ("text/plain", ["metadata"]),
}


def check_stac(georeference: Georeference | None) -> None:
    """Refuse what an item cannot be made of.

    Args:
        georeference: of the maps, or None.

    Raises:
        InputError: no coordinate system and grid, one that is not understood, or rio-stac or
            pystac is not installed.
    """
    check_stac_installed()
    place = georeference
    if place is None or place.transform is None or understood_crs(place.crs) is None:
        raise InputError(
            "--stac was given for a scene without a coordinate reference system and a map grid; "
            "expected a georeferenced scene, leave --stac out."
        )


def check_stac_installed() -> None:
    """Refuse at once what writing an item would refuse.

    Raises:
        InputError: pystac or rio-stac is not installed.
    """
    for package in ("pystac", "rio_stac"):
        with needs(package.replace("_", "-"), "writing a STAC item", "stac"):
            __import__(package)


def write_stac_item(
    path: Path,
    raster: Path,
    files: Mapping[str, Path],
    *,
    name: str,
    acquired: str | None,
    properties: Mapping[str, Any],
) -> None:
    """Write the item of a scene's results; not atomic, so pass a temporary path.

    Args:
        path: the file.
        raster: the GeoTIFF of the score, where it lies now.
        files: by name the files that become assets, as they will be called beside the item.
        name: of the item.
        acquired: when the scene was acquired, a day or a time of ISO 8601, in UTC without a zone;
            None, or what cannot be read, for now, with a property that says so.
        properties: further ones.
    """
    import rio_stac

    time = _time(acquired)
    when = {} if time is not None else {"lren_tf:datetime": "of the run, not of the scene"}
    item = rio_stac.create_stac_item(
        str(raster),
        input_datetime=time or datetime.now(timezone.utc),
        id=name,
        asset_name="score",
        asset_href="placeholder",
        asset_roles=["data"],
        with_proj=True,
        with_raster=True,
        properties={**properties, **when, "lren_tf:version": __version__},
    )
    record = item.to_dict(include_self_link=False)
    record["links"] = []
    record["assets"] = {what: _asset(what, file, record["assets"]) for what, file in files.items()}
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def stac_collection(
    items: Sequence[Mapping[str, Any]], hrefs: Sequence[str], *, name: str, description: str
) -> dict[str, Any]:
    """Return the collection of several items.

    Args:
        items: as `write_stac_item` writes them.
        hrefs: where each lies, as seen from the collection.
        name: of the collection.
        description: of the collection.

    Raises:
        InputError: no item, or pystac is not installed.
    """
    check_stac_installed()
    if not items:
        raise InputError("no item was given; expected at least one for a collection.")
    boxes = [item["bbox"] for item in items]
    times = sorted(item["properties"]["datetime"] for item in items)
    box = [min(each[0] for each in boxes), min(each[1] for each in boxes),
           max(each[2] for each in boxes), max(each[3] for each in boxes)]  # fmt: skip
    return {
        "type": "Collection",
        "stac_version": items[0]["stac_version"],
        "id": name,
        "description": description,
        "license": "other",
        "extent": {
            "spatial": {"bbox": [box]},
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "links": [
            {"rel": "item", "href": href, "type": "application/geo+json"} for href in hrefs
        ],
    }


def _time(text: str | None) -> datetime | None:
    try:
        # Python 3.10 does not know the Z.
        found = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    zoned = found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
    return zoned.astimezone(timezone.utc)


def _asset(what: str, file: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    kind, roles = _ASSETS.get(file.suffix, ("application/octet-stream", ["data"]))
    found = made["score"] if what == "score_tif" else {}
    return {**found, "href": f"./{file.name}", "type": kind, "roles": roles,
            "title": what.replace("_", " ")}  # fmt: skip
