"""Lists of detections as a table and as points on a map."""

from __future__ import annotations

import ast
import csv
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lren_tf.errors import InputError
from lren_tf.evaluation.detections import Detection, find_detections
from lren_tf.io.detections import write_csv, write_geojson
from tests.evaluation.test_detections import SCORE, UTM


def utm_wkt(code: int = 32633) -> str:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")
    return rasterio.crs.CRS.from_epsg(code).to_wkt()


WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'AUTHORITY["EPSG","4326"]]'
)
WGS84_2 = 'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984"],ID["EPSG",4326]]\n'


def attributes(detection: Detection) -> dict:
    """What a list says of a detection without evidence and bands."""
    left_out = ("evidence", "bands")
    return {name: value for name, value in vars(detection).items() if name not in left_out}


class TestTable:
    def test_one_row_for_each(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        write_csv(tmp_path / "a.csv", listed)
        rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="ascii", newline="")))
        assert {row.pop("status") for row in rows} == {""}  # for a person to fill
        assert [{k: ast.literal_eval(v) for k, v in row.items()} for row in rows] == [
            attributes(one) for one in listed
        ]

    def test_empty_cells_without_coordinates(self, tmp_path):
        write_csv(tmp_path / "a.csv", find_detections(SCORE, 5.0).listed)
        assert (tmp_path / "a.csv").read_bytes() == (
            b"label,pixels,row,column,first_row,first_column,last_row,last_column,peak_score,"
            b"peak_row,peak_column,mean_score,stripe,x,y,status\n"
            b"1,1,0.0,5.0,0,5,0,5,9.0,0,5,9.0,False,,,\n"
        )

    def test_no_detection_is_a_header(self, tmp_path):
        write_csv(tmp_path / "a.csv", [])
        assert (tmp_path / "a.csv").read_text().count("\n") == 1


