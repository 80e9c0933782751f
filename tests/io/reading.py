"""What a reader says of a file, in one call each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable


def variables_by(reader: type[Reader]) -> Callable[[Path], list[Variable]]:
    """The variables of a file as a reader finds them."""

    def variables(path: Path) -> list[Variable]:
        with Source(path) as source:
            return reader(source).variables

    return variables


def read_by(reader: type[Reader]) -> Callable[..., np.ndarray]:
    """One array of a file as a reader reads it."""

    def read(path: Path, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        with Source(path) as source:
            return reader(source).read(name, how)

    return read
