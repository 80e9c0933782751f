"""Numbers on the pages and in the committed tables are those of the committed JSON files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from experiments import published
from experiments.rendering import pages, tables
from experiments.reporting.markdown import block
from experiments.reporting.provenance import ROOT
from experiments.runs import training_run
from experiments.runs.run import REFERENCE
from experiments.runs.scenarios import OTHERS, TABLE1
from experiments.studies import (
    ablation,
    catalogue,
    comparators,
    comparison,
    evidence,
    evidence_choice,
    failures,
    implanted_scenes,
    implants,
    lambda_path,
    odds,
    proposed,
    recent_methods,
    robust,
    robust_study,
    seeds,
    sensitivity,
    training_bound,
    varied_scenes,
)

CHOICE = evidence_choice.record_path(REFERENCE)
RESULTS = sorted(set(REFERENCE.records.rglob("*.json")) - {CHOICE})
SCENES = tuple(published.SCENES)
SIMULATED = {*varied_scenes.SCENES, *implanted_scenes.SCENES, *training_bound.SCENES}


@pytest.fixture(scope="module")
def bodies() -> dict[str, str]:
    return pages.blocks()


@pytest.mark.parametrize(("name", "page"), pages.PAGES.items())
def test_a_block_is_that_of_the_results(bodies, name, page):
    assert block((ROOT / page).read_text(encoding="utf-8"), name) == bodies[name]


def test_every_generated_block_has_a_page(bodies):
    assert set(bodies) == set(pages.PAGES)
    for page in set(pages.PAGES.values()):
        on_page = re.findall(r"<!-- (\w+):begin -->", (ROOT / page).read_text(encoding="utf-8"))
        assert sorted(on_page) == sorted(b for b, p in pages.PAGES.items() if p == page)


def test_the_summary_is_the_mean_over_the_scenes(bodies):
    """Against the other blocks: means of the rows "Proposed", and of the medians of `robust`."""
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in bodies["summary"].splitlines()
    }
    pd_pf, pf_tau = (
        [cell.strip() for cell in line.split("|")[2:-1]]
        for line in bodies["proposed"].splitlines() if line.startswith("| mean")
    )  # fmt: skip
    assert rows["the paper"] == [pd_pf[0], pf_tau[0]]
    assert rows["preset `release`: the authors' program"] == [pd_pf[2], pf_tau[2]]
    assert rows["preset `paper`: the text, read literally"] == [pd_pf[4], pf_tau[4]]
    lines = [line.split("|") for line in bodies["robust"].splitlines()[2:]]
    medians = [[float(line[column]) for line in lines] for column in (6, 10)]
    here = [float(cell) for cell in rows["preset `robust`: this project's default"]]
    for value, of in zip(here, medians, strict=True):
        assert value == pytest.approx(sum(of) / 4, abs=1e-4)


def test_every_planned_run_has_a_result():
    missing = [run.label for run in catalogue.everything()
               if not run.result_path(REFERENCE).is_file()]  # fmt: skip
    assert not missing


def test_committed_tables_are_rendered_from_the_results():
    runs = proposed.planned()
    rendered = {
        "proposed": tables.proposed_tables(runs, REFERENCE),
        "agreement": tables.agreement_table(runs, REFERENCE),
        "runs": tables.settings_table(runs, REFERENCE),
        "seeds": seeds.table(REFERENCE),
        "table1": ablation.area_table("pd_pf", TABLE1, SCENES, REFERENCE),
        "table1_readings": ablation.area_table("pf_tau", OTHERS, SCENES, REFERENCE),
        "table1_scenes": ablation.scene_table("pd_pf", SCENES, REFERENCE),
        "table2": comparison.area_table("pd_pf", SCENES, REFERENCE),
        "table3": comparison.area_table("pf_tau", SCENES, REFERENCE),
        "table3_paper_grid": comparison.area_table("paper_grid", SCENES, REFERENCE),
        "roc3d": comparison.roc3d_table(SCENES, REFERENCE),
        "detectors": comparison.settings_table(SCENES, REFERENCE),
        "figure3": lambda_path.table(REFERENCE, SCENES),
        "odds": odds.table(REFERENCE),
        "robust": robust.table(REFERENCE),
        "robust_lines": robust.lines_table(REFERENCE),
        "robust_study": robust_study.table(REFERENCE),
        **evidence.blocks(REFERENCE),
        **evidence_choice.blocks(REFERENCE),
        **implants.blocks(REFERENCE),
        **training_bound.blocks(REFERENCE),
        "failures": failures.table(REFERENCE, SCENES),
        "failures_summary": failures.summary(REFERENCE, SCENES),
        "failures_scale": failures.scale_table(REFERENCE, SCENES),
        **comparators.blocks(REFERENCE),
        **recent_methods.blocks(REFERENCE),
        **{f"sensitivity_{d}": sensitivity.table(d, REFERENCE) for d in sensitivity.GRIDS},
    }
    committed = {path.stem: path.read_text("utf-8") for path in REFERENCE.tables.glob("*.md")}
    assert set(committed) == set(rendered)
    assert [name for name, text in rendered.items() if text not in committed[name]] == []


def test_every_record_says_what_it_takes_to_get_it_again():
    faults = {"/".join(path.parts[-3:]): list(faults_of(path)) for path in RESULTS}
    faults = {name: found for name, found in faults.items() if found}
    assert not faults, json.dumps(faults, indent=1)


def faults_of(path: Path) -> list[str]:
    """What is wrong with a record, by the rules that every committed one follows."""
    text = path.read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(text)
    seed, scene = record["seed"], path.parts[-2]
    first = record.get("preset") or record["detector"]
    rules = {
        "the study is not that of the folder": record["study"] == path.parts[-3],
        "the file is not named after the method": path.stem.startswith(first),
        "a commit is 40 hexadecimal digits": re.fullmatch("[0-9a-f]{40}", record["commit"]),
        "run from a tree with changes": record["clean"] is True,
        "a version is missing": {"tensorflow", "keras", "numpy", "lren_tf"}
        <= set(record["versions"]),
        "the time is missing": record["time"],
        "a path of a machine": not re.search('"/(?!CPU|GPU)', text),
    }
    if seed is None:
        rules["a seed that is none"] = (
            "seed" not in path.stem and "seed" not in record["settings"]
        )
    else:
        rules["the seed is not that of the file"] = path.stem.endswith(f"_seed{seed}")
        rules["the seed is not that of the settings"] = record["settings"]["seed"] == seed
    if record["status"] == "finished":
        training = record.get("training", {})
        rules |= {
            "the scene is not that of the folder": record["scene"]["name"] == scene,
            "no hash of the data": re.fullmatch("[0-9a-f]{64}", record["scene"]["sha256"]),
            "simulated or not": record["scene"]["simulated"] is (scene in SIMULATED),
            "an area outside [0, 1]": 0 <= record["metrics"]["auc_pd_pf"] <= 1,
            "a loss that is not finite": all(map(math.isfinite, training.values())),
        }
    else:
        rules["a failure with areas, or without its error"] = (
            record["metrics"] is None and record["error"]
        )
    return [rule for rule, holds in rules.items() if not holds]


def test_the_choice_has_every_candidate_on_every_scene_and_seed():
    record = json.loads(CHOICE.read_text(encoding="utf-8"))
    names = {evidence_choice.SPECTRUM_ALONE, *(c.name for c in evidence_choice.CANDIDATES)}
    assert len(names) == 1 + len(evidence_choice.CANDIDATES) == 56
    assert evidence_choice.PRESET.name in names
    assert set(record["real"]) == set(evidence.SCENES)
    assert set(record["simulated"]) in (set(), set(varied_scenes.SCENES))
    found = [*record["simulated"].values()]
    for by_seed in record["real"].values():
        assert set(by_seed) == set(map(str, evidence_choice.CHOICE_SEEDS))
        found += by_seed.values()
    assert all(set(those) == names for those in found)
    assert record["clean"] is True and re.fullmatch("[0-9a-f]{40}", record["commit"])


def test_the_preset_among_the_candidates_is_the_preset():
    """The study computes the candidates from latents; the preset scores with the library."""
    record = json.loads(CHOICE.read_text(encoding="utf-8"))
    for scene in evidence.SCENES:
        for run in evidence.robust_runs(scene)[:1]:
            measured = json.loads(run.result_path(REFERENCE).read_text(encoding="utf-8"))
            found = record["real"][scene][str(run.seed)][evidence_choice.PRESET.name]
            assert found[0] == pytest.approx(measured["metrics"]["auc_pd_pf"], abs=2e-4)


def test_the_rules_find_a_fault(tmp_path):
    record = json.loads(RESULTS[0].read_text(encoding="utf-8"))
    path = tmp_path.joinpath(*RESULTS[0].parts[-3:])
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    assert faults_of(path) == []
    record["clean"], record["scene"]["source"] = False, "/home/me/scene.mat"
    path.write_text(json.dumps(record))
    assert faults_of(path) == ["run from a tree with changes", "a path of a machine"]


def test_release_is_as_near_to_the_released_results_as_the_page_says():
    for run in proposed.planned():
        if run.preset != "release":
            continue
        result = json.loads(run.result_path(REFERENCE).read_text(encoding="utf-8"))
        log = published.AUTHORS_LOG[run.scene]
        assert abs(result["metrics"]["auc_pd_pf"] - log.pd_pf) <= 0.002
        assert abs(result["metrics"]["auc_pf_tau"] - log.pf_tau) <= 0.008
        least = {"sandiego": 0.999, "hydice": 0.999, "pavia": 0.985}.get(run.scene)
        if least is not None:
            assert result["pearson_with_released_map"] >= least


def test_the_studies_share_their_trainings():
    planned = catalogue.everything()
    assert len(planned) == len(set(planned)) == len({r.result_path(REFERENCE) for r in planned})
    assert set(training_run.planned()) <= set(planned)
