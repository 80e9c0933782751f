"""A score map of a scene as a page, for a notebook or a file."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lren_tf.data.scene import Scene
from lren_tf.detectors.usable_scene import usable_scene
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import Detections, detection_labels, find_detections
from lren_tf.evaluation.score_array import score_map
from lren_tf.evaluation.threshold import Threshold, calibrated_threshold, threshold_at
from lren_tf.explain.background import spectral_background
from lren_tf.explain.explanation import Explanation
from lren_tf.explain.pixels import check_explainable, explain_pixels
from lren_tf.explain.spectra import detection_spectra
from lren_tf.runtime.files import atomic_path
from lren_tf.viewer.contents import Shown, contents_of
from lren_tf.viewer.page import page_html

MOST_DETECTIONS = 200
"""Detections with spectra and contributions on a page."""


class View:
    """A page. In a notebook it shows itself.

    Attributes:
        html: the whole page, one file that needs no network.
    """

    def __init__(self, page: str) -> None:
        self.html = page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file and return its path.

        Raises:
            InputError: the file cannot be written.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        # A document of its own: neither its style nor its script meets those of the notebook.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" title="Detections" '
            'style="width:100%;height:900px;border:1px solid #767676"></iframe>'
        )


def view(
    scene: Scene | npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    by: Any = None,
    false_alarm_rate: float = 1e-3,
    min_size: int = 1,
    calibrated: bool | None = None,
    title: str = "score",
) -> View:
    """Return a page of a score map: maps side by side, detections, spectra, contributions.

    Args:
        scene: the scene that was scored, or its cube ``[H, W, B]``.
        score: ``[H, W]``, higher = more anomalous; NaN where there is no data.
        by: what scored it, for contributions to its score: the detector ``rx`` or ``lrx``, or a
            fitted :class:`lren_tf.LREN`. None for contributions to RX.
        false_alarm_rate: of the detections; users of the page can change it.
        min_size: smallest detection in pixels.
        calibrated: whether the scores are −log₁₀ of a false-alarm rate, as those of the preset
            ``robust``; None to decide by `by`, or False without it.
        title: name of the detector.

    Raises:
        InputError: the scene and the score do not fit, `by` cannot be explained, or Bokeh is not
            installed.
    """
    scene = scene if isinstance(scene, Scene) else usable_scene(scene)
    values = score_map(score).astype(np.float32)  # as the page holds them
    if values.shape != scene.shape[:2]:
        raise InputError(
            f"the score has shape {values.shape} and the scene {scene.shape[:2]} pixels; expected "
            "the score map of this scene, pass that."
        )
    if by is not None:
        check_explainable(by)
    if calibrated is None:
        calibrated = bool(getattr(getattr(by, "settings", None), "fuses_evidence", False))
    find = calibrated_threshold if calibrated else threshold_at
    threshold = find(values, false_alarm_rate)
    georeference = scene.georeference
    detections = find_detections(
        values,
        threshold.threshold,
        min_size=min_size,
        transform=None if georeference is None else georeference.transform,
    )
    return page_view(
        scene, values, title, threshold, detections, by=by, calibrated=calibrated,
        min_size=min_size,
    )  # fmt: skip


def page_view(
    scene: Scene,
    score: np.ndarray,
    title: str,
    threshold: Threshold,
    detections: Detections,
    *,
    by: Any = None,
    explanations: list[Explanation] | None = None,
    calibrated: bool = False,
    min_size: int = 1,
) -> View:
    """Return the page of detections that have been found.

    Args:
        scene, score, title, by, calibrated, min_size: as for `view`.
        threshold: at which they were found.
        detections: as they were found.
        explanations: of the peaks of the first ones; None to explain them here by `by`.

    Raises:
        InputError: no pixel is background, or Bokeh is not installed.
    """
    labels = detection_labels(detections)
    is_model = hasattr(by, "energy_parts")
    background = spectral_background(scene, labels > 0, by if is_model else None)
    if explanations is None:
        peaks = [(each.peak_row, each.peak_column) for each in detections.listed]
        explanations = []
        if by is not None:
            explanations = explain_pixels(
                by, scene, peaks[:MOST_DETECTIONS], labels=labels, background=background
            )
    spectra = detection_spectra(scene, detections, background=background, most=MOST_DETECTIONS)
    shown = Shown(
        scene, score, title, calibrated, threshold, min_size, detections, spectra, explanations,
        background,
    )  # fmt: skip
    return View(page_html(contents_of(shown)))
