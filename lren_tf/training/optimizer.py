"""The optimiser of a training: creating it, a step of it, the configuration it began with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lren_tf.runtime.precision import single_precision
from lren_tf.settings import Settings


@keras.saving.register_keras_serializable(package="lren_tf")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with the update of a variable as one operation instead of fourteen.

    The formulas are the same, and so are the results to rounding. A training of several members
    has short steps, in which operations that only start and end would take a tenth of the time.
    """

    def update_step(
        self, gradient: tf.Tensor, variable: Any, learning_rate: tf.Tensor
    ) -> None:
        """Move a variable along its gradient.

        Args:
            gradient: of the loss.
            variable: Keras' variable, or TensorFlow's within it.
            learning_rate: scalar.
        """
        number = self._get_variable_index(variable)
        slots = self._momentums[number], self._velocities[number]
        moved, m, v = (getattr(each, "_value", each) for each in (variable, *slots))
        if self.amsgrad or not all(hasattr(each, "handle") for each in (moved, m, v)):
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = moved.dtype
        step = tf.cast(self.iterations.value + 1, dtype)
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=moved.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def make_optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """Create the optimiser of the settings.

    Keras' Adam takes lr·√(1−β2ᵗ)/(1−β1ᵗ)·m/(√v + ε), which is where TensorFlow 1 puts ε;
    only the value differs from its default.
    """
    with single_precision():
        if settings.optimizer == "sgd":
            return keras.optimizers.SGD(settings.learning_rate)
        # One network keeps Keras' operations, and with them its bits.
        adam = keras.optimizers.Adam if settings.members == 1 else FusedAdam
        return adam(settings.learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)


def descend(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Take a step of an optimiser along gradients of the loss; frozen variables stay.

    Args:
        optimizer: built for the variables, and maybe for more.
        gradients: gradients of the loss, not scaled.
        variables: variable of each gradient.
    """
    one = 1.0
    scale = optimizer.scale_loss(one)
    if scale is not one:  # the optimiser divides by it what it takes for a scaled loss' gradients
        gradients = [gradient * scale for gradient in gradients]
    moving = [
        (gradient, variable)
        for gradient, variable in zip(gradients, variables, strict=True)
        if variable.trainable
    ]
    if moving:
        optimizer.apply(*map(list, zip(*moving, strict=True)))


class FirstConfig:
    """Configuration of a model's optimiser before callbacks of a training changed it.

    "The same call again" resumes a training, and a callback such as ``ReduceLROnPlateau`` leaves
    the optimiser of a model with another learning rate than the one the training began with.
    """

    def __init__(self) -> None:
        self._seen: tuple[dict[str, Any], dict[str, Any]] | None = None

    def of(self, optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
        """Return the configuration that the last training began with.

        What the caller has changed since that training is taken as it is.
        """
        config = {"class": type(optimizer).__name__, **optimizer.get_config()}
        return self._seen[0] if self._seen is not None and config == self._seen[1] else config

    def keep(self, first: dict[str, Any], optimizer: keras.optimizers.Optimizer) -> None:
        """Remember a training that has ended.

        Args:
            first: what ``of`` returned before it.
            optimizer: optimiser after it.
        """
        self._seen = first, {"class": type(optimizer).__name__, **optimizer.get_config()}
