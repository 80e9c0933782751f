"""``--background`` and ``--review``: where statistics come from, and detections already judged."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lren_tf.cli.options.threshold import ThresholdResult
from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import BACKGROUND, DETECTED, detection_labels
from lren_tf.io.masks import region_of_file
from lren_tf.io.review import TARGET, Reviewed, read_review, without_targets


def add_region_options(parser: argparse.ArgumentParser) -> None:
    """``--background`` and ``--review``."""
    parser.add_argument(
        "--background", metavar="FILE",
        help="rx, lrx, crd, lren: map of the region that background statistics come from; "
        "non-zero = background (--mask selects what is scored)",
    )  # fmt: skip
    parser.add_argument(
        "--review", metavar="FILE.csv",
        help="with --false-alarm-rate: a list of detections of this scene whose column status says "
        "target, nothing or background; targets are left out of the background statistics (rx, "
        "lrx, crd, lren), the others are not listed again",
    )  # fmt: skip


def refuse_region(arguments: argparse.Namespace) -> None:
    """Refuse combinations of options that no scene could have.

    Raises:
        InputError: ``--review`` without a threshold, or ``--background`` beside a trained model.
    """
    if arguments.review is not None and arguments.false_alarm_rate is None:
        raise InputError(
            "--review was given without --false-alarm-rate; expected both, since it is about "
            "detections: add --false-alarm-rate or leave --review out."
        )
    if arguments.background is not None and arguments.apply is not None:
        raise InputError(
            "--background was given with --apply; expected one of the two, since a trained "
            "model has its background already: leave --background out."
        )


@dataclass(frozen=True)
class Region:
    """Request of the options of `add_region_options`.

    Attributes:
        background: the file of the region, or None.
        reviewed: of ``--review``; empty without it.
    """

    background: str | None
    reviewed: tuple[Reviewed, ...]

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Region:
        """The request, refused where it can be without the scene.

        Raises:
            InputError: a file that cannot be used, ``--review`` without a threshold, or
                ``--background`` beside a trained model.
        """
        refuse_region(arguments)
        reviewed = [] if arguments.review is None else read_review(arguments.review)
        return cls(arguments.background, tuple(reviewed))

    def applied(self, scene: Scene, *, learned: bool = True) -> Scene:
        """The scene with the background region.

        Args:
            scene: the scene.
            learned: whether statistics are taken from the scene; a trained model has its own.

        Raises:
            InputError: a map of another shape, or a region with too few pixels.
        """
        region = None
        if self.background is not None:
            values = region_of_file(self.background, "background")
            if values.shape != scene.shape[:2]:
                raise InputError(
                    f"{self.background} has {values.shape[0]} × {values.shape[1]} pixels and "
                    f"{scene.name} {scene.height} × {scene.width}; expected a map of the scene's "
                    "size, pass that."
                )
            region = np.nan_to_num(values) != 0
        region = without_targets(list(self.reviewed), scene.shape[:2], region)
        return scene if region is None or not learned else replace(scene, background=region)

    def filtered(self, found: ThresholdResult) -> ThresholdResult:
        """The detections without those that a person has dismissed."""
        dismissed = [each for each in self.reviewed if each.status != TARGET]
        if not dismissed:
            return found
        labels = detection_labels(found.detections)
        away = {int(labels[each.peak_row, each.peak_column]) for each in dismissed} - {0}
        listed = [each for each in found.detections.listed if each.label not in away]
        mask = found.detections.mask.copy()
        mask[np.isin(labels, list(away)) & (mask == DETECTED)] = BACKGROUND
        numbered = [replace(each, label=label) for label, each in enumerate(listed, 1)]
        return replace(found, detections=found.detections._replace(mask=mask, listed=numbered))

    def record(self) -> dict[str, Any]:
        """The part of a report."""
        if not self.reviewed:
            return {}
        statuses = [each.status for each in self.reviewed]
        return {"review": {status: statuses.count(status) for status in dict.fromkeys(statuses)}}
