"""Pixels read in parts are those of the whole, cached or not."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.data.standardisation import fit_scaler, standardise
from lren_tf.training.backprop import align
from lren_tf.training.pixel_reader import AlignedPixels, ChunkCache, StandardisedPixels


class TestReading:
    @pytest.mark.parametrize("dtype", ["<i2", ">u2", "f4", "f8"])
    @pytest.mark.parametrize("rows", [slice(3, 9), np.array([7, 0, 7]), np.array([], int)])
    def test_rows_are_those_of_the_whole(self, dtype, rows):
        cube = np.random.default_rng(0).integers(0, 3000, (4, 5, 6)).astype(dtype)
        cube[..., 2] = 7  # constant: left out
        pixels = PixelMatrix(cube)
        scaler = fit_scaler(pixels, "zscore")
        whole = standardise(pixels, scaler)
        assert whole.shape == (20, 5)
        np.testing.assert_array_equal(StandardisedPixels(pixels, scaler)[rows], whole[rows])
        aligned = AlignedPixels(pixels, scaler)
        read = aligned.read(rows)
        assert (read.dtype, read.shape[1]) == (np.float32, aligned.width)
        np.testing.assert_allclose(read, align(whole)[rows], rtol=1e-6, atol=1e-6)

    def test_a_band_far_from_zero_keeps_its_digits(self):
        cube = (30000 + np.arange(20) % 3).astype("i2").reshape(20, 1)
        pixels = PixelMatrix(cube)
        scaler = fit_scaler(pixels, "zscore")
        read = AlignedPixels(pixels, scaler).read(slice(0, 20))[:, 0]
        np.testing.assert_allclose(read, standardise(pixels, scaler)[:, 0], rtol=1e-6)

    def test_chunks_come_in_their_order(self):
        pixels = PixelMatrix(np.random.default_rng(1).random((9, 3)))
        rows = AlignedPixels(pixels, fit_scaler(pixels, "zscore"))
        parts = [slice(4, 9), np.array([0, 3]), slice(1, 2)]
        for got, part in zip(rows.chunks(parts), parts, strict=True):
            np.testing.assert_array_equal(got, rows.read(part))


class TestChunkCache:
    PARTS = (slice(0, 4), np.array([9, 4, 7]), slice(5, 5), slice(10, 12))

    def rows(self):
        """Aligned rows, and the parts of them that are read."""
        x = np.random.default_rng(5).normal(size=(12, 6))
        rows, read = AlignedPixels(PixelMatrix(x), fit_scaler(x, "zscore")), []
        reading = rows.read
        rows.read = lambda part: (read.append(part), reading(part))[1]
        return rows, read

    @pytest.mark.parametrize("together", [1, 100, 1 << 20])
    def test_they_are_read_once(self, together, monkeypatch):
        monkeypatch.setattr("lren_tf.training.pixel_reader._CACHED_ARRAY_BYTES", together)
        rows, read = self.rows()
        kept = ChunkCache(rows, self.PARTS, keep=True)
        first = [np.array(chunk) for chunk in kept]
        for _ in range(2):
            for chunk, expected in zip(kept, first, strict=True):
                np.testing.assert_array_equal(chunk, expected)
        assert len(read) == len(self.PARTS) == len(kept)

    def test_without_memory_for_them_they_are_read_again(self):
        rows, read = self.rows()
        chunks = ChunkCache(rows, self.PARTS, keep=False)
        for first, second in zip(list(chunks), list(chunks), strict=True):
            np.testing.assert_array_equal(first, second)
        assert len(read) == 2 * len(self.PARTS)

    def test_a_reading_that_was_broken_off_begins_anew(self):
        rows, _ = self.rows()
        kept = ChunkCache(rows, self.PARTS, keep=True)
        reading = iter(kept)
        next(reading), next(reading)
        reading.close()
        for chunk, part in zip(list(kept), self.PARTS, strict=True):
            np.testing.assert_array_equal(chunk, rows.read(part))
