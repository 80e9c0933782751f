"""Ablation, λ path, seeds and ODDS on a small simulated scene, with a few epochs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import scipy.io

from experiments import published
from experiments.rendering.captions import STUDIES
from experiments.runs import command, scenarios, training_run
from experiments.runs import run as runs
from experiments.runs.command import execute_missing
from experiments.runs.run import Workspace, load_map
from experiments.studies import ablation, lambda_path, odds, seeds
from lren_tf import LREN, InputError, datasets, metrics, presets
from lren_tf.settings import AFTER_TRAINING

RUN = training_run.TrainingRun(training_run.STUDY, "pavia", "release", 123)
SEPARATE = ablation.SeparateRun(ablation.STUDY, "pavia", "release", 123)
SCENE = datasets.simulate(24, 20, 12, seed=3)
FIT = LREN.fit


def short_fit(self, x, **options):
    return FIT(self, x, **{"epochs": 3, "verbose": 0, **options})


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Three epochs instead of a thousand, and the simulated scene under every name."""
    monkeypatch.setattr(LREN, "fit", short_fit)
    monkeypatch.setattr(runs, "load_scene", lambda name: SCENE)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """What one training and one training in parts leave."""
    space = Workspace(tmp_path_factory.mktemp("space"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LREN, "fit", short_fit)
        return space, RUN.execute(SCENE, space), SEPARATE.execute(SCENE, space)


def fitted(**settings):
    model = LREN("release", seed=123, **{"lam": RUN.lam, **settings})
    model.fit(SCENE)
    return model


def fill(space, run, auc, status="finished"):
    """A record as a run leaves it, with areas that can be recognised."""
    good = status == "finished"
    areas = {"auc_pd_pf": auc, "auc_pf_tau": 1 - auc}
    joint = not isinstance(run, ablation.SeparateRun)
    names = [n for n, r in scenarios.READINGS.items() if r.settings]
    record = {
        "status": status,
        "metrics": areas if good else None,
        "scenarios": {
            name: {key: value / 2 for key, value in areas.items()} for name in names
        },
        "lambda_path": {
            key: [value * (1 - 0.01 * abs(i - 3)) for i in range(13)]
            for key, value in areas.items()
        } if joint else None,
    }  # fmt: skip
    path = run.result_path(space)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


# --- what is planned --------------------------------------------------------------------------


def test_nothing_is_trained_twice():
    everything = {
        *training_run.planned(), *seeds.planned(), *ablation.planned(), *odds.planned(),
    }  # fmt: skip
    assert len(training_run.planned()) == len(seeds.planned()) == 10 * 4 * 2
    assert len(ablation.planned()) == 2 * (10 + 2) * 4
    assert len(everything) == 80 + 16 + 20
    assert len({run.result_path(runs.REFERENCE) for run in everything}) == 116
    assert {run.seed for run in training_run.planned()} == {123, *range(1, 10)}


def test_every_published_lambda_is_on_the_path():
    assert len(training_run.LAMBDAS) == 13
    assert (training_run.LAMBDAS[0], training_run.LAMBDAS[-1]) == (1e-4, 1.0)
    for by_scene in published.LAMBDA.values():
        assert set(by_scene.values()) <= set(training_run.LAMBDAS)


def test_every_scenario_is_settings_and_a_sentence():
    assert tuple(scenarios.READINGS)[:5] == scenarios.TABLE1 == tuple(published.TABLE1)
    for name, reading in scenarios.READINGS.items():
        assert reading.scenario == name[0]
        assert re.fullmatch(r"[^.]+[^.]*\.", reading.sentence), "one sentence"
        assert set(reading.settings) <= set(AFTER_TRAINING)
        presets.resolve("paper", training=reading.training, **reading.settings)


# --- one training, everything asked of it -----------------------------------------------------


def test_a_training_keeps_the_score_the_path_and_the_scenarios(records):
    space, record, _ = records
    kept = json.loads(RUN.result_path(space).read_text())
    assert kept["lambda_path"]["lam"] == list(training_run.LAMBDAS)
    assert {len(values) for values in kept["lambda_path"].values()} == {13}
    assert set(kept["scenarios"]) == {"A", "C", "A_l1", "A_none", "B_joint"}
    assert kept["seconds"]["further"] > 0 and kept["settings"]["training"] == "joint"
    model = fitted()
    np.testing.assert_array_equal(load_map(RUN, space), model.score(SCENE))
    at = training_run.LAMBDAS.index(RUN.lam)
    for area in ("auc_pd_pf", "auc_pf_tau"):
        assert kept["lambda_path"][area][at] == kept["metrics"][area] == record["metrics"][area]
    reloaded = keras.models.load_model(RUN.model_path(space))
    np.testing.assert_array_equal(reloaded.score(SCENE), load_map(RUN, space))
    score = model.score(SCENE, lam=0.1)
    at = training_run.LAMBDAS.index(0.1)
    assert kept["lambda_path"]["auc_pd_pf"][at] == metrics.auc_pd_pf(score, SCENE.truth)
    assert kept["lambda_path"]["represented"][at] == np.mean(score == 0)


@pytest.mark.parametrize("name", ["A", "C", "B_joint"])
def test_a_scenario_is_what_a_training_with_its_settings_gives(records, name):
    score = fitted(**scenarios.READINGS[name].settings).score(SCENE)
    kept = records[1]["scenarios"][name]
    assert kept["auc_pd_pf"] == metrics.auc_pd_pf(score, SCENE.truth)
    assert kept["auc_pf_tau"] == metrics.auc_pf_tau(score, SCENE.truth)


def test_without_a_penalty_the_score_is_the_norm_of_the_latent_sample(records):
    z = fitted()(SCENE.pixels)["latent"].numpy()
    norm = np.linalg.norm(z, axis=1).reshape(SCENE.shape[:2])
    kept = records[1]["scenarios"]["A_none"]
    assert kept["auc_pd_pf"] == pytest.approx(metrics.auc_pd_pf(norm, SCENE.truth), abs=1e-3)
    assert kept["auc_pf_tau"] == pytest.approx(metrics.auc_pf_tau(norm, SCENE.truth), abs=1e-3)


def test_a_training_in_parts_gives_d_and_b(records):
    space, _, record = records
    assert record["settings"]["training"] == "separate" and set(record["scenarios"]) == {"B"}
    parts = fitted(training="separate")
    np.testing.assert_array_equal(load_map(SEPARATE, space), parts.score(SCENE))
    score = fitted(training="separate", dictionary="kmeans").score(SCENE)
    assert record["scenarios"]["B"]["auc_pd_pf"] == metrics.auc_pd_pf(score, SCENE.truth)


# --- Table 1 ----------------------------------------------------------------------------------


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path)


