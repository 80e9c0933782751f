"""``lren-tf threshold``: a threshold for a false-alarm rate on a score map, and its detections."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from lren_tf.cli.console import collected_notices, renamed, result, say, tell_files
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.cli.options.outputs import (
    DECADE,
    MapOutput,
    refuse_to_replace,
    requested_format,
)
from lren_tf.cli.options.threshold import (
    ThresholdRequest,
    threshold_endings,
    threshold_request,
)
from lren_tf.errors import InputError
from lren_tf.io import load_placed_map
from lren_tf.io.load import scene_stem
from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_paths, ensure_writable_target
from lren_tf.version import __version__

_SCORE_ENDING, _REPORT_ENDING = "_score", "_report.json"


def threshold(arguments: argparse.Namespace) -> None:
    """Find a threshold for a score map; write mask, detections and report."""
    request = threshold_request(arguments)
    requested = requested_format(arguments)
    _targets(arguments, MapOutput(requested), request)
    with collected_notices() as notices:
        with renamed(key="score_key"):
            score, georeference, source_format, unit = load_placed_map(
                arguments.score, arguments.score_key
            )
        _refuse_a_mask(arguments.score, score)
        told_by = None if arguments.refit else _calibrated_by(Path(arguments.score), unit)
        maps = MapOutput(requested, source_format, georeference)
        targets = _targets(arguments, maps, request)
        if arguments.dry_run:
            tell_plan(arguments, targets)
            return
        found = request.apply(
            score, georeference=georeference, calibrated=told_by is not None
        )
        with atomic_paths(*targets.values()) as temporary:
            paths = dict(zip(targets, temporary, strict=True))
            found.write(paths, maps)
            report = {
                "score": arguments.score,
                "threshold": found.record(),
                "calibrated_by": told_by,
                "maps": maps.record(score.shape, ["mask"]),
                "notices": notices,
                "files": {what: str(target) for what, target in targets.items()},
                "version": __version__,
            }
            paths["report"].write_text(json_text(report), encoding="ascii")
    result(threshold=found.record(), calibrated_by=told_by)
    say(found.line())
    if told_by is not None:
        say(f"by {told_by} the scores are decades of the false-alarm rate: --refit fits their tail")
    tell_files(targets)


def _refuse_a_mask(name: str, score: np.ndarray) -> None:
    """Refuse a map of two values, of which no threshold leaves a small share above.

    Of a scene's file, the map that is found may be its truth.
    """
    found = np.unique(score[~np.isnan(score)])
    if found.size == 2:
        raise InputError(
            received=f"the map of {name} holds no other values than {found[0]:g} and {found[1]:g}, "
            "as a mask or a truth does",
            expected="scores",
            remedy="pass the score map",
        )


def _calibrated_by(path: Path, unit: str) -> str | None:
    """The file that calls the scores of a map decades of the false-alarm rate, or None.

    It is the map itself, if it is a GeoTIFF with that unit, or the report of the run that has
    written it, beside it.
    """
    if unit == DECADE:
        return path.name
    for report in sorted(path.parent.glob(f"*{_REPORT_ENDING}")):
        stem = report.name.removesuffix(_REPORT_ENDING)
        if path.name.startswith(f"{stem}_") and path.name in _calibrated_maps(report):
            return report.name
    return None


def _calibrated_maps(report: Path) -> set[str]:
    """Names of the files of a run whose values are decades of the false-alarm rate."""
    try:
        told = json.loads(report.read_text("ascii"))
        if not told.get("evidence"):
            return set()
        return {
            Path(file).name for what, file in told["files"].items()
            if what.startswith(("score", "evidence"))
        }  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()  # a file that is no report of a run


def _targets(
    arguments: argparse.Namespace, maps: MapOutput, request: ThresholdRequest
) -> dict[str, Path]:
    """The files that `threshold` writes, in the order of writing, each proved to be writable."""
    stem = scene_stem(Path(arguments.score)).removesuffix(_SCORE_ENDING)
    targets = {
        what: ensure_writable_target(Path(arguments.out) / f"{stem}{ending}")
        for what, ending in {
            **threshold_endings(maps, request), "report": "_threshold.json"
        }.items()
    }
    refuse_to_replace(targets, [arguments.score])
    return targets
