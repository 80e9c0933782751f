"""`make robust`: the preset ``robust`` with ten seeds on every scene, none left out.

One setting for every scene, and no truth but to judge by. What it was asked to reach is a
table of its own, line by line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, median
from typing import Any, NamedTuple

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, load_result
from experiments.studies import proposed

STUDY = "robust"
TITLE = "LREN, robust"
SEEDS = (published.AUTHORS_SEED, 1, 2, 3, 4, 5, 6, 7, 8, 9)

# What the preset was asked to reach.
BELOW_PAPER = 0.003
MEAN_OF_MEDIANS = 0.9951
WORST_SEED = 0.97
MEAN_PF_TAU = 0.05
COST = 2.0


def planned(
    scenes: Sequence[str] = tuple(published.SCENES), seeds: Sequence[int] = SEEDS
) -> list[LrenRun]:
    """Every seed on every scene, seed by seed."""
    return [LrenRun(STUDY, scene, "robust", seed) for seed in seeds for scene in scenes]


def by_scene(scenes: Sequence[str], space: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Results of the runs there are, failed ones among them."""
    found = {
        scene: [load_result(run, space) for run in planned([scene])] for scene in scenes
    }
    return {scene: [r for r in results if r is not None] for scene, results in found.items()}


class Line(NamedTuple):
    """One thing that was asked for."""

    what: str
    asked: str
    here: str
    holds: bool


def lines(space: Workspace, scenes: Sequence[str] = tuple(published.SCENES)) -> list[Line]:
    """Everything that was asked for, measured; nothing while a scene has no runs.

    Areas are those of the runs that gave a map. On a scene where none did they are NaN, which
    holds nowhere.
    """
    results = by_scene(scenes, space)
    if not all(results.values()):
        return []
    good = {
        scene: [one["metrics"] for one in there if one["metrics"] is not None]
        for scene, there in results.items()
    }
    nothing = [{"auc_pd_pf": math.nan, "auc_pf_tau": math.nan}]
    measured = {scene: those or nothing for scene, those in good.items()}
    made = []
    medians = {s: median(m["auc_pd_pf"] for m in those) for s, those in measured.items()}
    for scene, value in medians.items():
        rx = load_result(DetectorRun("comparison", scene, "rx"), space)
        least = published.PAPER_PROPOSED[scene].pd_pf - BELOW_PAPER
        asked = f"at least {least:.4f} (the paper's LREN − {BELOW_PAPER})"
        if rx is not None and rx["metrics"] is not None:
            least = max(least, rx["metrics"]["auc_pd_pf"])
            asked += f" and {rx['metrics']['auc_pd_pf']:.4f} (RX here)"
        title = scene_title(scene)
        made.append(Line(f"{title}: median AUC(Pd,Pf)", asked, _text(value), value >= least))
    value = mean(medians.values())
    made.append(
        Line("mean of the medians", f"at least {MEAN_OF_MEDIANS}", _text(value),
             value >= MEAN_OF_MEDIANS)
    )  # fmt: skip
    lowest = {s: min(m["auc_pd_pf"] for m in those) for s, those in measured.items()}
    # A scene without a map comes first: NaN has no order.
    where = min(lowest, key=lambda scene: (not math.isnan(lowest[scene]), lowest[scene]))
    worst = lowest[where]
    made.append(
        Line("worst seed on any scene", f"at least {WORST_SEED}",
             f"{_text(worst)} ({scene_title(where)})", worst >= WORST_SEED)
    )  # fmt: skip
    value = mean(mean(m["auc_pf_tau"] for m in those) for those in measured.values())
    made.append(
        Line("mean AUC(Pf,τ)", f"at most {MEAN_PF_TAU}", _text(value), value <= MEAN_PF_TAU)
    )
    runs = sum(map(len, results.values()))
    failed = runs - sum(map(len, good.values()))
    made.append(
        Line("failures", f"none in {len(planned(scenes))} runs", f"{failed} in {runs}",
             failed == 0 and runs == len(planned(scenes)))
    )  # fmt: skip
    cost = cost_ratio(space, scenes)
    if cost is not None:
        made.append(
            Line("cost of a run", f"at most {COST:g} times a `release` run",
                 f"{cost:.2f} times (median over scenes, training and scoring)", cost <= COST)
        )  # fmt: skip
    return made


def cost_ratio(space: Workspace, scenes: Sequence[str]) -> float | None:
    """Return the time of a run over that of a `release` run, median over scenes.

    Runs with as many threads as the `release` run count; None where there are none.
    """
    ratios = []
    for scene in scenes:
        release = next(run for run in proposed.planned([scene]) if run.preset == "release")
        there = load_result(release, space)
        mine = [load_result(run, space) for run in planned([scene])]
        if there is None or not there["metrics"]:
            continue
        good = [one for one in mine if one is not None and one["metrics"]]
        seconds = [_seconds(one) for one in good if _threads(one) == _threads(there)]
        if seconds:
            ratios.append(median(seconds) / _seconds(there))
    return median(ratios) if ratios else None


def _threads(result: dict[str, Any]) -> int | None:
    """Threads of a run; records without them had all cores."""
    return result.get("threads", result.get("cores"))


def _text(area: float) -> str:
    return "no map" if math.isnan(area) else f"{area:.4f}"


def _seconds(result: dict[str, Any]) -> float:
    return result["seconds"]["train"] + result["seconds"]["score"]


def lines_table(space: Workspace) -> str:
    """What was asked for, what is here, and whether it holds."""
    body = [[line.what, line.asked, line.here, "yes" if line.holds else "**no**"]
            for line in lines(space)]  # fmt: skip
    return markdown_table(["measure", "target", "here", "met"], body)


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write the table of seeds and, of the real scenes, what was asked for; returns the first."""
    spread = table(space, scenes)
    tables.write_table("robust", spread, space)
    text = f"LREN with the preset `robust`:\n\n{spread}"
    if _complete(space):
        tables.write_table("robust_lines", lines_table(space), space)
        text += f"\n\n{lines_table(space)}"
    return text


def _complete(space: Workspace) -> bool:
    """Whether every seed has run on every real scene, as the targets are about all of them."""
    return all(run.result_path(space).is_file() for run in planned())


def table(space: Workspace, scenes: Sequence[str] = tuple(published.SCENES)) -> str:
    """Median, range and failures on every scene."""
    return tables.spread_table([run for scene in scenes for run in planned([scene])], space)


def blocks(space: Workspace) -> dict[str, str]:
    """Return the blocks of this preset for a page."""
    return {"robust": table(space), "robust_lines": lines_table(space)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    return carry_out("robust", __doc__, arguments, planned, write)


if __name__ == "__main__":
    raise SystemExit(main())
