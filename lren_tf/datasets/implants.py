"""Implants: target spectra of one scene mixed into the background of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.validators import real, whole

SIZES = (1, 1, 1, 1, 4, 4, 4, 9, 9, 16, 25, 49, 100)
"""Pixels of each target."""

_MARGIN = 2
"""Background pixels between two targets, at least."""
_BRIGHTNESS = 0.05
"""Relative deviation that the spectrum of a pixel may have from that of its target."""
_TRIES = 500


@dataclass(frozen=True, eq=False)
class Implants:
    """A scene with implants, and what was implanted.

    Attributes:
        scene: the cube [H, W, B] float32 with the implants, and a truth [H, W] that marks them.
        fills: [H, W] float32, the fraction of a pixel that its implant fills, 0 without one.
        labels: [H, W] int32, the number of the target, in the order of `sizes`, from 1; 0
            without one.
    """

    scene: Scene
    fills: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]


def implant(
    targets: Scene,
    background: Scene,
    *,
    seed: int = 0,
    sizes: Sequence[int] = SIZES,
    fill: tuple[float, float] = (0.05, 1.0),
) -> Implants:
    """Implant spectra of the targets of one scene into the background of another.

    1. Every target takes the spectrum of one anomalous pixel of `targets`, drawn at random, and
       a fill fraction drawn uniformly from `fill`, the same for all its pixels.
    2. It takes the shape of a square, or as much of its last row and column as its size needs,
       and a place drawn uniformly from those where it overlaps neither with an anomaly of
       `background`, nor with a pixel without data, nor with another target, and keeps two
       pixels of distance from all three. Large targets are placed first.
    3. A pixel x becomes (1 − fill)·x + fill·g·t, t the target's spectrum and g drawn uniformly
       from 0.95 to 1.05 for each pixel: linear mixing with a slight change of brightness.

    The anomalies of `background` are left out of the truth and marked as not valid, so that a
    detector is evaluated with the implants alone. Nothing else in `background` changes, and the
    implants have its sensor noise, except in the share of a pixel that they fill.

    Args:
        targets: a scene with truth; its valid anomalous pixels give the spectra.
        background: a scene of the same sensor: as many bands, equal wavelengths where both
            have them, the same good bands. Its truth may be missing.
        seed: of the draws; the same arguments give the same scene.
        sizes: pixels of each target, 1 to 100.
        fill: lowest and highest fill fraction, 0.05 <= low <= high <= 1.

    Returns:
        `Implants`. The scene has `simulated=True` and is called
        "<background> with targets of <targets>".

    Raises:
        InputError: an argument out of its range, a scene without targets, sensors that differ,
            or no room for a target.
    """
    seed = whole("seed", seed, 0)
    numbers = [whole("sizes", size, 1, 100) for size in sizes]
    if not numbers:
        raise InputError("sizes is empty; expected the pixels of at least one target, such as 1.")
    low, high = _checked_fill(fill)
    _check_sensor(targets, background)
    spectra = _spectra(targets)
    rng = np.random.default_rng(seed)
    valid = np.ones(background.shape[:2], bool) if background.valid is None else background.valid
    existing = np.zeros_like(valid) if background.truth is None else background.truth
    cube = background.cube.astype(np.float32)
    fills = np.zeros(valid.shape, np.float32)
    labels = np.zeros(valid.shape, np.int32)
    taken = _grown(existing | ~valid)
    for label in sorted(range(1, len(numbers) + 1), key=lambda label: -numbers[label - 1]):
        rows, columns = _place(rng, _shape(numbers[label - 1]), taken, numbers[label - 1])
        spectrum = spectra[rng.integers(len(spectra))]
        fraction = np.float32(rng.uniform(low, high))
        gains = rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS, (rows.size, 1))
        cube[rows, columns] *= 1 - fraction
        cube[rows, columns] += fraction * gains * spectrum
        fills[rows, columns], labels[rows, columns] = fraction, label
        taken |= _grown(labels == label)
    scene = Scene(
        cube,
        labels > 0,
        name=f"{background.name} with targets of {targets.name}",
        simulated=True,
        valid=valid & ~existing,
        good_bands=background.good_bands,
        wavelengths=background.wavelengths,
        georeference=background.georeference,
    )
    return Implants(scene, fills, labels)


def _checked_fill(fill: Any) -> tuple[float, float]:
    try:
        low, high = (real("fill", bound) for bound in fill)
    except (TypeError, ValueError, InputError):
        low = high = np.nan
    if not 0.05 <= low <= high <= 1:
        raise InputError(
            f"fill is {fill!r}; expected two fractions with 0.05 <= low <= high <= 1, such as "
            "(0.1, 0.3)."
        )
    return low, high


def _check_sensor(targets: Scene, background: Scene) -> None:
    """Refuse scenes whose bands are not the same."""
    names = f"{targets.name} and {background.name}"
    if targets.bands != background.bands:
        raise InputError(
            f"{names} have {targets.bands} and {background.bands} bands; expected two scenes of "
            "one sensor with the same bands."
        )
    one, other = targets.wavelengths, background.wavelengths
    if one is not None and other is not None and not np.allclose(one, other, rtol=0, atol=1.0):
        raise InputError(
            f"{names} differ by up to {np.abs(one - other).max():.3g} nm in the centres of their "
            "bands; expected two scenes of one sensor, equal to 1 nm."
        )
    one, other = (
        np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands
        for scene in (targets, background)
    )
    if not np.array_equal(one, other):
        raise InputError(
            f"{names} do not have the same good bands; expected one list, leave out the bands "
            "that are bad in either."
        )


def _spectra(targets: Scene) -> npt.NDArray[np.float64]:
    """The spectra [n, B] of the targets."""
    if targets.truth is None or not targets.truth.any():
        raise InputError(f"{targets.name} has no anomalous pixel; expected a truth with targets.")
    chosen = targets.truth if targets.valid is None else targets.truth & targets.valid
    if not chosen.any():
        raise InputError(
            f"{targets.name} has no anomalous pixel with data; expected at least one target."
        )
    return targets.cube[chosen].astype(np.float64)


def _shape(size: int) -> npt.NDArray[np.bool_]:
    """A square of `size` pixels, or one that lacks some in its last rows."""
    width = int(np.ceil(np.sqrt(size)))
    height = -(-size // width)
    return (np.arange(height * width) < size).reshape(height, width)


def _grown(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """`where` and all pixels within the margin."""
    from scipy import ndimage

    return ndimage.binary_dilation(where, np.ones((2 * _MARGIN + 1,) * 2))


def _place(
    rng: np.random.Generator,
    shape: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.bool_],
    size: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of a free place."""
    free = [whole - part + 1 for whole, part in zip(taken.shape, shape.shape, strict=True)]
    rows, columns = np.nonzero(shape)
    for _ in range(_TRIES if min(free) > 0 else 0):
        top, left = (int(rng.integers(count)) for count in free)
        if not taken[rows + top, columns + left].any():
            return rows + top, columns + left
    raise InputError(
        f"no room for a target of {size} pixels was found in {_TRIES} tries; expected fewer or "
        "smaller targets, or a larger background."
    )
