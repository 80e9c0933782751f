"""Mask files of EMIT (level 2A), netCDF-4: quality flags of a granule, 1 where a flag is set.

Versions of the product list other bands in another order, so a flag is found by its label. Bands
whose labels do not call them flags are numbers (optical depth, water vapour, probability, distance
to a cloud) and leave no pixel out. -9999 is where nothing was measured, by every band alike.

Cloud, cirrus, spacecraft and dilated cloud leave pixels out by default; water and the aggregate of
everything, which includes water, do not, because users also look for ships and platforms.

Source: EMIT L2A Mask ATBD, JPL, 2025, section 4.4; LP DAAC, collections EMITL2ARFL.001 and
EMITL2AMASK.002.
"""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from lren_tf.errors import InputError
from lren_tf.io.base.hdf5_nodes import array_at, check_readable, values
from lren_tf.io.base.metadata import Details
from lren_tf.io.base.quality import flag_name, unflagged
from lren_tf.io.base.scaling import AS_MEANT, Reading
from lren_tf.io.base.source import Source
from lren_tf.io.base.variable import Variable, no_variable
from lren_tf.io.formats.hdf5 import Hdf5Reader

USUAL = ("cloud", "cirrus", "spacecraft", "dilated-cloud")
"""The flags that leave pixels out unless the caller names others."""

_MASK = "mask"
_LABELS = "sensor_band_parameters/mask_bands"
_FILL = -9999.0
# EMIT_L2A_RFL_001_20220810T034103_2222203_001.nc: version, time, orbit and scene.
_GRANULE = re.compile(
    r"EMIT_L\d[A-Z]_(?P<product>[A-Z]+)_(?P<version>\d+)_(?P<time>\d{8}T\d{6})"
    r"(?P<scene>(?:_\d+)*)\.nc",
    re.IGNORECASE,
)


class EmitMaskReader(Hdf5Reader):
    """A mask file: each of its bands as a map [H, W] float32, called as `flag_name` does.

    Raises:
        InputError: also when labels and bands do not fit each other.
    """

    without_cube = "pass it as the mask of a scene, with --mask or mask="

    @classmethod
    def recognises(cls, source: Source) -> bool:
        return cls.holds(source, _MASK, _LABELS)

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        with self.library():
            self._labels = _labels(self.hdf)
            height, width, _ = self.node(_MASK).shape
        self._names = [flag_name(label) for label in self._labels]
        self.flags = tuple(
            name
            for name, label in zip(self._names, self._labels, strict=True)
            if "flag" in label.lower()
        )
        self.variables = [Variable(name, (height, width), "float32", True) for name in self._names]

    def read(self, name: str, how: Reading = AS_MEANT) -> np.ndarray:
        """One band, as it is stored: 1 where its flag is set, -9999 where nothing was measured."""
        if name not in self._names:
            raise no_variable(self.file, name, self.variables)
        with self.library():
            node = self.node(_MASK)
            check_readable(node)
            return node[:, :, self._names.index(name)].astype(np.float32)

    def details(self, name: str, how: Reading = AS_MEANT) -> Details:
        """No data."""
        return Details(no_data=(_FILL,))

    def mask(self, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str]:
        """Pixels without a chosen flag that were measured."""
        with self.library():
            stored = values(self.node(_MASK))
        where = [self._names.index(name) for name in self.flags]
        measured = np.isfinite(stored[:, :, where]).all(-1) & (stored[:, :, where] != _FILL).all(-1)
        calls = {
            name: partial(_set, stored, at) for name, at in zip(self.flags, where, strict=True)
        }
        valid, text = unflagged(self.file, calls, USUAL, flags)
        return (measured if valid is None else measured & valid), text


def _set(stored: np.ndarray, at: int) -> np.ndarray:
    return stored[:, :, at] > 0


def mask_beside(file: Path) -> Path | None:
    """The mask file of a granule in the same folder, of the newest version; None for none.

    Files of one granule have the time of its first line in their names.
    """
    own = _GRANULE.fullmatch(file.name)
    if own is None or own["product"].upper() == "MASK":
        return None
    found = []
    for path in sorted(file.parent.glob(f"EMIT_*_{own['time']}*.nc")):
        other = _GRANULE.fullmatch(path.name)
        if other is None or other["product"].upper() != "MASK" or other["time"] != own["time"]:
            continue
        # Of another scene of the orbit; newer versions do not name it.
        if own["scene"] and other["scene"] and own["scene"] != other["scene"]:
            continue
        found.append((int(other["version"]), path))
    return max(found)[1] if found else None


def flags_of(path: Path) -> tuple[str, ...]:
    """The flags of a mask file; none, with a `UserWarning`, where it cannot be read as one."""
    try:
        with Source(path) as source:
            if EmitMaskReader.recognises(source):
                return EmitMaskReader(source).flags
        reason = "its bands have no labels"
    except InputError as error:
        reason = str(error)
    warnings.warn(f"{path.name} is not used as a mask: {reason.rstrip('.')}.", stacklevel=5)
    return ()


def masked_by(path: Path, flags: tuple[str, ...] | None) -> tuple[np.ndarray, str]:
    """Return the pixels that a mask file of `flags_of` leaves out.

    Raises:
        InputError: it has no such flag, or is damaged.
    """
    with Source(path) as source:
        return EmitMaskReader(source).mask(flags)


def _labels(hdf: h5py.File) -> list[str]:
    """Labels of the bands.

    Raises:
        ValueError: they are no text, not different, or not as many as there are bands.
    """
    mask, table = array_at(hdf, _MASK), array_at(hdf, _LABELS)
    assert mask is not None and table is not None
    stored = values(table) if table.ndim == 1 and table.dtype.kind in "OS" else np.array([])
    labels = [
        label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
        for label in stored
    ]
    names = [flag_name(label) for label in labels]
    if mask.ndim != 3 or mask.dtype.kind not in "fiu" or len(labels) != mask.shape[2]:
        raise ValueError(f"{len(labels)} labels for a mask of shape {mask.shape}")
    if not all(names) or len(set(names)) != len(names):
        raise ValueError(f"labels of the mask are {', '.join(labels)}")
    return labels
