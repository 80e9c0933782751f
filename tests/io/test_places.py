"""Where pixels lie: as GDAL reads it to the pixel, or not claimed and a word said."""

from pathlib import Path

import numpy as np
import pytest

from lren_tf.io import load_scene
from tests.io.products import cube, write_envi, write_geotiff

pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")
rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.transform import Affine, from_origin  # noqa: E402

CUBE = cube(6, 5, 4)
NORTH_UP = from_origin(500000.0, 4000000.0, 30.0, 20.0)
GRIDS = {
    "north up": NORTH_UP,
    "south up": Affine(30.0, 0.0, 500000.0, 0.0, 20.0, 4000000.0),
    "mirrored": Affine(-30.0, 0.0, 500000.0, 0.0, -20.0, 4000000.0),
    "rotated": NORTH_UP * Affine.rotation(25.0) * Affine.scale(1.0, 1.5),
    "sheared": NORTH_UP * Affine.shear(20.0),
    "quarter turn": Affine(0.0, 30.0, 500000.0, 30.0, 0.0, 4000000.0),
}
SYSTEMS = {
    "EPSG:32633": NORTH_UP,
    "EPSG:26711": NORTH_UP,
    "EPSG:25832": NORTH_UP,
    "EPSG:32733": from_origin(300000.0, 6000000.0, 30.0, 30.0),
    "EPSG:3035": from_origin(4300000.0, 3200000.0, 100.0, 100.0),
    "EPSG:5070": from_origin(-936408.178, 2423902.344, 28.5, 28.5),
    "EPSG:3857": from_origin(1100000.0, 6500000.0, 10.0, 10.0),
    "EPSG:4326": from_origin(10.5, 50.25, 0.001, 0.002),
    "EPSG:4269": from_origin(-110.5, 40.25, 0.001, 0.001),
    "EPSG:3031": from_origin(-1000000.0, 1200000.0, 500.0, 500.0),
}


def gdal(path, driver="ENVI", transform=NORTH_UP, crs="EPSG:32633"):
    profile = {"height": 6, "width": 5, "count": 4, "dtype": CUBE.dtype}
    with rasterio.open(path, "w", driver=driver, crs=crs, transform=transform, **profile) as image:
        image.write(np.moveaxis(CUBE, -1, 0))
    return path


def assert_as_rasterio(path):
    """Every corner pixel within a millionth of a pixel, and the same system."""
    place = load_scene(path).georeference
    with rasterio.open(path) as image:
        step = max(abs(number) for number in (image.transform.a, image.transform.b))
        for row, column in ((0, 0), (0, 4), (5, 0), (5, 4), (2.3, 1.7)):
            a, b, c, d, e, f = tuple(image.transform)[:6]
            right, down = column + 0.5, row + 0.5
            expected = a * right + b * down + c, d * right + e * down + f
            found = place.coordinates(row, column)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * step)
        if image.crs is not None:
            assert rasterio.crs.CRS.from_wkt(place.crs) == image.crs
    return place


