"""Shape of a scene from the header of its file, without its values."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lren_tf.io.axes import found_axes
from lren_tf.io.registry import opened
from lren_tf.io.select_variables import band_tables, chosen_cube


def scene_shape(
    path: str | os.PathLike[str],
    key: str | None = None,
    axes: str | Iterable[str] | None = None,
) -> tuple[int, int, int]:
    """Return rows, columns and bands of the cube in a file.

    Args:
        path, key, axes: as for :func:`lren_tf.io.load_scene`.

    Raises:
        InputError: the file is missing, of another format, or its header names no cube.
    """
    with opened(path) as reader:
        stored = chosen_cube(reader, key)
        others = [variable for variable in reader.variables if variable is not stored]
        tables = band_tables(reader, others, stored)
        height, width, bands = found_axes(
            reader.file, stored, others, tables, axes
        ).shape(stored.shape)
        return height, width, bands
