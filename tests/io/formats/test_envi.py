"""ENVI: every layout, either file of the pair, every entry that is read, and what is refused."""

import builtins
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene, save_map
from tests.io.products import cube, header, write_envi

pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")

CUBE = cube()
WAVELENGTHS = "{450, 500, 550, 600, 650, 700, 750}"
UTM = "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}"


class TestValues:
    @pytest.mark.parametrize("interleave", ["bsq", "BIL", "bip"])
    @pytest.mark.parametrize("byte_order", ["0", "1"])
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
    def test_layouts(self, tmp_path, interleave, byte_order, dtype):
        values = CUBE.astype(dtype)
        path = write_envi(tmp_path / "a.img", values, interleave, byte_order=byte_order)
        scene = load_scene(path)
        np.testing.assert_array_equal(scene.cube, values)
        assert scene.pixels.dtype == dtype
        assert (scene.name, scene.source_format) == ("a", "ENVI")
        assert scene.truth is None and scene.valid is None and scene.georeference is None

    def test_what_spy_writes(self, tmp_path):
        from spectral.io import envi

        for interleave in ("bsq", "bil", "bip"):
            name = str(tmp_path / f"{interleave}.hdr")
            envi.save_image(name, CUBE, interleave=interleave, metadata={"wavelength": range(1, 8)})
            scene = load_scene(name)
            np.testing.assert_array_equal(scene.cube, CUBE)
            np.testing.assert_array_equal(scene.wavelengths, np.arange(1, 8) * 1000.0)

    def test_offset(self, tmp_path):
        path = write_envi(tmp_path / "a.dat", CUBE, "bil", lead=b"sixteen bytes...")
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)

    def test_pixel_interleaved_values_are_not_read_into_memory(self, tmp_path):
        values = np.zeros((400, 500, 20), np.uint16)
        values[7, 8, 9] = 5
        path = write_envi(tmp_path / "a.img", values, "bip")
        load_scene(path)  # what a first call imports is not counted
        tracemalloc.start()
        scene = load_scene(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < values.nbytes / 4
        assert scene.cube[7, 8, 9] == 5

    def test_reflectance_scale_factor(self, tmp_path):
        values = CUBE.astype(np.int16)
        values[0, 0] = -9999
        path = write_envi(
            tmp_path / "a.img", values, reflectance_scale_factor="10000", data_ignore_value="-9999"
        )
        scene = load_scene(path)
        assert scene.cube.dtype == np.float32
        expected = np.where(values == -9999, np.nan, values / 1e4)
        np.testing.assert_allclose(scene.cube, expected, rtol=1e-6)
        assert np.argwhere(~scene.valid).tolist() == [[0, 0]]


class TestPair:
    @pytest.mark.parametrize("data", ["a", "a.img", "a.DAT", "a.raw", "a.bil", "a.bsq", "a.v2"])
    @pytest.mark.parametrize("style", ["added", "replaced"])
    def test_either_file_finds_the_other(self, tmp_path, data, style):
        path = write_envi(tmp_path / data, CUBE)
        beside = Path(f"{path}.hdr")
        if style == "replaced":
            beside = beside.rename(path.with_suffix(".hdr"))
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)
        if data != "a.v2" or style == "added":
            np.testing.assert_array_equal(load_scene(beside).cube, CUBE)

    def test_upper_case_header(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE)
        beside = Path(f"{path}.hdr").rename(tmp_path / "a.HDR")
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)
        np.testing.assert_array_equal(load_scene(beside).cube, CUBE)

    def test_the_file_of_the_right_size_is_taken(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE)
        beside = Path(f"{path}.hdr").rename(tmp_path / "a.hdr")
        (tmp_path / "a.dat").write_bytes(b"a preview")
        np.testing.assert_array_equal(load_scene(beside).cube, CUBE)

    def test_header_without_values(self, tmp_path):
        (tmp_path / "a.hdr").write_text(header(CUBE))
        with pytest.raises(InputError, match=r"a\.hdr has no file of values beside it; expected a"):
            load_scene(tmp_path / "a.hdr")

    def test_values_without_header(self, tmp_path):
        (tmp_path / "a.img").write_bytes(b"123")
        with pytest.raises(InputError, match=r"no ENVI header beside it; expected a\.img\.hdr or"):
            load_scene(tmp_path / "a.img")

    def test_a_single_band_is_a_map(self, tmp_path):
        path = write_envi(tmp_path / "truth.img", CUBE[:, :, :1], "bil")
        np.testing.assert_array_equal(load_map(path), CUBE[:, :, 0])
        with pytest.raises(InputError, match="has one band, 6 rows × 5 columns; expected an image"):
            load_scene(path)
        with pytest.raises(InputError, match="one unnamed array; expected no key="):
            load_scene(path, key="x")