@pytest.mark.filterwarnings("error::UserWarning")
class TestGrids:
    @pytest.mark.parametrize("grid", GRIDS)
    def test_geotiff(self, tmp_path, grid):
        assert_as_rasterio(gdal(tmp_path / "a.tif", "GTiff", GRIDS[grid]))

    @pytest.mark.parametrize("crs", SYSTEMS)
    @pytest.mark.parametrize("driver", ["GTiff", "ENVI"])
    def test_systems(self, tmp_path, driver, crs):
        path = tmp_path / ("a.tif" if driver == "GTiff" else "a.img")
        assert_as_rasterio(gdal(path, driver, SYSTEMS[crs], crs))

    @pytest.mark.filterwarnings("default::UserWarning")
    @pytest.mark.parametrize("grid", GRIDS)
    def test_what_gdal_writes_as_envi(self, tmp_path, grid):
        """What a header can say is as GDAL reads it again; the rest is not claimed."""
        with rasterio.Env(GDAL_PAM_ENABLED="NO"):
            path = gdal(tmp_path / "a.img", "ENVI", GRIDS[grid])
            if grid == "south up":
                with pytest.warns(
                    UserWarning, match="'rotation=180' in 'map info' is read as GDAL"
                ):
                    assert_as_rasterio(path)
                return
            if grid == "north up" or grid == "quarter turn":
                assert_as_rasterio(path)
                return
            with pytest.warns(UserWarning, match="the scene has no coordinates"):
                assert load_scene(path).georeference.transform is None

    @pytest.mark.parametrize("tie", ["1, 1", "1.5, 1.5", "3, 2"])
    def test_tie_points(self, tmp_path, tie):
        info = f"{{UTM, {tie}, 500000, 4000000, 30, 20, 33, North, WGS-84, units=Meters}}"
        assert_as_rasterio(write_envi(tmp_path / "a.img", CUBE, map_info=info))

    @pytest.mark.filterwarnings("default::UserWarning")
    @pytest.mark.parametrize("first", ["3, 2, 5e5, 4e6, 30, 30", "1, 1, 5e5, 4e6, 30, 20"])
    def test_what_readers_understand_differently_is_not_claimed(self, tmp_path, first):
        info = f"{{UTM, {first}, 33, North, WGS-84, rotation=25}}"
        path = write_envi(tmp_path / "a.img", CUBE, map_info=info)
        with pytest.warns(
            UserWarning, match="GDAL and this reader understand 'map info' differently"
        ):
            place = load_scene(path).georeference
        assert place.transform is None and place.envi["map info"][0] == "UTM"


MAP_INFO = {
    "11, North, North America 1927, units=Meters": 26711,
    "11, North, North America 1983, units=Meters": 26911,
    "32, North, ETRS-89, units=Meters": 25832,
    "33, South, WGS-84, units=Meters": 32733,
}


@pytest.mark.filterwarnings("error::UserWarning")
class TestNamesOfEnvi:
    @pytest.mark.parametrize("ending", MAP_INFO)
    def test_datums(self, tmp_path, ending):
        info = f"{{UTM, 1.000, 1.000, 444720.000, 3751320.000, 20.0, 20.0, {ending}}}"
        place = assert_as_rasterio(write_envi(tmp_path / "a.img", CUBE, map_info=info))
        if "ETRS" not in ending:
            assert rasterio.crs.CRS.from_wkt(place.crs).to_epsg() == MAP_INFO[ending]

    @pytest.mark.filterwarnings("default::UserWarning")
    @pytest.mark.parametrize("ending", ["11, North", "11, North, units=Meters"])
    def test_no_datum_is_told(self, tmp_path, ending):
        info = f"{{UTM, 1, 1, 444720, 3751320, 20, 20, {ending}}}"
        told = "names no datum; GDAL's choice, North American Datum 1927"
        with pytest.warns(UserWarning, match=told):
            assert_as_rasterio(write_envi(tmp_path / "a.img", CUBE, map_info=info))

    def test_projection_info(self, tmp_path):
        path = write_envi(
            tmp_path / "a.img", CUBE,
            map_info="{Albers Conical Equal Area, 1, 1, -936408.178, 2423902.344, 28.5, 28.5, "
            "WGS-84, units=Meters}",
            projection_info="{9, 6378137.0, 6356752.314245179, 23, -96, 0, 0, 29.5, 45.5, WGS-84, "
            "Albers Conical Equal Area, units=Meters}",
        )  # fmt: skip
        assert "Albers" in assert_as_rasterio(path).crs


