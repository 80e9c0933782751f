"""Headers of ENVI images as other programs write them: nothing in one is lost without a word."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.base.source import Source
from lren_tf.io.formats.envi_header import as_number, read_header
from tests.io.products import cube, header, write_envi, write_geotiff

pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")
rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")

# But for the note that -9999 may be no data where nothing says so.
quiet = pytest.mark.filterwarnings("error:(?!.*(in every band|one and the same spectrum))")
CUBE = cube(6, 5, 7, "int16")
CUBE[:2] = -9999
WAVELENGTHS = "{450, 500, 550, 600, 650, 700, 750}"


def image(folder: Path, text: str = "", **entries: str | None) -> Path:
    """An image with these entries, and more lines of its header."""
    path = write_envi(folder / "a.img", CUBE)
    Path(f"{path}.hdr").write_text(header(CUBE, **entries) + text)
    return path


@contextmanager
def quiet_gdal(path: Path):
    """The image as rasterio opens it; that it has no place is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as opened:
            yield opened


def rows_without_data(scene) -> list[int]:
    return [] if scene.valid is None else np.flatnonzero(~scene.valid.any(axis=1)).tolist()


@quiet
class TestBraces:
    @pytest.mark.parametrize(
        "entry",
        [
            "default bands = {5, 3, 1} ; natural colour",
            "default bands = {5, 3, 1}   ;; x = {1}",
            "band names = {a, b, c,\n d, e, f, g} ; names",
            "description = {x {y} z} ; }",
            "description = {never = closed {\nthe first ends it}",
            "fwhm = {1,\n; a comment with a } inside\n1, 1, 1, 1, 1, 1} ; done",
        ],
    )
    def test_what_follows_a_brace_swallows_nothing(self, tmp_path, entry):
        bad = "bbl = {1, 1, 1, 1, 1, 1, 0}\n"
        path = image(
            tmp_path, f"{entry}\ndata ignore value = -9999\n{bad}wavelength = {WAVELENGTHS}"
        )
        scene = load_scene(path)
        assert rows_without_data(scene) == [0, 1]
        assert scene.good_bands.tolist() == [True] * 6 + [False]
        assert scene.wavelengths[-1] == 750

    def test_a_brace_that_is_not_closed(self, tmp_path):
        path = image(tmp_path, "bbl = {1, 1, 1\ndata ignore value = -9999\n")
        with pytest.raises(InputError, match="the brace of 'bbl' on line 11 is not closed"):
            load_scene(path)

    def test_text_after_a_brace_that_is_no_comment(self, tmp_path):
        path = image(tmp_path, "bbl = {1, 1, 1, 1, 1, 1, 0} 4 more\ndata ignore value = -9999\n")
        with pytest.warns(UserWarning, match=r"what follows the brace on line 11 \('4 more'\)"):
            assert load_scene(path).good_bands.sum() == 6


class TestIgnoreValue:
    @quiet
    @pytest.mark.parametrize(
        "line",
        ["data ignore value = -9999", "data ignore value = -9999,", "data ignore value = {-9999}",
         "data_ignore_value = -9999", "Data Ignore Value=-9.999e3", "DATA  IGNORE\tVALUE = -9999.0",
         'data ignore value = "-9999"', "data ignore value = -9999 ; no data",
         "data ignore value = { -9999, }", "data ignore value = -9.999D+03",
         "data ignore value = {" + ", ".join(["-9999"] * 7) + "}"],
    )  # fmt: skip
    def test_spellings(self, tmp_path, line):
        path = image(tmp_path, line + "\n")
        assert rows_without_data(load_scene(path)) == [0, 1]

    @pytest.mark.parametrize("value", ["-9999,0", "-9999 -1", "{-9999, 0}", "minus one", "0x10"])
    def test_what_is_no_number_is_refused_with_its_line(self, tmp_path, value):
        path = image(tmp_path, f"data ignore value = {value}\n")
        with pytest.raises(InputError, match=r"'data ignore value' \(line 11\) is '.*a number"):
            load_scene(path)

    @quiet
    def test_one_for_each_band(self, tmp_path):
        values = cube(6, 5, 7)
        values[0, 0, 1] = values[1, 1, 2] = values[2, 2, 2] = 5
        values[1, 1] = [5, 6, 7, 8, 9, 10, 11]
        path = write_envi(tmp_path / "a.img", values, data_ignore_value="{5,6,7,8,9,10,11}")
        scene = load_scene(path)
        assert np.argwhere(~scene.valid).tolist() == [[1, 1]]

    def test_misspelt_entries_are_told(self, tmp_path):
        path = image(tmp_path, "data ignor value = -9999\nwavelenght = {1}\nmy own = 3\n")
        with pytest.warns(UserWarning, match="is no entry of an ENVI header") as said:
            scene = load_scene(path)
        told = " ".join(str(one.message) for one in said)
        assert "'data ignor value' (line 11)" in told and "'data ignore value' is meant" in told
        assert "'wavelenght' (line 12)" in told
        assert "my own" in scene.reading[-1]

    @pytest.mark.parametrize("value", ["-9999", "-9999,", "7", "-9999 ; none"])
    def test_agrees_with_gdal(self, tmp_path, value):
        path = image(tmp_path, f"data ignore value = {value}\n")
        with quiet_gdal(path) as gdal:
            expected = gdal.nodatavals[0]
        assert (load_scene(path).valid is None) == (not (expected == CUBE).any())


