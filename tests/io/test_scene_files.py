"""Which files a scene consists of, and which files of a folder are scenes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from lren_tf.errors import InputError
from lren_tf.io.scene_files import files_of, scenes_among
from tests.io.products import cube, header, write_envi, write_geotiff


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names(paths):
    return [Path(path).name for path in paths]


class TestFilesOf:
    def test_one_file(self):
        np.save("a.npy", cube())
        Path("a.hdr").write_text("ENVI\n")  # of no NumPy file
        assert names(files_of(Path("a.npy"))) == ["a.npy"]

    def test_either_file_of_an_envi_image(self):
        write_envi(Path("a.img"), cube())
        assert names(files_of(Path("a.img"))) == ["a.img", "a.img.hdr"]
        assert names(files_of(Path("a.img.hdr"))) == ["a.img.hdr", "a.img"]

    def test_values_of_any_name(self):
        write_envi(Path("flight.rad"), cube())
        assert names(files_of(Path("flight.rad"))) == ["flight.rad", "flight.rad.hdr"]

    def test_what_gdal_finds_beside_a_tiff(self):
        write_geotiff(Path("a.tif"), cube())
        for name in ("a.tif.aux.xml", "a.tfw", "a.txt"):
            Path(name).write_text("1")
        assert names(files_of(Path("a.tif"))) == ["a.tif", "a.tif.aux.xml", "a.tfw"]
        Path("a.tif.hdr").write_text(header(cube()))
        assert names(files_of(Path("a.tif")))[:2] == ["a.tif", "a.tif.hdr"]

    def test_a_missing_one(self):
        with pytest.raises(InputError, match="does not exist"):
            files_of(Path("gone.npy"))
        write_envi(Path("a.img"), cube())
        Path("a.img").unlink()
        with pytest.raises(InputError):
            files_of(Path("a.img.hdr"))


class TestScenesAmong:
    def among(self):
        found, others = scenes_among(sorted(Path().iterdir()))
        return names(found), names(others)

    def test_maps_tables_and_other_files(self):
        np.save("a.npy", cube())
        np.save("map.npy", np.zeros((6, 5)))
        np.save("one_band.npy", np.zeros((6, 5, 1)))
        scipy.io.savemat("truth.mat", {"map": np.eye(5)})
        with h5py.File("table.h5", "w") as hdf:
            hdf["wavelengths"] = np.arange(7.0)
        Path("notes.txt").write_text("words")
        Path("picture.png").write_bytes(b"\x89PNG")
        assert self.among() == (["a.npy"], ["map.npy", "one_band.npy", "table.h5", "truth.mat"])

    def test_a_damaged_file_counts(self):
        np.save("a.npy", cube())
        Path("cut.npy").write_bytes(Path("a.npy").read_bytes()[:-9])
        Path("empty.mat").touch()
        assert self.among() == (["a.npy", "cut.npy", "empty.mat"], [])

    def test_an_envi_image_counts_once(self):
        write_envi(Path("a.img"), cube())
        write_envi(Path("flight.rad"), cube())
        write_envi(Path("alone"), cube())
        Path("alone").unlink()
        assert self.among() == (["a.img", "alone.hdr", "flight.rad"], [])
        # A pattern may find headers alone.
        found, _ = scenes_among([Path("a.img.hdr")])
        assert names(found) == ["a.img.hdr"]

    def test_a_tiff_and_its_header_count_once(self):
        write_geotiff(Path("a.tif"), cube())
        Path("a.hdr").write_text(header(cube(), file_type="TIFF"))
        assert self.among() == (["a.tif"], [])
