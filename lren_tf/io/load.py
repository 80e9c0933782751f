"""Scenes and maps from files of any format."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf.data.band_selection import parse_bands, ranges_text, water_bands
from lren_tf.data.labelled_arrays import READERS
from lren_tf.data.scene import Scene
from lren_tf.data.valid_pixels import find_valid
from lren_tf.errors import Argument, InputError
from lren_tf.io.axes import AS_STORED, Axes, found_axes, upright
from lren_tf.io.base import large_array
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.place_checks import checked_place
from lren_tf.io.base.quality import parse_flags
from lren_tf.io.base.reader import Reader
from lren_tf.io.base.scaling import Reading
from lren_tf.io.base.variable import Variable
from lren_tf.io.labelled import check_aligned
from lren_tf.io.maps import PathLike, map_or_array
from lren_tf.io.masks import no_values, valid_intervals, with_mask
from lren_tf.io.product_masks import product_mask
from lren_tf.io.registry import known_suffixes, opened
from lren_tf.io.select_variables import (
    band_tables,
    chosen_cube,
    chosen_truth,
    chosen_wavelengths,
)
from lren_tf.io.value_notes import note_suspect_values

_OWN = "file"
"""Word for the file's own no-data value."""


def load_scene(
    path: PathLike,
    key: str | None = None,
    truth_key: str | None = None,
    *,
    truth: PathLike | npt.ArrayLike | None = None,
    mask: PathLike | npt.ArrayLike | None = None,
    no_data: float | str | Iterable[float | str] | None = None,
    bands: str | Iterable[int] | None = None,
    drop_water: bool = False,
    axes: str | Iterable[str] | None = None,
    raw: bool = False,
    mask_bands: str | Iterable[str] | None = None,
    mask_values: str | float | Iterable[float] | None = None,
) -> Scene:
    """Read a scene from a MATLAB, NumPy, ENVI, GeoTIFF, netCDF-4 or HDF5 file.

    A pixel holds no data where the mask is 0, where a value of a good band is NaN or infinite,
    and where a value of a good band is the no-data value of the file or of `no_data`. A band
    without data in every pixel in which other bands have data is not a good band.
    `lren_tf.data.valid_pixels` has the rule.

    Args:
        path: the file, an ENVI header or its file of values; its stem becomes the scene's name.
        key: the variable that holds the cube, of an HDF5 file its path. Without it, the only
            3-D numeric variable.
        truth_key: the variable that holds the truth; `""` for none. Without it, among the
            2-D variables of the cube's rows × columns: the one with a usual name (map, mask,
            gt, groundtruth, truth, label); else, except in netCDF and HDF5, the only one that
            marks a minority of the pixels with a single non-zero value; else there is no truth.
        truth: [H, W], non-zero = anomalous, or the path of a file with it, of which
            `truth_key` then names the variable.
        mask: [H, W], non-zero = valid, or the path of a file with such a map, or of a GeoJSON
            file whose polygons hold what is valid (`lren_tf.io.polygons`); or the path of a
            product's own file of quality flags, which are set where a pixel is not valid. A file
            with more than one value besides 0, or named after clouds or quality, needs
            `mask_values`.
        no_data: value that marks missing data, instead of the file's own, in units of the cube
            as it is read, or several values; NaN for none. `"file,0"` means the file's own and 0.
        bands: the bands to use, counted from 0: indices, or text such as `"0-99,120-"`.
        drop_water: whether to leave out the bands that water vapour absorbs
            (`lren_tf.data.band_selection.WATER_WINDOWS`); the file must list wavelengths.
        axes: axes of the cube in stored order, such as `"band,row,column"`. Without it, as the file
            identifies them (`lren_tf.io.axes`), else rows × columns × bands.
        raw: whether to leave values as they are stored, without the file's scale factors.
        mask_bands: names of the quality flags of a product that leave pixels out, in place of those
            that do so by default, such as `"cloud,water"`; `"none"` for none.
        mask_values: values of the mask that are valid: numbers, or text such as `"0,4-7"` or
            `"nonzero"`.

    Returns:
        A `Scene` with cube [H, W, B] in the stored dtype (scaled ones as float32), its truth,
        and what the file states about valid pixels, bands, wavelengths and georeference.

    Raises:
        InputError: the file is missing, damaged or of another format; the cube or the truth
            is missing, ambiguous, not real numbers, or of the wrong shape; the axes cannot be
            identified; no pixel holds data; an argument cannot be used.
    """
    given, own = _no_data_values(no_data)
    flags, intervals = parse_flags(mask_bands), valid_intervals(mask_values)
    told = product_mask(mask, flags)
    if intervals is not None and (mask is None or told is not None):
        raise no_values(mask, "is not passed" if told is None else "holds flags of a product")
    if told is not None:
        mask = told.valid
        if told.chooses:
            flags = ()  # in place of those that lie beside the scene
    with opened(path) as reader:
        if flags and not reader.flags:
            raise _no_flags(reader)
        how = Reading(bool(raw), fill=own, flags=flags)
        scene, details = _scene(reader, key, truth_key, truth, axes, how)
    if told is not None:
        scene = replace(scene, reading=(*scene.reading, told.text))
    if bands is not None or drop_water:
        scene = _with_bands(scene, bands, drop_water)
    if mask is not None:
        scene = with_mask(scene, mask, intervals)
    return _with_valid(scene, details if own else replace(details, no_data=()), given)


