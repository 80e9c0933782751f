"""The preset ``robust`` against the version before its members became one network.

Four measurements:

* *step*: the compiled ``train_step`` on 1,024 pixels of 205 bands, optimiser and trackers
  included, against a 2048 × 2048 × 2048 float32 matrix product timed in turn with it;
* *fit*: ``LREN("robust").fit`` on a simulated scene of 100 × 100 × 205, in a process of its own,
  importing left out;
* *command*: ``lren-tf detect`` on the same scene from disk, the whole process;
* *large*: the default detection of a simulated scene of a million pixels × 100 bands from disk,
  against SPy's ``rx`` on the same cube, with the peak of anonymous memory and AUC(Pd,Pf).

Fits and commands run by turns with those of the earlier version, which is checked out beside this
one for the time of the measurement. What the earlier version did not do, such as the evidence of
structure and surroundings, counts in the times of this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

# Nothing of this repository: a child process has another version of it.
ROOT = Path(__file__).resolve().parents[1]
BEFORE = "59ec0e8"
"""Commit of the version that is compared with."""
BATCH, BANDS, SIDE = 1024, 205, 100
LARGE_SIDE, LARGE_BANDS = 1000, 100


@contextmanager
def earlier_version(commit: str = BEFORE) -> Iterator[Path]:
    """Check out a commit in a temporary folder beside this version."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / commit
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=False)
            subprocess.run([*git, "prune"], check=True)


