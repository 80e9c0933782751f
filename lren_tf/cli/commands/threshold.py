"""``lren-tf threshold``: a threshold for a false-alarm rate on a score map, and its detections."""

from __future__ import annotations

import argparse
from pathlib import Path

from lren_tf.cli.console import collected_notices, renamed, result, say, tell_files
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.cli.options.outputs import MapOutput, refuse_to_replace, requested_format
from lren_tf.cli.options.threshold import (
    ThresholdRequest,
    threshold_endings,
    threshold_request,
)
from lren_tf.io import load_placed_map
from lren_tf.io.load import scene_stem
from lren_tf.records import json_text
from lren_tf.runtime.files import atomic_paths, ensure_writable_target
from lren_tf.version import __version__

_SCORE_ENDING = "_score"


def threshold(arguments: argparse.Namespace) -> None:
    """Find a threshold for a score map; write mask, detections and report."""
    request = threshold_request(arguments)
    requested = requested_format(arguments)
    _targets(arguments, MapOutput(requested), request)
    with collected_notices() as notices:
        with renamed(key="score_key"):
            score, georeference, source_format = load_placed_map(
                arguments.score, arguments.score_key
            )
        maps = MapOutput(requested, source_format, georeference)
        targets = _targets(arguments, maps, request)
        if arguments.dry_run:
            tell_plan(arguments, targets)
            return
        found = request.apply(score, georeference=georeference)
        with atomic_paths(*targets.values()) as temporary:
            paths = dict(zip(targets, temporary, strict=True))
            found.write(paths, maps)
            report = {
                "score": arguments.score,
                "threshold": found.record(),
                "maps": maps.record(score.shape, ["mask"]),
                "notices": notices,
                "files": {what: str(target) for what, target in targets.items()},
                "version": __version__,
            }
            paths["report"].write_text(json_text(report), encoding="ascii")
    result(threshold=found.record())
    say(found.line())
    tell_files(targets)


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
