"""TIFFs of several images: pages that are the bands of one cube, or images listed one by one.

A TIFF may hold an image behind the other, each with its own size. Pages of one band and one size
are one cube, read as rows × columns × pages; any others are images of their own, called `page 1`,
`page 2`, ..., and none of them is picked. What tifffile writes of an array of three axes says
which axis is which only where it lists them; else they have to be asked for.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from lren_tf.data.valid_pixels import NoData
from lren_tf.errors import InputError
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.variable import Variable, check_declared_size, existing_file
from lren_tf.io.formats import geotiff

_PAGE = "page "
# More are no cube of any sensor, and each takes a millisecond to open.
_MOST_PAGES = 5000


def tiff_variables(path: Path) -> list[Variable]:
    """The images of a file; of one with pages of a single band and size the cube they make.

    Raises:
        InputError: as `geotiff.geotiff_variables`; also for more pages than are looked at.
    """
    file = existing_file(path)
    first = geotiff.geotiff_variables(file)[0]
    count = geotiff.count_pages(file)
    if count < 2:
        return [first]
    if count > _MOST_PAGES:
        raise InputError(
            f"{file.name} holds {count} images; expected {_MOST_PAGES} at most, save the cube as "
            "one image of several bands."
        )
    pages = [geotiff.geotiff_variables(file, page)[0] for page in range(1, count + 1)]
    one = pages[0]
    if len(one.shape) != 2 or any((p.shape, p.kind) != (one.shape, one.kind) for p in pages):
        return [replace(page, name=f"{_PAGE}{at}") for at, page in enumerate(pages, 1)]
    axes, doubt = _axes(file, (count, *one.shape))
    check_declared_size(file, "", (*one.shape, count), geotiff.itemsize(file))
    return [Variable("", (*one.shape, count), one.kind, one.readable, axes, doubt=doubt)]


def read_tiff_pages(
    path: Path, name: str = "", how: Reading = AS_MEANT, no_data: tuple[NoData, ...] = ()
) -> np.ndarray:
    """The values of one image, or of the cube that all pages make, rows × columns × pages.

    Raises:
        InputError: as `tiff_variables`.
    """
    page = _page(name)
    count = 0 if page is not None else geotiff.count_pages(path)
    if count < 2:
        return geotiff.read_geotiff(path, name, how, no_data, page)
    out: np.ndarray | None = None
    for at in range(count):
        values = geotiff.read_geotiff(path, name, how, _of_band(no_data, at), at + 1)
        if out is None:
            out = np.empty((*values.shape, count), values.dtype)
        out[:, :, at] = values
    assert out is not None
    return out


def tiff_pages_details(path: Path, name: str = "", how: Reading = AS_MEANT) -> Details:
    """What the file says of one image, or of the cube that all pages make.

    Raises:
        InputError: as `tiff_variables`.
    """
    page = _page(name)
    count = 0 if page is not None else geotiff.count_pages(path)
    if count < 2:
        return geotiff.geotiff_details(path, name, how, page)
    found = [geotiff.geotiff_details(path, name, how, at + 1) for at in range(count)]
    first = found[0]
    marks = [details.no_data for details in found]
    no_data: tuple[NoData, ...] = marks[0]
    if any(mark != marks[0] for mark in marks):
        no_data = (np.array([np.nan if not mark else float(mark[0]) for mark in marks]),)
    listed = [details.wavelengths for details in found]
    known = all(values is not None for values in listed)
    masks = [details.valid for details in found if details.valid is not None]
    return replace(
        first,
        no_data=no_data,
        valid=None if not masks else np.logical_and.reduce(masks),
        wavelengths=np.concatenate(listed) if known else None,  # type: ignore[arg-type]
        reading=(*first.reading, f"{count} pages of one band each as one cube"),
    )


def _of_band(no_data: tuple[NoData, ...], band: int) -> tuple[NoData, ...]:
    return tuple(value if np.ndim(value) == 0 else float(value[band]) for value in no_data)  # type: ignore[index]


def _page(name: str) -> int | None:
    number = name.removeprefix(_PAGE)
    return int(number) if name.startswith(_PAGE) and number.isdigit() else None


def _axes(file: Path, shape: tuple[int, int, int]) -> tuple[tuple[str, ...], str]:
    """Names of the axes rows × columns × pages, and why they are not certain, or empty."""
    pages = ("row", "column", "band")
    try:
        said = json.loads(geotiff.description(file))
        stored, letters = tuple(said["shape"]), str(said.get("axes", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return pages, ""
    if stored != shape:
        return pages, ""
    roles = {"Y": "row", "X": "column"}
    if len(letters) == 3:
        first, second, third = (roles.get(letter, "band") for letter in letters.upper())
        return (second, third, first), ""
    return (), (
        f"an array of {shape[0]} × {shape[1]} × {shape[2]} was saved as {shape[0]} pages, and "
        "nothing says which of its axes is which; expected their names, pass "
        "axes=row,column,band where each page is a band, or axes=column,band,row where each page "
        "is a row of the image."
    )
