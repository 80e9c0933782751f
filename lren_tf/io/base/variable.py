"""Variables of a file: names, shapes and types of its arrays before any is read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lren_tf.errors import InputError
from lren_tf.io.base.band_tables import BandTable
from lren_tf.runtime.files import as_path

# A damaged or hostile header can declare any size. Deflate gains at most a factor 1032, and
# MATLAB stores doubles which happen to be small integers in one byte each: 8 · 1032 < 10⁴.
_LARGEST_EXPANSION = 10_000
_ALWAYS_ALLOWED_BYTES = 256 << 20


@dataclass(frozen=True)
class Variable:
    """One array in a file, known from its header alone.

    Attributes:
        name: its key; empty in a file that holds a single unnamed array.
        shape: its axes in the order in which reading returns them.
        kind: the file's word for its type, such as `double`, `uint16`, `cell`.
        readable: whether it can be read as a dense real or bool array.
        dimensions: the names of its axes, empty text for an axis without a name; () if no axis has
            one.
        unit: unit of its values as the file gives it, or None.
        tables: tables of bands that the file attaches to it.
        doubt: the refusal if the caller has to name its axes, or None.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    readable: bool
    dimensions: tuple[str, ...] = ()
    unit: str | None = None
    tables: tuple[BandTable, ...] = field(default=(), compare=False, repr=False)
    doubt: InputError | None = field(default=None, compare=False, repr=False)

    @property
    def numeric(self) -> bool:
        """True if it holds numbers, and not flags, text or containers."""
        return self.readable and self.kind not in ("bool", "logical")

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.kind}".strip()


def listed(variables: Iterable[Variable]) -> str:
    """The variables with shapes and kinds for a message."""
    return ", ".join(str(variable) for variable in variables) or "nothing"


def existing_path(path: str | os.PathLike[str]) -> Path:
    """`path` as a `Path` to a folder or a regular file.

    Raises:
        InputError: it is missing, or of another kind.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise _no_path(path)
    file = as_path(path)
    if not os.path.exists(file):
        raise InputError(
            received=f"{file} does not exist", expected="a file", remedy="check the path"
        )
    if os.path.isdir(file):
        return file
    if not os.path.isfile(file):
        raise InputError(
            received=f"{file} is not a regular file", expected="a file",
            remedy="pass the path of one",
        )  # fmt: skip
    return file


def _no_path(given: object) -> InputError:
    """The refusal of what is no path: of lists and arrays not everything in them."""
    if isinstance(given, (list, tuple, set, dict)):
        return InputError(
            received=f"a {type(given).__name__} of {len(given)} is passed as one path",
            expected="a file, or a folder with one TIFF for each band of a scene",
            remedy="put the TIFFs of its bands into a folder of their own, named by numbers such "
            "as B1.tif and B2.tif, or pass one scene after the other",
        )
    shape = getattr(given, "shape", None)
    kind = f"a value of type {type(given).__name__}"
    called = kind if shape is None else f"an array of shape {shape}"
    return InputError(
        received=f"{called} is passed as a path",
        expected="the path of a file or folder",
        remedy="make a lren_tf.Scene of an array" if shape is not None else "pass one",
    )


def a_folder(path: Path) -> InputError:
    """The refusal of a folder that nothing reads."""
    return InputError(
        received=f"{path} is a folder",
        expected="a file, or a folder with one TIFF for each band of a scene",
        remedy="pass the path of a file",
    )


def no_variable(file: Path, name: str, variables: Iterable[Variable]) -> InputError:
    """The refusal of a name that no array of a file has."""
    names = ", ".join(variable.name for variable in variables) or "nothing"
    return InputError(
        argument="key",
        received=f"{file.name} has no variable '{name}'",
        expected="one of its variables",
        remedy=f"pass the name of one (found: {names})",
    )


def check_declared_size(file: Path, name: str, shape: tuple[int, ...], itemsize: int) -> None:
    """Refuse an array which a file of this size cannot hold, before memory is allocated.

    Raises:
        InputError: the declared size is beyond what compression could have hidden.
    """
    declared = math.prod(shape) * itemsize
    size = file.stat().st_size
    if declared > max(_ALWAYS_ALLOWED_BYTES, size * _LARGEST_EXPANSION):
        raise InputError(
            received=f"{file.name}: {_called(name)} declares shape {shape}, {declared} bytes, in "
            f"a file of {size} bytes",
            expected="sizes that agree",
            remedy="copy or download the file again",
        )


def check_block_size(
    file: Path, name: str, block: tuple[int, ...], block_bytes: int, array_bytes: int
) -> None:
    """Refuse an array stored in blocks far larger than itself, of which one is read as a whole.

    Args:
        block: shape of one block.
        block_bytes, array_bytes: bytes that a block and the array take in memory.

    Raises:
        InputError: a block is larger than the array, and large at all.
    """
    if block_bytes > max(_ALWAYS_ALLOWED_BYTES, array_bytes):
        raise InputError(
            received=f"{file.name}: {_called(name)} of {array_bytes} bytes is stored in blocks of "
            f"shape {block}, {block_bytes} bytes each",
            expected="blocks no larger than the array",
            remedy="save it again with smaller ones",
        )


def _called(name: str) -> str:
    return f"variable '{name}'" if name else "the array"
