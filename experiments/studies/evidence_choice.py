"""`make evidence-choice`: how the settings of the evidence were chosen, without the scene judged.

A grid of :data:`CANDIDATES` is evaluated on the eleven real scenes and the simulated ones, from
the latents that :mod:`experiments.studies.evidence` keeps of every scene and seed; nothing is
trained. For each scene the candidate with the highest criterion on the other ten is the one that
is reported on it; and for fifty random splits the one chosen on six scenes is reported on the
other five. The criterion is :func:`criterion`. One record has every candidate on every scene.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from experiments.rendering import tables
from experiments.reporting.markdown import markdown_table
from experiments.reporting.provenance import provenance, write_record
from experiments.runs.evidence_run import (
    STUDY as TRAININGS,
)
from experiments.runs.evidence_run import (
    EvidenceRun,
    Parts,
    Trimming,
    figures,
    in_decades,
    load_latents,
    standing,
)
from experiments.runs.run import RESULTS, Workspace, load_record
from experiments.studies import varied_scenes
from experiments.studies.evidence import AREA, PD, PD_RARE, SCENES, SEEDS, title_of
from lren_tf.runtime.startup import quiet_start

STUDY = "evidence_choice"
CHOICE_SEEDS = SEEDS
MEASURES = (AREA, PD, PD_RARE)
PD_WEIGHT = 0.02
"""Weight of each Pd in the criterion."""
SPLITS, CHOSEN_ON = 50, 6
SPLIT_SEED = 0
SIMULATED_LOSS = 0.001
"""How far a candidate's mean on the simulated scenes may lie below that of the spectrum alone."""
INFORMAL_MAPS, INFORMAL_SETTINGS = 600, 300
"""About how many maps and full settings were looked at before this grid, on all eleven scenes."""


class Candidate(NamedTuple):
    """One setting of the evidence; the weight of the surroundings is 1."""

    trimming: Trimming
    spectrum: float
    structure: float
    sizes: tuple[int, ...]
    kept: float

    @property
    def name(self) -> str:
        """How records and tables call it."""
        t = self.trimming
        return (
            f"trimmed {t.guess:g} + {t.spectrum:g}, scene {t.scene_pixels:g}, weights "
            f"{self.spectrum:g} {self.structure:g} 1, sizes {' '.join(map(str, self.sizes))}, "
            f"kept {self.kept:g}"
        )


TRIMMINGS = (
    Trimming(0.05, 0.0, 20.0), Trimming(0.05, 0.05, 20.0), Trimming(0.05, 0.05, 5.0),
    Trimming(0.05, 0.03, 5.0), Trimming(0.05, 0.03, 20.0),
)  # fmt: skip
WEIGHTS = (
    (1.0, 1.0), (0.5, 0.5), (0.25, 0.25), (0.125, 0.25), (0.25, 0.5), (0.0, 0.5), (0.0, 0.0),
)  # fmt: skip
"""Of spectrum and structure."""
OBJECTS = (((9, 13), 0.125), ((9, 13), 0.3), ((13,), 0.125))
"""Sizes of the last opening, and the share that is kept; the latter two with two weights only."""
FEWER_WEIGHTS = WEIGHTS[2:4]


def _candidates() -> tuple[Candidate, ...]:
    return tuple(
        Candidate(trimming, *weights, *objects)
        for trimming, weights, objects in itertools.product(TRIMMINGS, WEIGHTS, OBJECTS)
        if objects == OBJECTS[0] or weights in FEWER_WEIGHTS
    )


CANDIDATES = _candidates()
PRESET = Candidate(Trimming(0.05, 0.05, 5.0), 0.125, 0.25, (9, 13), 0.125)
"""The settings of the preset."""
SPECTRUM_ALONE = "spectrum alone"


def evaluated(path: Any, truth: np.ndarray) -> dict[str, list[float]]:
    """Return the measures of every candidate on latents in a file, by the candidate's name.

    Args:
        path: of the latents.
        truth: of their scene.
    """
    latents = load_latents(path)
    parts = Parts(latents)
    spectrum, structure = parts.calibrated["spectrum"], parts.calibrated["structure"]
    maps = {SPECTRUM_ALONE: parts.raw["spectrum"]}
    for trimming in TRIMMINGS:
        around = in_decades(parts.surroundings(trimming))
        for sizes, kept in OBJECTS:
            those = [c for c in CANDIDATES if c[0] == trimming and c[3:] == (sizes, kept)]
            totals = [c.spectrum * spectrum + c.structure * structure + around for c in those]
            scores = standing(totals, sizes, kept)
            maps |= {c.name: score for c, score in zip(those, scores, strict=True)}
    measured = {name: figures(score, truth) for name, score in maps.items()}
    return {name: [found[m] for m in MEASURES] for name, found in measured.items()}


