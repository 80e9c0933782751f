"""Batches: which pixels they hold, in which order, the same in every epoch."""

import numpy as np
import pytest

from lren_tf.training.batches import (
    batch_rows,
    fixed_batches,
    sample_rows,
    split_into_chunks,
)


class TestBatchRows:
    def test_one_batch_keeps_the_order(self):
        (rows,) = batch_rows(5, None, 0)
        assert rows.tolist() == [0, 1, 2, 3, 4]
        assert [len(batch) for batch in batch_rows(5, 99, 0)] == [5]

    def test_every_row_once_and_the_last_batch_short(self):
        batches = batch_rows(10, 4, batch_seed=3)
        assert [len(batch) for batch in batches] == [4, 4, 2]
        order = np.concatenate(batches)
        assert sorted(order) == list(range(10))
        expected = np.arange(10)
        np.random.RandomState(3).shuffle(expected)
        assert order.tolist() == expected.tolist()


class TestSampleRows:
    @pytest.mark.parametrize(("n", "count"), [(10, 10), (1000, 37), (2**31 + 7, 50)])
    def test_one_of_each_stretch_in_rising_order(self, n, count):
        rows = sample_rows(n, count, 3)
        assert rows.shape == (count,) and (np.diff(rows) > 0).all()
        starts = np.arange(count + 1) * n // count
        assert (rows >= starts[:-1]).all() and (rows < starts[1:]).all()
        np.testing.assert_array_equal(rows, sample_rows(n, count, 3))

    def test_another_seed_draws_others(self):
        assert (sample_rows(1000, 50, 1) != sample_rows(1000, 50, 2)).any()


class TestSplitIntoChunks:
    def test_as_many_of_each_share_and_runs_as_slices(self):
        shares = [np.arange(3, 8), np.array([9, 1])]
        first, second = split_into_chunks(shares, 2)
        assert first == [slice(3, 5), slice(5, 7), slice(7, 8)]
        assert [rows.tolist() for rows in second] == [[9, 1], [], []]

    def test_an_empty_share_is_one_empty_chunk(self):
        ((rows,),) = split_into_chunks([np.arange(0)], 4)
        assert rows.tolist() == []


class TestFixedBatches:
    X = np.arange(23, dtype=np.float32)[:, None] * [1, 100]

    def batches(self, x, *arguments):
        """The bands of every batch; what follows them in a row is alignment."""
        return [batch.numpy()[:, : x.shape[1]] for batch in fixed_batches(x, *arguments)]

    def test_one_permutation_cut_in_order_the_last_one_short(self):
        order = np.arange(23)
        np.random.RandomState(123).shuffle(order)
        got = self.batches(self.X, 5, 123)
        assert [len(batch) for batch in got] == [5, 5, 5, 5, 3]
        np.testing.assert_array_equal(np.concatenate(got), self.X[order])

    def test_the_permutation_is_recorded(self):
        # RandomState's stream is frozen by NumPy; this would show it if it were not.
        got = np.concatenate(self.batches(np.arange(10, dtype=np.float32)[:, None], 4, 123))
        assert got[:, 0].tolist() == [4, 0, 7, 5, 8, 3, 1, 6, 9, 2]

    def test_every_epoch_has_the_same_batches(self):
        dataset = fixed_batches(self.X, 5, 123)
        first, second = ([batch.numpy() for batch in dataset] for _ in range(2))
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_another_seed_gives_other_batches(self):
        assert not np.array_equal(self.batches(self.X, 5, 1)[0], self.batches(self.X, 5, 123)[0])

    @pytest.mark.parametrize("size", [None, 23, 1000])
    def test_one_batch_of_all_pixels_keeps_their_order(self, size):
        (only,) = self.batches(self.X, size, 123)
        np.testing.assert_array_equal(only, self.X)

    def test_sizes_that_divide_leave_no_empty_batch(self):
        assert [len(batch) for batch in self.batches(self.X[:20], 5, 123)] == [5] * 4

    def test_neither_the_input_nor_the_global_generator_is_touched(self):
        x = self.X.copy()
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is the point
        self.batches(x, 5, 123)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        np.testing.assert_array_equal(x, self.X)

    def test_keras_can_count_the_batches(self):
        assert int(fixed_batches(self.X, 5, 123).cardinality()) == 5
