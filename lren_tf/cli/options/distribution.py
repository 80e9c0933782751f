"""``--strategy`` and ``--memory-limit``: the devices of a training and its memory."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lren_tf.cli.console import mute
from lren_tf.errors import InputError
from lren_tf.runtime.cluster import Cluster, cluster_of
from lren_tf.validators import size_in_bytes

OPTIONS = ("strategy", "memory_limit")
"""Options of this module, as attributes of the arguments."""

STRATEGIES = ("mirrored", "multiworker")
"""All GPUs of this machine; the processes that ``TF_CONFIG`` names."""

WAIT_S = 300
"""Seconds that workers wait for one another to start; TensorFlow alone would wait an hour."""


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
    def memory_limit(self) -> int | None:
        """Bytes of ``--memory-limit``."""
        return self._memory_limit

    @property
    def chief(self) -> bool:
        """True if this process prints and writes."""
        return self._cluster is None or self._cluster.process == 0

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Keep stdout for the chief; errors are everybody's."""
        if self.chief:
            yield
            return
        mute()
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
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
        """Return the entries of the report."""
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

    cluster.wait_for_all(WAIT_S)
    # For one that dies between this line and the next: TensorFlow would wait for it, and no
    # line of Python would be run meanwhile.
    faulthandler.dump_traceback_later(WAIT_S, exit=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    finally:
        faulthandler.cancel_dump_traceback_later()
