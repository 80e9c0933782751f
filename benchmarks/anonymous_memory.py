"""Peak of a process's own memory while something runs.

RssAnon counts pages that belong to no file: arrays, not a mapped scene, which the system can drop
whenever it likes.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

_STATUS = Path("/proc/self/status")
_INTERVAL_S = 0.002


def anonymous_bytes() -> int:
    """RssAnon of this process; Linux only."""
    lines = _STATUS.read_text(encoding="ascii").splitlines() if _STATUS.exists() else []
    for line in lines:
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not say RssAnon; measure on another.")


class AnonymousPeak:
    """A context manager: `bytes` is how far RssAnon rose above its value at the start."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._start = 0

    def __enter__(self) -> AnonymousPeak:
        self._start = anonymous_bytes()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.bytes = max(self.bytes, anonymous_bytes() - self._start)
            time.sleep(_INTERVAL_S)
