"""One training and scoring of LREN, kept as one JSON file and one score map.

A run is finished when its JSON is there and, unless it failed, its map is there and is the
one the JSON speaks of. Maps are not committed, so a fresh clone trains again.
"""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import published
from experiments.provenance import ROOT, provenance, write_record
from lren_tf import Scene, datasets, metrics
from lren_tf.console import quiet_start
from lren_tf.io.numpy import write_npy
from lren_tf.report import run_record
from lren_tf.scene import data_sha256


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
class Run:
    """What determines a run: everything else is in the preset."""

    study: str
    scene: str
    preset: str
    seed: int

    @property
    def lam(self) -> float:
        """λ that the preset's source uses on this scene; its first value elsewhere."""
        by_scene = published.LAMBDA[self.preset]
        return by_scene.get(self.scene, next(iter(by_scene.values())))

    @property
    def label(self) -> str:
        """How progress lines name the run."""
        return f"{self.study}: {self.scene}, {self.preset}, seed {self.seed}"

    def result_path(self, space: Workspace) -> Path:
        """Its JSON file."""
        return space.root / "results" / self._place(".json")

    def map_path(self, space: Workspace) -> Path:
        """Its score map, float32 ``[H, W]``."""
        return space.root / "maps" / self._place(".npy")

    def _place(self, suffix: str) -> Path:
        return Path(self.study) / self.scene / f"{self.preset}_seed{self.seed}{suffix}"


def load_result(run: Run, space: Workspace) -> dict[str, Any] | None:
    """The JSON of a run, None if there is none."""
    path = run.result_path(space)
    return json.loads(path.read_text()) if path.is_file() else None


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


def execute(run: Run, scene: Scene, space: Workspace) -> dict[str, Any]:
    """Train, score, and write map and JSON; a divergence is a result, not an error."""
    with quiet_start():  # TensorFlow only when something has to run
        from lren_tf import LREN, TrainingDiverged

        model = LREN(run.preset, seed=run.seed, lam=run.lam)
    # Taken before training: an hour later the tree may be another one.
    record: dict[str, Any] = {
        "study": run.study,
        "seed": run.seed,
        "lambda_from": "the preset" if scene.simulated else "published, chosen on ground truth",
        **provenance(),
    }
    released = None if scene.simulated else datasets.published_map(run.scene)
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            history = model.fit(scene)
        except TrainingDiverged as error:
            record |= {
                "status": "diverged",
                "error": str(error),
                "preset": run.preset,
                "settings": model.settings.as_dict(),
                "device": model.device,
                "seconds": {"train": time.perf_counter() - started},
                "metrics": None,
                "pearson_with_released_map": None,
                "map_sha256": None,
            }
            write_record(run.result_path(space), record)
            return record
    trained = time.perf_counter()
    solution = model.decompose(scene)
    score = model.score_of(solution).reshape(scene.shape[:2])
    solved = time.perf_counter()
    record |= {
        "status": "finished",
        "notices": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
        "seconds": {"train": trained - started, "score": solved - trained},
        **run_record(model, scene, history, solution),
        "metrics": metrics.evaluate(score, scene.truth),
        "pearson_with_released_map": None
        if released is None
        else metrics.pearson(metrics.normalise(score), released),
        "map_sha256": data_sha256(score),
    }
    # Where the file lay on this machine is nobody's business.
    record["scene"] = {**record["scene"], "name": run.scene, "source": None}
    write_npy(run.map_path(space), score)
    # Last, so that a JSON never speaks of a map that is not there.
    write_record(run.result_path(space), record)
    return record


def execute_missing(runs: list[Run], space: Workspace, *, force: bool = False) -> None:
    """Execute the runs that are not finished, or all with ``force``, one line each."""
    missing = [run for run in runs if force or not is_finished(run, space)]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before", flush=True)
    for number, run in enumerate(missing, 1):
        print(f"[{number}/{len(missing)}] {run.label}", flush=True)
        record = execute(run, load_scene(run.scene), space)
        if record["status"] == "finished":
            areas = record["metrics"]
            print(
                f"    AUC(Pd,Pf) {areas['auc_pd_pf']:.4f}, AUC(Pf,τ) {areas['auc_pf_tau']:.4f}",
                flush=True,
            )
        else:
            print(f"    {record['error']}", flush=True)
