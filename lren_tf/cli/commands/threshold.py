"""Detections at a false-alarm rate: what ``detect`` adds, and ``lren-tf threshold``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.cli.console import collected_notices, say, worded
from lren_tf.cli.options.outputs import MapOutput, asked_format, refuse_to_replace
from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import (
    DETECTED,
    NO_DATA,
    Detections,
    find_detections,
    write_csv,
    write_geojson,
)
from lren_tf.evaluation.threshold import Threshold, checked_rate, threshold_at
from lren_tf.io import load_placed_map
from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_paths, ensure_writable_target
from lren_tf.validators import parse
from lren_tf.version import __version__

_ENDINGS = {
    "detections": "_detections.csv",
    "geojson": "_detections.geojson",
}
_SCORE_ENDING = "_score"


@dataclass(frozen=True)
class Cut:
    """What was asked for: a false-alarm rate, and the smallest detection in pixels."""

    false_alarm_rate: float
    min_size: int

    def applied(
        self,
        score: np.ndarray,
        truth: np.ndarray | None = None,
        *,
        place: Georeference | None = None,
    ) -> Outcome:
        """The threshold of a score map [H, W] and what is above it.

        Args:
            truth: [H, W] bool with both classes, to judge the threshold by, or None.
            place: where the scene lies.
        """
        threshold = threshold_at(score, self.false_alarm_rate)
        found = find_detections(
            score,
            threshold.threshold,
            min_size=self.min_size,
            transform=None if place is None else place.transform,
        )
        found = _placed(found, place)
        realised = None if truth is None else _realised(score, truth, threshold.threshold)
        crs = None if place is None else place.crs
        return Outcome(threshold, found, self.min_size, realised, crs)


@dataclass(frozen=True)
class Outcome:
    """A threshold, its detections, and how they are told."""

    threshold: Threshold
    found: Detections
    min_size: int
    realised: dict[str, float] | None
    crs: str | None

    @property
    def label(self) -> str:
        """What the mask is called in a picture."""
        return f"detections at a false-alarm rate of {self.threshold.false_alarm_rate:g}"

    def panel(self) -> np.ndarray:
        """[H, W] 1 on detections, 0 on background, NaN where there is no data."""
        return np.where(self.found.mask == NO_DATA, np.nan, self.found.mask == DETECTED)

    def record(self) -> dict[str, Any]:
        """The part of a report."""
        return {
            **self.threshold.as_dict(),
            "min_size": self.min_size,
            "detections": len(self.found.listed),
            "detected_pixels": self._pixels(),
            "realised": self.realised,
        }

    def write(self, paths: Mapping[str, Path], maps: MapOutput) -> None:
        """Write the files of `cut_endings`."""
        maps.write(paths, "mask", self.found.mask)
        write_csv(paths["detections"], self.found.listed)
        write_geojson(paths["geojson"], self.found.listed, self.crs)

    def line(self) -> str:
        """Threshold, method, and what was detected."""
        threshold, count = self.threshold, len(self.found.listed)
        line = (
            f"threshold: {threshold.threshold:.6g} ({threshold.method}, false-alarm rate "
            f"{threshold.false_alarm_rate:g}): {count} detection{'' if count == 1 else 's'}, "
            f"{self._pixels()} pixels"
        )
        if self.realised is not None:
            line += (
                f"; by the truth, false-alarm rate {self.realised['false_alarm_rate']:.2g}, "
                f"detection rate {self.realised['detection_rate']:.2g}"
            )
        return line

    def _pixels(self) -> int:
        return int(np.count_nonzero(self.found.mask == DETECTED))


def add_cut_options(made: argparse.ArgumentParser, *, required: bool = False) -> None:
    """``--false-alarm-rate`` and ``--min-size``."""
    made.add_argument(
        "--false-alarm-rate", metavar="X", required=required,
        help="set a threshold which this share of the background exceeds, such as 1e-3; "
        "writes a mask and the detections as CSV and GeoJSON",
    )  # fmt: skip
    made.add_argument(
        "--min-size", metavar="N", help="leave out detections of fewer pixels (default: 1)"
    )


def asked_cut(arguments: argparse.Namespace) -> Cut | None:
    """What the options of `add_cut_options` ask for, checked; None without a rate."""
    rate, size = arguments.false_alarm_rate, arguments.min_size
    if rate is None:
        if size is not None:
            raise InputError(
                f"--min-size {size} was given without --false-alarm-rate; expected both, add "
                "--false-alarm-rate or leave --min-size out."
            )
        return None
    return _cut(rate, size)


def cut_endings(maps: MapOutput) -> dict[str, str]:
    """The files of an `Outcome`: what they are, and how their names end."""
    return {**maps.endings("mask"), **_ENDINGS}


def threshold(arguments: argparse.Namespace) -> None:
    """Find a threshold for a score map; write mask, detections and report."""
    cut = _cut(arguments.false_alarm_rate, arguments.min_size)
    asked = asked_format(arguments)
    _targets(arguments, MapOutput(asked))
    with collected_notices() as notices:
        with worded(key="--score-key"):
            score, place, source_format = load_placed_map(arguments.score, arguments.score_key)
        maps = MapOutput(asked, source_format, place)
        targets = _targets(arguments, maps)
        outcome = cut.applied(score, place=place)
        with atomic_paths(*targets.values()) as temporary:
            paths = dict(zip(targets, temporary, strict=True))
            outcome.write(paths, maps)
            report = {
                "score": arguments.score,
                "threshold": outcome.record(),
                "maps": maps.record(score.shape, ["mask"]),
                "notices": notices,
                "files": {what: str(target) for what, target in targets.items()},
                "version": __version__,
            }
            paths["report"].write_text(json_text(report), encoding="ascii")
    say(outcome.line())
    for what, target in targets.items():
        say(f"{what}: {target}")


def _targets(arguments: argparse.Namespace, maps: MapOutput) -> dict[str, Path]:
    """The files that `threshold` writes, in the order of writing, each proved to be writable."""
    stem = Path(arguments.score).stem.removesuffix(_SCORE_ENDING)
    targets = {
        what: ensure_writable_target(Path(arguments.out) / f"{stem}{ending}")
        for what, ending in {**cut_endings(maps), "report": "_threshold.json"}.items()
    }
    refuse_to_replace(targets, [arguments.score])
    return targets


def _cut(rate: str, size: str | None) -> Cut:
    smallest = 1 if size is None else parse(size, int)
    if isinstance(smallest, float) and smallest.is_integer():  # as 1e1 is
        smallest = int(smallest)
    if not isinstance(smallest, int) or smallest < 1:
        raise InputError(f"--min-size is {size!r}; expected a whole number of 1 pixel or more.")
    return Cut(checked_rate(parse(rate, float), "--false-alarm-rate"), smallest)


def _placed(found: Detections, place: Georeference | None) -> Detections:
    """Detections in sensor geometry with the positions of their centroids' pixels, if any."""
    if place is None or place.transform is not None or place.positions is None:
        return found
    listed = []
    for one in found.listed:
        x, y = place.coordinates(one.row, one.column)  # type: ignore[misc]
        known = np.isfinite([x, y]).all()
        listed.append(replace(one, x=x, y=y) if known else one)
    return found._replace(listed=listed)


def _realised(score: np.ndarray, truth: np.ndarray, threshold: float) -> dict[str, float] | None:
    """Shares of background and of anomalous pixels above the threshold, of those with data."""
    above, data = score.astype(np.float64) > threshold, ~np.isnan(score)
    background, anomalous = above[data & ~truth], above[data & truth]
    if not background.size or not anomalous.size:
        return None
    return {
        "false_alarm_rate": float(background.mean()),
        "detection_rate": float(anomalous.mean()),
    }
