"""Bands of a scene that are dead, noisy or striped, and columns that are striped in many bands.

A detector cannot tell damage from information: one pixel column that is wrong in a few bands stands
out in every map. The flags only suggest what to look at before the first detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import Scene
from lren_tf.data.stripes import striped_columns

# Of the pixels: a band that holds one value in so many is dead.
_DEAD_SHARE = 0.95
# Correlation with the most similar of the bands next to it, by which a band is noise where most
# bands of the scene are alike.
_NOISE_CORRELATION = 0.6
_ALIKE = 0.8
_NEXT_BANDS = 2
# Of the columns or rows of a band: with more stripes than this the whole band is striped.
_STRIPED_SHARE = 0.1
# Of the used bands: a line that is striped in so many is a fault of the sensor at that place.
_LINE_SHARE = 0.1
_SAMPLED_PIXELS = 1 << 14
_MOST_LINES = 128


@dataclass(frozen=True)
class BandQuality:
    """Result of `band_quality`.

    Attributes:
        dead: [B] bool, bands that hold one value nearly everywhere.
        noisy: [B] bool, bands unlike the bands next to them, where most bands are alike.
        striped: [B] bool, bands of which many columns, or many rows, are stripes.
        columns: [W] bool, columns that are stripes in at least a tenth of the other bands, or dead.
        rows: [H] bool, likewise.
    """

    dead: npt.NDArray[np.bool_]
    noisy: npt.NDArray[np.bool_]
    striped: npt.NDArray[np.bool_]
    columns: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.bool_]

    @property
    def bad(self) -> npt.NDArray[np.bool_]:
        """[B] bool, bands that are any of it."""
        return self.dead | self.noisy | self.striped


def band_quality(scene: Scene) -> BandQuality:
    """Dead, noisy and striped bands, and striped columns and rows, of a scene.

    Only bands that the scene marks as good are looked at, and of large images a part.
    """
    good = np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands
    sample = _sampled(scene)
    dead = good & np.array([_share_of_one_value(band) >= _DEAD_SHARE for band in sample.T])
    noisy = _noisy(sample, good & ~dead)
    height, width = scene.shape[:2]
    in_columns = np.zeros((scene.bands, width), bool)
    in_rows = np.zeros((scene.bands, height), bool)
    down, across = max(1, height // _MOST_LINES), max(1, width // _MOST_LINES)
    for band in np.flatnonzero(good & ~dead & ~noisy):
        values = scene.cube[:, :, band].astype(np.float64)
        if scene.valid is not None:
            values[~scene.valid] = np.nan
        in_columns[band] = striped_columns(values[::down])
        in_rows[band] = striped_columns(values[:, ::across].T)
    striped = (in_columns.mean(axis=1) > _STRIPED_SHARE) | (in_rows.mean(axis=1) > _STRIPED_SHARE)
    rest = good & ~dead & ~noisy & ~striped
    return BandQuality(dead, noisy, striped, _in_many(in_columns[rest]), _in_many(in_rows[rest]))


def _sampled(scene: Scene) -> npt.NDArray[np.float64]:
    """Some valid pixels [n, B], spread over the image."""
    rows = scene.rows
    step = max(1, len(rows) // _SAMPLED_PIXELS)
    picked = np.arange(0, len(rows), step)
    if scene.valid is not None:
        picked = picked[scene.valid.reshape(-1)[picked]]
    return np.asarray(rows[picked], np.float64)


def _share_of_one_value(band: npt.NDArray[np.float64]) -> float:
    if not band.size:
        return 0.0
    return float(np.unique(band, return_counts=True)[1].max() / band.size)


def _noisy(sample: npt.NDArray[np.float64], looked_at: npt.NDArray[np.bool_]) -> np.ndarray:
    """Find bands that resemble none of the bands next to them, in a scene where most do."""
    noisy = np.zeros(len(looked_at), bool)
    bands = np.flatnonzero(looked_at)
    if len(bands) < 2 * _NEXT_BANDS + 1 or len(sample) < 4:
        return noisy
    # Ranks: a bright pixel must not make all bands alike, nor unlike.
    unit = sample[:, bands].argsort(axis=0).argsort(axis=0).astype(np.float64)
    unit -= unit.mean(axis=0)
    unit /= np.sqrt((unit**2).sum(axis=0))
    best = np.zeros(len(bands))
    for step in range(1, _NEXT_BANDS + 1):
        alike = np.abs(np.einsum("ij,ij->j", unit[:, step:], unit[:, :-step]))
        best[step:] = np.maximum(best[step:], alike)
        best[:-step] = np.maximum(best[:-step], alike)
    if np.median(best) >= _ALIKE:
        noisy[bands] = best < _NOISE_CORRELATION
    return noisy


def _in_many(lines: npt.NDArray[np.bool_]) -> np.ndarray:
    if not len(lines):
        return np.zeros(lines.shape[1], bool)
    return lines.mean(axis=0) >= _LINE_SHARE
