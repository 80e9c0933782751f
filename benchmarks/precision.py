"""What bfloat16 matrix products would do to the result of a training.

The preset ``release`` trains with the authors' seed on the four scenes, once as it is and once
with the factors of every product of the autoencoder rounded to bfloat16 and the products summed
in float32, as units for bfloat16 do it. Whether that would be faster is a matter of the processor
(``benchmarks/trials.py``); what it costs in AUC is not. One seed: read a difference beside the
spread over seeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.record import keep, print_table
from experiments.published import LAMBDA, SCENES
from lren_tf import LREN, backprop, datasets, metrics
from lren_tf.scene import data_sha256

PRESET = "release"


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
    model = LREN(PRESET, lam=lam)
    model.fit(scene, verbose=0)
    found = metrics.evaluate(model.score(scene), scene.truth)
    return {name: found[name] for name in ("auc_pd_pf", "auc_pf_tau", "auc_pd_tau")}


def main() -> None:
    """Measure, print and write ``benchmarks/results/precision.json``."""
    cases = {}
    for name in SCENES:
        scene, lam = datasets.load(name), LAMBDA[PRESET][name]
        with rounded_products():
            rounded = measure(scene, lam)
        cases[name] = {
            "data_sha256": data_sha256(scene.cube),
            "float32": measure(scene, lam),
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
    keep({"benchmark": "precision", "preset": PRESET, "seed": 123, "cases": cases})


if __name__ == "__main__":
    main()
