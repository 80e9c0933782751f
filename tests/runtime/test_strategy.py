"""Replicas of a strategy in one process; two processes are in integration/test_distribution.py."""

from __future__ import annotations

import pytest
import tensorflow as tf

from lren_tf import LREN, InputError
from lren_tf.errors import WorkerLost
from lren_tf.runtime.strategy import StrategyWorkers, workers_of
from lren_tf.runtime.workers import Workers


def test_without_a_strategy_a_process_works_alone():
    assert type(workers_of(None)) is Workers


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
