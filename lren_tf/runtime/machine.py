"""Machine that a time was measured on: processor, cores, threads."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def processor() -> str:
    """Name of the processor, or of its architecture where the system says no more."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine_record() -> dict[str, Any]:
    """Processor, its cores, and how many threads TensorFlow may use in this process."""
    cores = os.cpu_count()
    return {
        "processor": processor(),
        "cores": cores,
        "threads": int(os.environ.get("TF_NUM_INTRAOP_THREADS") or cores or 1),
    }
