"""The rows "Proposed" of Tables 2 and 3: LREN with both presets and the authors' seed."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import published
from experiments.rendering import tables
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import REAL, Workspace

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
    main = tables.proposed_tables(runs, space)
    agreement = tables.agreement_table(runs, space)
    tables.write_table("proposed", main, space)
    tables.write_table("agreement", agreement, space)
    tables.write_table("runs", tables.settings_table(runs, space), space)
    return f"{main}\n\n{agreement}"


def fill_readme() -> None:
    """Set the README's blocks that come from these runs."""
    tables.fill_readme("proposed", tables.proposed_tables(planned(), REAL))
    tables.fill_readme("agreement", tables.agreement_table(planned(), REAL))
