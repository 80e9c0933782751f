"""Verification: every figure of this checkout's runs against the committed one.

A figure is AUC(Pd,Pf) or AUC(Pf,τ) of a run, or the correlation of its map with the one that
the authors released. Tolerances:

* a detector without a seed: 1e-6; with one, but settings that draw nothing: 0.002;
* the preset ``release`` with the authors' seed: 0.002 for the areas; the correlation has to be
  at least 0.999, on Pavia 0.995;
* every other run with a seed: the range of the committed values over the seeds of the same
  method on the same scene, at least five seeds. A fresh training on another processor is one more
  draw from that distribution, whose rounding differs.
* Where that range is above 0.02, and for the preset ``paper``, a single value says nothing: it is
  not checked, and the table says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from experiments import published
from experiments.reporting.markdown import markdown_table
from experiments.reporting.names import scene_title
from experiments.reporting.provenance import write_text
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import REFERENCE, Run, Workspace, load_record, load_result
from experiments.studies import comparison
from lren_tf import detectors

DETERMINISTIC = 1e-6
# Nothing is drawn, but rounding decides which pixel is farthest, or belongs to which cluster.
DECIDED = 0.002
RELEASE = 0.002
LEAST_R = {"sandiego": 0.999, "hydice": 0.999, "pavia": 0.995}
CHAOTIC = 0.02
FEWEST_SEEDS = 5


class Verdict(Enum):
    """What the comparison of a figure says."""

    WITHIN = "yes"
    OUTSIDE = "**NO**"
    CHAOTIC = "not checked: chaotic"
    FEW_SEEDS = f"not checked: fewer than {FEWEST_SEEDS} committed seeds"
    NEW = "not checked: no committed result"
    NO_MAP = "not checked: no released map here"


class Figure(NamedTuple):
    """One number, committed and here."""

    run: Run
    name: str
    committed: float | None
    here: float | None
    tolerance: str
    verdict: Verdict
    note: str = ""

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        difference = None
        if self.committed is not None and self.here is not None:
            difference = self.here - self.committed
        verdict = self.verdict.value + (f" ({self.note})" if self.note else "")
        return [
            scene_title(self.run.scene), self.run.method, self.name,
            *("–" if v is None else f"{v:.6f}" for v in (self.committed, self.here)),
            "–" if difference is None else f"{difference:+.1e}",
            self.tolerance, verdict,
        ]  # fmt: skip


def figures_of(run: Run, space: Workspace, reference: Workspace = REFERENCE) -> list[Figure]:
    """Compare every figure of a run; none where it has not run here.

    Args:
        run: the run.
        space: its record here.
        reference: the committed record.
    """
    here, committed = load_result(run, space), load_result(run, reference)
    if here is None:
        return []
    note = ""
    hashes = {_scene_hash(record) for record in (here, committed)} - {None}
    if len(hashes) > 1:
        note = "the scene's data differ"
    found = []
    for name, area in published.AREAS.items():
        values = _area(committed, name), _area(here, name)
        tolerance = _tolerance(run, name, reference)
        found.append(_compare(run, area.symbol, *values, committed is not None, tolerance, note))
    return found + _correlation(run, here, committed)


def _compare(
    run: Run,
    name: str,
    committed: float | None,
    here: float | None,
    known: bool,
    tolerance: float | Verdict,
    note: str,
) -> Figure:
    text = f"{tolerance:.1e}" if isinstance(tolerance, float) else "–"
    if not known:
        verdict = Verdict.NEW
    elif note:
        verdict = Verdict.OUTSIDE
    elif isinstance(tolerance, Verdict):
        verdict = tolerance
    elif committed is None or here is None:
        # A failure is a result too: both fail, or the figures differ.
        verdict = Verdict.WITHIN if committed is here else Verdict.OUTSIDE
        note = "" if committed is here else "failed here" if here is None else "failed before"
    else:
        verdict = Verdict.WITHIN if abs(here - committed) <= tolerance else Verdict.OUTSIDE
    return Figure(run, name, committed, here, text, verdict, note)


def _correlation(run: Run, here: Any, committed: Any) -> list[Figure]:
    """The correlation of a `release` run with the released map, where one was released."""
    least = LEAST_R.get(run.scene)
    if not _is_release(run) or committed is None or least is None:
        return []
    before = committed.get("pearson_with_released_map")
    r = here.get("pearson_with_released_map")
    if before is None:
        return []
    if r is None:
        verdict = Verdict.OUTSIDE if here["metrics"] is None else Verdict.NO_MAP
    else:
        verdict = Verdict.WITHIN if r >= least else Verdict.OUTSIDE
    return [Figure(run, "r with the released map", before, r, f"≥ {least}", verdict)]


def _is_release(run: Run) -> bool:
    return (
        isinstance(run, LrenRun)
        and type(run).settings is LrenRun.settings
        and run.preset == "release"
        and run.seed == published.AUTHORS_SEED
        and run.scene in published.SCENES
    )


def _tolerance(run: Run, area: str, reference: Workspace) -> float | Verdict:
    """The tolerance of an area, or why there is none."""
    if isinstance(run, DetectorRun):
        if not detectors.detector_class(run.detector).stochastic:
            return DETERMINISTIC
        if not run.make().draws:
            return DECIDED
    if _is_release(run):
        return RELEASE
    if getattr(run, "preset", None) == "paper":
        return Verdict.CHAOTIC
    values = _over_seeds(run, area, reference)
    if len(values) < FEWEST_SEEDS and isinstance(run, DetectorRun) and run.settings:
        # One seed of a setting: the spread of the default setting stands in.
        values = _over_seeds(comparison.runs_of(run.detector, run.scene)[0], area, reference)
    spread = max(values) - min(values) if values else 0.0
    if spread > CHAOTIC:
        return Verdict.CHAOTIC
    return spread if len(values) >= FEWEST_SEEDS else Verdict.FEW_SEEDS


def _over_seeds(run: Run, area: str, reference: Workspace) -> list[float]:
    """The committed values of an area over the seeds of a run's method, scene and settings."""
    folder = run.result_path(reference).parent
    stem = re.sub(r"seed\d+$", "", run.stem)
    paths = [p for p in folder.glob("*.json") if re.sub(r"seed\d+$", "", p.stem) == stem]
    values = [_area(load_record(path), area) for path in sorted(paths)]
    return [value for value in values if value is not None]


