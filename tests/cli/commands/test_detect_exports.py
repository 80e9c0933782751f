"""``detect``: vectors, spectra, materials, STAC, background region, review."""

from __future__ import annotations

import builtins
import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.transform import Affine

from lren_tf import datasets, find_detections
from lren_tf.cli import main
from lren_tf.evaluation.detections import DETECTED
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.spectral_library import read_spectral_library, write_spectral_library
from tests.cli.common import RX, files, mat, report
from tests.io.products import write_emit, write_geotiff
from tests.io.test_exports import validate

SCENE = datasets.simulate(30, 28, 9, seed=3)
RATE = ("--false-alarm-rate", "1e-2")
TRANSFORMS = {
    "north": Affine(30, 0, 5e5, 0, -30, 4e6),
    "rotated": Affine(20, 8, 5e5, 8, -20, 4e6),
}


def detect(scene: str, *more: str) -> int:
    return main(["detect", scene, *RX, *RATE, *more])


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text("utf-8").splitlines()))


@pytest.fixture
def scene_file():
    return mat("a.mat", data=SCENE.cube)


@pytest.fixture(params=TRANSFORMS)
def placed_file(request):
    cube = SCENE.cube.copy()
    cube[:2, :5] = -1
    return str(write_geotiff(Path("a.tif"), cube, transform=TRANSFORMS[request.param], nodata=-1))


class TestVectorsAndStac:
    def test_a_placed_scene(self, placed_file):
        assert detect(placed_file, "--vector", "gpkg", "--stac", "--out", "o") == 0
        with rasterio.open("o/a_mask.tif") as image:
            mask, transform = image.read(1), image.transform
        import pyogrio.raw
        import shapely

        shapes = shapely.from_wkb(pyogrio.raw.read("o/a_detections.gpkg", layer="polygons")[2])
        back = rasterize([(shape, 1) for shape in shapes], mask.shape, transform=transform)
        np.testing.assert_array_equal(back == 1, mask == DETECTED)
        item = json.loads(Path("o/a_stac.json").read_text("utf-8"))
        core = {**item, "stac_extensions": []}
        validate(core, "item")
        assert item["properties"]["proj:shape"] == [30, 28]
        assert item["properties"]["proj:transform"][:6] == list(transform)[:6]
        assert {"score_tif", "mask_tif", "geopackage", "geojson", "report"} <= set(item["assets"])
        for asset in item["assets"].values():
            assert (Path("o") / asset["href"]).is_file()
        assert item["assets"]["score_tif"]["raster:bands"][0]["unit"] == "score"

    def test_acquisition_time(self):
        write_geotiff(Path("b.tif"), SCENE.cube)
        with rasterio.open("b.tif", "r+") as image:
            image.update_tags(ACQUISITION_DATETIME="2021-06-01T10:11:12Z")
        assert detect("b.tif", "--stac") == 0
        properties = json.loads(Path("b_stac.json").read_text("utf-8"))["properties"]
        assert properties["datetime"] == "2021-06-01T10:11:12Z"
        assert "lren_tf:datetime" not in properties

    def test_polygons_by_default(self, placed_file):
        assert detect(placed_file) == 0
        features = json.loads(Path("a_polygons.geojson").read_text("ascii"))["features"]
        assert len(features) == len(rows("a_detections.csv")) > 0
        assert {each["geometry"]["type"] for each in features} == {"MultiPolygon"}
        assert Path("a_score.qml").exists() and Path("a_mask.qml").exists()

    def test_a_scene_in_sensor_geometry(self):
        """Its polygons are those of the mask on the map grid."""
        write_emit(Path("e.nc"), SCENE.cube)
        with h5py.File("e.nc", "r+") as hdf:
            hdf.attrs["spatial_ref"] = wkt_of_epsg(4326)
        assert detect("e.nc", "--out", "o") == 0
        with rasterio.open("o/e_mask.tif") as image:
            mask, transform = image.read(1), image.transform
        features = json.loads(Path("o/e_polygons.geojson").read_text("ascii"))["features"]
        shapes = [(each["geometry"], 1) for each in features if each["geometry"]]
        back = rasterize(shapes, mask.shape, transform=transform)
        np.testing.assert_array_equal(back == 1, mask == DETECTED)

    def test_none(self, scene_file):
        assert detect(scene_file, "--vector", "none") == 0
        assert not [name for name in files() if "polygons" in name]

    def test_refusals(self, scene_file, refused):
        assert "expected one of geojson, gpkg, none" in refused(
            "detect", scene_file, *RX, *RATE, "--vector", "shp"
        )
        assert "--vector gpkg was given without" in refused(
            "detect", scene_file, *RX, "--vector", "gpkg"
        )
        assert "not written as GeoTIFF" in refused("detect", scene_file, *RX, "--stac")
        assert "without a coordinate reference system" in refused(
            "detect", scene_file, *RX, "--stac", "--format", "geotiff"
        )

    @pytest.mark.parametrize(
        ("package", "options", "extra"),
        [
            ("pyogrio", (*RATE, "--vector", "gpkg"), "vector"),
            ("pystac", ("--stac",), "stac"),
            ("bokeh", ("--view",), "view"),
        ],
    )
    def test_a_missing_extra(self, scene_file, refused, monkeypatch, package, options, extra):
        real = builtins.__import__

        def missing(name, *arguments, **more):
            if name.split(".")[0] == package:
                raise ImportError(name)
            return real(name, *arguments, **more)

        monkeypatch.setattr(builtins, "__import__", missing)
        assert f"lren-tf[{extra}]" in refused("detect", scene_file, *RX, *options)


