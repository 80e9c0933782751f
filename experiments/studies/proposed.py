"""The rows "Proposed" of Tables 2 and 3: LREN with both presets and the authors' seed."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import published
from experiments.rendering import tables
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace

STUDY = "proposed"
TITLES = {"release": "LREN, as released", "paper": "LREN, as written"}


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[LrenRun]:
    """Both presets on every scene."""
    return [
        LrenRun(STUDY, scene, preset, published.AUTHORS_SEED)
        for scene in scenes
        for preset in TITLES
    ]


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write the tables of the runs; returns the main ones as Markdown."""
    runs = planned(scenes)
    main = tables.proposed_tables(runs, space)
    agreement = tables.agreement_table(runs, space)
    tables.write_table("proposed", main, space)
    tables.write_table("agreement", agreement, space)
    tables.write_table("runs", tables.settings_table(runs, space), space)
    return f"{main}\n\n{agreement}"


def blocks(space: Workspace) -> dict[str, str]:
    """Return the rows "Proposed" and the agreement with the release for a page."""
    return {
        "proposed": tables.proposed_tables(planned(), space),
        "agreement": tables.agreement_table(planned(), space),
    }