class TestEntries:
    @pytest.mark.parametrize(
        ("unit", "factor"),
        [("Nanometers", 1), ("nm", 1), ("Micrometers", 1e3), ("um", 1e3), ("µm", 1e3),
         ("Unknown", 1e3), (None, 1e3)],
    )  # fmt: skip
    def test_wavelengths(self, tmp_path, unit, factor):
        listed = "{.45, .5, .55, .6, .65, .7, .75}"
        entries = {} if unit is None else {"wavelength_units": unit}
        path = write_envi(tmp_path / "a.img", CUBE, wavelength=listed, **entries)
        expected = np.array([0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75]) * factor
        np.testing.assert_allclose(load_scene(path).wavelengths, expected, rtol=1e-12)

    def test_large_numbers_without_a_unit_are_nanometres(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE, wavelength=WAVELENGTHS)
        assert load_scene(path).wavelengths.tolist() == list(range(450, 751, 50))

    def test_wavenumbers_and_frequencies_are_turned_into_wavelengths(self, tmp_path):
        for unit, light in (("Wavenumber", 1e7), ("GHz", 299_792_458.0)):
            path = write_envi(
                tmp_path / "a.img", CUBE, wavelength=WAVELENGTHS, wavelength_units=unit
            )
            expected = light / np.arange(450.0, 751.0, 50.0)
            np.testing.assert_allclose(load_scene(path).wavelengths, expected, rtol=1e-12)

    @pytest.mark.parametrize("unit", ["Index", "Watts"])
    def test_what_is_no_length_is_no_wavelength(self, tmp_path, unit):
        path = write_envi(
            tmp_path / "a.img", CUBE, wavelength=WAVELENGTHS, wavelength_units=unit
        )
        assert load_scene(path).wavelengths is None

    def test_bad_bands(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE, bbl="{1, 1, 0, 1.0, 1, 0, 1}")
        assert load_scene(path).good_bands.tolist() == [1, 1, 0, 1, 1, 0, 1]

    @pytest.mark.parametrize("value", ["nan", "none", "-inf"])
    def test_no_data_value_that_is_none(self, tmp_path, value):
        path = write_envi(tmp_path / "a.img", CUBE, data_ignore_value=value)
        assert load_scene(path).valid is None

    def test_a_latin_1_header(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE, wavelength=WAVELENGTHS)
        text = Path(f"{path}.hdr").read_text().replace("made by", "gemessen für")
        Path(f"{path}.hdr").write_bytes(text.encode("latin-1"))
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)

    def test_more_values_than_declared_are_said(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE)
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.warns(UserWarning, match=r"a\.img holds 4 bytes more than a\.img\.hdr") as said:
            np.testing.assert_array_equal(load_scene(path).cube, CUBE)
        assert len(said) == 1


class TestPlace:
    @pytest.mark.parametrize(
        "info",
        [
            UTM,
            UTM.replace("UTM, 1, 1", "UTM, 1.5, 3.5"),
            UTM.replace("}", ", rotation=25}"),
            UTM.replace("North", "South"),
            "{Geographic Lat/Lon, 1, 1, 10.5, 50.25, 0.001, 0.002, WGS-84, units=Degrees}",
        ],
    )
    def test_agrees_with_gdal(self, tmp_path, info):
        rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")
        path = write_envi(tmp_path / "a.img", CUBE, map_info=info)
        place = load_scene(path).georeference
        with rasterio.open(path) as image:
            np.testing.assert_allclose(place.transform, tuple(image.transform)[:6], rtol=1e-12)
            assert rasterio.crs.CRS.from_wkt(place.crs) == image.crs
        assert dict(place.envi) == {"map info": [v.strip() for v in info[1:-1].split(",")]}

    def test_coordinate_system_string(self, tmp_path):
        wkt = 'PROJCS["UTM_33N",GEOGCS["GCS_WGS_1984",UNIT["Degree",0.0174532925199433]]]'
        path = write_envi(
            tmp_path / "a.img", CUBE, map_info=UTM, coordinate_system_string=f"{{{wkt}}}"
        )
        place = load_scene(path).georeference
        assert place.crs == wkt
        assert ",".join(place.envi["coordinate system string"]) == wkt
        assert place.coordinates(0, 0) == (500015.0, 3999985.0)

    def test_arbitrary_coordinates_are_kept_and_mean_nothing(self, tmp_path):
        info = "{Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}"
        path = write_envi(tmp_path / "a.img", CUBE, map_info=info, x_start="3")
        with pytest.warns(UserWarning, match="'map info' is not understood"):
            place = load_scene(path).georeference
        assert place.transform is None and place.crs is None
        assert set(place.envi) == {"map info", "x start"}

    def test_a_cut_out_alone_is_no_place(self, tmp_path):
        assert load_scene(write_envi(tmp_path / "a", CUBE, x_start="3")).georeference is None


