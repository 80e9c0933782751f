"""The initial weights that TensorFlow 1 drew for the authors' program."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

RELEASE_OPERATION_SEEDS = {
    "encoder_hidden": 5,
    "encoder_latent": 22,
    "decoder_hidden": 38,
    "decoder_output": 55,
    "estimator_hidden": 162,
    "estimator_output": 180,
}
"""Operation seed of each weight matrix in the released program: TensorFlow 1 numbered a
random operation by the count of operations created before it in the graph."""


@keras.saving.register_keras_serializable(package="lren_tf")
class TF1GlorotUniform(keras.initializers.Initializer):
    """Glorot-uniform weights, bit for bit as TensorFlow 1 drew them.

    TensorFlow 1 seeded its Philox generator with the pair (graph seed, operation seed):
    the first is the key, the second the upper half of the counter. The stateless
    operation used here takes key and counter directly, so that a draw does not depend on
    the draws made before it in the process.

    Args:
        graph_seed: seed of the graph (123 in the release).
        operation_seed: see :data:`RELEASE_OPERATION_SEEDS`.
    """

    def __init__(self, graph_seed: int, operation_seed: int) -> None:
        self.graph_seed = graph_seed
        self.operation_seed = operation_seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """Weights ``[fan_in, fan_out]``, float32, in ±√(6 / (fan_in + fan_out))."""
        fan_in, fan_out = shape
        limit = math.sqrt(6.0 / (fan_in + fan_out))
        with tf.device("/CPU:0"):
            uniform = tf.raw_ops.StatelessRandomUniformV2(
                shape=tf.constant(shape, tf.int32),
                key=tf.constant([self.graph_seed], tf.uint64),
                counter=tf.constant([0, self.operation_seed], tf.uint64),
                alg=tf.constant(1, tf.int32),  # Philox
                dtype=tf.float32,
            )
            return tf.cast(uniform * (2.0 * limit) - limit, dtype or tf.float32)

    def get_config(self) -> dict[str, int]:
        """Constructor arguments."""
        return {"graph_seed": self.graph_seed, "operation_seed": self.operation_seed}
