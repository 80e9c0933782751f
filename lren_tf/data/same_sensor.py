"""Comparison of a scene with the sensor and the scene that a model was fitted on."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lren_tf.data.band_selection import ranges_text
from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.errors import InputError

# Of the distance to the next band: a band that lies farther off is another one.
_OTHER_BAND = 0.5
# Deviations of the fitted scene by which the bands may lie off on average, and the factor by
# which they may spread more or less.
_SHIFT, _SPREAD = 1.0, 3.0
_SAMPLED_PIXELS = 1 << 14


@dataclass(frozen=True)
class SensorRecord:
    """Record of the scene that a model was fitted on.

    Attributes:
        wavelengths: of all bands in nanometres, or None.
        mean, deviation: of every band, in the sensor's units.
        used: whether a band enters the model.
    """

    wavelengths: tuple[float, ...] | None
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    used: tuple[bool, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON and for the constructor."""
        return asdict(self)


def refuse_other_wavelengths(
    name: str, found: np.ndarray | None, fitted: tuple[float, ...] | None
) -> None:
    """Refuse a scene whose bands are others than those that a model was fitted on.

    A band is another one if it lies farther from the model's than half way to the next band.
    Nothing is refused where one of the two says no wavelengths.

    Args:
        name: of the scene.
        found: [L] of the scene, in nanometres, or None.
        fitted: likewise of the model, as many.

    Raises:
        InputError: a band is another one.
    """
    if found is None or fitted is None or len(found) != len(fitted):
        return
    expected = np.asarray(fitted, np.float64)
    off = np.abs(np.asarray(found, np.float64) - expected)
    if len(expected) > 1:
        steps = np.abs(np.diff(expected))
        to_next = np.minimum(np.append(steps, np.inf), np.insert(steps, 0, np.inf))
    else:
        to_next = 0.1 * expected
    other = off > _OTHER_BAND * to_next
    if other.any():
        worst = int(np.argmax(np.where(other, off, 0.0)))
        raise InputError(
            received=f"{name} is of another sensor: its band {worst} lies at "
            f"{found[worst]:.1f} nm and that of the model at {expected[worst]:.1f} nm",
            expected="a scene of the sensor that the model was fitted on",
            remedy="fit a new model",
        )


def warn_of_bands_left_out(
    name: str, good: np.ndarray | None, used: np.ndarray | None
) -> None:
    """Tell of bands that enter a fitted model although the scene is to be scored without them.

    A model cannot do without a band that it was fitted on, so its values count, whatever the
    scene's list of bad bands or a choice of bands says.

    Args:
        name: of the scene.
        good: [L] bool, False on bands that the scene leaves out; None where it leaves out none.
        used: [L] bool, bands that enter the model; None for all.
    """
    if good is None:
        return
    against = ~good if used is None else ~good & np.asarray(used, bool)
    if against.any():
        one = np.count_nonzero(against) == 1
        warnings.warn(
            f"{name} leaves out band{'' if one else 's'} {ranges_text(against)}, but the model was "
            f"fitted on {'it, and its' if one else 'them, and their'} values enter the scores; "
            "fit a new model without, or do not leave out what it uses.",
            stacklevel=2,
        )


def warn_of_drift(name: str, pixels: PixelMatrix, record: SensorRecord) -> None:
    """Tell of a scene whose spectra lie elsewhere than those that a model was fitted on.

    Args:
        name: of the scene.
        pixels: [N, L] of the scene, those that hold data; some of them are looked at.
        record: of the model.
    """
    step = max(1, len(pixels) // _SAMPLED_PIXELS)
    used = np.asarray(record.used, bool)
    sample = np.asarray(pixels[::step], np.float64)[:, used]
    deviation = np.asarray(record.deviation)[used]
    if not len(sample) or not used.any() or not (deviation > 0).all():
        return
    # The middle of the bands and of the pixels: neither one bad band nor anomalies count.
    shift = np.median(sample, axis=0) - np.asarray(record.mean)[used]
    off = float(np.median(np.abs(shift) / deviation))
    spread = float(np.median(sample.std(axis=0) / deviation))
    if off > _SHIFT or not 1 / _SPREAD <= spread <= _SPREAD:
        warnings.warn(
            f"{name}: the background has drifted from that of the model's scene: its bands lie "
            f"{off:.1f} standard deviations off and spread {spread:.2g} times as much (medians); "
            "its scores do not compare with those of that scene, fit a new model, or pass "
            "--recalibrate where the model scores by evidence.",
            stacklevel=2,
        )
