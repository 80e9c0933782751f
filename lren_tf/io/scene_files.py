"""Which files a scene consists of, and whether a file or a folder holds one."""

from __future__ import annotations

import warnings
from pathlib import Path

from lren_tf.errors import InputError
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import existing_path
from lren_tf.io.formats import envi, geotiff
from lren_tf.io.formats.envi_pair import header_of, pair_of
from lren_tf.io.registry import known_suffixes, opened, reader_of

_BESIDE_A_TIFF = (".aux.xml", ".tfw", ".tifw", ".wld", ".msk")
"""Ends of the names of files in which GDAL looks for what a TIFF does not say."""


def files_of(path: Path) -> list[Path]:
    """Absolute paths of the files that reading a scene or a map depends on.

    Returns:
        `path` first; of a folder all files in it.

    Raises:
        InputError: one of them is missing, empty or unreadable.
    """
    file = existing_path(path).absolute()
    if file.is_dir():
        return sorted(each for each in file.rglob("*") if each.is_file())
    found = [file, *_beside(file)]
    if file.suffix.lower() in geotiff.SUFFIXES:
        header = header_of(file)
        found += [header] if header is not None else []
        for ending in _BESIDE_A_TIFF:
            named = (file.with_name(file.name + ending), file.with_suffix(ending))
            found += [beside for beside in dict.fromkeys(named) if beside.is_file()]
    elif _is_envi(file):
        with Source(file) as source:
            pair = pair_of(source)
            header, values, tiff = pair.header.file, pair.data.path.absolute(), pair.tiff
        found += [header.absolute(), *(files_of(values) if tiff else [values])]
    return list(dict.fromkeys(found))


def scenes_among(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files and folders that are scenes, and the files that were taken for none.

    A scene is what holds an array of rows, columns and several bands. A damaged file of a known
    format counts as one: it has to be missed. Of an ENVI image in two files, the file of values
    stands for both where it is listed.

    Returns:
        The scenes in the order given, and the files of a known format that hold maps, tables or
        the like. Other files and folders are in neither list.
    """
    found: list[Path] = []
    others: list[Path] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told when the scene is read
        known = [path for path in paths if is_readable(path)]
        values = {_values_of(path) for path in known if path.suffix.lower() == ".hdr"}
        values &= {path.absolute() for path in known}
        for path in known:
            if path.suffix.lower() == ".hdr" and _values_of(path) in values:
                continue
            (found if _holds_a_cube(path) else others).append(path)
    return found, others


def is_readable(path: Path) -> bool:
    """Whether a reader recognises a file or a folder; also a damaged file, by its suffix."""
    try:
        with Source(path) as source:
            return reader_of(source) is not None
    except InputError:
        return path.is_file() and path.suffix.lower() in known_suffixes()


def _beside(file: Path) -> list[Path]:
    with Source(file) as source:
        reader = reader_of(source)
        return [] if reader is None else [each.absolute() for each in reader.beside(source)]


def _is_envi(file: Path) -> bool:
    with Source(file) as source:
        reader = reader_of(source)
    return reader is not None and issubclass(reader, envi.EnviReader)


def _values_of(header: Path) -> Path | None:
    """The file of values of a header, or None where that cannot be said."""
    try:
        with Source(header) as source:
            return pair_of(source).data.path.absolute()
    except InputError:
        return None


def _holds_a_cube(path: Path) -> bool:
    try:
        with opened(path) as reader:
            variables = reader.variables
    except InputError:
        return True
    return any(len(each.shape) == 3 and min(each.shape) > 1 for each in variables)
