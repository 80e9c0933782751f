"""Small files of every format, made on the fly, for the tests."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO"
UTM33 = "EPSG:32633"


def cube(height: int = 6, width: int = 5, bands: int = 7, dtype: str = "uint16") -> np.ndarray:
    """Numbers that differ nearly everywhere, and are above 0."""
    values = np.random.default_rng(3).integers(1, 9999, (height, width, bands))
    return values.astype(dtype)


def header(values: np.ndarray, interleave: str = "bsq", **entries: str) -> str:
    """The text of an ENVI header for a cube [H, W, B]; `_` in a name of an entry is a blank."""
    codes = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "complex64": 6,
             "uint16": 12, "uint32": 13, "int64": 14, "uint64": 15}  # fmt: skip
    said = {
        "description": "{made by a test}",
        "samples": values.shape[1],
        "lines": values.shape[0],
        "bands": values.shape[2],
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": codes[values.dtype.name],
        "interleave": interleave,
        "byte order": 0,
    }
    said |= {name.replace("_", " "): value for name, value in entries.items()}
    lines = [f"{name} = {value}" for name, value in said.items() if value is not None]
    return "\n".join(["ENVI", *lines]) + "\n"


def write_envi(
    path: Path, values: np.ndarray, interleave: str = "bsq", *, lead: bytes = b"", **entries: str
) -> Path:
    """`path` with the values of a cube and `path`.hdr beside it, without SPy."""
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave.lower()]
    order = ">" if str(entries.get("byte_order", 0)) == "1" else "<"
    stored = values.transpose(axes).astype(values.dtype.newbyteorder(order))
    path.write_bytes(lead + stored.tobytes())
    if lead:
        entries["header_offset"] = str(len(lead))
    path.with_name(path.name + ".hdr").write_text(header(values, interleave, **entries))
    return path


def write_geotiff(path: Path, values: np.ndarray, **profile: object) -> Path:
    """A GeoTIFF of a cube [H, W, B] in UTM zone 33 with pixels of 30 m."""
    import rasterio
    from rasterio.transform import Affine

    said = {
        "crs": UTM33,
        "transform": Affine(30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0),
        "width": values.shape[1],
        "height": values.shape[0],
        "count": values.shape[2],
        "dtype": values.dtype,
        **profile,
    }
    with rasterio.open(path, "w", driver="GTiff", **said) as image:
        image.write(np.moveaxis(values, -1, 0))
    return path


def write_emit(path: Path, values: np.ndarray, *, good: np.ndarray | None = None) -> Path:
    """A netCDF-4 file laid out as EMIT's level 2A reflectance, map grid one cell larger."""
    height, width, bands = values.shape
    rows, columns = np.mgrid[: height + 1, : width + 1]
    inside = (rows > 0) & (columns > 0)
    with h5py.File(path, "w") as hdf:
        hdf.attrs["geotransform"] = np.array([10.0, 0.5, 0.0, 50.0, 0.0, -0.25])
        hdf.attrs["spatial_ref"] = 'GEOGCS["WGS 84",DATUM["WGS_1984"]]'
        data = hdf.create_dataset("reflectance", data=values.astype("f4"), chunks=values.shape)
        data.attrs["_FillValue"] = np.array([-9999.0], "f4")
        table = hdf.create_group("sensor_band_parameters")
        table["wavelengths"] = np.linspace(381.0, 2493.0, bands).astype("f4")
        table["fwhm"] = np.full(bands, 8.5, "f4")
        flags = np.ones(bands) if good is None else good
        table["good_wavelengths"] = flags.astype("f4")
        place = hdf.create_group("location")
        place["lon"] = 10.0 + np.arange(width) / 100 + np.zeros((height, 1))
        place["lat"] = 50.0 - np.arange(height)[:, None] / 100 + np.zeros(width)
        place["elev"] = np.random.default_rng(0).uniform(0, 900, (height, width))
        place["glt_x"] = np.where(inside, columns, 0).astype("i4")
        place["glt_y"] = np.where(inside, -rows, 0).astype("i4")
    return path


