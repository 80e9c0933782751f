import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene
from tests.io.mat73 import write_mat73

CUBE = np.random.default_rng(0).integers(0, 999, (6, 5, 4)).astype(np.uint16)
TRUTH = np.zeros((6, 5), np.uint8)
TRUTH[2, 3] = TRUTH[5, 0] = 1
LATITUDE = np.linspace(40, 41, 30).reshape(6, 5)

WRITERS = {
    "v5.mat": lambda path, variables: scipy.io.savemat(path, variables),
    "v7.mat": lambda path, variables: scipy.io.savemat(path, variables, do_compression=True),
    "v73.mat": write_mat73,
    "a.npz": lambda path, variables: np.savez(path, **variables),
}


@pytest.fixture(params=WRITERS)
def save(request, tmp_path):
    def write(**variables):
        path = tmp_path / request.param
        WRITERS[request.param](path, variables)
        return path

    return write


class TestLoadScene:
    def test_cube_and_truth_are_found(self, save):
        path = save(data=CUBE, map=TRUTH)
        scene = load_scene(path)
        np.testing.assert_array_equal(scene.cube, CUBE)
        np.testing.assert_array_equal(scene.truth, TRUTH == 1)
        assert scene.cube.dtype == np.uint16
        assert scene.cube.flags.c_contiguous
        assert (scene.name, scene.source, scene.simulated) == (path.stem, str(path), False)

    def test_keys_are_obeyed(self, save):
        other = np.ones_like(TRUTH)
        path = save(data=CUBE, second=CUBE[:, :, :2] + 1, map=TRUTH, other=other)
        scene = load_scene(str(path), key="second", truth_key="other")
        np.testing.assert_array_equal(scene.cube, CUBE[:, :, :2] + 1)
        assert scene.truth.all()

    def test_several_cubes(self, save):
        path = save(data=CUBE, second=CUBE[:, :, :2].copy(), map=TRUTH)
        with pytest.raises(InputError, match=r"pass key= .*data \(6, 5, 4\).*second \(6, 5, 2\)"):
            load_scene(path)

    def test_no_cube(self, save):
        path = save(data=CUBE.reshape(30, 4), map=TRUTH)
        with pytest.raises(InputError, match=r"no numeric .*data \(30, 4\) uint16, map \(6, 5\)"):
            load_scene(path)

    def test_key_of_a_table(self, save):
        path = save(data=CUBE.reshape(30, 4), map=TRUTH)
        with pytest.raises(InputError) as refusal:
            load_scene(path, key="data")
        assert str(refusal.value) == (
            f"{path.name}: variable 'data' has shape (30, 4); expected rows × columns × bands, "
            "pass key= to choose another variable (found: data, map)."
        )

    def test_missing_keys(self, save):
        path = save(data=CUBE, map=TRUTH)
        with pytest.raises(InputError, match=r"no variable 'cube'.*key= \(found: data, map\)"):
            load_scene(path, key="cube")
        with pytest.raises(InputError, match=r"no variable 'gt'.*truth_key= \(found: map\)"):
            load_scene(path, truth_key="gt")

    def test_truth_key_of_another_shape(self, save):
        path = save(data=CUBE, map=TRUTH, flat=TRUTH.T.copy())
        with pytest.raises(InputError, match=r"'flat' has shape \(5, 6\); expected \(6, 5\)"):
            load_scene(path, truth_key="flat")

    def test_usual_name_of_another_shape(self, save):
        path = save(data=CUBE, gt=TRUTH.T.copy())
        with pytest.raises(InputError, match=r"'gt' has shape \(5, 6\); expected \(6, 5\)"):
            load_scene(path)
        assert load_scene(path, truth_key="").truth is None

    @pytest.mark.parametrize("name", ["map", "MASK", "gt", "Ground_Truth", "truth", "map_gt"])
    def test_usual_names_come_first(self, save, name):
        path = save(data=CUBE, **{name: TRUTH}, other=np.roll(TRUTH, 1))
        np.testing.assert_array_equal(load_scene(path).truth, TRUTH == 1)

    def test_an_unusual_name_will_do_when_it_is_the_only_mask(self, save):
        path = save(data=CUBE, anomalies=TRUTH * 255, latitude=LATITUDE, valid=1 - TRUTH)
        np.testing.assert_array_equal(load_scene(path).truth, TRUTH == 1)

    def test_no_truth_is_made_out_of_other_layers(self, save):
        path = save(data=CUBE, latitude=LATITUDE, valid=np.ones((6, 5)), empty=np.zeros((6, 5)))
        assert load_scene(path).truth is None
        assert load_scene(save(data=CUBE)).truth is None

    @pytest.mark.parametrize("pair", [("gt", "map"), ("clouds", "targets")])
    def test_several_truths_are_not_guessed_between(self, save, pair):
        path = save(data=CUBE, latitude=LATITUDE, **{pair[0]: TRUTH, pair[1]: np.roll(TRUTH, 1)})
        with pytest.raises(InputError, match=f"truth_key=.*{pair[0]} .*{pair[1]} ") as refusal:
            load_scene(path)
        assert "latitude" not in str(refusal.value)
        np.testing.assert_array_equal(load_scene(path, truth_key=pair[0]).truth, TRUTH == 1)
        assert load_scene(path, truth_key="").truth is None

    def test_a_logical_stack_is_no_cube(self, save):
        path = save(data=CUBE, layers=CUBE > 500)
        np.testing.assert_array_equal(load_scene(path).cube, CUBE)
        with pytest.raises(InputError, match=r"'layers' is of type (bool|logical)"):
            load_scene(path, key="layers")

    def test_truth_with_nan(self, save):
        truth = TRUTH.astype(float)
        truth[0, 0] = np.nan
        with pytest.raises(InputError, match="truth holds 1 NaN"):
            load_scene(save(data=CUBE, map=truth))

    @pytest.mark.parametrize("options", [{}, {"truth_key": "map"}])
    def test_a_sparse_truth_is_refused_not_passed_over(self, tmp_path, options):
        path = tmp_path / "a.mat"
        scipy.io.savemat(path, {"data": CUBE, "map": scipy.sparse.csc_array(TRUTH * 1.0)})
        with pytest.raises(InputError, match=r"'map' is of type sparse.*full"):
            load_scene(path, **options)

    def test_text_and_structs_are_passed_over_unless_asked_for(self, tmp_path):
        path = tmp_path / "a.mat"
        labels = np.array([["background", "plane"]], object)
        scipy.io.savemat(path, {"info": {"a": 1}, "data": CUBE, "gt": TRUTH, "labels": labels})
        assert load_scene(path).truth.sum() == 2
        with pytest.raises(InputError, match="'info' is of type struct"):
            load_scene(path, key="info")

    def test_a_complex_cube(self, save, tmp_path):
        path = tmp_path / "c.npz"
        np.savez(path, data=CUBE * 1j)
        with pytest.raises(InputError, match="complex"):
            load_scene(path)
        scipy.io.savemat(tmp_path / "c.mat", {"data": CUBE * 1j})
        with pytest.raises(InputError, match="complex"):
            load_scene(tmp_path / "c.mat")


