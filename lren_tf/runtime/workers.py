"""Who shares the work on a batch, and what they exchange.

A *replica* is a device that works on pixels; a process has one or, with several GPUs, one for
each of them. Every replica gets its share of the rows of a batch. Whatever is computed of the
shares is added up over all replicas of all processes, and everything else is done by every
process alike, on the same sums: so weights stay equal to the bit without being sent.

Besides sums go the latent samples after a training, nine numbers a pixel, and a few bytes by
which the processes agree: on what they were started with, on what one of them refuses, on the
state a training goes on from. All of it is collective: every process makes the same calls.

The process with number 0 is the *chief*, as everywhere in ``tf.distribute``: it alone prints and
writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError, WorkerLost


class Workers:
    """This process alone, on one device."""

    replicas = 1
    """Replicas of all processes."""
    processes = 1
    """Processes that work together."""
    process = 0
    """Number of this process among them."""

    @property
    def chief(self) -> bool:
        """Whether this process writes what is written once."""
        return self.process == 0

    # --- shares ---------------------------------------------------------------------------

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        """Of the rows of a batch those of each replica of this process, in their order."""
        return [rows]

    def run(self, function: Callable, inputs: Sequence[Any], *common: Any) -> list[Any]:
        """``function(input, *common)`` on each replica of this process.

        Args:
            function: a ``tf.function`` where there are several replicas.
            inputs: a structure of arrays or tensors for each replica of this process.
            *common: structures of tensors, the same for all replicas.
        """
        return [function(_as_tensors(each), *common) for each in inputs]

    def over(self, function: Callable, parts: list[list[Any]], *common: Any) -> list[list[Any]]:
        """As `run`, of a list of inputs for each replica; all lists are equally long."""
        results: list[list[Any]] = [[] for _ in parts]
        for inputs in zip(*parts, strict=True):
            for of_replica, found in zip(results, self.run(function, inputs, *common), strict=True):
                of_replica.append(found)
        return results

    # --- what is exchanged ----------------------------------------------------------------

    def total(self, parts: list[list[Any]]) -> Any:
        """Sum over all parts of all replicas of all processes.

        Args:
            parts: for each replica of this process a list of equal structures of tensors.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        return self._everywhere([_sum(of_replica) for of_replica in parts])

    def gathered(self, parts: list[list[tf.Tensor]]) -> tf.Tensor:
        """Rows of all replicas of all processes: the shares together again.

        Args:
            parts: for each replica of this process a list of ``[m, ...]``, whose rows follow
                one another.

        Returns:
            ``[n, ...]`` in the order of the rows that were shared out.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        rows = [tf.concat(of_replica, axis=0) for of_replica in parts]
        if self.replicas == 1:
            return rows[0]
        # As a sum, each share among zeros: TensorFlow's own gathering ends the process where a
        # share is empty.
        first = self.process * len(rows)
        counts = np.zeros([len(rows), self.replicas], np.int64)
        for number, each in enumerate(rows):
            counts[number, first + number] = each.shape[0]
        ends = np.cumsum(self.total([[tf.constant(each)] for each in counts]).numpy())
        if not ends[-1]:
            return rows[0]
        framed = []
        for number, each in enumerate(rows, start=first):
            margins = [ends[number] - each.shape[0], ends[-1] - ends[number]]
            framed.append([tf.pad(each, [margins] + [[0, 0]] * (len(each.shape) - 1))])
        return self.total(framed)

    def exchanged(self, data: bytes) -> list[bytes]:
        """What every process passes here, in the order of the processes.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        return [data]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """For a body that may refuse its input: what one process refuses, all refuse.

        The body exchanges nothing.

        Raises:
            InputError: as the body, or with the sentence of the first process that refused.
            WorkerLost: another process has ended, or hangs.
        """
        own: InputError | None = None
        try:
            yield
        except InputError as error:
            own = error
        refusals = self.exchanged(b"" if own is None else str(own).encode())
        if own is not None:
            raise own
        for process, refusal in enumerate(refusals):
            if refusal:
                raise InputError(f"worker {process}: {refusal.decode()}")

    def meet(self) -> None:
        """Wait until every process is here.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        self.exchanged(b"")

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
        devices = strategy.extended.worker_devices
        self._local = len(devices)
        self.processes = self.replicas // self._local
        if self.processes > 1:
            resolver = strategy.cluster_resolver
            self._chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
            self.process = self._number(resolver.task_type, int(resolver.task_id))
        place = tf.DeviceSpec.from_string(devices[0])
        self.device = f"/{place.device_type}:{place.device_index}"
        """The first device of this process, in the form ``tf.device`` takes."""

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        first = self.process * self._local
        return np.array_split(rows, self.replicas)[first : first + self._local]

    def run(self, function: Callable, inputs: Sequence[Any], *common: Any) -> list[Any]:
        found = self._strategy.run(function, args=(self._by_replica(inputs), *common))
        return self._of_replicas(found)

    def exchanged(self, data: bytes) -> list[bytes]:
        if self.processes == 1:
            return [data]
        # As words of four, and how many bytes they are.
        words = np.frombuffer(data + bytes(-len(data) % 4), np.int32)
        lengths = self._from_processes(np.array([len(data)], np.int32))
        everything = self._from_processes(words).tobytes()
        found, start = [], 0
        for length in lengths:
            found.append(everything[start : start + int(length)])
            start += int(length) + -int(length) % 4
        return found

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
        """What it means that an exchange fails.

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
        """What `run` found, taken apart by replica of this process."""
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
