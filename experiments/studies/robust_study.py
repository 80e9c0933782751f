"""`make robust-study`: the preset ``robust`` against its neighbours, on simulated and real scenes.

Each run trains the preset once and scores it with every variant that needs no other training.
Settings are to be chosen on the simulated scenes and two real ones, confirmed on the other two,
and the other way round: the table has a column for each of these groups. What was tried before
this, and how, is in ``docs/robust.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs.command import carry_out
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Workspace, load_result, load_scene
from experiments.studies import varied_scenes
from lren_tf import Scene, detectors, metrics

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "robust_study"
SEEDS = (published.AUTHORS_SEED, 1, 2)
FIRST, SECOND = ("sandiego", "coast"), ("hydice", "pavia")
"""The two pairs of real scenes: settings chosen on one are confirmed on the other."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "no neighbourhood": {"neighbourhood": 0.0},
    "neighbourhood 0.5": {"neighbourhood": 0.5},
    "neighbourhood 1": {"neighbourhood": 1.0},
    "all components": {"component_share": 0.0},
    "components of 2 %": {"component_share": 0.02},
    "components of 10 %": {"component_share": 0.1},
    "one component": {"component_share": 0.99},
    "no trimming": {"trimmed_share": 0.0},
    "5 % trimmed": {"trimmed_share": 0.05},
    "ridge 0.001": {"ridge": 0.001},
    "ridge 0.1": {"ridge": 0.1},
    "no support, no trimming, no neighbourhood": {
        "component_share": 0.0, "trimmed_share": 0.0, "neighbourhood": 0.0,
    },
}  # fmt: skip
"""Settings that differ from the preset, by what they are called."""
_SINGLE = "one member (mean of five)"
_OTHERS = ("RX", "RX of the latent (one member)")


@dataclass(frozen=True)
class StudyRun(LrenRun):
    """A training of the preset, and every variant of its score."""

    def load(self) -> Scene:
        """A varied scene by its name, or a benchmark."""
        make = varied_scenes.SCENES.get(self.scene)
        return load_scene(self.scene) if make is None else make()

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """Areas of every variant and of what it is measured against."""
        maps = {
            name: model.with_settings(scene, **settings).score(scene)
            for name, settings in VARIANTS.items()
        }
        latent = model(scene.pixels)["latent"].numpy()[:, : model.settings.latent_units]
        rx = detectors.create("rx")
        maps[_OTHERS[0]] = rx.score(scene)
        maps[_OTHERS[1]] = rx.score(latent.reshape(*scene.shape[:2], -1))
        found = {name: _areas(score, scene.truth) for name, score in maps.items()}
        members = [_areas(score, scene.truth) for score in model.member_scores(scene)]
        found[_SINGLE] = {area: mean(each[area] for each in members) for area in members[0]}
        return {"variants": found, "members": members}


def _areas(score: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {
        "auc_pd_pf": metrics.auc_pd_pf(score, truth),
        "auc_pf_tau": metrics.auc_pf_tau(score, truth),
    }


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[StudyRun]:
    """Every seed on the varied scenes and on these real ones."""
    return [
        StudyRun(STUDY, scene, "robust", seed)
        for seed in SEEDS
        for scene in (*varied_scenes.SCENES, *scenes)
    ]


def columns(space: Workspace) -> dict[str, dict[str, float]]:
    """Mean AUC(Pd,Pf) over seeds by scene and variant; scenes without all runs are left out."""
    found: dict[str, dict[str, float]] = {}
    for scene in (*varied_scenes.SCENES, *published.SCENES):
        runs = [StudyRun(STUDY, scene, "robust", seed) for seed in SEEDS]
        there = [load_result(run, space) for run in runs]
        if any(one is None or one["metrics"] is None for one in there):
            continue
        names = ["the preset", *there[0]["variants"]]
        found[scene] = {
            name: mean(
                one["metrics"]["auc_pd_pf"]
                if name == "the preset"
                else one["variants"][name]["auc_pd_pf"]
                for one in there
            )
            for name in names
        }
    return found


def table(space: Workspace) -> str:
    """Variants × scenes, and the means of simulated scenes and of both pairs of real ones."""
    by_scene = columns(space)
    if not by_scene:
        return ""
    groups = {
        "simulated": [s for s in by_scene if s in varied_scenes.SCENES],
        " + ".join(scene_title(s) for s in FIRST): [s for s in FIRST if s in by_scene],
        " + ".join(scene_title(s) for s in SECOND): [s for s in SECOND if s in by_scene],
    }
    header = ["", *(_title(scene) for scene in by_scene), *(f"mean: {name}" for name in groups)]
    body = []
    for name in next(iter(by_scene.values())):
        values = [by_scene[scene][name] for scene in by_scene]
        means = [mean(by_scene[s][name] for s in those) if those else None
                 for those in groups.values()]  # fmt: skip
        body.append([name, *("–" if v is None else f"{v:.4f}" for v in (*values, *means))])
    return markdown_table(header, body)


def _title(scene: str) -> str:
    if scene in varied_scenes.SCENES:
        return scene.replace("_", " ")
    return scene_title(scene)


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table; returns it as Markdown. It has a column for every scene with all runs."""
    main = table(space)
    tables.write_table("robust_study", main, space)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; without the real scenes, on the simulated ones alone."""
    return carry_out("robust_study", __doc__, arguments, planned, write, needs=None)


if __name__ == "__main__":
    raise SystemExit(main())
