"""Every file of the generator: its pixels lie where rasterio puts them, or nowhere with a note."""

import json
import re
import warnings

import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.transform import Affine

from lren_tf.evaluation.detections import find_detections
from lren_tf.io import load_placed_map, load_scene
from lren_tf.io.detections import write_geojson
from tests.io.georeferenced import NUMBERS, cases

CASES = cases()
# Of a pixel.
ALLOWED = 1e-6


def read(case, path):
    """The image of the numbers, its georeference, and the notes."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if case.is_map:
            found = load_placed_map(path, key=case.key)
            image, place = found.values, found.georeference
        else:
            scene = load_scene(path, key=case.key)
            image, place = scene.cube[..., 0], scene.georeference
    return image, place, [str(one.message) for one in told if one.category is UserWarning]


def by_number(image, position):
    """x and y [N, 2] of the pixels in the order of their numbers."""
    found = {round(float(image[at])): position(*at) for at in np.ndindex(image.shape)}
    assert sorted(found) == sorted(NUMBERS.ravel())
    return np.array([found[number] for number in sorted(found)])


def of_rasterio(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(name) as opened:
            if opened.transform == Affine.identity():
                return None, None
            grid = opened.transform
            return by_number(opened.read(1), lambda r, c: grid * (c + 0.5, r + 0.5)), opened.crs


def lonlat(crs, points):
    return np.array(rasterio.warp.transform(crs, "EPSG:4326", *points.T.tolist())).T


def turned(longitudes):
    """Whole turns do not count."""
    return (np.asarray(longitudes) + 180) % 360 - 180


def assert_close(found, expected, pixel, geographic=False, rounded=0.0):
    difference = np.asarray(found) - expected
    if geographic:
        difference[:, 0] = turned(difference[:, 0])
    assert np.abs(difference).max() < (ALLOWED + rounded) * pixel


def test_there_are_many():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert sum(case.gdal is not None and case.told is None for case in CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_positions(case, tmp_path):
    path = case.write(tmp_path)
    image, place, notes = read(case, path)
    if case.told is not None:
        assert any(re.search(case.told, note) for note in notes), notes
        assert place is None or (place.transform is None and place.positions is None)
        return
    patterns = [] if case.tells is None else [case.tells]
    assert [p for p in patterns if not any(re.search(p, n) for n in notes)] == []
    assert len(notes) == len(patterns), notes
    found = by_number(image, place.coordinates)
    expected = np.array([case.position(number) for number in range(1, NUMBERS.size + 1)])
    pixel = np.linalg.norm(expected[1] - expected[0])
    geographic = case.crs is not None and rasterio.crs.CRS.from_user_input(case.crs).is_geographic
    assert_close(found, expected, pixel, geographic, case.rounded)
    if case.gdal is not None:
        theirs, crs = of_rasterio(case.gdal(path))
        assert theirs is not None
        assert_close(found, theirs, pixel, geographic)
        assert crs is None or place.crs is not None
    if case.crs is None:
        assert place.crs is None
        return
    ours, true = lonlat(place.crs, found), lonlat(case.crs, expected)
    assert_close(ours, true, np.linalg.norm(true[1] - true[0]), True, case.rounded)
    if place.transform is not None:
        detected(case, place, image, tmp_path / "out.geojson")


def detected(case, place, image, file):
    """Detections lie at the weighted mean of their pixels, in longitude and latitude."""
    score = np.zeros(image.shape)
    score[1, 1], score[4, 2], score[4, 3] = 9.0, 3.0, 5.0
    listed = find_detections(score, 1.0, transform=place.transform).listed
    write_geojson(file, listed, place.crs)
    features = json.loads(file.read_text())["features"]
    points = [feature["geometry"]["coordinates"] for feature in features]

    def at(row, column):
        return np.array(case.position(float(image[row, column])))

    expected = np.array([at(1, 1), (2 * at(4, 2) + 4 * at(4, 3)) / 6])
    pixel = np.linalg.norm(at(1, 2) - at(1, 1))
    geographic = rasterio.crs.CRS.from_user_input(case.crs).is_geographic
    assert_close(
        [(one.x, one.y) for one in listed], expected, pixel, geographic, case.rounded
    )
    true = lonlat(case.crs, expected)
    near = np.linalg.norm(lonlat(case.crs, expected + [[pixel, 0]] * 2) - true)
    assert_close(points, true, near, geographic=True, rounded=case.rounded)
    assert all(-180 <= longitude <= 180 for longitude, _ in points)


