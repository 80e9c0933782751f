"""A small scene, small detectors, and ways to run the command line and to see its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import scipy.io

from lren_tf import datasets, detectors
from lren_tf.errors import Argument, InputError, TrainingDiverged
from lren_tf.validators import whole

ROOT = Path(__file__).parents[2]
REFUSAL = "the window is larger than the scene; expected a smaller one, lower it."
SCENE = datasets.simulate(12, 10, 8, seed=1)
RX = ("--detector", "rx")
SMALL = ("--preset", "paper", "--epochs", "2", "--set", "hidden_units=16",
         "--set", "estimator_units=8", "--set", "components=3", "--set", "latent_units=4",
         "--set", "solver_iterations=40", "--device", "/CPU:0")  # fmt: skip
SMALL_SETTINGS = {
    "epochs": 2, "hidden_units": 16, "estimator_units": 8, "components": 3, "latent_units": 4,
    "solver_iterations": 40,
}  # fmt: skip


def files() -> dict[str, bytes | None]:
    return {str(p): p.read_bytes() if p.is_file() else None for p in Path().rglob("*")}


def report(name: str) -> dict:
    def constant(text):
        raise AssertionError(f"{text} is not JSON")

    return json.loads(Path(name).read_text("ascii"), parse_constant=constant)


def mat(name: str, **variables: np.ndarray) -> str:
    scipy.io.savemat(name, variables)
    return name


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, "-m", "lren_tf", *arguments],
        capture_output=True, text=True, env=environment, timeout=120,
    )  # fmt: skip


@dataclass(frozen=True)
class Noise(detectors.Detector):
    """Random numbers, with a setting of every kind."""

    name: ClassVar[str] = "noise"
    title: ClassVar[str] = "Noise"
    stochastic: ClassVar[bool] = True

    lam: float = 1.0
    window: int = 3
    limit: float | None = 2.0
    signed: bool = True
    mode: str = "plain"
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        whole("window", self.window, 1)
        whole("seed", self.seed, 0)
        if self.device not in (None, "/CPU:0"):
            raise InputError(
                received=f"device {self.device!r} is not here",
                remedy=("leave ", Argument("device"), " out to take what there is"),
            )

    def _score(self, cube: np.ndarray) -> np.ndarray:
        if self.window > len(cube):
            raise InputError(f"setting 'window' is {self.window}; expected {len(cube)} at most.")
        warnings.warn("the noise is loud.", stacklevel=2)
        return np.random.default_rng(self.seed).random(cube.shape[:2])


@dataclass(frozen=True)
class Refusing(detectors.Detector):
    """Refuses every scene."""

    name: ClassVar[str] = "refusing"
    title: ClassVar[str] = "The one that refuses"

    def _score(self, cube: np.ndarray) -> np.ndarray:
        raise InputError(REFUSAL)


@dataclass(frozen=True)
class Diverging(detectors.Detector):
    """Never gets a finite loss."""

    name: ClassVar[str] = "diverging"
    title: ClassVar[str] = "Diverging"

    def _score(self, cube: np.ndarray) -> np.ndarray:
        raise TrainingDiverged("the loss became NaN in step 3: lower learning_rate.")
