"""``lren-tf info``: what it prints for what a file says, and its picture."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lren_tf import datasets
from lren_tf.cli import main
from lren_tf.data.pseudo_colour import pseudo_colour
from tests.cli.common import SCENE, files
from tests.io.products import cube, write_emit, write_envi, write_geotiff

VALUES = cube(6, 5, 8)


def told(capsys, *arguments):
    assert main(["info", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [(what, text.strip()) for what, text in (l.split(":", 1) for l in out.splitlines())]


def test_a_plain_file(scene_file, capsys):
    assert told(capsys, scene_file) == [
        ("scene", "small"),
        ("format", "MATLAB"),
        ("size", "12 rows × 10 columns × 8 bands"),
        ("values", f"float32, {SCENE.cube.min():.6g} to {SCENE.cube.max():.6g}"),
        ("valid pixels", "120 of 120 (100.0%)"),
        ("used bands", "8 of 8: 0-7"),
        ("wavelengths", "none"),
        ("georeference", "none"),
        ("truth", f"{SCENE.truth.sum()} anomalous pixels"),
    ]


def test_everything_an_envi_header_says(capsys):
    pytest.importorskip("spectral", reason="SPy is not installed")
    values = VALUES.copy()
    values[:, :, 5] = 12
    values[2, 2] = 65535
    write_envi(
        Path("a.img"), values, "bil", bbl="{1,1,1,0,1,1,1,1}", data_ignore_value="65535",
        wavelength="{450,550,650,750,850,950,1050,1400}", wavelength_units="nm",
        map_info="{UTM, 1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84}",
        coordinate_system_string='{PROJCS["WGS_84_UTM_33N",GEOGCS["GCS_WGS_84"]]}',
    )  # fmt: skip
    lines = told(capsys, "a.img", "--drop-water-bands")
    assert lines[1:3] == [("format", "ENVI"), ("size", "6 rows × 5 columns × 8 bands")]
    assert lines[4:] == [
        ("valid pixels", "29 of 30 (96.7%)"),
        ("used bands", "5 of 8: 0-2,4,6"),
        ("unused bands", "1 listed as bad, without data, or not selected: 3"),
        ("unused bands", "1 absorbed by water vapour: 7"),
        ("unused bands", "1 constant: 5"),
        ("wavelengths", "450.0 to 1400.0 nm"),
        ("georeference", "WGS_84_UTM_33N; corner 500000, 4000000; pixel 30 × 20"),
        ("truth", "none"),
    ]


def test_other_places(capsys):
    pytest.importorskip("rasterio", reason="rasterio is not installed")
    write_geotiff(Path("a.tif"), VALUES)
    assert ("georeference", "WGS 84 / UTM zone 33N; corner 500000, 4000000; pixel 30 × 30") in told(
        capsys, "a.tif"
    )
    write_emit(Path("a.nc"), VALUES)
    assert dict(told(capsys, "a.nc"))["georeference"] == (
        "WGS 84; a position for each pixel, 10 to 10.04, 49.95 to 50 (sensor geometry)"
    )


def test_names_and_options(capsys):
    lines = dict(told(capsys, "simulated"))
    assert lines["format"] == "simulated"
    np.savez("a.npz", data=SCENE.cube, gt=SCENE.truth)
    np.save("mask.npy", ~SCENE.truth)
    count = SCENE.truth.sum()
    lines = dict(told(capsys, "a.npz", "--mask", "mask.npy", "--bands", "2-"))
    assert lines["truth"] == f"{count} anomalous pixels, 0 valid"
    assert lines["used bands"] == "6 of 8: 2-7"
    assert dict(told(capsys, "a.npz", "--truth-key", ""))["truth"] == "none"


def test_the_picture(capsys):
    nm = np.linspace(430, 900, 8)
    mask = np.ones((6, 5))
    mask[0] = 0
    np.savez("a.npz", data=VALUES, wavelengths=nm)
    np.save("mask.npy", mask)
    lines = dict(told(capsys, "a.npz", "--mask", "mask.npy", "--picture", "out/a.png"))
    assert lines["picture"] == "out/a.png, bands 3 (631 nm), 2 (564 nm), 0 (430 nm)"
    drawn = matplotlib.image.imread("out/a.png")
    assert drawn.shape[:2] == (6, 5)
    np.testing.assert_allclose(drawn[0, :, :3], 158 / 255, atol=1e-3)
    from lren_tf.io import load_scene

    expected = pseudo_colour(load_scene("a.npz", mask=mask))[1:]
    np.testing.assert_allclose(drawn[1:, :, :3], expected, atol=1 / 255)

    np.save("plain.npy", VALUES)
    lines = dict(told(capsys, "plain.npy", "--picture", "p.png"))
    assert lines["picture"] == "p.png, bands 4, 2, 1"


def test_refusals(scene_file, refused):
    assert "--picture is 'p.jpg'; expected a name that ends in .png" in refused(
        "info", scene_file, "--picture", "p.jpg"
    )
    Path("p.png").mkdir()
    assert "p.png is a folder" in refused("info", scene_file, "--picture", "p.png")
    assert "gone.mat does not exist" in refused("info", "gone.mat", "--picture", "q.png")
    np.save("dull.npy", np.ones((3, 3, 3)))
    assert main(["info", "dull.npy"]) == 0
    assert set(files()) == {"small.mat", "p.png", "dull.npy"}


def test_what_is_damaged(capsys):
    cube = datasets.simulate(40, 36, 30, seed=4).cube.copy()
    cube[:, :, 4] = np.arange(36) == 5
    cube[:, :, 11] = np.random.default_rng(0).normal(size=(40, 36))
    cube[:, 25] = cube[0, 25]
    np.save("a.npy", cube)
    lines = told(capsys, "a.npy")
    assert ("dead bands", "1, one value nearly everywhere: 4") in lines
    assert ("noisy bands", "1, unlike the bands next to them: 11") in lines
    assert ("without them", "--bands 0-3,5-10,12-29") in lines
    said = dict(lines)["striped columns"]
    assert said == "1, off or dead in many bands: 25 (leave them out with --mask)"
    lines = told(capsys, "a.npy", "--bands", "0-3,5-10,12-29")
    assert not {"dead bands", "noisy bands", "without them"} & {what for what, _ in lines}
