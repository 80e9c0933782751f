"""``--strategy`` and ``--memory-limit``: how a training is spread, and what it may take."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lren_tf.checks import size_in_bytes
from lren_tf.cluster import Cluster, cluster_of
from lren_tf.errors import InputError, WorkerLost

OPTIONS = ("strategy", "memory_limit")
"""Options of this module, as attributes of the arguments."""

STRATEGIES = ("mirrored", "multiworker")
"""All GPUs of this machine; the processes that ``TF_CONFIG`` names."""

WAIT_S = 300
"""Seconds that workers wait for one another to start; TensorFlow itself would wait an hour."""


class Distribution:
    """The options of this module, checked; TensorFlow is not imported.

    Raises:
        InputError: an option that cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.name = arguments.strategy
        if self.name not in (None, *STRATEGIES):
            raise InputError(
                f"--strategy is {self.name!r}; expected one of {', '.join(STRATEGIES)}."
            )
        if self.name is not None and arguments.device is not None:
            raise InputError(
                f"--device was given with --strategy {self.name}, which has devices of its own; "
                "expected one of the two, leave one out."
            )
        limit = arguments.memory_limit
        self._memory_limit = None if limit is None else size_in_bytes("--memory-limit", limit)
        self._cluster: Cluster | None = None
        if self.name == "multiworker":
            self._cluster = cluster_of(os.environ.get("TF_CONFIG"))
            self._cluster.check_port()

    @property
    def chief(self) -> bool:
        """Whether this process prints and writes."""
        return self._cluster is None or self._cluster.process == 0

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Keep stdout for the chief; errors are everybody's."""
        if self.chief:
            yield
            return
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield

    def model_options(self) -> dict[str, Any]:
        """Arguments of the model. Makes the strategy, before TensorFlow does anything else.

        Raises:
            WorkerLost: not all workers came within `WAIT_S`.
        """
        options: dict[str, Any] = {"memory_limit": self._memory_limit}
        if self.name is None:
            return options
        import tensorflow as tf

        if self._cluster is None:
            return {**options, "strategy": tf.distribute.MirroredStrategy()}
        return {**options, "strategy": _joined(self._cluster)}

    def record(self, model: Any) -> dict[str, Any]:
        """What belongs into the report."""
        limit = {} if self._memory_limit is None else {"memory_limit": self._memory_limit}
        if self.name is None:
            return limit
        workers = model.workers
        return {
            **limit,
            "distribution": {
                "strategy": self.name,
                "replicas": workers.replicas,
                "processes": workers.processes,
            },
        }


def _joined(cluster: Cluster) -> Any:
    """The strategy of all workers, once all are there."""
    import tensorflow as tf

    made: list[Any] = []
    failed: list[BaseException] = []

    def join() -> None:
        try:
            made.append(tf.distribute.MultiWorkerMirroredStrategy())
        except BaseException as error:
            failed.append(error)

    # In a thread of its own, since TensorFlow waits where no signal reaches it.
    waiting = threading.Thread(target=join, daemon=True)
    waiting.start()
    waiting.join(WAIT_S)
    if made:
        return made[0]
    others = ", ".join(a for i, a in enumerate(cluster.addresses) if i != cluster.process)
    why = f" ({type(failed[0]).__name__})" if failed else f" within {WAIT_S} s"
    raise WorkerLost(
        f"worker {cluster.process} of {len(cluster.addresses)} found no connection to all others, "
        f"{others},{why}; expected all to be started, see what they said, and start all again."
    ) from (failed[0] if failed else None)