class TestNpyScenes:
    def test_cube_without_truth(self, tmp_path):
        np.save(tmp_path / "field.npy", np.asfortranarray(CUBE))
        scene = load_scene(tmp_path / "field.npy")
        np.testing.assert_array_equal(scene.cube, CUBE)
        assert scene.truth is None
        assert scene.name == "field"

    def test_other_shapes(self, tmp_path):
        np.save(tmp_path / "a.npy", TRUTH)
        with pytest.raises(InputError, match=r"shape \(6, 5\); expected rows × columns × bands"):
            load_scene(tmp_path / "a.npy")

    @pytest.mark.parametrize("options", [{"key": "data"}, {"truth_key": "map"}])
    def test_keys_mean_nothing_here(self, tmp_path, options):
        np.save(tmp_path / "a.npy", CUBE)
        with pytest.raises(InputError, match=r"one unnamed array; expected no (key|truth_key)="):
            load_scene(tmp_path / "a.npy", **options)

    def test_objects(self, tmp_path):
        np.save(tmp_path / "a.npy", np.full((2, 2, 2), {}, object), allow_pickle=True)
        with pytest.raises(InputError, match="pickled object"):
            load_scene(tmp_path / "a.npy")


class TestLoadMap:
    def test_the_only_map(self, save):
        values = np.asfortranarray(LATITUDE)
        found = load_map(save(data=CUBE, score=values))
        np.testing.assert_array_equal(found, values)
        assert found.flags.c_contiguous

    def test_several_maps(self, save):
        path = save(map=TRUTH, score=LATITUDE)
        with pytest.raises(InputError, match=r"pass key= .*map.*score"):
            load_map(path)
        np.testing.assert_array_equal(load_map(path, key="map"), TRUTH)

    def test_no_map(self, save):
        with pytest.raises(InputError, match=r"no variable is rows × columns.*data \(6, 5, 4\)"):
            load_map(save(data=CUBE))
        with pytest.raises(InputError, match=r"'data' has shape \(6, 5, 4\)"):
            load_map(save(data=CUBE), key="data")

    @pytest.mark.parametrize("dtype", [bool, np.float32, np.int16])
    def test_npy(self, tmp_path, dtype):
        np.save(tmp_path / "a.npy", TRUTH.astype(dtype))
        found = load_map(tmp_path / "a.npy")
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, TRUTH.astype(dtype))

    @pytest.mark.parametrize("shape", [(30,), (6, 5, 1), (0, 5)])
    def test_npy_of_another_shape(self, tmp_path, shape):
        np.save(tmp_path / "a.npy", np.zeros(shape))
        with pytest.raises(InputError, match="rows × columns"):
            load_map(tmp_path / "a.npy")


