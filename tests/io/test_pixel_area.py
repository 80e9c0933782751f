"""Square metres of a pixel in projected and geographic systems, and where nothing says them."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf.data.georeference import Georeference
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.io.pixel_area import pixel_area

GRID = (30.0, 0.0, 5e5, 0.0, -20.0, 4e6)


def test_metres_feet_and_turned_grids():
    assert pixel_area(Georeference(wkt_of_epsg(32633), GRID), (8, 9, 5)) == pytest.approx(600)
    turned = (0.0, 30.0, 5e5, 20.0, 0.0, 4e6)
    assert pixel_area(Georeference(wkt_of_epsg(32633), turned), (8, 9)) == pytest.approx(600)
    feet = Georeference(wkt_of_epsg(2263), GRID)
    assert pixel_area(feet, (8, 9)) == pytest.approx(600 * 0.3048**2, rel=1e-4)


def test_degrees_shrink_towards_the_poles():
    grid = (1e-4, 0.0, 10.0, 0.0, -1e-4, 60.0)
    area = pixel_area(Georeference(wkt_of_epsg(4326), grid), (2, 2))
    assert area == pytest.approx(11.132 * 11.132 / 2, rel=1e-3)


@pytest.mark.parametrize(
    "place",
    [
        None,
        Georeference(None, GRID),
        Georeference("nonsense", GRID),
        Georeference(wkt_of_epsg(32633), (1.0, 1.0, 0.0, 1.0, 1.0, 0.0)),
        Georeference(wkt_of_epsg(32633), positions=np.zeros((8, 9, 2))),
    ],
)
def test_nothing_says_it(place):
    assert pixel_area(place, (8, 9)) is None