EMIT_FLAGS = (
    "Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag", "AOD550",
    "H2O (g cm-2)", "Aggregate Flag",
)  # fmt: skip
EMIT_FLAGS_3 = (
    "Cloud Flag", "Cirrus Flag", "Water Flag", "Dilated Cloud Flag", "SpecTf-Cloud Probability",
    "SpecTf-Cloud Flag", "SpecTf-Buffer Distance",
)  # fmt: skip


def write_emit_mask(
    path: Path, grid: tuple[int, int], flagged: dict[str, list[tuple[int, int]]],
    labels: tuple[str, ...] = EMIT_FLAGS,
) -> Path:  # fmt: skip
    """A netCDF-4 file laid out as EMIT's mask, flags set in the pixels that are listed.

    Bands that are no flags hold 0.3 everywhere, and the pixels listed under `fill` -9999.
    """
    values = np.zeros((*grid, len(labels)), "f4")
    for at, label in enumerate(labels):
        if "flag" not in label.lower():
            values[:, :, at] = 0.3
        for pixel in flagged.get(label, []):
            values[(*pixel, at)] = 1.0
    for pixel in flagged.get("fill", []):
        values[pixel] = -9999.0
    with h5py.File(path, "w") as hdf:
        data = hdf.create_dataset("mask", data=values)
        data.attrs["_FillValue"] = np.array([-9999.0], "f4")
        hdf["band_mask"] = np.zeros((*grid, 36), "u1")
        table = hdf.create_group("sensor_band_parameters")
        table.create_dataset("mask_bands", data=list(labels), dtype=h5py.string_dtype())
    return path


def write_prisma(
    path: Path, vnir: np.ndarray, swir: np.ndarray, *, dropped: int = 1, level: str = "L2D",
    errors: tuple[np.ndarray, np.ndarray] | None = None, **layers: np.ndarray,
) -> Path:  # fmt: skip
    """An HE5 file laid out as PRISMA's, cubes as rows × bands × columns of DN.

    The last `dropped` bands of the first cube have no wavelength. `errors` are the codes of both
    cubes, none set without them; `layers` are further data fields. Only level 2D has corners.
    """
    rows, bands, columns = vnir.shape
    centres = np.linspace(1000.0, 400.0, bands)
    centres[bands - dropped :] = 0.0
    swath = f"HDFEOS/SWATHS/PRS_{level}_HCO"
    matrix = "PIXEL_SAT_ERR_MATRIX" if level == "L1" else "PIXEL_L2_ERR_MATRIX"
    with h5py.File(path, "w") as hdf:
        hdf.attrs["Processing_Level"] = np.bytes_(level[1:])
        hdf.attrs["Product_StartTime"] = np.bytes_("2021-09-22T10:14:25.123")
        hdf.attrs["List_Cw_Vnir"] = centres.astype("f4")
        hdf.attrs["List_Cw_Swir"] = np.linspace(2500.0, 950.0, swir.shape[1]).astype("f4")
        for part, count in (("Vnir", bands), ("Swir", swir.shape[1])):
            hdf.attrs[f"List_Fwhm_{part}"] = np.full(count, 10, "f4")
            hdf.attrs[f"List_Cw_{part}_Flags"] = (hdf.attrs[f"List_Cw_{part}"] > 0).astype("i4")
        for part, low, high in (("Vnir", -0.1, 1.2), ("Swir", 0.0, 0.9)):
            if level == "L1":
                hdf.attrs[f"ScaleFactor_{part}"] = np.float32(100.0)
                hdf.attrs[f"Offset_{part}"] = np.float32(0.5)
                continue
            hdf.attrs[f"L2Scale{part}Min"] = np.float32(low)
            hdf.attrs[f"L2Scale{part}Max"] = np.float32(high)
        if level == "L2D":
            hdf.attrs["Epsg_Code"] = np.int32(32633)
            hdf.attrs["Product_ULcorner_easting"] = 500000.0
            hdf.attrs["Product_ULcorner_northing"] = 4000000.0
            hdf.attrs["Product_LRcorner_easting"] = 500000.0 + 30.0 * (columns - 1)
            hdf.attrs["Product_LRcorner_northing"] = 4000000.0 - 30.0 * (rows - 1)
        fields = hdf.create_group(f"{swath}/Data Fields")
        fields.create_dataset("VNIR_Cube", data=vnir, chunks=(1, *vnir.shape[1:]))
        fields.create_dataset("SWIR_Cube", data=swir, chunks=(1, *swir.shape[1:]))
        codes = errors or (np.zeros(vnir.shape, "u1"), np.zeros(swir.shape, "u1"))
        fields[f"VNIR_{matrix}"], fields[f"SWIR_{matrix}"] = codes
        for name, values in layers.items():
            fields[name] = values
        place = hdf.create_group(f"{swath}/Geolocation Fields")
        for end in ("_VNIR", "_SWIR") if level == "L1" else ("",):
            rng = np.random.default_rng(0)
            place[f"Latitude{end}"] = rng.uniform(40, 41, (rows, columns)).astype("f4")
            place[f"Longitude{end}"] = rng.uniform(9, 10, (rows, columns)).astype("f4")
        if level == "L1":
            other = hdf.create_group("HDFEOS/SWATHS/PRS_L1_HRC/Data Fields")
            other["VNIR_Cube"], other["SWIR_Cube"] = vnir[:, :, ::-1], swir[:, :, ::-1]
            panchromatic = np.ones((rows * 6, columns * 6), "u2")
            hdf["HDFEOS/SWATHS/PRS_L1_PCO/Data Fields/Cube"] = panchromatic
    return path