@pytest.mark.parametrize("call", [load_scene, load_map])
class TestFiles:
    def test_missing(self, call, tmp_path):
        with pytest.raises(InputError, match=r"a\.mat does not exist"):
            call(tmp_path / "a.mat")

    def test_folder(self, call, tmp_path):
        (tmp_path / "a.mat").mkdir()
        with pytest.raises(InputError, match="is a folder"):
            call(tmp_path / "a.mat")

    @pytest.mark.parametrize("suffix", [".mat", ".npy", ".npz"])
    @pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04", b"rows of text\n" * 999])
    def test_garbage(self, call, tmp_path, suffix, content):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"a{suffix}"):
            call(path)

    @pytest.mark.parametrize("name", ["a.jpg", "a", "a.mat.gz"])
    def test_unknown_suffix(self, call, tmp_path, name):
        (tmp_path / name).write_bytes(b"x")
        said = r"expected one of \.mat, \.npy, \.npz, .*\.hdr.* ENVI"
        with pytest.raises(InputError, match=said):
            call(tmp_path / name)

    @pytest.mark.parametrize("path", [None, 3, "a\0.mat"])
    def test_no_path(self, call, path):
        with pytest.raises(InputError, match=r"a(?: usable)? path.*; expected the path"):
            call(path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_pipe_does_not_hang(self, call, tmp_path):
        os.mkfifo(tmp_path / "a.npy")
        with pytest.raises(InputError, match="not a regular file"):
            call(tmp_path / "a.npy")


class TestOptions:
    """What the caller says of pixels and bands, for a format that says nothing itself."""

    @pytest.fixture
    def path(self, tmp_path):
        np.savez(tmp_path / "a.npz", data=CUBE, map=TRUTH, wavelengths=[500, 1400, 1500, 1900])
        return tmp_path / "a.npz"

    def test_nothing_said(self, path):
        scene = load_scene(path)
        assert scene.valid is None and scene.good_bands is None
        assert scene.wavelengths.tolist() == [500, 1400, 1500, 1900]
        assert scene.source_format == "NumPy"

    def test_wavelengths_of_another_length(self, tmp_path):
        np.savez(tmp_path / "a.npz", data=CUBE, wavelength=[1, 2, 3])
        with pytest.warns(UserWarning, match=r"'wavelength' \(3,\) fits no axis of the cube \(6"):
            assert load_scene(tmp_path / "a.npz").wavelengths is None
        np.savez(tmp_path / "a.npz", data=CUBE, part=CUBE[:, :, :3], wavelength=[1, 2, 3])
        assert load_scene(tmp_path / "a.npz", key="data").wavelengths is None
        assert load_scene(tmp_path / "a.npz", key="part").wavelengths.tolist() == [1e3, 2e3, 3e3]

    def test_mask_and_truth_as_arrays_and_as_files(self, path, tmp_path):
        mask = np.ones((6, 5))
        mask[:, 1] = 0
        other = np.roll(TRUTH, 1)
        np.save(tmp_path / "mask.npy", mask)
        scipy.io.savemat(tmp_path / "more.mat", {"truth": other, "note": TRUTH})
        for given, marked, key in (
            (mask, other, None),
            (mask.tolist(), other * 7.5, None),
            (tmp_path / "mask.npy", str(tmp_path / "more.mat"), "truth"),
        ):
            scene = load_scene(path, truth_key=key, mask=given, truth=marked)
            np.testing.assert_array_equal(scene.valid, mask != 0)
            np.testing.assert_array_equal(scene.truth, other != 0)

    def test_no_data_value(self, path):
        value = int(CUBE[4, 4, 0])
        expected = ~(value == CUBE).any(axis=2)
        with pytest.warns(UserWarning, match="1 pixel is left out because some of the bands"):
            scene = load_scene(path, no_data=value)
        np.testing.assert_array_equal(scene.valid, expected)

    def test_nan_in_a_file_is_no_data(self, tmp_path):
        cube = CUBE.astype(np.float32)
        cube[1, 1] = np.nan
        cube[:, :, 3] = np.nan
        np.save(tmp_path / "a.npy", cube)
        with pytest.warns(UserWarning, match="bands that hold no data in any pixel .*: 3\\."):
            scene = load_scene(tmp_path / "a.npy")
        assert np.argwhere(~scene.valid).tolist() == [[1, 1]]
        assert scene.good_bands.tolist() == [True, True, True, False]
        scene.check_usable()

    @pytest.mark.parametrize("bands", ["0,2-", [2, 0, 3], np.array([0, 2, 3]), (0, 2, 3, 3)])
    def test_bands(self, path, bands):
        assert load_scene(path, bands=bands).good_bands.tolist() == [True, False, True, True]

    def test_water(self, path):
        scene = load_scene(path, drop_water=True)
        assert scene.good_bands.tolist() == [True, False, True, False]
        scene = load_scene(path, drop_water=True, bands="1-2")
        assert scene.good_bands.tolist() == [False, False, True, False]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"mask": np.zeros((6, 5))}, "none of the 6 × 5 pixels holds data"),
            ({"mask": np.ones((5, 6))}, r"the mask has shape \(5, 6\); expected \(6, 5\)"),
            ({"mask": "gone.npy"}, r"gone\.npy does not exist"),
            ({"truth": np.ones((5, 6))}, r"the truth has shape \(5, 6\)"),
            ({"truth": "gone.npy"}, r"gone\.npy does not exist"),
            ({"bands": "9"}, "is not a range of the 4 bands"),
            ({"bands": [4]}, "expected numbers from 0 to 3"),
            ({"bands": [-1]}, "expected numbers from 0 to 3"),
            ({"bands": []}, "expected numbers from 0 to 3"),
            ({"bands": 3}, "expected numbers from 0 to 3"),
            ({"bands": "1", "drop_water": True}, "all 4 bands are marked as not to be used"),
            ({"no_data": "many"}, "no_data is 'many'; expected a number"),
        ],
    )
    def test_refusals(self, path, options, said):
        with pytest.raises(InputError, match=said):
            load_scene(path, **options)

    def test_water_without_wavelengths(self, tmp_path):
        np.save(tmp_path / "a.npy", CUBE)
        with pytest.raises(InputError, match=r"a says no wavelengths.*drop_water=True, leave it"):
            load_scene(tmp_path / "a.npy", drop_water=True)


def test_upper_case_suffix_and_text_path(tmp_path):
    scipy.io.savemat(tmp_path / "A.MAT", {"data": CUBE}, appendmat=False)
    assert load_scene(os.fspath(tmp_path / "A.MAT")).name == "A"


@pytest.mark.data
def test_a_real_version_73_file():
    path = Path(os.environ.get("LREN_TF_DATA") or ".") / "formats" / "HYDICE_v73.mat"
    if not path.is_file():
        pytest.skip("LREN_TF_DATA names no folder with formats/HYDICE_v73.mat")
    scene = load_scene(path)
    assert scene.shape == (80, 100, 162)
    assert scene.truth.sum() == 17