def _scene(
    reader: Reader,
    key: str | None,
    truth_key: str | None,
    truth: PathLike | npt.ArrayLike | None,
    axes: str | Iterable[str] | None,
    how: Reading,
) -> tuple[Scene, Details]:
    """The scene of an opened file before its valid pixels are known, and what the file says."""
    file = reader.file
    stored = chosen_cube(reader, key)
    others = [variable for variable in reader.variables if variable is not stored]
    tables = band_tables(reader, others, stored)
    order = found_axes(file, stored, others, tables, axes)
    cube = replace(stored, shape=order.shape(stored.shape))
    if truth is None:
        layers = [v if upright(v) else replace(v, shape=v.shape[::-1]) for v in others]
        found = chosen_truth(reader, layers, cube, truth_key)
        marked = None if found is None else reader.read(found.name)
        if marked is not None and found is not None and not upright(found):
            marked = marked.T
    else:
        check_aligned("truth", truth, reader.labels(stored.name, order.order))
        marked = map_or_array(truth, "truth", key=truth_key)
    details = _fitting(reader.details(stored.name, how), cube, order, file)
    if details.wavelengths is None:
        details = replace(details, wavelengths=chosen_wavelengths(file, tables, others, cube))
    reading = list(details.reading)
    if order.reason:
        reading.insert(0, f"axes {order.text} as stored: {order.reason}")
    height, width = cube.shape[:2]
    place = checked_place(file.name, details.georeference, height, width)
    scene = Scene(
        large_array.settled(order.turned(reader.read(stored.name, how))),
        marked,
        name=scene_stem(file),
        source=reader.origin,
        good_bands=details.good_bands,
        wavelengths=details.wavelengths,
        georeference=place,
        source_format=reader.title,
        reading=tuple(reading),
        acquired=details.acquired,
        labels=reader.labels(stored.name, order.order),
    )
    return scene, details


def _no_flags(reader: Reader) -> InputError:
    return InputError(
        argument="mask_bands",
        received=f"{reader.file.name} has no quality flags, nor a file of them beside it",
        expected="a product with flags",
        remedy=("leave ", Argument("mask_bands"), " out, or name a file with ", Argument("mask")),
    )


def scene_stem(file: Path) -> str:
    """The name of a scene in a file: without the suffix of a format, for ENVI also `.hdr`.

    A file of values of an ENVI image may be called anything: `flight.rad` and `flight.obs` are
    two scenes, and keep their names whole.
    """
    suffixes = known_suffixes()
    stem = file.stem if file.suffix.lower() in suffixes else file.name
    inner = Path(stem)
    named_for = file.suffix.lower() == ".hdr" and inner.suffix.lower() in suffixes
    return inner.stem if named_for else stem