class TestRefused:
    def test_truncated_values_with_both_sizes(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE)
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(InputError) as refusal:
            load_scene(path)
        assert str(refusal.value) == (
            "a.img holds 419 bytes; expected 420, which a.img.hdr declares (6 rows × 5 columns × "
            "7 bands of uint16), copy or download both files again, or correct the header."
        )

    def test_absurd_sizes_ask_for_no_memory(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE, samples="100000000", lines="100000000")
        tracemalloc.start()
        with pytest.raises(InputError, match=r"holds 420 bytes; expected 140000000000000000, "):
            load_scene(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 << 20

    @pytest.mark.parametrize(
        ("entries", "said"),
        [
            ({"bbl": "{1}"}, "'bbl' has 1 entries for 7 bands"),
            ({"bbl": "{a, b, c, d, e, f, g}"}, "'bbl' holds something that is no number"),
            ({"bbl": "{0,0,0,0,0,0,0}"}, "all 7 bands are marked as not to be used"),
            ({"samples": None}, "it has no entry 'samples'"),
            ({"lines": "0"}, "'lines' is 0"),
            ({"bands": "-7"}, "'bands' is -7"),
            ({"bands": "7.5"}, "'bands' is 7.5"),
            ({"samples": "9" * 5000}, "'samples' is 999"),
            ({"samples": "nan"}, "'samples' is nan"),
            ({"data_type": "6"}, "holds 420 bytes; expected 1680"),
            ({"data_type": "99"}, "'data type' is 99"),
            ({"interleave": "bxx"}, r"'interleave' \(line 9\) is bxx"),
            ({"byte_order": "2"}, r"'byte order' \(line 10\) is 2"),
            ({"header_offset": "-4"}, "'header offset' is -4"),
            ({"major_frame_offsets": "{4, 4}"}, "frame offsets are not supported"),
            ({"file_type": "ENVI Spectral Library"}, "describes a spectral library"),
            ({"file_compression": "1"}, "is compressed; expected plain values"),
            ({"reflectance_scale_factor": "0"}, "'reflectance scale factor' is 0"),
        ],
    )
    def test_entries(self, tmp_path, entries, said):
        path = write_envi(tmp_path / "a.img", CUBE)
        Path(f"{path}.hdr").write_text(header(CUBE, **entries))
        with pytest.raises(InputError, match=said) as refusal:
            load_scene(path)
        assert "\n" not in str(refusal.value)

    def test_complex_values(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE.astype(np.complex64))
        with pytest.raises(InputError, match="of type complex complex64; expected a real numeric"):
            load_scene(path)

    @pytest.mark.parametrize("text", [b"", b"#?RADIANCE\n", b"\x00ENVI", b"ENVI\n", b"ENVI\na={1"])
    def test_other_headers(self, tmp_path, text):
        path = write_envi(tmp_path / "a.img", CUBE)
        Path(f"{path}.hdr").write_bytes(text)
        with pytest.raises(InputError, match=r"a\.img\.hdr"):
            load_scene(path)

    def test_no_data_everywhere(self, tmp_path):
        path = write_envi(tmp_path / "a.img", CUBE * 0 + 7, data_ignore_value="7")
        with pytest.raises(InputError, match="none of the 6 × 5 pixels holds data"):
            load_scene(path)

    def test_without_spy(self, tmp_path, monkeypatch):
        real = builtins.__import__

        def without(name, *rest):
            if name.startswith("spectral"):
                raise ImportError(name)
            return real(name, *rest)

        path = write_envi(tmp_path / "a.img", CUBE)
        monkeypatch.setattr(builtins, "__import__", without)
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)
        with pytest.raises(InputError, match=r"needs spectral, .* pip install 'lren-tf\[geo\]'"):
            save_map(tmp_path / "b.img", CUBE[:, :, 0])


@pytest.mark.data
def test_a_real_image():
    folder = Path(os.environ.get("LREN_TF_DATA") or ".") / "formats"
    if not (folder / "LHData.hdr").is_file():
        pytest.skip("LREN_TF_DATA names no folder with formats/LHData.hdr")
    for name in ("LHData", "LHData.hdr"):
        scene = load_scene(folder / name)
        assert scene.shape == (100, 100, 186)
        assert scene.cube.dtype == np.uint16
        assert scene.wavelengths[[0, -1]].tolist() == [390.190002, 856.450012]
        assert scene.valid is None and scene.georeference is None
