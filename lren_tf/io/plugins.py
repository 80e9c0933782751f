"""Readers of other packages: entry points of the group `lren_tf.readers`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.runtime.plugins import plugin_class, plugins

GROUP = "lren_tf.readers"


def plugin_readers() -> list[type[Reader]]:
    """The readers of installed packages; one that cannot be imported costs only itself."""
    found = {name: plugin_class(point, Reader) for name, point in plugins(GROUP).items()}
    return [_guarded(name, reader) for name, reader in found.items() if reader is not None]


def _guarded(name: str, reader: type[Reader]) -> type[Reader]:
    """A reader whose own mistakes are told as such, and are never those of a file or of lren_tf."""

    @contextmanager
    def guard(source: Source) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # whatever a stranger's code raises
            reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:160]
            raise InputError(
                received=f"{source.path.name}: the plug-in '{name}' failed ({reason})",
                expected="a file that it can read",
                remedy="report it to the author of the plug-in, or uninstall it",
            ) from error

    class Guarded(Reader):
        title = reader.title
        suffixes = reader.suffixes
        product = reader.product
        what = reader.what
        without_cube = reader.without_cube

        def __init__(self, source: Source) -> None:
            super().__init__(source)
            with guard(source):
                self._reader = reader(source)
                self.variables = list(self._reader.variables)
                self.flags = tuple(self._reader.flags)

        @classmethod
        def recognises(cls, source: Source) -> bool:
            try:
                return bool(reader.recognises(source))
            except InputError:
                return False  # damaged: those who know the format say so
            except Exception as error:  # as above
                warnings.warn(
                    f"the plug-in '{name}' is not asked to read {source.path.name}: "
                    f"{type(error).__name__} {error}.",
                    stacklevel=4,
                )
                return False

        @classmethod
        def beside(cls, source: Source) -> list[Path]:
            with guard(source):
                return list(reader.beside(source))

        def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
            with guard(self.source):
                return np.asarray(self._reader.read(name, how))

        def details(self, name: str, how: Reading = AS_MEANT) -> Details:
            with guard(self.source):
                return self._reader.details(name, how)

        def mask(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str] | None:
            with guard(self.source):
                return self._reader.mask(flags)

    return Guarded
