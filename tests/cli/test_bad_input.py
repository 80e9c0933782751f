"""Scenes that cannot be used: one sentence, exit code 2, and what was written before stays."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.cli import main
from tests.cli.common import SCENE, mat
from tests.io.products import cube, header, write_emit, write_envi, write_geotiff

VALUES = cube(12, 10, 8)
WAVELENGTHS = "{" + ", ".join(str(450 + 50 * band) for band in range(8)) + "}"
OUTPUTS = ("score.npy", "score.img", "score.hdr", "score.tif", "report.json", "comparison.npz")
EARLIER = [f"{name}_{ending}" for name in ("a", "b") for ending in OUTPUTS]
RX = ("detect", "--detector", "rx")
COMMANDS = [RX, ("detect",), ("compare", "--detectors", "rx"), ("info",)]


@pytest.fixture(params=COMMANDS, ids=lambda words: "_".join(words).replace("--", ""))
def refusal(request, refused):
    """The sentence of a command on a scene, in a folder with outputs of an earlier run."""
    for name in EARLIER:
        Path(name).write_text("of an earlier run")
    command, *options = request.param
    return lambda scene, *more: refused(command, scene, *options, *more)


@pytest.fixture
def spy():
    return pytest.importorskip("spectral", reason="SPy, of the extra geo, is not installed")


class TestEnvi:
    def test_truncated_values(self, spy, refusal):
        path = write_envi(Path("a.img"), VALUES, "bil", wavelength=WAVELENGTHS)
        path.write_bytes(path.read_bytes()[:-100])
        assert refusal("a.img") == (
            "lren-tf: a.img holds 1820 bytes; expected 1920, which a.img.hdr declares (12 rows × "
            "10 columns × 8 bands of uint16), copy or download both files again, or "
            "correct the header.\n"
        )

    def test_header_without_values(self, spy, refusal):
        Path("a.hdr").write_text(header(VALUES))
        assert "a.hdr has no file of values beside it; expected a or a.img" in refusal("a.hdr")

    def test_values_without_header(self, refusal):
        write_envi(Path("a.img"), VALUES)
        Path("a.img.hdr").unlink()
        assert "a.img has no ENVI header beside it; expected a.img.hdr or a.hdr" in refusal("a.img")

    def test_bad_bands_of_another_length(self, spy, refusal):
        write_envi(Path("a.img"), VALUES, bbl="{1, 0}")
        assert "'bbl' has 2 entries for 8 bands; expected one for each" in refusal("a.img")

    def test_more_bands_than_any_disk_holds(self, spy, refusal):
        write_envi(Path("a.img"), VALUES, bands=str(2**40))
        assert f"12 rows × 10 columns × {2**40} bands of uint16" in refusal("a.img")

    def test_no_data_everywhere(self, spy, refusal):
        write_envi(Path("a.img"), VALUES * 0 + 7, data_ignore_value="7")
        assert "none of the 12 × 10 pixels holds data; expected at least one" in refusal("a.img")


class TestGeotiff:
    @pytest.fixture(autouse=True)
    def _rasterio(self):
        pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")

    def test_one_band(self, refusal):
        write_geotiff(Path("a.tif"), VALUES[:, :, :1])
        assert "a.tif has one band, 12 rows × 10 columns; expected an image" in refusal("a.tif")

    def test_truncated(self, refusal):
        path = write_geotiff(Path("a.tif"), VALUES)
        path.write_bytes(path.read_bytes()[:-200])
        assert "a.tif" in refusal("a.tif")

    def test_no_data_everywhere(self, refusal):
        write_geotiff(Path("a.tif"), VALUES * 0 + 7, nodata=7)
        assert "none of the 12 × 10 pixels holds data; expected at least one" in refusal("a.tif")
        write_geotiff(Path("b.tif"), VALUES)
        np.save("none.npy", np.zeros((12, 10)))
        assert "none of the 12 × 10 pixels holds data" in refusal("b.tif", "--mask", "none.npy")


class TestArrays:
    @pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
    def test_two_of_equal_rank(self, suffix, refusal):
        arrays = {"first": VALUES, "second": VALUES}
        if suffix == ".h5":
            with h5py.File("a.h5", "w") as hdf:
                hdf.update(arrays)
        else:
            (np.savez if suffix == ".npz" else scipy.io.savemat)(f"a{suffix}", **(
                arrays if suffix == ".npz" else {"mdict": arrays}))  # fmt: skip
        said = refusal(f"a{suffix}")
        assert "several variables are rows × columns × bands; expected one cube, pass --key" in said
        assert "first (12, 10, 8)" in said and "second (12, 10, 8)" in said

    def test_wavelengths_of_another_length(self, refusal):
        listed = np.arange(1.0, 13.0)
        said = refusal(mat("a.mat", data=SCENE.cube, map=SCENE.truth * 1, wavelengths=listed))
        assert "which axis of 'data' (12, 10, 8) is which is not certain" in said
        assert "such as --axes band,row,column" in said
        path = write_emit(Path("b.nc"), VALUES.astype("f4"))
        with h5py.File(path, "r+") as hdf:
            del hdf["sensor_band_parameters/wavelengths"]
            hdf["sensor_band_parameters/wavelengths"] = np.arange(1.0, 8.0)
        assert "(7,) wavelengths for 'reflectance' of shape (12, 10, 8)" in refusal("b.nc")


class TestNothingIsUnpickled:
    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("unpickled",)

    @pytest.mark.parametrize("inside", ["an array", "the file"])
    def test_npy(self, inside, refusal):
        if inside == "the file":
            Path("a.npy").write_bytes(pickle.dumps(self.Bomb()))
            said = "a.npy: not a readable NumPy .npy file"
        else:
            np.save("a.npy", np.array([self.Bomb()], object), allow_pickle=True)
            said = "the array is of type pickled object"
        assert said in refusal("a.npy")
        assert not Path("unpickled").exists()

    def test_npz(self, refusal):
        np.savez("a.npz", data=np.array([[[self.Bomb()]]], object))
        for more in ((), ("--key", "data")):
            assert "'data' is of type pickled object; expected a real" in refusal("a.npz", *more)
        assert not Path("unpickled").exists()

    def test_mat(self, refusal):
        cells = np.empty((2, 2), object)
        cells[:] = [[1.0, "text"], [VALUES, {"a": 1}]]
        mat("a.mat", data=cells, options={"data": VALUES})
        said = refusal("a.mat")
        assert "no numeric variable is rows × columns × bands" in said
        assert "data (2, 2) cell, options (1, 1) struct" in said
        assert "is of type cell; expected a real numeric" in refusal("a.mat", "--key", "data")
        Path("b.mat").write_bytes(pickle.dumps(self.Bomb()))
        assert "b.mat: not a readable MATLAB file" in refusal("b.mat")
        assert not Path("unpickled").exists()


class TestNoFiles:
    def test_links(self, refusal):
        Path("a.npy").symlink_to("a.npy")
        assert "a.npy" in refusal("a.npy")
        Path("b.npy").symlink_to("gone.npy")
        assert "b.npy does not exist" in refusal("b.npy")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_pipes(self, refusal):
        mat("scene.mat", data=SCENE.cube)
        for name in ("a.npy", "a.mat", "a.img", "a.h5", "a.tif"):
            os.mkfifo(name)
            assert f"{name} is not a regular file; expected a file" in refusal(name)
            for option in ("--mask", "--truth"):
                assert f"{name} is not a regular file" in refusal("scene.mat", option, name)
        os.mkfifo("b.img.hdr")
        Path("b.img").write_bytes(bytes(9))
        assert "b.img has no ENVI header beside it" in refusal("b.img")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_models_that_are_pipes(scene_file, refused):
    os.mkfifo("model.keras")
    said = "model.keras is not a regular file; expected a trained model"
    assert said in refused("export", "model.keras", "served")
    assert said in refused("detect", scene_file, "--apply", "model.keras")


def test_what_is_there_is_replaced_by_a_run_that_succeeds():
    """Else nothing above would show that refusals leave it."""
    np.save("a.npy", SCENE.cube)
    Path("a_score.npy").write_text("of an earlier run")
    assert main([*RX, "a.npy"]) == 0
    assert np.load("a_score.npy").shape == (12, 10)