def write_dlr(
    folder: Path, values: np.ndarray, *, desis: bool = False, layers: dict | None = None,
    gains: tuple[float, float] = (1e-4, 0.0), cog: str = "",
) -> Path:  # fmt: skip
    """A GeoTIFF with METADATA beside it, laid out as level 2A of EnMAP or of DESIS.

    `layers` are quality layers [H, W] or [bands, H, W] by the ends of their names. The gain of a
    band is `gains[0]` × its number, and its offset `gains[1]`.
    """
    bands = values.shape[2]
    centres = np.linspace(420.0, 2440.0 if not desis else 1000.0, bands)
    if desis:
        stem, end, item, width = "DESIS-HSI-L2A-DT0485529167_001-20220712T223540-V0220", "tif", "band", "wavelengthWidthOfBand"  # noqa: E501
    else:
        stem, end, item, width = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z", "TIF", "bandID", "FWHMOfBand"  # noqa: E501
    gain, offset = ("gainOfBand", "offsetOfBand") if desis else ("GainOfBand", "OffsetOfBand")
    listed = "".join(
        f"<{item} number='{at}'><bandNumber>{at}</bandNumber>"
        f"<wavelengthCenterOfBand>{centre}</wavelengthCenterOfBand><{width}>8</{width}>"
        f"<{gain}>{gains[0] * at}</{gain}><{offset}>{gains[1]}</{offset}></{item}>"
        for at, centre in enumerate(centres, 1)
    )
    other = "<interiorOrientation><band><x>1</x></band></interiorOrientation>"
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><level_X xmlns:xsi='http://www.w3.org/2001/XMLSchema"
        "-instance'><base><temporalCoverage><startTime>2022-07-24T10:45:26.5Z</startTime>"
        f"</temporalCoverage></base><specific>{other}<bandCharacterisation>{listed}"
        "</bandCharacterisation></specific></level_X>"
    )
    (folder / f"{stem}-METADATA.{'xml' if desis else 'XML'}").write_text(text)
    for name, layer in (layers or {}).items():
        stacked = np.atleast_3d(np.moveaxis(layer, 0, -1) if layer.ndim == 3 else layer)
        write_geotiff(folder / f"{stem}-{name}{cog}.{end}", stacked.astype("u1"))
    image = folder / f"{stem}-SPECTRAL_IMAGE{cog}.{end}"
    return write_geotiff(image, values, nodata=-32768)


