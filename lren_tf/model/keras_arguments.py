"""Arguments of Keras' methods that `LREN` takes, and why it does not take the others.

``keras.Model`` trains on batches of samples with targets. `LREN` trains on all pixels of one scene
and without targets, so that some arguments have no meaning here. Each of them is listed once, with
the reason and with what to do instead; an argument with Keras' default value is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from lren_tf.errors import InputError


class Unsupported(NamedTuple):
    """An argument of a Keras method that means nothing here."""

    reason: str
    """End of the sentence after "it"."""
    advice: str
    """Advice on what to do instead."""
    default: Any = None
    """Value of the argument in Keras, beside None."""


_NO_BATCHES = "splits samples into batches, and the pixels of a scene belong together"
_NO_WEIGHTS = "weighs samples, and every pixel of a scene counts the same"
_NO_VALIDATION = (
    "holds samples back, and a network is trained on the scene that it scores",
    "leave it out, and call evaluate after fit",
)
_OWN_LOSS = (
    "replaces or adds to the loss, and that of LREN is fixed",
    "leave it out, or change energy_weight and covariance_penalty",
)

UNSUPPORTED: dict[str, dict[str, Unsupported]] = {
    "fit": {
        "y": Unsupported(
            "is a target, and LREN learns without truth",
            "leave it out, and call evaluate(x, truth) after fit",
        ),
        "validation_data": Unsupported(*_NO_VALIDATION),
        "validation_split": Unsupported(*_NO_VALIDATION, 0.0),
        "validation_steps": Unsupported(*_NO_VALIDATION),
        "validation_batch_size": Unsupported(*_NO_VALIDATION),
        "validation_freq": Unsupported(*_NO_VALIDATION, 1),
        "class_weight": Unsupported(
            "weighs classes, and LREN knows none", "leave it out"
        ),
        "sample_weight": Unsupported(
            _NO_WEIGHTS, "leave it out, or mark pixels as no data with Scene(..., valid=...)"
        ),
        "shuffle": Unsupported(
            "orders the pixels anew, and the batches of LREN are one permutation for all epochs",
            "leave it out, or set batch_seed",
        ),
        "steps_per_epoch": Unsupported(
            "cuts an epoch, and an epoch of LREN is the whole scene",
            "leave it out, or set batch_size and epochs",
        ),
    },
    "predict": {
        "steps": Unsupported(
            "cuts the data, and every pixel gets its outputs", "leave it out, or pass fewer pixels"
        ),
    },
    "evaluate": {
        "batch_size": Unsupported(_NO_BATCHES, "leave it out"),
        "steps": Unsupported(_NO_BATCHES, "leave it out"),
        "sample_weight": Unsupported(
            _NO_WEIGHTS, "leave it out, or mark pixels as no data with Scene(..., valid=...)"
        ),
        "callbacks": Unsupported(
            "is told of batches, and a scene is evaluated as a whole", "leave it out"
        ),
    },
    "compile": {
        "loss": Unsupported(*_OWN_LOSS),
        "loss_weights": Unsupported(*_OWN_LOSS),
        "metrics": Unsupported(
            "compares outputs with targets, and LREN has none",
            "leave it out, and call evaluate after fit",
        ),
        "weighted_metrics": Unsupported(
            "compares outputs with targets, and LREN has none",
            "leave it out, and call evaluate after fit",
        ),
    },
}
"""Arguments by method."""

METHODS: dict[str, tuple[str, str]] = {
    "train_on_batch": (
        "takes pixels without their scene, from which LREN learns standardisation, mixture and "
        "dictionary",
        "call fit(scene, epochs=1), and go on with initial_epoch",
    ),
    "test_on_batch": (
        "takes pixels without their scene, and a score or a loss of LREN is one of a scene",
        "call evaluate(scene, truth)",
    ),
    "quantize": (
        "replaces the weights by integers, and the arithmetic of LREN is float32",
        "call export, and quantise the exported model",
    ),
}
"""Methods of ``keras.Model`` that make no sense here: the reason and what to do instead."""


def check_arguments(method: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments of a Keras method that have a value and no meaning here.

    Args:
        method: name of the method.
        given: further arguments of the call, by name.

    Raises:
        InputError: an argument of Keras that LREN does not take.
        TypeError: an argument that Keras does not know either.
    """
    known = UNSUPPORTED[method]
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"LREN.{method}() got an unexpected keyword argument {name!r}")
        reason, advice, default = known[name]
        neutral = value is None or (
            default is not None and isinstance(value, (int, float)) and value == default
        )
        if not neutral:
            raise InputError(
                f"{method} was given {name}, which {reason}; expected no {name}: {advice}."
            )


def refused_method(name: str) -> InputError:
    """Return the refusal of a method that makes no sense here.

    Args:
        name: a key of :data:`METHODS`.
    """
    reason, advice = METHODS[name]
    return InputError(f"{name} {reason}; expected another method: {advice}.")


def callback_list(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return callbacks as a list: of None, one callback, several, or a ``CallbackList``.

    Raises:
        InputError: something else is among them.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    if callbacks is None:
        return []
    several = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for each in several:
        if not isinstance(each, keras.callbacks.Callback):
            raise InputError(
                f"callbacks holds {each!r}; expected instances of keras.callbacks.Callback, one "
                "or a list of them."
            )
    return several
