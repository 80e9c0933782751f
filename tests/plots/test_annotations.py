"""Outlines, numbers, north arrow and scale bar."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from lren_tf import plots
from lren_tf.data.georeference import Georeference
from lren_tf.io.base.crs import metres_of_a_unit, wkt_of_epsg

RGB = np.zeros((40, 50, 3), np.uint8)
SCORE = np.arange(2000.0).reshape(40, 50)


def panel(**options):
    figure = plots.detection_panel(RGB, None, {"RX": SCORE}, **options)
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def segments(axes) -> set[tuple[tuple[float, float], ...]]:
    return {
        tuple(map(tuple, np.sort(np.round(line, 3), axis=0).tolist()))
        for each in axes.collections if isinstance(each, LineCollection)
        for line in each.get_segments()
    }  # fmt: skip


def test_outlines_run_along_the_edges_of_pixels():
    labels = np.zeros((40, 50), int)
    labels[0, 0] = 1
    labels[10, 20:22] = 2
    shown = panel(detected=labels, numbered=[(0, 0), (10, 20.5)])
    one = {((-0.5, -0.5), (0.5, -0.5)), ((-0.5, 0.5), (0.5, 0.5)),
           ((-0.5, -0.5), (-0.5, 0.5)), ((0.5, -0.5), (0.5, 0.5))}  # fmt: skip
    for axes in shown.values():
        found = segments(axes)
        assert one <= found
        assert len(found) == 4 + 6
    texts = {each.get_text() for each in shown["pseudo-colour"].texts}
    assert texts == {"1", "2"}
    assert not shown["RX"].texts


def test_two_detections_side_by_side_have_an_edge():
    labels = np.zeros((40, 50), int)
    labels[5, 5:7] = [1, 2]
    assert ((5.5, 4.5), (5.5, 5.5)) in segments(panel(detected=labels)["RX"])


@pytest.mark.parametrize(
    ("transform", "towards"),
    [
        ((30.0, 0.0, 5e5, 0.0, -30.0, 4e6), (0, -1)),  # north is up, towards smaller rows
        ((30.0, 0.0, 5e5, 0.0, 30.0, 4e6), (0, 1)),
        ((0.0, -30.0, 5e5, -30.0, 0.0, 4e6), (-1, 0)),
    ],
)
def test_the_arrow_points_north(transform, towards):
    place = Georeference(wkt_of_epsg(32633), transform)
    axes = panel(georeference=place)["pseudo-colour"]
    (arrow,) = (each for each in axes.texts if getattr(each, "arrow_patch", None) is not None)
    (letter,) = (each for each in axes.texts if each.get_gid() == "north")
    step = np.subtract(arrow.xy, arrow.get_position())
    np.testing.assert_allclose(step / np.linalg.norm(step), towards, atol=1e-9)
    assert letter.get_text() == "N"
    # The same by coordinates: from tail to tip only y grows.
    a, b, _, d, e, _ = transform
    assert b * step[1] + a * step[0] == pytest.approx(0)
    assert d * step[0] + e * step[1] > 0


@pytest.mark.parametrize(
    ("epsg", "transform", "text", "pixels"),
    [
        (32633, (30.0, 0.0, 5e5, 0.0, -30.0, 4e6), "200 m", 200 / 30),
        (32633, (100.0, 0.0, 5e5, 0.0, -100.0, 4e6), "1 km", 10),
        (4326, (1e-3, 0.0, 10.0, 0.0, -1e-3, 60.0), "500 m", 500 / 55.66),
        (None, (2.0, 0.0, 0.0, 0.0, -2.0, 0.0), "20 map units", 10),
    ],
)
def test_the_scale_bar_is_as_long_as_it_says(epsg, transform, text, pixels):
    place = Georeference(None if epsg is None else wkt_of_epsg(epsg), transform)
    axes = panel(georeference=place)["pseudo-colour"]
    (label,) = (each for each in axes.texts if each.get_gid() == "scale")
    assert label.get_text() == text
    (bar,) = axes.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(pixels, rel=2e-3)


def test_nothing_without_a_place():
    for place in (None, Georeference(wkt_of_epsg(4326))):
        assert not panel(georeference=place)["pseudo-colour"].texts


def test_no_scale_where_pixels_are_stretched():
    place = Georeference(wkt_of_epsg(32633), (30.0, 0.0, 5e5, 0.0, -30.0, 4e6))
    score = np.arange(400.0).reshape(2, 200)
    figure = plots.detection_panel(
        np.zeros((2, 200, 3), np.uint8), None, {"RX": score}, georeference=place
    )
    assert not figure.axes[0].texts


def test_units():
    assert metres_of_a_unit(wkt_of_epsg(32633), 0) == 1
    assert metres_of_a_unit(wkt_of_epsg(4326), 60) == pytest.approx(55660)
    assert metres_of_a_unit(None, 0) is None
    assert metres_of_a_unit("nonsense", 0) is None