def write_tanager(path: Path, values: np.ndarray, *, name: str = "surface_reflectance",
                  good: np.ndarray | None = None, **layers: np.ndarray) -> Path:  # fmt: skip
    """An HDF5 file laid out as Tanager's basic products, the cube bands first."""
    height, width, bands = values.shape
    with h5py.File(path, "w") as hdf:
        fields = hdf.create_group("HDFEOS/SWATHS/HYP/Data Fields")
        data = fields.create_dataset(name, data=np.moveaxis(values, -1, 0).astype("f4"))
        data.attrs["wavelengths"] = np.linspace(376.0, 2499.0, bands)
        data.attrs["fwhm"] = np.full(bands, 5.5)
        data.attrs["_FillValue"] = np.float32(-9999)
        if good is not None:
            data.attrs["good_wavelengths"] = good.astype("u1")
        fields[f"{name}_uncertainty"] = np.ones((bands, height, width), "f4")
        for key, layer in layers.items():
            fields[key] = layer.astype("u1")
        place = hdf.create_group("HDFEOS/SWATHS/HYP/Geolocation Fields")
        place["Latitude"] = 50.0 - np.arange(height)[:, None] / 100 + np.zeros(width)
        place["Longitude"] = 10.0 + np.arange(width) / 100 + np.zeros((height, 1))
    return path


def write_neon(path: Path, values: np.ndarray, *, site: str = "BART", epsg: str = "32618",
               info: str = "UTM, 1, 1, 316000.0, 4881000.0, 1.0, 1.0, 18, North, WGS-84, "
               "units=Meters, 0") -> Path:  # fmt: skip
    """An HDF5 file laid out as reflectance of NEON's Airborne Observation Platform."""
    with h5py.File(path, "w") as hdf:
        group = hdf.create_group(f"{site}/Reflectance")
        group.attrs["Band_Window_1_Nanometers"] = np.array([1340.0, 1445.0])
        data = group.create_dataset("Reflectance_Data", data=values.astype("i2"))
        data.attrs["Scale_Factor"] = 10000.0
        data.attrs["Data_Ignore_Value"] = -9999.0
        table = group.create_group("Metadata/Spectral_Data")
        table["Wavelength"] = np.linspace(380.0, 2510.0, values.shape[2])
        table["Wavelength"].attrs["Units"] = "nanometers"
        table["FWHM"] = np.full(values.shape[2], 5.0)
        system = group.create_group("Metadata/Coordinate_System")
        system["EPSG Code"], system["Map_Info"] = np.bytes_(epsg), np.bytes_(info)
        group["Metadata/Ancillary_Imagery/Slope"] = np.ones(values.shape[:2], "f4")
    return path


def write_pace(
    path: Path, values: np.ndarray, *, name: str = "Rrs", flags: np.ndarray | None = None,
    thinned: bool = False,
) -> Path:  # fmt: skip
    """A netCDF-4 file laid out as PACE OCI level 2: stored · 2e-6 + 0.05 of 16-bit numbers."""
    import netCDF4

    height, width, bands = values.shape
    with netCDF4.Dataset(path, "w") as file:
        sizes = {"number_of_lines": height, "pixels_per_line": width, "wavelength_3d": bands,
                 "number_of_bands": bands + 3, "pixel_control_points": 2 if thinned else width}
        for dimension, size in sizes.items():
            file.createDimension(dimension, size)
        bandset = file.createGroup("sensor_band_parameters")
        bandset.createVariable("wavelength", "f8", ("number_of_bands",))[:] = np.arange(bands + 3)
        wavelengths = bandset.createVariable("wavelength_3d", "f8", ("wavelength_3d",))
        wavelengths[:], wavelengths.units = np.linspace(346.0, 719.0, bands), "nm"
        data = file.createGroup("geophysical_data")
        axes = ("number_of_lines", "pixels_per_line", "wavelength_3d")
        for key in (name, f"{name}_unc"):
            variable = data.createVariable(key, "i2", axes, fill_value=-32767)
            variable.set_auto_maskandscale(False)
            variable.scale_factor, variable.add_offset = np.float32(2e-6), np.float32(0.05)
            variable[:] = values
        if flags is not None:
            layer = data.createVariable("l2_flags", "i4", axes[:2])
            layer.flag_meanings = "ATMFAIL LAND SPARE HIGLINT CLDICE NAVFAIL"
            layer.flag_masks = np.array([1, 2, 4, 8, 512, -2147483648], "i4")
            layer[:] = flags
        place = file.createGroup("navigation_data")
        for key in ("latitude", "longitude"):
            variable = place.createVariable(key, "f4", ("number_of_lines", "pixel_control_points"))
            rows, columns = np.mgrid[:height, : sizes["pixel_control_points"]]
            variable[:] = 30.0 - rows / 10 if key == "latitude" else -100.0 + columns / 10
    return path


