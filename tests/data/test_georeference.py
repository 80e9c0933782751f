import numpy as np
import pytest

from lren_tf.data.georeference import Georeference, LookupTable
from lren_tf.errors import InputError


def test_coordinates_are_those_of_pixel_centres():
    place = Georeference(transform=(30, 0, 500000, 0, -30, 4000000))
    assert place.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
    assert place.coordinates(0, 0) == (500015.0, 3999985.0)
    assert place.coordinates(2, 5) == (500165.0, 3999925.0)
    assert Georeference(transform=(1, 2, 3, 4, 5, 6)).coordinates(1, 0) == (6.5, 15.5)


def test_positions_of_sensor_geometry():
    positions = np.stack(np.mgrid[:3, :4][::-1], axis=-1) / 10 + [10, 50]
    place = Georeference(crs="x", positions=positions)
    assert place.coordinates(2, 3) == pytest.approx((10.3, 50.2))
    for row, column in ((3, 0), (0, 4), (-1, 0)):
        with pytest.raises(InputError, match="outside the image of 3 × 4 pixels"):
            place.coordinates(row, column)


def test_nothing_said_is_no_coordinates():
    assert Georeference(crs="x").coordinates(0, 0) is None


def test_it_cannot_be_changed_and_compares_by_what_it_says():
    entries = {"map info": ["UTM", "1"]}
    place = Georeference("a", (1, 0, 0, 0, 1, 0), entries)
    assert place == Georeference("a", (1, 0, 0, 0, 1, 0), dict(entries))
    assert place != Georeference("b", (1, 0, 0, 0, 1, 0), entries)
    entries["map info"] = []
    assert place.envi["map info"] == ["UTM", "1"]
    with pytest.raises(TypeError):
        place.envi["map info"] = []


def test_a_map_is_laid_out():
    table = LookupTable(np.array([[-1, 0, 1], [1, 1, 7]]), np.array([[-1, 2, 0], [1, -1, 0]]),
                        (1, 0, 0, 0, -1, 0))  # fmt: skip
    out = table.orthorectified(np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(out, [[np.nan, 2, 3], [4, np.nan, np.nan]])
    assert table.orthorectified(np.zeros((2, 3), np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "transform", [(1, 2, 3), "abcdef", (1, 2, 3, 4, 5, np.nan), 7, (None,) * 6, range(7)]
)
def test_transforms_that_are_none(transform):
    with pytest.raises(InputError, match="expected six finite numbers"):
        Georeference(transform=transform)


def test_other_refusals():
    with pytest.raises(InputError, match=r"positions have shape \(3, 4\)"):
        Georeference(positions=np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"rows \(2, 2\) int64 and columns \(2, 3\)"):
        LookupTable(np.zeros((2, 2), int), np.zeros((2, 3), int), (1, 0, 0, 0, 1, 0))
    with pytest.raises(InputError, match="float64; expected two integer arrays"):
        LookupTable(np.zeros((2, 2)), np.zeros((2, 2)), (1, 0, 0, 0, 1, 0))
