"""Checks of scores and truth before they are evaluated, cut or drawn.

Everywhere a NaN score means "no data in this pixel", and infinity is refused. The functions differ
in what they accept beyond that: :func:`score_array` any score map, :func:`score_map` one of rows
and columns, :func:`judged_array` what a metric can use, :func:`drawn_map` what a figure can show.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from lren_tf.errors import InputError

_FEWEST_SCORES = 8
# Of the largest score: equal ones may differ by this much.
_ROUNDING = 1e-7
_DWARFED = 1e4


def score_array(score: npt.ArrayLike, name: str = "the score map") -> npt.NDArray[np.float64]:
    """A score map of any shape as float64, NaN where there is no data or a mask hides it.

    Args:
        score: real numbers of any dtype and shape, possibly masked.
        name: how the message calls them.

    Raises:
        InputError: it has values that are not real numbers or are infinite, or is empty.
    """
    array = real_scores(score, name)
    infinite = int(np.count_nonzero(np.isinf(array)))
    if infinite:
        raise InputError(
            f"{name} holds {infinite} infinite values of {array.size}; expected finite "
            "scores, NaN only where there is no data; replace them."
        )
    return array


def score_map(score: npt.ArrayLike, name: str = "the score map") -> npt.NDArray[np.float64]:
    """A score map ``[H, W]`` as float64, NaN where there is no data.

    Raises:
        InputError: as :func:`score_array`, or it does not have two axes.
    """
    values = score_array(score, name)
    if values.ndim != 2:
        raise InputError(
            f"{name} has shape {values.shape}; expected rows × columns, reshape it first."
        )
    return values


def real_scores(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Real numbers of any shape as float64, NaN where a mask hides them, infinity as it is.

    Args:
        values: real numbers of any dtype and shape, possibly masked.
        name: how the message calls them.

    Raises:
        InputError: they are not real numbers, or there are none.
    """
    array = _float64(_not_empty(_real(values, name, keep_mask=True), name))
    return np.ma.filled(array, np.nan)


def warn_of_flat_scores(score: npt.ArrayLike, title: str, name: str) -> None:
    """Tell of scores that single out nothing, or only a pixel that dwarfs the others.

    Args:
        score: of any shape; NaN where there is no data.
        title: of the detector.
        name: of the scene.
    """
    values = np.asarray(score, np.float64).ravel()
    values = np.sort(values[~np.isnan(values)])
    if values.size < _FEWEST_SCORES:
        return
    # By how much rounding makes equal scores differ.
    rounding = _ROUNDING * float(np.abs(values[[0, -1]]).max())
    if values[-1] - values[0] <= rounding:
        warnings.warn(
            f"{title} gives every pixel of {name} the same score, {values[-1]:.6g}: the map says "
            "nothing.",
            stacklevel=3,
        )
        return
    others = int(np.count_nonzero(values > values[0] + rounding))
    above = values[values.size - others]
    if others <= max(1, values.size // 1000) and above - values[0] > _DWARFED * rounding:
        pixels = "1 pixel" if others == 1 else f"{others} pixels"
        warnings.warn(
            f"{title} gives all but {pixels} of {name} the same score: the values there dwarf all "
            "others; look at them, and leave them out with --no-data or --mask if they are no "
            "measurements.",
            stacklevel=3,
        )


def judged_array(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Values of a metric that needs all of them, as float64, in the shape they have.

    Args:
        values: finite real numbers; a masked array only if it hides nothing.
        name: how the message calls them.

    Raises:
        InputError: values that a metric cannot use.
    """
    if np.ma.is_masked(values):
        raise InputError(
            f"{name} is a masked array with {np.ma.asarray(values).mask.sum()} hidden values; "
            "expected a value everywhere; pass only the valid pixels."
        )
    array = real_scores(values, name)
    refuse_non_finite(array, name)
    return array


def refuse_non_finite(array: npt.NDArray[np.float64], name: str) -> None:
    """Refuse NaN and infinity, with their number.

    Raises:
        InputError: there are some.
    """
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        nan = int(np.count_nonzero(np.isnan(array)))
        raise InputError(
            f"{name} holds {bad} non-finite values of {array.size} "
            f"({nan} NaN, {bad - nan} infinite); expected finite numbers; "
            "leave those pixels out of scores and truth alike."
        )


def drawn_map(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Values ``[H, W]`` of a figure as float64, NaN where there is no data or a mask hides them.

    Args:
        values: real numbers, possibly masked.
        name: how the message calls them.

    Raises:
        InputError: another shape, an infinite value, or no value at all.
    """
    array = _real(values, name, keep_mask=True)
    if array.ndim != 2 or array.size == 0:
        raise InputError(
            f"{name} has shape {array.shape}; expected rows × columns, both at least 1; "
            "reshape the scores to the scene before drawing them."
        )
    array = np.ma.filled(_float64(array), np.nan)
    infinite = int(np.count_nonzero(np.isinf(array)))
    if infinite or np.isnan(array).all():
        raise InputError(
            f"{name} holds {infinite} infinite and {int(np.isnan(array).sum())} NaN values of "
            f"{array.size}; expected finite scores, NaN only where there is no data; "
            "replace the others."
        )
    return array


def _real(values: npt.ArrayLike, name: str, *, keep_mask: bool = False) -> np.ndarray:
    """`values` as one array of real numbers."""
    try:
        array = np.ma.asarray(values) if keep_mask else np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} does not form one array ({error}); expected rows of equal length; "
            "pass a numeric array."
        ) from error
    if array.dtype.kind not in "buif":
        raise InputError(
            f"{name} has dtype {array.dtype}; expected real numbers; "
            "convert it to a real numeric array."
        )
    return array


def _not_empty(array: np.ndarray, name: str) -> np.ndarray:
    if array.size == 0:
        raise InputError(
            f"{name} is empty (shape {array.shape}); expected at least one value; "
            "pass the scores of a whole scene or table."
        )
    return array


def _float64(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # long doubles beyond float64 become inf, refused later
        return array.astype(np.float64)