def write_aviris(path: Path, values: np.ndarray, *, name: str = "reflectance") -> Path:
    """A netCDF-4 file laid out as AVIRIS-3 and -5 level 2A: bands, northings, eastings."""
    import netCDF4
    from pyproj import CRS

    height, width, bands = values.shape
    with netCDF4.Dataset(path, "w") as file:
        for dimension, size in (("northing", height), ("easting", width)):
            file.createDimension(dimension, size)
            axis = file.createVariable(dimension, "f8", (dimension,))
            axis.units = "m"
            axis.standard_name = f"projection_{'y' if dimension == 'northing' else 'x'}_coordinate"
        file["northing"][:] = 4e6 - 5.0 * np.arange(height)
        file["easting"][:] = 5e5 + 5.0 * np.arange(width)
        mapping = file.createVariable("transverse_mercator", "i4")
        mapping.setncatts(CRS.from_epsg(32611).to_cf())
        mapping.GeoTransform = "499997.5 5.0 0.0 4000002.5 0.0 -5.0"
        group = file.createGroup(name)
        group.createDimension("wavelength", bands)
        table = group.createVariable("wavelength", "f4", ("wavelength",))
        table[:], table.units = np.linspace(390.0, 2493.0, bands), "nm"
        group.createVariable("fwhm", "f4", ("wavelength",))[:] = 7.5
        cube_ = group.createVariable(
            name, "f4", ("wavelength", "northing", "easting"), fill_value=-9999.0
        )
        cube_.grid_mapping = "transverse_mercator"
        cube_[:] = np.moveaxis(values, -1, 0)
    return path


def write_hypso(path: Path, values: np.ndarray, *, name: str = "Lt", placed: bool = True) -> Path:
    """A netCDF-4 file laid out as HYPSO's level 1B and 1D, as its own toolbox writes them."""
    import netCDF4

    height, width, bands = values.shape
    with netCDF4.Dataset(path, "w") as file:
        for dimension, size in (("lines", height), ("samples", width), ("bands", bands)):
            file.createDimension(dimension, size)
        data = file.createVariable(f"products/{name}", "f4", ("lines", "samples", "bands"))
        data.wavelength_units = "nanometers"
        data.wavelengths = np.linspace(387.0, 802.0, bands).round(1)
        data.fwhm = np.full(bands, 5.0)
        data[:] = values
        for key in ("latitude", "longitude") if placed else ():
            layer = file.createVariable(f"geometry/{key}", "f4", ("lines", "samples"))
            layer[:] = np.mgrid[:height, :width][int(key == "longitude")] / 100 + 50
    return path


def write_bands(folder: Path, values: np.ndarray, names: list[str]) -> Path:
    """A folder with one GeoTIFF for each band of a cube."""
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(names):
        write_geotiff(folder / name, values[:, :, at : at + 1])
    return folder


def write_hyperion(folder: Path, values: np.ndarray, numbers: list[int]) -> Path:
    """A folder laid out as level 1T of Hyperion, with some of its 242 bands."""
    scene = "EO1H0140342004123110KZ"
    write_bands(folder, values, [f"{scene}_B{number:03}_L1T.TIF" for number in numbers])
    (folder / f"{scene}_MTL_L1T.TXT").write_text(
        "GROUP = L1_METADATA_FILE\n  ACQUISITION_DATE = 2004-05-02\n"
        "  SCALING_FACTOR_VNIR = 40\n  SCALING_FACTOR_SWIR = 80\nEND\n"
    )
    return folder
