"""The processes of a ``MultiWorkerMirroredStrategy``, as ``TF_CONFIG`` names them.

TensorFlow reads the variable itself, and reacts to values that it cannot use with a traceback, or
by waiting. So the variable is checked here before TensorFlow is imported. TensorFlow also waits for
the other processes for an hour, and neither Ctrl-C nor a time limit interrupts it: so the processes
first wait for one another here.
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from lren_tf.errors import InputError, WorkerLost

_EXAMPLE = (
    'TF_CONFIG=\'{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": '
    '"worker", "index": 0}}\''
)
_JOBS = ("chief", "worker")
_GO = b"go"
_RETRY_S = 0.2


class Cluster(NamedTuple):
    """All processes, and which one this is."""

    addresses: tuple[str, ...]
    """``host:port`` of each; a job ``"chief"`` comes first."""
    process: int
    """Number of this process among them; 0 is the chief."""

    @property
    def port(self) -> int:
        """Port that this process listens on."""
        return int(self.addresses[self.process].rsplit(":", 1)[1])

    def check_port(self) -> None:
        """Refuse a port that something else listens on.

        TensorFlow would share it, and each of the two would get half of the messages.

        Raises:
            InputError: the port is taken, or must not be used.
        """
        with socket.socket() as probe:
            # A port that a run has just left is free, though the system keeps it for a minute.
            # On Windows, whose other name this is, reuse would share a port that is in use.
            alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
            probe.setsockopt(socket.SOL_SOCKET, alone, 1)
            try:
                probe.bind(("", self.port))
            except OSError as error:
                raise InputError(
                    f"TF_CONFIG says that this process listens at "
                    f"{self.addresses[self.process]}, but port {self.port} cannot be used "
                    f"({error.strerror}); expected a free one, choose another on all workers."
                ) from error


    def wait_for_all(self, seconds: float) -> None:
        """Return when every process has called this; the chief's port is used and left.

        The others report to the chief, and go on when it says so.

        Args:
            seconds: how long at most, up to a second.

        Raises:
            WorkerLost: some did not come in time.
        """
        deadline = time.monotonic() + seconds
        if len(self.addresses) == 1:
            return
        if self.process == 0:
            self._gather(deadline, seconds)
        else:
            self._report(deadline, seconds)

    def _gather(self, deadline: float, seconds: float) -> None:
        missing = set(range(1, len(self.addresses)))
        with ExitStack() as held:
            server = held.enter_context(socket.create_server(("", self.port), backlog=128))
            reported: dict[int, socket.socket] = {}
            while missing:
                server.settimeout(max(0.01, deadline - time.monotonic()))
                try:
                    connection = held.enter_context(server.accept()[0])
                except TimeoutError:
                    who = ", ".join(f"{n} ({self.addresses[n]})" for n in sorted(missing))
                    raise self._lost(f"saw nothing of worker {who}", seconds) from None
                # Whoever else knocks here has a second to say so.
                connection.settimeout(1)
                with suppress(OSError):
                    number = int.from_bytes(connection.recv(4), "big")
                    if 0 < number < len(self.addresses):
                        reported[number] = connection  # one that was started again: the latest
                        missing.discard(number)
            for connection in reported.values():
                with suppress(OSError):
                    connection.sendall(_GO)

    def _report(self, deadline: float, seconds: float) -> None:
        host, text = self.addresses[0].rsplit(":", 1)
        place = host.strip("[]"), int(text)
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(place, 1) as chief:
                chief.sendall(self.process.to_bytes(4, "big"))
                chief.settimeout(max(0.01, deadline - time.monotonic()))
                if chief.recv(len(_GO)) == _GO:
                    return
            time.sleep(_RETRY_S)
        raise self._lost(f"was not called by worker 0 ({self.addresses[0]})", seconds)

    def _lost(self, what: str, seconds: float) -> WorkerLost:
        return WorkerLost(
            f"worker {self.process} of {len(self.addresses)} {what} within {seconds:.0f} s; "
            "expected every worker to be started, see what the others said, and start all again."
        )


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
    kind = task.get("type")
    if not isinstance(kind, str) or kind not in jobs:
        raise _refusal(f"has a task of type {kind!r}, a job that its cluster has not")
    try:
        index = int(task["index"])
    except (KeyError, TypeError, ValueError):
        index = -1
    if not 0 <= index < len(jobs[kind]):
        raise _refusal(
            f"has the task index {task.get('index')!r} of {len(jobs[kind])} in job {kind!r}"
        )
    addresses = tuple(address for name in _JOBS for address in jobs.get(name, []))
    if len(set(addresses)) < len(addresses):
        raise _refusal("has one address twice")
    before = len(jobs.get("chief", [])) if kind == "worker" else 0
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
