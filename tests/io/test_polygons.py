"""Masks made of GeoJSON polygons."""

import json

import h5py
import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.polygons import polygon_mask
from tests.io.products import cube, write_emit, write_geotiff

rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")
from rasterio import features, warp  # noqa: E402
from rasterio.transform import Affine, from_origin  # noqa: E402

HEIGHT, WIDTH = 20, 16
UTM = "EPSG:32633"
GRIDS = {
    "north up": (UTM, from_origin(500000.0, 4000000.0, 30.0, 20.0)),
    "south up": (UTM, Affine(30.0, 0.0, 500000.0, 0.0, 20.0, 4000000.0)),
    "rotated": (UTM, from_origin(5e5, 4e6, 30.0, 20.0) @ Affine.rotation(25.0)),
    "NAD27": ("EPSG:26711", from_origin(444720.0, 3751320.0, 20.0, 20.0)),
    "polar": ("EPSG:3031", from_origin(-1e6, 1.2e6, 500.0, 500.0)),
    "lon lat": ("EPSG:4326", from_origin(10.5, 50.25, 0.001, 0.002)),
    "across 180": ("EPSG:4326", from_origin(179.99, -17.5, 0.001, 0.001)),
    "to 360": ("EPSG:4326", from_origin(203.5, 20.0, 0.001, 0.001)),
    "UTM across 180": ("EPSG:32660", from_origin(808000.0, 1900000.0, 900.0, 900.0)),
}
# In columns and rows of the image: a shape with a bay, and a hole in it.
OUTER = [(2.2, 3.1), (12.7, 2.3), (13.9, 16.4), (7.3, 9.2), (3.4, 17.7), (2.2, 3.1)]
HOLE = [(5.1, 5.2), (8.3, 5.4), (6.6, 7.9), (5.1, 5.2)]


def place(name):
    crs, grid = GRIDS[name]
    return Georeference(rasterio.crs.CRS.from_user_input(crs).to_wkt(), tuple(grid)[:6])


def on_map(name, ring):
    a, b, c, d, e, f = tuple(GRIDS[name][1])[:6]
    return [(a * x + b * y + c, d * x + e * y + f) for x, y in ring]


def in_lonlat(name, ring):
    longitudes, latitudes = warp.transform(
        GRIDS[name][0], "EPSG:4326", *zip(*on_map(name, ring), strict=True)
    )
    return [[(x + 180) % 360 - 180, y] for x, y in zip(longitudes, latitudes, strict=True)]


def expected():
    shape = {"type": "Polygon", "coordinates": [OUTER, HOLE]}
    return features.rasterize([shape], (HEIGHT, WIDTH), transform=Affine.identity()) == 1


def save(path, geometry, **members):
    path.write_text(json.dumps({**geometry, **members}))
    return path


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [list(map(list, ring)) for ring in rings]}


def feature(geometry):
    return {"type": "Feature", "properties": {}, "geometry": geometry}


