"""The rows "Proposed" of Tables 2 and 3: LREN with both presets and the authors' seed."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import published, render
from experiments.lren_runs import LrenRun
from experiments.runs import REAL, Workspace

STUDY = "proposed"
TITLES = {"release": "LREN, as released", "paper": "LREN, as written"}


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[LrenRun]:
    """Both presets on every scene."""
    return [
        LrenRun(STUDY, scene, preset, published.AUTHORS_SEED)
        for scene in scenes
        for preset in TITLES
    ]


def write_tables(space: Workspace, scenes: Sequence[str]) -> str:
    """Write the tables of the runs; returns the main ones as Markdown."""
    runs = planned(scenes)
    tables = render.proposed_tables(runs, space)
    agreement = render.agreement_table(runs, space)
    render.write_table("proposed", tables, space)
    render.write_table("agreement", agreement, space)
    render.write_table("runs", render.settings_table(runs, space), space)
    return f"{tables}\n\n{agreement}"


def fill_readme() -> None:
    """Set the README's blocks that come from these runs."""
    render.fill_readme("proposed", render.proposed_tables(planned(), REAL))
    render.fill_readme("agreement", render.agreement_table(planned(), REAL))
