"""Data parallelism over the replicas of a ``tf.distribute`` strategy."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError, WorkerLost
from lren_tf.runtime.workers import Workers, as_tensors


class StrategyWorkers(Workers):
    """The replicas of a ``tf.distribute`` strategy.

    Args:
        strategy: ``MirroredStrategy`` or ``MultiWorkerMirroredStrategy``.

    Raises:
        InputError: it is not a strategy of equal replicas.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        kinds = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
        if not isinstance(strategy, kinds):
            raise InputError(
                f"strategy is {type(strategy).__name__}; expected a MirroredStrategy or a "
                "MultiWorkerMirroredStrategy of tf.distribute, pass one or None."
            )
        self._strategy = strategy
        self.replicas = strategy.num_replicas_in_sync
        devices = strategy.extended.worker_devices
        self._local = len(devices)
        self.processes = self.replicas // self._local
        if self.processes > 1:
            resolver = strategy.cluster_resolver
            self._chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
            self.process = self._number(resolver.task_type, int(resolver.task_id))
        device = tf.DeviceSpec.from_string(devices[0])
        self.device = f"/{device.device_type}:{device.device_index}"
        """The first device of this process, in the form ``tf.device`` takes."""

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        first = self.process * self._local
        return np.array_split(rows, self.replicas)[first : first + self._local]

    def run(self, function: Callable[..., Any], inputs: Sequence[Any], *common: Any) -> list[Any]:
        results = self._strategy.run(function, args=(self._by_replica(inputs), *common))
        return self._of_replicas(results)

    def exchanged(self, data: bytes) -> list[bytes]:
        if self.processes == 1:
            return [data]
        # As words of four bytes, and the number of bytes.
        words = np.frombuffer(data + bytes(-len(data) % 4), np.int32)
        lengths = self._from_processes(np.array([len(data)], np.int32))
        everything = self._from_processes(words).tobytes()
        messages, start = [], 0
        for length in lengths:
            messages.append(everything[start : start + int(length)])
            start += int(length) + -int(length) % 4
        return messages

    def _from_processes(self, values: np.ndarray) -> np.ndarray:
        """Values ``[m]`` of all processes one after another; the first replica of each speaks."""
        nothing = [values[:0]] * (self._local - 1)
        return self.gathered([[tf.constant(each)] for each in (values, *nothing)]).numpy()

    def _everywhere(self, sums: list[Any]) -> Any:
        # One message for all tensors. float64 holds what float32 and int32 do, so that the sum
        # of one replica's share with nothing is that share.
        flat = [tf.nest.flatten(each) for each in sums]
        packed = [
            tf.concat([tf.cast(tf.reshape(t, [-1]), tf.float64) for t in tensors], axis=0)
            for tensors in flat
        ]
        try:
            added = self._strategy.reduce(
                tf.distribute.ReduceOp.SUM, self._by_replica(packed), axis=None
            )
        except tf.errors.OpError as error:
            if self.processes == 1:
                raise
            raise WorkerLost(self._loss(error)) from error
        parts = tf.split(added, [int(tf.size(t)) for t in flat[0]])
        like = [
            tf.cast(tf.reshape(part, tf.shape(t)), t.dtype)
            for part, t in zip(parts, flat[0], strict=True)
        ]
        return tf.nest.pack_sequence_as(sums[0], like)

    def _loss(self, error: tf.errors.OpError) -> str:
        """Sentence about an exchange that failed.

        TensorFlow's coordination service makes it fail: at once where the connection to another
        process breaks, after ten seconds without heartbeats where it does not.
        """
        named = {
            self._number(job, int(task))
            for job, task in re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", error.message)
        }
        others = set(range(self.processes)) - {self.process}
        lost = named & others or others
        who = f"worker {min(lost)}" if len(lost) == 1 else "another worker"
        return (
            f"worker {self.process} of {self.processes} lost {who} ({type(error).__name__}); "
            "expected every worker to be there to the end: see what the others said, and start all "
            "of them again."
        )

    def _number(self, job: str, task: int) -> int:
        """Number of a process: the job "chief", where there is one, comes before the workers."""
        return task + (self._chiefs if job == "worker" else 0)

    def _of_replicas(self, value: Any) -> list[Any]:
        """Results of a strategy's `run`, one for each replica of this process."""
        if self._local == 1:
            return [value]
        flat = [self._strategy.experimental_local_results(leaf) for leaf in tf.nest.flatten(value)]
        return [
            tf.nest.pack_sequence_as(value, [leaf[number] for leaf in flat])
            for number in range(self._local)
        ]

    def _by_replica(self, values: Sequence[Any]) -> Any:
        """A structure of distributed values; TensorFlow takes a plain one for one all share."""
        offset = self.process * self._local
        flat = [tf.nest.flatten(as_tensors(value)) for value in values]
        distributed = [
            self._strategy.experimental_distribute_values_from_function(
                lambda context, position=position: flat[
                    context.replica_id_in_sync_group - offset
                ][position]
            )
            for position in range(len(flat[0]))
        ]
        return tf.nest.pack_sequence_as(values[0], distributed)


def workers_of(strategy: tf.distribute.Strategy | None) -> Workers:
    """The workers of a strategy; None for this process alone.

    Raises:
        InputError: as :class:`StrategyWorkers`.
    """
    return Workers() if strategy is None else StrategyWorkers(strategy)