def rows(table):
    return {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in table.splitlines()[2:]
    }


def test_table_1_averages_over_scenes_and_spreads_over_seeds(space):
    scenes = tuple(published.SCENES)
    for run in ablation.planned():
        fill(space, run, 0.5 + 0.1 * scenes.index(run.scene) + 0.001 * (run.seed % 100))
    cells = rows(ablation.area_table("pd_pf", scenarios.TABLE1, scenes, space))
    assert cells["(E)"] == ["0.9951", "10", *["0.6730", "0.6555 (0.6510 to 0.6730)"] * 2]
    assert cells["(D)"] == ["0.9428", "2", *["0.6730", "0.6620 (0.6510 to 0.6730)"] * 2]
    assert cells["(A)"] == ["0.8692", "10", *["0.3365", "0.3277 (0.3255 to 0.3365)"] * 2]
    alarm = rows(ablation.area_table("pf_tau", ("B_joint",), scenes, space))
    assert alarm["(B) joint"][:3] == ["0.2180", "10", "0.1635"]
    scene = ablation.scene_table("pd_pf", scenes, space)
    assert "| (E) | Pavia | 10 | 0.8230 | 0.8055 (0.8010 to 0.8230) |" in scene


def test_a_failed_run_is_counted_and_a_missing_one_is_a_dash(space):
    scenes = ("coast", "pavia")
    for run in ablation.planned(scenes):
        failed = run.seed == 2 and run.scene == "coast" and run.preset == "paper"
        if run.preset == "paper":
            fill(space, run, 0.8, "diverged" if failed else "finished")
    cells = rows(ablation.area_table("pd_pf", ("E",), scenes, space))["(E)"]
    assert cells[:4] == ["0.9951", "10", "–", "–"]
    assert cells[4:] == ["0.8000", "0.8000 (0.8000 to 0.8000), 1 failed"]
    fill(space, ablation.run_of("E", "coast", "paper", 123), 0.8, "diverged")
    cells = rows(ablation.area_table("pd_pf", ("E",), scenes, space))["(E)"]
    assert cells[4] == "failed" and cells[5].endswith("2 failed")