def criterion(values: np.ndarray) -> np.ndarray:
    """Mean AUC(Pd,Pf) + 0.02 · (mean Pd at 1 % + mean Pd at 0.1 %), by candidate.

    Args:
        values: ``[candidates, scenes, 3]``.
    """
    means = values.mean(axis=1)
    return means[:, 0] + PD_WEIGHT * (means[:, 1] + means[:, 2])


class Choice(NamedTuple):
    """What a choice on other scenes gives."""

    chosen: dict[str, str]
    """The candidate reported on each scene."""
    held_out: np.ndarray
    """``[11, 3]``: measures of it there."""
    splits: np.ndarray
    """``[50, 4]``: on the five scenes held out, mean AUC and lowest, mean Pd at both rates."""


def choose(values: Mapping[str, np.ndarray], names: Sequence[str]) -> Choice:
    """Choose among candidates by leaving out each scene, and by random splits.

    Args:
        values: ``[11, 3]`` by candidate.
        names: of the candidates to choose among.
    """
    table = np.stack([values[name] for name in names])
    count = table.shape[1]
    held, chosen = [], {}
    for place, scene in enumerate(SCENES):
        others = [i for i in range(count) if i != place]
        best = int(np.argmax(criterion(table[:, others])))
        held.append(table[best, place])
        chosen[scene] = names[best]
    rng = np.random.default_rng(SPLIT_SEED)
    splits = []
    for _ in range(SPLITS):
        order = rng.permutation(count)
        best = int(np.argmax(criterion(table[:, order[:CHOSEN_ON]])))
        rest = table[best, order[CHOSEN_ON:]]
        splits.append([rest[:, 0].mean(), rest[:, 0].min(), *rest[:, 1:].mean(axis=0)])
    return Choice(chosen, np.array(held), np.array(splits))


def groups(record: dict[str, Any]) -> dict[str, list[str]]:
    """Return names of candidates: all, and those that pass the simulated scenes, if all ran."""
    names = [c.name for c in CANDIDATES]
    if set(record["simulated"]) != set(varied_scenes.SCENES):
        return {"all": names}
    means = {n: np.mean([v[n][0] for v in record["simulated"].values()])
             for n in (*names, SPECTRUM_ALONE)}  # fmt: skip
    least = means[SPECTRUM_ALONE] - SIMULATED_LOSS
    return {"all": names, "pass": [name for name in names if means[name] >= least]}


def _values(record: dict[str, Any]) -> dict[str, np.ndarray]:
    """Medians over the seeds, ``[11, 3]`` by candidate."""
    first = record["real"][SCENES[0]]
    seeds = list(first)
    return {
        name: np.array(
            [
                [median(record["real"][scene][seed][name][m] for seed in seeds) for m in range(3)]
                for scene in SCENES
            ]
        )
        for name in first[seeds[0]]
    }


def record_path(space: Workspace) -> Any:
    """The record of all candidates."""
    return space.records / STUDY / "eleven" / "candidates.json"


def measure(space: Workspace) -> dict[str, Any]:
    """Evaluate every candidate on what is kept, and write the record; resumes by scene and seed.

    Scenes and seeds whose latents are missing are left out of it.
    """
    path = record_path(space)
    record = load_record(path) if path.is_file() else {}
    record = {
        "study": STUDY,
        "candidates": [{**c._asdict(), "trimming": c.trimming._asdict()} for c in CANDIDATES],
        "measures": list(MEASURES),
        "criterion": criterion.__doc__.splitlines()[0],  # type: ignore[union-attr]
        "looked_at_before": {"maps": INFORMAL_MAPS, "settings": INFORMAL_SETTINGS},
        "data": record.get("data", {}),
        "real": record.get("real", {}),
        "simulated": record.get("simulated", {}),
        **provenance(),
    }
    for scene, seed in [
        *((scene, seed) for seed in CHOICE_SEEDS for scene in SCENES),
        *((scene, CHOICE_SEEDS[0]) for scene in varied_scenes.SCENES),
    ]:
        run = EvidenceRun(TRAININGS, scene, "robust", seed)
        simulated = scene in varied_scenes.SCENES
        done = record["simulated"] if simulated else record["real"].get(scene, {})
        key = scene if simulated else str(seed)
        if key in done or not run.latents_path(space).is_file():
            continue
        found = evaluated(run.latents_path(space), run.load().truth)
        if simulated:
            record["simulated"][scene] = found
        else:
            record["real"].setdefault(scene, {})[key] = found
        record["data"][scene] = load_record(run.result_path(space))["scene"]["sha256"]
        write_record(path, record)
        print(f"{STUDY}: {scene}, seed {seed}", flush=True)
    return record


