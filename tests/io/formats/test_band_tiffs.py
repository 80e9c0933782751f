"""Folders with one TIFF for each band."""

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import cube, write_bands, write_geotiff, write_hyperion

VALUES = cube(5, 4, 12, "int16")
NUMBERS = [7, 8, 9, 57, 58, 70, 71, 77, 100, 224, 225, 242]


class TestHyperion:
    def test_values_wavelengths_place(self, tmp_path, capsys):
        values = VALUES.copy()
        values[4, 3] = 0
        values[4, 3, [0, 4]] = 5  # of bands that are not calibrated
        values[0, 0, 2] = 0  # a dark value
        scene = load_scene(write_hyperion(tmp_path / "scene", values, NUMBERS))
        factors = np.where(np.array(NUMBERS) < 71, 40, 80)
        assert np.argwhere(~scene.valid).tolist() == [[4, 3]]
        np.testing.assert_allclose(
            scene.cube[scene.valid], (values / factors)[scene.valid], rtol=1e-6
        )
        # Of the table that USGS publishes.
        published = [416.64, 426.82, 436.99, 925.41, 935.58, 1057.68, 851.92, 912.45, 1144.48,
                     2395.50, 2405.60, 2577.08]  # fmt: skip
        np.testing.assert_allclose(scene.wavelengths, published, atol=0.1)
        bad = [NUMBERS[at] for at in np.flatnonzero(~scene.good_bands)]
        assert bad == [7, 58, 70, 71, 225, 242]
        assert scene.georeference.transform == (30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
        assert (scene.acquired, scene.name) == ("2004-05-02", "scene")
        assert main(["info", str(tmp_path / "scene")]) == 0
        assert "12 files, EO1H" in capsys.readouterr().out

    def test_without_its_metadata(self, tmp_path):
        folder = write_hyperion(tmp_path / "scene", VALUES, NUMBERS)
        next(folder.glob("*.TXT")).unlink()
        np.testing.assert_array_equal(load_scene(folder).cube, VALUES)

    def test_nothing_measured(self, tmp_path):
        folder = write_hyperion(tmp_path / "scene", VALUES * 0, NUMBERS)
        with pytest.raises(InputError, match="none of the 5 × 4 pixels holds data"):
            load_scene(folder)


@pytest.mark.parametrize(
    "names",
    [
        [f"LC08_L1TP_193024_20200101_02_T1_B{n}.TIF" for n in range(1, 13)],
        [f"band_{n}.tif" for n in range(1, 13)],
        [f"{n}.tif" for n in range(1, 13)],
        [f"T32_B{n}_20m.tif" for n in [*range(1, 9), "8A", 9, 10, 11]],
    ],
)  # fmt: skip
def test_natural_order(tmp_path, names):
    folder = write_bands(tmp_path / "scene", VALUES, names)
    (folder / "LC08_L1TP_193024_20200101_02_T1_MTL.txt").write_text("")
    write_geotiff(folder / "LC08_QA_PIXEL.TIF", VALUES[:, :, :1])
    np.testing.assert_array_equal(load_scene(folder).cube, VALUES)


def test_a_band_of_another_size_is_told(tmp_path):
    folder = write_bands(tmp_path / "scene", VALUES, [f"A_B{n}.TIF" for n in range(1, 8)])
    write_geotiff(folder / "A_B8.TIF", cube(10, 8, 1))
    with pytest.warns(UserWarning, match=r"A_B8\.TIF is of another size, .* and not used"):
        assert load_scene(folder).shape == (5, 4, 7)


def test_bands_that_do_not_lie_on_each_other(tmp_path):
    folder = write_bands(tmp_path / "scene", VALUES, ["B1.tif"])
    write_geotiff(folder / "B2.tif", cube(10, 8, 1))
    with pytest.raises(InputError, match="are not of one size, type and grid"):
        load_scene(folder)


def test_several_sets(tmp_path):
    folder = write_bands(tmp_path / "scene", VALUES, ["A_B1.tif", "A_B2.tif"])
    write_bands(folder, VALUES, ["C_B1.tif", "C_B2.tif"])
    with pytest.raises(InputError, match=r"several sets of bands \(2 like A_B1\.tif; 2 like C_B1"):
        load_scene(folder)


@pytest.mark.parametrize("names", [[], ["B1.tif"], ["score.tif", "mask.tif"]])
def test_another_folder_is_refused(tmp_path, names):
    folder = write_bands(tmp_path / "scene", VALUES, names)
    with pytest.raises(InputError, match="is a folder; expected a file, or a folder with one TIFF"):
        load_scene(folder)


class TestListsOfFiles:
    """A list is no path: what to do with it is said in a sentence."""

    @pytest.mark.parametrize(("given", "said"), [
        (["b1.tif", "b2.tif"], "a list of 2 is passed as one path; .* a folder of their own"),
        (("b1.tif",), "a tuple of 1 is passed as one path; "),
        (np.array(["b1.tif", "b2.tif"]), r"an array of shape \(2,\) is passed as a path"),
        (VALUES, r"an array of shape \(5, 4, 12\) .* make a lren_tf.Scene of an array"),
        (5, "a value of type int is passed as a path; "),
    ])  # fmt: skip
    def test_in_python(self, given, said):
        with pytest.raises(InputError, match=said) as refusal:
            load_scene(given)
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300

    def test_on_the_command_line(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        for name in ("red.tif", "nir.tif"):
            write_geotiff(tmp_path / name, VALUES[:, :, :1])
        assert main(["detect", "red.tif", "nir.tif", "--detector", "rx"]) == 2
        assert "nir.tif is one file too many; " in capsys.readouterr().err
        write_geotiff(tmp_path / "near infrared.tif", VALUES[:, :, :1])
        assert main(["info", "red.tif", "near infrared.tif", "none.tif"]) == 2
        said = capsys.readouterr().err
        assert "near infrared.tif is one file too many; " in said and "a folder of" in said
        assert main(["threshold", "red.tif", "nir.tif", "--false-alarm-rate", "0.1"]) == 2
        said = capsys.readouterr().err
        assert "nir.tif is one file too many; expected as many as the command takes" in said
        assert main(["detect", "red.tif", "--detector", "rx"]) == 2
        assert "or the folder if each band is a TIFF of its own" in capsys.readouterr().err
