"""Start of TensorFlow: without its messages, and with repeatable results."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from lren_tf.errors import InputError, WorkerLost

_OTHER_BACKENDS = ("jax", "torch", "openvino")


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's start-up messages off stderr; print them if the start fails.

    C++ writes them before any logging level applies, so the file descriptor is redirected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is not None:  # as it is where the process was started without one
        sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # closed by whoever started us
        yield
        return
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException as error:
            os.dup2(original, 2)
            told = isinstance(error, (InputError, WorkerLost, KeyboardInterrupt))
            if not told and sys.stderr is not None:
                messages.seek(0)
                sys.stderr.write(messages.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


@contextmanager
def repeatable_start() -> Iterator[None]:
    """Keep TensorFlow quiet and repeatable, if something that the body imports brings it."""
    with quiet_start():
        yield
        tf = sys.modules.get("tensorflow")
        if tf is not None:
            tf.get_logger().setLevel("ERROR")
            if tf.config.list_physical_devices("GPU"):
                tf.config.experimental.enable_op_determinism()


def require_tensorflow_backend() -> None:
    """Refuse Keras with another backend than TensorFlow, which the layers are written for.

    Raises:
        InputError: another one is chosen.
    """
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    try:
        import keras

        chosen = keras.config.backend()
    except (ImportError, ValueError) as error:
        missing = getattr(error, "name", None)
        if missing in _OTHER_BACKENDS:  # a settings file of Keras can choose them too
            chosen = missing
        if chosen == "tensorflow":
            raise
    if chosen != "tensorflow":
        raise InputError(
            f"the backend of Keras is {chosen!r}; expected 'tensorflow': set the environment "
            "variable KERAS_BACKEND to tensorflow before Python starts."
        )


def make_repeatable(device: str) -> None:
    """Make two runs on a GPU agree to the bit, as two runs on a CPU do anyway.

    Args:
        device: where the model runs, such as ``"/GPU:0"``.
    """
    if "GPU" in device:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
