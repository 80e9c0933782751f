"""Georeferenced files of six rows and five columns, by many writers, each with what is true of it.

Run as a program, it writes them into a folder: ``python -m tests.io.georeferenced FOLDER``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5netcdf
import h5py
import netCDF4
import numpy as np
import rasterio
import rasterio.shutil
import spectral.io.envi
import tifffile
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from lren_tf.data.georeference import Georeference
from lren_tf.io import save_map
from tests.io.products import write_envi

HEIGHT, WIDTH, BANDS = 6, 5, 3
# Of the first band: every pixel has a number of its own, 1 in the first.
NUMBERS = np.arange(1, HEIGHT * WIDTH + 1).reshape(HEIGHT, WIDTH)
CUBE = np.stack([NUMBERS, NUMBERS[::-1] + 100, NUMBERS[:, ::-1] + 200], -1).astype(np.float32)

UTM, LONLAT = "EPSG:32633", "EPSG:4326"
NORTH_UP = from_origin(500000.0, 4000000.0, 30.0, 20.0)
GRIDS = {
    "north up": NORTH_UP,
    "south up": Affine(30.0, 0.0, 500000.0, 0.0, 20.0, 4000000.0),
    "mirrored": Affine(-30.0, 0.0, 500000.0, 0.0, -20.0, 4000000.0),
    "rotated": NORTH_UP * Affine.rotation(25.0),
    "sheared": NORTH_UP * Affine.shear(20.0),
    "quarter turn": Affine(0.0, 30.0, 500000.0, 30.0, 0.0, 4000000.0),
    "square rotated": from_origin(500000.0, 4000000.0, 30.0, 30.0) * Affine.rotation(-40.0),
}
SYSTEMS = {
    "UTM south": ("EPSG:32733", from_origin(300000.0, 6000000.0, 30.0, 30.0)),
    "UTM NAD27": ("EPSG:26711", from_origin(444720.0, 3751320.0, 20.0, 20.0)),
    "UTM NAD83": ("EPSG:26911", from_origin(444720.0, 3751320.0, 20.0, 20.0)),
    "UTM ED50": ("EPSG:23032", from_origin(600000.0, 5200000.0, 25.0, 25.0)),
    "UTM ETRS89": ("EPSG:25832", from_origin(600000.0, 5200000.0, 25.0, 25.0)),
    "UTM across 180": ("EPSG:32660", from_origin(816000.0, 1900000.0, 900.0, 900.0)),
    "polar stereographic north": ("EPSG:3413", from_origin(-1000.0, 1200.0, 500.0, 500.0)),
    "polar stereographic south": ("EPSG:3031", from_origin(-1e6, 1.2e6, 500.0, 500.0)),
    "Lambert conformal": ("EPSG:2154", from_origin(650000.0, 6860000.0, 10.0, 10.0)),
    "Lambert equal area": ("EPSG:3035", from_origin(4300000.0, 3200000.0, 100.0, 100.0)),
    "Albers": ("EPSG:5070", from_origin(-936408.178, 2423902.344, 28.5, 28.5)),
    "state plane in feet": ("EPSG:2229", from_origin(6480000.0, 1840000.0, 15.0, 15.0)),
    "web Mercator": ("EPSG:3857", from_origin(1100000.0, 6500000.0, 10.0, 10.0)),
    "Pacific Mercator": ("EPSG:3832", from_origin(3339000.0, -1800000.0, 5000.0, 5000.0)),
    "lon lat": (LONLAT, from_origin(10.5, 50.25, 0.001, 0.002)),
    "lon lat NAD27": ("EPSG:4267", from_origin(-110.5, 40.25, 0.001, 0.001)),
    "lon lat NAD83": ("EPSG:4269", from_origin(-110.5, 40.25, 0.001, 0.001)),
    "lon lat across 180": (LONLAT, from_origin(179.998, -17.5, 0.001, 0.001)),
    "lon lat to 360": (LONLAT, from_origin(203.5, 20.0, 0.001, 0.001)),
    "lon lat of the world": (LONLAT, from_origin(-180.0, 90.0, 72.0, 30.0)),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: what it is called in a test.
        write: writes it into a folder.
        transform, crs: where the pixel of each number lies; crs None for one that is not said.
        gdal: the name by which GDAL opens the image of the numbers; None where it has no place.
        key: of the array.
        is_map: whether it is a map, and no scene.
        rounded: of a pixel, by how much the file itself rounds its positions.
        told: a pattern of the note that says why no place is claimed; None where one is.
        tells: a pattern of a note beside a place that is claimed.
    """

    name: str
    write: Callable[[Path], Path]
    transform: Affine = NORTH_UP
    crs: str | None = UTM
    gdal: Callable[[Path], str] | None = str
    key: str | None = None
    is_map: bool = False
    rounded: float = 0.0
    told: str | None = None
    tells: str | None = None

    def position(self, number: float) -> tuple[float, float]:
        """x and y of the centre of the pixel of a number, from 1."""
        row, column = divmod(round(number) - 1, WIDTH)
        return self.transform * (column + 0.5, row + 0.5)