@quiet
class TestText:
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
    def test_ends_of_lines_and_encodings(self, tmp_path, newline, encoding):
        path = image(tmp_path)
        text = header(CUBE, description="{gemessen für µ}", data_ignore_value="-9999")
        Path(f"{path}.hdr").write_bytes(text.replace("\n", newline).encode(encoding))
        assert rows_without_data(load_scene(path)) == [0, 1]

    def test_comments_and_blanks(self, tmp_path):
        path = image(tmp_path)
        lines = header(CUBE, data_ignore_value="-9999").splitlines()
        text = "\n".join(
            [lines[0], "; a = comment", "", *(f"  {line} ; what" for line in lines[2:])]
        )
        Path(f"{path}.hdr").write_text(text)
        scene = load_scene(path)
        assert rows_without_data(scene) == [0, 1]
        np.testing.assert_array_equal(scene.cube[2:], CUBE[2:])

    def test_numbers(self):
        assert [as_number(text) for text in ("1.0D4", " -3, ", "'2'", "1_0", "x", "")] == [
            1e4, -3.0, 2.0, None, None, None
        ]  # fmt: skip


class TestTold:
    def test_an_entry_that_comes_twice(self, tmp_path):
        path = image(tmp_path, "data ignore value = 1\ndata ignore value = -9999\n")
        with pytest.warns(
            UserWarning, match=r"'data ignore value' \(lines 11 and 12\) is said twic"
        ):
            assert rows_without_data(load_scene(path)) == [0, 1]

    def test_a_line_that_is_no_entry(self, tmp_path):
        path = image(tmp_path, "data ignore value -9999\n")
        with pytest.warns(UserWarning, match=r"line 11 \('data ignore value -9999'\) cannot be re"):
            load_scene(path)

    @pytest.mark.parametrize(
        ("entry", "said"),
        [("byte_order", "'byte order': 0, least"), ("interleave", "'interleave': bsq, band after")],
    )
    def test_what_gdal_takes_for_granted(self, tmp_path, entry, said):
        with pytest.warns(UserWarning, match=said):
            scene = load_scene(image(tmp_path, **{entry: None}))
        np.testing.assert_array_equal(scene.cube, CUBE)
        with quiet_gdal(tmp_path / "a.img") as gdal:
            np.testing.assert_array_equal(np.moveaxis(gdal.read(), 0, -1), CUBE)

    @quiet
    def test_of_bytes_the_order_does_not_matter(self, tmp_path):
        values = cube(6, 5, 7, "uint8")
        path = write_envi(tmp_path / "a.img", values)
        Path(f"{path}.hdr").write_text(header(values, byte_order=None))
        np.testing.assert_array_equal(load_scene(path).cube, values)

    def test_the_type_is_asked_for(self, tmp_path):
        with pytest.raises(InputError, match="has no entry 'data type'; expected one, add data ty"):
            load_scene(image(tmp_path, data_type=None))

    @pytest.mark.parametrize(
        ("entries", "said"),
        [
            ({"wavelength": "{1, 2}"}, r"'wavelength' \(line 11\) has 2 entries for 7 bands"),
            ({"wavelength": "{0,1,2,3,4,5,6}"}, "is 0 for band 0"),
        ],
    )
    def test_wavelengths_that_cannot_be_used(self, tmp_path, entries, said):
        with pytest.warns(UserWarning, match=said + r".*: the scene has no wavelengths"):
            assert load_scene(image(tmp_path, **entries)).wavelengths is None

    def test_an_unknown_file_type(self, tmp_path):
        with pytest.warns(UserWarning, match=r"'file type' \(line 7\) is 'Our Own'"):
            load_scene(image(tmp_path, file_type="Our Own"))


