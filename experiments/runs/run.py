"""A run and its files: one detector on one scene, one JSON record and one score map.

A run is finished when its record exists, has the settings that the run would have now, and,
unless it failed, names by its hash the map that exists. The committed records in
``experiments/results`` are the reference; nothing but :mod:`experiments.accept` writes there.
Runs of a user go to ``results/`` at the top of the checkout, which git ignores.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import published
from experiments.reporting.provenance import ROOT, write_record
from lren_tf import InputError, Scene, datasets, metrics
from lren_tf.data.scene import data_sha256
from lren_tf.io.formats.npy import write_npy
from lren_tf.runtime.files import atomic_path


@dataclass(frozen=True)
class Workspace:
    """Folders of records, maps, tables and figures."""

    root: Path
    records_folder: str = "results"
    """Name of the folder of records below the root."""
    output: Path | None = None
    """Root of tables, figures and report; None for `root`."""
    beneath: Workspace | None = None
    """Workspace whose records count where this one has none, see :func:`is_kept`."""

    @property
    def simulated(self) -> bool:
        """Whether everything in here comes from the simulated scene."""
        return self.root == SIMULATED.root

    @property
    def records(self) -> Path:
        """Folder of the JSON records, by study and scene."""
        return self.root / self.records_folder

    @property
    def tables(self) -> Path:
        """Folder of the rendered Markdown tables."""
        return (self.output or self.root) / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the rendered figures."""
        return (self.output or self.root) / "figures"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return (self.output or self.root) / "report.html"


REFERENCE = Workspace(ROOT / "experiments")
"""The committed results."""
RESULTS = Workspace(ROOT / "results", "runs")
"""Results of this checkout's own runs, ignored by git."""
SIMULATED = Workspace(ROOT / "results" / "simulated", "runs")
"""Runs on the simulated scene, apart so that nobody takes them for results."""
COMMITTED = Workspace(ROOT / "experiments", output=ROOT / "results" / "committed")
"""The committed results, rendered outside the committed files."""


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
    def resolved_settings(self) -> Mapping[str, Any] | None:
        """The settings that its record would have, as they are now; None if it has none."""
        return None

    @property
    def label(self) -> str:
        """How progress lines name the run."""
        return f"{self.study}: {self.scene}, {self.stem}"

    @property
    def method(self) -> str:
        """Method and what else distinguishes the run on its scene, for tables."""
        return self.label.partition(": ")[2].partition(", ")[2]

    def result_path(self, space: Workspace) -> Path:
        """Its JSON file."""
        return space.records / self.study / self.scene / f"{self.stem}.json"

    def map_path(self, space: Workspace) -> Path:
        """Its score map, float32 ``[H, W]``."""
        return space.root / "maps" / self.study / self.scene / f"{self.stem}.npy"

    def compact_path(self, space: Workspace) -> Path:
        """Its score map in float16, compressed, as the reference keeps those of the figures."""
        return space.root / "maps_float16" / self.study / self.scene / f"{self.stem}.npz"


def load_result(run: Run, space: Workspace) -> dict[str, Any] | None:
    """Return the record of a run, None if there is none."""
    path = run.result_path(space)
    if path.is_file():
        return load_record(path)
    if space.beneath is not None and is_kept(run, space.beneath):
        return load_result(run, space.beneath)
    return None


def load_areas(runs: Iterable[Run], space: Workspace) -> list[float]:
    """Return AUC(Pd,Pf) of those of the runs that gave a map."""
    records = [load_result(run, space) for run in runs]
    return [r["metrics"]["auc_pd_pf"] for r in records if r is not None and r["metrics"]]


