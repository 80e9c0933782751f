"""Quality layers that are TIFFs of their own, passed as masks: inverted, by what they are."""

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from tests.io.products import cube, write_dlr, write_geotiff

VALUES = cube(5, 4, 6, "int16")
ENMAP = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
DESIS = "DESIS-HSI-L2A-DT0485529167_001-20220712T223540-V0220"
LANDSAT = "LC08_L2SP_193024_20200807_20200913_02_T1_QA_PIXEL.TIF"


def layer(*pixels, value=1):
    values = np.zeros((5, 4), np.uint8)
    for pixel in pixels:
        values[pixel] = value
    return values


def left_out(scene):
    return [] if scene.valid is None else [tuple(at) for at in np.argwhere(~scene.valid).tolist()]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", VALUES)


@pytest.fixture
def enmap(tmp_path):
    return write_dlr(tmp_path, VALUES, layers={
        "QL_QUALITY_CLOUD": layer((0, 0)), "QL_QUALITY_SNOW": layer((2, 2)),
        "QL_QUALITY_CIRRUS": layer((1, 1), value=3), "QL_QUALITY_HAZE": layer(),
        "QL_QUALITY_CLASSES": layer((3, 0), value=3) + layer((0, 3)) + layer((1, 3), value=2),
        "QL_QUALITY_TESTFLAGS": layer((0, 1), value=5) + layer((0, 2), value=9),
        "QL_PIXELMASK": np.stack([layer((0, 2))] * 6),
    })  # fmt: skip


class TestEnmap:
    @pytest.mark.parametrize(("name", "pixels"), [
        ("CLOUD", [(0, 0)]), ("SNOW", [(2, 2)]), ("CIRRUS", [(1, 1)]), ("CLASSES", [(3, 0)]),
        ("HAZE", []),
    ])  # fmt: skip
    def test_one_layer(self, enmap, name, pixels):
        scene = load_scene("a.npy", mask=f"{ENMAP}-QL_QUALITY_{name}.TIF")
        assert left_out(scene) == pixels
        assert f"left out by {ENMAP}-QL_QUALITY_{name}.TIF" in scene.reading[-1]

    def test_beside_the_flags_of_the_scene(self, enmap):
        snow = f"{ENMAP}-QL_QUALITY_SNOW.TIF"
        assert left_out(load_scene(enmap)) == [(0, 0), (1, 1), (3, 0)]
        assert left_out(load_scene(enmap, mask=snow)) == [(0, 0), (1, 1), (2, 2), (3, 0)]
        only = load_scene(enmap, mask=snow, mask_bands="none")
        assert left_out(only) == [(2, 2), (3, 0)]

    @pytest.mark.parametrize(("name", "said"), [
        ("QL_QUALITY_TESTFLAGS", "holds 3 different values"),
        ("QL_PIXELMASK", "no variable is rows × columns"),
    ])  # fmt: skip
    def test_layers_that_are_no_mask(self, enmap, name, said):
        with pytest.raises(InputError, match=said):
            load_scene("a.npy", mask=f"{ENMAP}-{name}.TIF")

    def test_copies_in_the_cloud(self):
        write_geotiff(f"{ENMAP}-QL_QUALITY_CLOUD_COG.TIF", layer((4, 1))[:, :, None])
        scene = load_scene("a.npy", mask=f"{ENMAP}-QL_QUALITY_CLOUD_COG.TIF")
        assert left_out(scene) == [(4, 1)]

    def test_values_are_not_named_for_it(self, enmap):
        with pytest.raises(InputError, match=r"holds flags of a product; .* leave it out"):
            load_scene("a.npy", mask=f"{ENMAP}-QL_QUALITY_CLOUD.TIF", mask_values="0")

    def test_every_pixel_flagged(self):
        write_geotiff(f"{ENMAP}-QL_QUALITY_CLOUD.TIF", np.ones((5, 4, 1), np.uint8))
        with pytest.raises(InputError, match="none of the 5 × 4 pixels holds data"):
            load_scene("a.npy", mask=f"{ENMAP}-QL_QUALITY_CLOUD.TIF")


class TestDesis:
    NAME = f"{DESIS}-QL_QUALITY-2.tif"

    def write(self, bands=10):
        flags = np.zeros((5, 4, bands), np.uint8)
        for band, pixel in ((0, (0, 1)), (2, (2, 2)), (5, (0, 0)), (6, (1, 1)), (7, (3, 3))):
            if band < bands:
                flags[(*pixel, band)] = 1
        write_geotiff(self.NAME, flags)

    @pytest.mark.parametrize(("asked", "pixels"), [
        (None, [(0, 0), (1, 1)]), ("shadow,snow", [(0, 1), (2, 2)]), ("none", []),
        ("cloud,water", [(0, 0), (1, 1), (3, 3)]),
    ])  # fmt: skip
    def test_flags(self, asked, pixels):
        self.write()
        assert left_out(load_scene("a.npy", mask=self.NAME, mask_bands=asked)) == pixels

    def test_too_few_bands(self):
        self.write(4)
        with pytest.raises(InputError, match="it has 4 bands"):
            load_scene("a.npy", mask=self.NAME)


class TestLandsat:
    """Bits as USGS lists them: 0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 shadow, 6 clear."""

    def write(self):
        stored = np.full((5, 4), 1 << 6 | 1 << 8 | 1 << 10, np.uint16)
        stored[0, 0], stored[0, 1], stored[0, 2] = 1, 1 << 1 | 1 << 8, 1 << 2 | 3 << 14
        stored[1, 0], stored[1, 1], stored[1, 2] = 1 << 3 | 3 << 8, 1 << 4, 1 << 7 | 1 << 6
        write_geotiff(LANDSAT, stored[:, :, None], nodata=1)

    @pytest.mark.parametrize(("asked", "pixels"), [
        (None, [(0, 0), (0, 1), (0, 2), (1, 0)]), ("water", [(0, 0), (1, 2)]), ("none", [(0, 0)]),
        ("cloud-shadow,cloud", [(0, 0), (1, 0), (1, 1)]),
    ])  # fmt: skip
    def test_flags(self, asked, pixels):
        self.write()
        scene = load_scene("a.npy", mask=LANDSAT, mask_bands=asked)
        assert left_out(scene) == pixels

    def test_on_the_command_line(self, capsys):
        self.write()
        assert main(["info", "a.npy", "--mask", LANDSAT, "--mask-bands", "cloud"]) == 0
        said = capsys.readouterr().out
        assert "5.0% of the pixels left out by" in said and "valid pixels: 18 of 20" in said
        assert main(["info", "a.npy", "--mask", LANDSAT, "--mask-bands", "clouds"]) == 2
        assert "expected some of dilated-cloud, cirrus, cloud" in capsys.readouterr().err

    def test_no_whole_numbers(self):
        write_geotiff(LANDSAT, np.ones((5, 4, 1), np.float32))
        with pytest.raises(InputError, match="it holds float32"):
            load_scene("a.npy", mask=LANDSAT)
