"""Which files a scene consists of, and whether a file holds one."""

from __future__ import annotations

import warnings
from pathlib import Path

from lren_tf.errors import InputError
from lren_tf.io.base.variable import existing_file
from lren_tf.io.formats import geotiff
from lren_tf.io.formats.envi_pair import header_of, pair_of
from lren_tf.io.registry import FORMATS, opened

_BESIDE_A_TIFF = (".aux.xml", ".tfw", ".tifw", ".wld", ".msk")
"""Ends of the names of files in which GDAL looks for what a TIFF does not say."""


def files_of(path: Path) -> list[Path]:
    """Absolute paths of the files that reading a scene or a map depends on, `path` first.

    Raises:
        InputError: one of them is missing, empty or unreadable.
    """
    file = existing_file(path).absolute()
    found = [file]
    header = file if file.suffix.lower() == ".hdr" else header_of(file)
    if file.suffix.lower() in geotiff.SUFFIXES:
        found += [header] if header is not None else []
        for ending in _BESIDE_A_TIFF:
            named = (file.with_name(file.name + ending), file.with_suffix(ending))
            found += [beside for beside in dict.fromkeys(named) if beside.is_file()]
    elif header is not None and _is_envi(file):
        pair = pair_of(file)
        values = files_of(pair.data_file) if pair.tiff else [pair.data_file]
        found += [other for other in (pair.header.file, *values) if other != file]
    return list(dict.fromkeys(found))


def scenes_among(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files that are scenes, and those that were taken for none.

    A scene is what holds an array of rows, columns and several bands. A damaged file of a known
    format counts as one: it has to be missed. Of an ENVI image in two files, the file of values
    stands for both where it is listed.

    Returns:
        The scenes in the order given, and the files of a known format that hold maps, tables or
        the like. Other files are in neither list.
    """
    found: list[Path] = []
    others: list[Path] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told when the scene is read
        known = [file for file in files if file.suffix.lower() in FORMATS or _is_envi(file)]
        values = {_values_of(file) for file in known if file.suffix.lower() == ".hdr"}
        values &= {file.absolute() for file in known}
        for file in known:
            if file.suffix.lower() == ".hdr" and _values_of(file) in values:
                continue
            (found if _holds_a_cube(file) else others).append(file)
    return found, others


def _is_envi(file: Path) -> bool:
    """Whether a file is one of an ENVI image by its name and what lies beside it."""
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        return header_of(file) is not None
    return form.title == "ENVI"


def _values_of(header: Path) -> Path | None:
    """The file of values of a header, or None where that cannot be said."""
    try:
        return pair_of(header).data_file.absolute()
    except InputError:
        return None


def _holds_a_cube(file: Path) -> bool:
    try:
        _, _, variables = opened(file)
    except InputError:
        return True
    return any(len(each.shape) == 3 and min(each.shape) > 1 for each in variables)