def load_record(path: Path) -> dict[str, Any]:
    """Return the record in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def load_map(run: Run, space: Workspace) -> np.ndarray | None:
    """Return the float32 ``[H, W]`` score map that the record of a run names.

    Where there is no full map, the compact one that git holds is returned, scaled back.

    Returns:
        None if there is no record, or no map of it.
    """
    result = load_result(run, space)
    if result is None or result["map_sha256"] is None:
        return None
    path = run.map_path(space)
    if path.is_file():
        score = np.load(path)
        if data_sha256(score) == result["map_sha256"]:
            return score
    return load_compact(run.compact_path(space), result["map_sha256"])


def is_finished(run: Run, space: Workspace) -> bool:
    """Whether there is nothing left to do for a run.

    A record of other settings is one of another run: a preset or a default has changed since.
    """
    if space.beneath is not None and not run.result_path(space).is_file():
        return is_kept(run, space.beneath)
    result = load_result(run, space)
    if result is None or not has_settings_of(result, run):
        return False
    if result["status"] != "finished":
        return True
    path = run.map_path(space)
    return path.is_file() and data_sha256(np.load(path)) == result["map_sha256"]


def is_kept(run: Run, space: Workspace) -> bool:
    """Return whether a run need not be made again because of its record, whose map may be gone.

    The record has the settings that the run would have now, and is of an unchanged tree and of
    the scene that is at hand, if it is. A setting that came into being since is a difference: a
    map could have changed with it. Where the code of a method has changed and its settings have
    not, a record does not tell; run it again with ``--force``.
    """
    result = load_result(run, space)
    return (
        result is not None
        and result.get("clean") is True
        and has_settings_of(result, run)
        and _sha256_of_scene(run) in (None, result["scene"]["sha256"])
    )


def has_settings_of(result: Mapping[str, Any], run: Run) -> bool:
    """Return whether a record has the settings that a run would have now."""
    settings = run.resolved_settings
    # Through JSON, in which a tuple is a list.
    return settings is None or json.loads(json.dumps(settings)) == result.get("settings")


_hashes: dict[tuple[type[Run], str], str | None] = {}


def _sha256_of_scene(run: Run) -> str | None:
    """SHA-256 of the cube that a run would score; None where it is not at hand."""
    key = type(run), run.scene
    if key not in _hashes:
        # Nothing is downloaded to render a table.
        benchmark = run.scene in (*datasets.names(), *datasets.further_names())
        at_hand = not benchmark or datasets.find(run.scene) is not None
        _hashes[key] = data_sha256(run.load().cube) if at_hand else None
    return _hashes[key]


def load_scene(name: str) -> Scene:
    """A benchmark scene, or the simulated one, by name."""
    return datasets.simulate() if name == "simulated" else datasets.load(name)


def available_scenes(
    names: Iterable[str] = tuple(published.SCENES), load: Callable[[str], Scene] | None = None
) -> list[str]:
    """Return those of the names whose scene loads, and print why each other one does not.

    Args:
        names: of scenes or tables.
        load: of one; None for :func:`load_scene`.
    """
    scenes = []
    for name in names:
        try:
            (load or load_scene)(name)
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


def save_compact(path: Path, score: np.ndarray, map_sha256: str) -> None:
    """Write a score map as float16 of its range, compressed, with the hash of the full one.

    Args:
        path: of the ``.npz`` file.
        score: float32 ``[H, W]``, finite.
        map_sha256: hash of `score`, as in the record.
    """
    low, high = float(score.min()), float(score.max())
    unit = (score.astype(np.float64) - low) / (high - low or 1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, Path(temporary).open("wb") as stream:
        np.savez_compressed(
            stream, unit=unit.astype(np.float16), low=low, high=high, map_sha256=map_sha256
        )


def load_compact(path: Path, map_sha256: str) -> np.ndarray | None:
    """Return a compact map as float32 ``[H, W]``; None if there is none of this hash."""
    if not path.is_file():
        return None
    with np.load(path) as held:
        if str(held["map_sha256"]) != map_sha256:
            return None
        low, high = float(held["low"]), float(held["high"])
        return (low + (high - low) * held["unit"].astype(np.float64)).astype(np.float32)
