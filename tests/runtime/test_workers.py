"""Shares and what is exchanged, in one process; two are in integration/test_distribution.py."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN, InputError
from lren_tf.errors import WorkerLost
from lren_tf.runtime.workers import StrategyWorkers, Workers, workers_of
from lren_tf.training.chunked_step import BoundedStep
from lren_tf.training.pixel_reader import batch_rows
from tests.training.test_chunked_step import KINDS, PIXELS, Rows, network


class Three(Workers):
    """Three replicas of one process, one after another; the last one has nothing to do."""

    replicas = 3

    def shares(self, rows):
        return [rows[:40], rows[40:], rows[:0]]


class TestAlone:
    def test_has_all_rows_and_all_to_say(self):
        workers = workers_of(None)
        (share,) = workers.shares(np.arange(5))
        assert share.tolist() == [0, 1, 2, 3, 4]
        assert (workers.chief, workers.replicas, workers.processes) == (True, 1, 1)
        assert workers.exchanged(b"state") == [b"state"]

    def test_sums_and_rows_of_parts(self):
        workers = workers_of(None)
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
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_step_of_three_replicas_is_the_step_of_one(self, kind):
        rows, net = Rows("float64"), network("float64")

        def gradients(workers):
            step = BoundedStep(
                lambda: [net], None, rows, batch_rows(PIXELS, None, 0), workers, 20
            )
            (found,) = step._kinds[kind](0)[1]
            return found

        for got, want in zip(gradients(Three()), gradients(Workers()), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


class TestStrategy:
    def test_one_device_of_a_strategy(self):
        strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
        workers = StrategyWorkers(strategy)
        assert (workers.device, workers.replicas, workers.process) == ("/CPU:0", 1, 0)
        total = workers.total([[(tf.constant([1.5]), tf.constant(2))]])
        assert [(t.numpy().tolist(), t.dtype.name) for t in total] == [
            ([1.5], "float32"), (2, "int32"),
        ]  # fmt: skip

    def test_what_is_no_strategy(self):
        with pytest.raises(InputError, match="strategy is OneDeviceStrategy; expected a Mirrored"):
            workers_of(tf.distribute.OneDeviceStrategy("/cpu:0"))

    def test_a_device_beside_a_strategy(self):
        with pytest.raises(InputError, match="device is '/CPU:0' beside a strategy; expected one"):
            LREN(device="/CPU:0", strategy=tf.distribute.MirroredStrategy(["/cpu:0"]))

    @pytest.mark.parametrize(
        ("message", "who"),
        [
            ("unhealthy: /job:worker/replica:0/task:2 on device /job:worker/task:1", "worker 2"),
            ("socket closed", "another worker"),
        ],
    )
    def test_a_loss_names_who_is_lost(self, message, who, monkeypatch):
        workers = StrategyWorkers(tf.distribute.MirroredStrategy(["/cpu:0"]))
        workers.processes, workers.process, workers._chiefs = 3, 1, 0

        def fail(*arguments, **keywords):
            raise tf.errors.UnavailableError(None, None, message)

        monkeypatch.setattr(workers._strategy, "reduce", fail)
        with pytest.raises(WorkerLost, match=f"worker 1 of 3 lost {who} .UnavailableError"):
            workers.total([[tf.constant(1.0)]])