def run(version: Path, *command: str) -> tuple[float, dict[str, Any]]:
    """Run Python in a process with the package of a version.

    Returns:
        Seconds of the process, and what it printed as JSON in its last line, if anything.
    """
    environment = {**os.environ, "PYTHONPATH": str(version)}
    start = time.perf_counter()
    process = subprocess.run(
        [sys.executable, *command], cwd=version, env=environment, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    last = (process.stdout.strip().splitlines() or [""])[-1]
    return seconds, json.loads(last) if last.startswith("{") else {}


# --- what the processes do: they know no version, and import the package they are given -----


def step() -> dict[str, Any]:
    """Rates of a step and of the matrix product, in turn."""
    import tensorflow as tf

    from benchmarks.operations import SIDE as PRODUCT
    from benchmarks.operations import operations_per_pixel
    from benchmarks.scenes import median_seconds
    from lren_tf import LREN
    from lren_tf.training.batches import fixed_batches

    pixels = np.random.default_rng(0).normal(size=(BATCH, BANDS)).astype(np.float32)
    model = LREN("robust", evidence="spectrum")
    model.fit(pixels, epochs=1, verbose=0)
    with tf.device(model.device):
        batch = next(iter(fixed_batches(pixels, None, 0)))
        # As in a training: the graph does not know the length of a batch.
        signature = [tf.TensorSpec([None, batch.shape[1]])]
        compiled = tf.function(model.train_step, input_signature=signature)
        matrix = tf.random.normal((PRODUCT, PRODUCT))
        product = tf.function(tf.matmul)

        def run_step() -> None:
            compiled(batch)["loss"].numpy()

        def run_product() -> None:
            product(matrix, matrix)[0, 0].numpy()

        for call in (run_step, run_product):
            median_seconds(call, 5)
        rounds = [(median_seconds(run_product, 3), median_seconds(run_step, 20)) for _ in range(15)]
    counted = BATCH * operations_per_pixel(BANDS, model.settings)
    shares = [counted / s / (2 * PRODUCT**3 / p) for p, s in rounds]
    # The best product of the process is the stricter limit.
    limit = 2 * PRODUCT**3 / min(p for p, _ in rounds)
    seconds = median(s for _, s in rounds)
    return {
        "counted_gflop": counted / 1e9,
        "step_ms": 1e3 * seconds,
        "matrix_product_gflop_per_s": limit / 1e9,
        "share": counted / seconds / limit,
        "share_by_round": shares,
    }


def fit() -> dict[str, Any]:
    """Seconds of a fit, imports and scene left out."""
    from lren_tf import LREN, datasets

    scene = datasets.simulate(SIDE, SIDE, BANDS, seed=1)
    model = LREN("robust")
    start = time.perf_counter()
    model.fit(scene, verbose=0)
    return {"seconds": time.perf_counter() - start}


def large(path: Path) -> dict[str, Any]:
    """Seconds, memory and area of the default detection of a mapped cube."""
    from lren_tf import LREN, load_scene, metrics

    start = time.perf_counter()
    scene = load_scene(path)
    model = LREN("robust")
    model.fit(scene, verbose=0)
    fitted = time.perf_counter() - start
    score = model.score(scene)
    seconds = time.perf_counter() - start
    area = metrics.auc_pd_pf(score, np.load(_truth_of(path)))
    return {
        "seconds": seconds,
        "fit_seconds": fitted,
        "auc": area,
        "peak_anonymous_bytes": _peak_anonymous(),
    }


def rx(path: Path) -> dict[str, Any]:
    """Seconds of SPy's RX of a cube, reading included."""
    import spectral

    spectral.settings.show_progress = False
    start = time.perf_counter()
    spectral.rx(np.load(path))
    return {"seconds": time.perf_counter() - start}


class _Watched:
    """The largest RssAnon of this process that a thread has seen."""

    def __init__(self) -> None:
        self.largest = 0

    def watch(self) -> None:
        while True:
            self.largest = max(self.largest, _anonymous())
            time.sleep(0.02)


_WATCHED = _Watched()


def _anonymous() -> int:
    """Bytes of anonymous memory of this process (Linux)."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon")))


def _peak_anonymous() -> int:
    return max(_WATCHED.largest, _anonymous())


def _truth_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}_truth.npy")


# --- the measurements ------------------------------------------------------------------------


def by_turns(before: Path, rounds: int, *command: str) -> list[dict[str, Any]]:
    """Run a command with both versions, one after the other, several times."""
    found = []
    for number in range(rounds):
        of_round: dict[str, Any] = {}
        pair = [("before", before), ("now", ROOT)]
        for name, version in pair if number % 2 == 0 else reversed(pair):
            seconds, printed = run(version, *command)
            of_round[name] = printed.get("seconds", seconds)
        found.append(of_round)
        print(f"  {of_round['before']:.2f} s before, {of_round['now']:.2f} s now", flush=True)
    return found


def main() -> None:
    """Measure, print and write ``benchmarks/results/robust.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="fits and commands of each version")
    parser.add_argument("--side", type=int, default=LARGE_SIDE, help="of the large scene")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    parser.add_argument("child", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _as_child(*arguments.child)
        return
    this = str(Path(__file__))
    record: dict[str, Any] = {"benchmark": "robust", "preset": "robust", "before": BEFORE}
    record["step"] = run(ROOT, this, "step")[1]
    with earlier_version() as before, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        record["fit_s"] = by_turns(before, arguments.rounds, this, "fit")
        scene = _scene(place, SIDE, BANDS)
        command = ["-m", "lren_tf", "detect", str(scene), "--device", "/CPU:0", "--out"]
        record["command_s"] = by_turns(
            before, arguments.rounds, *command, str(place / "out"), "--preset", "robust"
        )
        path = _scene(place, arguments.side, LARGE_BANDS)
        record["large"] = {
            "pixels": arguments.side**2,
            "bands": LARGE_BANDS,
            "lren": run(ROOT, this, "large", str(path))[1],
            "rx": run(ROOT, this, "rx", str(path))[1],
        }
    _print(record)
    if not arguments.dry:
        from benchmarks.record import keep

        keep(record)


def ratio(turns: list[dict[str, float]]) -> float:
    """Median over the rounds of the earlier version's time by this one's."""
    return median(each["before"] / each["now"] for each in turns)


def _as_child(name: str, *paths: str) -> None:
    import threading

    threading.Thread(target=_WATCHED.watch, daemon=True).start()
    functions = {"step": step, "fit": fit, "large": large, "rx": rx}
    print(json.dumps(functions[name](*map(Path, paths))))


def _scene(folder: Path, side: int, bands: int) -> Path:
    from lren_tf import datasets

    path = folder / f"scene_{side}_{bands}.npy"
    scene = datasets.simulate(side, side, bands, seed=1)
    np.save(path, scene.cube)
    np.save(_truth_of(path), scene.truth)
    return path


def _print(record: dict[str, Any]) -> None:
    from benchmarks.record import print_table

    step_, large_ = record["step"], record["large"]
    print_table(
        "preset robust",
        [
            ("step", f"{step_['step_ms']:.1f} ms, {step_['share']:.0%} of the product"),
            ("fit", f"{ratio(record['fit_s']):.2f} times as fast as {BEFORE}"),
            ("command", f"{1 / ratio(record['command_s']):.2f} of the time of {BEFORE}"),
            (
                f"{large_['pixels']:,} × {large_['bands']}",
                f"{large_['lren']['seconds']:.1f} s, SPy's rx {large_['rx']['seconds']:.1f} s",
            ),
            ("its anonymous memory", f"{large_['lren']['peak_anonymous_bytes'] / 2**30:.2f} GiB"),
            ("its AUC(Pd,Pf)", f"{large_['lren']['auc']:.4f}"),
        ],
    )


if __name__ == "__main__":
    main()