@quiet
class TestWavelengths:
    @pytest.mark.parametrize(
        "entries",
        [
            {"wavelength": WAVELENGTHS, "wavelength_units": "Nanometers ; nm"},
            {"wavelength": "{450 nm, 500 nm, 550 nm, 600 nm, 650 nm, 700 nm, 750 nm}"},
            {"wavelength": "{.45,.5,.55,.6,.65,.7,.75,}", "wavelength_units": "µm"},
            {
                "band_names": "{"
                + ", ".join(f"Band {i} ({450 + 50 * i}.0 nm)" for i in range(7))
                + "}"
            },
            {
                "band_names": "{"
                + ", ".join(f"{0.45 + i / 20:.2f} Micrometers" for i in range(7))
                + "}"
            },
            {"wavelength": "{4500,5000,5500,6000,6500,7000,7500}", "wavelength_units": "Angstroms"},
        ],
    )
    def test_spellings(self, tmp_path, entries):
        found = load_scene(image(tmp_path, **entries)).wavelengths
        np.testing.assert_allclose(found, np.arange(450, 751, 50), rtol=1e-9)

    def test_names_without_one_in_each_say_nothing(self, tmp_path):
        assert (
            load_scene(image(tmp_path, band_names="{450 nm, b, c, d, e, f, g}")).wavelengths is None
        )


@quiet
class TestScaling:
    GAINS, OFFSETS = np.linspace(1e-4, 3e-4, 7), np.linspace(-0.1, 0.2, 7)

    def entries(self) -> dict[str, str]:
        def listed(values):
            return "{" + ", ".join(f"{value:.12g}" for value in values) + "}"

        return {"data_gain_values": listed(self.GAINS), "data_offset_values": listed(self.OFFSETS)}

    def test_gains_and_offsets(self, tmp_path):
        path = image(tmp_path, **self.entries(), data_ignore_value="-9999")
        scene = load_scene(path)
        assert scene.cube.dtype == np.float32
        np.testing.assert_allclose(scene.cube[2:], CUBE[2:] * self.GAINS + self.OFFSETS, rtol=1e-6)
        assert rows_without_data(scene) == [0, 1]
        assert scene.reading == (
            "stored values × 0.0001 to 0.0003 (by band) + -0.1 to 0.2 (by band)",
        )
        with quiet_gdal(path) as gdal:
            np.testing.assert_allclose(gdal.scales, self.GAINS)

    def test_as_stored(self, tmp_path):
        scene = load_scene(image(tmp_path, **self.entries(), data_ignore_value="-9999"), raw=True)
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert rows_without_data(scene) == [0, 1]
        assert scene.reading[0].endswith("(--raw)")

    def test_either_alone_and_the_factor(self, tmp_path):
        gains = {"data_gain_values": self.entries()["data_gain_values"]}
        scene = load_scene(image(tmp_path, **gains))
        np.testing.assert_allclose(scene.cube, CUBE * self.GAINS, rtol=1e-6)
        offsets = {"data_offset_values": self.entries()["data_offset_values"]}
        scene = load_scene(image(tmp_path, **offsets))
        np.testing.assert_allclose(scene.cube, CUBE + self.OFFSETS, rtol=1e-6)
        scene = load_scene(image(tmp_path, reflectance_scale_factor="10000.0"))
        np.testing.assert_allclose(scene.cube, CUBE / 1e4, rtol=1e-6)
        ones = "{" + ", ".join(["1.0"] * 7) + "}"
        scene = load_scene(image(tmp_path, data_gain_values=ones))
        assert scene.cube.dtype == np.int16 and scene.reading == ()

    @pytest.mark.filterwarnings("default")
    def test_both_are_told(self, tmp_path):
        path = image(tmp_path, **self.entries(), reflectance_scale_factor="10000")
        with pytest.warns(UserWarning, match="the factor is not applied"):
            load_scene(path)

    def test_another_number_of_gains(self, tmp_path):
        with pytest.raises(InputError, match="'data gain values' has 2 entries for 7 bands"):
            load_scene(image(tmp_path, data_gain_values="{1, 2}"))


