"""The study of failures, on a small simulated scene with a few epochs and on made-up answers."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from experiments import published
from experiments.rendering import tables
from experiments.rendering.captions import STUDIES
from experiments.runs import command, scenarios, training_run
from experiments.runs import run as runs
from experiments.runs.command import execute_missing
from experiments.runs.run import Workspace, is_finished, load_map, load_result
from experiments.studies import failures
from experiments.studies.failures import FailureRun, ask
from lren_tf import LREN, TrainingDiverged, datasets, detectors, metrics, plots
from lren_tf.low_rank.solve import solve_low_rank

SCENES = tuple(published.SCENES)
SCENE = datasets.simulate(24, 20, 12, seed=3)
RUN = FailureRun(failures.STUDY, "pavia", "release", 123)
FIT = LREN.fit


def short_fit(self, x, **options):
    return FIT(self, x, **{"epochs": 3, "verbose": 0, **options})


def quick(patch):
    """Three epochs, no scenarios, and the simulated scene under every name."""
    patch.setattr(LREN, "fit", short_fit)
    patch.setattr(runs, "load_scene", lambda name: SCENE)
    patch.setattr(scenarios, "measure", lambda *_: {})


@pytest.fixture(autouse=True)
def short(monkeypatch):
    quick(monkeypatch)


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def model():
    """With three latent units, which the atoms of so short a training span."""
    made = LREN("release", seed=123, latent_units=3)
    short_fit(made, SCENE)
    return made


@pytest.fixture(scope="module")
def scene(model):
    """The simulated scene, of which the pixels of two atoms are said to be anomalies: training
    does not look at the truth."""
    chosen = np.unique(model.dictionary.pixels)
    assert len(chosen) > 3
    truth = SCENE.truth.copy()
    truth.ravel()[chosen] = False
    truth.ravel()[chosen[:2]] = True
    return dataclasses.replace(SCENE, truth=truth)


@pytest.fixture(scope="module")
def path(model, scene):
    return training_run.lambda_path(model, scene)


@pytest.fixture(scope="module")
def found(model, scene, path):
    return ask(model, scene, path)


def areas(score, scene):
    score = score.reshape(scene.shape[:2])
    return {
        "auc_pd_pf": metrics.auc_pd_pf(score, scene.truth),
        "auc_pf_tau": metrics.auc_pf_tau(score, scene.truth),
    }


# --- what is asked of a model -----------------------------------------------------------------


def test_an_atom_that_is_an_anomaly_is_found(found, model, scene):
    atoms, pixels = found[0]["atoms"], model.dictionary.pixels
    assert [atom["pixel"] for atom in atoms] == pixels.tolist()
    assert [atom["component"] for atom in atoms] == model.dictionary.components.tolist()
    assert [atom["anomalous"] for atom in atoms] == scene.truth.ravel()[pixels].tolist()
    assert found[0]["anomalous_atoms"] == sum(atom["anomalous"] for atom in atoms) >= 2
    rows, columns = np.nonzero(scene.truth)
    for atom in atoms:
        row, column = divmod(atom["pixel"], scene.width)
        near = np.min(np.maximum(abs(rows - row), abs(columns - column))) <= 1
        assert atom["beside_an_anomaly"] == near
    assert not all(atom["beside_an_anomaly"] for atom in atoms)


def test_each_atom_and_all_anomalous_ones_are_removed(found, model, scene):
    atoms = model.dictionary.atoms
    for index in (0, len(atoms) - 1):
        rest = np.delete(atoms, index, axis=0)
        score = model.score_of(model.decompose(scene, atoms=rest))
        assert found[0]["atoms"][index]["without"] == areas(score, scene)
    rest = atoms[~scene.truth.ravel()[model.dictionary.pixels]]
    assert 0 < len(rest) < len(atoms)
    score = model.score_of(model.decompose(scene, atoms=rest))
    assert found[0]["without_anomalous_atoms"] == areas(score, scene)
    assert found[0]["score"] == areas(model.score(scene), scene)
    assert found[0]["without_anomalous_atoms"] != found[0]["score"]


def test_where_no_atom_is_an_anomaly_none_is_removed(model, path):
    truth = np.zeros_like(SCENE.truth)
    truth.ravel()[np.setdiff1d(np.arange(truth.size), model.dictionary.pixels)[:5]] = True
    answers, _ = ask(model, dataclasses.replace(SCENE, truth=truth), path)
    assert answers["anomalous_atoms"] == 0 and answers["without_anomalous_atoms"] is None


def test_a_centroid_is_no_pixel_and_no_anomaly(scene):
    paper = LREN("paper", seed=1)
    paper.fit(scene)
    answers, _ = ask(paper, scene, {"lam": [0.1], "represented": [0.5]})
    centroids = [atom for atom in answers["atoms"] if atom["pixel"] == -1]
    assert len(centroids) == len(answers["atoms"]) / 2
    for atom in centroids:
        assert atom["anomalous"] is None and atom["beside_an_anomaly"] is None
        assert atom["without"] is not None


def test_what_is_left_without_an_atom_may_be_nothing(model, scene):
    assert failures._without(model, scene, np.zeros((0, 3))) is None
    assert failures._without(model, scene, np.zeros((2, 3))) is None
    high, low = ({"auc_pd_pf": value, "auc_pf_tau": 0.1} for value in (0.9, 0.6))
    atoms = [{"without": None}, {"without": low}, {"without": high}]
    assert failures.best_to_remove({"atoms": atoms}) is high
    assert failures.best_to_remove({"atoms": atoms[:1]}) is None


def test_shares_residuals_and_lengths_are_by_class(found, model, scene):
    answers, _ = found
    score = model.score(scene)
    z = model(scene.pixels)["latent"].numpy().astype(np.float64)
    length = np.linalg.norm(z, axis=1).reshape(score.shape)
    residual = np.linalg.norm(model.decompose(scene).A, axis=1).reshape(score.shape)
    for name, chosen in (("anomalies", scene.truth), ("background", ~scene.truth)):
        assert answers["represented"][name] == np.mean(score[chosen] == 0)
        assert answers["latent_length"][name] == np.median(length[chosen])
        relative = np.median((residual / length)[chosen])
        assert answers["relative_residual"][name] == pytest.approx(relative, rel=1e-12)


def test_the_large_lambda_is_the_first_that_leaves_a_tenth(found, model, scene, path):
    answers, dual = found
    shares = np.array(path["represented"])
    assert 0 < (shares >= 0.9).sum() < len(shares)
    lam = path["lam"][int(np.argmax(shares >= 0.9))]
    large = answers["large_lambda"]
    assert large["lam"] == lam
    solution = model.decompose(scene, lam=lam)
    assert dual.dtype == np.float32 and dual.shape == scene.shape[:2]
    norms = np.linalg.norm(solution.Y, axis=1)
    np.testing.assert_array_equal(dual.ravel(), norms.astype(np.float32))
    score = model.score_of(solution)
    assert large["score"] == areas(score, scene) and large["multiplier"] == areas(dual, scene)
    truth = scene.truth.ravel()
    assert large["represented"] == {
        "anomalies": np.mean(score[truth] == 0), "background": np.mean(score[~truth] == 0),
    }  # fmt: skip


def test_where_every_lambda_leaves_a_residual_the_multiplier_is_not_asked(model, scene, space):
    """Its norm is λ there, up to rounding, and ranks that."""
    answers, dual = ask(model, scene, {"lam": [1e-4, 1e-3], "represented": [0.0, 0.1]})
    large = answers["large_lambda"]
    assert large["lam"] == 1e-3 and large["multiplier"] is large["ties_broken"] is None
    np.testing.assert_allclose(dual, 1e-3, rtol=0.05)
    write(space, RUN, 0.99)
    path = RUN.result_path(space)
    path.write_text(json.dumps({**json.loads(path.read_text()), "large_lambda": large}))
    assert "| 0.9500 | – | – | – | – | 3.0 / 2.0 |" in failures.table(space, SCENES)
    assert "| 0.9500 | – | 0.9900 |" in failures.summary(space, SCENES)


def test_the_multiplier_ranks_only_what_is_represented():
    """Where the residual is not 0 the multiplier's norm is λ, elsewhere at most that."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    result = solve_low_rank(X, X[:8], 0.2, rho=1.005, max_iterations=5000)
    norms, left = np.linalg.norm(result.Y, axis=1), np.linalg.norm(result.A, axis=1) > 1e-6
    assert 0.1 < left.mean() < 0.9
    np.testing.assert_allclose(norms[left], 0.2, rtol=1e-6)
    assert norms[~left].max() <= 0.2 * (1 + 1e-6) and np.ptp(norms[~left]) > 0.01


