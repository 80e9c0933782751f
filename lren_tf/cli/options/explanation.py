"""``--explain`` and ``--view``: which bands made the detections anomalous, and the page."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lren_tf.cli.options.threshold import ThresholdRequest, ThresholdResult
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.explain.explanation import Explanation
from lren_tf.explain.pixels import check_explainable, explain_pixels
from lren_tf.viewer.figures import check_bokeh
from lren_tf.viewer.view import MOST_DETECTIONS, View, page_view

PAGE_RATE = 1e-3
"""False-alarm rate of a page without ``--false-alarm-rate``."""


@dataclass(frozen=True)
class Scored:
    """A score map and what it came from.

    Attributes:
        title: of the detector.
        score: ``[H, W]``.
        evidence: maps by name that calibrated scores are made of; None for other scores.
        by: detector or model that scored; None where only its scores are known.
        recalibrate: whether the model compared with the background of the scene.
        residual: of the low-rank step ``[N, l]``, or None.
    """

    title: str
    score: np.ndarray
    evidence: dict[str, np.ndarray] | None = None
    by: Any = None
    recalibrate: bool = False
    residual: np.ndarray | None = None

    def explained(self, scene: Scene, found: ThresholdResult) -> list[Explanation]:
        """Return explanations of the peaks of the highest detections.

        Empty where `by` cannot be explained.
        """
        try:
            check_explainable(self.by)
        except InputError:
            return []
        listed = found.detections.listed
        if len(listed) > MOST_DETECTIONS:
            warnings.warn(
                f"of {len(listed)} detections the {MOST_DETECTIONS} with the highest scores are "
                "explained.",
                stacklevel=2,
            )
        listed = listed[:MOST_DETECTIONS]
        return explain_pixels(
            self.by,
            scene,
            [(each.peak_row, each.peak_column) for each in listed],
            labels=found.labels(),
            recalibrate=self.recalibrate,
            residual=self.residual,
        )

    def page(
        self,
        scene: Scene,
        found: ThresholdResult | None,
        explanations: list[Explanation] | None,
        calibrated: bool | None = None,
    ) -> View:
        """Return the page of the scores.

        Args:
            scene: the scene.
            found: detections of ``--false-alarm-rate``; None for those at `PAGE_RATE`.
            explanations: of these; None to make them here.
            calibrated: whether scores are decades; None where they come with their evidence.
        """
        if found is None:
            request = ThresholdRequest(PAGE_RATE, 1)
            found = request.apply(
                self.score, georeference=scene.georeference, evidence=self.evidence
            )
        if explanations is None:
            explanations = self.explained(scene, found)
        return page_view(
            scene,
            self.score,
            self.title,
            found.threshold,
            found.detections,
            by=self.by,
            explanations=explanations,
            calibrated=self.evidence is not None if calibrated is None else calibrated,
            min_size=found.min_size,
        )


def add_explanation_options(parser: argparse.ArgumentParser) -> None:
    """``--explain`` and ``--view``."""
    parser.add_argument(
        "--explain", action="store_const", const=True,
        help="with --false-alarm-rate and rx, lrx or lren: add the bands that made each detection "
        "anomalous to the list and the report",
    )  # fmt: skip
    parser.add_argument(
        "--view", action="store_const", const=True,
        help="also write an HTML page with maps, detections, spectra and contributions of bands, "
        f"which needs no network (without --false-alarm-rate, detections at {PAGE_RATE:g}; "
        "extra 'view')",
    )  # fmt: skip


def refuse_explanation(arguments: argparse.Namespace, explained: bool) -> None:
    """Refuse what `add_explanation_options` ask for and cannot be had.

    Args:
        arguments: of the command.
        explained: whether the detector's scores can be explained.

    Raises:
        InputError: ``--explain`` without detections or with another detector; ``--view`` without
            Bokeh.
    """
    if arguments.view:
        check_bokeh()
    if not arguments.explain:
        return
    if arguments.false_alarm_rate is None:
        raise InputError(
            "--explain was given without --false-alarm-rate; expected both, since it explains "
            "detections: add --false-alarm-rate or leave --explain out."
        )
    if not explained:
        raise InputError(
            "--explain was given, but no contributions of bands are known of the detector; "
            "expected it with rx, lrx or lren, leave it out."
        )


def explanations_record(explanations: list[Explanation]) -> dict[str, Any]:
    """Return the part of a report: by label of the detection its strongest bands and sums."""
    return {
        str(label): {
            "strongest_bands": each.strongest(),
            "method": each.method,
            "quantity": each.quantity,
            "value": each.value,
            "baseline": each.baseline,
            "completeness": each.completeness,
            "contributions": each.bands,
        }
        for label, each in enumerate(explanations, 1)
    }
