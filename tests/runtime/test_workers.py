"""Shares and what is exchanged, in one process; two are in integration/test_distribution.py."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import InputError
from lren_tf.runtime.workers import Workers
from lren_tf.training.batches import batch_rows
from lren_tf.training.chunked_step import ChunkedStep
from tests.training.test_chunked_step import KINDS, PIXELS, Rows, network


class Three(Workers):
    """Three replicas of one process, one after another; the last one has nothing to do."""

    replicas = 3

    def shares(self, rows):
        return [rows[:40], rows[40:], rows[:0]]


class TestAlone:
    def test_has_all_rows_and_all_to_say(self):
        workers = Workers()
        (share,) = workers.shares(np.arange(5))
        assert share.tolist() == [0, 1, 2, 3, 4]
        assert (workers.chief, workers.replicas, workers.processes) == (True, 1, 1)
        assert workers.exchanged(b"state") == [b"state"]

    def test_sums_and_rows_of_parts(self):
        workers = Workers()
        parts = [[{"a": tf.constant([1.0, 2.0])}, {"a": tf.constant([10.0, 20.0])}]]
        assert workers.total(parts)["a"].numpy().tolist() == [11.0, 22.0]
        rows = [[tf.constant([[1.0]]), tf.constant([[2.0], [3.0]])]]
        assert workers.gathered(rows).numpy().ravel().tolist() == [1.0, 2.0, 3.0]

    def test_runs_a_function_of_chunks(self):
        found = Workers().over(lambda x, y: x + y, [[np.array([1.0]), np.array([2.0])]], 3.0)
        assert [float(each[0]) for each in found[0]] == [4.0, 5.0]

    def test_what_is_refused_stays_refused(self):
        with pytest.raises(InputError, match="too blue"), Workers().agreed():
            raise InputError("the scene is too blue.")


class TestShared:
    @pytest.mark.parametrize("counts", [(2, 1, 0), (0, 0, 3), (0, 0, 0)])
    def test_rows_of_three_replicas_follow_one_another(self, counts):
        ends = np.cumsum(counts)
        parts = [[tf.range(end - n, end)[:, None]] for n, end in zip(counts, ends, strict=True)]
        gathered = Three().gathered(parts)
        assert gathered.numpy().tolist() == [[row] for row in range(sum(counts))]

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_step_of_three_replicas_is_the_step_of_one(self, kind):
        rows, net = Rows("float64"), network("float64")

        def gradients(workers):
            step = ChunkedStep(
                lambda: net, None, rows, batch_rows(PIXELS, None, 0), workers, 20
            )
            return step.gradients(0, kind)[1]

        for got, want in zip(gradients(Three()), gradients(Workers()), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
