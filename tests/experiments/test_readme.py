"""Numbers on the README and in the tables are those of the committed JSON files."""

from __future__ import annotations

import json
import math
import re

import pytest

from benchmarks import tables
from experiments import published
from experiments.rendering import tables
from experiments.reporting.provenance import ROOT
from experiments.runs import training_run
from experiments.runs.run import REAL
from experiments.runs.scenarios import OTHERS, TABLE1
from experiments.studies import (
    ablation,
    comparison,
    failures,
    lambda_path,
    odds,
    proposed,
    robust,
    robust_study,
    seeds,
    sensitivity,
    varied_scenes,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = sorted((ROOT / "experiments" / "results").rglob("*.json"))


def block(name: str) -> str:
    match = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", README, re.DOTALL)
    assert match, f"the README has no block {name}"
    return match[1].strip()


def test_proposed_rows_are_those_of_the_results():
    assert block("proposed") == tables.proposed_tables(runs(), REAL)


@pytest.mark.parametrize(("name", "area"), [("table2", "pd_pf"), ("table3", "pf_tau")])
def test_comparison_tables_are_those_of_the_results(name, area):
    assert block(name) == comparison.summary_table(area, tuple(published.SCENES), REAL)


def test_reach_of_the_settings_is_that_of_the_results():
    assert block("reach") == sensitivity.reach_table(REAL)


@pytest.mark.parametrize("detector", sensitivity.GRIDS)
def test_committed_sensitivity_is_rendered_from_the_results(detector):
    table = (ROOT / "experiments" / "tables" / f"sensitivity_{detector}.md").read_text("utf-8")
    assert sensitivity.table(detector, REAL) in table


def test_agreement_with_the_release_is_that_of_the_results():
    assert block("agreement") == tables.agreement_table(runs(), REAL)


def test_seeds_are_those_of_the_results():
    assert block("seeds") == seeds.table(REAL)


def test_the_robust_preset_is_that_of_the_results():
    assert block("robust") == robust.table(REAL)
    assert block("robust_lines") == robust.lines_table(REAL)


def test_good_and_bad_runs_are_those_of_the_results():
    assert block("failures") == failures.summary(REAL, tuple(published.SCENES))


def test_speeds_are_those_of_the_benchmarks():
    assert block("benchmarks") == tables.readme_table()


def test_every_planned_run_has_a_result():
    missing = [
        run.label
        for run in (
            *runs(), *comparison.planned(), *sensitivity.planned(), *studies()
        )
        if not run.result_path(REAL).is_file()
    ]
    assert not missing


def test_committed_tables_are_rendered_from_the_results():
    tables = ROOT / "experiments" / "tables"
    assert tables.proposed_tables(runs(), REAL) in (tables / "proposed.md").read_text("utf-8")
    assert tables.agreement_table(runs(), REAL) in (tables / "agreement.md").read_text("utf-8")
    assert tables.settings_table(runs(), REAL) in (tables / "runs.md").read_text("utf-8")
    assert seeds.table(REAL) in (tables / "seeds.md").read_text("utf-8")


def test_committed_studies_are_rendered_from_the_results():
    scenes = tuple(published.SCENES)
    tables = ROOT / "experiments" / "tables"
    for name, render_table in {
        "table1": lambda: ablation.area_table("pd_pf", TABLE1, scenes, REAL),
        "table1_readings": lambda: ablation.area_table("pf_tau", OTHERS, scenes, REAL),
        "table1_scenes": lambda: ablation.scene_table("pd_pf", scenes, REAL),
        "figure3": lambda: lambda_path.table(REAL, scenes),
        "odds": lambda: odds.table(REAL),
        "robust": lambda: robust.table(REAL),
        "robust_lines": lambda: robust.lines_table(REAL),
        "robust_study": lambda: robust_study.table(REAL),
        "failures": lambda: failures.table(REAL, scenes),
        "failures_summary": lambda: failures.summary(REAL, scenes),
        "failures_scale": lambda: failures.scale_table(REAL, scenes),
    }.items():
        path = tables / f"{name}.md"
        if path.is_file():
            assert render_table() in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "area"),
    [("table2", "pd_pf"), ("table3", "pf_tau"), ("table3_paper_grid", "paper_grid")],
)
def test_committed_comparison_is_rendered_from_the_results(name, area):
    table = comparison.area_table(area, tuple(published.SCENES), REAL)
    assert table in (ROOT / "experiments" / "tables" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_result_says_what_it_takes_to_get_it_again(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["study"] == path.parts[-3]
    first = result.get("preset") or result["detector"]
    assert path.stem.startswith(first)
    if result["seed"] is None:
        assert "seed" not in path.stem and "seed" not in result["settings"]
    else:
        assert path.stem.endswith(f"_seed{result['seed']}")
        assert result["settings"]["seed"] == result["seed"]
    assert re.fullmatch("[0-9a-f]{40}", result["commit"])
    assert result["clean"] is True, "run from a tree with changes"
    assert {"tensorflow", "keras", "numpy", "lren_tf"} <= set(result["versions"])
    assert result["time"]
    if result["status"] == "finished":
        assert result["scene"]["name"] == path.parts[-2]
        assert re.fullmatch("[0-9a-f]{64}", result["scene"]["sha256"])
        assert result["scene"]["simulated"] is (path.parts[-2] in varied_scenes.SCENES)
        assert 0 <= result["metrics"]["auc_pd_pf"] <= 1
        assert all(math.isfinite(value) for value in result.get("training", {}).values())
    else:
        assert result["metrics"] is None and result["error"]


def test_no_path_of_a_machine_is_in_a_result():
    assert not [path for path in RESULTS if re.search('"/(?!CPU|GPU)', path.read_text("utf-8"))]


def test_release_is_as_near_to_the_released_results_as_the_readme_says():
    for run in runs():
        if run.preset != "release":
            continue
        result = json.loads(run.result_path(REAL).read_text(encoding="utf-8"))
        log = published.AUTHORS_LOG[run.scene]
        assert abs(result["metrics"]["auc_pd_pf"] - log.pd_pf) <= 0.002
        assert abs(result["metrics"]["auc_pf_tau"] - log.pf_tau) <= 0.008
        least = {"sandiego": 0.999, "hydice": 0.999, "pavia": 0.985}.get(run.scene)
        if least is not None:
            assert result["pearson_with_released_map"] >= least


def studies():
    """Runs of the studies that have been started: one that has begun has to be finished."""
    planned = (
        *robust.planned(), *robust_study.planned(), *training_run.planned(),
        *failures.planned(), *ablation.planned(), *odds.planned(),
    )  # fmt: skip
    begun = {path.relative_to(ROOT / "experiments" / "results").parts[0] for path in RESULTS}
    return [run for run in planned if run.study in begun]


def runs():
    return proposed.planned()
