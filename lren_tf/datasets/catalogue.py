"""Benchmark scenes by name: found on this computer, verified, or downloaded.

Nothing here imports TensorFlow until a download is needed: finding and verifying scenes has to
stay quick.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.datasets.benchmarks import entry_of
from lren_tf.datasets.download import DATA_VARIABLE, cache_folder, unavailable
from lren_tf.datasets.download import download as download_file
from lren_tf.errors import InputError
from lren_tf.io import load_map, load_scene


def find(name: str) -> Path | None:
    """The verified file of a benchmark scene on this computer, or None.

    Looks in the folder named by the environment variable `LREN_TF_DATA`, then in
    `datasets/lren_tf` of the Keras cache (`$KERAS_HOME`, else `~/.keras`). A cached file
    with the wrong SHA-256 counts as absent, since a download replaces it.

    Args:
        name: one of `names()` or `further_names()`.

    Raises:
        InputError: an unknown name; `LREN_TF_DATA` is not a folder, or its file does not
            have the expected SHA-256.
    """
    entry = entry_of(name)
    folder = _data_folder()
    if folder is not None and (folder / entry.file).is_file():
        file = folder / entry.file
        received = _file_sha256(file)
        if received != entry.sha256:
            raise InputError(
                f"{file} has SHA-256 {received}; expected {entry.sha256}, replace it by the file "
                f"from {entry.url or entry.source} or move it away."
            )
        return file
    cached = cache_folder() / entry.file
    if cached.is_file() and _file_sha256(cached) == entry.sha256:
        return cached
    return None


def load(name: str, download: bool = True) -> Scene:
    """A scene with its truth, downloaded into the Keras cache when it is not found.

    Args:
        name: one of `names()` or `further_names()`. The further scenes cannot be downloaded: the
            file is expected as ``scenes/NAME.mat`` in the folder named by `LREN_TF_DATA`.
        download: whether a scene that `find` does not find may be downloaded. Progress is
            logged by pooch. Without a connection the call fails within seconds, and a failed
            download leaves nothing behind.

    Returns:
        A `Scene` named by its title, cube [H, W, B] in the stored dtype, truth [H, W] bool.

    Raises:
        DatasetUnavailable: not found and not to be downloaded, or without an address.
        InputError: as `find`.
    """
    entry = entry_of(name)
    file = find(name)
    if file is None:
        if not download:
            raise unavailable(entry, "was not found and may not be downloaded")
        file = download_file(entry)
    scene = load_scene(file, key="data", truth_key=entry.truth_key)
    return dataclasses.replace(scene, name=entry.title)


def published_map(name: str) -> np.ndarray | None:
    """The detection map which the authors released for a benchmark scene.

    Read from `published_maps/` inside the folder named by `LREN_TF_DATA`, variable `array`.

    Args:
        name: one of `names()`.

    Returns:
        [H, W] float64 in [0, 1], higher means more anomalous; None when the file is not
        there, and for `coast`, where the release holds the map of Pavia by mistake.

    Raises:
        InputError: an unknown name, or a map that does not have the scene's rows × columns.
    """
    entry = entry_of(name)
    folder = _data_folder()
    if folder is None or entry.map_file is None:
        return None
    file = folder / "published_maps" / entry.map_file
    if not file.is_file():
        return None
    values = load_map(file, key="array")
    if values.shape != entry.shape[:2]:
        raise InputError(
            f"{file} has shape {values.shape}; expected {entry.shape[:2]}, the rows × columns of "
            f"{entry.title}, replace it by the released map of that scene."
        )
    return values.astype(np.float64)


def _data_folder() -> Path | None:
    given = os.environ.get(DATA_VARIABLE)
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"{DATA_VARIABLE} is {given!r}, which is not a folder; expected the folder that holds "
            "the benchmark scenes, correct or unset it."
        )
    return folder


def _file_sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror or error}); expected a readable file, check "
            "its permissions."
        ) from error
    return digest.hexdigest()
