"""The study of KIFD, Auto-AD and PCA-TLRSR: its runs and its tables."""

from __future__ import annotations

import json

from experiments.runs.run import Workspace
from experiments.studies import comparison, recent_methods


def test_what_runs() -> None:
    planned = recent_methods.planned()
    assert len(planned) == len(set(planned)) == 11 + 3 + 3 * 11 + 1 + 3 * 4 + 1
    own = recent_methods.runs_of_its_own_settings("sandiego-58")[0]
    assert own.settings == (("components", 6), ("dictionary_weight", 0.02))
    assert not {run.detector for run in comparison.planned(["coast"])} & set(
        recent_methods.DETECTORS
    )


def test_the_table_has_the_published_value_and_the_spread(tmp_path) -> None:
    space = Workspace(tmp_path)
    for area, run in zip((0.9, 0.8, 1.0), recent_methods.runs_of("kifd", "airport-1"), strict=True):
        run.result_path(space).parent.mkdir(parents=True, exist_ok=True)
        record = {"metrics": {"auc_pd_pf": area}, "seconds": {"score": 3}}
        run.result_path(space).write_text(json.dumps(record))
    lines = [line for line in recent_methods.table(space).splitlines() if "airport-1" in line]
    assert "0.9359 → 0.9000 ± 0.1000" in lines[0] and "0.9207 → –" in lines[0]
    assert "| KIFD | 3 | 3 |" in recent_methods.costs_table(space)
