"""``lren-tf compare``: several detectors on one scene, each with its defaults."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lren_tf import detectors
from lren_tf.cli.console import collected_notices, result, say, showing_progress, tell_files, timed
from lren_tf.cli.options.detector import detectors_from
from lren_tf.cli.options.dry_run import size_of, tell_plan, to_be_downloaded
from lren_tf.cli.options.methods import detector_names
from lren_tf.cli.options.scene import (
    check_scene,
    described,
    judged,
    judging_truth,
    output_path,
    pictures,
    read_usable_scene,
    refuse_to_replace_another_scene,
)
from lren_tf.data.scene import Scene
from lren_tf.detectors.estimates import Estimate, estimate
from lren_tf.detectors.measured import measured_score
from lren_tf.detectors.working_memory import Size
from lren_tf.errors import InputError, TrainingDiverged
from lren_tf.records import detector_record, json_text, scene_record
from lren_tf.runtime.files import atomic_paths
from lren_tf.runtime.versions import loaded_versions

if TYPE_CHECKING:
    from lren_tf.detectors import Detector

_COLUMNS = {
    "AUC(Pd,Pf)": "auc_pd_pf",
    "AUC(Pf,tau)": "auc_pf_tau",
    "AUC(Pd,tau)": "auc_pd_tau",
    "Pd at 1 %": "pd_at_1_percent",
    "at 0.1 %": "pd_at_1_permille",
}

_PEAK = "peak MiB"
_MIB = 1 << 20


def compare(arguments: argparse.Namespace) -> None:
    """Run detectors on one scene; print a table, write maps, pictures and report."""
    with collected_notices() as early:
        listed = arguments.detectors
        names = detectors.names() if listed is None else detector_names(listed)
    targets = {
        what: output_path(arguments, ending)
        for what, ending in {
            "maps": "_comparison.npz",
            "picture": "_comparison.png",
            "roc": "_roc.png",
            "cost": "_cost.png",
            # Last, so that whatever a report names is there when the report is.
            "report": "_comparison.json",
        }.items()
    }
    check_scene(arguments)
    refuse_to_replace_another_scene(arguments, targets["report"])
    seconds: dict[str, float] = {}
    with collected_notices() as notices:
        notices += early
        # All before the scene: reading one can take a download, and a seed that is refused
        # must not be so after an hour.
        with timed(seconds, "start"):
            chosen = detectors_from(names, arguments.seed)
        away = to_be_downloaded(arguments.scene) if arguments.dry_run else None
        if away is not None:
            tell_plan(arguments, targets, _estimates(chosen, Size(*away.shape)))
            return
        with timed(seconds, "read"):
            scene = read_usable_scene(arguments)
        truth = judging_truth(scene)
        if truth is None:
            del targets["roc"], targets["cost"]
        say(described(scene, seconds["read"]))
        if arguments.dry_run:
            tell_plan(arguments, targets, _estimates(chosen, size_of(scene)))
            return
        maps, records = _run_all(chosen, scene, truth, notices)
        if not maps:
            raise InputError(
                f"no detector of {', '.join(names)} could be used on {scene.name}; expected one "
                "at least, what each said is above."
            )
        titles = {detector.name: detector.title for detector in chosen}
        say(_table(records, titles, with_metrics=truth is not None))
        report: dict[str, Any] = {"scene": scene_record(scene), "detectors": records}
        report |= {"versions": loaded_versions(), "seconds": seconds, "notices": notices}
        calibrated = [detector.title for detector in chosen if detector.calibrated]
        _write(scene, truth, maps, titles, calibrated, targets, report)
    result(**{name: report[name] for name in ("scene", "detectors", "seconds")})
    tell_files(targets)


def _estimates(chosen: list[Detector], size: Size) -> dict[str, Estimate]:
    return {each.title: estimate(each.name, size, each.get_config()) for each in chosen}


def _run_all(
    chosen: list[Detector], scene: Scene, truth: np.ndarray | None, notices: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Every map that could be made, and the record of every detector, both by name."""
    maps: dict[str, np.ndarray] = {}
    records: dict[str, dict[str, Any]] = {}
    for number, detector in enumerate(chosen, 1):
        label = f"{number}/{len(chosen)} {detector.title}"
        say(f"{label}: running")
        spent: dict[str, float] = {}
        before, failed, metrics, peak = len(notices), None, None, None
        with timed(spent, "score"), showing_progress():
            try:
                measured = measured_score(detector, scene)
                maps[detector.name], peak = measured.score, measured.peak_bytes
            except InputError as error:
                failed = error.for_command_line()
            except (Exception, SystemExit) as error:  # of other packages too, and of any library
                reason = " ".join(str(error).split())
                failed = reason if isinstance(error, TrainingDiverged) else (
                    f"{type(error).__name__}{': ' if reason else ''}{reason}"
                )  # fmt: skip
        if failed is None:
            metrics = judged(maps[detector.name], truth)
            say(f"{label}: {spent['score']:.1f} s")
        else:
            say(f"{label}: failed after {spent['score']:.1f} s, {failed}")
        records[detector.name] = {
            **detector_record(detector),
            "seconds": spent["score"],
            "peak_memory_bytes": peak,
            "failed": failed,
            "metrics": metrics,
            "notices": notices[before:],
        }
    return maps, records


