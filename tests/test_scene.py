import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lren_tf import scene as scene_module
from lren_tf.errors import InputError
from lren_tf.scene import (
    Scene,
    check_finite_pixels,
    data_sha256,
    pseudo_colour,
    varying_bands,
)


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

    def test_a_masked_cube_would_lose_its_mask(self):
        with pytest.raises(InputError, match="masked"):
            Scene(np.ma.masked_equal(cube(), 3))

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


class TestCheckFinitePixels:
    @pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
    def test_finite_passes(self, dtype):
        assert check_finite_pixels(cube(dtype=dtype).reshape(-1, 3)) is None

    @pytest.mark.parametrize("chunk", [1, 4, 7, 1 << 20])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_count_and_place_do_not_depend_on_chunks(self, monkeypatch, chunk, bad):
        monkeypatch.setattr(scene_module, "_CHUNK_ELEMENTS", chunk)
        pixels = cube(dtype="f4").reshape(-1, 3)
        pixels[13, 2] = pixels[13, 1] = pixels[17, 0] = bad
        with pytest.raises(InputError, match=r"scan: 3 values are .* row 2, column 3, band 1 "):
            check_finite_pixels(pixels, grid_width=5, what="scan")
        with pytest.raises(InputError, match="sample 13, band 1 "):
            check_finite_pixels(pixels)

    def test_one_bad_value(self):
        with pytest.raises(InputError, match="1 value is NaN"):
            check_finite_pixels(np.array([[1.0, np.nan]]))

    @pytest.mark.parametrize(
        ("pixels", "width", "message"),
        [
            (np.zeros(3), None, "samples × bands"),
            (np.zeros((3, 2), complex), None, "dtype complex128"),
            (np.zeros((3, 2)), 0, "grid_width"),
        ],
    )
    def test_wrong_arguments(self, pixels, width, message):
        with pytest.raises(InputError, match=message):
            check_finite_pixels(pixels, width)

    def test_memory_stays_bounded(self):
        pixels = np.zeros((200_000, 100), np.float32)
        tracemalloc.start()
        try:
            check_finite_pixels(pixels)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # One temporary of a byte per value would be 20 MB.
        assert peak < 8e6


class TestVaryingBands:
    def test_constant_bands_are_found(self):
        pixels = np.array([[1, 5, 2], [1, 6, 2], [1, 5, 3]], np.int16)
        assert varying_bands(pixels).tolist() == [False, True, True]

    @pytest.mark.parametrize("samples", [1, 4])
    def test_a_constant_cube_is_refused(self, samples):
        with pytest.raises(InputError, match=f"plot: all 3 bands .* {samples} pixels"):
            varying_bands(np.full((samples, 3), 2.5), what="plot")

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
    def test_nothing_to_look_at(self, shape):
        with pytest.raises(InputError, match="at least one sample"):
            varying_bands(np.zeros(shape))


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
        monkeypatch.setattr(scene_module, "_CHUNK_ELEMENTS", 1)
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


class TestPseudoColour:
    def test_range_shape_and_stretch(self):
        values = np.random.default_rng(0).normal(size=(30, 40, 21))
        picture = pseudo_colour(values)
        assert picture.shape == (30, 40, 3)
        assert picture.dtype == np.float32
        # 2 % of 1200 pixels are clipped at each end of each channel.
        assert (picture == 0).sum(axis=(0, 1)).tolist() == [24, 24, 24]
        assert (picture == 1).sum(axis=(0, 1)).tolist() == [24, 24, 24]
        red = np.argsort(picture[:, :, 0], axis=None)[30:-30]
        assert (np.diff(values[:, :, 10].flat[red]) >= 0).all()

    def test_int16_does_not_overflow(self):
        values = np.zeros((1, 3, 1), np.int16)
        values[0, :, 0] = [-32768, 0, 32767]
        picture = pseudo_colour(values)
        assert picture[0, 0, 0] == 0
        assert picture[0, 1, 0] == pytest.approx(0.5, abs=1e-4)
        assert picture[0, 2, 0] == 1

    def test_constant_rare_and_unusable_values(self):
        values = np.zeros((20, 20, 3))
        values[:, :, 0] = 7.0
        values[4, 4, 1] = 2.0  # fewer pixels than either percentile
        values[0, 0, 1] = np.nan
        values[:, :, 2] = np.nan
        picture = pseudo_colour(np.take(values, [2, 1, 0], axis=2))
        assert np.isfinite(picture).all()
        assert np.argwhere(picture[:, :, 0]).tolist() == [[4, 4]]

    def test_refuses_what_is_no_cube(self):
        with pytest.raises(InputError, match="rows × columns × bands"):
            pseudo_colour(np.zeros((3, 3)))
