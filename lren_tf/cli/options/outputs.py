"""Maps of a scene as files: ``--format``, file names, writing, and their part of the report."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import BACKGROUND, DETECTED, NO_DATA
from lren_tf.evaluation.threshold import thresholds_at
from lren_tf.io.base.layer import Layer
from lren_tf.io.qgis_style import write_mask_style, write_score_style
from lren_tf.io.registry import MAP_FORMATS
from lren_tf.io.save import MapWriter, map_format
from lren_tf.runtime.files import as_path
from lren_tf.settings import EVIDENCE

AUTO = "auto"
DECADE = "decade"
"""Unit of scores that are −log₁₀ of the false-alarm rate, in files that name a unit."""
_STYLE = ".qml"
_DECADES = 4
"""Decades of the false-alarm rate that the colours of a style span, as those of pictures."""
_NUMPY = MAP_FORMATS["npy"]
MAPS: dict[str, float] = {
    "score": np.nan,
    "mask": NO_DATA,
    **dict.fromkeys((f"evidence_{name}" for name in EVIDENCE), np.nan),
}
"""The maps there are, and their values of pixels that hold no data."""


def add_format_option(made: argparse.ArgumentParser, of: str) -> None:
    """``--format``.

    Args:
        of: what the maps belong to, such as "the scene".
    """
    made.add_argument(
        "--format", metavar="NAME", default=AUTO,
        help="format of maps in addition to .npy: "
        f"{', '.join(MAP_FORMATS)} (.npy only), or {AUTO}, the default, for that of {of}'s "
        "file (for HDF5: geotiff, if its pixels lie on a map grid or have a lookup table to one)",
    )  # fmt: skip


def requested_format(arguments: argparse.Namespace) -> str:
    """Return the requested format, refused at once if it is not available."""
    asked = arguments.format
    if asked not in (AUTO, *MAP_FORMATS):
        raise InputError(
            f"--format is {asked!r}; expected one of {', '.join((AUTO, *MAP_FORMATS))}."
        )
    if asked != AUTO:
        MAP_FORMATS[asked].storable(None)
    return asked


class MapOutput:
    """The files of a scene's maps: NumPy always, and one more format where it is another.

    Args:
        asked: from `requested_format`.
        source_format: of the scene's file, as `Scene.source_format`; None before it is read.
        georeference: of the scene.

    Raises:
        InputError: a package is not installed that the format needs.
    """

    def __init__(
        self, asked: str, source_format: str | None = None, georeference: Georeference | None = None
    ) -> None:
        form = map_format(source_format, georeference) if asked == AUTO else MAP_FORMATS[asked]
        try:
            self._writer = MapWriter(form, georeference)
        except InputError as error:
            if asked != AUTO:
                raise
            # The user has chosen nothing that needs more than reading did.
            error.add_remedy("pass --format npy")
            raise
        if asked == AUTO and form is _NUMPY and georeference is not None:
            warnings.warn(
                "nothing says how the pixels of the scene lie on a map grid: maps are written as "
                ".npy alone, in the geometry of the scene.",
                stacklevel=2,
            )

    def endings(self, layer: str) -> dict[str, str]:
        """The files of one of `MAPS`: what they are called, and how their names end."""
        suffixes = (*self._suffixes, *((_STYLE,) if self._styled else ()))
        return {layer: f"_{layer}.npy", **{
            f"{layer}_{suffix[1:]}": f"_{layer}{suffix}" for suffix in suffixes
        }}  # fmt: skip

    def write(
        self, paths: Mapping[str, Path], layer: str, values: np.ndarray, *, calibrated: bool = True
    ) -> None:
        """Write the files of `endings`, to temporary paths.

        Args:
            calibrated: whether a score is in decades of the false-alarm rate.
        """
        _NUMPY.write([paths[layer]], Layer(values, layer))
        if self._suffixes:
            files = [paths[f"{layer}_{suffix[1:]}"] for suffix in self._suffixes]
            unit = "class" if layer == "mask" else DECADE if calibrated else "score"
            self._writer.write(files, values, layer, MAPS[layer], unit)
        if self._styled:
            style = paths[f"{layer}_{_STYLE[1:]}"]
            if layer == "mask":
                write_mask_style(style)
            else:
                write_score_style(style, _stops(values, calibrated))

    @property
    def grid(self) -> Georeference | None:
        """Georeference of the written maps, as far as it is known."""
        return self._writer.grid

    @property
    def geotiff(self) -> bool:
        """True if maps are written as GeoTIFF."""
        return self._writer.form.name == "geotiff"

    def laid_out(self, values: np.ndarray, fill: float) -> np.ndarray:
        """A map [H, W] of the scene on the grid of the written maps."""
        return self._writer.laid_out(values, fill)

    def record(self, shape: tuple[int, ...], layers: Collection[str]) -> dict[str, Any]:
        """The part of a report: what one needs to know to read the files of maps.

        Args:
            shape: (H, W) of the scene.
            layers: which of `MAPS` are written.
        """
        lookup, grid = self._writer.lookup, self._writer.grid
        values = {"background": BACKGROUND, "detected": DETECTED, "no_data": NO_DATA}
        return {
            "format": self._writer.form.title,
            "shape": list(shape if lookup is None else lookup.rows.shape),
            "crs": None if grid is None else grid.crs,
            "transform": None if grid is None else grid.transform,
            "orthorectified": lookup is not None,
            # As text, since JSON has no NaN.
            "no_data": {name: "NaN" if np.isnan(MAPS[name]) else MAPS[name]
                        for name in layers},
            **({"mask_values": values} if "mask" in layers else {}),
        }  # fmt: skip

    @property
    def _styled(self) -> bool:
        """True if styles for QGIS lie beside the maps."""
        return self.geotiff

    @property
    def _suffixes(self) -> tuple[str, ...]:
        """Suffixes of the files beside the `.npy`."""
        return () if self._writer.form is _NUMPY else self._writer.form.suffixes


def _stops(values: np.ndarray, calibrated: bool) -> list[tuple[float, str]]:
    """Scores that a tenth, a hundredth, … of the background exceed, and what they mean."""
    rates = [10.0**-decade for decade in range(1, _DECADES + 1)]
    labels = [f"1 in {10**decade:,}" for decade in range(1, _DECADES + 1)]
    if calibrated:
        stops = [0.0, *(float(decade) for decade in range(1, _DECADES + 1))]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a threshold nobody has asked for
            found = thresholds_at(values, rates)
        stops = [float(np.nanmedian(values)), *(each.threshold for each in found)]
    # Of scores with few different values some stops are equal.
    kept: list[tuple[float, str]] = []
    for value, label in zip(stops, ["all", *labels], strict=True):
        if not kept or value > kept[-1][0]:
            kept.append((value, label))
    if len(kept) == 1:
        kept.append((kept[0][0] + 1.0, "more"))
    return kept


def refuse_to_replace(targets: Mapping[str, Path], inputs: Iterable[str | None]) -> None:
    """Refuse to write a file that is read.

    Raises:
        InputError: one of the targets is one of the inputs.
    """
    read = {os.path.realpath(as_path(name)): name for name in inputs if name is not None}
    for target in targets.values():
        name = read.get(os.path.realpath(target))
        if name is not None:
            raise InputError(
                f"{name} is read and would be replaced by an output of that name; expected "
                "outputs elsewhere, choose another folder with --out."
            )