def cases() -> list[Case]:
    """All of them; every name is different."""
    return [
        *_geotiffs(), *_tifffiles(), *_envis(), *_envi_headers(), *_own_maps(), *_netcdfs(),
        *_gdal_netcdfs(), *_hdfeos(), *_hdf5s(),
    ]  # fmt: skip


# GeoTIFF ----------------------------------------------------------------------------------------


def _gdal(path: Path, driver: str, transform: Affine | None, crs: str | None, **more) -> Path:
    profile = {"height": HEIGHT, "width": WIDTH, "count": BANDS, "dtype": "float32"}
    with (
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
        warnings.catch_warnings(),
        rasterio.open(
            path, "w", driver=driver, crs=crs, transform=transform, **profile, **more
        ) as image,
    ):
        warnings.simplefilter("ignore")
        image.write(np.moveaxis(CUBE, -1, 0))
    return path


def _geotiffs() -> Iterator[Case]:
    def writer(transform, crs, **more):
        return lambda folder: _gdal(folder / "a.tif", "GTiff", transform, crs, **more)

    for name, grid in GRIDS.items():
        yield Case(f"GeoTIFF {name}", writer(grid, UTM), grid)
    for name, (crs, grid) in SYSTEMS.items():
        yield Case(f"GeoTIFF {name}", writer(grid, crs), grid, crs)
    turned = SYSTEMS["lon lat"][1] * Affine.rotation(30.0)
    yield Case("GeoTIFF lon lat rotated", writer(turned, LONLAT), turned, LONLAT)
    yield Case("GeoTIFF of no system", writer(NORTH_UP, None), crs=None)
    yield Case("GeoTIFF tiled BigTIFF", writer(NORTH_UP, UTM, tiled=True, blockxsize=16,
                                               blockysize=16, BIGTIFF="YES"))  # fmt: skip
    yield Case("GeoTIFF with a height", writer(NORTH_UP, "EPSG:32633+5773"), crs=UTM)
    corners = [GroundControlPoint(r, c, *(GRIDS["rotated"] * (c, r)))
               for r in (0, HEIGHT) for c in (0, WIDTH)]  # fmt: skip
    yield Case("GeoTIFF of points on a grid", lambda folder: _gdal(
        folder / "a.tif", "GTiff", None, UTM, gcps=corners), GRIDS["rotated"],
        gdal=None)  # fmt: skip
    bent = [*corners, GroundControlPoint(3, 3, 500500.0, 4000000.0)]
    yield Case("GeoTIFF of points on no grid", lambda folder: _gdal(
        folder / "a.tif", "GTiff", None, UTM, gcps=bent), told="lie on no grid")  # fmt: skip
    yield Case("GeoTIFF of a system and no grid", writer(None, UTM), told="no grid")
    yield Case("GeoTIFF in degrees under UTM", writer(SYSTEMS["lon lat"][1], UTM),
               told="are in degrees")  # fmt: skip
    yield Case("GeoTIFF in metres under lon lat", writer(NORTH_UP, LONLAT),
               told="is no longitude and latitude")  # fmt: skip
    yield Case("GeoTIFF with a world file", _with_world_file, crs=None)


