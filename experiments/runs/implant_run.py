"""A training of ``robust`` on a scene with implants, scored with and without evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.runs.lren_run import LrenRun
from experiments.studies import implanted_scenes
from lren_tf import Scene, metrics

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "implants"


@dataclass(frozen=True)
class ImplantRun(LrenRun):
    """The preset on one of the scenes of :mod:`experiments.studies.implanted_scenes`."""

    def load(self) -> Scene:
        """Make the scene; raises InputError where one of its two real scenes is not at hand."""
        return implanted_scenes.SCENES[self.scene]()

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """Return the figures of the spectrum alone, from the same training."""
        old = model.with_settings(scene, evidence=("spectrum",)).score(scene)
        return {"old": metrics.evaluate(old, scene.truth)}
