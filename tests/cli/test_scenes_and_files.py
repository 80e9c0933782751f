"""Files of two scenes are kept apart; a scene that says too little is told before the score."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.cli import main
from lren_tf.io import load_scene
from lren_tf.io.load import scene_stem
from tests.cli.common import SCENE, report
from tests.io.products import cube, header, write_envi, write_geotiff

RX = ("--detector", "rx", "--out", "out")


class TestNames:
    @pytest.mark.parametrize(
        ("name", "stem"),
        [("a.mat", "a"), ("a.b.npy", "a.b"), ("flight.rad", "flight.rad"), ("flight", "flight"),
         ("f100.rdn_a", "f100.rdn_a"), ("a.img.hdr", "a"), ("flight.rad.hdr", "flight.rad"),
         ("a.hdr", "a"), ("A.TIF", "A"), ("a.v2.img", "a.v2"), ("f100.rdn_a.hdr", "f100.rdn_a")],
    )  # fmt: skip
    def test_stems(self, name, stem):
        assert scene_stem(Path("some", name)) == stem

    def test_three_files_of_one_flight(self):
        pytest.importorskip("spectral", reason="SPy is not installed")
        for suffix in (".rad", ".loc", ".obs"):
            write_envi(Path(f"flight{suffix}"), cube(6, 5, 4))
            assert main(["detect", f"flight{suffix}", *RX]) == 0
        names = {path.name for path in Path("out").iterdir()}
        assert {"flight.rad_score.npy", "flight.loc_score.npy", "flight.obs_score.npy"} <= names
        assert report("out/flight.rad_report.json")["scene"]["name"] == "flight.rad"


class TestCollisions:
    def test_two_scenes_of_one_name(self, refused, capsys):
        np.save("field.npy", SCENE.cube)
        scipy.io.savemat("field.mat", {"data": SCENE.cube + 1})
        assert main(["detect", "field.npy", *RX]) == 0
        capsys.readouterr()
        said = refused("detect", "field.mat", *RX)
        assert "are results of field.npy, which those of field.mat would replace" in said
        assert "another folder with --out" in said
        assert main(["detect", "field.mat", "--detector", "rx", "--out", "other"]) == 0

    def test_two_folders(self, refused, capsys):
        for folder in ("a", "b"):
            Path(folder).mkdir()
            np.save(Path(folder, "field.npy"), SCENE.cube)
        assert main(["detect", "a/field.npy", *RX]) == 0
        capsys.readouterr()
        assert "a/field.npy" in refused("detect", "b/field.npy", *RX)

    def test_compare(self, refused, capsys):
        np.save("field.npy", SCENE.cube)
        np.savez("field.npz", SCENE.cube)
        options = ("--detectors", "rx", "--out", "out")
        assert main(["compare", "field.npy", *options]) == 0
        capsys.readouterr()
        assert "results of field.npy" in refused("compare", "field.npz", *options)

    def test_one_scene_again(self, tmp_path):
        np.save("field.npy", SCENE.cube)
        assert main(["detect", "field.npy", *RX]) == 0
        assert main(["detect", "field.npy", *RX]) == 0
        assert main(["detect", str(tmp_path / "field.npy"), *RX]) == 0
        assert main(["compare", "field.npy", "--detectors", "rx", "--out", "out"]) == 0

    def test_either_file_of_an_envi_pair(self):
        pytest.importorskip("spectral", reason="SPy is not installed")
        write_envi(Path("field.img"), SCENE.cube)
        for name in ("field.img", "field.img.hdr", "field.img"):
            assert main(["detect", name, *RX]) == 0

    def test_a_scene_that_is_gone_and_other_reports(self):
        np.save("field.npy", SCENE.cube)
        np.savez("field.npz", SCENE.cube)
        assert main(["detect", "field.npy", *RX]) == 0
        Path("field.npy").unlink()
        assert main(["detect", "field.npz", *RX]) == 0
        for text in ("", "[]", '{"scene": 3}', '{"scene": {"source": 7}}'):
            Path("out/field_report.json").write_text(text)
            assert main(["detect", "field.npz", *RX]) == 0

    def test_simulated(self):
        np.save("simulated.npy", SCENE.cube)
        assert main(["detect", "simulated.npy", *RX]) == 0


class TestFewPixels:
    @pytest.mark.parametrize("shape", [(3, 3, 20), (3, 3, 9), (3, 3, 8)])
    def test_told_for_rx(self, shape, capsys):
        np.save("small.npy", np.random.default_rng(0).random(shape))
        assert main(["detect", "small.npy", *RX]) == 0
        said = capsys.readouterr().err
        assert f"small has 9 pixels and {shape[2]} bands: their covariance is singular" in said
        assert said.count("take fewer bands with --bands") == 1
        assert said.count("note:") == 1

    def test_a_ridge_helps(self, capsys):
        np.save("small.npy", np.random.default_rng(0).random((3, 3, 20)))
        assert main(["detect", "small.npy", *RX, "--set", "ridge=1e-3"]) == 0
        assert capsys.readouterr().err == ""
        assert np.unique(np.load("out/small_score.npy")).size == 9

    def test_valid_pixels_and_good_bands_count(self, capsys):
        values = np.random.default_rng(0).random((5, 5, 12))
        np.save("small.npy", values)
        mask = np.zeros((5, 5))
        mask[:2] = 1
        np.save("mask.npy", mask)
        assert main(["detect", "small.npy", *RX, "--mask", "mask.npy"]) == 0
        assert "has 10 pixels and 12 bands" in capsys.readouterr().err
        assert main(["detect", "small.npy", *RX, "--mask", "mask.npy", "--bands", "0-5"]) == 0
        assert "covariance" not in capsys.readouterr().err

    def test_compare_tells_once(self, capsys):
        np.save("small.npy", np.random.default_rng(0).random((12, 12, 200)))
        assert main(["compare", "small.npy", "--detectors", "rx,aed", "--out", "out"]) == 0
        assert capsys.readouterr().err.count("covariance is singular") == 1
        assert main(["compare", "small.npy", "--detectors", "aed", "--out", "out"]) == 0
        assert "covariance is singular" not in capsys.readouterr().err


class TestConstantShare:
    """A border that holds one value in every band is most often no data."""

    def bordered(self, value, dtype="float32", share=3):
        values = cube(12, 10, 6).astype(dtype)
        values[:share] = value
        return values

    @pytest.mark.parametrize("value", [0, -1.0, 65535, -9999])
    def test_told_with_the_option_that_helps(self, value, capsys):
        np.save("a.npy", self.bordered(value))
        assert main(["info", "a.npy"]) == 0
        said = capsys.readouterr().err
        expected = f"a: 25.0% of the pixels are {value:g} in every band; if that is no data, pass "
        assert said == f"lren-tf: note: {expected}--no-data {value:g}.\n"
        assert main(["info", "a.npy", "--no-data", f"{value:g}"]) == 0
        out, err = capsys.readouterr()
        assert "90 of 120 (75.0%)" in out and err == ""

    def test_what_the_file_says_is_not_lost(self, capsys):
        values = self.bordered(0)
        values[-2:] = -9999
        with h5py.File("a.h5", "w") as hdf:
            hdf["data"] = values
            hdf["data"].attrs["_FillValue"] = -9999.0
        assert main(["info", "a.h5"]) == 0
        assert "pass --no-data file,0.\n" in capsys.readouterr().err
        for given in ("0,-9999", "file,0", "0, file"):
            assert main(["info", "a.h5", "--no-data", given]) == 0
            out, err = capsys.readouterr()
            assert "70 of 120" in out and err == ""

    def test_nor_is_it_of_scaled_values(self, capsys):
        values = self.bordered(0, "int16")
        values[-2:] = -9999
        with h5py.File("a.h5", "w") as hdf:
            hdf["data"] = values
            hdf["data"].attrs.update({"_FillValue": np.int16(-9999), "scale_factor": 0.5})
        assert main(["info", "a.h5"]) == 0
        assert "pass --no-data file,0.\n" in capsys.readouterr().err
        assert main(["info", "a.h5", "--no-data", "file,0"]) == 0
        assert "70 of 120" in capsys.readouterr().out

    def test_in_every_container(self):
        values = self.bordered(0, "uint16")
        scipy.io.savemat("a.mat", {"data": values})
        np.savez("a.npz", values)
        paths = ["a.mat", "a.npz"]
        if pytest.importorskip("rasterio", reason="rasterio is not installed"):
            paths.append(write_geotiff(Path("a.tif"), values))
            paths.append(write_envi(Path("a.img"), values, "bil"))
        for path in paths:
            with pytest.warns(UserWarning, match="25.0% of the pixels are 0 in every band"):
                load_scene(path)

    @pytest.mark.filterwarnings("error")
    def test_where_nothing_is_told(self):
        values = self.bordered(0)
        mask = np.ones((12, 10))
        mask[:3] = 0
        np.save("a.npy", values)
        load_scene("a.npy", mask=mask)
        load_scene("a.npy", no_data=np.nan)
        np.save("b.npy", cube(12, 10, 6))
        load_scene("b.npy")
        np.save("c.npy", np.repeat(np.arange(120.0).reshape(12, 10, 1), 4, axis=2) + 1)
        load_scene("c.npy")  # each another grey
        np.save("d.npy", np.full((12, 10, 4), 7.0))
        load_scene("d.npy")  # all of it, which is refused later
        np.save("e.npy", self.bordered([0, 0, 1, 0, 0, 0]))
        load_scene("e.npy")

    def test_bands_that_are_not_used_do_not_matter(self):
        values = self.bordered(0)
        values[:, :, 2] = np.arange(120).reshape(12, 10)
        np.save("a.npy", values)
        with pytest.warns(UserWarning, match="are 0 in every band"):
            load_scene("a.npy", bands="0,1,3-")


class TestSuspectValues:
    """What else is most often no data: told with the option that helps."""

    @pytest.mark.parametrize("value", [1e38, -1e38, 9.96921e36, 3.4e38])
    def test_one_value_far_away(self, value, capsys):
        values = cube(12, 10, 6).astype("float32")
        values[2, 3, 1:4] = value
        np.save("a.npy", values)
        assert main(["info", "a.npy"]) == 0
        said = capsys.readouterr().err
        assert "a: 1 pixel holds values such as" in said
        option = said.split("pass ")[1].rstrip(".\n").split(" ")
        assert main(["info", "a.npy", *option]) == 0
        out, err = capsys.readouterr()
        assert "119 of 120" in out and "a million times" not in err

    def test_two_constants(self, capsys):
        values = cube(12, 10, 6)
        values[:2], values[-1] = 0, 65535
        np.save("a.npy", values)
        assert main(["info", "a.npy"]) == 0
        said = capsys.readouterr().err
        assert "16.7% of the pixels are 0 and 8.3% of the pixels are 65535 in every band" in said
        assert "pass --no-data 0,65535." in said

    def test_a_border_where_each_band_has_a_scale_of_its_own(self, capsys):
        pytest.importorskip("spectral", reason="SPy is not installed")
        values = cube(12, 10, 4)
        values[:2] = 0
        write_envi(Path("a.img"), values, data_offset_values="{-1, -2, -3, -4}",
                   data_gain_values="{1, 2, 3, 4}")  # fmt: skip
        assert main(["info", "a.img"]) == 0
        said = capsys.readouterr().err
        assert "16.7% of the pixels hold one and the same spectrum, -1 in the first band" in said
        assert main(["info", "a.img", "--raw", "--no-data", "0"]) == 0
        out, err = capsys.readouterr()
        assert "100 of 120" in out and err == ""


class TestLongDouble:
    @pytest.mark.parametrize("save", [np.save, lambda name, x: np.savez(name, data=x)])
    def test_scored_as_doubles(self, save):
        save("wide", SCENE.cube.astype(np.longdouble))
        save("plain", SCENE.cube.astype(np.float64))
        suffix = ".npy" if save is np.save else ".npz"
        for name in ("wide", "plain"):
            assert main(["detect", name + suffix, *RX, "--false-alarm-rate", "1e-2"]) == 0
        np.testing.assert_array_equal(np.load("out/wide_score.npy"), np.load("out/plain_score.npy"))
        scenes = [report(f"out/{name}_report.json")["scene"] for name in ("wide", "plain")]
        assert scenes[0]["sha256"] == scenes[1]["sha256"] and scenes[0]["dtype"] == "float64"

    def test_truth_mask_and_map(self, capsys):
        np.save("a.npy", SCENE.cube)
        np.save("truth.npy", SCENE.truth.astype(np.longdouble))
        np.save("mask.npy", np.ones((12, 10), np.longdouble))
        options = ("--truth", "truth.npy", "--mask", "mask.npy")
        assert main(["detect", "a.npy", *RX, *options]) == 0
        np.save("wide_score.npy", np.load("out/a_score.npy").astype(np.longdouble))
        assert main(["threshold", "wide_score.npy", "--false-alarm-rate", "1e-2"]) == 0
        assert main(["evaluate", "wide_score.npy", "truth.npy"]) == 0
        assert main(["info", "a.npy", *options]) == 0

    @pytest.mark.parametrize("dtype", [np.clongdouble, "M8[s]", "m8[s]", "S4", "U3", object])
    def test_other_types_are_refused(self, refused, dtype):
        np.save("a.npy", np.zeros((4, 4, 4), dtype), allow_pickle=True)
        assert "a.npy" in refused("detect", "a.npy", *RX)

    def test_half_precision_and_foreign_order(self):
        np.save("a.npy", SCENE.cube.astype(np.float16))
        assert main(["detect", "a.npy", *RX]) == 0
        np.save("b.npy", SCENE.cube.astype(">f8"))
        assert main(["detect", "b.npy", *RX]) == 0

    def test_mapped_and_fortran_order(self):
        np.save("a.npy", np.asfortranarray(SCENE.cube.astype(np.longdouble)))
        np.testing.assert_array_equal(load_scene("a.npy").cube, SCENE.cube.astype(np.float64))


def test_a_header_beside_a_tiff_names_no_other_scene():
    pytest.importorskip("rasterio", reason="rasterio is not installed")
    write_geotiff(Path("s.tif"), cube(6, 5, 4))
    Path("s.tif.hdr").write_text(header(cube(6, 5, 4), file_type="TIFF"))
    assert main(["detect", "s.tif", *RX]) == 0
    assert main(["detect", "s.tif.hdr", *RX]) == 0