def _with_world_file(folder: Path) -> Path:
    path = _gdal(folder / "a.tif", "GTiff", None, None)
    # Of the centre of the first pixel.
    path.with_suffix(".tfw").write_text("30\n0\n0\n-20\n500015\n3999990\n")
    return path


def _tifffiles() -> Iterator[Case]:
    # GeoKeyDirectory: projected or geographic (1024), pixel is area or point (1025), and the code.
    def keys(code, point=False, geographic=False):
        of = 2048 if geographic else 3072
        return (1, 1, 0, 3, 1024, 0, 1, 2 if geographic else 1, 1025, 0, 1, 2 if point else 1,
                of, 0, 1, code)  # fmt: skip

    def writer(code, *tags, point=False, geographic=False):
        directory = keys(code, point, geographic)
        extra = [(34735, "H", len(directory), directory, True)]
        extra += [(tag, "d", len(numbers), numbers, True) for tag, numbers in tags]

        def write(folder):
            path = folder / "a.tif"
            tifffile.imwrite(path, np.moveaxis(CUBE, -1, 0), photometric="minisblack",
                             planarconfig="separate", extratags=extra)  # fmt: skip
            return path

        return write

    scale = (33550, (30.0, 20.0, 0.0))
    tie = (33922, (0.0, 0.0, 0.0, 500000.0, 4000000.0, 0.0))
    yield Case("tifffile scale and tie point", writer(32633, scale, tie))
    yield Case("tifffile tie point inside", writer(
        32633, scale, (33922, (2.0, 3.0, 0.0, 500060.0, 3999940.0, 0.0))))  # fmt: skip
    yield Case("tifffile pixel is point", writer(32633, scale, tie, point=True),
               from_origin(499985.0, 4000010.0, 30.0, 20.0))  # fmt: skip
    for name in ("rotated", "sheared", "south up"):
        a, b, c, d, e, f = tuple(GRIDS[name])[:6]
        matrix = (34264, (a, b, 0.0, c, d, e, 0.0, f, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
        yield Case(f"tifffile matrix {name}", writer(32633, matrix), GRIDS[name])
    yield Case("tifffile NAD27", writer(26711, scale, tie), crs="EPSG:26711")
    yield Case(
        "tifffile lon lat across 180",
        writer(4326, (33550, (0.001, 0.001, 0.0)), (33922, (0.0, 0.0, 0.0, 179.998, -17.5, 0.0)),
               geographic=True),
        from_origin(179.998, -17.5, 0.001, 0.001), LONLAT,
    )  # fmt: skip
    yield Case("tifffile keys alone", writer(32633), told="no grid")


# ENVI -------------------------------------------------------------------------------------------


def _envis() -> Iterator[Case]:
    """By GDAL."""

    def writer(transform, crs):
        return lambda folder: _gdal(folder / "a.img", "ENVI", transform, crs)

    not_sayable = {"mirrored", "rotated", "sheared"}
    for name, grid in GRIDS.items():
        told = "the scene has no coordinates" if name in not_sayable else None
        tells = "as GDAL writes it" if name == "south up" else None
        yield Case(f"ENVI of GDAL {name}", writer(grid, UTM), grid, told=told, tells=tells)
    for name, (crs, grid) in SYSTEMS.items():
        yield Case(f"ENVI of GDAL {name}", writer(grid, crs), grid, crs)


def _envi_headers() -> Iterator[Case]:
    """By SPy, and headers as ENVI writes them."""

    def header(info, **more):
        return lambda folder: write_envi(folder / "a.img", CUBE, map_info=info, **more)

    def spy(folder):
        info = ["UTM", 1, 1, 500000, 4000000, 30, 20, 33, "North", "WGS-84", "units=Meters"]
        spectral.io.envi.save_image(str(folder / "a.hdr"), CUBE, metadata={"map info": info})
        return folder / "a.hdr"

    yield Case("ENVI of SPy", spy, gdal=lambda path: str(path.with_suffix(".img")))
    ends = "30, 20, 33, North, WGS-84, units=Meters}"
    yield Case("ENVI tie point of centres", header(f"{{UTM, 1.5, 1.5, 500015, 3999990, {ends}"))
    yield Case("ENVI tie point outside", header(f"{{UTM, -3, 11, 499880, 3999800, {ends}"))
    yield Case("ENVI of another datum", header(
        "{UTM, 1, 1, 500000, 4000000, 30, 20, 11, North, North America 1927}"),
        crs="EPSG:26711")  # fmt: skip
    yield Case("ENVI geographic", header("{Geographic Lat/Lon, 1, 1, 10.5, 50.25, 0.001, 0.002, "
        "WGS-84, units=Degrees}"), SYSTEMS["lon lat"][1], LONLAT)  # fmt: skip
    yield Case("ENVI geographic across 180", header("{Geographic Lat/Lon, 1, 1, 179.998, -17.5, "
        "0.001, 0.001, WGS-84, units=Degrees}"), SYSTEMS["lon lat across 180"][1],
        LONLAT)  # fmt: skip
    wkt = CRS.from_epsg(2154).to_wkt(version="WKT1_ESRI")
    yield Case("ENVI with a system's text", header(
        "{Lambert, 1, 1, 650000, 6860000, 10, 10, units=Meters}",
        coordinate_system_string="{" + wkt + "}"), SYSTEMS["Lambert conformal"][1],
        "EPSG:2154")  # fmt: skip
    # As GDAL writes an image whose first row is the southernmost.
    for name, ends in {
        "with a blank": "1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84,rotation= 180",
        "by minus 180": "1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84, rotation=-180",
        "with digits": "1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84, rotation=180.000000",
        "and units": "1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84, units=Meters, rotation=180",
    }.items():
        yield Case(f"ENVI of half a turn {name}", header(f"{{UTM, {ends}}}"), GRIDS["south up"],
                   tells="as GDAL writes it")  # fmt: skip
    # There GDAL leaves the tie point where a grid that is not turned would have it.
    yield Case("ENVI of half a turn tied inside", header("{UTM, 3, 2, 500060, 4000020, 30, 20, 33, "
        "North, WGS-84, rotation=180}"), told="differently")  # fmt: skip
    yield Case("ENVI rotated and tied inside", header("{UTM, 3, 2, 5e5, 4e6, 30, 30, 33, North, "
        "WGS-84, rotation=25}"), told="differently")  # fmt: skip
    yield Case("ENVI arbitrary", header("{Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}"),
               told="not understood", gdal=None)  # fmt: skip


# The maps of this package -----------------------------------------------------------------------


def _own_maps() -> Iterator[Case]:
    """A map that `save_map` writes of a scene with that place."""

    def writer(suffix, grid, crs):
        def write(folder):
            place = Georeference(CRS.from_user_input(crs).to_wkt(), tuple(grid)[:6])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                save_map(folder / f"a{suffix}", NUMBERS.astype(np.float32), georeference=place)
            return folder / f"a{suffix}"

        return write

    picked = {
        **{name: (UTM, GRIDS[name]) for name in ("north up", "rotated", "sheared")},
        **{name: SYSTEMS[name] for name in ("UTM NAD27", "UTM ED50", "Albers", "lon lat",
           "lon lat across 180", "state plane in feet", "polar stereographic south")},
    }  # fmt: skip
    for name, (crs, grid) in picked.items():
        yield Case(f"own GeoTIFF {name}", writer(".tif", grid, crs), grid, crs, is_map=True)
        if name not in ("rotated", "sheared"):  # of which save_map says that ENVI cannot
            yield Case(f"own ENVI {name}", writer(".img", grid, crs), grid, crs, is_map=True)


# netCDF and HDF5 --------------------------------------------------------------------------------


def _netcdf4(path: Path, x, y, order, crs=None, geographic=False, mapping=None, dtype="f8"):
    """By the library netCDF4, which other programs use too."""
    names = ("lon", "lat") if geographic else ("x", "y")
    axes = {"band": (BANDS, 2), names[1]: (HEIGHT, 0), names[0]: (WIDTH, 1)}
    order = tuple({"x": names[0], "y": names[1]}.get(one, one) for one in order)
    with netCDF4.Dataset(path, "w") as file:
        for name in order:
            file.createDimension(name, axes[name][0])
        cube = file.createVariable("cube", "f4", order)
        cube[:] = CUBE.transpose([axes[name][1] for name in order])
        _coordinates(lambda name, kind, dims: file.createVariable(name, kind, dims), names,
                     (x, y), geographic, dtype)  # fmt: skip
        if crs is not None:
            cube.grid_mapping = "crs"
            described = file.createVariable("crs", "i4")
            described.setncatts(mapping or {"crs_wkt": CRS.from_user_input(crs).to_wkt()})
    return path


def _coordinates(create, names, numbers, geographic, dtype) -> None:
    for name, values, axis in zip(names, numbers, "XY", strict=True):
        variable = create(name, dtype, (name,))
        variable[:] = np.asarray(values)
        if geographic:
            variable.units = "degrees_east" if axis == "X" else "degrees_north"
        else:
            variable.units = "m"
            variable.standard_name = f"projection_{axis.lower()}_coordinate"


def _centres(grid: Affine) -> tuple[np.ndarray, np.ndarray]:
    return (np.array([(grid * (c + 0.5, 0.5))[0] for c in range(WIDTH)]),
            np.array([(grid * (0.5, r + 0.5))[1] for r in range(HEIGHT)]))  # fmt: skip


def _netcdfs() -> Iterator[Case]:
    def gdal(path):
        return f"netcdf:{path}:cube"

    def writer(grid, order=("band", "y", "x"), crs=UTM, **more):
        return lambda folder: _netcdf4(folder / "a.nc", *_centres(grid), order, crs, **more)

    for name in ("north up", "south up", "mirrored"):
        yield Case(f"netCDF {name}", writer(GRIDS[name]), GRIDS[name], gdal=gdal)
    for order in (("y", "x", "band"), ("x", "y", "band"), ("y", "band", "x")):
        yield Case(f"netCDF {','.join(order)}", writer(NORTH_UP, order), gdal=None)
    for name in ("UTM NAD27", "UTM ED50", "polar stereographic south", "Lambert conformal",
                 "Albers", "Lambert equal area"):  # fmt: skip
        crs, grid = SYSTEMS[name]
        yield Case(f"netCDF {name}", writer(grid, crs=crs), grid, crs, gdal)
    yield Case("netCDF of no system", writer(NORTH_UP, crs=None), crs=None, gdal=gdal)
    mapping = {
        "grid_mapping_name": "transverse_mercator", "longitude_of_central_meridian": 15.0,
        "latitude_of_projection_origin": 0.0, "scale_factor_at_central_meridian": 0.9996,
        "false_easting": 500000.0, "false_northing": 0.0, "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
    }  # fmt: skip
    yield Case("netCDF of a CF mapping", writer(NORTH_UP, mapping=mapping), gdal=gdal)
    for name in ("lon lat", "lon lat across 180", "lon lat to 360"):
        crs, grid = SYSTEMS[name]
        yield Case(f"netCDF {name}", writer(grid, crs=None, geographic=True), grid, crs, gdal)
    grid = SYSTEMS["lon lat across 180"][1]
    x, y = _centres(grid)
    jump = np.where(x > 180, x - 360, x)
    yield Case("netCDF lon lat with a jump at 180", lambda folder: _netcdf4(
        folder / "a.nc", jump, y, ("band", "y", "x"), geographic=True), grid, LONLAT,
        gdal=None)  # fmt: skip
    yield Case("netCDF in single precision", writer(NORTH_UP, dtype="f4"), gdal=gdal)
    grid = SYSTEMS["lon lat"][1]
    yield Case("netCDF lon lat in single precision", writer(grid, crs=None, geographic=True,
               dtype="f4"), grid, LONLAT, gdal, rounded=0.01)  # fmt: skip
    pole = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
            "grid_north_pole_longitude": -162.0}  # fmt: skip
    yield Case("netCDF of a rotated pole", writer(grid, mapping=pole, geographic=True), grid,
               "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 "
               "+datum=WGS84 +no_defs +type=crs", gdal=None)  # fmt: skip
    yield Case("netCDF in radians", lambda folder: _in_units(folder, "rad"), told="'rad'",
               gdal=None)  # fmt: skip
    yield Case("netCDF in kilometres", lambda folder: _in_units(folder, "km"),
               NORTH_UP, gdal=None)  # fmt: skip

    def by_h5netcdf(folder):
        x, y = _centres(NORTH_UP)
        with h5netcdf.File(folder / "a.nc", "w") as file:
            file.dimensions = {"band": BANDS, "y": HEIGHT, "x": WIDTH}
            cube = file.create_variable("cube", ("band", "y", "x"), data=CUBE.transpose(2, 0, 1))
            cube.attrs["grid_mapping"] = "spatial_ref"
            system = file.create_variable("spatial_ref", (), "i4", data=0)
            system.attrs["spatial_ref"] = CRS.from_epsg(32633).to_wkt()
            system.attrs["GeoTransform"] = "500000.0 30.0 0.0 4000000.0 0.0 -20.0"
            file.create_variable("x", ("x",), data=x)
            file.create_variable("y", ("y",), data=y)
        return folder / "a.nc"

    yield Case("netCDF of h5netcdf", by_h5netcdf, gdal=gdal)

    def contradicted(folder):
        path = by_h5netcdf(folder)
        with h5py.File(path, "r+") as file:
            file["spatial_ref"].attrs["GeoTransform"] = "500000.0 30.0 0.0 5000000.0 0.0 -20.0"
        return path

    yield Case("netCDF that contradicts itself", contradicted, told="contradict", gdal=None)

    def without_coordinates(folder):
        path = by_h5netcdf(folder)
        with h5py.File(path, "r+") as file:
            data = file["cube"][()]
            del file["cube"], file["x"], file["y"]
            file["cube"] = data
            file["cube"].attrs["grid_mapping"] = "spatial_ref"
        return path

    yield Case("netCDF without coordinates", without_coordinates,
               told="a GeoTransform and no coordinates", gdal=None)  # fmt: skip


def _in_units(folder: Path, unit: str) -> Path:
    x, y = _centres(NORTH_UP)
    path = _netcdf4(folder / "a.nc", x / 1e3, y / 1e3, ("band", "y", "x"), UTM)
    with netCDF4.Dataset(path, "r+") as file:
        file["x"].units = file["y"].units = unit
    return path


def _gdal_netcdfs() -> Iterator[Case]:
    """By GDAL, which writes an array for each band; the first is read as a map."""

    def writer(transform, crs, **options):
        def write(folder):
            tif = _gdal(folder / "a.tif", "GTiff", transform, crs)
            rasterio.shutil.copy(tif, folder / "a.nc", driver="netCDF", FORMAT="NC4", **options)
            return folder / "a.nc"

        return write

    def gdal(path):
        return f"netcdf:{path}:Band1"

    more = {"key": "Band1", "is_map": True}
    for name in ("north up", "south up"):
        yield Case(f"netCDF of GDAL {name}", writer(GRIDS[name], UTM), GRIDS[name], gdal=gdal,
                   **more)  # fmt: skip
    yield Case("netCDF of GDAL northernmost first", writer(NORTH_UP, UTM, WRITE_BOTTOMUP="NO"),
               gdal=gdal, **more)  # fmt: skip
    yield Case("netCDF of GDAL rotated", writer(GRIDS["rotated"], UTM), gdal=None, **more,
               told="a grid that is turned")  # fmt: skip
    for name in ("UTM NAD27", "lon lat", "lon lat across 180", "Lambert conformal",
                 "polar stereographic north"):  # fmt: skip
        crs, grid = SYSTEMS[name]
        yield Case(f"netCDF of GDAL {name}", writer(grid, crs), grid, crs, gdal, **more)


_STRUCTURE = """GROUP=GridStructure
\tGROUP=GRID_1
\t\tGridName="G"
\t\tXDim=5
\t\tYDim=6
\t\tUpperLeftPointMtrs=({0})
\t\tLowerRightMtrs=({1})
\t\tProjection={2}
\t\tGROUP=DataField
\t\t\tOBJECT=DataField_1
\t\t\t\tDataFieldName="cube"
\t\t\t\tDimList=({3})
\t\t\tEND_OBJECT=DataField_1
\t\tEND_GROUP=DataField
\tEND_GROUP=GRID_1
END_GROUP=GridStructure
END
"""


def _hdfeos() -> Iterator[Case]:
    def writer(corner, opposite, projection, order=("YDim", "XDim", "Band")):
        axes = {"YDim": 0, "XDim": 1, "Band": 2}
        names = ",".join(f'"{name}"' for name in order)

        def write(folder):
            with h5py.File(folder / "a.he5", "w") as file:
                file["HDFEOS/GRIDS/G/Data Fields/cube"] = CUBE.transpose(
                    [axes[name] for name in order]
                )
                text = _STRUCTURE.format(corner, opposite, projection, names)
                file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text)
            return folder / "a.he5"

        return write

    utm = "HE5_GCTP_UTM\n\t\tZoneCode=33\n\t\tSphereCode=12"
    corners = "500000.000000,4000000.000000", "500150.000000,3999880.000000"
    yield Case("HDF-EOS UTM", writer(*corners, utm), gdal=None)
    # Packed: 10° 30′, 50° 15′ and so on.
    yield Case("HDF-EOS lon lat", writer("10030000.000000,50015000.000000",
        "10030018.000000,50014016.800000", "HE5_GCTP_GEO"), from_origin(10.5, 50.25, 0.001, 0.002),
        LONLAT, gdal=None)  # fmt: skip
    yield Case("HDF-EOS lon lat west and south", writer("-110030000.000000,-17030000.000000",
        "-110029042.000000,-17030043.200000", "HE5_GCTP_GEO"),
        from_origin(-110.5, -17.5, 0.001, 0.002), LONLAT, gdal=None)  # fmt: skip
    yield Case("HDF-EOS sinusoidal", writer(*corners, "HE5_GCTP_SNSOID"),
               told="in the projection GCTP_SNSOID", gdal=None)  # fmt: skip
    yield Case("HDF-EOS UTM of another sphere", writer(*corners, utm.replace("12", "0")),
               told="in the projection GCTP_UTM", gdal=None)  # fmt: skip
    yield Case("HDF-EOS counted from below", writer(*corners, utm +
        "\n\t\tGridOrigin=HE5_HDFE_GD_LL"), told="GD_LL", gdal=None)  # fmt: skip