def test_the_tables_are_written_with_the_definitions(space):
    text = ablation.write(space, tuple(published.SCENES))
    for name in scenarios.TABLE1:
        assert f"**({name})** {scenarios.READINGS[name].sentence}" in text
    assert scenarios.SILENT in text
    others = (space.tables / "table1_readings.md").read_text()
    assert all(scenarios.READINGS[name].sentence in others for name in scenarios.OTHERS)


# --- Figure 3 and seeds -----------------------------------------------------------------------


@pytest.fixture
def finished(space):
    """Three seeds of every scene and preset, one of them failed."""
    for run in training_run.planned(seeds=(123, 1, 2)):
        bad = (run.scene, run.preset, run.seed) == ("coast", "paper", 2)
        fill(space, run, 0.9 + 0.01 * (run.seed % 10), "diverged" if bad else "finished")
    return space


def test_the_path_of_every_seed_that_gave_a_map(finished):
    assert lambda_path.paths("pavia", "paper", "auc_pd_pf", finished).shape == (3, 13)
    assert lambda_path.paths("coast", "paper", "auc_pd_pf", finished).shape == (2, 13)
    empty = Workspace(finished.root / "x")
    assert lambda_path.paths("pavia", "paper", "auc_pd_pf", empty).shape == (0, 13)


def test_figure_3_and_its_table(finished):
    scenes = tuple(published.SCENES)
    lambda_path.write(finished, scenes)
    files = finished.figures.glob("figure3*")
    assert {path.name for path in files} == {"figure3_lambda.png", "figure3_lambda.pdf"}
    table = (finished.tables / "figure3.md").read_text()
    # The made-up areas are highest at the fourth λ, 1e-3; AUC(Pf,τ) has its medians there too.
    assert "| Pavia | `paper` | 3 | 0.001 | 0.9200 | 0.0800 | 0.001 | 0.9200 | 0.0800 |" in table
    assert "| Coast | `paper` | 2 | 0.01 | 0.8924 | 0.0776 | 0.001 | 0.9200 | 0.0800 |" in table
    assert lambda_path.draw(Workspace(finished.root / "empty"), scenes) == []


def test_the_seed_study_counts_failures_and_marks_the_paper(finished):
    table = seeds.table(finished)
    assert "| SanDiego | `release` | 3 | 0 | 0.9897 | 0.9200 | 0.9100 | 0.9300 |" in table
    assert "| Coast | `paper` | 3 | 1 | 0.9982 | 0.9200 | 0.9100 | 0.9300 |" in table
    files = seeds.draw(finished, tuple(published.SCENES))
    assert {path.stem for path in files} == {"seeds_pd_pf", "seeds_pf_tau"}


# --- ODDS -------------------------------------------------------------------------------------


@pytest.fixture
def tables(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    X, y = rng.normal(size=(60, 6)), (np.arange(60) < 5).astype(np.uint8)
    X[:5] += 4
    np.savez(folder / "thyroid.npz", X=X, y=y)
    wide = np.concatenate([X, np.ones((60, 1)), rng.normal(size=(60, 20))], axis=1)
    scipy.io.savemat(folder / "arrhythmia.mat", {"X": wide, "y": y[:, None]})
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(folder))
    return folder