def _area(record: dict[str, Any] | None, name: str) -> float | None:
    return None if record is None or record["metrics"] is None else record["metrics"][name]


def _scene_hash(record: dict[str, Any] | None) -> str | None:
    """Hash of the scene of a record; a training that diverged has none."""
    return None if record is None else record.get("scene", {}).get("sha256")


def verify(
    runs: Iterable[Run], space: Workspace, reference: Workspace = REFERENCE
) -> list[Figure]:
    """Compare the figures of every run that has a record here."""
    return [figure for run in runs for figure in figures_of(run, space, reference)]


def passed(figures: Sequence[Figure]) -> bool:
    """Whether no figure is outside its tolerance."""
    return not any(figure.verdict is Verdict.OUTSIDE for figure in figures)


def table(figures: Sequence[Figure]) -> str:
    """Return the table of every figure, and how many of each verdict there are below it."""
    header = ["scene", "method", "figure", "committed", "here", "difference", "tolerance",
              "within tolerance"]  # fmt: skip
    counts = {verdict: sum(f.verdict is verdict for f in figures) for verdict in Verdict}
    outside = counts.pop(Verdict.OUTSIDE)
    summary = [f"{len(figures)} figures: {counts.pop(Verdict.WITHIN)} within their tolerance"]
    summary.append(f"{outside} outside")
    summary += [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    return f"{markdown_table(header, [f.cells for f in figures])}\n\n{', '.join(summary)}."


def write(figures: Sequence[Figure], space: Workspace) -> str:
    """Write the table to ``verification.md`` of a workspace; returns it."""
    text = table(figures)
    write_text(space.root / "verification.md", f"{text}\n")
    return text
