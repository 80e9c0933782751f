"""Polygons, GeoPackage, COG, styles, spectral libraries and STAC items of a run's results."""

from __future__ import annotations

import json
import shutil
import sqlite3
from xml.etree import ElementTree

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from lren_tf import InputError, find_detections, save_map
from lren_tf.data.georeference import Georeference
from lren_tf.evaluation.detections import DETECTED, detection_labels
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.outlines import (
    IN_PIXELS,
    detection_polygons,
    write_geopackage,
    write_polygons_geojson,
)
from lren_tf.io.qgis_style import write_mask_style, write_score_style
from lren_tf.io.spectral_library import read_spectral_library, write_spectral_library
from lren_tf.io.stac import stac_collection

PLACES = {
    "north-up": Georeference(wkt_of_epsg(32633), (30.0, 0.0, 5e5, 0.0, -30.0, 4e6)),
    "rotated": Georeference(wkt_of_epsg(32633), (20.0, 8.0, 5e5, 8.0, -20.0, 4e6)),
    "degrees": Georeference(wkt_of_epsg(4326), (1e-3, 0.0, 10.0, 0.0, -1e-3, 50.0)),
    "unknown": Georeference(None, (2.0, 0.0, 7.0, 0.0, 2.0, 9.0)),
    "nowhere": None,
}


@pytest.fixture(scope="module")
def found():
    """Detections with holes, pixels that touch at corners, and gaps."""
    rng = np.random.default_rng(1)
    score = np.where(rng.random((23, 31)) > 0.7, 2.0, 0.0) + rng.random((23, 31)) / 10
    score[3:8, 4:9] = 3.0
    score[5, 6] = 0.0
    score[20:, :5] = np.nan
    return find_detections(score, 1.0)


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param]


def again(shapes, transform, shape=(23, 31)) -> np.ndarray:
    return rasterize(shapes, shape, transform=Affine(*transform), dtype="int32")


class TestPolygons:
    def test_rasterised_again_they_are_the_mask(self, found, place):
        labels = detection_labels(found)
        transform = IN_PIXELS if place is None else place.transform
        outlines = detection_polygons(labels, transform)
        assert list(outlines) == [each.label for each in found.listed]
        back = again([(outline, label) for label, outline in outlines.items()], transform)
        np.testing.assert_array_equal(back, labels)
        np.testing.assert_array_equal(back > 0, found.mask == DETECTED)
        for outline in outlines.values():
            assert shapely.geometry.shape(outline).is_valid

    def test_geojson(self, found, place, tmp_path):
        labels = detection_labels(found)
        path = tmp_path / "a.geojson"
        write_polygons_geojson(path, found.listed, labels, place)
        features = json.loads(path.read_text("ascii"))["features"]
        assert [each["properties"]["label"] for each in features] == [
            each.label for each in found.listed
        ]
        if place is None or place.crs is None:
            assert all(each["geometry"] is None for each in features)
            return
        from rasterio.warp import transform_geom

        moved = [
            (transform_geom("EPSG:4326", place.crs, each["geometry"]), each["properties"]["label"])
            for each in features
        ]
        np.testing.assert_array_equal(again(moved, place.transform), labels)
        for each in features:
            for polygon in each["geometry"]["coordinates"]:
                ring = shapely.LinearRing(polygon[0])
                assert ring.is_ccw
                assert all(not shapely.LinearRing(hole).is_ccw for hole in polygon[1:])

    def test_geopackage(self, found, place, tmp_path):
        labels = detection_labels(found)
        path = tmp_path / "a.gpkg"
        write_geopackage(path, found.listed, labels, place)
        told, _, geometry, columns = pyogrio.raw.read(path, layer="polygons")
        fields = dict(zip(told["fields"], columns, strict=True))
        shapes = list(zip(shapely.from_wkb(geometry), fields["label"].tolist(), strict=True))
        transform = IN_PIXELS if place is None else place.transform
        np.testing.assert_array_equal(again(shapes, transform), labels)
        assert fields["pixels"].tolist() == [each.pixels for each in found.listed]
        np.testing.assert_array_equal(
            fields["peak_score"], [each.peak_score for each in found.listed]
        )
        known = place is not None and place.crs is not None
        assert (told["crs"] or "").startswith("EPSG") == known
        points = shapely.from_wkb(pyogrio.raw.read(path, layer="points")[2])
        assert all(shape.contains(point) for point, (shape, _) in zip(points, shapes, strict=True))
        with sqlite3.connect(path) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)

    def test_nothing_detected(self, tmp_path):
        nothing = find_detections(np.zeros((4, 5)), 1.0)
        labels = detection_labels(nothing)
        write_geopackage(tmp_path / "a.gpkg", [], labels, PLACES["north-up"])
        write_polygons_geojson(tmp_path / "a.geojson", [], labels, PLACES["north-up"])
        assert len(pyogrio.raw.read(tmp_path / "a.gpkg", layer="polygons")[2]) == 0
        assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []


