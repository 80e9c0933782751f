"""Registry of the formats: readers in the order in which they are asked, and writers of maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lren_tf.data.georeference import Georeference
from lren_tf.data.labelled_arrays import as_labelled
from lren_tf.errors import InputError
from lren_tf.io.base.content import content_of
from lren_tf.io.base.layer import Layer
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import a_folder
from lren_tf.io.formats import envi, geotiff
from lren_tf.io.formats.band_tiffs import BandTiffsReader
from lren_tf.io.formats.emit import EmitReader
from lren_tf.io.formats.emit_mask import EmitMaskReader
from lren_tf.io.formats.flagged_hdf5 import PaceReader, TanagerReader
from lren_tf.io.formats.hdf5 import Hdf5Reader
from lren_tf.io.formats.matlab import MatlabReader, write_mat
from lren_tf.io.formats.neon import NeonReader
from lren_tf.io.formats.npy import NpyReader, NpzReader, write_npy
from lren_tf.io.formats.prisma import PrismaReader
from lren_tf.io.formats.quality_tiffs import QualityTiffReader
from lren_tf.io.formats.sidecar_tiff import SidecarTiffReader
from lren_tf.io.formats.tiff import TiffReader
from lren_tf.io.labelled import LabelledReader
from lren_tf.io.plugins import plugin_readers

READERS: tuple[type[Reader], ...] = (
    MatlabReader,
    NpyReader,
    NpzReader,
    # Products before the general reader of their container.
    SidecarTiffReader,
    BandTiffsReader,
    QualityTiffReader,
    TiffReader,
    PrismaReader,
    NeonReader,
    TanagerReader,
    PaceReader,
    EmitReader,
    EmitMaskReader,
    Hdf5Reader,
    # Last, since its files of values are called anything, often without a suffix.
    envi.EnviReader,
)
"""Readers of files; the first that recognises one reads it. Plug-ins are asked before them."""


@contextmanager
def opened(path: object) -> Iterator[Reader]:
    """A file, opened once by the reader that recognises it, until the context ends.

    Args:
        path: of a file; or an xarray object, which is read in its place.

    Raises:
        InputError: the file is missing, damaged or of another format.
    """
    labelled = as_labelled(path)
    if labelled is not None:
        yield LabelledReader(labelled)
        return
    with Source(path) as source:  # type: ignore[arg-type]
        reader = reader_of(source)
        if reader is None:
            raise _unknown(source)
        yield reader(source)


def reader_of(source: Source) -> type[Reader] | None:
    """The reader that recognises a file; None where none does."""
    return next((reader for reader in _readers() if reader.recognises(source)), None)


def known_suffixes() -> tuple[str, ...]:
    """The ends of names of files by which a reader is found, those of plug-ins first."""
    return tuple(dict.fromkeys(suffix for reader in _readers() for suffix in reader.suffixes))


def _readers() -> tuple[type[Reader], ...]:
    return (*plugin_readers(), *READERS)


def _unknown(source: Source) -> InputError:
    if source.stream is None:
        return a_folder(source.path)
    content = content_of(source.start)
    if content is not None:
        return InputError(
            received=f"{source.path.name} is {content.name}",
            expected=f"a name that ends in one of {', '.join(known_suffixes())}, and such content",
            remedy=content.remedy,
        )
    return InputError(
        received=f"{source.path.name} ends in '{source.path.suffix}'",
        expected=f"one of {', '.join(known_suffixes())}, or an ENVI header beside it",
        remedy="convert the file",
    )


def _all_of_it(georeference: Georeference | None) -> Georeference | None:
    return georeference


@dataclass(frozen=True)
class MapFormat:
    """Writer of one map in a format.

    Attributes:
        name: the value of ``--format``.
        title: as `Scene.source_format`.
        suffixes: of the files that are written, in this order.
        write: writes the files of a `Layer`; not atomic, so it is given temporary paths.
        storable: the part of a georeference that such a file can hold, which `write` gets. It
            warns with a `UserWarning` about the part left out, and refuses, even without a
            georeference, what writing would refuse whatever the map is.
        has_georeference: whether such a file says where its pixels lie.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    write: Callable[[Sequence[Path], Layer], object]
    storable: Callable[[Georeference | None], Georeference | None] = _all_of_it
    has_georeference: bool = False


MAP_FORMATS = {
    form.name: form
    for form in (
        MapFormat(
            "envi", "ENVI", (".img", ".hdr"),
            lambda files, layer: envi.write_envi(files[0], files[1], layer),
            envi.georeference_for_envi, has_georeference=True,
        ),
        MapFormat(
            "geotiff", "GeoTIFF", (".tif",),
            lambda files, layer: geotiff.write_geotiff(files[0], layer),
            geotiff.georeference_for_geotiff, has_georeference=True,
        ),
        MapFormat(
            "mat", "MATLAB", (".mat",),
            lambda files, layer: write_mat(files[0], {layer.name: layer.values}),
        ),
        MapFormat(
            "npy", "NumPy", (".npy",), lambda files, layer: write_npy(files[0], layer.values)
        ),
    )
}  # fmt: skip
"""Formats that a map can be written in, by name."""
