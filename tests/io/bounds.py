"""What a call may cost, for the tests of damaged and hostile files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _kibibytes(entry: str) -> int:
    lines = _STATUS.read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:"))


@contextmanager
def bounded(mebibytes: int, seconds: float) -> Iterator[None]:
    """Fail if the body takes more memory, libraries' own included, or processor time.

    Memory is the peak of what is resident, above what was so before; it is looked at where the
    system can tell, which is Linux.
    """
    watched = _RESET.exists()
    if watched:
        _RESET.write_text("5")  # the peak starts anew
        before = _kibibytes("VmRSS")
    start = time.process_time()
    yield
    spent = time.process_time() - start
    assert spent < seconds, f"{spent:.1f} s of processor time"
    if watched:
        grown = (_kibibytes("VmHWM") - before) >> 10
        assert grown < mebibytes, f"{grown} MiB more"
