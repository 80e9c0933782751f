"""``lren-tf detect``: score map, picture and report of one detector on one scene."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lren_tf import detectors, presets
from lren_tf.cli.console import (
    collected_notices,
    result,
    say,
    showing_progress,
    speaks,
    tell_files,
    timed,
)
from lren_tf.cli.options.detector import (
    LREN,
    detector_from,
    lren_model,
    lren_settings,
    refuse_lren_options,
)
from lren_tf.cli.options.distribution import Distribution
from lren_tf.cli.options.dry_run import to_be_downloaded
from lren_tf.cli.options.explanation import (
    Scored,
    explanations_record,
    refuse_explanation,
)
from lren_tf.cli.options.files import Entries, RunFiles, no_entries
from lren_tf.cli.options.library import DetectedSpectra
from lren_tf.cli.options.long_training import LongRun
from lren_tf.cli.options.outputs import MAPS
from lren_tf.cli.options.region import Region
from lren_tf.cli.options.run_plan import tell_plan_of_run, tell_plan_without_scene
from lren_tf.cli.options.scene import (
    check_scene,
    described,
    judged,
    judging_truth,
    pictures,
    read_scene,
    read_usable_scene,
    reading_record,
)
from lren_tf.cli.options.settled import applied_lam, refuse_recalibration
from lren_tf.cli.trained_model import applied, refuse_training_options
from lren_tf.data.scene import Scene
from lren_tf.explain.pixels import EXPLAINED
from lren_tf.io.stac import write_stac_item
from lren_tf.records import detector_record, json_text, run_record, scene_record
from lren_tf.runtime.files import atomic_paths
from lren_tf.runtime.versions import loaded_versions

if TYPE_CHECKING:
    from lren_tf.low_rank.solve import LowRankResult
    from lren_tf.model.scored import EvidenceDetails

_TOLD = ("detector", "preset", "scene", "metrics", "threshold", "seconds")
"""Entries of the report that ``--json`` prints."""


def detect(arguments: argparse.Namespace, entries: Entries = no_entries) -> None:
    """Score one scene with one detector; write score, picture and report.

    Args:
        arguments: of the command line.
        entries: called when everything but the report is written; makes further entries of it.
    """
    away = to_be_downloaded(arguments.scene) if arguments.dry_run else None
    if away is not None:
        tell_plan_without_scene(arguments, away)
    elif arguments.detector == LREN and arguments.apply is not None:
        _detect_with_a_trained_model(arguments, entries)
    elif arguments.detector == LREN:
        _detect_with_lren(arguments, entries)
    else:
        _detect_with_another(arguments, entries)


def _detect_with_lren(arguments: argparse.Namespace, entries: Entries) -> None:
    preset, settings = lren_settings(arguments)
    region = Region.of(arguments)
    refuse_explanation(arguments, explained=True)
    distribution = Distribution(arguments)
    long_run = LongRun(arguments, writes=distribution.chief)
    outputs = RunFiles(arguments, entries) if distribution.chief else None
    seconds: dict[str, float] = {}
    resolved = presets.resolve(preset, **settings)
    epochs = resolved.total_epochs
    refuse_recalibration(arguments)
    if outputs is not None:
        outputs.show_evidence(resolved.evidence if resolved.fuses_evidence else ())
    with (
        distribution.speaking(),
        collected_notices(distribution.chief) as notices,
        long_run.interruptible(epochs),
    ):
        with timed(seconds, "read"):
            scene = region.applied(read_scene(arguments))
        with timed(seconds, "start"):
            model = lren_model(preset, settings, arguments.device, distribution)
        # What the chief refuses, the others hear of.
        with model.workers.agreed():
            if outputs is not None:
                outputs.follow(scene)
            long_run.begin()
        if arguments.dry_run:
            model.check_fit(scene, **long_run.fit_options())
            if outputs is not None:
                say(described(scene, seconds["read"]))
                tell_plan_of_run(
                    outputs, scene, resolved,
                    memory_limit=distribution.memory_limit, trained=long_run.finished,
                )  # fmt: skip
            model.workers.meet()
            return
        import keras

        from lren_tf.training.callbacks import EpochProgress

        title = f"LREN ({model.preset})"

        opened: list[bool] = []

        def open_training(logs: Any) -> None:
            # Printed when training begins: until then the scene may be refused, and a refusal
            # prints nothing here. A training in two parts begins twice.
            if opened:
                return
            opened.append(True)
            say(described(scene, seconds["read"]))
            if long_run.opening is not None:
                say(long_run.opening)

        watching = [keras.callbacks.LambdaCallback(on_train_begin=open_training)]
        if not long_run.finished and distribution.chief:
            watching.append(EpochProgress(f"{title}, {model.where}", epochs, bar=speaks()))
        watching += long_run.callbacks()
        with timed(seconds, "train"):
            history = model.fit(scene, verbose=0, callbacks=watching, **long_run.fit_options())
        with timed(seconds, "score"):
            score, details = model.scored(scene)
        say(f"{_ending(details)}, {seconds['score']:.1f} s")
        if outputs is not None:
            _finish(
                scene,
                Scored(title, score, _evidence_of(details), model, False, _residual(details)),
                region, outputs, seconds, notices,
                lambda: {
                    "detector": LREN,
                    **run_record(model, scene, history, details),
                    **distribution.record(model),
                    **long_run.record(),
                },
                model.save,
            )  # fmt: skip
        # Who leaves earlier is taken for dead by those who still work.
        model.workers.meet()


def _detect_with_a_trained_model(arguments: argparse.Namespace, entries: Entries) -> None:
    refuse_training_options(arguments)
    lam = applied_lam(arguments)
    outputs = RunFiles(arguments, entries)
    check_scene(arguments)
    region = Region.of(arguments)
    refuse_explanation(arguments, explained=not os.path.isdir(arguments.apply))
    seconds: dict[str, float] = {}
    with collected_notices() as notices:
        # Before the scene: reading one can take a download.
        with timed(seconds, "start"):
            trained = applied(
                arguments.apply, arguments.device, lam, recalibrate=bool(arguments.recalibrate)
            )
        outputs.show_evidence(trained.evidence)
        with timed(seconds, "read"):
            scene = region.applied(read_scene(arguments), learned=False)
        outputs.follow(scene)
        if arguments.dry_run:
            trained.check(scene)
            say(described(scene, seconds["read"]))
            tell_plan_of_run(outputs, scene, trained.settings, trained=True)
            return
        with timed(seconds, "score"):
            score, evidence, record = trained.score(
                scene, with_evidence=outputs.needs_evidence
            )
        say(described(scene, seconds["read"]))
        say(f"{trained.title} of {trained.path}: {seconds['score']:.1f} s")
        _finish(
            scene,
            Scored(trained.title, score, evidence, trained.model, bool(arguments.recalibrate)),
            region, outputs, seconds, notices,
            lambda: {"detector": LREN, **record},
        )  # fmt: skip


def _evidence_of(result: LowRankResult | EvidenceDetails | None) -> dict[str, np.ndarray] | None:
    """Maps of the evidence that a score is made of."""
    return getattr(result, "evidence", None)


def _residual(result: LowRankResult | EvidenceDetails | None) -> np.ndarray | None:
    """Residual of the low-rank step."""
    return getattr(result, "A", None)


def _ending(result: LowRankResult | EvidenceDetails | None) -> str:
    """Line about the end of scoring."""
    # TensorFlow, which that module imports, is there once something has been scored.
    from lren_tf.model.scored import EvidenceDetails

    if result is None:
        return "energy under the background's mixture"
    if isinstance(result, EvidenceDetails):
        return f"evidence of {', '.join(result.evidence)}, calibrated on this scene"
    ending = "converged" if result.converged else "not converged"
    return f"low-rank step: {result.iterations} iterations, {ending}"


def _detect_with_another(arguments: argparse.Namespace, entries: Entries) -> None:
    detectors.check_name(arguments.detector)
    refuse_lren_options(arguments)
    region = Region.of(arguments)
    refuse_explanation(arguments, explained=arguments.detector in EXPLAINED)
    outputs = RunFiles(arguments, entries)
    check_scene(arguments)
    seconds: dict[str, float] = {}
    with collected_notices() as notices:
        # Before the scene: reading one can take a download.
        with timed(seconds, "start"):
            detector = detector_from(arguments)
        with timed(seconds, "read"):
            scene = region.applied(read_usable_scene(arguments))
            detectors.detector_class(arguments.detector).check_background(scene)
        outputs.follow(scene)
        if arguments.dry_run:
            detector.check(scene)
        say(described(scene, seconds["read"]))
        if arguments.dry_run:
            tell_plan_of_run(outputs, scene, detector.get_config())
            return
        with timed(seconds, "score"), showing_progress():
            score = detector.score(scene)
        say(f"{detector.title}: {seconds['score']:.1f} s")
        _finish(
            scene, Scored(detector.title, score, by=detector), region, outputs, seconds, notices,
            lambda: {
                **detector_record(detector),
                "scene": scene_record(scene),
                "versions": loaded_versions(),
            },
        )  # fmt: skip


def _finish(
    scene: Scene,
    scored: Scored,
    region: Region,
    outputs: RunFiles,
    seconds: dict[str, float],
    notices: list[str],
    record: Callable[[], dict[str, Any]],
    save_model: Callable[[Path], None] | None = None,
) -> None:
    """Judge and draw a score map, write all files, say what came out.

    Args:
        record: makes the part of the report that depends on the detector.
        save_model: writes the file ``"model"`` of the targets, if there is one.
    """
    from lren_tf import plots

    arguments = outputs.arguments
    score, evidence, title = scored.score, scored.evidence, scored.title
    with timed(seconds, "evaluate"):
        truth = judging_truth(scene)
        metrics = judged(score, truth)
    masks, detected = {}, None
    if outputs.threshold is not None:
        with timed(seconds, "threshold"):
            detected = outputs.threshold.apply(
                score, truth, georeference=scene.georeference, evidence=evidence
            )
            detected = region.filtered(detected)
        masks[detected.label] = detected.panel()
    explanations = None
    if detected is not None and (outputs.explains or outputs.views):
        with timed(seconds, "explain"):
            explanations = scored.explained(scene, detected)
        detected = detected.with_bands([each.strongest() for each in explanations])
    with timed(seconds, "draw"):
        calibrated = [] if evidence is None else [title]
        figure = plots.detection_panel(
            *pictures(scene), {title: score}, masks=masks, calibrated=calibrated,
            detected=None if detected is None else detected.labels(),
            numbered=[] if detected is None else [
                (each.row, each.column) for each in detected.detections.listed
            ],
            georeference=scene.georeference,
        )  # fmt: skip
    spectra = None
    if detected is not None and (arguments.spectra or arguments.library is not None):
        with timed(seconds, "spectra"):
            model = scored.by if hasattr(scored.by, "energy_parts") else None
            spectra = DetectedSpectra(arguments, scene, detected.detections, model)
    page = None
    if outputs.views:
        with timed(seconds, "view"):
            page = scored.page(scene, detected, explanations)
    targets, maps = outputs.targets, outputs.maps
    with atomic_paths(*targets.values()) as temporary:
        paths = dict(zip(targets, temporary, strict=True))
        with timed(seconds, "write"):
            maps.write(paths, "score", score, calibrated=evidence is not None)
            for name, values in (evidence or {}).items():
                if f"evidence_{name}" in paths:
                    maps.write(paths, f"evidence_{name}", values)
            plots.save(figure, paths["picture"])
            if detected is not None:
                detected.write(paths, maps)
            if page is not None:
                page.save(paths["view"])
            if spectra is not None:
                spectra.write(paths)
            if "stac" in paths:
                _write_stac(scene, targets, paths)
            if save_model is not None and "model" in paths:
                save_model(paths["model"])
        report = {
            **record(),
            "seconds": seconds,
            "metrics": metrics,
            **({} if detected is None else {"threshold": detected.record()}),
            **({} if not explanations else {"explanations": explanations_record(explanations)}),
            **region.record(),
            **({} if spectra is None else spectra.record()),
            "reading": reading_record(arguments),
            "maps": maps.record(score.shape, [what for what in MAPS if what in targets]),
            "notices": notices,
            "files": {what: str(target) for what, target in targets.items()},
            **outputs.entries(),
        }
        paths["report"].write_text(json_text(report), encoding="ascii")
    say(f"score: {np.nanmin(score):.6g} to {np.nanmax(score):.6g}; higher = more anomalous")
    if metrics is not None:
        say(
            f"AUC(Pd,Pf) {metrics['auc_pd_pf']:.4f}, AUC(Pf,tau) {metrics['auc_pf_tau']:.4f}, "
            f"AUC(Pd,tau) {metrics['auc_pd_tau']:.4f}; Pd at 1 % false alarms "
            f"{metrics['pd_at_1_percent']:.4f}, at 0.1 % {metrics['pd_at_1_permille']:.4f}"
        )
    if detected is not None:
        say(detected.line())
    result(**{name: report[name] for name in _TOLD if name in report})
    tell_files(targets)


def _write_stac(scene: Scene, targets: dict[str, Path], paths: dict[str, Path]) -> None:
    """Write the STAC item of a run whose other files lie at temporary paths."""
    write_stac_item(
        paths["stac"],
        paths["score_tif"],
        {what: target for what, target in targets.items() if what != "stac"},
        name=targets["stac"].name.removesuffix("_stac.json"),
        acquired=scene.acquired,
        properties={"title": f"anomalies of {scene.name}"},
    )
