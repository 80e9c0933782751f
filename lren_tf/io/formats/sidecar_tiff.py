"""EnMAP and DESIS (DLR), levels 1C and 2A: a GeoTIFF with a separate XML and quality layers.

The TIFF holds whole numbers; wavelengths and the gain and offset of every band are in the XML.
Quality layers are TIFFs of their own, on the grid of the image: of EnMAP one for each flag and one
of classes, in which 3 is what lies outside the swath; of DESIS one with a band for each flag. The
masks of single values (`QL_PIXELMASK`, `QL_QUALITY` of DESIS) are not read.

Cloud and cirrus leave pixels out by default.

Source: EnMAP HSI Level 1B/1C/2A Product Specification (EN-PCV-ICD-2009-2), DLR; DESIS Products
Specification (PAV-DLR-TN-004), DLR; names of elements and bands also as EnMAP-Box reads them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.failures import damaged
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.quality import unflagged
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.source import Source
from lren_tf.io.formats import geotiff
from lren_tf.io.formats.tiff import TiffReader

USUAL = ("cloud", "cirrus")
"""The flags that leave pixels out unless the caller names others."""

_NO_DATA = -32768.0
"""Value for products whose TIFF does not say it."""
_LARGEST_XML = 64 << 20
_IMAGE = re.compile(
    r"(?P<stem>(?:ENMAP01-.*L(?:1C|2A)|DESIS-HSI-L(?:1C|2A))-.+)-SPECTRAL_IMAGE(?P<cog>_COG)?"
    r"\.tiff?",
    re.IGNORECASE,
)
ENMAP_FLAGS = {
    "cloud": "CLOUD", "cirrus": "CIRRUS", "haze": "HAZE", "cloud-shadow": "CLOUDSHADOW",
    "snow": "SNOW",
}  # fmt: skip
ENMAP_OUTSIDE = 3
# Flags of DESIS, and the bands from 1 that say them.
DESIS_FLAGS = {
    "cloud": (6, 7), "haze": (4, 5), "shadow": (1,), "snow": (3,), "water": (8,), "land": (2,),
}  # fmt: skip


@dataclass(frozen=True)
class _Metadata:
    """Content of the XML of a product: its bands [B], and when it was measured."""

    wavelengths: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    acquired: str | None


class SidecarTiffReader(TiffReader):
    """The image of a product; a folder or an XML is read as the image that belongs to it.

    Raises:
        InputError: also when the XML is damaged or lists another number of bands.
    """

    title = "GeoTIFF"

    @classmethod
    def recognises(cls, source: Source) -> bool:
        image = _image_of(source)
        return image is not None and _beside(image, "METADATA", (".xml",)) is not None

    @classmethod
    def beside(cls, source: Source) -> list[Path]:
        image = _image_of(source)
        if image is None:
            return []
        layers = [_beside(image, f"QL_QUALITY_{name}") for name in ENMAP_FLAGS.values()]
        layers += [_beside(image, "QL_QUALITY_CLASSES"), _beside(image, "QL_QUALITY-2")]
        files = [image, _beside(image, "METADATA", (".xml",)), *layers]
        return [file for file in files if file is not None and file != source.path]

    def __init__(self, source: Source) -> None:
        image = _image_of(source)
        assert image is not None
        super().__init__(source if image == source.path else source.enter(Source(image)))
        metadata = _beside(image, "METADATA", (".xml",))
        assert metadata is not None
        bands = self.variables[0].shape[-1]
        self._metadata = _read_metadata(metadata, bands)
        self._metadata_file = metadata
        self._flags = dict(_flags(image, self.variables[0].shape[:2]))
        self.flags = tuple(self._flags)

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        return self._first.read(how, (_NO_DATA,), self._scaling)

    def details(self, name: str = "", how: Reading = AS_MEANT) -> Details:
        found, said = super().details(name, how), self._metadata
        text = self._scaling.text(how.raw)
        valid, flagged = self._valid(how)
        if found.valid is not None:
            valid = found.valid if valid is None else valid & found.valid
        reading = [*found.reading, text, f"bands by {self._metadata_file.name}", flagged]
        scaled = bool(self._scaling) and not how.raw
        return replace(
            found,
            no_data=() if scaled else found.no_data or (_NO_DATA,),
            filled=scaled,
            valid=valid,
            wavelengths=said.wavelengths,
            acquired=said.acquired or found.acquired,
            reading=tuple(text for text in reading if text),
        )

    @property
    def _scaling(self) -> Scaling:
        return Scaling(self._metadata.gains, self._metadata.offsets)

    def _valid(self, how: Reading) -> tuple[np.ndarray | None, str]:
        """Pixels inside the swath without a chosen flag."""
        valid, text = unflagged(self.file, self._flags, USUAL, how.flags)
        classes = _beside(self.file, "QL_QUALITY_CLASSES")
        if classes is not None:
            inside = _layer(classes, self.variables[0].shape[:2])[:, :, 0] != ENMAP_OUTSIDE
            valid = inside if valid is None else valid & inside
        return valid, text


def _flags(image: Path, shape: tuple[int, ...]) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Names of the flags beside an image of rows × columns, and calls that read them."""
    for flag, name in ENMAP_FLAGS.items():
        if (file := _beside(image, f"QL_QUALITY_{name}")) is not None:
            yield flag, partial(_flagged, file, shape, (1,))
    if (file := _beside(image, "QL_QUALITY-2")) is not None:
        for flag, bands in DESIS_FLAGS.items():
            yield flag, partial(_flagged, file, shape, bands)