def _hdf5s() -> Iterator[Case]:
    def layered(shape_of):
        def write(folder):
            grid = SYSTEMS["lon lat"][1]
            x, y = np.meshgrid(*_centres(grid))
            with h5py.File(folder / "a.h5", "w") as file:
                file["cube"] = CUBE
                file["geo/Latitude"], file["geo/Longitude"] = shape_of(y), shape_of(x)
            return folder / "a.h5"

        return write

    yield Case("HDF5 of latitudes and longitudes", layered(np.asarray), SYSTEMS["lon lat"][1],
               LONLAT, gdal=None)  # fmt: skip
    yield Case("HDF5 of others' latitudes", layered(lambda a: a[::3]), gdal=None,
               told="no latitudes and longitudes of its rows and columns")  # fmt: skip
    yield Case("HDF5 of numbers that are no latitudes", layered(lambda a: a * 100), gdal=None,
               told="latitudes and longitudes that are none")  # fmt: skip

    def with_map_info(folder):
        with h5py.File(folder / "a.h5", "w") as file:
            file["cube"] = CUBE
            file["Coordinate_System/Map_Info"] = "UTM, 1, 1, 500000, 4000000, 30, 20, 33, North"
        return folder / "a.h5"

    yield Case("HDF5 with a map info", with_map_info, told="Map_Info", gdal=None)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for one in cases():
        folder = target / one.name.replace(" ", "_").replace(",", "_")
        folder.mkdir(parents=True)
        print(one.write(folder))
