"""Detections of many scenes in one file: equal to those of the scenes, one after the other."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from pyarrow import parquet

from lren_tf.evaluation.detections import find_detections
from lren_tf.io.detections import write_geojson
from lren_tf.io.detections_of_scenes import (
    SceneDetections,
    has_geoparquet,
    write_geojson_of_scenes,
    write_geoparquet_of_scenes,
)

WGS84 = 'GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]]'


def scenes(tmp_path):
    rng = np.random.default_rng(3)
    found = []
    for number, time in enumerate(("2023-05-16T17:39:34Z", None, None)):
        score = rng.random((6, 5)) if number < 2 else np.zeros((6, 5))
        transform = (0.5, 0, 10, 0, -0.5, 45) if number == 0 else None
        listed = find_detections(score, 0.8, transform=transform).listed
        write_geojson(tmp_path / f"{number}.geojson", listed, WGS84 if number == 0 else None)
        found.append(SceneDetections(f"s{number}", time, tmp_path / f"{number}.geojson"))
    return found


def features(path):
    return json.loads(Path(path).read_text("ascii"))["features"]


def test_geojson(tmp_path):
    of_scenes = scenes(tmp_path)
    count = write_geojson_of_scenes(tmp_path / "all.geojson", of_scenes)
    whole = features(tmp_path / "all.geojson")
    assert len(whole) == count > 3
    for feature in whole:
        own = {name: feature["properties"].pop(name) for name in ("scene", "time")}
        assert own in [{"scene": s.scene, "time": s.time} for s in of_scenes[:2]]
    assert whole == [feature for s in of_scenes for feature in features(s.path)]
    assert whole[0]["geometry"]["type"] == "Point"
    assert whole[-1]["geometry"] is None


def test_no_detection(tmp_path):
    assert write_geojson_of_scenes(tmp_path / "all.geojson", scenes(tmp_path)[2:]) == 0
    assert features(tmp_path / "all.geojson") == []


def test_geoparquet_says_the_same(tmp_path):
    assert has_geoparquet()
    of_scenes = scenes(tmp_path)
    write_geojson_of_scenes(tmp_path / "all.geojson", of_scenes)
    write_geoparquet_of_scenes(tmp_path / "all.parquet", of_scenes, ["spectrum"])
    table = parquet.read_table(tmp_path / "all.parquet")
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["primary_column"] == "geometry"
    assert geo["columns"]["geometry"]["encoding"] == "WKB"
    rows, whole = table.to_pylist(), features(tmp_path / "all.geojson")
    assert len(rows) == len(whole)
    for row, feature in zip(rows, whole, strict=True):
        point = row.pop("geometry")
        if feature["geometry"] is None:
            assert point is None
        else:
            order, kind, x, y = struct.unpack("<BIdd", point)
            assert (order, kind, [x, y]) == (1, 1, feature["geometry"]["coordinates"])
        assert row.pop("evidence_spectrum") is None
        assert row.pop("bands") is None  # the detections of these scenes are not explained
        assert row == feature["properties"]


def test_geoparquet_of_none(tmp_path):
    write_geoparquet_of_scenes(tmp_path / "all.parquet", [])
    assert parquet.read_table(tmp_path / "all.parquet").num_rows == 0
