"""Tables and figures from the JSON files and maps of finished runs; nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from experiments import published
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.reporting.provenance import write_text
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, load_map, load_result, load_scene
from lren_tf import metrics, plots
from lren_tf.data.pseudo_colour import pseudo_colour

_PROPOSED_TITLES = {
    name: f"{area.symbol}, {area.table}, row “Proposed” ({area.better} is better)"
    for name, area in published.AREAS.items()
}


def proposed_tables(runs: Sequence[LrenRun], space: Workspace) -> str:
    """Paper | release | difference | paper preset | difference, for Tables 2 and 3."""
    results = {(run.scene, run.preset): load_result(run, space) for run in runs}
    scenes = list(dict.fromkeys(run.scene for run in runs))
    return "\n\n".join(
        f"{title}:\n\n{_proposed_table(area, scenes, results)}"
        for area, title in _PROPOSED_TITLES.items()
    )


def _proposed_table(area: str, scenes: list[str], results: dict[Any, Any]) -> str:
    header = (
        "scene", "paper", "authors' log", "`release`", "− paper", "`paper`", "− paper",
    )
    rows = []
    columns: list[list[float | None]] = []
    for scene in scenes:
        paper = _published(published.PAPER_PROPOSED, scene, area)
        here = {p: _area(results.get((scene, p)), area) for p in ("release", "paper")}
        values = [
            paper,
            _published(published.AUTHORS_LOG, scene, area),
            here["release"],
            _difference(here["release"], paper),
            here["paper"],
            _difference(here["paper"], paper),
        ]
        columns.append(values)
        rows.append([scene_title(scene), *_cells(values)])
    if len(scenes) > 1:
        means = [
            None if None in column else sum(column) / len(column)  # type: ignore[arg-type]
            for column in zip(*columns, strict=True)
        ]
        rows.append(["mean", *_cells(means)])
    return markdown_table(header, rows)


def _cells(values: Sequence[float | None]) -> list[str]:
    signed = (3, 5)
    return [
        "–" if value is None else f"{value:+.4f}" if index in signed else f"{value:.4f}"
        for index, value in enumerate(values)
    ]


def _published(table: dict[str, published.Areas], scene: str, area: str) -> float | None:
    return getattr(table[scene], published.AREAS[area].field) if scene in table else None


def _area(result: dict[str, Any] | None, area: str) -> float | None:
    return None if result is None or result["metrics"] is None else result["metrics"][area]


def _difference(here: float | None, there: float | None) -> float | None:
    return None if here is None or there is None else here - there


def agreement_table(runs: Sequence[LrenRun], space: Workspace) -> str:
    """How near `release` comes to what its authors released, scene by scene."""
    rows = []
    for run in runs:
        result = load_result(run, space)
        if run.preset != "release" or result is None:
            continue
        r = result["pearson_with_released_map"]
        row = [scene_title(run.scene), "no map released" if r is None else f"{r:.5f}"]
        for area in published.AREAS:
            log = _published(published.AUTHORS_LOG, run.scene, area)
            difference = _difference(_area(result, area), log)
            row.append("–" if difference is None else f"{difference:+.5f}")
        rows.append(row)
    return markdown_table(
        ("scene", "Pearson r with the released map", "AUC(Pd,Pf) − log", "AUC(Pf,τ) − log"), rows
    )


def settings_table(runs: Sequence[LrenRun], space: Workspace) -> str:
    """What each run was: λ, seed, times, solver, versions, commit."""
    rows = []
    for run in runs:
        result = load_result(run, space)
        if result is None:
            continue
        tree = {True: "", False: " + changes", None: ""}[result["clean"]]
        solver = result.get("solver")
        rows.append(
            [
                scene_title(run.scene),
                f"`{run.preset}`",
                str(run.seed),
                f"{result['settings']['lam']:g}",
                f"{result['seconds']['train']:.0f} s",
                "–" if solver is None else str(solver["iterations"]),
                result["device"],
                result["versions"]["tensorflow"],
                f"{(result['commit'] or 'unknown')[:10]}{tree}",
                result["time"],
            ]
        )
    header = ("scene", "preset", "seed", "λ", "training", "ADMM iterations", "device",
              "TensorFlow", "commit", "time (UTC)")
    return markdown_table(header, rows)


def spread_table(runs: Sequence[LrenRun], space: Workspace) -> str:
    """Median and range over the seeds of a study, and how many runs gave no map."""
    header = ["scene", "preset", "runs", "failed"]
    for area in published.AREAS.values():
        header += [f"{area.symbol}: paper", "median", "lowest", "highest"]
    body = []
    for scene, preset in dict.fromkeys((run.scene, run.preset) for run in runs):
        members = [run for run in runs if (run.scene, run.preset) == (scene, preset)]
        results = [load_result(run, space) for run in members]
        results = [result for result in results if result is not None]
        if not results:
            continue
        good = [result["metrics"] for result in results if result["metrics"] is not None]
        row = [scene_title(scene), f"`{preset}`", str(len(results)), str(len(results) - len(good))]
        for area in published.AREAS:
            paper = _published({**published.PAPER_PROPOSED, **published.ODDS}, scene, area)
            values = [one[area] for one in good]
            spread = [median(values), min(values), max(values)] if values else [None] * 3
            row += ["–" if value is None else f"{value:.4f}" for value in (paper, *spread)]
        body.append(row)
    return markdown_table(header, body)


def draw_figures(runs: Sequence[LrenRun], space: Workspace, titles: dict[str, str]) -> list[Path]:
    """Detection maps beside pseudo-colour and truth, and ROC curves, of runs with maps.

    Args:
        runs: the runs; those without a map are left out.
        space: where results, maps and figures are.
        titles: how the map of each preset is called.
    """
    grid, curves = [], {}
    for name in dict.fromkeys(run.scene for run in runs):
        maps = {}
        for run in runs:
            score = load_map(run, space) if run.scene == name else None
            if score is not None:
                maps[titles[run.preset]] = score
        if not maps:
            continue
        scene = load_scene(name)
        title = scene_title(name)
        grid.append((title, pseudo_colour(scene.cube), scene.truth, maps))
        curves[title] = {label: metrics.roc_curve(m, scene.truth) for label, m in maps.items()}
    if not grid:
        return []
    return save_figures(
        {
            "detection_maps": lambda: plots.detection_grid(grid, scale=plots.LINEAR),
            "roc_curves": lambda: plots.roc_grid(curves),
        },
        space,
        formats=("png",),
    )


def save_figures(
    drawings: dict[str, Callable[[], Any]],
    space: Workspace,
    formats: Sequence[str] = ("png", "pdf"),
) -> list[Path]:
    """Draw and write figures by file name; returns the files."""
    space.figures.mkdir(parents=True, exist_ok=True)
    written = []
    for stem, draw in drawings.items():
        figure = draw()
        if space.simulated:
            figure.suptitle("simulated scene: not a result on real data")
        written += plots.save(figure, space.figures / stem, formats)
    return written


def write_table(name: str, table: str, space: Workspace) -> None:
    """Write a table as Markdown; one of the simulated scene says so."""
    note = "**Simulated scene: not a result on real data.**\n\n" if space.simulated else ""
    write_text(space.tables / f"{name}.md", f"{note}{table}\n")