class TestGeoJson:
    """RFC 7946: points in longitude and latitude on WGS 84, or no geometry."""

    def written(self, tmp_path: Path, listed: list[Detection], crs: str | None = None) -> dict:
        write_geojson(tmp_path / "a.geojson", listed, crs)
        collection = json.loads((tmp_path / "a.geojson").read_text("ascii"))
        assert set(collection) == {"type", "features"}
        assert collection["type"] == "FeatureCollection"
        for feature, one in zip(collection["features"], listed, strict=True):
            assert feature["type"] == "Feature"
            properties = feature["properties"]
            assert {k: v for k, v in properties.items() if k != "coordinates"} == attributes(one)
            if feature["geometry"] is not None:
                assert feature["geometry"]["type"] == "Point"
                longitude, latitude = feature["geometry"]["coordinates"]
                assert -180 <= longitude <= 180 and -90 <= latitude <= 90
        return collection

    def points(self, collection: dict) -> list[list[float] | None]:
        places = [feature["geometry"] for feature in collection["features"]]
        return [None if place is None else place["coordinates"] for place in places]

    def kind(self, collection: dict) -> str:
        (kind,) = {feature["properties"]["coordinates"] for feature in collection["features"]}
        return kind

    def test_without_a_place_there_are_no_points(self, tmp_path):
        listed = find_detections(SCORE, 1.0).listed
        for crs in (None, utm_wkt()):
            collection = self.written(tmp_path, listed, crs)
            assert self.points(collection) == [None] * len(listed)
            assert self.kind(collection).startswith("column, row (pixels")

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
        properties = collection["features"][0]["properties"]
        assert (properties["x"], properties["y"]) == (500_165.0, 4_999_985.0)

    @pytest.mark.parametrize("crs", [WGS84, WGS84_2])
    def test_wgs84_is_left_as_it_is(self, crs, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "rasterio", None)  # it is not needed
        listed = find_detections(SCORE, 1.0, transform=(0.1, 0, 10, 0, -0.1, 50)).listed
        collection = self.written(tmp_path, listed, crs)
        assert self.points(collection) == [[one.x, one.y] for one in listed]
        assert self.kind(collection) == "longitude, latitude (WGS 84)"

    @pytest.mark.parametrize(
        ("start", "expected"),
        [(203.5, -156.5), (-190.0, 170.0), (359.0, -1.0), (-179.0, -179.0), (539.0, 179.0)],
    )
    @pytest.mark.parametrize("code", [4326, 4269, 4979])
    def test_longitudes_are_wrapped(self, tmp_path, start, expected, code):
        listed = find_detections(SCORE, 1.0, transform=(1e-4, 0, start, 0, -1e-4, 20)).listed
        points = self.points(self.written(tmp_path, listed, utm_wkt(code)))
        for (longitude, latitude), one in zip(points, listed, strict=True):
            assert longitude == pytest.approx(expected + one.x - start, abs=1e-5)
            assert latitude == pytest.approx(one.y, abs=1e-5)

    def test_a_scene_across_the_antimeridian(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(0.1, 0, 179.75, 0, -0.1, 20)).listed
        points = self.points(self.written(tmp_path, listed, WGS84))
        assert any(point[0] < 0 for point in points) or any(one.x > 180 for one in listed) is False
        for (longitude, _), one in zip(points, listed, strict=True):
            assert longitude == pytest.approx(one.x if one.x <= 180 else one.x - 360)

    def test_a_utm_zone_across_it(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(3e4, 0, 7.2e5, 0, -3e4, 2e6)).listed
        points = self.points(self.written(tmp_path, listed, utm_wkt(32660)))
        assert min(abs(longitude) for longitude, _ in points) > 170

    def test_latitudes_beyond_the_poles(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(10, 0, 500000, 0, -10, 4000000)).listed
        with pytest.warns(UserWarning, match="latitudes beyond the poles"):
            assert set(self.points(self.written(tmp_path, listed, WGS84))) == {None}

    def test_without_rasterio_there_are_no_points(self, tmp_path, monkeypatch):
        crs = 'PROJCS["x",GEOGCS["y",AUTHORITY["EPSG","4326"]],AUTHORITY["EPSG","32633"]]'
        monkeypatch.setitem(sys.modules, "rasterio", None)
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        with pytest.warns(UserWarning, match=r"rasterio.* is not installed \(pip install"):
            collection = self.written(tmp_path, listed, crs)
        assert set(self.points(collection)) == {None}
        assert self.kind(collection) == "x, y in the scene's coordinate reference system"

    @pytest.mark.parametrize("crs", ["nonsense", ""])
    def test_a_system_that_nobody_knows(self, crs, tmp_path):
        pytest.importorskip("rasterio", reason="rasterio is not installed")
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        with pytest.warns(UserWarning, match="it cannot be transformed") as noted:
            collection = self.written(tmp_path, listed, crs)
        assert len(noted) == 1
        assert set(self.points(collection)) == {None}

    def test_where_the_system_does_not_reach(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(1e9, 0, 1e12, 0, 1e9, 1e12)).listed
        with pytest.warns(UserWarning, match="have no points"):
            assert set(self.points(self.written(tmp_path, listed, utm_wkt()))) == {None}

    def test_a_place_without_a_system(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=UTM).listed
        with pytest.warns(UserWarning, match="the system of their x and y is not known"):
            collection = self.written(tmp_path, listed)
        assert set(self.points(collection)) == {None}
        assert "unknown" in self.kind(collection)

    def test_detections_of_which_some_have_a_position(self, tmp_path):
        listed = find_detections(SCORE, 1.0, transform=(0.1, 0, 10, 0, -0.1, 50)).listed
        listed[0] = replace(listed[0], x=None, y=None)
        points = self.points(self.written(tmp_path, listed, WGS84))
        assert points[0] is None and None not in points[1:]


def test_an_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for write in (write_csv, write_geojson):
        with pytest.raises(InputError, match="No space"):
            write(tmp_path / "a", find_detections(SCORE, 1.0).listed)
    assert list(tmp_path.iterdir()) == []
