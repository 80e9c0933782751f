"""What a run is, where it is kept, and how missing runs are executed.

A run is one detector on one scene, kept as one JSON file and one score map. It is finished
when its JSON is there and, unless it failed, its map is there and is the one the JSON speaks
of. Maps are not committed, so a fresh clone computes them again.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import published
from experiments.reporting.provenance import ROOT, write_record
from lren_tf import InputError, Scene, datasets, metrics
from lren_tf.data.scene import data_sha256
from lren_tf.io.formats.npy import write_npy


@dataclass(frozen=True)
class Workspace:
    """Folders that results, maps, tables and figures are kept in."""

    root: Path

    @property
    def simulated(self) -> bool:
        """Whether everything in here comes from the simulated scene."""
        return self.root == SIMULATED.root

    @property
    def tables(self) -> Path:
        """Folder of the rendered Markdown tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the rendered figures."""
        return self.root / "figures"


REAL = Workspace(ROOT / "experiments")
SIMULATED = Workspace(ROOT / "experiments" / "simulated")
"""Ignored by git: nothing simulated can be taken for a result."""


@dataclass(frozen=True)
class Run(abc.ABC):
    """One detector on one scene; a subclass adds what else determines the result."""

    study: str
    scene: str

    @property
    @abc.abstractmethod
    def stem(self) -> str:
        """Name of its files, without folder and suffix."""

    @abc.abstractmethod
    def execute(self, scene: Scene, space: Workspace) -> dict[str, Any]:
        """Run and write map and JSON; a failure of the method is a result, not an error."""

    def load(self) -> Scene:
        """The scene it runs on."""
        return load_scene(self.scene)

    @property
    def label(self) -> str:
        """How progress lines name the run."""
        return f"{self.study}: {self.scene}, {self.stem}"

    def result_path(self, space: Workspace) -> Path:
        """Its JSON file."""
        return space.root / "results" / self.study / self.scene / f"{self.stem}.json"

    def map_path(self, space: Workspace) -> Path:
        """Its score map, float32 ``[H, W]``."""
        return space.root / "maps" / self.study / self.scene / f"{self.stem}.npy"


def load_result(run: Run, space: Workspace) -> dict[str, Any] | None:
    """The JSON of a run, None if there is none."""
    path = run.result_path(space)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def load_map(run: Run, space: Workspace) -> np.ndarray | None:
    """The score map of a run, None if there is none or it is not the one of its JSON."""
    result, path = load_result(run, space), run.map_path(space)
    if result is None or not path.is_file():
        return None
    score = np.load(path)
    return score if data_sha256(score) == result["map_sha256"] else None


def is_finished(run: Run, space: Workspace) -> bool:
    """Whether there is nothing left to do for a run."""
    result = load_result(run, space)
    if result is None:
        return False
    return result["status"] != "finished" or load_map(run, space) is not None


def load_scene(name: str) -> Scene:
    """A benchmark scene, or the simulated one, by name."""
    return datasets.simulate() if name == "simulated" else datasets.load(name)


def available_scenes() -> list[str]:
    """The real scenes that can be had; says why of each other one."""
    scenes = []
    for name in published.SCENES:
        try:
            load_scene(name)
        except InputError as error:
            print(f"{name}: {error}", flush=True)
        else:
            scenes.append(name)
    return scenes


def keep_score(
    run: Run, scene: Scene, space: Workspace, record: dict[str, Any], score: np.ndarray
) -> dict[str, Any]:
    """Judge a map and write it and the record; returns the record with the judgement."""
    record = {
        **_without_place(record, run),
        "status": "finished",
        "metrics": metrics.evaluate(score, scene.truth),
        "auc_pf_tau_paper_grid": metrics.paper_grid_auc_pf_tau(score, scene.truth),
        "map_sha256": data_sha256(score),
    }
    write_npy(run.map_path(space), score)
    # Last, so that a JSON never speaks of a map that is not there.
    write_record(run.result_path(space), record)
    return record


def keep_failure(
    run: Run, space: Workspace, record: dict[str, Any], status: str, error: Exception
) -> dict[str, Any]:
    """Write the record of a run that gave no map."""
    record = {
        **_without_place(record, run),
        "status": status,
        "error": str(error),
        "metrics": None,
        "auc_pf_tau_paper_grid": None,
        "map_sha256": None,
    }
    write_record(run.result_path(space), record)
    return record


def _without_place(record: dict[str, Any], run: Run) -> dict[str, Any]:
    """The record without where the scene's file lay on this machine, which is nobody's business."""
    if "scene" not in record:
        return record
    return {**record, "scene": {**record["scene"], "name": run.scene, "source": None}}


def execute_missing(runs: Sequence[Run], space: Workspace, *, force: bool = False) -> None:
    """Execute the runs that are not finished, or all with ``force``, one line each."""
    missing = [run for run in runs if force or not is_finished(run, space)]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before", flush=True)
    for number, run in enumerate(missing, 1):
        print(f"[{number}/{len(missing)}] {run.label}", flush=True)
        record = run.execute(run.load(), space)
        if record["status"] == "finished":
            areas = record["metrics"]
            print(
                f"    AUC(Pd,Pf) {areas['auc_pd_pf']:.4f}, AUC(Pf,τ) {areas['auc_pf_tau']:.4f}",
                flush=True,
            )
        else:
            print(f"    {record['error']}", flush=True)
