"""Detections of many scenes in one file: GeoJSON, and GeoParquet where pyarrow is installed.

They are read and written scene by scene, so that an archive of them needs no more memory than its
richest scene.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from lren_tf.evaluation.detections import Detection
from lren_tf.runtime.files import atomic_path

_WHOLE = ("label", "pixels", "first_row", "first_column", "last_row", "last_column", "peak_row",
          "peak_column")  # fmt: skip
_GEOPARQUET = {
    "version": "1.1.0",
    "primary_column": "geometry",
    # Without a coordinate system it is longitude and latitude on WGS 84, as of GeoJSON.
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
}


class SceneDetections(NamedTuple):
    """A scene and the file of its detections.

    Attributes:
        scene: its name.
        time: when it was measured, or None.
        path: what `lren_tf.io.detections.write_geojson` wrote.
    """

    scene: str
    time: str | None
    path: Path


def write_geojson_of_scenes(
    path: str | os.PathLike[str], scenes: Iterable[SceneDetections]
) -> int:
    """Write the detections of all scenes as one GeoJSON file (RFC 7946).

    A feature is that of the scene's own file, with the properties ``scene`` and ``time`` in
    front.

    Returns:
        How many there are.

    Raises:
        InputError: the file cannot be written.
    """
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write('{\n"type": "FeatureCollection",\n"features": [')
        for scene in scenes:
            for feature in _features(scene):
                file.write(f"{',' if count else ''}\n{json.dumps(feature, allow_nan=False)}")
                count += 1
        file.write("\n]\n}\n")
    return count


def has_geoparquet() -> bool:
    """Return whether pyarrow is installed, which `write_geoparquet_of_scenes` needs."""
    return find_spec("pyarrow") is not None


def write_geoparquet_of_scenes(
    path: str | os.PathLike[str], scenes: Iterable[SceneDetections], evidence: Sequence[str] = ()
) -> None:
    """Write the detections of all scenes as one GeoParquet file (version 1.1.0).

    The columns are those of the CSV file of a scene with ``scene`` and ``time`` in front, and
    ``coordinates`` and ``geometry`` behind: a point in longitude and latitude as WKB, null where
    they are not known.

    Args:
        path: the file.
        scenes: their files of detections.
        evidence: names of the evidence, whose shares get a column each.

    Raises:
        InputError: the file cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    kinds = {name: pyarrow.int64() for name in _WHOLE}
    names = [field.name for field in fields(Detection) if field.name != "evidence"]
    names += [f"evidence_{name}" for name in evidence]
    schema = pyarrow.schema(
        [
            ("scene", pyarrow.string()),
            ("time", pyarrow.string()),
            *((name, kinds.get(name, pyarrow.float64())) for name in names),
            ("coordinates", pyarrow.string()),
            ("geometry", pyarrow.binary()),
        ],
        metadata={"geo": json.dumps(_GEOPARQUET)},
    )
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for scene in scenes:
            rows = [
                {**feature["properties"], "geometry": _wkb(feature["geometry"])}
                for feature in _features(scene)
            ]
            if rows:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def _features(scene: SceneDetections) -> Iterator[dict[str, Any]]:
    for feature in json.loads(scene.path.read_text("ascii"))["features"]:
        own = {"scene": scene.scene, "time": scene.time}
        yield {**feature, "properties": {**own, **feature["properties"]}}


def _wkb(point: dict[str, Any] | None) -> bytes | None:
    """Well-known binary, little-endian, of a point."""
    return None if point is None else struct.pack("<BIdd", 1, 1, *point["coordinates"])