def copy_record(space: Workspace, reference: Workspace) -> bool:
    """Copy the record into the committed ones; whether there was one from an unchanged tree."""
    path = record_path(space)
    if not path.is_file() or load_record(path)["clean"] is not True:
        return False
    write_record(record_path(reference), load_record(path))
    return True


def choice_table(space: Workspace) -> str:
    """What leave-one-scene-out and the splits give, and the chosen candidate for each scene."""
    path = record_path(space)
    if not path.is_file():
        return ""
    record = load_record(path)
    values = _values(record)
    titles = {"all": "all {}", "pass": "the {} that pass the simulated scenes"}
    rows, by_scene = [], {}
    for group, names in groups(record).items():
        choice = by_scene[group] = choose(values, names)
        title = titles[group].format(len(names))
        held = choice.held_out
        rows.append(
            [
                f"{title}, leave one scene out",
                *_cells([held[:, 0].mean(), held[:, 0].min(), *held[:, 1:].mean(axis=0)]),
            ]
        )
        rows.append(
            [
                f"{title}, fifty splits, the five held out (mean)",
                *_cells(choice.splits.mean(axis=0)),
            ]
        )
        rows.append([f"{title}, fifty splits, the worst", *_cells(choice.splits.min(axis=0))])
    preset = values[PRESET.name]
    rows.append(
        [
            "the preset, chosen with all scenes",
            *_cells([preset[:, 0].mean(), preset[:, 0].min(), *preset[:, 1:].mean(axis=0)]),
        ]
    )
    header = ["candidates", "mean AUC(Pd,Pf)", "lowest", "mean Pd at 1 %", "mean Pd at 0.1 %"]
    text = markdown_table(header, rows)
    choice = list(by_scene.values())[-1]
    lines = [
        [title_of(scene), *_cells([*choice.held_out[place]]), choice.chosen[scene]]
        for place, scene in enumerate(SCENES)
    ]
    header = [
        "scene held out",
        "AUC(Pd,Pf)",
        "Pd at 1 %",
        "Pd at 0.1 %",
        "chosen on the other ten" + (", of those that pass" if "pass" in by_scene else ""),
    ]
    return f"{text}\n\n{markdown_table(header, lines)}"


def held_out(space: Workspace) -> dict[str, float]:
    """Return AUC(Pd,Pf) of each scene with the candidate that the other ten choose, by scene.

    The median over the seeds, of the candidates that pass the simulated scenes where these ran; no
    scene where there is no record.
    """
    path = record_path(space)
    if not path.is_file():
        return {}
    record = load_record(path)
    names = list(groups(record).values())[-1]
    found = choose(_values(record), names).held_out
    return {scene: float(found[place, 0]) for place, scene in enumerate(SCENES)}


def _cells(values: Sequence[float]) -> list[str]:
    return [f"{value:.4f}" for value in values]


def blocks(space: Workspace) -> dict[str, str]:
    """Return the block of this study for a page."""
    return {"evidence_choice": choice_table(space)}


def write(space: Workspace, scenes: Sequence[str] = ()) -> str:
    """Write the table; returns it."""
    text = choice_table(space)
    tables.write_table("evidence_choice", text, space)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate what is missing and render."""
    parser = argparse.ArgumentParser(prog="python -m experiments.studies.evidence_choice",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("--force", action="store_true", help="evaluate again what is there")
    parser.add_argument("--tables", action="store_true", help="render, evaluate nothing")
    parser.add_argument("--processes", type=int, help="ignored: one process")
    options = parser.parse_args(arguments)
    if options.force:
        record_path(RESULTS).unlink(missing_ok=True)
    if not options.tables:
        with quiet_start():
            record = measure(RESULTS)
        if len(record["real"]) < len(SCENES):
            print("The eleven scenes are missing: run make evidence first.")
            return 2
    print(f"\n{write(RESULTS)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