def test_ties_of_the_score_are_broken_by_the_multiplier(found, model, scene):
    score, dual = np.array([0, 0, 2, 0, 1.0]), np.array([1, 3, 0, 1, 9.0])
    places = failures._ranks(score, dual)
    np.testing.assert_array_equal(places, [0, 1, 3, 0, 2])
    sparse = model.score_of(model.decompose(scene, lam=found[0]["large_lambda"]["lam"]))
    places = failures._ranks(sparse, found[1].ravel())
    assert found[0]["large_lambda"]["ties_broken"] == areas(places, scene)
    above = sparse[:, None] > sparse
    assert ((places[:, None] > places) | ~above).all(), "only ties are broken"


def test_other_scores_are_those_of_the_same_network(found, model, scene):
    energy = model.with_settings(scene, scoring="energy").score(scene)
    out = model(scene.pixels)
    z = out["latent"].numpy().astype(np.float64).reshape(*scene.shape[:2], -1)
    left = scene.pixels - out["reconstruction"].numpy().astype(np.float64)
    left /= scene.pixels.std(axis=0)
    assert found[0]["other_scores"] == {
        "energy of the background": areas(energy, scene),
        "RX of the latent samples": areas(detectors.create("rx").score(z), scene),
        "reconstruction error": areas(np.linalg.norm(left, axis=1), scene),
    }