class TestCloudOptimised:
    @pytest.mark.parametrize("shape", [(40, 30), (700, 900)])
    def test_validates(self, tmp_path, place, shape):
        from rio_cogeo.cogeo import cog_validate

        values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        values[:3] = np.nan
        save_map(tmp_path / "a.tif", values, georeference=place)
        valid, errors, notes = cog_validate(str(tmp_path / "a.tif"), strict=True, quiet=True)
        assert valid and not errors and not notes
        with rasterio.open(tmp_path / "a.tif") as image:
            np.testing.assert_array_equal(image.read(1), values)
            assert image.descriptions == ("score",)
            assert (image.scales, image.offsets) == ((1.0,), (0.0,))
            assert np.isnan(image.nodata)
            assert bool(image.overviews(1)) == (shape[0] > 512)
            if place is not None:
                assert tuple(image.transform)[:6] == place.transform


class TestStyles:
    def test_score(self, tmp_path):
        write_score_style(tmp_path / "a.qml", [(0.5, "all"), (2.0, "1 in 10"), (7.0, "1 in 100")])
        renderer = ElementTree.parse(tmp_path / "a.qml").find("pipe/rasterrenderer")
        assert renderer.get("type") == "singlebandpseudocolor"
        items = renderer.findall("rastershader/colorrampshader/item")
        assert [float(each.get("value")) for each in items] == [0.5, 2.0, 7.0]
        assert [each.get("label") for each in items] == ["all", "1 in 10", "1 in 100"]

    def test_mask(self, tmp_path):
        write_mask_style(tmp_path / "a.qml")
        entries = ElementTree.parse(tmp_path / "a.qml").findall(".//paletteEntry")
        assert {each.get("label"): (each.get("value"), each.get("alpha")) for each in entries} == {
            "background": ("0", "0"), "detected": ("1", "255"), "no data": ("255", "128"),
        }  # fmt: skip


class TestSpectralLibrary:
    def test_spy_opens_it(self, tmp_path):
        from spectral.io import envi

        wavelengths = np.array([400.0, 512.25, 900.0, 1000.0])
        spectra = {"a, {b}": np.array([1.0, 2.0, np.nan, 4.0]), "c": np.arange(4.0)}
        write_spectral_library(tmp_path / "a.sli", spectra, wavelengths, description="x {y}")
        library = envi.open(str(tmp_path / "a.hdr"), str(tmp_path / "a.sli"))
        assert isinstance(library, envi.SpectralLibrary)
        np.testing.assert_array_equal(library.spectra, [[1, 2, 4], [0, 1, 3]])
        assert library.names == ["a; (b)", "c"]
        assert library.bands.centers == [400.0, 512.25, 1000.0]
        for name in ("a.sli", "a.hdr"):
            again = read_spectral_library(tmp_path / name)
            np.testing.assert_array_equal(again.wavelengths, [400.0, 512.25, 1000.0])
            np.testing.assert_array_equal(again.spectra, library.spectra)

    def test_without_wavelengths(self, tmp_path):
        write_spectral_library(tmp_path / "a.sli", {"a": np.arange(3.0)})
        assert read_spectral_library(tmp_path / "a.sli").wavelengths is None

    @pytest.mark.parametrize("spectra", [{}, {"a": np.full(3, np.nan)}])
    def test_nothing_to_write(self, tmp_path, spectra):
        with pytest.raises(InputError, match="no band with a value"):
            write_spectral_library(tmp_path / "a.sli", spectra)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("broken", ["missing", "header", "values", "text", "image", "short"])
    def test_refusals(self, tmp_path, broken):
        path = tmp_path / "a.sli"
        write_spectral_library(path, {"a": np.arange(9.0)})
        header = path.with_suffix(".hdr")
        if broken == "missing":
            path.unlink()
        elif broken == "header":
            header.unlink()
        elif broken == "values":
            shutil.move(path, tmp_path / "b.sli")
            path = header
        elif broken == "text":
            header.write_text("nonsense")
        elif broken == "image":
            header.write_text(header.read_text().replace("Spectral Library", "Standard"))
        else:
            path.write_bytes(b"abc")
        with pytest.raises(InputError, match="expected"):
            read_spectral_library(path)


def validate(record: dict, kind: str) -> None:
    """Against the core schemas that pystac brings; those of extensions would need a network."""
    from jsonschema import Draft7Validator
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource

    schemas = get_local_schema_cache()
    registry = Registry().with_resources(
        [(name, Resource.from_contents(each)) for name, each in schemas.items()]
    )
    (schema,) = (each for name, each in schemas.items() if name.endswith(f"/{kind}.json")
                 and "-spec/" in name)  # fmt: skip
    problems = list(Draft7Validator(schema, registry=registry).iter_errors(record))
    assert not problems, problems[0].message


def test_a_collection_of_items():
    properties = [{"datetime": f"2021-0{month}-01T00:00:00Z"} for month in (5, 3)]
    items = [
        {"bbox": box, "properties": each, "stac_version": "1.1.0"}
        for box, each in zip(([1, 2, 3, 4], [0, 3, 2, 9]), properties, strict=True)
    ]
    made = stac_collection(items, ["./a.json", "./b.json"], name="c", description="d")
    validate(made, "collection")
    assert made["extent"]["spatial"]["bbox"] == [[0, 2, 3, 9]]
    assert made["extent"]["temporal"]["interval"] == [
        ["2021-03-01T00:00:00Z", "2021-05-01T00:00:00Z"]
    ]
    with pytest.raises(InputError, match="no item"):
        stac_collection([], [], name="c", description="d")


