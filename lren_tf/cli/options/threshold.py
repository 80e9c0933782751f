"""``--false-alarm-rate`` and ``--min-size``: a threshold, its detections and their files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.cli.options.outputs import MapOutput
from lren_tf.data.georeference import Georeference
from lren_tf.errors import InputError
from lren_tf.evaluation.detections import (
    DETECTED,
    NO_DATA,
    Detections,
    detection_labels,
    find_detections,
)
from lren_tf.evaluation.threshold import (
    Threshold,
    calibrated_threshold,
    checked_rate,
    threshold_at,
)
from lren_tf.io.detections import write_csv, write_geojson
from lren_tf.io.outlines import (
    check_geopackage,
    check_polygons,
    write_geopackage,
    write_polygons_geojson,
)
from lren_tf.validators import parse

_ENDINGS = {
    "detections": "_detections.csv",
    "geojson": "_detections.geojson",
}
_VECTORS = {
    # value of --vector: kind and end of the name of the file of polygons
    "geojson": {"polygons": "_polygons.geojson"},
    "gpkg": {"geopackage": "_detections.gpkg"},
    "none": {},
}


@dataclass(frozen=True)
class ThresholdRequest:
    """Request for a threshold: a false-alarm rate, and the smallest detection in pixels."""

    false_alarm_rate: float
    min_size: int
    vector: str = "none"

    def apply(
        self,
        score: np.ndarray,
        truth: np.ndarray | None = None,
        *,
        georeference: Georeference | None = None,
        evidence: Mapping[str, np.ndarray] | None = None,
        calibrated: bool | None = None,
    ) -> ThresholdResult:
        """The threshold of a score map [H, W] and what is above it.

        Args:
            truth: [H, W] bool with both classes, to judge the threshold by, or None.
            georeference: of the scene.
            evidence: maps [H, W] by name that calibrated scores are made of; None for scores
                that are not calibrated, or whose evidence is not at hand.
            calibrated: whether they are; None for scores that come with their evidence.
        """
        if calibrated is None:
            calibrated = evidence is not None
        find = calibrated_threshold if calibrated else threshold_at
        threshold = find(score, self.false_alarm_rate)
        detections = find_detections(
            score,
            threshold.threshold,
            min_size=self.min_size,
            transform=None if georeference is None else georeference.transform,
        )
        detections = _with_coordinates(detections, georeference)
        if evidence is not None:
            detections = _with_evidence(detections, evidence)
        realised = None if truth is None else _realised(score, truth, threshold.threshold)
        crs = None if georeference is None else georeference.crs
        names = () if evidence is None else tuple(evidence)
        return ThresholdResult(
            threshold, detections, self.min_size, realised, crs, names, self.vector
        )


@dataclass(frozen=True)
class ThresholdResult:
    """A threshold and its detections, as report, files, panel and line."""

    threshold: Threshold
    detections: Detections
    min_size: int
    realised: dict[str, float] | None
    crs: str | None
    evidence: tuple[str, ...] = ()
    vector: str = "none"

    @property
    def label(self) -> str:
        """Title of the mask in a picture."""
        return f"detections at a false-alarm rate of {self.threshold.false_alarm_rate:g}"

    def labels(self) -> np.ndarray:
        """[H, W] label of the detection of every pixel, 0 for none."""
        return detection_labels(self.detections)

    def with_bands(self, strongest: Sequence[Sequence[int]]) -> ThresholdResult:
        """The result with the strongest bands of its first detections."""
        listed = self.detections.listed
        named = [
            replace(detection, bands=tuple(bands))
            for detection, bands in zip(listed, strongest, strict=False)
        ]
        listed = [*named, *listed[len(named) :]]
        return replace(self, detections=self.detections._replace(listed=listed))

    def panel(self) -> np.ndarray:
        """[H, W] 1 on detections, 0 on background, NaN where there is no data."""
        return np.where(self.detections.mask == NO_DATA, np.nan, self.detections.mask == DETECTED)

    def record(self) -> dict[str, Any]:
        """The part of a report."""
        return {
            **self.threshold.as_dict(),
            "min_size": self.min_size,
            "detections": len(self.detections.listed),
            "detected_pixels": self._pixels(),
            "parts_of_stripes": self._stripes(),
            "realised": self.realised,
            **self._evidence_record(),
        }

    def _evidence_record(self) -> dict[str, Any]:
        """Share of each evidence in every detection, by its label; nothing without evidence."""
        if not self.evidence:
            return {}
        return {"evidence": {str(each.label): each.evidence for each in self.detections.listed}}

    def write(self, paths: Mapping[str, Path], maps: MapOutput) -> None:
        """Write the files of `threshold_endings`."""
        maps.write(paths, "mask", self.detections.mask)
        write_csv(paths["detections"], self.detections.listed, self.evidence)
        write_geojson(paths["geojson"], self.detections.listed, self.crs)
        if self.vector != "none":
            labels = maps.laid_out(self.labels(), 0)
            if self.vector == "gpkg":
                write_geopackage(
                    paths["geopackage"], self.detections.listed, labels, maps.grid, self.evidence
                )
            else:
                write_polygons_geojson(
                    paths["polygons"], self.detections.listed, labels, maps.grid
                )

    def line(self) -> str:
        """Threshold, method, and what was detected."""
        threshold, count = self.threshold, len(self.detections.listed)
        line = (
            f"threshold: {threshold.threshold:.6g} ({threshold.method}, false-alarm rate "
            f"{threshold.false_alarm_rate:g}): {count} detection{'' if count == 1 else 's'}, "
            f"{self._pixels()} pixels"
        )
        if striped := len(self._stripes()):
            line += f", {striped} of them part{'' if striped == 1 else 's'} of stripes"
        if self.realised is not None:
            line += (
                f"; by the truth, false-alarm rate {self.realised['false_alarm_rate']:.2g}, "
                f"detection rate {self.realised['detection_rate']:.2g}"
            )
        return line

    def _stripes(self) -> list[int]:
        """Labels of the detections that are parts of stripes."""
        return [each.label for each in self.detections.listed if each.stripe]

    def _pixels(self) -> int:
        return int(np.count_nonzero(self.detections.mask == DETECTED))


def add_threshold_options(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """``--false-alarm-rate`` and ``--min-size``."""
    parser.add_argument(
        "--false-alarm-rate", metavar="X", required=required,
        help="set the threshold that this share of the background exceeds, such as 1e-3, and "
        "write a mask and the detections as CSV and GeoJSON",
    )  # fmt: skip
    parser.add_argument(
        "--min-size", metavar="N", help="leave out detections with fewer pixels (default: 1)"
    )


def add_vector_option(parser: argparse.ArgumentParser) -> None:
    """``--vector``."""
    parser.add_argument(
        "--vector", metavar="NAME",
        help="with --false-alarm-rate: write polygons of the detections as geojson (the default; "
        "extra 'geo'), as gpkg, a GeoPackage (extra 'vector'), or none",
    )  # fmt: skip


def requested_threshold(arguments: argparse.Namespace) -> ThresholdRequest | None:
    """Request of the options of `add_threshold_options`, checked; None without a rate."""
    rate, size = arguments.false_alarm_rate, arguments.min_size
    if rate is None:
        if size is not None:
            raise InputError(
                f"--min-size {size} was given without --false-alarm-rate; expected both, add "
                "--false-alarm-rate or leave --min-size out."
            )
        vector = getattr(arguments, "vector", None)
        if vector is not None:
            raise InputError(
                f"--vector {vector} was given without --false-alarm-rate; expected both, add "
                "--false-alarm-rate or leave --vector out."
            )
        return None
    return threshold_request(arguments)


def threshold_endings(maps: MapOutput, request: ThresholdRequest) -> dict[str, str]:
    """Files of a `ThresholdResult` by kind, with the ends of their names."""
    return {**maps.endings("mask"), **_ENDINGS, **_VECTORS[request.vector]}


def threshold_request(arguments: argparse.Namespace) -> ThresholdRequest:
    """Request of the options of `add_threshold_options` where the rate is required."""
    rate, size = arguments.false_alarm_rate, arguments.min_size
    smallest = 1 if size is None else parse(size, int)
    if isinstance(smallest, float) and smallest.is_integer():  # as 1e1 is
        smallest = int(smallest)
    if not isinstance(smallest, int) or smallest < 1:
        raise InputError(f"--min-size is {size!r}; expected a whole number of 1 pixel or more.")
    rate = checked_rate(parse(rate, float), "--false-alarm-rate")
    return ThresholdRequest(rate, smallest, _vector(getattr(arguments, "vector", None)))


def _vector(asked: str | None) -> str:
    """The file of polygons, refused at once where it cannot be had."""
    if asked is None:
        return "geojson" if find_spec("rasterio") is not None else "none"
    if asked not in _VECTORS:
        raise InputError(f"--vector is {asked!r}; expected one of {', '.join(_VECTORS)}.")
    if asked != "none":
        check_polygons()
    if asked == "gpkg":
        check_geopackage()
    return asked


def _with_coordinates(detections: Detections, georeference: Georeference | None) -> Detections:
    """Detections in sensor geometry with the positions of their centroids' pixels, if any."""
    if georeference is None or georeference.transform is not None or georeference.positions is None:
        return detections
    listed = []
    for detection in detections.listed:
        x, y = georeference.coordinates(detection.row, detection.column)  # type: ignore[misc]
        known = np.isfinite([x, y]).all()
        listed.append(replace(detection, x=x, y=y) if known else detection)
    return detections._replace(listed=listed)


def _with_evidence(detections: Detections, evidence: Mapping[str, np.ndarray]) -> Detections:
    """Detections with the share of each evidence in the sum at their peaks."""
    from lren_tf.evidence.fusion import shares  # TensorFlow, which other detectors do not need

    listed = []
    for detection in detections.listed:
        peak = detection.peak_row, detection.peak_column
        found = shares({name: values[peak] for name, values in evidence.items()})
        listed.append(replace(detection, evidence=found))
    return detections._replace(listed=listed)


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
