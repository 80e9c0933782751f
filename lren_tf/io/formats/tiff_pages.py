"""TIFFs of several images: pages that are the bands of one cube, or images listed one by one.

A TIFF may hold several images, each with its own size. Pages of one band and one size form one
cube, read as rows × columns × pages; any others are separate images, called `page 1`, `page 2`,
..., and none of them is chosen. What tifffile writes of an array of three axes says which axis is
which only where it lists them; else they have to be asked for.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from lren_tf.data.valid_pixels import NoData
from lren_tf.errors import Argument, InputError
from lren_tf.io.base import large_array
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, a_folder, check_declared_size, no_variable
from lren_tf.io.formats import geotiff

_PAGE = "page "
# More are no cube of any sensor, and each takes a millisecond to open.
_MOST_PAGES = 5000


class PagesReader(Reader):
    """The images of a TIFF; of one with pages of a single band and size the cube they make.

    Raises:
        InputError: as `geotiff.Image`; also for more pages than are looked at.
    """

    title = "GeoTIFF"
    suffixes = geotiff.SUFFIXES
    what = "GeoTIFF"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        if source.stream is None:
            raise a_folder(self.file)
        self._first = source.enter(geotiff.Image(self.file))
        self._pages = self._first.pages
        """Largest number of images that are listed one by one, or make one cube."""
        if self._pages > _MOST_PAGES:
            raise InputError(
                received=f"{self.file.name} holds {self._pages} images",
                expected=f"{_MOST_PAGES} at most",
                remedy="save the cube as one image of several bands",
            )
        self._listed = False
        self.variables = [self._first.variable] if self._pages < 2 else self._of_pages()

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        """The values of one image, or of the cube that all pages make, rows × columns × pages."""
        return self.read_with(name, how, ())

    def read_with(self, name: str, how: Reading, no_data: tuple[NoData, ...]) -> np.ndarray:
        """Read as `read` does, with no-data values for a file that has none itself."""
        if self._pages < 2:
            return self._first.read(how, no_data)
        if self._listed:
            with geotiff.Image(self.file, self._page(name)) as image:
                return image.read(how, no_data)
        out: np.ndarray | None = None
        for at in range(self._pages):
            with geotiff.Image(self.file, at + 1) as image:
                values = image.read(how, _of_band(no_data, at))
            if out is None:
                out = large_array.empty((*values.shape, self._pages), values.dtype)
            out[:, :, at] = values
        assert out is not None
        return out

    def details(self, name: str = "", how: Reading = AS_MEANT) -> Details:
        """Return the metadata of one image, or of the cube that all pages make."""
        if self._pages < 2:
            return self._first.details(how)
        if self._listed:
            with geotiff.Image(self.file, self._page(name)) as image:
                return image.details(how)
        found = []
        for at in range(self._pages):
            with geotiff.Image(self.file, at + 1) as image:
                found.append(image.details(how))
        return details_of_cube(found, f"{len(found)} pages of one band each as one cube")

    def words(self, name: str) -> tuple[str, ...]:
        """Return the titles of bands, and the text that the file's program has left."""
        return (*self._first.titles, self._first.description)

    def _of_pages(self) -> list[Variable]:
        pages = []
        for at in range(self._pages):
            with geotiff.Image(self.file, at + 1) as image:
                pages.append(image.variable)
        one = pages[0]
        self._listed = len(one.shape) != 2 or any(
            (page.shape, page.kind) != (one.shape, one.kind) for page in pages
        )
        if self._listed:
            return [replace(page, name=f"{_PAGE}{at}") for at, page in enumerate(pages, 1)]
        height, width = one.shape
        axes, doubt = _axes(self.file, self._first.description, (self._pages, height, width))
        check_declared_size(self.file, "", (*one.shape, self._pages), self._first.itemsize)
        shape = (*one.shape, self._pages)
        return [Variable("", shape, one.kind, one.readable, axes, doubt=doubt)]

    def _page(self, name: str) -> int:
        names = [variable.name for variable in self.variables]
        if name not in names:
            raise no_variable(self.file, name, self.variables)
        return names.index(name) + 1


def details_of_cube(found: list[Details], text: str) -> Details:
    """Join the metadata of images of one band into that of the cube that they make.

    Args:
        found: of every image.
        text: how they were put together, for `lren-tf info`.
    """
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
        reading=(*first.reading, text),
    )


def _of_band(no_data: tuple[NoData, ...], band: int) -> tuple[NoData, ...]:
    return tuple(value if np.ndim(value) == 0 else float(value[band]) for value in no_data)  # type: ignore[index]


def _axes(
    file: Path, description: str, shape: tuple[int, int, int]
) -> tuple[tuple[str, ...], InputError | None]:
    """Names of the axes rows × columns × pages, and the refusal where they are not certain.

    Args:
        file: for the message.
        description: the text that the program of the file has left in it.
        shape: pages × rows × columns.
    """
    pages = ("row", "column", "band")
    try:
        said = json.loads(description)
        stored, letters = tuple(said["shape"]), str(said.get("axes", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return pages, None
    if stored != shape:
        return pages, None
    roles = {"Y": "row", "X": "column"}
    if len(letters) == 3:
        first, second, third = (roles.get(letter, "band") for letter in letters.upper())
        return (second, third, first), None
    rows, columns = "row,column,band", "column,band,row"
    return (), InputError(
        argument="axes",
        received=f"{file.name}: an array of {shape[0]} × {shape[1]} × {shape[2]} was saved as "
        f"{shape[0]} pages, and nothing says which of its axes is which",
        expected="their names",
        remedy=("pass ", Argument("axes", rows), " where each page is a band, or ",
                Argument("axes", columns), " where each page is a row of the image"),
    )  # fmt: skip
