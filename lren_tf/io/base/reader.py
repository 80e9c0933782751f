"""The interface of a reader: a file that was opened once, and what it is asked."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import numpy as np

from lren_tf.data.labelled_arrays import GridLabels
from lren_tf.io.base.failures import reading
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable


class Reader(abc.ABC):
    """An opened file of one format.

    A subclass sets the class attributes and, in its constructor, `variables`; it implements `read`,
    and `details` if its format has metadata.

    Args:
        source: the file; whatever a reader opens is registered there, and closed with it.

    Attributes:
        title: what `Scene.source_format` and messages call the format.
        suffixes: of names of files, in lower case with the full stop.
        product: whether the other layers of the file belong to a product and were not added by its
            owner: none of them is taken for the truth because of its values alone.
        what: what a damaged file is not a readable one of.
        without_cube: what to do with a file that holds no cube.
        file: the path, by whose name messages call it.
        origin: what `Scene.source` says.
        variables: the arrays of the file, known from its header alone.
        flags: the names of the quality flags that a product has.

    Raises:
        InputError: by the constructor: the file is damaged, or not of this format.
    """

    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    product: ClassVar[bool] = False
    what: ClassVar[str] = "file"
    without_cube: ClassVar[str] = "save it as a 3-D array"

    variables: list[Variable]
    flags: tuple[str, ...] = ()

    def __init__(self, source: Source) -> None:
        self.source = source
        self.file: Path = source.path
        self.origin: str | None = str(source.path)

    @classmethod
    def recognises(cls, source: Source) -> bool:
        """Return whether a file is to be read by this class; a file by its suffix, unless a
        subclass knows better."""
        return source.stream is not None and source.path.suffix.lower() in cls.suffixes

    @classmethod
    def beside(cls, source: Source) -> list[Path]:
        """The files beside a recognised one that reading it depends on."""
        return []

    @abc.abstractmethod
    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """The values of one of `variables`, with the shape that it has there.

        Args:
            name: of the variable.
            how: whether values are scaled, and whether missing ones become NaN.

        Raises:
            InputError: there is no such variable, it holds no real numbers, or is damaged.
        """

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """Return the metadata of one of `variables`.

        A `UserWarning` reports metadata that cannot be used.

        Args:
            name, how: as for `read`.

        Raises:
            InputError: what it says cannot be used, and a value would be lost.
        """
        return Details()

    def labels(self, name: str, order: tuple[int, int, int]) -> GridLabels | None:
        """Names and coordinates of rows and columns, of a container that has them; else None.

        Args:
            name: of a cube among `variables`.
            order: its axes of rows, columns and bands.
        """
        return None

    def mask(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str] | None:
        """Return the flags of a quality file that is passed as a mask; None for any other file.

        Args:
            flags: as `Reading.flags`.

        Returns:
            [H, W] bool, False on flagged pixels, and a sentence about it for `lren-tf info`.

        Raises:
            InputError: it has no such flag, or is damaged.
        """
        return None

    def words(self, name: str) -> tuple[str, ...]:
        """Return what the file calls one of `variables` besides its name: titles, descriptions."""
        return ()

    def library(self) -> AbstractContextManager[None]:
        """Turn whatever a library raises on damaged content into a refusal (see `reading`)."""
        return reading(self.file, self.what)
