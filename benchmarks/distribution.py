"""What a second worker on the same machine changes: losses, scores, time, bytes exchanged.

One and two processes train a simulated scene with ``MultiWorkerMirroredStrategy``; every process
has half of the cores, also where there is one, so that the ratio tells what a second worker of
the same size gives. Time per epoch is the median after the first epochs, in which graphs are
made. Bytes are those of the tensors that a process passes to the all-reduce, not what the ring
makes of them (2·(p − 1)/p times as many for p processes).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import keep, print_table
from experiments.reporting.provenance import ROOT
from lren_tf.runtime.threads import usable_cores

HEIGHT, WIDTH, BANDS = 200, 200, 100
EPOCHS, WARM = 20, 5
PRESET = "paper"


def run_worker(folder: Path) -> None:
    """Train and score in this process; losses, times and bytes go to a file of its own."""
    import keras
    import tensorflow as tf

    threads = int(os.environ["BENCHMARK_THREADS"])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    from lren_tf import LREN, datasets

    class Epochs(keras.callbacks.Callback):
        """Notes when every epoch ended, and the bytes that were exchanged until then."""

        def __init__(self) -> None:
            super().__init__()
            self.ends: list[float] = []
            self.bytes: list[int] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.ends.append(time.perf_counter())
            self.bytes.append(sent[0])

    scene = datasets.simulate(HEIGHT, WIDTH, BANDS, seed=1)
    # One worker works in chunks as two do; held as a whole it would be another program.
    model = LREN(PRESET, epochs=EPOCHS, strategy=strategy, memory_limit=1)
    noted, sent, total = Epochs(), [0], model.workers.total

    def counted(parts: list[list[Any]]) -> Any:
        found = total(parts)
        # Whatever its dtype, a number travels as float64.
        sent[0] += 8 * sum(int(tf.size(t)) for t in tf.nest.flatten(found))
        return found

    model.workers.total = counted
    history = model.fit(scene, verbose=0, callbacks=[noted])
    score = model.score(scene)
    np.savez(
        folder / f"{model.workers.process}.npz",
        loss=history.history["loss"],
        score=score,
        epochs_s=np.diff(noted.ends)[WARM:],
        step_bytes=np.diff(noted.bytes)[-1],
    )
    model.workers.meet()


def measured(workers: int) -> dict[str, np.ndarray]:
    """What the first of so many workers wrote."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    threads = max(1, usable_cores() // 2)
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for index in range(workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {
                **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "",
                "TF_CONFIG": json.dumps(config), "BENCHMARK_THREADS": str(threads),
            }  # fmt: skip
            command = [sys.executable, "-m", "benchmarks.distribution", folder]
            running.append(subprocess.Popen(command, env=environment, cwd=ROOT))
        codes = [process.wait() for process in running]
        if any(codes):
            raise SystemExit(f"workers ended with exit codes {codes}")
        with np.load(Path(folder) / "0.npz") as file:
            return dict(file)


def main() -> None:
    """Measure, print and write ``benchmarks/results/distribution.json``."""
    one, two = measured(1), measured(2)
    losses = float(np.max(np.abs(two["loss"] - one["loss"]) / np.abs(one["loss"])))
    scores = float(np.max(np.abs(two["score"] - one["score"])) / np.max(one["score"]))
    epochs = [float(np.median(each["epochs_s"])) for each in (one, two)]
    record = {
        "benchmark": "distribution",
        "pixels": HEIGHT * WIDTH,
        "bands": BANDS,
        "preset": PRESET,
        "epochs": EPOCHS,
        "threads_per_worker": max(1, usable_cores() // 2),
        "epoch_s": {"1 worker": epochs[0], "2 workers": epochs[1]},
        "ratio": epochs[0] / epochs[1],
        "bytes_per_step": int(two["step_bytes"]),
        "largest_difference": {"loss, relative": losses, "score, of the largest": scores},
    }
    print_table(
        f"one and two workers, {HEIGHT * WIDTH} pixels × {BANDS} bands, preset {PRESET}",
        [
            ("epoch, 1 worker", f"{1e3 * epochs[0]:.0f} ms"),
            ("epoch, 2 workers", f"{1e3 * epochs[1]:.0f} ms"),
            ("two are faster", f"{record['ratio']:.2f} times"),
            ("exchanged in a step", f"{record['bytes_per_step'] / 1e6:.2f} MB a worker"),
            ("losses differ, relative", f"{losses:.1e}"),
            ("scores differ, of the largest", f"{scores:.1e}"),
        ],
    )
    keep(record)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        run_worker(Path(sys.argv[1]))
    else:
        main()
