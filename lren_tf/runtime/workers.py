"""Data parallelism: how a batch is split and how partial sums are combined.

A *replica* is a device that works on pixels; a process has one or, with several GPUs, one for
each of them. Every replica gets its share of the rows of a batch. Partial results of the shares
are summed over all replicas of all processes; every process then does the same on the same sums, so
the weights stay equal to the bit without being sent.

The processes also exchange the latent samples after a training (nine numbers per pixel) and a
few bytes by which they agree on how they were started, on an input that one of them refuses, and
on the state from which a training resumes. All exchanges are collective: every process makes
the same calls.

The process with number 0 is the *chief*, as everywhere in ``tf.distribute``: it alone prints and
writes.

:class:`Workers` is one process on one device; :mod:`lren_tf.runtime.strategy` has the replicas of
a ``tf.distribute`` strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from lren_tf.errors import InputError


class Workers:
    """Workers of this process alone, on one device."""

    replicas = 1
    """Replicas of all processes."""
    processes = 1
    """Processes that work together."""
    process = 0
    """Number of this process among them."""

    @property
    def chief(self) -> bool:
        """True if this process writes what is written once."""
        return self.process == 0

    # --- shares ---------------------------------------------------------------------------

    def shares(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows of a batch for each replica of this process, in their order."""
        return [rows]

    def run(self, function: Callable[..., Any], inputs: Sequence[Any], *common: Any) -> list[Any]:
        """``function(input, *common)`` on each replica of this process.

        Args:
            function: a ``tf.function`` where there are several replicas.
            inputs: a structure of arrays or tensors for each replica of this process.
            *common: structures of tensors, the same for all replicas.
        """
        return [function(as_tensors(each), *common) for each in inputs]

    def over(
        self, function: Callable[..., Any], parts: list[list[Any]], *common: Any
    ) -> list[list[Any]]:
        """``function(input, *common)`` for every input of every replica of this process.

        Args:
            function: as for `run`.
            parts: a list of inputs for each replica; all lists are equally long.
            *common: as for `run`.

        Returns:
            A list of results for each replica.
        """
        results: list[list[Any]] = [[] for _ in parts]
        for inputs in zip(*parts, strict=True):
            each = self.run(function, inputs, *common)
            for of_replica, result in zip(results, each, strict=True):
                of_replica.append(result)
        return results

    # --- what is exchanged ----------------------------------------------------------------

    def total(self, parts: list[list[Any]]) -> Any:
        """Sum over all parts of all replicas of all processes.

        Args:
            parts: for each replica of this process a list of equal structures of tensors.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        return self._everywhere([sum_of(of_replica) for of_replica in parts])

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
        """The data that each process passes, in the order of the processes.

        Raises:
            WorkerLost: another process has ended, or hangs.
        """
        return [data]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """Make all processes refuse an input that the body refuses in one of them.

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
        return sum_of(sums)


def as_tensors(values: Any) -> Any:
    """A structure of arrays or tensors as one of tensors."""
    return tf.nest.map_structure(tf.convert_to_tensor, values)


def sum_of(parts: Sequence[Any]) -> Any:
    """Sum of structures of tensors that are alike."""
    total = parts[0]
    for part in parts[1:]:
        total = tf.nest.map_structure(tf.add, total, part)
    return total
