"""The comparison's runs and tables, on a small simulated scene."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from experiments import published
from experiments.runs.command import execute_missing
from experiments.runs.detector_run import DetectorRun, seeds_of
from experiments.runs.run import Workspace, is_finished, load_map
from experiments.studies import comparison
from lren_tf import InputError, datasets, detectors, metrics
from lren_tf.validators import whole

RX_RUN = DetectorRun("comparison", "sandiego", "rx")


@dataclass(frozen=True)
class Noise(detectors.Detector):
    """A detector that knows nothing, and refuses seed 3."""

    name: ClassVar[str] = "noise"
    title: ClassVar[str] = "AAE"
    stochastic: ClassVar[bool] = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))

    def _score(self, cube: np.ndarray) -> np.ndarray:
        if self.seed == 3:
            raise InputError("seed 3 is refused.")
        return np.random.default_rng(self.seed).random(cube.shape[:2])


@pytest.fixture
def scene():
    return datasets.simulate(24, 20, 12, seed=3)


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture(autouse=True)
def two_detectors(monkeypatch):
    made = {"rx": detectors.detector_class("rx"), "noise": Noise}
    monkeypatch.setattr(detectors, "names", lambda: list(made))
    monkeypatch.setattr(detectors, "detector_class", made.__getitem__)
    monkeypatch.setattr(detectors, "create", lambda name, **settings: made[name](**settings))


def test_a_run_keeps_settings_map_and_judgement(scene, space):
    record = RX_RUN.execute(scene, space)
    kept = json.loads(RX_RUN.result_path(space).read_text())
    assert kept == json.loads(json.dumps(record))
    assert kept["settings"] == {"ridge": 0.0} and kept["seed"] is None
    assert kept["status"] == "finished"
    score = load_map(RX_RUN, space)
    assert kept["metrics"] == metrics.evaluate(score, scene.truth)
    assert is_finished(RX_RUN, space)


def test_settings_and_seed_are_in_the_name():
    run = DetectorRun("s", "pavia", "lrx", 4, (("inner", 7), ("delta", 1e-3)))
    assert run.stem == "lrx_inner-7_delta-0.001_seed4"


def test_stochastic_detectors_run_with_several_seeds():
    assert seeds_of("rx", 5) == (None,)
    assert seeds_of("noise", 5) == (0, 1, 2, 3, 4)
    planned = comparison.planned(["pavia", "coast"])
    assert len(planned) == 2 * (1 + 5)


def test_cells_show_paper_mean_spread_and_failures(scene, space, monkeypatch):
    scene = dataclasses.replace(scene, source="/somewhere/scene.mat")
    monkeypatch.setattr("experiments.runs.run.load_scene", lambda name: scene)
    execute_missing(comparison.planned(["pavia"]), space, processes=0)
    rx, noise = comparison.rows(["pavia"])[:2]
    paper = published.PAPER["RX"]["pavia"].pd_pf
    value = metrics.evaluate(load_map(rx.runs["pavia"][0], space), scene.truth)["auc_pd_pf"]
    assert comparison.cell(rx, "pavia", "pd_pf", space).texts() == [
        f"{paper:.4f}", f"{value:.4f}", f"{value - paper:+.4f}",
    ]
    cell = comparison.cell(noise, "pavia", "pd_pf", space)
    assert len(cell.values) == 4 and cell.failed == 1
    assert "±" in cell.texts()[1] and cell.texts()[1].endswith("(1 failed)")
    assert cell.published == published.PAPER["AAE"]["pavia"].pd_pf
    for run in (*rx.runs["pavia"], *noise.runs["pavia"]):
        assert "somewhere" not in run.result_path(space).read_text()


def test_a_scene_without_results_gives_dashes_and_no_mean(scene, space):
    RX_RUN.execute(scene, space)
    table = comparison.area_table("pd_pf", ["sandiego", "coast"], space)
    rx = next(line for line in table.splitlines() if line.startswith("| RX"))
    cells = [text.strip() for text in rx.strip("|").split("|")]
    assert cells[4] == "0.9946" and cells[5:7] == ["–", "–"]
    assert cells[8] == "–" and cells[7] != "–"


def test_the_papers_averages_are_those_of_its_columns():
    """Table 2 and 3 print an average under every column."""
    printed = {
        "RX": (0.9750, 0.0351), "LRX": (0.9695, 0.0067), "ADLR": (0.9825, 0.3096),
        "PAB_DC": (0.9679, 0.1186), "AAE": (0.9579, 0.0263), "Proposed": (0.9951, 0.0236),
    }
    for name, areas in published.PAPER.items():
        means = np.mean(list(areas.values()), axis=0)
        np.testing.assert_allclose(means, printed[name], atol=5.1e-5)
