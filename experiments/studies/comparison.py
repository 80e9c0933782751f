"""Tables 2 and 3: every detector on every scene, paper | here | difference.

One fixed setting per detector: its defaults or, of ADLR, the released method.
Stochastic detectors run with five seeds: mean and standard deviation in the tables, every
value in the JSON files. LREN's rows are those of the studies "proposed" and "robust", the second
with its ten seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Run, Workspace, load_result
from experiments.studies import proposed, recent_methods, robust
from lren_tf import detectors

STUDY = "comparison"
SEEDS = 5
SETTINGS: dict[str, dict[str, Any]] = {"adlr": {"variant": "release"}}
"""What a detector runs with here that is not its default: the method of the paper."""


class Row(NamedTuple):
    """A method of the tables."""

    title: str
    published: str | None
    """Column of the paper's tables it stands beside; None for a method that is not in them."""
    runs: dict[str, list[Run]]
    """Runs by scene."""


def compared() -> list[str]:
    """Names of the detectors with runs of their own here: all that no other study has."""
    elsewhere = ("lren", *recent_methods.DETECTORS)
    return [name for name in detectors.names() if name not in elsewhere]


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[DetectorRun]:
    """Every detector on every scene, stochastic ones with five seeds."""
    return [run for name in compared() for scene in scenes for run in runs_of(name, scene)]


def runs_of(detector: str, scene: str) -> list[DetectorRun]:
    """Return the runs of a detector on a scene, one a seed."""
    settings = SETTINGS.get(detector, {})
    return [
        DetectorRun(STUDY, scene, detector, seed, tuple(settings.items()))
        for seed in seeds_of(detector, SEEDS, **settings)
    ]


def rows(scenes: Sequence[str] = tuple(published.SCENES)) -> list[Row]:
    """All methods: those of the paper in its order, then the others."""
    in_paper = {"aae_rx": "AAE", "aae": "AAE"}
    made = []
    for name in compared():
        title = detectors.detector_class(name).title
        runs: dict[str, list[Run]] = {scene: [*runs_of(name, scene)] for scene in scenes}
        beside = in_paper.get(name, title)
        made.append(Row(title, beside if beside in published.PAPER else None, runs))
    made.sort(key=lambda row: row.published is None)
    lren = [*proposed.planned(scenes), *robust.planned(scenes)]
    for preset, title in {**proposed.TITLES, "robust": robust.TITLE}.items():
        by_scene: dict[str, list[Run]] = {scene: [] for scene in scenes}
        for run in lren:
            if run.preset == preset:
                by_scene[run.scene].append(run)
        made.append(Row(title, "Proposed", by_scene))
    return made


class Cell(NamedTuple):
    """Values of one method on one scene, over its seeds."""

    values: list[float]
    failed: int
    published: float | None

    @property
    def here(self) -> float | None:
        """Mean over the seeds that gave a map."""
        return mean(self.values) if self.values else None

    def texts(self) -> list[str]:
        """Paper, here and difference as the tables print them."""
        here = "–"
        if self.values:
            here = f"{mean(self.values):.4f}"
            if len(self.values) > 1:
                here += f" ± {stdev(self.values):.4f}"
        if self.failed:
            here += f" ({self.failed} failed)"
        difference = (
            "–"
            if self.here is None or self.published is None
            else f"{self.here - self.published:+.4f}"
        )
        return ["–" if self.published is None else f"{self.published:.4f}", here, difference]


def cell(row: Row, scene: str, area: str, space: Workspace) -> Cell:
    """One cell of a table; `area` is a field of :class:`published.Areas` or "paper_grid"."""
    results = [load_result(run, space) for run in row.runs[scene]]
    there = [result for result in results if result is not None]
    values = [_value(result, area) for result in there if result["status"] == "finished"]
    paper = None
    if row.published is not None and scene in published.SCENES:
        paper = getattr(published.PAPER[row.published][scene], _PUBLISHED[area])
    return Cell(values, len(there) - len(values), paper)


_PUBLISHED = {"pd_pf": "pd_pf", "pf_tau": "pf_tau", "paper_grid": "pf_tau"}


def _value(result: dict[str, Any], area: str) -> float:
    if area == "paper_grid":
        return result["auc_pf_tau_paper_grid"]
    return result["metrics"][f"auc_{area}"]