def _fitting(details: Details, cube: Variable, order: Axes, file: Path) -> Details:
    """Return the metadata of a cube, without what does not fit the cube that was turned."""
    if order.order == AS_STORED and details.grid_axes == AS_STORED[:2]:
        return details
    grid, bands = cube.shape[:2], cube.shape[2:]
    place = details.place_by(order.order[:2])
    lost = {
        "valid": details.valid is not None and details.valid.shape != grid,
        "good_bands": details.good_bands is not None and details.good_bands.shape != bands,
        "wavelengths": details.wavelengths is not None and details.wavelengths.shape != bands,
        # Said of other axes.
        "georeference": details.georeference is not None and place is None,
    }
    names = [name.replace("_", " ") for name, is_lost in lost.items() if is_lost]
    if names:
        warnings.warn(
            f"{file.name}: what it says of {', '.join(names)} belongs to other axes and is not "
            "used.",
            stacklevel=3,
        )
    details = replace(details, georeference=place)
    nothing: dict[str, Any] = {name: None for name, is_lost in lost.items() if is_lost}
    return replace(details, **nothing)


def _with_bands(scene: Scene, bands: str | Iterable[int] | None, drop_water: bool) -> Scene:
    """The scene with only these bands marked as good."""
    good = np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands.copy()
    if bands is not None:
        good &= _chosen(bands, scene.bands)
    if drop_water:
        if scene.wavelengths is None:
            raise InputError(
                argument="drop_water",
                received=f"{scene.name} says no wavelengths, so its water-absorption bands are "
                "unknown",
                expected=("wavelengths with ", Argument("drop_water", "True")),
                remedy=("leave it out and name ", Argument("bands"), " instead"),
            )
        good &= ~water_bands(scene.wavelengths)
    return replace(scene, good_bands=good)


def _chosen(bands: str | Iterable[int], count: int) -> np.ndarray:
    if isinstance(bands, str):
        return parse_bands(bands, count)
    try:
        index = np.array([int(band) for band in bands], np.int64)
    except (TypeError, ValueError, OverflowError):
        index = np.array([-1])
    if index.size == 0 or index.min() < 0 or index.max() >= count:
        raise InputError(
            argument="bands",
            received=f"the bands are given as {bands!r}",
            expected=f"numbers from 0 to {count - 1}, at least one",
        )
    chosen = np.zeros(count, bool)
    chosen[index] = True
    return chosen


def _with_valid(
    scene: Scene,
    details: Details,
    no_data: tuple[float, ...],
) -> Scene:
    """The scene with its valid pixels, and without bands that hold no data anywhere."""
    inside = scene.valid
    if details.valid is not None:
        inside = details.valid if inside is None else inside & details.valid
    values = (*details.no_data, *no_data)
    found = find_valid(scene.cube, no_data=values, mask=inside, good_bands=scene.good_bands)
    if found.empty_bands.any():
        warnings.warn(
            f"{scene.name}: bands that hold no data in any pixel are left out: "
            f"{ranges_text(found.empty_bands)}.",
            stacklevel=3,
        )
    if found.partial:
        pixels = "1 pixel is" if found.partial == 1 else f"{found.partial} pixels are"
        warnings.warn(
            f"{scene.name}: {pixels} left out because some of the bands hold no data there "
            "(NaN, infinity or the no-data value).",
            stacklevel=3,
        )
    if not (found.valid is None and found.good_bands is None and scene.valid is None):
        scene = replace(scene, valid=found.valid, good_bands=found.good_bands)
    if not no_data:
        note_suspect_values(
            scene,
            with_own=bool(details.no_data) or details.filled,
            scaled=any("stored values" in text for text in details.reading),
        )
    return scene


def _no_data_values(
    no_data: float | str | Iterable[float | str] | None,
) -> tuple[tuple[float, ...], bool]:
    """The values that mark missing data, as they were passed, and whether the file's own do too."""
    if no_data is None:
        return (), True
    try:
        if isinstance(no_data, str):
            given: list[object] = list(no_data.split(","))
        else:
            given = [no_data] if np.ndim(no_data) == 0 else list(no_data)  # type: ignore[arg-type]
        words = [isinstance(one, str) and one.strip() == _OWN for one in given]
        values = [float(one) for one, own in zip(given, words, strict=True) if not own]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            argument="no_data",
            received=f"no_data is {no_data!r}",
            expected="a number, or NaN for no such value",
        ) from None
    return tuple(values), any(words)


READERS["scene"] = load_scene
