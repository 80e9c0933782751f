"""Four short trainings give the weights and the scores they gave when this was recorded.

A thousand epochs amplify a change of rounding until a published figure moves. So nothing that
only moves code may change a bit: on the processor and with the versions of the record, weights
and scores are compared as they are. Elsewhere another order of sums is to be expected; then they
are compared to 1e-6, and the test says which of the two it did. The number of threads changes the
order of sums too, so the trainings run in a process of one thread.

Record again, on purpose only and with the reason in the changelog::

    make guard
"""

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from lren_tf import LREN
from lren_tf.datasets import simulate

RECORD = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).parents[1]
THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
ONE_THREAD = dict.fromkeys(THREADS, "1")
CASES = {
    "paper": {"preset": "paper"},
    "release": {"preset": "release"},
    "robust": {"preset": "robust"},
    # The score of the preset before it had further evidence.
    "robust, spectrum alone": {"preset": "robust", "evidence": ("spectrum",)},
}
EPOCHS = 20
TOLERANCE = 1e-6


def processor() -> str:
    """Model of the processor, and the vector instructions TensorFlow's kernels choose by."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    known = {name.strip(): value.strip() for name, value in values.items()}
    vectors = sorted(f for f in known.get("flags", "").split() if f.startswith(("avx", "amx")))
    return " ".join([known.get("model name", platform.machine()), *vectors])


def here() -> dict[str, str]:
    """What rounding depends on."""
    return {
        "processor": processor(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def summary(values: np.ndarray) -> dict:
    """Hash of an array, and numbers that tell how far another one is from it."""
    values = np.ascontiguousarray(values)
    flat = values.astype(np.float64).ravel()
    draws = np.random.default_rng(flat.size)
    scale = float(np.linalg.norm(flat))
    probes = [float(flat @ draws.standard_normal(flat.size)) for _ in range(4)]
    return {
        "shape": list(values.shape),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "norm": scale,
        "probes": probes,
    }


def measured(case: str) -> dict:
    scene = simulate(24, 20, 30, seed=7)
    model = LREN(**CASES[case], device="/CPU:0")
    model.fit(scene, epochs=EPOCHS, verbose=0)
    # By shape and content: which name or place a weight has is not part of the result.
    weights = [summary(np.asarray(weight)) for weight in model.weights]
    weights.sort(key=lambda of: (of["shape"], of["norm"], of["sha256"]))
    return {"weights": weights, "score": summary(model.score(scene))}


def differences(found: dict, recorded: dict) -> list[float]:
    """Of every array, how far it is from the recorded one, relative to its norm."""
    pairs = zip(
        [*found["weights"], found["score"]], [*recorded["weights"], recorded["score"]], strict=True
    )
    far = []
    for one, other in pairs:
        assert one["shape"] == other["shape"]
        scale = max(other["norm"], 1e-12)
        gaps = [one["norm"] - other["norm"], *np.subtract(one["probes"], other["probes"])]
        far.append(float(np.max(np.abs(gaps))) / scale)
    return far


@functools.cache
def measured_in_one_thread() -> dict:
    """`here` and `measured` of every case, from a process of one thread."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.test_guard"],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(child.stdout)


@pytest.mark.processes
@pytest.mark.parametrize("case", CASES)
def test_weights_and_scores_are_the_recorded_ones(case):
    record, now = json.loads(RECORD.read_text("utf-8")), measured_in_one_thread()
    found, recorded = now["presets"][case], record["presets"][case]
    assert [w["shape"] for w in found["weights"]] == [w["shape"] for w in recorded["weights"]]
    on, recorded_on = now["recorded on"], record["recorded on"]
    if on == recorded_on:
        assert found == recorded
        return
    changed = [name for name, value in on.items() if value != recorded_on[name]]
    warnings.warn(
        f"another {', '.join(changed)} than the record's: compared to {TOLERANCE} instead of "
        "bit by bit",
        stacklevel=1,
    )
    assert max(differences(found, recorded)) <= TOLERANCE


def test_a_change_of_one_bit_is_seen():
    values = np.linspace(1, 2, 50, dtype=np.float32)
    other = values.copy()
    other[17] = np.nextafter(other[17], np.float32(2))
    assert summary(values) != summary(other)
    far = values.copy()
    far[17] += 1e-3
    pair = [{"weights": [], "score": summary(each)} for each in (values, far)]
    assert max(differences(*pair)) > TOLERANCE


if __name__ == "__main__":
    content = {
        "recorded on": here(),
        "presets": {case: measured(case) for case in CASES},
    }
    sys.stdout.write(json.dumps(content, indent=1) + "\n")
