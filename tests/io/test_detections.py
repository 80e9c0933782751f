"""Lists of detections as a table and as points on a map."""

from __future__ import annotations

import ast
import csv
import json
import math
import os
import sys
from pathlib import Path

import pytest

from lren_tf.errors import InputError
from lren_tf.evaluation.detections import Detection, find_detections
from lren_tf.io.detections import write_csv, write_geojson
from tests.evaluation.test_detections import SCORE, UTM


def utm_wkt(code: int = 32633) -> str:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")
    return rasterio.crs.CRS.from_epsg(code).to_wkt()


class TestTable:
    def test_one_row_for_each(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        write_csv(tmp_path / "a.csv", listed)
        rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="ascii", newline="")))
        assert [{k: ast.literal_eval(v) for k, v in row.items()} for row in rows] == [
            one.__dict__ for one in listed
        ]

    def test_empty_cells_without_coordinates(self, tmp_path):
        write_csv(tmp_path / "a.csv", find_detections(SCORE, 5.0).listed)
        assert (tmp_path / "a.csv").read_bytes() == (
            b"label,pixels,row,column,first_row,first_column,last_row,last_column,peak_score,"
            b"peak_row,peak_column,mean_score,x,y\n1,1,0.0,5.0,0,5,0,5,9.0,0,5,9.0,,\n"
        )

    def test_no_detection_is_a_header(self, tmp_path):
        write_csv(tmp_path / "a.csv", [])
        assert (tmp_path / "a.csv").read_text().count("\n") == 1


class TestGeoJson:
    def written(self, tmp_path: Path, listed: list[Detection], crs: str | None = None) -> dict:
        write_geojson(tmp_path / "a.geojson", listed, crs)
        collection = json.loads((tmp_path / "a.geojson").read_text("ascii"))
        assert collection["type"] == "FeatureCollection"
        assert {feature["type"] for feature in collection["features"]} <= {"Feature"}
        assert {feature["geometry"]["type"] for feature in collection["features"]} <= {"Point"}
        return collection

    def points(self, collection: dict) -> list[list[float]]:
        return [feature["geometry"]["coordinates"] for feature in collection["features"]]

    def kind(self, collection: dict) -> str:
        (kind,) = {feature["properties"]["coordinates"] for feature in collection["features"]}
        return kind

    def test_without_a_place_they_are_pixels(self, tmp_path):
        listed = find_detections(SCORE, 1.0).listed
        collection = self.written(tmp_path, listed)
        assert self.points(collection) == [[one.column, one.row] for one in listed]
        assert self.kind(collection).startswith("column, row (pixels")
        assert "crs" not in collection
        properties = collection["features"][1]["properties"]
        assert {k: v for k, v in properties.items() if k != "coordinates"} == listed[1].__dict__

    def test_no_detection_is_an_empty_collection(self, tmp_path):
        assert self.written(tmp_path, [])["features"] == []
        assert self.written(tmp_path, [], 'GEOGCS["x",AUTHORITY["EPSG","4326"]]')["features"] == []

    def test_longitude_and_latitude(self, tmp_path):
        crs = utm_wkt()
        collection = self.written(tmp_path, find_detections(SCORE, 1.0, transform=UTM).listed, crs)
        # The zone's central meridian is 15° east; x is 500165 m, 165 m east of it.
        longitude, latitude = self.points(collection)[0]
        metres = 165 / 0.9996
        assert longitude == pytest.approx(
            15 + metres / (111_320 * math.cos(math.radians(latitude))), abs=1e-5
        )
        assert latitude == pytest.approx(45.153, abs=0.01)
        assert self.kind(collection) == "longitude, latitude (WGS 84)"
        assert "crs" not in collection
        properties = collection["features"][0]["properties"]
        assert (properties["x"], properties["y"]) == (500_165.0, 4_999_985.0)

    @pytest.mark.parametrize(
        "crs",
        [
            'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
            'AUTHORITY["EPSG","4326"]]',
            'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984"],ID["EPSG",4326]]\n',
        ],
    )
    def test_wgs84_is_left_as_it_is(self, crs, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "rasterio", None)  # it is not needed
        listed = find_detections(SCORE, 1.0, transform=(0.1, 0, 10, 0, -0.1, 50)).listed
        collection = self.written(tmp_path, listed, crs)
        assert self.points(collection) == [[one.x, one.y] for one in listed]
        assert self.kind(collection) == "longitude, latitude (WGS 84)"

    def test_without_rasterio_they_stay_in_the_scenes_system(self, tmp_path, monkeypatch):
        crs = 'PROJCS["x",GEOGCS["y",AUTHORITY["EPSG","4326"]],AUTHORITY["EPSG","32633"]]'
        monkeypatch.setitem(sys.modules, "rasterio", None)
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        with pytest.warns(UserWarning, match=r"rasterio is not installed \(pip install"):
            collection = self.written(tmp_path, listed, crs)
        assert self.points(collection) == [[one.x, one.y] for one in listed]
        assert self.kind(collection) == "x, y in the scene's coordinate reference system"
        name = collection["crs"]["properties"]["name"]
        assert (collection["crs"]["type"], name) == ("name", "urn:ogc:def:crs:EPSG::32633")

    @pytest.mark.parametrize("crs", ["nonsense", ""])
    def test_a_system_that_nobody_knows(self, crs, tmp_path):
        pytest.importorskip("rasterio", reason="rasterio is not installed")
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        with pytest.warns(UserWarning, match="it cannot be transformed") as noted:
            collection = self.written(tmp_path, listed, crs)
        assert len(noted) == 1
        assert self.points(collection) == [[one.x, one.y] for one in listed]
        assert collection["crs"]["properties"]["name"] == crs

    def test_where_the_system_does_not_reach(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(1e9, 0, 1e12, 0, 1e9, 1e12)).listed
        with pytest.warns(UserWarning, match="coordinate reference system"):
            collection = self.written(tmp_path, listed, utm_wkt())
        assert self.points(collection) == [[one.x, one.y] for one in listed]

    def test_a_place_without_a_system(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        collection = self.written(tmp_path, listed)
        assert self.points(collection) == [[one.x, one.y] for one in listed]
        assert "unknown" in self.kind(collection)

    def test_a_system_without_a_place_is_of_no_use(self, tmp_path):
        listed = find_detections(SCORE, 1.0).listed
        collection = self.written(tmp_path, listed, utm_wkt())
        assert self.points(collection) == [[one.column, one.row] for one in listed]


def test_an_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for write in (write_csv, write_geojson):
        with pytest.raises(InputError, match="No space"):
            write(tmp_path / "a", find_detections(SCORE, 1.0).listed)
    assert list(tmp_path.iterdir()) == []
