"""Folders with one TIFF for each band: Hyperion level 1T, Landsat and others.

Bands are the TIFFs whose names differ in the number behind a `B` or `band` alone, in the order of
these numbers (`B2` before `B10`, `B8A` behind `B8`); files called by a number alone do too. All
have one size, type and grid: those of another size, such as a panchromatic band, are left out,
which a `UserWarning` says.

Hyperion (`EO1H..._B001_L1T.TIF` to `B242`) has fixed wavelengths, 10.18 nm apart in the first 70
bands and 10.09 nm in the others, and two factors that its `MTL` file says. Bands 1-7, 58-76 and
225-242 are not calibrated. A pixel that is 0 in all others lies outside the swath.

Source: EO-1 User Guide 2.3, USGS, 2003; USGS, Hyperion spectral coverage.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base import large_array
from lren_tf.io.base.acquired import iso_time
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import AS_MEANT, Reading, Scaling
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, check_declared_size
from lren_tf.io.formats import geotiff
from lren_tf.io.formats.tiff_pages import details_of_cube

_BAND = re.compile(
    r"(?P<head>(?:.*?[_\-. ])?)(?:b|band)[_\-]?(?P<number>\d{1,4})(?P<letter>[a-z]?)"
    r"(?P<tail>(?:[_\-. ].*)?)\.tiff?|(?P<only>\d{1,4})\.tiff?",
    re.IGNORECASE,
)
_FEWEST = 2
_HYPERION = re.compile(r"EO1H.*_B(\d{3})_L1\w+\.tiff?", re.IGNORECASE)
# First wavelength and step in nanometres, of the bands from 1 and from 71.
_VNIR, _SWIR = (355.59, 10.1752), (851.92, 10.0887)
_FIRST_SWIR = 71
_CALIBRATED = ((8, 57), (77, 224))
_LARGEST_TEXT = 1 << 20

Key = tuple[int, str]
"""Number of a band, and the letter behind it."""


class BandTiffsReader(Reader):
    """The bands of a folder as one cube, rows × columns × bands.

    Raises:
        InputError: no two bands fit each other, or several sets of bands lie there.
    """

    title = "GeoTIFF"
    what = "GeoTIFF"

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return source.stream is None and bool(_sets_of(source.path))

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        found = _sets_of(self.file)
        if len(found) > 1:
            names = "; ".join(f"{len(one)} like {next(iter(one.values())).name}" for one in found)
            raise InputError(
                received=f"{self.file} holds several sets of bands ({names})",
                expected="the bands of one scene",
                remedy="put those of one set into a folder of their own",
            )
        self._files = self._of_one_grid(found[0])
        with geotiff.Image(self._files[0]) as image:
            one, item = image.variable, image.itemsize
        shape = (*one.shape, len(self._files))
        for file in self._files:
            check_declared_size(file, "", one.shape, item)
        numbers = [_HYPERION.fullmatch(file.name) for file in self._files]
        self._numbers = (
            np.array([int(found[1]) for found in numbers if found]) if all(numbers) else None
        )
        kind = one.kind if self._numbers is None else "float32"
        self.variables = [Variable("", shape, kind, one.readable, ("row", "column", "band"))]

    def read(self, name: str = "", how: Reading = AS_MEANT) -> np.ndarray:
        """The values of all bands."""
        out: np.ndarray | None = None
        for at, file in enumerate(self._files):
            with geotiff.Image(file) as image:
                values = image.read(how)
            if out is None:
                out = large_array.empty((*values.shape, len(self._files)), values.dtype)
            out[:, :, at] = values
        assert out is not None
        if self._numbers is None:
            return out
        outside = np.concatenate(
            [(out[rows][:, :, self._calibrated] == 0).all(axis=2)
             for rows in large_array.row_parts(out.shape)]
        )  # fmt: skip
        scaled = (
            large_array.converted(out, np.float32) if how.raw else self._scaling.applied(out)
        )
        scaled[outside] = np.nan
        return scaled

    def details(self, name: str = "", how: Reading = AS_MEANT) -> Details:
        """Return the metadata of the files, and what is known of the bands of Hyperion."""
        found = []
        for file in self._files:
            with geotiff.Image(file) as image:
                found.append(image.details(how))
        reading = f"{len(self._files)} files, {self._files[0].name} to {self._files[-1].name}"
        joint = details_of_cube(found, f"{reading}, as one cube")
        if self._numbers is None:
            return joint
        text = self._scaling.text(how.raw)
        return replace(
            joint,
            good_bands=None if self._calibrated.all() else self._calibrated,
            wavelengths=_wavelengths(self._numbers),
            acquired=iso_time(self._entry("ACQUISITION_DATE")) or joint.acquired,
            reading=(*joint.reading, text) if text else joint.reading,
            filled=True,
        )

    @property
    def _calibrated(self) -> np.ndarray:
        numbers = np.asarray(self._numbers)
        listed = [(numbers >= low) & (numbers <= high) for low, high in _CALIBRATED]
        return np.logical_or.reduce(listed)

    @property
    def _scaling(self) -> Scaling:
        """Radiance from the stored numbers, where the metadata say the factors."""
        gains = np.ones(len(self._files))
        swir = np.asarray(self._numbers) >= _FIRST_SWIR
        for part, bands in (("VNIR", ~swir), ("SWIR", swir)):
            try:
                factor = float(self._entry(f"SCALING_FACTOR_{part}"))
            except ValueError:
                return Scaling()
            if not (np.isfinite(factor) and factor > 0):
                return Scaling()
            gains[bands] = 1 / factor
        return Scaling(gains)

    def _entry(self, name: str) -> str:
        """An entry of the metadata file of Hyperion; empty where there is none."""
        for file in sorted(self.file.glob("*_MTL_*.[Tt][Xx][Tt]")):
            if file.stat().st_size <= _LARGEST_TEXT:
                text = file.read_text("utf-8", "replace")
                if found := re.search(rf"^\s*{name}\s*=\s*\"?([^\"\n]*)", text, re.MULTILINE):
                    return found[1].strip()
        return ""

    def _of_one_grid(self, bands: dict[Key, Path]) -> list[Path]:
        """The files of one size, in the order of bands; the others are told."""
        grids = {}
        for key in sorted(bands):
            with geotiff.Image(bands[key]) as image:
                place = image.details().georeference
                transform = None if place is None else place.transform
                grids[key] = (image.variable.shape, image.variable.kind, transform)
        usual, count = Counter(grids.values()).most_common(1)[0]
        if count < _FEWEST or len(usual[0]) != 2 or 2 * count <= len(grids):
            raise InputError(
                received=f"{self.file}: its {len(bands)} TIFFs of bands are not of one size, type "
                "and grid, one band each",
                expected="bands that lie on each other",
                remedy="resample them, as gdalwarp does, or save them as one TIFF",
            )
        others = [bands[key].name for key, grid in grids.items() if grid != usual]
        if others:
            warnings.warn(
                f"{self.file.name}: {', '.join(others)} {'is' if len(others) == 1 else 'are'} of "
                "another size, type or grid than the other bands and not used.",
                stacklevel=4,
            )
        return [bands[key] for key, grid in grids.items() if grid == usual]


def _sets_of(folder: Path) -> list[dict[Key, Path]]:
    """The bands of each scene in a folder by number: files whose names differ in that alone."""
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_file())
    except OSError:
        return []
    found: dict[tuple[str, str], dict[Key, Path]] = defaultdict(dict)
    for name in names:
        band = _BAND.fullmatch(name)
        if band is None:
            continue
        key = int(band["only"] or band["number"]), (band["letter"] or "").lower()
        found[(band["head"] or "").lower(), (band["tail"] or "").lower()][key] = folder / name
    return [bands for bands in found.values() if len(bands) >= _FEWEST]


def _wavelengths(numbers: np.ndarray) -> np.ndarray:
    """Centres of the bands of Hyperion in nanometres, within 0.1 nm of the published table."""
    vnir = _VNIR[0] + _VNIR[1] * (numbers - 1)
    return np.where(numbers < _FIRST_SWIR, vnir, _SWIR[0] + _SWIR[1] * (numbers - _FIRST_SWIR))
