"""`make evidence`: the preset ``robust`` on eleven scenes, its evidence taken apart, and others.

The preset with :data:`SEEDS` on the four scenes of the paper and the seven further scenes of
:func:`lren_tf.datasets.further_names`, and with :data:`SIMULATED_SEEDS` on the six simulated
scenes of :mod:`varied_scenes`; from the same trainings the score of the spectrum alone that it
replaced, every combination of evidence, one and three networks. Beside it detectors with their
fixed settings. A scene that is not at hand is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, median
from typing import Any, NamedTuple

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.evidence_run import RATES, STUDY, ComparedRun, EvidenceRun
from experiments.runs.run import Run, Workspace, available_scenes, load_result
from experiments.studies import varied_scenes
from lren_tf import datasets

SEEDS = (published.AUTHORS_SEED, 1, 2)
FEWEST_SEEDS = 3
SIMULATED_SEEDS = SEEDS
SCENES = (*published.SCENES, *datasets.further_names())
"""The eleven real scenes."""
COMPARED: Mapping[str, int | None] = {"rx": None, "lrx": None, "aed": None, "hadgan": 0}
"""Detectors beside the preset, each with its seed."""
_TITLES = {"rx": "RX", "lrx": "LRX", "aed": "AED", "hadgan": "HADGAN"}
FACTORS = {0.01: (2.0, 9), 0.001: (4.0, 8)}
"""By rate: the factor that the realised rate is to be within, and on how many scenes."""

# What the score was asked to reach on the eleven scenes.
MEAN_OF_MEDIANS = 0.985
LOWEST = 0.96
PD_AT_1_PERCENT = 0.65
PD_AT_1_PERMILLE = 0.30
BELOW_BEST = 0.01
BELOW_OLD_FAINT = 0.002
COST = 1.5

PD, PD_RARE, AREA = "pd_at_1_percent", "pd_at_1_permille", "auc_pd_pf"
MEASURES = {AREA: "AUC(Pd,Pf)", PD: "Pd at 1 %", PD_RARE: "Pd at 0.1 %"}


def title_of(scene: str) -> str:
    """Return how a scene is called in these tables."""
    return scene.replace("_", " ") if scene in varied_scenes.SCENES else scene_title(scene)


def robust_runs(scene: str) -> list[EvidenceRun]:
    """Return the runs of the preset on a scene."""
    seeds = SIMULATED_SEEDS if scene in varied_scenes.SCENES else SEEDS
    return [EvidenceRun(STUDY, scene, "robust", seed) for seed in seeds]


def compared_run(detector: str, scene: str) -> ComparedRun:
    """Return the run of another detector on a real scene."""
    return ComparedRun(STUDY, scene, detector, COMPARED[detector])


def planned(scenes: Sequence[str] = SCENES) -> list[Run]:
    """Return every run on these real scenes and the simulated ones, seed by seed."""
    runs: list[Run] = [
        EvidenceRun(STUDY, scene, "robust", seed) for seed in SEEDS for scene in scenes
    ]
    runs += [run for scene in varied_scenes.SCENES for run in robust_runs(scene)]
    return runs + [compared_run(detector, scene) for detector in COMPARED for scene in scenes]


def available(scenes: Sequence[str] = SCENES) -> list[str]:
    """Return those of the real scenes that load, and print why each other one does not."""
    return available_scenes(scenes)


# --- figures of the runs ---------------------------------------------------------------------

Figures = Mapping[str, float]


def of_new(record: dict[str, Any]) -> Figures:
    """Return the figures of the score of a run."""
    return record["metrics"]


def of_old(record: dict[str, Any]) -> Figures:
    """Return those of the spectrum alone."""
    return record["old"]


def medians(
    scene: str, space: Workspace, of: Callable[[dict[str, Any]], Figures]
) -> dict[str, float] | None:
    """Return the median of every measure over the seeds on a scene; None where a run is missing.

    Args:
        scene: the scene.
        space: with its runs.
        of: figures of a record.
    """
    records = [load_result(run, space) for run in robust_runs(scene)]
    if not records or any(r is None or r["metrics"] is None for r in records):
        return None
    found = [of(record) for record in records]  # type: ignore[arg-type]
    return {name: median(each[name] for each in found) for name in MEASURES}


def of_detector(detector: str, scene: str, space: Workspace) -> Figures | None:
    """Return the figures of another detector on a scene; None where it has not run or failed."""
    record = load_result(compared_run(detector, scene), space)
    return None if record is None else record["metrics"]


def complete(space: Workspace) -> bool:
    """Whether the preset has run with every seed on every real scene."""
    runs = [run for scene in SCENES for run in robust_runs(scene)]
    return all(run.result_path(space).is_file() for run in runs)


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else mean(values)  # type: ignore[arg-type]


# --- tables ------------------------------------------------------------------------------------


class _Column(NamedTuple):
    title: str
    figures: Callable[[str, Workspace], Figures | None]


def _columns() -> list[_Column]:
    compared = [
        _Column(title, lambda scene, space, name=name: of_detector(name, scene, space))
        for name, title in _TITLES.items()
    ]
    return [
        *compared,
        _Column("robust, spectrum alone", lambda scene, space: medians(scene, space, of_old)),
        _Column("robust", lambda scene, space: medians(scene, space, of_new)),
    ]


def scenes_table(space: Workspace) -> str:
    """AUC(Pd,Pf) of every detector on every scene, with what others published; Pd below it."""
    parts = []
    for measure, title in MEASURES.items():
        area = measure == AREA
        header = ["scene", *(column.title for column in _columns())]
        rows = []
        values: list[list[float | None]] = []
        for scene in SCENES:
            found = [column.figures(scene, space) for column in _columns()]
            line = [None if each is None else each[measure] for each in found]
            values.append(line)
            row = [title_of(scene), *(_number(v, 4 if area else 3) for v in line)]
            rows.append([*row, _cited(scene)] if area else row)
        columns = list(zip(*values, strict=True))
        for name, join in (("mean", mean), ("lowest", min)):
            line = [None if None in column else join(column) for column in columns]  # type: ignore[type-var]
            row = [name, *(_number(v, 4 if area else 3) for v in line)]
            rows.append([*row, ""] if area else row)
        if area:
            header.append("published (cited)")
        seeds = ", ".join(map(str, SEEDS))
        parts.append(f"{title}, median over the seeds {seeds}:\n\n{markdown_table(header, rows)}")
    return "\n\n".join(parts)


def _cited(scene: str) -> str:
    cited = published.FURTHER_SCENES.get(scene, ())
    return "; ".join(f"{one.method} {one.pd_pf:.4f} ({one.how})" for one in cited)


def simulated_table(space: Workspace) -> str:
    """Both scores on the simulated scenes, medians over the seeds."""
    if not SIMULATED_SEEDS:
        return "Not run with this version."
    header = ["simulated scene"]
    for title in MEASURES.values():
        header += [f"{title}: spectrum alone", "robust"]
    rows = []
    values = []
    for scene in varied_scenes.SCENES:
        both = [medians(scene, space, of) for of in (of_old, of_new)]
        line = [None if one is None else one[m] for m in MEASURES for one in both]
        values.append(line)
        rows.append([title_of(scene), *map(_number, line)])
    means = [_mean(column) for column in zip(*values, strict=True)]
    return markdown_table(header, [*rows, ["mean", *map(_number, means)]])


def ablation_table(space: Workspace) -> str:
    """Every combination of evidence: means over the eleven scenes of the medians over seeds."""
    first = load_result(robust_runs(SCENES[0])[0], space)
    if first is None:
        return ""
    header = ["", "mean AUC(Pd,Pf)", "lowest", "mean Pd at 1 %", "mean Pd at 0.1 %"]
    rows = []
    for name in first["ablation"]:
        by_scene = [medians(scene, space, lambda r, n=name: r["ablation"][n]) for scene in SCENES]
        rows.append([_in_words(name), *_summary(by_scene)])
    old = [medians(scene, space, of_old) for scene in SCENES]
    new = [medians(scene, space, of_new) for scene in SCENES]
    rows.append(['energy as it is, as `evidence=("spectrum",)` gives it', *_summary(old)])
    rows.append(["the preset: all, calibrated, five networks", *_summary(new)])
    return markdown_table(header, rows)


def _in_words(name: str) -> str:
    return {
        "not calibrated": "all, standardised instead of calibrated",
        "ranks": "all, counted ranks instead of a fitted tail",
        "networks: 1": "all, one network",
        "networks: 3": "all, three networks",
    }.get(name, name)


def _summary(by_scene: Sequence[Mapping[str, float] | None]) -> list[str]:
    if None in by_scene:
        return ["–"] * 4
    areas = [one[AREA] for one in by_scene]  # type: ignore[index]
    return [
        _number(mean(areas)), _number(min(areas)),
        _number(mean(one[PD] for one in by_scene), 3),  # type: ignore[index]
        _number(mean(one[PD_RARE] for one in by_scene), 3),  # type: ignore[index]
    ]  # fmt: skip


def _ratios(scene: str, space: Workspace, of: Callable[[dict[str, Any]], Any]) -> dict[float, Any]:
    """Realised over asked rate with the first seed, by rate; None where there is none."""
    records = [load_result(run, space) for run in robust_runs(scene)[:1]]
    found: dict[float, Any] = {}
    for rate in RATES:
        values = [None if r is None else of(r)[f"{rate:g}"] for r in records]
        found[rate] = None if None in values else median(values) / rate
    return found


def rates_table(space: Workspace) -> str:
    """Realised over asked false-alarm rate, of both scores and of detectors with a fitted tail."""
    columns = {
        "robust": lambda s: _ratios(s, space, lambda r: r["realised_rates"]),
        "spectrum alone": lambda s: _ratios(s, space, lambda r: r["old"]["realised_rates"]),
        **{
            _TITLES[name]: lambda s, name=name: _ratios_of_detector(name, s, space)
            for name in COMPARED
        },
    }
    ratios = {name: [of(scene) for scene in SCENES] for name, of in columns.items()}
    # A detector without a rate on every scene is left out: its count would say nothing.
    ratios = {
        name: found
        for name, found in ratios.items()
        if all(ratio is not None for of_scene in found for ratio in of_scene.values())
    }
    header = ["scene", *(f"{name}: {rate:g}" for name in ratios for rate in RATES)]
    values = [
        [found[number][rate] for found in ratios.values() for rate in RATES]
        for number in range(len(SCENES))
    ]
    rows = [
        [title_of(scene), *(_number(v, 2) for v in line)]
        for scene, line in zip(SCENES, values, strict=True)
    ]
    within = ["within the factor"]
    for place, column in enumerate(zip(*values, strict=True)):
        factor = FACTORS[RATES[place % len(RATES)]][0]
        within.append(f"{_within(column, factor)} of {_known(column)} ({factor:g} times)")
    return markdown_table(header, [*rows, within])


def _ratios_of_detector(detector: str, scene: str, space: Workspace) -> dict[float, Any]:
    record = load_result(compared_run(detector, scene), space)
    rates = {} if record is None else record.get("realised_rates", {})
    found = {rate: rates.get(f"{rate:g}") for rate in RATES}
    return {rate: None if value is None else value / rate for rate, value in found.items()}


def _known(ratios: Sequence[float | None]) -> int:
    return sum(r is not None for r in ratios)


def _within(ratios: Sequence[float | None], factor: float) -> int:
    return sum(r is not None and 1 / factor <= r <= factor for r in ratios)


class Line(NamedTuple):
    """One thing that was asked for."""

    what: str
    asked: str
    here: str
    holds: bool


def lines(space: Workspace) -> list[Line]:
    """Return what was asked for, measured; nothing while a run on a real scene is missing.

    The simulated scenes have no line while one of them is missing.
    """
    if not complete(space):
        return []
    new = {scene: medians(scene, space, of_new) for scene in SCENES}
    failed = sum(
        record is not None and record["metrics"] is None
        for scene in (*SCENES, *varied_scenes.SCENES)
        for record in (load_result(run, space) for run in robust_runs(scene))
    )
    made = [
        Line("seeds on every scene", f"at least {FEWEST_SEEDS}", str(len(SEEDS)),
             len(SEEDS) >= FEWEST_SEEDS),
        Line("failures", "none", str(failed), failed == 0),
    ]  # fmt: skip
    if failed:
        return made
    areas = {scene: one[AREA] for scene, one in new.items()}  # type: ignore[index]
    where = min(areas, key=areas.__getitem__)
    value = mean(areas.values())
    made.append(
        Line("mean of the medians of AUC(Pd,Pf)", f"at least {MEAN_OF_MEDIANS}", f"{value:.4f}",
             value >= MEAN_OF_MEDIANS)
    )  # fmt: skip
    made.append(
        Line("lowest median", f"at least {LOWEST}", f"{areas[where]:.4f} ({title_of(where)})",
             areas[where] >= LOWEST)
    )  # fmt: skip
    for measure, least in ((PD, PD_AT_1_PERCENT), (PD_RARE, PD_AT_1_PERMILLE)):
        value = mean(one[measure] for one in new.values())  # type: ignore[index]
        made.append(Line(f"mean {MEASURES[measure]}", f"at least {least:g}", f"{value:.3f}",
                         value >= least))  # fmt: skip
    made += [_beside_the_best(space, areas), *_simulated_lines(space), *_rate_lines(space)]
    return made + _cost_lines(space)


def _beside_the_best(space: Workspace, areas: Mapping[str, float]) -> Line:
    short = {}
    for scene, area in areas.items():
        others = [of_detector(name, scene, space) for name in COMPARED]
        found = [one[AREA] for one in (*others, medians(scene, space, of_old)) if one is not None]
        if max(found) - area > BELOW_BEST:
            short[scene] = max(found) - area
    below = ", ".join(f"{title_of(scene)} by {gap:.4f}" for scene, gap in short.items())
    return Line(
        "every scene, against the best of RX, LRX, AED, HADGAN and the spectrum alone",
        f"at most {BELOW_BEST} below",
        f"further below on {below}" if below else "none further below",
        not short,
    )


def _simulated_lines(space: Workspace) -> list[Line]:
    found = [[medians(s, space, of) for s in varied_scenes.SCENES] for of in (of_old, of_new)]
    if None in found[0]:
        return []
    means = [mean(one[AREA] for one in those) for those in found]  # type: ignore[index]
    return [
        Line("mean of the six simulated scenes", f"at least {means[0]:.4f} (spectrum alone)",
             f"{means[1]:.4f}", means[1] >= means[0])
    ]  # fmt: skip


def _rate_lines(space: Workspace) -> list[Line]:
    made = []
    for rate, (factor, least) in FACTORS.items():
        ratios = [_ratios(s, space, lambda r: r["realised_rates"])[rate] for s in SCENES]
        count = _within(ratios, factor)
        made.append(
            Line(f"realised over requested false-alarm rate at {rate:g}",
                 f"within {factor:g} times on at least {least} of {len(SCENES)} scenes",
                 f"{count} of {_known(ratios)}", count >= least)
        )  # fmt: skip
    return made


def _cost_lines(space: Workspace) -> list[Line]:
    """The time of a run over one of the spectrum alone, whose training is the same."""
    ratios = []
    for scene in SCENES:
        record = load_result(robust_runs(scene)[0], space)
        if record is None or "seconds_after_training" not in record:
            return []
        after = record["seconds_after_training"]
        # Fitting the background is in both; `train` has the training before it as well.
        whole = record["seconds"]["train"] + record["seconds"]["score"]
        ratios.append(whole / (whole - after["all"] + after["spectrum"]))
    value = median(ratios)
    return [
        Line("time of a run over one of the spectrum alone", f"at most {COST:g}",
             f"{value:.2f} (median over the scenes)", value <= COST)
    ]  # fmt: skip


def lines_table(found: Sequence[Line]) -> str:
    """What was asked for, what is here, and whether it holds."""
    body = [[line.what, line.asked, line.here, "yes" if line.holds else "**no**"]
            for line in found]  # fmt: skip
    return markdown_table(["measure", "target", "here", "met"], body)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the blocks of this study for a page."""
    return {
        "evidence_scenes": scenes_table(space),
        "evidence_simulated": simulated_table(space),
        "evidence_ablation": ablation_table(space),
        "evidence_rates": rates_table(space),
        "evidence_targets": lines_table(lines(space)),
    }


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write every table; returns that of the scenes. The targets need all runs."""
    for name, body in blocks(space).items():
        tables.write_table(name, body, space)
    return scenes_table(space)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; without the real scenes, on the simulated ones alone."""
    return carry_out(
        "evidence", __doc__, arguments, planned, write, available=available, needs=None
    )


if __name__ == "__main__":
    raise SystemExit(main())