def area_table(area: str, scenes: Sequence[str], space: Workspace) -> str:
    """Methods × scenes, three columns a scene, and the same for the mean over scenes."""
    header = ["method"]
    for scene in scenes:
        header += [f"{scene_title(scene)}: paper", "here", "− paper"]
    if len(scenes) > 1:
        header += ["mean: paper", "here", "− paper"]
    body = []
    for row in rows(scenes):
        cells = [cell(row, scene, area, space) for scene in scenes]
        texts = [text for each in cells for text in each.texts()]
        if len(scenes) > 1:
            texts += _mean_of(cells).texts()
        body.append([row.title, *texts])
    return markdown_table(header, body)


def _mean_of(cells: Sequence[Cell]) -> Cell:
    """The mean over scenes of the means over seeds; nothing where a scene has no value."""
    here = [each.here for each in cells]
    paper = [each.published for each in cells]
    return Cell(
        [] if None in here else [mean(here)],  # type: ignore[arg-type, list-item]
        0,
        None if None in paper else mean(paper),  # type: ignore[arg-type, type-var]
    )


def summary_table(area: str, scenes: Sequence[str], space: Workspace) -> str:
    """Methods × scenes for the README: the value here, and the paper's beside it."""
    names = [scene_title(scene) for scene in scenes]
    body = []
    for row in rows(scenes):
        cells = [cell(row, scene, area, space) for scene in scenes]
        texts = []
        for each in (*cells, _mean_of(cells)):
            paper, here, _ = each.texts()
            texts.append(here if paper == "–" else f"{paper} → {here}")
        body.append([row.title, *texts])
    return markdown_table(["paper → here", *names, "mean"], body)


_FAMILY = {
    "auc_pd_pf": "AUC(Pd,Pf)", "auc_pf_tau": "AUC(Pf,τ)", "auc_pd_tau": "AUC(Pd,τ)",
    "auc_td": "TD", "auc_bs": "BS", "auc_tdbs": "TDBS", "auc_odp": "ODP", "auc_od": "OD",
    "auc_snpr": "SNPR",
}


def roc3d_table(scenes: Sequence[str], space: Workspace) -> str:
    """The 3-D ROC family for every method and scene, mean over seeds."""
    body = []
    for scene in scenes:
        for row in rows(scenes):
            results = [load_result(run, space) for run in row.runs[scene]]
            good = [r["metrics"] for r in results if r is not None and r["metrics"] is not None]
            texts = []
            for name in _FAMILY:
                values = [metrics[name] for metrics in good]
                missing = not values or None in values
                texts.append("–" if missing else f"{mean(values):.4f}")
            body.append([scene_title(scene), row.title, *texts])
    return markdown_table(["scene", "method", *_FAMILY.values()], body)


def settings_table(scenes: Sequence[str], space: Workspace) -> str:
    """What every detector ran with, and how long."""
    body = []
    for row in rows(scenes):
        results = [load_result(run, space) for runs in row.runs.values() for run in runs]
        there = [result for result in results if result is not None]
        if not there or there[0]["detector"] == "lren":
            continue
        seconds = [result["seconds"]["score"] for result in there]
        settings = {k: v for k, v in there[0]["settings"].items() if k != "seed"}
        seeds = sorted({result["seed"] for result in there if result["seed"] is not None})
        body.append(
            [
                row.title,
                ", ".join(f"{name} {value}" for name, value in settings.items()) or "none",
                ", ".join(map(str, seeds)) or "–",
                f"{min(seconds):.1f} to {max(seconds):.1f} s",
                ", ".join(sorted({(result["commit"] or "unknown")[:10] for result in there})),
            ]
        )
    header = ("method", "settings, the same on every scene", "seeds", "time per scene", "commit")
    return markdown_table(header, body)


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write all tables of the comparison; returns the two main ones as Markdown."""
    written = {
        "table2": area_table("pd_pf", scenes, space),
        "table3": area_table("pf_tau", scenes, space),
        "table3_paper_grid": area_table("paper_grid", scenes, space),
        "roc3d": roc3d_table(scenes, space),
        "detectors": settings_table(scenes, space),
    }
    for name, table in written.items():
        tables.write_table(name, table, space)
    return f"Table 2, AUC(Pd,Pf):\n\n{written['table2']}\n\nTable 3, AUC(Pf,τ):\n\n" + written[
        "table3"
    ]


def blocks(space: Workspace) -> dict[str, str]:
    """Return Tables 2 and 3, and the means of LREN's presets, for the pages."""
    scenes = tuple(published.SCENES)
    return {
        "table2": summary_table("pd_pf", scenes, space),
        "table3": summary_table("pf_tau", scenes, space),
    }
