"""The scenes that a folder, a pattern, a list or several paths mean."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lren_tf.errors import InputError
from lren_tf.io.load import scene_stem
from lren_tf.io.scene_files import is_readable, scenes_among
from lren_tf.runtime.files import as_path

LIST_SUFFIX = ".txt"
_SHOWN = 5


@dataclass(frozen=True)
class ListedScene:
    """A scene of a batch.

    Attributes:
        name: what its results are called.
        path: an absolute path, or the name of a benchmark scene.
    """

    name: str
    path: str

    @property
    def file(self) -> Path | None:
        """The file, or None of a scene that a program has."""
        return Path(self.path) if os.path.isabs(self.path) else None


def listed_scenes(given: Iterable[str], is_name: Callable[[str], bool]) -> list[ListedScene]:
    """The scenes that arguments mean, in their order and each once.

    Args:
        given: paths of scenes, folders, patterns such as ``'flights/*.img'``, lists (``.txt``,
            one of the others in a line, relative to the folder of the list), and names.
        is_name: whether a text names a scene that is no file.

    Raises:
        InputError: a path does not exist, a folder or a pattern has no scene, a list is empty,
            or two scenes have one name.
    """
    found: dict[str, ListedScene] = {}
    for path in _paths(given, is_name, Path.cwd(), within=None):
        if isinstance(path, str):
            scene = ListedScene(path, path)
        else:
            scene = ListedScene(scene_stem(path), str(path))
        found.setdefault(scene.path if scene.file is None else os.path.realpath(path), scene)
    scenes = list(found.values())
    _refuse_one_name(scenes)
    return scenes


def _paths(
    given: Iterable[str], is_name: Callable[[str], bool], base: Path, within: Path | None
) -> Iterator[Path | str]:
    """Absolute paths, and names.

    Args:
        base: what relative paths are relative to.
        within: the list that the texts stand in.
    """
    for text in given:
        path = base / as_path(text)
        # A file whose name looks like a pattern is a file.
        if path.is_dir() and not is_readable(path):
            yield from _of_folder(path, text)
        elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
            if within is not None:
                raise InputError(
                    f"{within} lists {text}, which is a list itself; expected scenes, folders "
                    "and patterns in it, pass both lists."
                )
            yield from _paths(_lines(path), is_name, path.parent, path)
        elif os.path.lexists(path):
            yield path
        elif is_name(text):
            yield text
        elif glob.has_magic(text):
            matched = (Path(name) for name in sorted(glob.glob(str(path), recursive=True)))
            yield from _filtered(list(matched), f"'{text}'")
        else:
            where = "" if within is None else f" (in {within})"
            raise InputError(
                f"{text} does not exist{where}; expected scenes, folders of scenes, patterns or "
                f"lists ({LIST_SUFFIX}), check the path."
            )


def _of_folder(folder: Path, text: str) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{text} cannot be listed ({error.strerror or error}); expected a folder that can be "
            "read."
        ) from error
    yield from _filtered([path for path in paths if not path.name.startswith(".")], text)


def _filtered(paths: list[Path], text: str) -> Iterator[Path]:
    """The scenes of a folder or a pattern; what holds none is told."""
    scenes, others = scenes_among(paths)
    if not scenes:
        count = sum(path.is_file() for path in paths)
        raise InputError(
            f"{text} holds no scene among {count} file{'' if count == 1 else 's'}; "
            "expected MATLAB, NumPy, ENVI, GeoTIFF, netCDF or HDF5 files with rows, columns and "
            "bands, check the path."
        )
    if others:
        names = ", ".join(path.name for path in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        warnings.warn(
            f"{text}: files without rows, columns and bands are left out: {names}{more}.",
            stacklevel=2,
        )
    yield from scenes


def _lines(path: Path) -> list[str]:
    """Names in a list; empty lines and those that begin with # are comments."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as a list ({error}); expected text in UTF-8, one path in a "
            "line."
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise InputError(f"{path} lists nothing; expected one path in a line, add some.")
    return found


def _refuse_one_name(scenes: list[ListedScene]) -> None:
    seen: dict[str, ListedScene] = {}
    for scene in scenes:
        # File systems that take capital letters for small ones would mix up the results.
        other = seen.setdefault(scene.name.casefold(), scene)
        if other is not scene:
            raise InputError(
                f"{_shown(other)} and {_shown(scene)} would both write results called "
                f"{scene.name}; expected scenes of different names, rename one or run them apart "
                "with --out."
            )


def _shown(scene: ListedScene) -> str:
    """A path as short as it can be said from here."""
    here = Path.cwd()
    path = Path(scene.path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else scene.path
