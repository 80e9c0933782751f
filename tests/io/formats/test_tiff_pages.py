"""TIFFs of several images: one cube, or listed; none is picked without a word."""

import numpy as np
import pytest

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from tests.io.products import cube, header

rasterio = pytest.importorskip("rasterio", reason="rasterio, of the extra geo, is not installed")
tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")

CUBE = cube(7, 6, 5).astype(np.float32)
BANDS_FIRST = CUBE.transpose(2, 0, 1)


def pages(path, images):
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            writer.write(np.ascontiguousarray(image), contiguous=False, metadata=None)
    return path


@pytest.mark.filterwarnings("error::UserWarning")
class TestOneCube:
    def assert_is_the_cube(self, path, **options):
        scene = load_scene(path, **options)
        np.testing.assert_array_equal(scene.cube, CUBE)
        return scene

    def test_pages_are_bands(self, tmp_path):
        scene = self.assert_is_the_cube(pages(tmp_path / "a.tif", BANDS_FIRST))
        assert scene.reading == ("5 pages of one band each as one cube",)

    def test_as_other_programs_write_them(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", BANDS_FIRST, metadata={"axes": "CYX"})
        self.assert_is_the_cube(tmp_path / "a.tif")
        tifffile.imwrite(tmp_path / "b.tif", CUBE, metadata={"axes": "YXC"})
        self.assert_is_the_cube(tmp_path / "b.tif")
        tifffile.imwrite(tmp_path / "c.tif", BANDS_FIRST, imagej=True)
        self.assert_is_the_cube(tmp_path / "c.tif")
        tifffile.imwrite(tmp_path / "d.tif", CUBE, photometric="minisblack", planarconfig="contig")
        self.assert_is_the_cube(tmp_path / "d.tif")

    def test_axes_that_nothing_says(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", BANDS_FIRST)
        with pytest.raises(InputError, match=r"as 5 pages, and nothing says .*axes=row,column,ban"):
            load_scene(tmp_path / "a.tif")
        self.assert_is_the_cube(tmp_path / "a.tif", axes="row,column,band")
        tifffile.imwrite(tmp_path / "b.tif", CUBE)
        with pytest.raises(InputError, match=r"as 7 pages, and nothing says .*axes=column,band,ro"):
            load_scene(tmp_path / "b.tif")
        self.assert_is_the_cube(tmp_path / "b.tif", axes="column,band,row")

    def test_no_data_of_the_pages(self, tmp_path):
        values = CUBE.copy()
        values[2] = -5
        path = pages(tmp_path / "a.tif", values.transpose(2, 0, 1))
        assert load_scene(path, no_data=-5).valid.sum() == 36

    def test_a_header_beside_it(self, tmp_path):
        path = pages(tmp_path / "a.tif", BANDS_FIRST)
        text = header(CUBE, file_type="TIFF", wavelength="{400,500,600,700,800}")
        (tmp_path / "a.tif.hdr").write_text(text)
        assert self.assert_is_the_cube(path).wavelengths[3] == 700


class TestSeveralImages:
    def test_of_other_sizes_are_listed(self, tmp_path):
        path = pages(tmp_path / "a.tif", [*BANDS_FIRST, BANDS_FIRST[0, ::2]])
        with pytest.raises(InputError, match=r"page 1 \(7, 6\) float32.*page 6 \(4, 6\) float32"):
            load_scene(path)
        np.testing.assert_array_equal(load_map(path, key="page 2"), CUBE[:, :, 1])
        with pytest.raises(InputError, match="several variables are rows × columns"):
            load_map(path)

    def test_of_other_types_are_listed(self, tmp_path):
        path = pages(tmp_path / "a.tif", [BANDS_FIRST[0], BANDS_FIRST[1].astype(np.uint8)])
        with pytest.raises(InputError, match=r"page 2 \(7, 6\) uint8"):
            load_scene(path)

    def test_two_cubes(self, tmp_path):
        rgb = (CUBE[:, :, :3] / 99).astype(np.uint8)
        path = pages(tmp_path / "a.tif", [rgb, rgb + 1])
        with pytest.raises(InputError, match=r"several variables .*page 1 \(7, 6, 3\).*page 2 \(7"):
            load_scene(path)
        np.testing.assert_array_equal(load_scene(path, key="page 2").cube, rgb + 1)

    def test_a_cube_and_a_picture(self, tmp_path):
        rgb = (CUBE[:, :, :3] / 99).astype(np.uint8)
        path = pages(tmp_path / "a.tif", [rgb, rgb[:, :, 0]])
        np.testing.assert_array_equal(load_scene(path).cube, rgb)
        np.testing.assert_array_equal(load_map(path), rgb[:, :, 0])

    def test_overviews_are_no_images(self, tmp_path):
        from tests.io.products import write_geotiff

        path = write_geotiff(tmp_path / "a.tif", cube(40, 36, 4))
        with rasterio.open(path, "r+") as image:
            image.build_overviews([2, 4])
        assert load_scene(path).shape == (40, 36, 4)

    def test_far_too_many(self, tmp_path, monkeypatch):
        from lren_tf.io.formats import tiff_pages

        monkeypatch.setattr(tiff_pages, "_MOST_PAGES", 3)
        with pytest.raises(InputError, match="holds 5 images; expected 3 at most"):
            load_scene(pages(tmp_path / "a.tif", BANDS_FIRST))