@pytest.mark.parametrize("s", [0.3, 3.0])
def test_samples_and_atoms_s_times_as_large_are_lambda_s_times_as_large(s):
    """What the table of scale says, of solutions: μ has to grow slowly for them."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    options = {"rho": 1.005, "max_iterations": 5000}
    scaled = solve_low_rank(s * X, s * X[:8], 0.2 / s, **options)
    plain = solve_low_rank(X, X[:8], 0.2, **options)
    left = np.linalg.norm(plain.A, axis=1)
    assert 0.1 < np.mean(left > 1e-6) < 0.9
    np.testing.assert_allclose(scaled.A / s, plain.A, atol=1e-6)
    np.testing.assert_allclose(scaled.W, plain.W, atol=1e-6)
    other = solve_low_rank(s * X, s * X[:8], 0.2, **options)
    assert np.abs(other.A / s - plain.A).max() > 0.1 * left.max(), "it is not the same λ"


# --- runs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A workspace in which one training was missing and has been asked."""
    here = Workspace(tmp_path_factory.mktemp("asked"))
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        execute_missing([RUN], here, processes=0)
    return here


def test_every_training_is_asked():
    planned = failures.planned()
    assert len(set(planned)) == 80
    assert [run.training for run in planned] == training_run.planned()
    assert len({run.result_path(runs.REFERENCE) for run in planned}) == 80
    assert {run.study for run in planned} == {"failures"}


def test_a_missing_training_is_run_and_the_record_says_what_it_takes(asked):
    kept, trained = load_result(RUN, asked), load_result(RUN.training, asked)
    assert trained["status"] == kept["status"] == "finished" and is_finished(RUN, asked)
    assert kept["training_commit"] == trained["commit"] and kept["seed"] == 123
    assert kept["settings"] == trained["settings"] and kept["lam"] == RUN.training.lam
    assert kept["scene"]["name"] == "pavia" and kept["scene"]["source"] is None
    assert kept["seconds"]["ask"] > 0 and kept["versions"] and kept["time"]
    model = LREN("release", seed=123, lam=RUN.training.lam)
    model.fit(SCENE)
    answers, dual = ask(model, SCENE, trained["lambda_path"])
    assert {name: kept[name] for name in answers} == json.loads(json.dumps(answers))
    np.testing.assert_array_equal(load_map(RUN, asked), dual)
    assert kept["metrics"] == metrics.evaluate(dual, SCENE.truth)
    score = {area: trained["metrics"][area] for area in kept["score"]}
    assert kept["score"] == score, "the loaded model is the one that was trained"


def test_a_kept_model_is_asked_and_not_trained_again(asked, monkeypatch):
    before = load_result(RUN, asked)

    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(training_run.TrainingRun, "execute", refuse)
    RUN.execute(SCENE, asked)
    after = load_result(RUN, asked)
    assert {**after, "time": 0, "seconds": 0} == {**before, "time": 0, "seconds": 0}


@pytest.mark.parametrize("suffix", [".keras", ".npy"])
def test_a_training_without_its_model_or_map_is_run_again(space, monkeypatch, suffix):
    trained = []
    execute = training_run.TrainingRun.execute
    monkeypatch.setattr(
        training_run.TrainingRun, "execute", lambda *a: trained.append(a[0]) or execute(*a)
    )
    monkeypatch.setattr(failures, "ask", lambda m, s, p: ({}, np.ones(s.shape[:2])))
    RUN.execute(SCENE, space)
    RUN.execute(SCENE, space)
    assert trained == [RUN.training]
    RUN.training.map_path(space).with_suffix(suffix).unlink()
    RUN.execute(SCENE, space)
    assert trained == [RUN.training] * 2


