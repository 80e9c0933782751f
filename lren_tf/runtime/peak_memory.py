"""Peak of a process's own memory while something runs.

RssAnon counts pages that belong to no file: arrays, but not a mapped scene, whose pages the system
can drop at any time. GPU memory is not included.
"""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_STATUS = Path("/proc/self/status")
_INTERVAL_S = 0.002


def anonymous_bytes(process: int | None = None) -> int | None:
    """RssAnon of a process; None where the system does not say it (Linux does), or it has ended.

    Args:
        process: its number; None for this one.
    """
    status = _STATUS if process is None else Path(f"/proc/{process}/status")
    try:
        lines = status.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return None


def give_back_freed() -> None:
    """Return freed memory that the process keeps for itself to the system.

    Otherwise it is used again, and what follows seems to need less than it does. Only the C
    library of Linux offers that; elsewhere nothing happens.
    """
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """A context manager that measures how far RssAnon rises above its value at the start.

    Attributes:
        bytes: the largest rise seen so far, every two milliseconds and at the end; None where
            the system does not say RssAnon.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._over = threading.Event()
        self._start: int | None = None

    def __enter__(self) -> PeakMemory:
        self._start = anonymous_bytes()
        if self._start is not None:
            self.bytes = 0
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._start is not None:
            self._over.set()
            self._thread.join()
            self._look()

    def _watch(self) -> None:
        while not self._over.wait(_INTERVAL_S):
            self._look()

    def _look(self) -> None:
        now = anonymous_bytes()
        if now is not None and self._start is not None:
            self.bytes = max(self.bytes or 0, now - self._start)