class TestSpectra:
    def test_library_of_detections(self, scene_file):
        assert detect(scene_file, "--spectra", "--out", "o") == 0
        found = read_spectral_library("o/a_spectra.sli")
        named = dict(zip(found.names, found.spectra, strict=True))
        detections = find_detections(
            np.load("o/a_score.npy"), report("o/a_report.json")["threshold"]["threshold"]
        ).listed
        assert all(f"detection {each.label} mean" in named for each in detections)
        one = next(each for each in detections if each.pixels == 1)
        np.testing.assert_allclose(
            named[f"detection {one.label} mean"], SCENE.cube[one.peak_row, one.peak_column]
        )
        assert sum(name.startswith("background") for name in named) >= 1

    def test_materials(self, scene_file):
        assert detect(scene_file) == 0
        first = rows("a_detections.csv")[0]
        target = SCENE.cube[int(first["peak_row"]), int(first["peak_column"])].astype(float)
        others = {"flat": np.ones(9), "ramp": np.arange(1.0, 10)}
        write_spectral_library("l.sli", {"mine": 3 * target, **others})
        assert detect(scene_file, "--library", "l.sli", "--out", "o") == 0
        listed = [each for each in rows("o/a_materials.csv") if each["label"] == "1"]
        told = report("o/a_report.json")["materials"]["1"]
        assert [each["material"] for each in listed] == [e["name"] for e in told["nearest"]]
        if int(first["pixels"]) == 1:
            assert listed[0]["material"] == "mine"
            assert float(listed[0]["angle_degrees"]) < 0.1
        margin = float(listed[1]["angle_degrees"]) - float(listed[0]["angle_degrees"])
        assert float(listed[0]["margin_degrees"]) == pytest.approx(margin)
        assert told["margin"] == pytest.approx(margin)
        assert listed[2]["margin_degrees"] == ""

    def test_refusals(self, scene_file, refused):
        write_spectral_library("l.sli", {"a": np.arange(5.0)})
        assert "the library has 5 bands and the scene 9" in refused(
            "detect", scene_file, *RX, *RATE, "--library", "l.sli"
        )
        assert "does not exist" in refused("detect", scene_file, *RX, *RATE, "--library", "x.sli")
        for option in (("--spectra",), ("--library", "l.sli")):
            assert "without --false-alarm-rate" in refused("detect", scene_file, *RX, *option)