def test_a_training_that_diverged_is_counted_and_not_run_again(space, monkeypatch, capsys):
    trained = []

    def diverge(self, x, **options):
        trained.append(self)
        raise TrainingDiverged("epoch 3, component 1")

    monkeypatch.setattr(LREN, "fit", diverge)
    execute_missing([RUN], space, processes=0)
    kept = load_result(RUN, space)
    assert kept["status"] == "no model" and kept["metrics"] is None and kept["settings"]["seed"]
    assert kept["error"] == "the training gave no model: epoch 3, component 1"
    assert kept["error"] in capsys.readouterr().out
    execute_missing([RUN], space, processes=0)
    execute_missing([RUN], space, processes=0, force=True)
    assert len(trained) == 1
    assert failures.results("release", ["pavia"], space) == []


# --- tables and figure ------------------------------------------------------------------------


def write(space, run, auc, *, anomalous=1, length=2.0, best=0.001):
    """Answers that can be recognised, and the λ path of their training."""

    def of(value):
        return {"auc_pd_pf": value, "auc_pf_tau": 0.1}

    record = {
        "status": "finished",
        "metrics": of(0.5),
        "scene": {"name": run.scene},
        "preset": run.preset,
        "seed": run.seed,
        "lam": 0.01,
        "score": of(auc),
        "atoms": [{"without": of(0.9)}, {"without": of(0.95)}, {"without": None}],
        "anomalous_atoms": anomalous,
        "without_anomalous_atoms": of(0.97) if anomalous else None,
        "represented": {"anomalies": 0.75, "background": 0.25},
        "relative_residual": {"anomalies": 0.3, "background": 0.1},
        "large_lambda": {
            "lam": 0.1, "score": of(0.61), "multiplier": of(0.62), "ties_broken": of(0.63),
        },
        "latent_length": {"anomalies": 3.0, "background": length},
        "other_scores": {"energy of the background": of(0.99),
                         "RX of the latent samples": of(0.98), "reconstruction error": of(0.8)},
    }  # fmt: skip
    lams = list(training_run.LAMBDAS)
    found = [1 - abs(lam - best) for lam in lams]
    training = {"status": "finished", "metrics": of(auc),
                "lambda_path": {"lam": lams, "auc_pd_pf": found}}  # fmt: skip
    for path, value in (
        (run.result_path(space), record), (run.training.result_path(space), training),
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))


def fill(space, values=(0.99, 0.98, 0.95, 0.6), scenes=("pavia",), presets=("release",)):
    for scene in scenes:
        for preset in presets:
            for seed, auc in zip((123, 1, 2, 3), values, strict=False):
                run = FailureRun(failures.STUDY, scene, preset, seed)
                write(space, run, auc, anomalous=seed % 3, length=float(auc * 10))


def test_every_training_has_a_row(space):
    fill(space, presets=("release", "paper"))
    header, _, *rows = failures.table(space, SCENES).splitlines()
    assert len(rows) == 8 and all(row.count("|") == header.count("|") for row in rows)
    assert rows[1] == (
        "| Pavia | `release` | 1 | 0.9800 | 1 of 3 | 75% | 25% | 0.9700 | 0.9500 | 0.1 | 0.6100 "
        "| 0.6200 | 0.6300 | 3.0 / 9.8 | 0.9900 | 0.9800 | 0.8000 |"
    )
    # 123 and 3 have no anomalous atom: there is nothing to remove.
    assert rows[0].startswith("| Pavia | `release` | 123 | 0.9900 | 0 of 3 | 75% | 25% | – |")
    assert [row.split("|")[2].strip() for row in rows] == ["`release`"] * 4 + ["`paper`"] * 4


def test_good_runs_stand_beside_bad_ones(space):
    fill(space)
    header, _, *rows = failures.summary(space, SCENES).splitlines()
    assert all(row.count("|") == header.count("|") for row in rows)
    assert rows == [
        "| `release` | good (AUC ≥ 0.98) | 2 | 0.5 | 3 | 0.9700 | 0.9500 | 0.6200 | 0.9900 "
        "| 0.9800 | 0.8000 |",
        "| `release` | between | 1 | 2 | 3 | 0.9700 | 0.9500 | 0.6200 | 0.9900 | 0.9800 | 0.8000 |",
        "| `release` | bad (AUC < 0.9) | 1 | 0 | 3 | – | 0.9500 | 0.6200 | 0.9900 | 0.9800 "
        "| 0.8000 |",
    ]


