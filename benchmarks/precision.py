"""What bfloat16 matrix products would do to the result of a training.

The preset ``release`` trains with the authors' seed on the four scenes, the factors of every
product of the autoencoder rounded to bfloat16 and the products summed in float32, as units for
bfloat16 do it. The committed run in float32 is the reference. Whether that would be
faster is a matter of the processor (``benchmarks/trials.py``); what it costs in AUC is not. One
seed: read a difference beside the spread over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from benchmarks.record import keep, print_table
from experiments.reporting.names import SCENES
from experiments.reporting.provenance import committed_record
from lren_tf import LREN, datasets, metrics
from lren_tf.data.scene import data_sha256
from lren_tf.training import backprop

PRESET, SEED = "release", 123
AREAS = ("auc_pd_pf", "auc_pf_tau", "auc_pd_tau")


class _Rounding:
    """TensorFlow, but for the factors of its matrix products."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    @staticmethod
    def matmul(a: tf.Tensor, b: tf.Tensor, **options: bool) -> tf.Tensor:
        """As ``tf.matmul``, of factors rounded to bfloat16."""
        a, b = (tf.cast(tf.cast(each, tf.bfloat16), tf.float32) for each in (a, b))
        return tf.matmul(a, b, **options)


@contextmanager
def rounded_products() -> Iterator[None]:
    """Rounds what the training step multiplies, as long as it lasts."""
    backprop.tf = _Rounding()  # type: ignore[assignment]
    try:
        yield
    finally:
        backprop.tf = tf


def measure(scene: Any, lam: float) -> dict[str, Any]:
    """Areas of one training."""
    model = LREN(PRESET, seed=SEED, lam=lam)
    model.fit(scene, verbose=0)
    found = metrics.evaluate(model.score(scene), scene.truth)
    return {area: found[area] for area in AREAS}


def main() -> None:
    """Measure, print and write ``benchmarks/results/precision.json``."""
    cases = {}
    for name in SCENES:
        single = committed_record("proposed", name, f"{PRESET}_seed{SEED}")
        scene, lam = datasets.load(name), single["settings"]["lam"]
        with rounded_products():
            rounded = measure(scene, lam)
        cases[name] = {
            "data_sha256": data_sha256(scene.cube),
            "float32": {area: single["metrics"][area] for area in AREAS},
            "bfloat16": rounded,
        }
        print_table(
            name,
            [
                (
                    kind,
                    f"{cases[name][kind]['auc_pd_pf']:.4f}, {cases[name][kind]['auc_pf_tau']:.4f}",
                )
                for kind in ("float32", "bfloat16")
            ],
        )
    keep({"benchmark": "precision", "preset": PRESET, "seed": SEED, "cases": cases})


if __name__ == "__main__":
    main()
