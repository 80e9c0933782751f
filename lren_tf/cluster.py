"""The processes of a ``MultiWorkerMirroredStrategy``, as ``TF_CONFIG`` names them.

TensorFlow reads the variable itself, and answers what it cannot use with a traceback, or by
waiting. Here it is looked at before TensorFlow is imported.
"""

from __future__ import annotations

import json
import re
import socket
from typing import Any, NamedTuple

from lren_tf.errors import InputError

_EXAMPLE = (
    'TF_CONFIG=\'{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": '
    '"worker", "index": 0}}\''
)
_JOBS = ("chief", "worker")


class Cluster(NamedTuple):
    """All processes, and which one this is."""

    addresses: tuple[str, ...]
    """``host:port`` of each; a job ``"chief"`` comes first."""
    process: int
    """Number of this process among them; 0 is the chief."""

    @property
    def port(self) -> int:
        """Where this process listens."""
        return int(self.addresses[self.process].rsplit(":", 1)[1])

    def check_port(self) -> None:
        """Refuse a port that something else listens on.

        TensorFlow would share it, and each of the two would get half of the messages.

        Raises:
            InputError: the port is taken, or must not be used.
        """
        with socket.socket() as probe:
            # A port that a run has just left is free, though the system keeps it for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", self.port))
            except OSError as error:
                raise InputError(
                    f"TF_CONFIG says that this process listens at "
                    f"{self.addresses[self.process]}, but port {self.port} cannot be used "
                    f"({error.strerror}); expected a free one, choose another on all workers."
                ) from error


def cluster_of(text: str | None) -> Cluster:
    """The cluster that ``TF_CONFIG`` describes.

    Args:
        text: value of the variable; None where it is not set.

    Raises:
        InputError: it is not set, or is not what TensorFlow expects there.
    """
    if not text:
        raise InputError(
            "TF_CONFIG is not set; expected the addresses of all workers and which of them this "
            f"is, set it on each, such as {_EXAMPLE}."
        )
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise _refusal(f"is no JSON ({error})") from None
    jobs = _part(given, "cluster")
    task = _part(given, "task")
    others = sorted(set(jobs) - set(_JOBS))
    if others:
        raise _refusal(f"has a job {others[0]!r} in its cluster, which has no part in this")
    for job in _JOBS:
        if job in jobs and not _are_addresses(jobs[job]):
            raise _refusal(f"has {jobs[job]!r} as the addresses of job {job!r}")
    if len(jobs.get("chief", [])) > 1:
        raise _refusal("has several chiefs")
    job = task.get("type")
    if not isinstance(job, str) or job not in jobs:
        raise _refusal(f"has a task of type {job!r}, a job that its cluster has not")
    try:
        index = int(task.get("index"))
    except (TypeError, ValueError):
        index = -1
    if not 0 <= index < len(jobs[job]):
        raise _refusal(
            f"has the task index {task.get('index')!r} of {len(jobs[job])} in job {job!r}"
        )
    addresses = tuple(address for name in _JOBS for address in jobs.get(name, []))
    if len(set(addresses)) < len(addresses):
        raise _refusal("has one address twice")
    before = len(jobs.get("chief", [])) if job == "worker" else 0
    return Cluster(addresses, before + index)


def _part(given: Any, name: str) -> dict[str, Any]:
    part = given.get(name) if isinstance(given, dict) else None
    if not isinstance(part, dict) or not part:
        raise _refusal(f"has no {name!r}")
    return part


def _are_addresses(given: Any) -> bool:
    return (
        isinstance(given, list)
        and len(given) > 0
        and all(
            isinstance(each, str)
            and (found := re.fullmatch(r"\S+:(\d{1,5})", each)) is not None
            and 0 < int(found[1]) < 65536
            for each in given
        )
    )


def _refusal(what: str) -> InputError:
    return InputError(f"TF_CONFIG {what}; expected it as in {_EXAMPLE}, correct it.")
