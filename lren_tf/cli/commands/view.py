"""``lren-tf view``: the page of a detection from its report and the files that it names."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf import detectors
from lren_tf.cli.console import collected_notices, tell_files
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.cli.options.explanation import PAGE_RATE, Scored
from lren_tf.cli.options.region import Region
from lren_tf.cli.options.scene import arguments_of, read_scene
from lren_tf.cli.options.threshold import ThresholdRequest, requested_threshold
from lren_tf.cli.trained_model import load_keras_model
from lren_tf.data.scene import Scene, data_sha256
from lren_tf.datasets.by_name import is_name
from lren_tf.errors import InputError
from lren_tf.explain.pixels import EXPLAINED
from lren_tf.io import load_map
from lren_tf.records import scene_record
from lren_tf.runtime.files import as_path, atomic_paths, ensure_writable_target
from lren_tf.viewer.figures import check_bokeh

_ENDING = "_report.json"
_READ = ("scene", "truth", "mask", "background", "review")
"""Options of a report that name files."""


def view(arguments: argparse.Namespace) -> None:
    """Write the page of a report."""
    check_bokeh()
    path = as_path(arguments.report)
    report = _report(path)
    stem = path.name.removesuffix(_ENDING) if path.name.endswith(_ENDING) else path.stem
    folder = path.parent if arguments.out is None else Path(arguments.out)
    target = ensure_writable_target(folder / f"{stem}_view.html")
    request = requested_threshold(arguments)
    score_file = _located(report["files"]["score"], path, "the score map")
    with collected_notices():
        scene, region = _scene(report, path)
        score = load_map(score_file)
        if score.shape != scene.shape[:2]:
            raise InputError(
                f"{score_file} has {score.shape[0]} × {score.shape[1]} pixels and the scene of "
                f"{path} {scene.height} × {scene.width}; expected the score map of that scene, "
                "run lren-tf detect again."
            )
        if arguments.dry_run:
            tell_plan(arguments, {"view": target})
            return
        told = report.get("evidence") or {}
        scored = Scored(
            _title(report), score, by=_by(report, path),
            recalibrate=told.get("calibrated_on") == "scored scene",
        )  # fmt: skip
        found = _found(report, score, scene, request)
        page = scored.page(scene, region.filtered(found), None, calibrated="evidence" in report)
        with atomic_paths(target) as (temporary,):
            page.save(temporary)
    tell_files({"view": target})


def _report(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; expected the report of lren-tf detect, check the path."
        )
    try:
        report = json.loads(path.read_text("ascii"))
        complete = (
            isinstance(report["files"]["score"], str)
            and isinstance(report["reading"], Mapping)
            and isinstance(report["scene"]["sha256"], str)
            and isinstance(report["detector"], str)
        )
    except (ValueError, LookupError, TypeError):
        complete = False
    if not complete:
        raise InputError(
            f"{path} is no report that tells the scene and the score map; expected the "
            "_report.json of lren-tf detect, run that again."
        )
    return report


def _located(name: str, report: Path, what: str) -> Path:
    """A file of a report: where it says, or beside the report."""
    for path in (Path(name), report.parent / Path(name).name):
        if path.exists():
            return path
    raise InputError(
        f"{report} names {what} {name}, which is neither there nor beside the report; expected "
        "the files of the run together, move it back or run lren-tf detect again."
    )


def _scene(report: Mapping[str, Any], path: Path) -> tuple[Scene, Region]:
    """The scene of a report, read as the run read it, and what was known of it."""
    reading = dict(report["reading"])
    try:
        options = arguments_of(reading)
    except KeyError as error:
        raise InputError(
            f"{path} does not tell the option {error} that read the scene; expected the report "
            "of this version of lren-tf detect, run that again."
        ) from None
    for name in _READ:
        value = getattr(options, name)
        if value is not None and not (name == "scene" and is_name(value)):
            setattr(options, name, str(_located(value, path, f"the {name}")))
    scene = read_scene(options)
    if data_sha256(scene.cube) != report["scene"]["sha256"]:
        raise InputError(
            f"{options.scene} holds other values than the scene of {path}; expected that scene, "
            "run lren-tf detect again."
        )
    # What the run has asked for; a rate is at hand, and no trained model.
    options.false_alarm_rate, options.apply = "", None
    region = Region.of(options)
    scene = region.applied(scene, learned="model" not in report)
    _refuse_other_pixels(scene, report, path, reviewed=bool(region.reviewed))
    return scene, region


def _refuse_other_pixels(
    scene: Scene, report: Mapping[str, Any], path: Path, *, reviewed: bool
) -> None:
    """Refuse a mask or a region that has changed, as far as the report tells of it."""
    found, told = scene_record(scene), report["scene"]
    names = {"valid": "pixels that hold data", "bands_left_out": "bands that are left out"}
    if not reviewed:  # a review may go on after the run
        names["background"] = "pixels of the background"
    for name, what in names.items():
        if found.get(name) != told.get(name):
            raise InputError(
                f"the {what} are others ({found.get(name)}) than those of {path} "
                f"({told.get(name)}); expected the mask and the region of that run, run lren-tf "
                "detect again."
            )


def _title(report: Mapping[str, Any]) -> str:
    if report["detector"] == "lren":
        return f"LREN ({report.get('preset', 'SavedModel')})"
    return detectors.detector_class(report["detector"]).title


def _by(report: Mapping[str, Any], path: Path) -> Any:
    """The detector or model that scored, where the report leads to it."""
    name = report["detector"]
    if name in EXPLAINED:
        return detectors.create(name, **report["settings"])
    model = report["files"].get("model") or report.get("model")
    if name != "lren" or model is None or not str(model).endswith(".keras"):
        return None
    from lren_tf.cli.options.detector import started

    file = _located(str(model), path, "the model")
    with started():
        return load_keras_model(file, None)


def _found(
    report: Mapping[str, Any], score: np.ndarray, scene: Scene, request: ThresholdRequest | None
) -> Any:
    """The detections at the requested rate, the run's, or the usual one of pages."""
    run = report.get("threshold") or {}
    if request is None:
        request = ThresholdRequest(
            run.get("false_alarm_rate", PAGE_RATE), run.get("min_size", 1)
        )
    found = request.apply(
        score, georeference=scene.georeference, calibrated="evidence" in report
    )
    same = all(getattr(request, name) == run.get(name) for name in ("false_alarm_rate", "min_size"))
    shares = run.get("evidence") if same else None
    if shares:
        listed = [
            replace(each, evidence=shares.get(str(each.label))) for each in found.detections.listed
        ]
        found = replace(found, detections=found.detections._replace(listed=listed))
    return found
