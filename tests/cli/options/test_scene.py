"""The options that say how a scene is read, on every command that reads one."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.cli.options import scene as scene_options
from lren_tf.io import load_scene
from tests.cli.common import RX, SCENE, Noise, mat, report
from tests.io.products import write_envi

WAVELENGTHS = [450, 550, 650, 1350, 1400, 1500, 1900, 2000]


@pytest.fixture
def masked():
    """A file whose options are all needed, and what they say."""
    cube = SCENE.cube.copy()
    mask = np.ones((12, 10), np.uint8)
    mask[0] = 0
    cube[1, 1] = -1.0
    np.savez("field.npz", data=cube, wavelengths=WAVELENGTHS)
    np.save("mask.npy", mask)
    mat("truth.mat", anything=SCENE.truth * 3)
    valid = mask != 0
    valid[1, 1] = False
    return valid


def test_all_of_them_reach_the_scene(masked, register, capsys):
    register(Noise)
    options = ("--mask", "mask.npy", "--no-data", "-1", "--truth", "truth.mat", "--bands", "0-5,7",
               "--drop-water-bands")  # fmt: skip
    assert main(["detect", "field.npz", *RX, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("field: 12 × 10 pixels (")
    assert "anomalous, 109 valid), 8 bands (5 good) of float32" in lines[0]
    score = np.load("field_score.npy")
    np.testing.assert_array_equal(np.isnan(score), ~masked)
    told = report("field_report.json")
    assert told["scene"]["bands_left_out"] == "3-4,6"
    assert told["scene"]["valid"] == 109
    assert told["metrics"] is not None

    assert main(["compare", "field.npz", "--detectors", "rx,noise", *options]) == 0
    with np.load("field_comparison.npz") as maps:
        np.testing.assert_array_equal(maps["rx"], score)
        np.testing.assert_array_equal(np.isnan(maps["noise"]), ~masked)

    np.save("truth.npy", SCENE.truth)
    capsys.readouterr()
    assert main(["evaluate", "field_score.npy", "truth.npy"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged.pop("objects")["count"] > 0
    assert judged == told["metrics"]


@pytest.mark.parametrize(
    ("given", "valid"),
    [("-9999,0", 117), ("-1e4", 119), ("-.5", 119), ("-inf", 120), ("-nan", 120),
     ("file,-9999", 119), ("-9999", 119), ("-9999,-1e4,-.5,0", 115)],
)  # fmt: skip
def test_numbers_below_0_need_no_equals_sign(given, valid, capsys):
    cube = SCENE.cube.copy()
    for pixel, value in enumerate((-9999, -1e4, -0.5)):
        cube[0, pixel] = value
    cube[1, :2] = 0
    np.save("a.npy", cube)
    said = []
    for option in (["--no-data", given], [f"--no-data={given}"]):
        assert main(["info", "a.npy", *option]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert f"{valid} of 120" in said[0]


def test_an_option_after_an_option_is_no_value(refused):
    np.save("a.npy", SCENE.cube)
    assert "expected one argument" in refused("info", "a.npy", "--no-data", "--raw")


def test_a_truth_outside_the_valid_pixels_judges_nothing(masked, capsys):
    np.save("mask.npy", ~SCENE.truth)
    assert main(["detect", "field.npz", *RX, "--mask", "mask.npy", "--truth", "truth.mat"]) == 0
    assert "the truth has no anomalous pixel: no metrics" in capsys.readouterr().err
    assert report("field_report.json")["metrics"] is None


def test_an_envi_pair_is_named_after_its_file(masked):
    pytest.importorskip("spectral", reason="SPy is not installed")
    write_envi(Path("image"), SCENE.cube, "bil")
    assert main(["detect", "image", *RX]) == 0
    assert main(["detect", "image.hdr", *RX, "--out", "again"]) == 0
    np.testing.assert_array_equal(np.load("image_score.npy"), np.load("again/image_score.npy"))


@pytest.mark.parametrize("command", [("detect", *RX), ("compare",), ("info",)])
def test_refusals_name_the_options(command, masked, refused):
    command, *rest = command

    def run(*options):
        return refused(command, "field.npz", *rest, *options)

    assert "--no-data is 'much'; expected a number, or nan" in run("--no-data", "much")
    assert "gone.npy does not exist" in run("--mask", "gone.npy")
    assert "gone.npy does not exist" in run("--truth", "gone.npy")
    assert "such as 0-99,120,130-" in run("--bands", "x")
    np.save("bare.npy", SCENE.cube)
    said = refused(command, "bare.npy", *rest, "--drop-water-bands")
    assert "says no wavelengths" in said and "with --drop-water-bands" in said
    for option in ("--mask", "--truth", "--no-data", "--bands"):
        said = refused(command, "simulated", *rest, option, "1")
        assert f"{option} was given with 'simulated'; expected a file" in said
    said = refused(command, "simulated", *rest, "--drop-water-bands")
    assert "--drop-water-bands was given with 'simulated'" in said


def test_every_argument_of_load_scene_is_an_option():
    """An option that is missing from the table would be taken and do nothing."""
    named = set(inspect.signature(load_scene).parameters) - {"path"}
    assert set(scene_options._OF_FILES.values()) == named