class TestNotClaimed:
    @pytest.mark.parametrize(
        ("profile", "said"),
        [
            ({"transform": Affine.identity()}, "a coordinate reference system and no grid"),
            ({"transform": from_origin(10.5, 50.2, 0.0003, 0.0003)}, "are in degrees"),
            ({"crs": "EPSG:4326"}, "is no longitude and latitude"),
            ({"transform": from_origin(5e9, 4e9, 30, 30)}, "its corners lie"),
            ({"transform": Affine(30, 60, 5e5, 15, 30, 4e6)}, "puts different pixels at one place"),
        ],
    )  # fmt: skip
    def test_geotiff(self, tmp_path, profile, said):
        path = write_geotiff(tmp_path / "a.tif", CUBE, **profile)
        with pytest.warns(UserWarning, match=said):
            assert load_scene(path).georeference is None

    def test_degrees_under_a_projected_system_in_envi(self, tmp_path):
        info = "{UTM, 1, 1, 10.5, 50.2, 0.0003, 0.0003, 33, North, WGS-84}"
        with pytest.warns(UserWarning, match="are in degrees"):
            assert (
                load_scene(write_envi(tmp_path / "a.img", CUBE, map_info=info)).georeference is None
            )

    @pytest.mark.parametrize(
        ("entries", "said"),
        [
            ({"geo_points": "{1,1,50,10,5,1,50,11,1,6,49,10,5,6,49,11}"}, "geo points"),
            ({"rpc_info": "{" + ",".join(["1.0"] * 90) + "}"}, "rational polynomials"),
            ({"map_info": "{UTM, 1, 1, 5e5, 4e6, 30, 30, 33, North, WGS-84, units=Feet}",
              "coordinate_system_string": "{" + rasterio.crs.CRS.from_epsg(32633).to_wkt() + "}"},
             "is in feet"),
        ],
    )  # fmt: skip
    def test_envi(self, tmp_path, entries, said):
        path = write_envi(tmp_path / "a.img", CUBE, **entries)
        with pytest.warns(UserWarning, match=said):
            place = load_scene(path).georeference
        assert place is None or place.transform is None

    def points(self, shift):
        return [
            GroundControlPoint(row, column, 5e5 + (30 + shift * row) * column, 4e6 - 20 * row)
            for row in (0, 6)
            for column in (0, 5)
        ]

    def test_points_on_no_grid(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE, transform=None, crs="EPSG:32633",
                             gcps=self.points(1.0))  # fmt: skip
        with pytest.warns(UserWarning, match="4 ground control points that lie on no grid"):
            assert load_scene(path).georeference is None

    @pytest.mark.filterwarnings("error::UserWarning")
    def test_points_on_a_grid_are_used(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE, transform=None, crs="EPSG:32633",
                             gcps=self.points(0.0))  # fmt: skip
        place = load_scene(path).georeference
        np.testing.assert_allclose(place.coordinates(0, 0), (500015.0, 3999990.0), atol=1e-5)
        assert rasterio.crs.CRS.from_wkt(place.crs).to_epsg() == 32633

    def test_polynomials(self, tmp_path):
        from rasterio.rpc import RPC

        rpc = RPC(height_off=0, height_scale=1, lat_off=50, lat_scale=1, line_off=3, line_scale=3,
                  long_off=10, long_scale=1, samp_off=2, samp_scale=2, err_bias=0, err_rand=0,
                  line_den_coeff=[1.0] + [0.0] * 19, line_num_coeff=[0.0, 0, 1] + [0.0] * 17,
                  samp_den_coeff=[1.0] + [0.0] * 19, samp_num_coeff=[0.0, 1] + [0.0] * 18,
                  )  # fmt: skip
        path = write_geotiff(tmp_path / "a.tif", CUBE, crs=None, transform=None, rpcs=rpc)
        with pytest.warns(UserWarning, match="rational polynomials"):
            assert load_scene(path).georeference is None

    @pytest.mark.filterwarnings("error::UserWarning")
    def test_a_world_file_says_a_grid_without_a_system(self, tmp_path):
        path = write_geotiff(tmp_path / "a.tif", CUBE, crs=None, transform=NORTH_UP)
        assert load_scene(path).georeference.crs is None


def test_entries_go_back_as_they_were(tmp_path):
    info = "{UTM, 1, 1, 444720, 3751320, 20, 20, 11, North, North America 1927, units=Meters}"
    path = write_envi(tmp_path / "a.img", CUBE, map_info=info)
    place = load_scene(path).georeference
    assert ", ".join(place.envi["map info"]) == info[1:-1]
    assert isinstance(Path(path), Path)
