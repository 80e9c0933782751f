"""When a scene was measured: spellings, and the formats that say it."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.io import load_scene
from lren_tf.io.base.acquired import iso_time
from lren_tf.records import scene_record
from tests.io.products import cube, write_emit, write_envi, write_geotiff, write_prisma


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("2023-05-16T17:39:34+0000", "2023-05-16T17:39:34Z"),
        ("2023-05-16T17:39:34Z", "2023-05-16T17:39:34Z"),
        ("2023-05-16 19:39:34+02:00", "2023-05-16T17:39:34Z"),
        ("2023-05-16T00:30-01:30", "2023-05-16T02:00:00Z"),
        ("2020-04-01T10:22:33.444", "2020-04-01T10:22:33.444"),
        ("{2005-10-12T10:22:00.0Z}", "2005-10-12T10:22:00.0Z"),
        ("2019:06:01 10:11:12", "2019-06-01T10:11:12"),
        (b"2019/06/01", "2019-06-01"),
        ("2019-02-31", None),
        ("2019-02-28T25:00", None),
        ("0001-01-01T00:00+0500", None),
        ("noon", None),
        ("", None),
        (None, None),
        (20190601, None),
    ],
)
def test_spellings(said, time):
    assert iso_time(said) == time


def test_envi(tmp_path):
    write_envi(tmp_path / "a.img", cube(), acquisition_time="2011-08-09T13:14:15.0Z")
    assert load_scene(tmp_path / "a.img").acquired == "2011-08-09T13:14:15.0Z"


def test_geotiff_and_a_header_beside_it(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", cube())
    assert load_scene(path).acquired is None
    import rasterio

    with rasterio.open(path, "r+") as image:
        image.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2011-08-09 13:14:15")
    assert load_scene(path).acquired == "2011-08-09T13:14:15"
    # The time that the file was written is none of the scene.
    other = write_geotiff(tmp_path / "b.tif", cube())
    with rasterio.open(other, "r+") as image:
        image.update_tags(TIFFTAG_DATETIME="2020:01:01 00:00:00")
    assert load_scene(other).acquired is None


def test_emit(tmp_path):
    path = write_emit(tmp_path / "e.nc", cube().astype(np.float32))
    with h5py.File(path, "r+") as hdf:
        hdf.attrs["time_coverage_start"] = "2023-05-16T17:39:34+0000"
    scene = load_scene(path)
    assert scene.acquired == "2023-05-16T17:39:34Z"
    assert scene_record(scene)["acquired"] == scene.acquired


def test_prisma(tmp_path, capsys):
    numbers = cube(6, 5, 8).transpose(0, 2, 1)
    path = write_prisma(tmp_path / "p.he5", numbers[:, :4], numbers[:, 4:])
    with h5py.File(path, "r+") as hdf:
        hdf.attrs["Product_StartTime"] = np.bytes_("2020-04-01T10:22:33.444")
    assert load_scene(path).acquired == "2020-04-01T10:22:33.444"
    assert main(["info", str(path)]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["acquired"].strip() == "2020-04-01T10:22:33.444"


def test_a_file_that_says_nothing(tmp_path):
    np.save(tmp_path / "a.npy", cube())
    scene = load_scene(Path(tmp_path / "a.npy"))
    assert scene.acquired is None
    assert "acquired" not in scene_record(scene)
