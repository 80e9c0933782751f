"""Choice of the device that computes."""

from __future__ import annotations

import re

import tensorflow as tf

from lren_tf.errors import Argument, InputError


def resolve_device(device: str | None = None) -> str:
    """Name of the device to run on, in the form ``tf.device`` takes.

    Args:
        device: None for the first GPU if there is one, else the CPU; or a name such as
            ``"/GPU:0"``, ``"gpu"``, ``"CPU:0"``.

    Raises:
        InputError: not a device name, or a device this machine does not have.
    """
    gpus = len(tf.config.list_logical_devices("GPU"))
    if device is None:
        return "/GPU:0" if gpus else "/CPU:0"
    match = re.fullmatch(r"/?(?:device:)?(cpu|gpu)(?::(\d+))?", str(device), re.IGNORECASE)
    if match is None:
        raise InputError(f"device {device!r} is unknown; expected a name such as /CPU:0 or /GPU:0.")
    kind, index = match[1].upper(), int(match[2] or 0)
    available = gpus if kind == "GPU" else len(tf.config.list_logical_devices("CPU"))
    if index >= available:
        found = f"{available} {kind}" + ("" if available == 1 else "s")
        raise InputError(
            argument="device",
            received=f"device {device!r} was asked for, but TensorFlow finds {found} here",
            remedy=(
                "leave ", Argument("device"), " out to take what there is, or install the extra "
                "'gpu'",
            ),
        )  # fmt: skip
    return f"/{kind}:{index}"
