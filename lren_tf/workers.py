"""Who shares the work on a batch, and the one thing they exchange: sums.

A *replica* is a device that works on pixels; a process has one or, with ``MirroredStrategy``,
one for each of its GPUs. Every replica gets its share of the rows of a batch. Whatever is
computed of the shares is added up over all replicas of all processes, and everything else is
done by every process alike, on the same sums: so weights stay equal to the bit without being
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError


class Workers:
    """This process alone, on one device."""

    replicas = 1
    """Replicas of all processes."""
    chief = True
    """Whether this process writes what is written once."""

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        """Of the rows of a batch those of each replica of this process."""
        return [rows]

    def run(self, function: Callable, inputs: Sequence[Any], *common: Any) -> list[Any]:
        """``function(input, *common)`` on each replica of this process."""
        return [function(_as_tensors(each), *common) for each in inputs]

    def over(self, function: Callable, parts: list[list[Any]], *common: Any) -> list[list[Any]]:
        """As `run`, of a list of inputs for each replica; all lists are equally long."""
        results: list[list[Any]] = [[] for _ in parts]
        for inputs in zip(*parts, strict=True):
            for of_replica, found in zip(results, self.run(function, inputs, *common), strict=True):
                of_replica.append(found)
        return results

    def total(self, parts: list[list[Any]]) -> Any:
        """Sum over all parts of all replicas of all processes.

        Args:
            parts: for each replica of this process a list of equal structures of tensors.
        """
        return self._everywhere([_sum(of_replica) for of_replica in parts])

    def _everywhere(self, sums: list[Any]) -> Any:
        return _sum(sums)


class StrategyWorkers(Workers):
    """The replicas of a ``tf.distribute`` strategy.

    Args:
        strategy: ``MirroredStrategy`` or ``MultiWorkerMirroredStrategy``.

    Raises:
        InputError: it is no strategy of equal replicas.
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
        resolver = strategy.cluster_resolver
        spec = None if resolver is None else resolver.cluster_spec()
        several = spec is not None and bool(spec) and len(spec.as_dict().get("worker", [])) > 0
        self.process = resolver.task_id if several else 0
        self.chief = self.process == 0
        self._local = len(strategy.extended.worker_devices)
        self.processes = self.replicas // self._local

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        first = self.process * self._local
        return np.array_split(rows, self.replicas)[first : first + self._local]

    def run(self, function: Callable, inputs: Sequence[Any], *common: Any) -> list[Any]:
        found = self._strategy.run(function, args=(self._by_replica(inputs), *common))
        if self._local == 1:
            return [found]
        return [
            tf.nest.map_structure(
                lambda value, number=number: self._local_results(value)[number], found
            )
            for number in range(self._local)
        ]

    def _everywhere(self, sums: list[Any]) -> Any:
        # One message for all tensors. float64 holds what float32 does, so that the sum of
        # one replica's share with nothing is that share.
        flat = [tf.nest.flatten(each) for each in sums]
        packed = [
            tf.concat([tf.cast(tf.reshape(t, [-1]), tf.float64) for t in tensors], axis=0)
            for tensors in flat
        ]
        added = self._strategy.reduce(
            tf.distribute.ReduceOp.SUM, self._by_replica(packed), axis=None
        )
        parts = tf.split(added, [int(tf.size(t)) for t in flat[0]])
        like = [
            tf.cast(tf.reshape(part, tf.shape(t)), t.dtype)
            for part, t in zip(parts, flat[0], strict=True)
        ]
        return tf.nest.pack_sequence_as(sums[0], like)

    def _local_results(self, value: Any) -> tuple[Any, ...]:
        return self._strategy.experimental_local_results(value)

    def _by_replica(self, values: Sequence[Any]) -> Any:
        if self._local == 1:
            return tf.nest.map_structure(tf.convert_to_tensor, values[0])
        offset = self.process * self._local
        flat = [tf.nest.flatten(_as_tensors(value)) for value in values]
        made = [
            self._strategy.experimental_distribute_values_from_function(
                lambda context, position=position: flat[
                    context.replica_id_in_sync_group - offset
                ][position]
            )
            for position in range(len(flat[0]))
        ]
        return tf.nest.pack_sequence_as(values[0], made)


def workers_of(strategy: tf.distribute.Strategy | None) -> Workers:
    """The workers of a strategy; None for this process alone.

    Raises:
        InputError: as :class:`StrategyWorkers`.
    """
    return Workers() if strategy is None else StrategyWorkers(strategy)


def _as_tensors(values: Any) -> Any:
    return tf.nest.map_structure(tf.convert_to_tensor, values)


def _sum(parts: Sequence[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = tf.nest.map_structure(tf.add, total, part)
    return total
