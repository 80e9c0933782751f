"""Everything that a page shows, as plain records and arrays."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lren_tf.data.pseudo_colour import picture_bands, pseudo_colour
from lren_tf.data.scene import Scene
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.evaluation.decades import false_alarm_decades
from lren_tf.evaluation.detections import Detection, Detections, detection_labels
from lren_tf.evaluation.threshold import Threshold, calibrated_threshold, thresholds_at
from lren_tf.explain.background import SpectralBackground
from lren_tf.explain.explanation import Explanation
from lren_tf.explain.spectra import DetectionSpectra
from lren_tf.viewer.coordinates import coordinate_record
from lren_tf.viewer.grid import Blocks, blocks_of
from lren_tf.viewer.quantised import Quantised, quantised

MOST_CELLS = 250_000
"""Cells of a map on the page."""
LAST_DECADE = 4
"""Decades of the false-alarm rate that the colours of the score span."""
NO_DATA = 255
"""Level of a cell without data; the others are from 0 to `LEVELS`."""
LEVELS = 250
RIDGE = 1e-2
"""Ridge of the RX whose contributions a page computes for any pixel; spectra that are rounded to
whole numbers allow no smaller one."""
RATES = tuple(10.0 ** -(step / 10) for step in range(10, 51))
"""False-alarm rates of the slider: ten for each decade, from 0.1 to 1e-5."""
CURVES = ("peak", "mean", "ring", "component_mean", "component_low", "component_high", "nearest")
"""Spectra of a detection, in this order."""


@dataclass(frozen=True)
class Shown:
    """Input of a page.

    Attributes:
        scene: the scene.
        score: ``[H, W]``, NaN where there is no data.
        title: of the detector.
        calibrated: whether the scores are decades of the false-alarm rate.
        threshold: at which the detections were found.
        min_size: smallest detection in pixels.
        detections: as files list them.
        spectra: of the first detections.
        explanations: of the peaks of the first detections; empty where nothing is known of the
            detector but its scores.
        background: of the scene.
        unit: of the spectra.
    """

    scene: Scene
    score: np.ndarray
    title: str
    calibrated: bool
    threshold: Threshold
    min_size: int
    detections: Detections
    spectra: Sequence[DetectionSpectra]
    explanations: Sequence[Explanation]
    background: SpectralBackground
    unit: str = "value"


@dataclass(frozen=True)
class Contents:
    """Contents of a page.

    Attributes:
        record: values for JSON.
        arrays: by name; the page gets them compressed.
    """

    record: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def contents_of(shown: Shown) -> Contents:
    """Return the contents of a page."""
    scene, score = shown.scene, np.asarray(shown.score, np.float32)
    blocks = blocks_of(scene.height, scene.width, MOST_CELLS)
    places = blocks.highest(score)
    spectra = quantised(scene, score)
    global_background = GlobalBackground.of(_sample(shown), RIDGE)
    centre, precision = (_full(scene, each) for each in global_background.precision())
    background = shown.background
    record = {
        "name": scene.name,
        "title": shown.title,
        "rows": scene.height,
        "columns": scene.width,
        "bands": scene.bands,
        "wavelengths": scene.wavelengths,
        "removed": np.zeros(scene.bands, bool) if scene.good_bands is None else ~scene.good_bands,
        "picture": picture_bands(scene),
        "unit": shown.unit,
        "block": blocks.size,
        "cells": blocks.shape,
        "levels": LEVELS,
        "noData": NO_DATA,
        "lastDecade": LAST_DECADE,
        "rates": _rates(shown, score),
        "minSize": shown.min_size,
        "detections": [
            _detection(each, shown.explanations) for each in shown.detections.listed
        ],
        "withSpectra": len(shown.spectra),
        "place": coordinate_record(scene.georeference, scene.shape[:2]),
        "spectra": {
            "block": spectra.blocks.size,
            "cells": spectra.blocks.shape,
            "bytes": spectra.numbers.itemsize,
            "low": spectra.low,
            "step": spectra.step,
            "error": spectra.error,
        },
        "groups": len(background.means),
        "ridge": RIDGE,
        "notes": _notes(shown, blocks, spectra),
    }
    arrays = {
        "picture": _picture(scene, blocks, places),
        "levels": _levels(shown, score, blocks, places),
        "score": score.ravel()[places],
        "labels": blocks.largest(detection_labels(shown.detections)).astype(np.uint32),
        "places": places.astype(np.uint32),
        "numbers": spectra.numbers,
        "spectraPlaces": spectra.places.astype(np.uint32),
        "curves": _curves(shown),
        "contributions": np.array(
            [each.bands for each in shown.explanations], np.float32
        ).reshape(-1, scene.bands),
        "groupMeans": background.means.astype(np.float32),
        "groupLow": background.low.astype(np.float32),
        "groupHigh": background.high.astype(np.float32),
        "scale": background.scale.astype(np.float32),
        "centre": centre,
        "precision": precision.astype(np.float32),
    }
    return Contents(record, arrays)


def _sample(shown: Shown) -> np.ndarray:
    spectra = shown.background.spectra
    good = shown.scene.good_bands
    return spectra if good is None else spectra[:, good]


def _full(scene: Scene, of_good: np.ndarray) -> np.ndarray:
    """Numbers or a matrix of good bands as one of all, 0 elsewhere."""
    if scene.good_bands is None:
        return of_good
    out = np.zeros((scene.bands,) * of_good.ndim)
    out[np.ix_(*(scene.good_bands,) * of_good.ndim)] = of_good
    return out


def _rates(shown: Shown, score: np.ndarray) -> dict[str, Any]:
    """Thresholds of the slider's rates, and which of them is that of the run."""
    own = shown.threshold.false_alarm_rate
    rates = sorted({own, *(rate for rate in RATES if not math.isclose(rate, own))}, reverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the run has told what there is to tell
        if shown.calibrated:
            found = [calibrated_threshold(score, rate) for rate in rates]
        else:
            found = thresholds_at(score, rates)
    found[rates.index(own)] = shown.threshold
    return {
        "rates": rates,
        "thresholds": [each.threshold for each in found],
        "run": rates.index(own),
    }


def _detection(detection: Detection, explanations: Sequence[Explanation]) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "label": detection.label,
        "pixels": detection.pixels,
        "row": detection.peak_row,
        "column": detection.peak_column,
        "score": detection.peak_score,
        "evidence": detection.evidence,
    }
    if detection.label <= len(explanations):
        found = explanations[detection.label - 1]
        listed["evidence"] = detection.evidence or found.evidence
        listed["explained"] = {
            "method": found.method,
            "quantity": found.quantity,
            "value": found.value,
            "baseline": found.baseline,
            "completeness": found.completeness,
            "strongest": found.strongest(),
        }
    return listed


