"""A small release model and a small robust one, for tests that only need a fitted model."""

from __future__ import annotations

from pathlib import Path

from lren_tf import datasets

SCENE = datasets.simulate(12, 10, 8, seed=1)
SMALL = {"epochs": 2, "hidden_units": 16, "estimator_units": 8, "components": 3, "latent_units": 4}
SETTINGS = {
    "release": {**SMALL, "solver_iterations": 40},
    "robust": {**SMALL, "members": 2},
}


def train(folder: Path) -> None:
    """Write ``release.keras`` and ``robust.keras``, fitted to SCENE, to a new folder."""
    from lren_tf import LREN

    folder.mkdir()
    for preset, settings in SETTINGS.items():
        model = LREN(preset, device="/CPU:0", **settings)
        model.fit(SCENE, verbose=0)
        model.save(folder / f"{preset}.keras")