class TestRegionAndReview:
    def test_statistics_come_from_the_region(self, scene_file):
        region = np.ones((30, 28))
        region[:, 20:] = 0
        np.save("r.npy", region)
        assert main(["detect", scene_file, *RX, "--background", "r.npy"]) == 0
        inside = SCENE.cube[:, :20].reshape(-1, 9).astype(float)
        d = SCENE.cube - inside.mean(axis=0)
        want = np.einsum("ijk,kl,ijl->ij", d, np.linalg.inv(np.cov(inside.T)), d)
        np.testing.assert_allclose(np.load("a_score.npy"), want, rtol=1e-4)
        assert report("a_report.json")["scene"]["background"] == 600

    def test_review(self, scene_file):
        assert detect(scene_file) == 0
        first = rows("a_detections.csv")
        assert len(first) >= 3 and {each["status"] for each in first} == {""}
        statuses = ["target", "nothing", *[""] * (len(first) - 2)]
        with Path("reviewed.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, first[0])
            writer.writeheader()
            writer.writerows({**row, "status": s} for row, s in zip(first, statuses, strict=True))
        assert detect(scene_file, "--review", "reviewed.csv", "--out", "o") == 0
        again = rows("o/a_detections.csv")
        peaks = [(row["peak_row"], row["peak_column"]) for row in again]
        assert (first[0]["peak_row"], first[0]["peak_column"]) in peaks
        assert (first[1]["peak_row"], first[1]["peak_column"]) not in peaks
        assert [row["label"] for row in again] == [str(n) for n in range(1, len(again) + 1)]
        mask = np.load("o/a_mask.npy")
        assert mask[int(first[1]["peak_row"]), int(first[1]["peak_column"])] == 0
        told = report("o/a_report.json")
        assert told["review"] == {"target": 1, "nothing": 1}
        pixels = int(first[0]["last_row"]) - int(first[0]["first_row"]) + 1
        pixels *= int(first[0]["last_column"]) - int(first[0]["first_column"]) + 1
        assert told["scene"]["background"] == 30 * 28 - pixels
        assert main(["view", "o/a_report.json"]) == 0

    def test_a_review_of_a_run_that_found_nothing(self, scene_file):
        """A batch with a review for each scene has such lists too."""
        assert detect(scene_file, "--min-size", "500", "--out", "none") == 0
        assert len(Path("none/a_detections.csv").read_text().splitlines()) == 1
        assert detect(scene_file, "--out", "plain") == 0
        assert detect(scene_file, "--review", "none/a_detections.csv", "--out", "o") == 0
        for name in ("a_score.npy", "a_detections.csv"):
            assert Path("o", name).read_bytes() == Path("plain", name).read_bytes()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a,b\n1,2\n", "is no list of detections"),
            ("", "is no list of detections"),
            ("status,first_row,first_column,last_row,last_column,peak_row,peak_column\n"
             "maybe,0,0,0,0,0,0\n", "the status is 'maybe'"),
            ("status,first_row,first_column,last_row,last_column,peak_row,peak_column\n"
             "target,x,0,0,0,0,0\n", "not all whole numbers"),
            ("status,first_row,first_column,last_row,last_column,peak_row,peak_column\n"
             "target,0,0,99,0,0,0\n", "outside of 30 × 28 pixels"),
        ],
    )  # fmt: skip
    def test_reviews_that_are_none(self, scene_file, refused, text, said):
        Path("r.csv").write_text(text)
        assert said in refused("detect", scene_file, *RX, *RATE, "--review", "r.csv")

    def test_refusals(self, scene_file, refused):
        assert "--review was given without" in refused(
            "detect", scene_file, *RX, "--review", "r.csv"
        )
        np.save("small.npy", np.eye(30, 28) * (np.arange(28) < 4))
        np.save("other.npy", np.ones((3, 4)))
        np.save("half.npy", np.arange(840).reshape(30, 28) % 2)
        assert "has 4 pixels with data" in refused(
            "detect", scene_file, *RX, "--background", "small.npy"
        )
        assert "has 3 × 4 pixels" in refused(
            "detect", scene_file, *RX, "--background", "other.npy"
        )
        assert "expected rx, lrx, crd or lren" in refused(
            "detect", scene_file, "--detector", "aed", "--background", "half.npy"
        )
        assert "does not exist" in refused("detect", scene_file, *RX, "--background", "x.npy")