def _picture(scene: Scene, blocks: Blocks, places: np.ndarray) -> np.ndarray:
    """uint8 ``[n, 3]``, colours of the pixels that stand for blocks; grey without data."""
    if blocks.size > 1:
        # Of a block its middle: the pixel that scores highest is the least typical.
        rows, columns = np.divmod(np.arange(len(places)), blocks.shape[1])
        rows = np.minimum(rows * blocks.size + blocks.size // 2, scene.height - 1)
        columns = np.minimum(columns * blocks.size + blocks.size // 2, scene.width - 1)
        places = rows * scene.width + columns
    colours = pseudo_colour(scene).reshape(-1, 3)[places]
    return np.where(np.isnan(colours), 158, np.rint(colours * 255)).astype(np.uint8)


def _levels(
    shown: Shown, score: np.ndarray, blocks: Blocks, places: np.ndarray
) -> np.ndarray:
    """uint8 ``[n]``, decades of the false-alarm rate as levels of the colours."""
    decades = score if shown.calibrated else false_alarm_decades(score)
    chosen = decades.ravel()[places]
    levels = np.clip(np.nan_to_num(chosen) / LAST_DECADE, 0, 1) * LEVELS
    return np.where(np.isnan(chosen), NO_DATA, np.rint(levels)).astype(np.uint8)


def _curves(shown: Shown) -> np.ndarray:
    """float32 ``[n, len(CURVES), B]``, NaN for what there is not."""
    nothing = np.full(shown.scene.bands, np.nan)
    rows = [
        [nothing if getattr(each, name) is None else getattr(each, name) for name in CURVES]
        for each in shown.spectra
    ]
    return np.array(rows, np.float32).reshape(-1, len(CURVES), shown.scene.bands)


def _notes(shown: Shown, blocks: Blocks, spectra: Quantised) -> list[str]:
    """Notes on everything that the page does not show as it is."""
    scene, listed = shown.scene, len(shown.detections.listed)
    notes = [
        f"Spectra of pixels are rounded: a value is within {spectra.error:.2g} of the range of its "
        "band. Spectra of listed detections are not rounded."
    ]
    if blocks.size > 1:
        notes.append(
            f"The scene has {scene.height} × {scene.width} pixels. The maps show blocks of "
            f"{blocks.size} × {blocks.size}: of the score the highest, of the picture the middle."
        )
    if spectra.blocks.size > 1:
        notes.append(
            f"Of every {spectra.blocks.size} × {spectra.blocks.size} pixels the spectrum of the "
            "one that scores highest is kept."
        )
    if len(shown.spectra) < listed:
        notes.append(
            f"Of {listed} detections the {len(shown.spectra)} highest have spectra of their mean "
            "and ring."
        )
    if not shown.explanations and listed:
        notes.append(
            f"No contributions of bands are known of {shown.title}: those shown are of RX: how far "
            "a spectrum lies from the mean of the background, without detections."
        )
    elif len(shown.explanations) < listed:
        notes.append(f"The {len(shown.explanations)} highest detections are explained.")
    return notes


def evidence_names(detections: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the evidence of detections' records, in their order."""
    return list(next((each["evidence"] for each in detections if each["evidence"]), {}))