OF_BANDS = {"data_ignore_value": "-9999", "wavelength": WAVELENGTHS, "bbl": "{1,1,0,1,1,1,1}"}


class TestOtherContent:
    @pytest.fixture
    def tiff(self, tmp_path):
        return write_geotiff(tmp_path / "a.tif", CUBE)

    @quiet
    @pytest.mark.parametrize("named", ["a.tif", "a.tif.hdr", "a.hdr"])
    @pytest.mark.parametrize("kind", ["TIFF", "ENVI Standard", "GeoTIFF"])
    def test_a_tiff_is_read_as_one(self, tmp_path, tiff, named, kind):
        beside = tmp_path / ("a.hdr" if named == "a.hdr" else "a.tif.hdr")
        beside.write_text(header(CUBE, "bip", file_type=kind, **OF_BANDS))
        scene = load_scene(tmp_path / named)
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert rows_without_data(scene) == [0, 1]
        assert scene.wavelengths[0] == 450 and not scene.good_bands[2]
        assert scene.georeference.transform[2] == 500000

    @quiet
    def test_what_the_tiff_says_itself_stands(self, tmp_path):
        write_geotiff(tmp_path / "a.tif", CUBE, nodata=int(CUBE[4, 4, 0]))
        (tmp_path / "a.tif.hdr").write_text(header(CUBE, file_type="TIFF", data_ignore_value="-1"))
        with pytest.warns(UserWarning, match="left out because some of the bands"):
            assert not load_scene(tmp_path / "a.tif").valid[4, 4]

    @quiet
    def test_a_header_of_another_image_says_nothing(self, tmp_path, tiff):
        (tmp_path / "a.hdr").write_text(header(CUBE[:, :4], **OF_BANDS))
        write_envi(tmp_path / "a.img", CUBE[:, :4])
        assert load_scene(tiff).wavelengths is None

    @pytest.mark.parametrize("start", [b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\xff\xd8\xff\xe0"])
    def test_other_files_are_refused(self, tmp_path, start):
        path = write_envi(tmp_path / "a.img", CUBE)
        path.write_bytes(start + path.read_bytes())
        said = r"a\.img is an? (HDF5|ZIP|JPEG) .*(rename|unpack|not a picture)"
        with pytest.raises(InputError, match=said):
            load_scene(path)

    @pytest.mark.parametrize(
        "kind", ["ENVI Meta File", "ENVI Virtual Mosaic", "JPEG2000", "NITF", "HDF Scientific Data"]
    )
    def test_types_that_are_no_raw_numbers(self, tmp_path, kind):
        with pytest.raises(InputError, match=r"holds no raw numbers .*file type = "):
            load_scene(image(tmp_path, file_type=kind))


class TestBeside:
    @quiet
    @pytest.mark.parametrize("name", ["a.rad", "a.v2.refl", "a", "a.IMG", "a.flt"])
    def test_any_suffix_with_the_right_size(self, tmp_path, name):
        write_envi(tmp_path / name, CUBE)
        (tmp_path / f"{name}.hdr").rename(tmp_path / "a.hdr")
        (tmp_path / "a.txt").write_text("notes")
        np.testing.assert_array_equal(load_scene(tmp_path / "a.hdr").cube, CUBE)

    def test_several_that_fit_are_told(self, tmp_path):
        for name in ("a.bsq", "a.img"):
            write_envi(tmp_path / name, CUBE)
        (tmp_path / "a.hdr").write_text(header(CUBE))
        with pytest.warns(UserWarning, match=r"a\.bsq is read, but a\.img would fit too"):
            load_scene(tmp_path / "a.hdr")


def test_lines_are_known(tmp_path):
    (tmp_path / "a.hdr").write_text("ENVI\n\nsamples = 3\nbands = {1,\n2}\nlines = 4\n")
    found = read_header(Source(tmp_path / "a.hdr"))
    assert found.lines == {"samples": 3, "bands": 4, "lines": 6}
    assert found["bands"] == ["1", "2"]
