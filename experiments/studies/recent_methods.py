"""`make recent-methods`: KIFD, Auto-AD and PCA-TLRSR on eleven scenes, beside what is published.

Each with one setting, its default, for all scenes: the four of the paper and the seven further
ones. KIFD has :data:`SEEDS` seeds. Auto-AD, two minutes a run, has one, on the scene for which a
figure is published. Published figures of PCA-TLRSR come from settings chosen for each scene, so it
also runs with those, on the scenes that have them: those runs say whether the method is the
published one, not how well it does. The defaults of KIFD and Auto-AD do less than their authors'
programs do, so a few runs have the programs' numbers (:data:`AS_LONG`), on the scenes where the
default misses. A scene that is not at hand is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table, mean_and_spread
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Run, Workspace, load_areas, load_result
from experiments.studies import evidence
from lren_tf import detectors

STUDY = "recent_methods"
DETECTORS = ("kifd", "auto_ad", "pca_tlrsr")
SEEDS = 3
SLOW = ("auto_ad",)
"""Detectors with one seed, on scenes with a published figure."""
SCENES = evidence.SCENES
OF_ONE_SCENE: Mapping[str, Mapping[str, Any]] = {
    "airport-1": {"components": 4, "dictionary_weight": 0.06, "anomaly_weight": 0.01, "pivot": 6},
    "airport-3": {"components": 17, "dictionary_weight": 0.06, "anomaly_weight": 0.05, "pivot": 10},
    "sandiego-58": {
        "components": 6, "dictionary_weight": 0.02, "anomaly_weight": 0.01, "pivot": 5,
    },
}  # fmt: skip
"""Settings of PCA-TLRSR that its authors' program has for single scenes."""
AS_LONG: Mapping[str, tuple[str, int, Sequence[str]]] = {
    "kifd": ("samples", 10_000, ("coast", "pavia", "airport-1", "muufl")),
    "auto_ad": ("steps", 1001, ("airport-1",)),
}
"""A setting of a detector as its program has it, and the scenes on which it runs so."""


def runs_of(detector: str, scene: str) -> list[DetectorRun]:
    """Return the runs of a detector on a scene with its defaults, one a seed."""
    if detector in SLOW and _published(detector, scene) is None:
        return []
    count = 1 if detector in SLOW else SEEDS
    return [DetectorRun(STUDY, scene, detector, seed) for seed in seeds_of(detector, count)]


def runs_of_its_own_settings(scene: str) -> list[DetectorRun]:
    """Return the run of PCA-TLRSR with the settings that its authors have for a scene, if any."""
    settings = OF_ONE_SCENE.get(scene)
    if settings is None:
        return []
    default = detectors.create("pca_tlrsr").get_config()
    other = tuple((name, value) for name, value in settings.items() if value != default[name])
    return [DetectorRun(STUDY, scene, "pca_tlrsr", None, other)]


def runs_as_long(detector: str, scene: str) -> list[DetectorRun]:
    """Return the runs of a detector on a scene with the amount of work of its program, if any."""
    name, value, scenes = AS_LONG[detector]
    if scene not in scenes:
        return []
    count = len(runs_of(detector, scene))
    seeds = seeds_of(detector, count)
    return [DetectorRun(STUDY, scene, detector, seed, ((name, value),)) for seed in seeds]


def planned(scenes: Sequence[str] = SCENES) -> list[Run]:
    """Return every run on these scenes, the quick detectors first."""
    runs: list[Run] = [run for scene in scenes for run in runs_of_its_own_settings(scene)]
    for name in ("pca_tlrsr", "kifd", "auto_ad"):
        runs += [run for scene in scenes for run in runs_of(name, scene)]
    for name in AS_LONG:
        runs += [run for scene in scenes for run in runs_as_long(name, scene)]
    return runs


def table(space: Workspace) -> str:
    """AUC(Pd,Pf) of the three, published and here, by scene, and the mean over the scenes."""
    body = []
    for scene in SCENES:
        cells = [
            _cited(load_areas(runs_of(name, scene), space), _published(name, scene))
            for name in DETECTORS
        ]
        own = load_areas(runs_of_its_own_settings(scene), space)
        body.append([scene_title(scene), *cells, _cited(own, None) if own else ""])
    of_all = [[load_areas(runs_of(name, scene), space) for scene in SCENES] for name in DETECTORS]
    means = [f"{mean(map(mean, those)):.4f}" if all(those) else "–" for those in of_all]
    body.append(["mean", *means, ""])
    titles = [detectors.detector_class(name).title for name in DETECTORS]
    return markdown_table(["scene", *titles, "PCA-TLRSR, authors' settings for the scene"], body)


def as_long_table(space: Workspace) -> str:
    """AUC(Pd,Pf) of KIFD and Auto-AD with the default and with the program's amount of work."""
    body = []
    for name, (setting, value, scenes) in AS_LONG.items():
        detector = detectors.detector_class(name)
        default = detectors.create(name).get_config()[setting]
        for scene in scenes:
            other = _published(name, scene)
            body.append([
                detector.title, scene_title(scene), "–" if other is None else f"{other:.4f}",
                f"{default:,} {setting}", mean_and_spread(load_areas(runs_of(name, scene), space)),
                f"{value:,}", mean_and_spread(load_areas(runs_as_long(name, scene), space)),
            ])  # fmt: skip
    return markdown_table(
        ["method", "scene", "published", "default", "AUC(Pd,Pf)", "program", "AUC(Pd,Pf)"], body
    )


def costs_table(space: Workspace) -> str:
    """Seconds of a run, the mean over the scenes and seeds, and the longest."""
    body = []
    for name in DETECTORS:
        title = detectors.detector_class(name).title
        body.append([title, *_seconds(runs_of, name, space)])
        if name in AS_LONG:
            setting, value, _ = AS_LONG[name]
            body.append([f"{title}, {value:,} {setting}", *_seconds(runs_as_long, name, space)])
    return markdown_table(["method", "seconds, mean", "longest"], body)


def _seconds(
    runs: Callable[[str, str], list[DetectorRun]], name: str, space: Workspace
) -> list[str]:
    records = [load_result(run, space) for scene in SCENES for run in runs(name, scene)]
    seconds = [record["seconds"]["score"] for record in records if record is not None]
    return [f"{mean(seconds):.0f}", f"{max(seconds):.0f}"] if seconds else ["–", "–"]


def _published(detector: str, scene: str) -> float | None:
    return published.RECENT[detectors.detector_class(detector).title].get(scene)


def _cited(values: Sequence[float], other: float | None) -> str:
    """Mean and spread, behind the published value if there is one."""
    here = mean_and_spread(values)
    return here if other is None else f"{other:.4f} → {here}"


def blocks(space: Workspace) -> dict[str, str]:
    """Return the tables for a page."""
    return {
        "recent_methods": table(space),
        "recent_methods_as_long": as_long_table(space),
        "recent_methods_costs": costs_table(space),
    }


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the tables and return that of the areas."""
    for name, body in blocks(space).items():
        tables.write_table(name, body, space)
    return table(space)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing on the scenes at hand, and render."""
    return carry_out("recent_methods", __doc__, arguments, planned, write,
                     available=evidence.available)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
