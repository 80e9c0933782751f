"""`make ablation`: Table 1, the ablation of LREN, averaged over the four scenes.

:mod:`experiments.runs.scenarios` defines the scenarios. (A), (C) and (E) are measured on the
trainings of :mod:`experiments.runs.training_run`; (B) and (D) need a training in parts, which runs
here, once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from experiments import published
from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.runs import training_run
from experiments.runs.command import carry_out
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import Run, Workspace, load_result
from experiments.runs.scenarios import OTHERS, READINGS, SILENT, TABLE1, measure
from lren_tf import Scene

if TYPE_CHECKING:
    from lren_tf import LREN

STUDY = "ablation"
SEEDS = training_run.SEEDS[:2]
"""Of the trainings in parts; what needs none of them has every seed of the trainings."""


@dataclass(frozen=True)
class SeparateRun(LrenRun):
    """A training in parts: (D), and (B) on the same autoencoder."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The training; the rest is the preset's."""
        return {"training": "separate"}

    def further(self, model: LREN, scene: Scene) -> dict[str, Any]:
        """Areas of (B)."""
        return {"scenarios": measure(model, scene, "separate")}


def run_of(reading: str, scene: str, preset: str, seed: int) -> LrenRun:
    """The training that a reading is measured on."""
    if READINGS[reading].training == "joint":
        return training_run.TrainingRun(training_run.STUDY, scene, preset, seed)
    return SeparateRun(STUDY, scene, preset, seed)


def seeds_of(reading: str) -> tuple[int, ...]:
    """Seeds that a reading is measured with."""
    return training_run.SEEDS if READINGS[reading].training == "joint" else SEEDS


def planned(scenes: Sequence[str] = tuple(published.SCENES)) -> list[Run]:
    """Both trainings with both presets on every scene, each with its seeds."""
    return [
        run_of(reading, scene, preset, seed)
        for reading in ("E", "D")
        for seed in seeds_of(reading)
        for preset in training_run.PRESETS
        for scene in scenes
    ]


def value(reading: str, scene: str, preset: str, seed: int, area: str, space: Workspace) -> Any:
    """An area of a reading: a number, None for a failed run, and "missing" for none."""
    result = load_result(run_of(reading, scene, preset, seed), space)
    if result is None:
        return "missing"
    if result["metrics"] is None:
        return None
    where = result["scenarios"][reading] if READINGS[reading].settings else result["metrics"]
    return where[f"auc_{area}"]


def average(
    reading: str, preset: str, seed: int, area: str, scenes: Sequence[str], space: Workspace
) -> Any:
    """Mean over scenes; None if one of them failed, "missing" if one has not been run."""
    values = [value(reading, scene, preset, seed, area, space) for scene in scenes]
    if "missing" in values:
        return "missing"
    return None if None in values else mean(values)


def _texts(seeds: Sequence[int], of: Callable[[int], Any]) -> list[str]:
    """The authors' seed, and median and range over all seeds that have been run."""
    values = {seed: of(seed) for seed in seeds}
    there = {seed: one for seed, one in values.items() if one != "missing"}
    good = [one for one in there.values() if one is not None]
    first = there.get(published.AUTHORS_SEED, "missing")
    one = {"missing": "–", None: "failed"}.get(first) or f"{first:.4f}"
    spread = f"{median(good):.4f} ({min(good):.4f} to {max(good):.4f})" if good else "–"
    failed = len(there) - len(good)
    return [one, spread + (f", {failed} failed" if failed else "")]


def _header(*first: str) -> list[str]:
    columns = [
        column
        for preset in training_run.PRESETS
        for column in (
            f"{preset}, seed {published.AUTHORS_SEED}",
            f"{preset}, median (range)",
        )
    ]
    return [*first, *columns]


def area_table(
    area: str, readings: Sequence[str], scenes: Sequence[str], space: Workspace
) -> str:
    """Readings beside the paper, averaged over scenes."""
    body = []
    for name in readings:
        paper = getattr(published.TABLE1[READINGS[name].scenario], area)
        texts = [
            text
            for preset in training_run.PRESETS
            for text in _texts(
                seeds_of(name),
                lambda seed, n=name, p=preset: average(n, p, seed, area, scenes, space),
            )
        ]
        body.append([_label(name), f"{paper:.4f}", str(len(seeds_of(name))), *texts])
    return markdown_table(_header("scenario", "paper", "seeds"), body)


def scene_table(area: str, scenes: Sequence[str], space: Workspace) -> str:
    """Every reading on every scene; the paper gives averages only."""
    body = []
    for name in READINGS:
        for scene in scenes:
            texts = [
                text
                for preset in training_run.PRESETS
                for text in _texts(
                    seeds_of(name),
                    lambda seed, n=name, s=scene, p=preset: value(n, s, p, seed, area, space),
                )
            ]
            count = str(len(seeds_of(name)))
            body.append([_label(name), scene_title(scene), count, *texts])
    return markdown_table(_header("scenario", "scene", "seeds"), body)


def _label(name: str) -> str:
    letter, _, rest = name.partition("_")
    return f"({letter}) {rest}".strip()


def definitions(readings: Sequence[str]) -> str:
    """Each reading in a sentence, a paragraph each."""
    return "\n\n".join(f"**{_label(name)}** {READINGS[name].sentence}" for name in readings)


def write(space: Workspace, scenes: Sequence[str]) -> str:
    """Write the tables; returns Table 1 as Markdown."""

    def both(table: Callable[[str], str]) -> str:
        return "\n\n".join(
            f"{area.title}:\n\n{table(area.field)}" for area in published.AREAS.values()
        )

    main = both(lambda area: area_table(area, TABLE1, scenes, space))
    main = f"{main}\n\n{definitions(TABLE1)}\n\n{SILENT}"
    others = both(lambda area: area_table(area, OTHERS, scenes, space))
    tables.write_table("table1", main, space)
    tables.write_table("table1_readings", f"{others}\n\n{definitions(OTHERS)}", space)
    tables.write_table(
        "table1_scenes", both(lambda area: scene_table(area, scenes, space)), space
    )
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and render; nothing can be said without the real scenes."""
    return carry_out("ablation", __doc__, arguments, planned, write)


if __name__ == "__main__":
    raise SystemExit(main())
