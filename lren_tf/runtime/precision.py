"""Single precision for Keras objects, whatever the calling program has chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_precision() -> Iterator[None]:
    """Create Keras layers and optimisers in float32 inside, then restore the caller's choice.

    A policy of half precision would compute in it, and ``floatx`` rounds learning rates.
    """
    import keras

    policy, number = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(number)
        keras.config.set_dtype_policy(policy)