class TestInside:
    @pytest.mark.parametrize("name", [n for n in GRIDS if "180" not in n])
    def test_longitude_and_latitude(self, tmp_path, name):
        path = save(tmp_path / "a.geojson", polygon(in_lonlat(name, OUTER), in_lonlat(name, HOLE)))
        found = polygon_mask(path, place(name), HEIGHT, WIDTH)
        np.testing.assert_array_equal(found, expected())

    @pytest.mark.parametrize("name", GRIDS)
    @pytest.mark.parametrize("spelling", ["EPSG:{}", "urn:ogc:def:crs:EPSG::{}",
                                          "urn:ogc:def:crs:EPSG:9.8:{}"])  # fmt: skip
    def test_the_legacy_member(self, tmp_path, name, spelling):
        crs = spelling.format(GRIDS[name][0].split(":")[1])
        geometry = polygon(on_map(name, OUTER), on_map(name, HOLE))
        path = save(tmp_path / "a.geojson", geometry,
                    crs={"type": "name", "properties": {"name": crs}})  # fmt: skip
        np.testing.assert_array_equal(polygon_mask(path, place(name), HEIGHT, WIDTH), expected())

    @pytest.mark.parametrize("name", ["across 180", "UTM across 180"])
    def test_cut_at_180_degrees(self, tmp_path, name):
        """As RFC 7946 wants polygons that cross it."""
        whole = polygon([(x % 360, y) for x, y in in_lonlat(name, OUTER)])
        (ring,) = whole["coordinates"]
        assert min(x for x, _ in ring) < 180 < max(x for x, _ in ring)
        latitudes = [y for _, y in ring]
        south, north = min(latitudes) - 1, max(latitudes) + 1
        boxes = [
            polygon([(x, south), (180 * side, south), (180 * side, north), (x, north), (x, south)])
            for side, x in ((1, min(x for x, _ in ring)), (-1, max(x for x, _ in ring) - 360))
        ]
        path = save(tmp_path / "a.json", {
            "type": "MultiPolygon", "coordinates": [box["coordinates"] for box in boxes]
        })  # fmt: skip
        found = polygon_mask(path, place(name), HEIGHT, WIDTH)
        save(path, {"type": "MultiPolygon", "coordinates": [boxes[0]["coordinates"]]})
        west = polygon_mask(path, place(name), HEIGHT, WIDTH)
        save(path, {"type": "MultiPolygon", "coordinates": [boxes[1]["coordinates"]]})
        east = polygon_mask(path, place(name), HEIGHT, WIDTH)
        assert west.any() and east.any() and not (west & east).any()
        np.testing.assert_array_equal(found, west | east)

    @pytest.mark.parametrize("wrap", [
        lambda g: g,
        feature,
        lambda g: {"type": "FeatureCollection", "features": [feature(None), feature(g)]},
        lambda g: {"type": "GeometryCollection", "geometries": [g]},
        lambda g: {"type": "MultiPolygon", "coordinates": [g["coordinates"]]},
        lambda g: {"type": "FeatureCollection", "features": [
            feature({"type": "GeometryCollection", "geometries": [g]})], "name": "roi"},
    ])  # fmt: skip
    def test_wrappings(self, tmp_path, wrap):
        shape = polygon(in_lonlat("north up", OUTER), in_lonlat("north up", HOLE))
        path = save(tmp_path / "a.geojson", wrap(shape))
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        found = polygon_mask(path, place("north up"), HEIGHT, WIDTH)
        np.testing.assert_array_equal(found, expected())

    def test_the_whole_world(self, tmp_path):
        ring = [(-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)]
        path = save(tmp_path / "a.geojson", polygon(ring))
        for name in GRIDS:
            assert polygon_mask(path, place(name), HEIGHT, WIDTH).all()

    def test_positions_of_pixels(self, tmp_path):
        scene = write_emit(tmp_path / "a.nc", cube(6, 5, 7))
        with h5py.File(scene, "r+") as hdf:
            hdf.attrs["spatial_ref"] = rasterio.crs.CRS.from_epsg(4326).to_wkt()
        ring = [(10.005, 49.985), (10.035, 49.985), (10.035, 49.955), (10.005, 49.955),
                (10.005, 49.985)]  # fmt: skip
        valid = load_scene(scene, mask=save(tmp_path / "m.geojson", polygon(ring))).valid
        assert np.argwhere(valid).tolist() == [[r, c] for r in (2, 3, 4) for c in (1, 2, 3)]

    def test_rows_at_a_time(self, tmp_path, monkeypatch):
        monkeypatch.setattr("lren_tf.io.polygons._PIXELS_AT_A_TIME", 40)
        path = save(tmp_path / "a.geojson", polygon(in_lonlat("rotated", OUTER),
                                                    in_lonlat("rotated", HOLE)))  # fmt: skip
        np.testing.assert_array_equal(
            polygon_mask(path, place("rotated"), HEIGHT, WIDTH), expected()
        )


