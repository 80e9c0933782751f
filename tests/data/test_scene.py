import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lren_tf.data import array_checks as pixels_module
from lren_tf.data.georeference import Georeference
from lren_tf.data.scene import Scene, data_sha256
from lren_tf.errors import InputError


def cube(height=4, width=5, bands=3, dtype=np.uint16):
    return np.arange(height * width * bands).reshape(height, width, bands).astype(dtype)


class TestScene:
    def test_sizes_and_pixel_order(self):
        scene = Scene(cube(), name="field", source="field.mat")
        assert (scene.height, scene.width, scene.bands) == scene.shape == (4, 5, 3)
        assert scene.pixels.shape == (20, 3)
        np.testing.assert_array_equal(scene.pixels[2 * 5 + 3], scene.cube[2, 3])
        assert scene.truth is None
        assert scene.truth_vector is None
        assert not scene.simulated

    @pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4", "f8"])
    def test_dtype_is_kept(self, dtype):
        assert Scene(cube(dtype=dtype)).cube.dtype == dtype

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_pixels_are_a_view_whatever_the_layout(self, order):
        scene = Scene(np.asarray(cube(), order=order))
        assert np.shares_memory(scene.pixels, scene.cube)
        np.testing.assert_array_equal(scene.cube, cube())

    def test_a_c_ordered_cube_is_not_copied(self):
        given_cube = cube()
        assert np.shares_memory(Scene(given_cube).cube, given_cube)

    def test_foreign_byte_order_becomes_native(self):
        scene = Scene(cube(dtype=">u2"))
        assert scene.cube.dtype.isnative
        np.testing.assert_array_equal(scene.cube, cube())

    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float64])
    def test_truth_becomes_bool(self, dtype):
        truth = np.zeros((4, 5), dtype)
        truth[1, 2] = 1
        truth[3, 4] = 1 if dtype is bool else 9
        scene = Scene(cube(), truth)
        assert scene.truth.dtype == bool
        assert np.argwhere(scene.truth).tolist() == [[1, 2], [3, 4]]
        assert np.flatnonzero(scene.truth_vector).tolist() == [7, 19]

    def test_truth_of_another_shape_is_refused_with_both_shapes(self):
        with pytest.raises(InputError, match=r"field.*\(5, 4\).*expected \(4, 5\)"):
            Scene(cube(), np.zeros((5, 4)), name="field")

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_truth_must_be_finite(self, bad):
        truth = np.zeros((4, 5))
        truth[0, 0] = bad
        with pytest.raises(InputError, match="truth holds 1 NaN"):
            Scene(cube(), truth)

    @pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 5, 3, 1), (0, 5, 3), (4, 0, 3), (4, 5, 0)])
    def test_wrong_cube_shapes(self, shape):
        with pytest.raises(InputError, match="expected rows × columns × bands"):
            Scene(np.zeros(shape))

    @pytest.mark.parametrize("dtype", [complex, "U3", object, "M8[s]", bool, [("a", "f4")]])
    def test_cubes_that_are_not_real_numbers(self, dtype):
        with pytest.raises(InputError, match="dtype"):
            Scene(np.zeros((2, 2, 2), dtype))

    def test_a_truth_has_no_unknown(self):
        with pytest.raises(InputError, match="truth is a masked array"):
            Scene(cube(), truth=np.ma.array(np.zeros(cube().shape[:2]), mask=True))

    def test_a_ragged_list(self):
        with pytest.raises(InputError, match="cannot be read as an array"):
            Scene([[[1, 2]], [[1]]])

    def test_scenes_are_frozen_and_compare_by_identity(self):
        scene = Scene(cube())
        with pytest.raises(AttributeError):
            scene.name = "other"
        assert scene != Scene(cube())

    def test_repr_is_short(self):
        text = repr(Scene(cube(), np.eye(4, 5), name="field"))
        assert text == "Scene('field', 4 × 5 × 3 uint16, 4 anomalous pixels)"


class TestDataSha256:
    @given(st.sampled_from(["u1", "<u2", ">u2", "<f8", ">f4", "c16"]), st.integers(1, 9))
    def test_layout_and_byte_order_do_not_matter(self, dtype, rows):
        array = np.arange(rows * 6).reshape(rows, 2, 3).astype(dtype)
        expected = data_sha256(array)
        assert data_sha256(np.asfortranarray(array)) == expected
        assert data_sha256(array.astype(array.dtype.newbyteorder("S"))) == expected
        assert data_sha256(array[::-1][::-1]) == expected

    def test_definition(self):
        array = np.arange(6, dtype="<i4").reshape(2, 3)
        expected = hashlib.sha256(b"<i4 (2, 3) " + array.tobytes()).hexdigest()
        assert data_sha256(array) == expected

    def test_chunks_do_not_matter(self, monkeypatch):
        whole = data_sha256(cube())
        monkeypatch.setattr(pixels_module, "ELEMENTS_AT_A_TIME", 1)
        assert data_sha256(cube()) == whole

    def test_values_shape_and_dtype_all_count(self):
        base = np.zeros((2, 3), np.uint8)
        other = base.copy()
        other[1, 2] = 1
        variants = [base, other, base.reshape(3, 2), base.astype(bool), base.astype("i2")]
        variants += [np.zeros(()), np.zeros((0, 3))]
        assert len({data_sha256(v) for v in variants}) == len(variants)

    def test_objects_are_refused(self):
        with pytest.raises(InputError, match="dtype object"):
            data_sha256(np.array([{}]))