def _table(
    records: Mapping[str, dict[str, Any]], titles: Mapping[str, str], *, with_metrics: bool
) -> str:
    """One row for each detector; one that failed has its sentence instead of numbers."""
    columns = _COLUMNS if with_metrics else {}
    width = max(len("detector"), *(len(titles[name]) for name in records))
    rows = ["  ".join(["detector".ljust(width), *columns, "seconds", _PEAK])]
    for name, record in records.items():
        cells = [titles[name].ljust(width)]
        if record["failed"] is None:
            cells += [f"{record['metrics'][key]:{len(title)}.4f}" for title, key in columns.items()]
            cells.append(f"{record['seconds']:{len('seconds')}.1f}")
            peak = record["peak_memory_bytes"]
            cells.append(("–" if peak is None else f"{peak / _MIB:.1f}").rjust(len(_PEAK)))
        else:
            cells.append(f"failed: {record['failed']}")
        rows.append("  ".join(cells))
    return "\n".join(rows)


def _write(
    scene: Scene,
    truth: np.ndarray | None,
    maps: Mapping[str, np.ndarray],
    titles: Mapping[str, str],
    calibrated: Collection[str],
    targets: Mapping[str, Path],
    report: dict[str, Any],
) -> None:
    """Draw, then write all files or none; `report` is completed on the way.

    `calibrated` has the titles of detectors whose scores are decades already.
    """
    from lren_tf import plots
    from lren_tf.evaluation import metrics

    titled = {titles[name]: score for name, score in maps.items()}
    with timed(report["seconds"], "draw"):
        figures = {
            "picture": plots.detection_panel(*pictures(scene), titled, calibrated=calibrated)
        }
        if truth is not None:
            figures["roc"] = plots.roc_curves(
                {title: metrics.roc_curve(score, truth) for title, score in titled.items()}
            )
            figures["cost"] = plots.auc_against_seconds({
                titles[name]: (report["detectors"][name]["seconds"],
                               report["detectors"][name]["metrics"]["auc_pd_pf"])
                for name in maps
            })  # fmt: skip
    with atomic_paths(*targets.values()) as temporary:
        paths = dict(zip(targets, temporary, strict=True))
        with timed(report["seconds"], "write"):
            arrays: dict[str, Any] = dict(maps)
            np.savez(paths["maps"], **arrays)
            for what, figure in figures.items():
                plots.save(figure, paths[what])
        report["files"] = {what: str(target) for what, target in targets.items()}
        paths["report"].write_text(json_text(report), encoding="ascii")
