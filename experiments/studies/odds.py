"""`make odds`: LREN on two tables that are no images, Thyroid and Arrhythmia of the ODDS library.

The README of the authors' program gives one value of each area for both, and no settings. The
presets are taken as they are for scenes, with the λ they have there: hidden layers of 400 and
60 units and 9 latent units, although Thyroid has 6 columns, so that its latent samples have
more numbers than its rows. Columns that are constant are dropped, as bands are.

The files, `thyroid.npz` and `arrhythmia.mat` with X ``[N, L]`` and y ``[N]``, are looked for in
the folder that LREN_TF_DATA names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from experiments.rendering import tables
from experiments.runs import training_run
from experiments.runs.command import carry_out
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, available_scenes
from lren_tf import InputError, Scene, datasets

STUDY = "odds"
SEEDS = training_run.SEEDS[:5]
FILES = {"thyroid": "thyroid.npz", "arrhythmia": "arrhythmia.mat"}


@dataclass(frozen=True)
class OddsRun(LrenRun):
    """A table in place of a scene."""

    def load(self) -> Scene:
        """The table as a scene of one column of pixels."""
        return load_table(self.scene)

    def data(self, scene: Scene) -> np.ndarray:
        """Samples × columns: a table, not an image."""
        return scene.pixels


def load_table(name: str) -> Scene:
    """A table by name: samples as one column of pixels, with the outliers as truth.

    Raises:
        InputError: the file is not there, or does not hold X and y of one length.
    """
    given = os.environ.get(datasets.DATA_VARIABLE)
    path = None if not given else Path(given).expanduser() / FILES[name]
    if path is None or not path.is_file():
        raise InputError(
            f"{FILES[name]} was not found; expected it in the folder named by the environment "
            f"variable {datasets.DATA_VARIABLE}, get it from the ODDS library and put it there."
        )
    with path.open("rb") as stream:
        held = np.load(stream) if path.suffix == ".npz" else scipy.io.loadmat(stream)
        arrays = [np.asarray(held[key]) if key in held else None for key in ("X", "y")]
    if any(array is None for array in arrays) or arrays[0].ndim != 2:
        raise InputError(f"{path} holds no X [N, L] and y; expected both, get the file again.")
    X, y = arrays[0], arrays[1].ravel()
    if len(X) != len(y):
        raise InputError(
            f"{path} holds {len(X)} rows in X and {len(y)} in y; expected as many, get the file "
            "again."
        )
    return Scene(X[:, None, :], y[:, None] != 0, name=name)


def available() -> list[str]:
    """The tables that are here; says why of each other one."""
    return available_scenes(FILES, load_table)


def planned(tables: Sequence[str] = tuple(FILES)) -> list[OddsRun]:
    """Both presets with five seeds on every table."""
    return [
        OddsRun(STUDY, name, preset, seed)
        for name in tables
        for preset in training_run.PRESETS
        for seed in SEEDS
    ]


def table(space: Workspace) -> str:
    """Median, range and failures of every table and preset."""
    return tables.spread_table(planned(), space)


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table; returns it as Markdown. The tables of ODDS are no scenes."""
    main = table(space)
    tables.write_table("odds", main, space)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render."""
    return carry_out(
        "odds", __doc__, arguments, planned, write, available=available, needs="its tables"
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
