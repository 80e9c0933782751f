"""A run that records where it ran; its module imports no TensorFlow, so that workers start fast."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from experiments.runs.run import Run, Workspace


@dataclass(frozen=True)
class Echo(Run):
    """Its scene is what it does: "broken" raises, "killed" dies, "long" sleeps."""

    number: int = 0

    @property
    def stem(self) -> str:
        return f"echo{self.number}"

    def load(self) -> Any:
        return None

    def execute(self, scene: Any, space: Workspace) -> dict[str, Any]:
        if self.scene == "broken":
            raise ValueError("no result")
        if self.scene == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        path = self.result_path(space)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(os.getpid()))
        if self.scene == "long":
            time.sleep(300)
        return {
            "process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS"),
            "number": self.number,
        }  # fmt: skip
