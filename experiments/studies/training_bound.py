"""`make training-bound`: how many steps the preset ``robust`` needs on scenes of many pixels.

Simulated scenes of 300 × 300 and 1,000 × 1,000 pixels with 8 to 100 materials, faint targets and
noise of 25 dB. A bound on the steps is a bound on the pixels that take part in the training
(``training_pixels``): 30 epochs of them in batches of 1,024. Short trainings are also tried with a
higher learning rate (``sample_learning_rate``). The smaller scenes are trained without a bound
too. Seeds are those of the networks, the sample and the batches; the scene stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.runs.command import carry_out
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, load_result
from lren_tf import Scene, datasets

STUDY = "training_bound"
MATERIALS = (8, 20, 40, 100)
SIDES: Mapping[int, tuple[int, ...]] = {
    300: (published.AUTHORS_SEED, 1), 1000: (published.AUTHORS_SEED,)
}  # fmt: skip
"""Sides of the scenes in pixels, and the seeds on them."""
BANDS = 100
BOUNDS: Mapping[str, tuple[int | None, float | None]] = {
    "300 steps": (10_240, None),
    "300 steps, rate 0.003": (10_240, 3e-3),
    "600 steps": (20_480, None),
    "600 steps, rate 0.002": (20_480, 2e-3),
    "1200 steps": (40_960, None),
    "all pixels": (None, None),
}
"""Pixels and learning rate of the training on a sample, by what they are called."""
UNBOUNDED = "all pixels"
MEASURES = {
    "auc_pd_pf": "AUC(Pd,Pf)", "pd_at_1_percent": "Pd at 1 %", "pd_at_1_permille": "Pd at 0.1 %",
}  # fmt: skip


@dataclass(frozen=True)
class BoundRun(LrenRun):
    """The preset on a scene of this study, with a bound on the steps."""

    bound: str
    """One of :data:`BOUNDS`."""

    def load(self) -> Scene:
        """Make the scene."""
        side, materials = _SCENES[self.scene]
        return datasets.simulate(
            side, side, BANDS, seed=materials, endmembers=materials, fill=(0.05, 0.3),
            noise_snr_db=25.0,
        )  # fmt: skip

    @property
    def settings(self) -> Mapping[str, Any]:
        """Bound and seeds."""
        pixels, rate = BOUNDS[self.bound]
        return {
            "training_pixels": pixels, "sample_learning_rate": rate, "batch_seed": self.seed,
        }  # fmt: skip

    @property
    def stem(self) -> str:
        """Preset, bound and seed."""
        bound = self.bound.replace(",", "").replace(" ", "-")
        return f"{self.preset}_{bound}_seed{self.seed}"

    @property
    def label(self) -> str:
        """How progress lines name the run."""
        return f"{super().label}, {self.bound}"


def name_of(side: int, materials: int) -> str:
    """Return the name of a scene, which is also that of its folder."""
    return f"{side}x{side}_{materials}_materials"


_SCENES = {name_of(side, k): (side, k) for side in SIDES for k in MATERIALS}
SCENES = tuple(_SCENES)
"""Names of the scenes."""


def runs_of(side: int, materials: int, bound: str) -> list[BoundRun]:
    """Return the runs on a scene with a bound, one for every seed."""
    scene = name_of(side, materials)
    return [BoundRun(STUDY, scene, "robust", seed, bound) for seed in SIDES[side]]


def planned(scenes: Sequence[str] = ()) -> list[BoundRun]:
    """Return all runs, the short ones first; they need no real scenes.

    Training the largest scenes without a bound takes longer than everything else here.
    """
    return [
        run
        for side in SIDES
        for materials in MATERIALS
        for bound in BOUNDS
        if bound != UNBOUNDED or side == min(SIDES)
        for run in runs_of(side, materials, bound)
    ]


def table(space: Workspace) -> str:
    """Every scene and bound: means over the seeds, and behind ± half the range of them."""
    rows = []
    for side in SIDES:
        for materials in MATERIALS:
            for bound in BOUNDS:
                runs = runs_of(side, materials, bound)
                records = [load_result(run, space) for run in runs]
                if any(record is None or record["metrics"] is None for record in records):
                    continue
                found = [record["metrics"] for record in records if record is not None]
                cells = [_cell([each[name] for each in found]) for name in MEASURES]
                rows.append([f"{side:,} × {side:,}", str(materials), bound, *cells])
    return markdown_table(["scene", "materials", "training", *MEASURES.values()], rows)


def _cell(values: Sequence[float]) -> str:
    spread = (max(values) - min(values)) / 2
    return f"{mean(values):.4f}" + (f" ± {spread:.4f}" if len(values) > 1 else "")


def blocks(space: Workspace) -> dict[str, str]:
    """Return the block of this study for a page."""
    return {"training_bound": table(space)}


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table and return it."""
    text = table(space)
    tables.write_table("training_bound", text, space)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render."""
    return carry_out("training_bound", __doc__, arguments, planned, write, needs=None)


if __name__ == "__main__":
    raise SystemExit(main())
