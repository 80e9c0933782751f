"""The mask file of EMIT: flags by their labels, set where a pixel is not valid."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from lren_tf.io.scene_files import files_of
from tests.io.products import EMIT_FLAGS_3, cube, write_emit, write_emit_mask

GRID = (5, 4)
VALUES = cube(*GRID, 9).astype(np.float32) / 1e4
SCENE = "EMIT_L2A_RFL_001_20220810T034103_2222203_001.nc"
MASK = "EMIT_L2A_MASK_001_20220810T034103_2222203_001.nc"
FLAGGED = {
    "Cloud flag": [(0, 0)], "Cirrus flag": [(1, 1)], "Water flag": [(2, 2)],
    "Spacecraft Flag": [(3, 3)], "Dilated Cloud Flag": [(0, 1)],
    "Aggregate Flag": [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1)], "fill": [(4, 0)],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def left_out(scene):
    return [] if scene.valid is None else [tuple(at) for at in np.argwhere(~scene.valid).tolist()]


def pair(flagged=FLAGGED, mask=MASK, **options):
    write_emit_mask(Path(mask), GRID, flagged, **options)
    return write_emit(Path(SCENE), VALUES)


class TestBeside:
    def test_the_usual_flags(self):
        scene = load_scene(pair())
        assert left_out(scene) == [(0, 0), (0, 1), (1, 1), (3, 3), (4, 0)]
        np.testing.assert_array_equal(scene.cube, VALUES)
        assert any(
            text == f"20.0% of the pixels left out by {MASK}: cloud, cirrus, spacecraft, "
            "dilated-cloud; not used: water, aggregate" for text in scene.reading
        )

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("water", [(2, 2), (4, 0)]),
            ("Cloud flag, Water Flag", [(0, 0), (2, 2), (4, 0)]),
            (["dilated-cloud"], [(0, 1), (4, 0)]),
            ("aggregate", [(0, 0), (0, 1), (1, 1), (2, 2), (3, 3), (4, 0)]),
            ("none", [(4, 0)]),
        ],
    )
    def test_others(self, asked, expected):
        assert left_out(load_scene(pair(), mask_bands=asked)) == expected

    def test_bands_in_another_order_are_found_by_their_labels(self):
        flagged = {"Cloud Flag": [(0, 0)], "Dilated Cloud Flag": [(0, 1)], "Water Flag": [(2, 2)],
                   "SpecTf-Cloud Flag": [(3, 1)]}  # fmt: skip
        path = pair(flagged, "EMIT_L2A_MASK_003_20220810T034103.nc", labels=EMIT_FLAGS_3)
        assert left_out(load_scene(path)) == [(0, 0), (0, 1)]
        assert left_out(load_scene(path, mask_bands="spectf-cloud")) == [(3, 1)]

    def test_numbers_are_no_flags(self):
        with pytest.raises(InputError, match=r"no flag called 'aod550'; expected some of cloud, "):
            load_scene(pair(), mask_bands="aod550")

    def test_the_newest_version_of_the_same_granule(self):
        path = pair()
        write_emit_mask(Path("EMIT_L2A_MASK_002_20220810T034103_2222203_001.nc"), GRID,
                        {"Cloud flag": [(2, 0)]})  # fmt: skip
        for other in ("20220810T034103_2222203_002", "20220810T034104_2222203_001"):
            write_emit_mask(Path(f"EMIT_L2A_MASK_009_{other}.nc"), GRID, {"Cloud flag": [(4, 3)]})
        assert left_out(load_scene(path)) == [(2, 0)]

    def test_everything_flagged(self):
        every = [(row, column) for row in range(5) for column in range(4)]
        path = pair({"Cloud flag": every})
        with pytest.raises(InputError, match=r"every pixel is flagged cloud or cirrus .* or none"):
            load_scene(path)
        assert left_out(load_scene(path, mask_bands="cirrus")) == []

    def test_of_another_size(self):
        write_emit_mask(Path(MASK), (5, 5), FLAGGED)
        with pytest.warns(UserWarning, match=r"masks 5 × 5 pixels, and .* has 5 × 4: it is not"):
            assert left_out(load_scene(write_emit(Path(SCENE), VALUES))) == []

    @pytest.mark.parametrize("damage", ["no labels", "too few", "cut"])
    def test_one_that_cannot_be_used_is_told(self, damage):
        path = pair()
        if damage == "cut":
            Path(MASK).write_bytes(Path(MASK).read_bytes()[:900])
        else:
            with h5py.File(MASK, "r+") as hdf:
                del hdf["sensor_band_parameters/mask_bands"]
                if damage == "too few":
                    hdf["sensor_band_parameters/mask_bands"] = np.array([b"Cloud flag"])
        with pytest.warns(UserWarning, match=f"{MASK} is not used as a mask"):
            assert left_out(load_scene(path)) == []

    def test_it_is_a_file_of_the_scene(self):
        assert [path.name for path in files_of(pair())] == [SCENE, MASK]

    def test_a_scene_of_another_name_has_none(self):
        pair()
        assert left_out(load_scene(write_emit(Path("mine.nc"), VALUES))) == []


class TestGiven:
    def test_inverted(self):
        write_emit_mask(Path("m.nc"), GRID, FLAGGED)
        scene = load_scene(write_emit(Path("a.nc"), VALUES), mask="m.nc")
        assert left_out(scene) == [(0, 0), (0, 1), (1, 1), (3, 3), (4, 0)]
        assert "left out by m.nc" in scene.reading[-1]

    def test_to_a_scene_of_any_format(self):
        write_emit_mask(Path("m.nc"), GRID, FLAGGED)
        np.save("a.npy", VALUES)
        assert left_out(load_scene("a.npy", mask="m.nc", mask_bands="water")) == [(2, 2), (4, 0)]

    def test_in_place_of_the_one_beside(self):
        write_emit_mask(Path("m.nc"), GRID, {"Cloud flag": [(2, 0)]})
        assert left_out(load_scene(pair({"Cloud flag": [(0, 0)]}), mask="m.nc")) == [(2, 0)]

    def test_a_map_is_used_with_the_one_beside(self):
        mine = np.ones(GRID)
        mine[4, 3] = 0
        assert left_out(load_scene(pair({"Cloud flag": [(0, 0)]}), mask=mine)) == [(0, 0), (4, 3)]

    def test_as_a_scene(self):
        write_emit_mask(Path("m.nc"), GRID, FLAGGED)
        with pytest.raises(InputError, match=r"no numeric variable .* pass it as the mask of a"):
            load_scene("m.nc")

    def test_its_bands_are_maps(self):
        write_emit_mask(Path("m.nc"), GRID, FLAGGED)
        expected = np.zeros(GRID, np.float32)
        expected[2, 2], expected[4, 0] = 1, -9999
        np.testing.assert_array_equal(load_map("m.nc", key="water"), expected)


class TestAsked:
    def test_of_a_file_without_flags(self):
        np.save("a.npy", VALUES)
        with pytest.raises(InputError, match=r"a\.npy has no quality flags, .* leave mask_bands= "):
            load_scene("a.npy", mask_bands="cloud")
        assert left_out(load_scene("a.npy", mask_bands="none")) == []

    @pytest.mark.parametrize("asked", ["", "cloud,,", 3, [3], "flag"])
    def test_no_names(self, asked):
        with pytest.raises(InputError, match="mask_bands is"):
            load_scene(pair(), mask_bands=asked)

    def test_on_the_command_line(self, capsys):
        assert main(["info", str(pair()), "--mask-bands", "cloud,water"]) == 0
        said = capsys.readouterr().out
        assert f"by {MASK}: cloud, water; not used: cirrus, spacecraft, dilated-cloud" in said
        assert "valid pixels: 17 of 20" in said
        assert main(["info", str(pair()), "--mask-bands", "clouds"]) == 2
        assert "pass other --mask-bands" in capsys.readouterr().err
