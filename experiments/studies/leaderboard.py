"""The committed leaderboard: the folder of a benchmark as one JSON, and the blocks of its page.

``lren-tf benchmark`` makes the runs; ``python -m experiments.studies.leaderboard FOLDER`` takes
those that are finished. A method counts with as many seeds as all scenes have; one without any is
named as missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import published
from experiments.reporting.markdown import markdown_table
from experiments.reporting.provenance import ROOT, write_record
from experiments.runs.run import REFERENCE, Workspace
from experiments.studies import evidence_choice
from lren_tf import detectors
from lren_tf.benchmark.leaderboard import Ended, leaderboard
from lren_tf.benchmark.plan import Plan, read_plan
from lren_tf.benchmark.run import Run
from lren_tf.benchmark.tables import MISSING, markdown

RECORD = ROOT / "experiments" / "leaderboard.json"
TARGET_SEEDS = 5
"""Seeds that the study is meant to have."""


def collect(folder: Path) -> dict[str, Any]:
    """Return the leaderboard of the finished runs of a folder.

    Raises:
        ValueError: no method is finished on all scenes.
    """
    plan, methods, ended = read_plan(folder), {}, []
    for key, method in plan.methods.items():
        whole = 0
        of_method: list[Ended] = []
        for seed in method.drawn():
            runs = [Run(str(folder), scene, method, seed) for scene in plan.scenes.values()]
            found = [Ended(run, run.finished()) for run in runs]
            if any(each.record is None for each in found):
                break
            whole, of_method = whole + 1, of_method + found
        if whole:
            methods[key] = replace(method, seeds=whole)
            ended += of_method
    if not methods:
        raise ValueError(f"{folder} has no method that is finished on all scenes")
    board = leaderboard(Plan(plan.scenes, methods), ended)
    return {**board, "missing": [name for name in detectors.names() if name not in methods]}


def blocks(record: Path = RECORD) -> dict[str, str]:
    """Return the body of every block of the page by its name."""
    board = json.loads(record.read_text(encoding="utf-8"))
    return {
        "leaderboard": markdown(board, level=3).strip(),
        "leaderboard_held_out": held_out_table(list(board["scenes"])),
        "leaderboard_extent": extent(board),
        "leaderboard_published": published_table(list(board["scenes"])),
    }


def extent(board: Mapping[str, Any]) -> str:
    """Return which runs there are, which are missing, and what they were made with."""
    methods = board["methods"].values()
    drawn = [f"{row['title']} {len(row['seeds'])}" for row in methods if row["seeds"]]
    once = [row["title"] for row in methods if not row["seeds"]]
    short = [row["title"] for row in methods if 0 < len(row["seeds"]) < TARGET_SEEDS]
    missing = [detectors.detector_class(name).title for name in board["missing"]]
    first, last = board["made"][0], board["made"][-1]
    lines = [f"- Scenes: {len(board['scenes'])}; runs from {first} to {last}."]
    if drawn:
        rest = f"the others draw no random numbers: {', '.join(once)}"
        lines.append(f"- Seeds: {', '.join(drawn)}; {rest}.")
    if short:
        lines.append(f"- Fewer than the intended {TARGET_SEEDS} seeds: {', '.join(short)}.")
    if missing:
        lines.append(f"- Missing, for want of time: {', '.join(missing)}.")
    for machine in board["machines"]:
        threads = machine["threads"]
        lines.append(
            f"- Machine: {machine['processor']}, {machine['cores']} cores, {threads} "
            f"thread{'' if threads == 1 else 's'} of TensorFlow."
        )
    # TensorFlow is among those of the runs that need it.
    versions = {name: of for each in board["versions"] for name, of in each.items()}
    named = ("lren_tf", "python", "tensorflow", "numpy", "scipy", "scikit-learn")
    shown = [f"{name} {versions[name]}" for name in named if versions.get(name)]
    lines.append(f"- Versions: {', '.join(shown)}.")
    return "\n".join(lines)


def held_out_table(scenes: list[str], space: Workspace = REFERENCE) -> str:
    """Return AUC(Pd,Pf) of LREN where each scene took no part in choosing the values of its grid.

    Empty where the study has no record of all these scenes.
    """
    areas = evidence_choice.held_out(space)
    if not set(scenes) <= set(areas):
        return ""
    cells = [f"{areas[scene]:.4f}" for scene in scenes]
    mean = f"{sum(areas[scene] for scene in scenes) / len(scenes):.4f}"
    return markdown_table(
        ["method", "mean", *scenes], [["LREN (robust), leave one scene out", mean, *cells]]
    )


def published_table(scenes: list[str]) -> str:
    """Return published areas by method and scene, each with its source."""
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for method, areas in published.PAPER.items():
        title = "LREN" if method == "Proposed" else method
        rows[title, "Table 2 of the LREN paper"] = {n: a.pd_pf for n, a in areas.items()}
    for scene, cited in published.FURTHER_SCENES.items():
        for each in cited:
            rows.setdefault((each.method, each.how), {})[scene] = each.pd_pf
    for method, by_scene in published.RECENT.items():
        cited = {s: a for s, a in by_scene.items() if (method, s) not in _listed()}
        if cited:
            rows.setdefault((method, "GT-HAD's table"), {}).update(cited)
    header = ["method", *scenes, "how"]
    body = [
        [method, *(f"{areas[s]:.4f}" if s in areas else MISSING for s in scenes), how]
        for (method, how), areas in rows.items()
    ]
    return markdown_table(header, body)


def _listed() -> set[tuple[str, str]]:
    return {(c.method, scene) for scene, cited in published.FURTHER_SCENES.items() for c in cited}


if __name__ == "__main__":
    write_record(RECORD, collect(Path(sys.argv[1]).absolute()))