class TestWhatAFileSays:
    def test_a_mask_of_any_kind_becomes_bool(self):
        valid = np.ones((4, 5))
        valid[1, 2] = 0
        scene = Scene(cube(), valid=valid * 255)
        assert scene.valid.dtype == bool
        assert np.argwhere(~scene.valid).tolist() == [[1, 2]]
        assert scene.valid_count == 19
        np.testing.assert_array_equal(scene.valid_pixels, np.delete(scene.pixels, 7, axis=0))
        assert repr(scene).endswith("no truth, 19 valid pixels)")

    def test_a_mask_of_all_pixels_is_no_mask(self):
        scene = Scene(cube(), valid=np.ones((4, 5)), good_bands=np.ones(3))
        assert scene.valid is None
        assert scene.good_bands is None
        assert scene.valid_count == 20
        assert scene.valid_pixels is not None
        assert np.shares_memory(scene.valid_pixels, scene.cube)

    def test_scores_are_spread_over_the_image(self):
        valid = np.ones((4, 5), bool)
        valid[0, 1] = valid[3, 4] = False
        spread = Scene(cube(), valid=valid).spread(np.arange(18.0))
        assert spread.dtype == np.float32
        assert np.isnan(spread[[0, 3], [1, 4]]).all()
        assert spread[valid].tolist() == list(range(18))
        whole = Scene(cube()).spread(np.arange(20))
        assert whole.dtype == np.float32 and whole.tolist() == np.arange(20).reshape(4, 5).tolist()
        with pytest.raises(InputError, match=r"shape \(20,\); expected \(18,\)"):
            Scene(cube(), valid=valid).spread(np.arange(20))

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"valid": np.zeros((4, 5))}, "none of the 4 × 5 pixels holds data"),
            ({"valid": np.ones((5, 4))}, r"the mask has shape \(5, 4\); expected \(4, 5\)"),
            ({"valid": np.full((4, 5), np.nan)}, "the mask holds 20 NaN"),
            ({"good_bands": [0, 0, 0]}, "all 3 bands are marked as not to be used"),
            ({"good_bands": [0, 1, 2]}, r"good_bands holds 2; expected True or False .* np.isin"),
            ({"good_bands": [1, 1]}, r"good_bands has shape \(2,\); expected \(3,\)"),
            ({"wavelengths": [1, 2]}, r"wavelengths have shape \(2,\); expected \(3,\)"),
            ({"wavelengths": [1, 0, 2]}, "wavelength of band 1 .* is 0.0"),
            ({"wavelengths": [1, 2, np.nan]}, "wavelength of band 2 .* is nan"),
            ({"wavelengths": ["a", "b", "c"]}, "wavelengths has dtype"),
            ({"georeference": "EPSG:4326"}, "the georeference is a str"),
            (
                {"georeference": Georeference(positions=np.zeros((5, 4, 2)))},
                r"positions have shape \(5, 4, 2\)",
            ),
        ],
    )
    def test_refusals(self, given, said):
        with pytest.raises(InputError, match=f"field: .*{said}"):
            Scene(cube(), name="field", **given)

    def test_wavelengths_that_may_be_micrometres(self):
        with pytest.warns(UserWarning, match=r"^field: the wavelengths end at 2\.4 nanometres; if"):
            Scene(cube(), name="field", wavelengths=[0.4, 1.1, 2.4])

    def test_usable_means_the_valid_part(self):
        values = cube(dtype="f4")
        values[0, 0] = np.nan
        values[:, :, 2] = np.inf
        valid = np.ones((4, 5), bool)
        valid[0, 0] = False
        Scene(values, valid=valid, good_bands=[1, 1, 0]).check_usable()
        with pytest.raises(InputError, match="row 0, column 0, band 0"):
            Scene(values, good_bands=[1, 1, 0]).check_usable()
        with pytest.raises(InputError, match=r"19 values are .* row 0, column 1, band 2"):
            Scene(values, valid=valid).check_usable()
        one = np.zeros((4, 5))
        one[1, 1] = 1
        with pytest.raises(InputError, match="all 1 bands are constant over the 1 pixels"):
            Scene(values, valid=one, good_bands=[1, 0, 0]).check_usable()