def test_the_edges_of_good_and_bad(space):
    fill(space, (0.98, 0.9, 0.97999, 0.89999))
    found = failures.summary(space, SCENES)
    counts = {name: int(n) for name, n in re.findall(r"\| (\w+)[^|]*\| (\d) \|", found)}
    assert counts == {"good": 1, "between": 2, "bad": 1}


def test_anomalies_that_alone_leave_a_residual_give_no_endless_number(space):
    fill(space, (0.99,))
    path = FailureRun(failures.STUDY, "pavia", "release", 123).result_path(space)
    record = json.loads(path.read_text())
    record["relative_residual"]["background"] = 0.0
    record["atoms"] = [{"without": None}]
    path.write_text(json.dumps(record))
    row = failures.summary(space, SCENES).splitlines()[-1]
    assert "| 0 | more than 1000 | – | – | 0.6200 |" in row
    assert "| 0 of 1 | 75% | 25% | – | – |" in failures.table(space, SCENES)


def test_lambda_beside_the_size_of_the_samples(space):
    fill(space)
    fill(space, (0.9, 0.95), scenes=("coast",))
    fill(space, (0.9, 0.9, 0.9), scenes=("hydice",))
    _, _, *rows = failures.scale_table(space, SCENES).splitlines()
    # Coast has two runs, of which there is no correlation; Hydice's are all the same.
    assert [row.split("|")[1].strip() for row in rows] == ["Hydice", "Pavia"]
    assert rows[0].split("|")[6].strip() == "–"
    cells = [cell.strip() for cell in rows[1].strip("|").split("|")]
    assert cells == ["Pavia", "`release`", "4", "6 to 9.9", "0.097", "+1.00", "0.001 to 0.001"]


def test_without_answers_there_is_nothing_to_draw(space):
    assert failures.results("release", SCENES, space) == []
    for made in (failures.table, failures.summary, failures.scale_table):
        assert made(space, SCENES).count("\n") == 1
    assert failures.draw(space, SCENES) == []


def test_the_files_are_those_of_the_captions(space):
    fill(space, scenes=("pavia", "coast"))
    assert failures.write(space, SCENES) == failures.summary(space, SCENES)
    files = list(space.figures.iterdir())
    assert {path.name for path in files} == {"failures.png", "failures.pdf"}
    assert all(path.stat().st_size > 0 for path in files)
    tables = {f"tables/{path.name}" for path in space.tables.iterdir()}
    about = {name for name, caption in STUDIES.items() if caption.studies[0] == "failures"}
    assert tables | {"figures/failures.png"} == about
    summary = failures.summary(space, SCENES)
    assert (space.tables / "failures_summary.md").read_text("utf-8") == f"{summary}\n"


def test_the_figure_shows_the_release_by_all_its_scores(space, monkeypatch):
    fill(space, presets=("paper",), scenes=("coast",))
    fill(space)
    path = FailureRun(failures.STUDY, "pavia", "release", 1).result_path(space)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "atoms": [{"without": None}]}))
    drawn = []
    monkeypatch.setattr(plots, "strip_plot", lambda *a: drawn.append(a))
    monkeypatch.setattr(tables, "save_figures", lambda d, s: [draw() for draw in d.values()])
    failures.draw(space, SCENES)
    values, reference = drawn[0]
    assert list(values) == ["Pavia"] and reference["Pavia"] == 0.9925
    columns = list(values["Pavia"].values())
    assert columns[0] == [0.99, 0.98, 0.95, 0.6]
    np.testing.assert_array_equal(columns[1], [0.95, np.nan, 0.95, 0.95])
    assert columns[2:] == [[0.99] * 4, [0.98] * 4, [0.8] * 4]


def test_the_block_of_a_page_is_the_summary(space):
    fill(space)
    assert failures.blocks(space) == {"failures": failures.summary(space, SCENES)}


def test_without_real_scenes_nothing_is_asked(monkeypatch, capsys):
    monkeypatch.setattr(command, "available_scenes", list)
    assert failures.main([]) == 2
    assert "needs the real scenes" in capsys.readouterr().out


def test_the_command_asks_and_renders(space, monkeypatch, capsys):
    fill(space)
    asked = []
    monkeypatch.setattr(command, "RESULTS", space)
    monkeypatch.setattr(command, "available_scenes", lambda: ["pavia"])
    monkeypatch.setattr(command, "execute_missing", lambda *a, **k: asked.append((a, k)))
    assert failures.main([]) == 0
    assert asked == [((failures.planned(["pavia"]), space), {"force": False, "processes": None})]
    assert (space.figures / "failures.png").is_file()
    assert "good (AUC ≥ 0.98)" in capsys.readouterr().out
