"""Every run of every study, each once."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import published
from experiments.runs import training_run
from experiments.runs.run import Run
from experiments.studies import (
    ablation,
    comparators,
    comparison,
    evidence,
    failures,
    implants,
    odds,
    proposed,
    recent_methods,
    robust,
    robust_study,
    sensitivity,
    training_bound,
)
from lren_tf import datasets


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[Run]:
    """Return all runs that need no other one, on these scenes, the tables of ODDS and simulated
    scenes."""
    tables = odds.available()
    further = evidence.available(datasets.further_names())
    runs: list[Run] = [
        *proposed.planned(scenes), *robust.planned(scenes), *comparison.planned(scenes),
        *training_run.planned(scenes), *ablation.planned(scenes), *sensitivity.planned(scenes),
        *comparators.planned([*scenes, *further]),
        *recent_methods.planned([*scenes, *further]),
        *robust_study.planned(scenes), *odds.planned(tables),
        *evidence.planned([*scenes, *further]), *implants.planned([*scenes, *further]),
        *training_bound.planned(),
    ]  # fmt: skip
    return list(dict.fromkeys(runs))


def planned_last(scenes: Sequence[str] = tuple(published.SCENES)) -> list[Run]:
    """Return the runs that ask the models of others."""
    return list(failures.planned(scenes))


def everything(scenes: Sequence[str] = tuple(published.SCENES)) -> list[Run]:
    """Return all runs on these scenes, and of ODDS and simulated scenes whether at hand or not."""
    runs: list[Run] = [
        *proposed.planned(scenes), *robust.planned(scenes), *comparison.planned(scenes),
        *training_run.planned(scenes), *ablation.planned(scenes), *sensitivity.planned(scenes),
        *comparators.planned([*scenes, *datasets.further_names()]),
        *recent_methods.planned([*scenes, *datasets.further_names()]),
        *robust_study.planned(scenes), *odds.planned(), *failures.planned(scenes),
        *evidence.planned([*scenes, *datasets.further_names()]), *implants.planned(),
        *training_bound.planned(),
    ]  # fmt: skip
    return list(dict.fromkeys(runs))