def _image_of(source: Source) -> Path | None:
    """The image that a path of a product means: itself, or of its XML or folder the only one."""
    path = source.path
    if source.stream is None:
        images = [each for each in sorted(path.iterdir()) if _IMAGE.fullmatch(each.name)]
        return images[0] if len(images) == 1 else None
    if _IMAGE.fullmatch(path.name):
        return path
    if path.name.lower().endswith("-metadata.xml"):
        stem = path.name[: -len("-metadata.xml")]
        for ending in (".tif", ".tiff", "_cog.tif", "_cog.tiff"):
            found = _named(path.parent, f"{stem}-spectral_image{ending}")
            if found is not None and _IMAGE.fullmatch(found.name):
                return found
    return None


def _beside(image: Path, name: str, endings: tuple[str, ...] = (".tif", ".tiff")) -> Path | None:
    """A file of the product that an image belongs to, in either case, also one of the COGs."""
    found = _IMAGE.fullmatch(image.name)
    assert found is not None
    names = (f"{found['stem']}-{name}{cog}{end}" for cog in ("", "_COG") for end in endings)
    return next((file for each in names if (file := _named(image.parent, each))), None)


def _named(folder: Path, name: str) -> Path | None:
    """The file of a folder that has a name in whatever case."""
    if (folder / name).is_file():
        return folder / name
    return next(
        (each for each in sorted(folder.iterdir())
         if each.name.lower() == name.lower() and each.is_file()), None,
    )  # fmt: skip


def _flagged(file: Path, shape: tuple[int, ...], bands: tuple[int, ...]) -> np.ndarray:
    layers = _layer(file, shape)
    if max(bands) > layers.shape[2]:
        raise damaged(file, "quality layer", f"it has {layers.shape[2]} bands", "all its bands")
    return np.any(layers[:, :, [band - 1 for band in bands]] > 0, axis=2)


def _layer(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The values of a quality layer [H, W, bands].

    Raises:
        InputError: it is damaged, or not on the grid of the image.
    """
    with geotiff.Image(file) as image:
        values = image.read(Reading(raw=True))
    values = values.reshape(*values.shape[:2], -1)
    if values.shape[:2] != shape:
        raise damaged(
            file, "quality layer of the image beside it",
            f"it has {values.shape[:2]} rows and columns, the image {shape}",
            "one of its size", "take both from one product, or move the layer away",
        )  # fmt: skip
    return values


def _read_metadata(file: Path, bands: int) -> _Metadata:
    """Read the bands of an XML.

    Raises:
        InputError: it is damaged, or lists another number of bands.
    """
    try:
        content = file.read_bytes() if file.stat().st_size <= _LARGEST_XML else b""
        # Declared entities can grow without end.
        if not content or b"<!ENTITY" in content:
            raise ValueError("too large, or it declares entities")
        root = ET.fromstring(content)
        listed = root.find(".//{*}bandCharacterisation")
        if listed is None:
            raise ValueError("it has no bandCharacterisation")
        found = sorted(_bands_of(listed))
    except (OSError, ValueError, LookupError, ET.ParseError) as error:
        raise damaged(file, "metadata of a product", error) from error
    if len(found) != bands:
        raise damaged(
            file, "list of the bands of the image beside it",
            f"it lists {len(found)} bands, the image has {bands}",
            "as many", "take both from one product, or move the XML away",
        )  # fmt: skip
    table = np.array(found, np.float64)
    if not np.isfinite(table).all() or not (table[:, 1] > 0).all():
        raise damaged(file, "metadata of a product", "wavelengths or gains that are no numbers")
    start = root.findtext(".//{*}startTime")
    return _Metadata(table[:, 1], table[:, 2], table[:, 3], start and iso_time(start.strip()))


def _bands_of(listed: ET.Element) -> Iterator[tuple[float, float, float, float]]:
    """Number, wavelength, gain and offset of every band.

    Raises:
        ValueError: one of them is missing, or no number.
    """
    for place, band in enumerate(listed):
        texts = {child.tag.rpartition("}")[2].lower(): child.text or "" for child in band}
        number = band.get("number") or texts.get("bandnumber") or str(place)
        names = ("wavelengthcenterofband", "gainofband", "offsetofband")
        if names[0] not in texts:
            raise ValueError(f"band {number} has no wavelength")
        wavelength, gain, offset = (
            float(texts.get(name, default)) for name, default in zip(names, "010", strict=True)
        )
        yield float(number), wavelength, gain, offset
