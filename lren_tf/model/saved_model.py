"""Functions of a Keras model written as a SavedModel that needs only TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.runtime.files import as_path, atomic_folder

_SAVED_MODEL = {"saved_model.pb", "variables"}
"""Entries of every SavedModel."""
_IN_SAVED_MODELS = {*_SAVED_MODEL, "assets", "assets.extra", "fingerprint.pb"}
"""Entries that a SavedModel can have."""


SENSOR_FILE = "lren_sensor.json"
"""File in ``assets.extra`` with the record of the model's scene and sensor."""


class Endpoint(NamedTuple):
    """Function of a SavedModel."""

    function: Callable[..., tf.Tensor | dict[str, tf.Tensor]]
    signature: list[tf.TensorSpec]


def export_saved_model(
    model: keras.Model,
    endpoints: Mapping[str, Endpoint],
    path: str | os.PathLike[str],
    *,
    verbose: bool = False,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write functions of a model as a SavedModel.

    Args:
        model: holds every variable that the functions read.
        endpoints: functions by name; the first one becomes ``serving_default`` too.
        path: folder to write. It is written under another name and renamed when it is complete;
            a SavedModel that is already there is replaced.
        verbose: whether Keras prints what it wrote.
        extra: texts by the names of files, which are written to the folder ``assets.extra``.

    Raises:
        InputError: the path is a file, or a folder that holds anything but a SavedModel; or it
            cannot be written.
    """
    check_export_target(path)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, endpoint in endpoints.items():
        archive.add_endpoint(name, endpoint.function, endpoint.signature)
    with atomic_folder(path) as temporary:
        archive.write_out(temporary, verbose=verbose)
        for name, text in (extra or {}).items():
            folder = os.path.join(temporary, "assets.extra")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)


def check_export_target(path: str | os.PathLike[str]) -> None:
    """Refuse a path where writing a SavedModel would lose something.

    Raises:
        InputError: it is a file, or a folder that holds anything but a SavedModel.
    """
    folder = as_path(path)
    if not os.path.exists(folder):
        return
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is a file; expected a folder to write, choose another.")
    found = set(os.listdir(folder))
    if found and not is_saved_model(folder):
        raise InputError(
            f"{folder} is not empty and not a SavedModel; expected a new or an empty folder, or a "
            "SavedModel to replace, choose another."
        )
    foreign = sorted(found - _IN_SAVED_MODELS)
    if foreign:
        raise InputError(
            f"{folder} holds {foreign[0]!r} beside a SavedModel, which would be lost; expected a "
            "folder with nothing else in it, choose another."
        )


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a SavedModel."""
    return all(os.path.exists(os.path.join(path, name)) for name in _SAVED_MODEL)
