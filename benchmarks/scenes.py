"""Scenes on disk for benchmarks, and how long the epochs of a training on them take."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lren_tf import LREN, datasets, load_scene


def scene_on_disk(folder: Path, side: int, bands: int) -> Path:
    """A simulated scene of side × side pixels as float32 ``.npy``, made once in a folder."""
    path = folder / f"scene_{side}_{bands}.npy"
    if not path.exists():
        np.save(path, datasets.simulate(side, side, bands, seed=1).cube)
    return path


class EpochTimes(keras.callbacks.Callback):
    """Seconds of every epoch but the first, in which the graphs are made."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch:
            self.seconds.append(time.perf_counter() - self._start)


def epoch_seconds(
    scene: np.ndarray | Path, epochs: int, memory_limit: str | None, **settings: Any
) -> tuple[LREN, list[float]]:
    """Train the preset ``paper`` for some epochs.

    Args:
        scene: pixels, or the path of a cube, which is mapped and not read.
        epochs: two or more.
        memory_limit: of the training.
        **settings: of the model.

    Returns:
        The model, and seconds of every epoch but the first.
    """
    times = EpochTimes()
    model = LREN("paper", memory_limit=memory_limit, **settings)
    data = load_scene(scene) if isinstance(scene, Path) else scene
    model.fit(data, epochs=epochs, verbose=0, callbacks=[times])
    return model, times.seconds


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