class TestCommand:
    @pytest.fixture(autouse=True)
    def _scene(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        crs, grid = GRIDS["north up"]
        write_geotiff(tmp_path / "s.tif", cube(HEIGHT, WIDTH, 4), crs=crs, transform=grid)
        save(tmp_path / "roi.geojson", polygon(in_lonlat("north up", OUTER)))

    def test_detect(self, tmp_path):
        assert main(["detect", "s.tif", "--detector", "rx", "--mask", "roi.geojson"]) == 0
        outline = {"type": "Polygon", "coordinates": [OUTER]}
        inside = features.rasterize([outline], (HEIGHT, WIDTH)) == 1
        np.testing.assert_array_equal(~np.isnan(np.load("s_score.npy")), inside)

    def test_one_sentence(self, tmp_path, capsys):
        save(tmp_path / "far.geojson", polygon([(0, 0), (1, 0), (1, 1), (0, 0)]))
        assert main(["detect", "s.tif", "--detector", "rx", "--mask", "far.geojson"]) == 2
        said = capsys.readouterr().err
        assert "no pixel of the scene has its centre in the polygons of far.geojson" in said
        assert "from 0, 0 to 1, 1; expected some between 15.0" in said and said.count("\n") == 1


class TestRefusals:
    ring = ([15.0, 36.1], [15.01, 36.1], [15.01, 36.2], [15.0, 36.1])

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is empty|no JSON"),
            ("{", "is no JSON"),
            ("[" * 100000, "is no JSON"),
            ("[]", "without a 'type'"),
            ('"Polygon"', "without a 'type'"),
            ('{"type": 3}', "without a 'type'"),
            ('{"type": "FeatureCollection"}', "FeatureCollection without a list"),
            ('{"type": "FeatureCollection", "features": []}', "holds no polygon"),
            ('{"type": "Feature", "geometry": null}', "holds no polygon"),
            ('{"type": "Point", "coordinates": [15, 36]}', "holds a Point"),
            ('{"type": "Topology"}', "holds a Topology"),
            ('{"type": "GeometryCollection", "geometries": [7]}', "holds a None"),
            ('{"type": "Polygon", "coordinates": []}', "without rings"),
            ('{"type": "Polygon"}', "without rings"),
            ('{"type": "MultiPolygon", "coordinates": 1}', "without coordinates"),
            ('{"type": "Polygon", "coordinates": [[1, 2]]}', "not a list of positions"),
            ('{"type": "Polygon", "coordinates": [[["a", "b"]]]}', "not a list of positions"),
            ('{"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,1]]]}', "not closed"),
            ('{"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,1],[0,1]]]}', "not closed"),
            ('{"type": "Polygon", "coordinates": [[[NaN,0],[1,0],[1,1],[NaN,0]]]}', "finite"),
            ('{"type": "Polygon", "coordinates": [[[5e5,4e6],[6e5,4e6],[6e5,5e6],[5e5,4e6]]]}',
             "the position 500000, 4000000; expected longitudes and latitudes, or a member 'crs'"),
        ],
    )  # fmt: skip
    def test_files(self, tmp_path, text, said):
        path = tmp_path / "a.geojson"
        path.write_text(text)
        with pytest.raises(InputError, match=said) as refusal:
            polygon_mask(path, place("north up"), HEIGHT, WIDTH)
        assert "\n" not in str(refusal.value)

    def test_bytes_that_are_no_text(self, tmp_path):
        (tmp_path / "a.geojson").write_bytes(b"\xff\xfe\x00{")
        with pytest.raises(InputError, match="is no JSON"):
            polygon_mask(tmp_path / "a.geojson", place("north up"), HEIGHT, WIDTH)

    @pytest.mark.parametrize("crs", [{}, {"type": "link"}, {"properties": {"name": 3}}, "x"])
    def test_a_member_without_a_name(self, tmp_path, crs):
        path = save(tmp_path / "a.geojson", polygon(self.ring), crs=crs)
        with pytest.raises(InputError, match="a member 'crs' without a name"):
            polygon_mask(path, place("north up"), HEIGHT, WIDTH)

    def test_an_unknown_system(self, tmp_path):
        crs = {"type": "name", "properties": {"name": "EPSG:999999"}}
        path = save(tmp_path / "a.geojson", polygon(self.ring), crs=crs)
        with pytest.raises(InputError, match="cannot be laid over the scene"):
            polygon_mask(path, place("north up"), HEIGHT, WIDTH)

    @pytest.mark.parametrize(
        ("where", "said"),
        [(None, "says no coordinates"), (Georeference("x"), "says no coordinates"),
         (Georeference(None, (30, 0, 5e5, 0, -30, 4e6)), "system is not known")],
    )  # fmt: skip
    def test_scenes_without_a_place(self, tmp_path, where, said):
        path = save(tmp_path / "a.geojson", polygon(self.ring))
        with pytest.raises(InputError, match=said):
            polygon_mask(path, where, HEIGHT, WIDTH)

    def test_some_polygons_outside(self, tmp_path):
        shapes = [polygon(in_lonlat("north up", OUTER)), polygon([(0, 0), (1, 0), (1, 1), (0, 0)])]
        path = save(tmp_path / "a.geojson", {"type": "GeometryCollection", "geometries": shapes})
        with pytest.warns(UserWarning, match="1 of 2 polygons hold the centre of no pixel"):
            assert polygon_mask(path, place("north up"), HEIGHT, WIDTH).any()

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            polygon_mask(tmp_path / "a.geojson", place("north up"), HEIGHT, WIDTH)