@pytest.mark.parametrize("name", odds.FILES)
def test_a_table_is_fitted_as_a_table(name, tables, space):
    run = odds.OddsRun(odds.STUDY, name, "paper", 1)
    execute_missing([run], space, processes=0)
    kept = json.loads(run.result_path(space).read_text())
    assert kept["status"] == "finished" and kept["lambda_from"] == "the preset"
    assert kept["settings"] == {**presets.PAPER.as_dict(), "seed": 1}
    assert kept["scene"]["name"] == name and kept["scene"]["anomalous"] == 5
    assert any("constant" in note for note in kept["notices"]) == (name == "arrhythmia")
    row = odds.table(space).splitlines()[-1]
    paper = published.ODDS[name]
    value = f"{kept['metrics']['auc_pd_pf']:.4f}"
    assert row.startswith(
        f"| {name.capitalize()} | `paper` | 1 | 0 | {paper.pd_pf:.4f} | {value} | {value} |"
    )
    X = odds.load_table(name).pixels
    model = LREN("paper", seed=1)
    if name == "thyroid":
        model.fit(X)
        np.testing.assert_array_equal(load_map(run, space).ravel(), model.score(X))


def test_a_table_that_is_not_here_is_said_in_a_sentence(tables, capsys, monkeypatch):
    (tables / "thyroid.npz").unlink()
    assert odds.available() == ["arrhythmia"]
    assert "thyroid: thyroid.npz was not found; expected it in" in capsys.readouterr().out
    scipy.io.savemat(tables / "arrhythmia.mat", {"X": np.ones((3, 2)), "y": np.ones(4)})
    with pytest.raises(InputError, match="holds 3 rows in X and 4 in y; expected as many"):
        odds.load_table("arrhythmia")
    scipy.io.savemat(tables / "arrhythmia.mat", {"X": np.ones((3, 2))})
    with pytest.raises(InputError, match="holds no X"):
        odds.load_table("arrhythmia")
    monkeypatch.delenv(datasets.DATA_VARIABLE)
    assert odds.available() == []
    assert odds.main([]) == 2


# --- captions ---------------------------------------------------------------------------------


def test_captions_of_the_studies_are_those_of_the_files_they_write(finished, tables):
    scenes = tuple(published.SCENES)
    for study in (ablation, lambda_path, seeds, odds):
        study.write(finished, scenes)
    written = {
        path.relative_to(finished.root).as_posix()
        for folder, kind in ((finished.tables, "*.md"), (finished.figures, "*.png"))
        for path in folder.glob(kind)
    }
    # Those of the other studies have tests of their own.
    about = {
        name
        for name, caption in STUDIES.items()
        if caption.studies[0] in (ablation.STUDY, training_run.STUDY, odds.STUDY)
    }
    assert written == about


def test_tables_alone_run_nothing(monkeypatch, capsys):
    def refused(*arguments, **options):
        raise AssertionError("a run was asked for")

    for name in ("available_scenes", "execute_missing"):
        monkeypatch.setattr(command, name, refused)
    made = []
    assert command.carry_out("seeds", "", ["--tables"], refused, lambda *a: made.append(a)) == 0
    assert made == [(runs.RESULTS, tuple(published.SCENES))]
    with pytest.raises(SystemExit):
        command.carry_out("seeds", "", ["--tables", "--force"], refused, refused)


@pytest.mark.parametrize("module", [seeds, lambda_path, ablation])
def test_without_real_scenes_nothing_is_run(module, monkeypatch, capsys):
    monkeypatch.setattr(command, "available_scenes", list)
    assert module.main([]) == 2
    assert "needs the real scenes" in capsys.readouterr().out


def test_a_run_is_known_by_study_scene_preset_and_seed(space):
    assert RUN.result_path(space).parts[-3:] == ("trainings", "pavia", "release_seed123.json")
    assert SEPARATE.result_path(space).parts[-3:] == ("ablation", "pavia", "release_seed123.json")
    assert replace(RUN, preset="paper").lam == 1e-3
